//! A `tls` block and its files in the form that rustls uses.

use super::choice::Choice;
use crate::base::certificate::{self, CertificateError};
use crate::base::{files, x509};
use crate::config::model::{CertificateFiles, ClientAuthorities, Tls, TlsVersion};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, ALL_CIPHER_SUITES, ALL_KX_GROUPS, Ticketer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Why a block cannot be used: its files have changed since the configuration was checked, or are being changed.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("`{}` cannot be read: {why}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// In words.
        why: String,
    },
    /// A file does not hold what it should.
    #[error("`{}` cannot be used: {why}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// In words.
        why: CertificateError,
    },
    /// The authorities for clients cannot be used.
    #[error("no client can be verified: {0}")]
    Authorities(#[from] VerifierBuilderError),
    /// rustls does not take it.
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// What handshakes use until the files change.
pub(super) struct Settings {
    /// For rustls.
    pub config: Arc<ServerConfig>,
    /// The certificates' names, and when they end in seconds since 1970.
    pub ends: Vec<(String, i64)>,
}

impl Settings {
    /// Reads the files of a block.
    pub(super) fn read(tls: &Tls) -> Result<Self, TlsError> {
        let provider = Arc::new(provider(tls));
        let certificates = tls.certificates.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
        let clients =
            tls.client_authorities.as_ref().map(|authorities| verifier(authorities, &provider)).transpose()?;
        let ends = certificates.iter().filter_map(end).collect();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions(tls))?
            .with_client_cert_verifier(clients.unwrap_or_else(|| Arc::new(NoClientAuth)))
            .with_cert_resolver(Arc::new(Choice::new(certificates)));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ignore_client_order = tls.prefer_server_cipher_suites;
        // Keys of their own for each reading of the files: a session goes on where its client was judged, by the
        // authorities that judged it. Early data stays off: it can be sent again by anybody (RFC 8446 §8).
        config.ticketer = Ticketer::new()?;
        Ok(Self { config: Arc::new(config), ends })
    }
}

fn versions(tls: &Tls) -> &'static [&'static SupportedProtocolVersion] {
    static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    let [newer, older] = &BOTH;
    match (tls.min_version, tls.max_version) {
        (TlsVersion::Tls12, TlsVersion::Tls13) => &BOTH,
        (_, TlsVersion::Tls12) => std::slice::from_ref(older),
        (TlsVersion::Tls13, TlsVersion::Tls13) => std::slice::from_ref(newer),
    }
}

fn provider(tls: &Tls) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    if !tls.cipher_suites.is_empty() {
        let of = |number| ALL_CIPHER_SUITES.iter().find(move |suite| suite.suite() == number).copied();
        let mut chosen: Vec<_> = tls.cipher_suites.iter().filter_map(|number| of(*number)).collect();
        // As in Go a list for TLS 1.2 says nothing about 1.3. The reverse is an error of the configuration.
        if chosen.iter().all(|suite| suite.tls13().is_none()) {
            chosen.extend(ALL_CIPHER_SUITES.iter().filter(|suite| suite.tls13().is_some()));
        }
        provider.cipher_suites = chosen;
    }
    if !tls.groups.is_empty() {
        let of = |name| ALL_KX_GROUPS.iter().find(move |group| group.name() == name).copied();
        provider.kx_groups = tls.groups.iter().filter_map(|name| of(*name)).collect();
    }
    provider
}

fn pair(files: &CertificateFiles) -> Result<Arc<CertifiedKey>, TlsError> {
    let (chain, key) = (content(&files.certificate)?, content(&files.private_key)?);
    certificate::certified(&chain, &key).map(Arc::new).map_err(|why| {
        let path = match why {
            CertificateError::NoCertificate | CertificateError::Malformed => &files.certificate,
            CertificateError::NoKey | CertificateError::UnusableKey | CertificateError::Mismatch => &files.private_key,
        };
        TlsError::Content { path: path.clone(), why }
    })
}

fn content(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let read = files::read(path, files::LARGEST_SECRET);
    read.map(Zeroizing::new).map_err(|why| TlsError::File { path: path.to_owned(), why })
}

fn end(certificate: &Arc<CertifiedKey>) -> Option<(String, i64)> {
    let fields = x509::read(certificate.cert.first()?)?;
    Some((fields.name(), fields.not_after))
}

fn verifier(
    authorities: &ClientAuthorities,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for path in &authorities.files {
        let found = certificate::certificates(&content(path)?);
        let found = found.map_err(|why| TlsError::Content { path: path.clone(), why })?;
        roots.add_parsable_certificates(found);
    }
    // The names of ours tell clients which of their certificates to show; those of the system would fill the handshake.
    let hints = roots.subjects();
    if authorities.system {
        roots.add_parsable_certificates(system()?);
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    Ok(builder.clear_root_hint_subjects().add_root_hint_subjects(hints).build()?)
}

fn system() -> Result<Vec<rustls::pki_types::CertificateDer<'static>>, TlsError> {
    pingora_core::tls::load_native_certs()
        .map_err(|error| TlsError::File { path: "the system's certificates".into(), why: files::reason(&error) })
}
