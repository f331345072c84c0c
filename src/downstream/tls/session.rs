//! What is known of a protected connection, in Pingora's words.

use crate::base::x509;
use aws_lc_rs::digest::{SHA256, digest as hash};
use pingora_core::protocols::ALPN;
use pingora_core::protocols::tls::SslDigest;
use rustls::{ProtocolVersion, ServerConnection};

/// Version, cipher suite, and the client's certificate if it has shown one.
///
/// Pingora's own way to this would panic over a certificate that its parser does not understand
/// (`pingora-core/src/utils/tls/rustls.rs`, `get_organization_serial_bytes`).
#[must_use]
pub fn digest(connection: &ServerConnection) -> SslDigest {
    let suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "",
    };
    let certificate = connection.peer_certificates().and_then(|chain| chain.first());
    let fields = certificate.and_then(|own| x509::read(own));
    let (organization, serial) = fields.map(|fields| (fields.organization, fields.serial)).unzip();
    let hash = certificate.map(|own| hash(&SHA256, own).as_ref().to_vec()).unwrap_or_default();
    SslDigest::new(suite.unwrap_or_default(), version, organization.flatten(), serial, hash)
}

/// The protocol that client and server agreed on.
#[must_use]
pub fn alpn(connection: &ServerConnection) -> Option<ALPN> {
    match connection.alpn_protocol()? {
        b"h2" => Some(ALPN::H2),
        b"http/1.1" => Some(ALPN::H1),
        _ => None,
    }
}
