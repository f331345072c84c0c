//! The metrics of client connections before their first request: handshakes, certificates, PROXY headers.

use super::register;
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};

/// How a handshake ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeResult {
    /// The connection is protected.
    Ok,
    /// It took too long.
    Timeout,
    /// The client went away.
    Closed,
    /// The client spoke HTTP without TLS.
    PlainHttp,
    /// The client spoke something else, or TLS that is malformed.
    NotTls,
    /// No version in common.
    Version,
    /// No cipher suite, group or signature in common.
    Parameters,
    /// No application protocol in common.
    Alpn,
    /// The client has no certificate, and needs one.
    CertificateMissing,
    /// The client's certificate is not good.
    CertificateRefused,
    /// The client ended it with an alert: it does not like our certificate, mostly.
    Alert,
    /// Anything else.
    Other,
}

impl HandshakeResult {
    const ALL: [Self; 12] = [
        Self::Ok,
        Self::Timeout,
        Self::Closed,
        Self::PlainHttp,
        Self::NotTls,
        Self::Version,
        Self::Parameters,
        Self::Alpn,
        Self::CertificateMissing,
        Self::CertificateRefused,
        Self::Alert,
        Self::Other,
    ];

    /// The name in metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::PlainHttp => "plain_http",
            Self::NotTls => "not_tls",
            Self::Version => "version",
            Self::Parameters => "parameters",
            Self::Alpn => "alpn",
            Self::CertificateMissing => "certificate_missing",
            Self::CertificateRefused => "certificate_refused",
            Self::Alert => "alert",
            Self::Other => "other",
        }
    }
}

/// What became of the PROXY header of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyHeaderResult {
    /// It was read.
    Ok,
    /// The peer is not one that may send any.
    Untrusted,
    /// It did not come in time.
    Timeout,
    /// The peer went away before its end.
    Closed,
    /// There is none, or it is malformed.
    Malformed,
}

impl ProxyHeaderResult {
    const ALL: [Self; 5] = [Self::Ok, Self::Untrusted, Self::Timeout, Self::Closed, Self::Malformed];

    const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Untrusted => "untrusted",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Malformed => "malformed",
        }
    }
}

/// All of them.
#[derive(Debug, Clone)]
pub struct TlsMetrics {
    handshakes: [IntCounter; HandshakeResult::ALL.len()],
    proxy_headers: [IntCounter; ProxyHeaderResult::ALL.len()],
    expiry: IntGaugeVec,
    reloads: IntCounterVec,
}

impl TlsMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counters = |name: &str, help: &str, label: &str| {
            register(registry, IntCounterVec::new(Opts::new(name, help), &[label])?)
        };
        let handshakes =
            counters("porteur_tls_handshakes_total", "TLS handshakes with clients, by how they ended.", "result")?;
        let proxy_headers = counters(
            "porteur_proxy_protocol_headers_total",
            "Connections to listeners that want a PROXY header, by what became of it.",
            "result",
        )?;
        let expiry = Opts::new(
            "porteur_tls_certificate_expiry_seconds",
            "When a certificate that clients are shown ends, in seconds since 1970.",
        );
        Ok(Self {
            handshakes: HandshakeResult::ALL.map(|result| handshakes.with_label_values(&[result.label()])),
            proxy_headers: ProxyHeaderResult::ALL.map(|result| proxy_headers.with_label_values(&[result.label()])),
            expiry: register(registry, IntGaugeVec::new(expiry, &["certificate"])?)?,
            reloads: counters(
                "porteur_tls_reloads_total",
                "Changes of certificate files: ok when they are in use, failed when the old ones stay.",
                "result",
            )?,
        })
    }

    /// Counts a handshake.
    pub fn handshake(&self, result: HandshakeResult) {
        count(&self.handshakes, &HandshakeResult::ALL, &result);
    }

    /// Counts a PROXY header.
    pub fn proxy_header(&self, result: ProxyHeaderResult) {
        count(&self.proxy_headers, &ProxyHeaderResult::ALL, &result);
    }

    /// Counts a change of files.
    pub fn reload(&self, in_use: bool) {
        self.reloads.with_label_values(&[if in_use { "ok" } else { "failed" }]).inc();
    }

    /// Says when certificates end, by their names, in place of others. Of several with one name it is the first to end.
    pub fn certificates(&self, before: &[(String, i64)], now: &[(String, i64)]) {
        for (name, _) in before {
            // It is not there when two had one name.
            let _ = self.expiry.remove_label_values(&[name.as_str()]);
        }
        for (name, _) in now {
            let ends = now.iter().filter(|(other, _)| other == name).map(|(_, end)| *end).min();
            self.expiry.with_label_values(&[name.as_str()]).set(ends.unwrap_or_default());
        }
    }
}

fn count<R: PartialEq, const N: usize>(counters: &[IntCounter; N], all: &[R; N], result: &R) {
    if let Some((counter, _)) = counters.iter().zip(all).find(|(_, one)| *one == result) {
        counter.inc();
    }
}
