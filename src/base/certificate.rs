//! Certificates in PEM files: one with its key, a client's or a server's, and the authorities to trust.
//!
//! Everything that a TLS library would only find out when it connects is checked when a file is read; `ureq` panics over a
//! certificate that does not fit its key (`ureq/src/tls/rustls.rs`, "valid client auth certificate").

use rustls::Error as TlsError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fmt;

/// A certificate chain, the client's own first, with the private key that belongs to it.
#[derive(PartialEq, Eq)]
pub struct ClientCertificate {
    /// DER, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Why a file is not what it should be. None of the texts holds anything of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// No `BEGIN CERTIFICATE`.
    #[error("it holds no PEM certificate")]
    NoCertificate,
    /// A certificate that cannot be read. TLS libraries here read no older version, which is what `openssl` before 3.2 makes
    /// of a request without extensions.
    #[error("it holds a certificate that is not X.509 version 3")]
    Malformed,
    /// No `BEGIN PRIVATE KEY`.
    #[error("it holds no unencrypted PEM private key")]
    NoKey,
    /// A key of a kind that TLS cannot use.
    #[error("it holds a private key that cannot be used")]
    UnusableKey,
    /// They are two halves of different pairs.
    #[error("the certificate does not belong to the private key")]
    Mismatch,
}

impl ClientCertificate {
    /// Reads both files' contents and checks that they belong together.
    ///
    /// # Errors
    /// If either is not what it should be, or they do not fit.
    pub fn read(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let (chain, key) = (certificates(chain)?, private_key(key)?);
        pair(chain.clone(), key.clone_key())?;
        Ok(Self { chain, key })
    }

    /// The private key. Not for anything but a TLS library.
    #[must_use]
    pub const fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }
}

/// The key stays inside.
impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

/// A certificate with its issuers and its private key, in the form that a TLS server uses.
///
/// # Errors
/// If either file's content is not what it should be, or they do not fit.
pub fn certified(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, CertificateError> {
    pair(certificates(chain)?, private_key(key)?)
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, CertificateError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| CertificateError::NoKey)
}

fn pair(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<CertifiedKey, CertificateError> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
        TlsError::InconsistentKeys(_) => CertificateError::Mismatch,
        TlsError::InvalidCertificate(_) => CertificateError::Malformed,
        _ => CertificateError::UnusableKey,
    })
}

/// The certificates of a PEM file, at least one, each of them readable.
///
/// # Errors
/// If there is none, or one that no TLS library would take.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|_| CertificateError::Malformed)?;
    if found.is_empty() {
        return Err(CertificateError::NoCertificate);
    }
    let readable = |certificate: &CertificateDer<'_>| rustls::server::ParsedCertificate::try_from(certificate).is_ok();
    if found.iter().all(readable) { Ok(found) } else { Err(CertificateError::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_said_to_be_none() {
        assert_eq!(certificates(b"hello"), Err(CertificateError::NoCertificate));
        assert_eq!(
            certificates(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            Err(CertificateError::Malformed)
        );
        assert_eq!(ClientCertificate::read(b"", b"").unwrap_err(), CertificateError::NoCertificate);
    }

    #[test]
    fn a_certificate_of_version_1_is_told_from_a_broken_file() {
        let why = certificates(VERSION_1.as_bytes()).unwrap_err();
        assert_eq!(why.to_string(), "it holds a certificate that is not X.509 version 3");
    }

    const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----
MIIBLzCB1gIBATAKBggqhkjOPQQDAjAXMRUwEwYDVQQDDAxUZXN0IFJvb3QgQ0Ew
HhcNMjAwMTAxMDAwMDAwWhcNMjAwMjAxMDAwMDAwWjAxMQswCQYDVQQGEwJTRTEN
MAsGA1UECgwERWRnZTETMBEGA1UEAwwKZWRnZS1wcm94eTBZMBMGByqGSM49AgEG
CCqGSM49AwEHA0IABMHVo/QQEWO8sgE/idonj9unSmUV+BaWJb8tQM6ewG3pskfq
2dRj0+MbeIbA9nslJW/XlhbZFwdIglNhqbTmbEgwCgYIKoZIzj0EAwIDSAAwRQIg
HVF25g9LMeHxsLSO2a7tbNq98udNJtLmdIB0MZt9FogCIQDO4zOgxg5BLTBMDt3H
cMr28oTMtTZqsA0gcYX3itsNnw==
-----END CERTIFICATE-----
";
}
