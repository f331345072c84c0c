//! What a client proves itself with, read anew for each fetch: secrets, keys, assertions and certificates in files are
//! replaced while we run, and no event of the file system is needed to notice it.
//!
//! Reading through the configured path follows whatever it points to now, which is how Kubernetes swaps a secret (it renames
//! the symbolic link `..data`).

use crate::base::{Secret, files};
use crate::config::model::{Assertion, ClientAuth, Credential, SecretSource, Transport};
use crate::token::error::FetchError;
use std::path::Path;

/// Everything that was in the files of a credential at one moment. Two are equal when nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Material {
    /// The client's secrets: none, one, or two during an overlap.
    pub secrets: Vec<Secret>,
    /// The private key that signs assertions, in PEM.
    pub private_key: Option<Secret>,
    /// An assertion that the platform signed.
    pub assertion: Option<Secret>,
    /// What TLS needs.
    pub tls: TlsFiles,
}

/// The files of `tls`, in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsFiles {
    /// `ca_file`.
    pub authorities: Option<Secret>,
    /// `client_certificate_file` and `client_key_file`.
    pub client: Option<(Secret, Secret)>,
}

impl Material {
    /// Reads it all.
    ///
    /// # Errors
    /// [`FetchError::Material`] if a file cannot be read or is empty, as it is for a moment when it is written in place.
    pub fn read(credential: &Credential) -> Result<Self, FetchError> {
        let mut material = Self {
            secrets: Vec::new(),
            private_key: None,
            assertion: None,
            tls: TlsFiles::read(&credential.transport)?,
        };
        match &credential.client_auth {
            ClientAuth::Secret { secrets, .. } | ClientAuth::Assertion(Assertion::Secret { secrets, .. }) => {
                material.secrets = secrets.iter().map(secret).collect::<Result<_, _>>()?;
            }
            ClientAuth::Assertion(Assertion::PrivateKey { file, .. }) => {
                material.private_key = Some(read(file, "private_key_file")?);
            }
            ClientAuth::Assertion(Assertion::File(file)) => {
                let text = read(file, "client_assertion_file")?;
                material.assertion = Some(Secret::new(text.expose().trim()));
            }
            ClientAuth::Certificate | ClientAuth::InParams | ClientAuth::None => {}
        }
        Ok(material)
    }
}

impl TlsFiles {
    fn read(transport: &Transport) -> Result<Self, FetchError> {
        let authorities = transport.ca_file.as_deref().map(|file| read(file, "ca_file")).transpose()?;
        let client = transport.client_certificate.as_ref().map(|(chain, key)| {
            Ok::<_, FetchError>((read(chain, "client_certificate_file")?, read(key, "client_key_file")?))
        });
        Ok(Self { authorities, client: client.transpose()? })
    }
}

fn secret(source: &SecretSource) -> Result<Secret, FetchError> {
    match source {
        SecretSource::Text(secret) => Ok(secret.clone()),
        SecretSource::File(path) => read(path, "client_secret"),
    }
}

fn read(path: &Path, key: &str) -> Result<Secret, FetchError> {
    let fail = |why: &str| FetchError::Material(format!("the `{key}` cannot be read: {why}"));
    let text = files::read_secret(path).map_err(|why| fail(&why))?;
    if text.expose().trim().is_empty() { Err(fail("it is empty")) } else { Ok(text) }
}
