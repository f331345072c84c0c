//! Why a handshake failed, in a word for metrics and in words for the log.

use crate::telemetry::metrics::HandshakeResult;
use rustls::{Error as TlsError, PeerIncompatible};
use std::io;

/// A handshake that failed.
#[derive(Debug, thiserror::Error)]
#[error("{}{}", .result.label(), .source.as_ref().map(|source| format!(": {source}")).unwrap_or_default())]
pub struct HandshakeError {
    result: HandshakeResult,
    source: Option<io::Error>,
}

impl HandshakeError {
    pub(super) const fn new(result: HandshakeResult) -> Self {
        Self { result, source: None }
    }

    /// Why, in a word.
    #[must_use]
    pub const fn result(&self) -> HandshakeResult {
        self.result
    }
}

/// What `tokio-rustls` says: an error of the connection, or one of rustls inside one.
impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
        let result = tls.map_or_else(|| of_connection(&error), of_tls);
        Self { result, source: Some(error) }
    }
}

fn of_connection(error: &io::Error) -> HandshakeResult {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => HandshakeResult::Closed,
        _ => HandshakeResult::Other,
    }
}

fn of_tls(error: &TlsError) -> HandshakeResult {
    match error {
        TlsError::AlertReceived(_) => HandshakeResult::Alert,
        TlsError::NoCertificatesPresented => HandshakeResult::CertificateMissing,
        TlsError::InvalidCertificate(_) => HandshakeResult::CertificateRefused,
        TlsError::NoApplicationProtocol => HandshakeResult::Alpn,
        TlsError::InvalidMessage(_)
        | TlsError::InappropriateMessage { .. }
        | TlsError::InappropriateHandshakeMessage { .. }
        | TlsError::PeerMisbehaved(_)
        | TlsError::PeerSentOversizedRecord
        | TlsError::DecryptError => HandshakeResult::NotTls,
        TlsError::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => HandshakeResult::Version,
        TlsError::PeerIncompatible(_) => HandshakeResult::Parameters,
        _ => HandshakeResult::Other,
    }
}
