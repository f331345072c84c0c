//! How upstreams are connected to: TLS, the version of HTTP, and the times of a connection.

use super::TlsVersion;
use crate::base::ClientCertificate;
use rustls::pki_types::CertificateDer;
use std::sync::Arc;
use std::time::Duration;

/// How the upstreams of a backend are connected to: what the service says, and what `backend/http/client` says in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTransport {
    /// `client_tls`.
    pub tls: ClientTls,
    /// `http_version` (an extension).
    pub http_version: HttpVersion,
    /// `max_h2_streams` (an extension), 100 unless set: requests at once on one HTTP/2 connection.
    pub max_h2_streams: usize,
    /// `h2_ping_interval` (an extension): how often a busy HTTP/2 connection is asked whether it lives; `None`: never.
    pub h2_ping_interval: Option<Duration>,
    /// `dialer_timeout`, 1 s unless set: the longest wait for a TCP connection.
    pub dialer_timeout: Duration,
    /// `dialer_keep_alive`, 15 s unless set: how often the kernel asks whether a quiet peer is still there.
    pub dialer_keep_alive: Duration,
    /// `response_header_timeout`: the longest wait for the head of an answer, within the timeout; `None`: that of the timeout.
    pub response_header_timeout: Option<Duration>,
    /// `idle_connection_timeout`, 50 s unless set: how long a connection without a request is kept.
    pub idle_connection_timeout: Duration,
    /// `disable_keep_alives`: a connection carries one request.
    pub disable_keep_alives: bool,
}

/// The TLS side of it. Without `client_tls` this is what it is by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// `allow_insecure_connections`: certificates are not checked.
    pub insecure: bool,
    /// `ca_certs`: authorities that are believed.
    pub authorities: Vec<CertificateDer<'static>>,
    /// `disable_system_ca_pool`: no other authority is.
    pub only_these: bool,
    /// `min_version`.
    pub min_version: TlsVersion,
    /// `client_certs`: who we are.
    pub client_certificate: Option<Arc<ClientCertificate>>,
}

/// Which version of HTTP is spoken to upstreams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HttpVersion {
    /// `1.1`.
    #[default]
    Http1,
    /// `2`: agreed on in the TLS handshake (RFC 9113 §3.2), without TLS by prior knowledge (§3.3).
    Http2,
    /// `auto`: HTTP/2 where the TLS handshake agrees on it, else HTTP/1.1.
    Auto,
}

impl Default for UpstreamTransport {
    fn default() -> Self {
        Self {
            tls: ClientTls::default(),
            http_version: HttpVersion::default(),
            max_h2_streams: 100,
            h2_ping_interval: None,
            dialer_timeout: Duration::from_secs(1),
            dialer_keep_alive: Duration::from_secs(15),
            response_header_timeout: None,
            // Below the minute after which many servers close theirs: a request that meets a closing connection is lost.
            idle_connection_timeout: Duration::from_secs(50),
            disable_keep_alives: false,
        }
    }
}
