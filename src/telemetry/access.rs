//! The access log: what is kept of one answered request, and the line it becomes.
//!
//! The line has no query string, no header and no credential. The request only fills the record, with reference counts
//! and numbers; the text is formed by the writer's thread.

use crate::base::Failure;
use chrono::{DateTime, SecondsFormat, Utc};
use http::{Method, Uri, Version};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// One answered request.
#[derive(Debug)]
pub struct AccessRecord {
    /// When it was answered.
    pub at: SystemTime,
    /// Who asked.
    pub client: Option<IpAddr>,
    /// The request's method.
    pub method: Method,
    /// The request's target; only its path is written.
    pub uri: Uri,
    /// The request's HTTP version.
    pub version: Version,
    /// The endpoint as configured; `None` when there is none.
    pub endpoint: Option<Arc<str>>,
    /// The status of the answer, 499 when the client did not stay for one.
    pub status: u16,
    /// Why porteur itself answered.
    pub failure: Option<Failure>,
    /// What went wrong in Pingora's words, without any of the message's content.
    pub cause: &'static str,
    /// The last upstream tried.
    pub upstream: Option<SocketAddr>,
    /// Upstream connections tried.
    pub attempts: u8,
    /// From the request's head to the end of the answer.
    pub took: Duration,
    /// From the request's head to the head of the upstream's answer.
    pub upstream_took: Option<Duration>,
    /// Body bytes received.
    pub received: usize,
    /// Body bytes sent.
    pub sent: usize,
}

impl AccessRecord {
    /// Appends the line, in logfmt.
    pub fn write_to(&self, text: &mut String) {
        let at = DateTime::<Utc>::from(self.at).to_rfc3339_opts(SecondsFormat::Millis, true);
        // Writing to a String does not fail.
        let _ = write!(text, "{at} access method={} path=", self.method);
        quote(text, self.uri.path());
        text.push_str(" endpoint=");
        quote(text, self.endpoint.as_deref().unwrap_or("-"));
        let _ = write!(text, " status={} ms={}", self.status, Millis(self.took));
        if let Some(upstream) = self.upstream {
            let _ = write!(text, " upstream={upstream} attempts={}", self.attempts);
        }
        if let Some(took) = self.upstream_took {
            let _ = write!(text, " upstream_ms={}", Millis(took));
        }
        let _ = write!(text, " received={} sent={} version={:?}", self.received, self.sent, self.version);
        if let Some(client) = self.client {
            let _ = write!(text, " client={client}");
        }
        if let Some(failure) = self.failure {
            let _ = write!(text, " failure={failure}");
        }
        if !self.cause.is_empty() {
            let _ = write!(text, " cause={}", self.cause);
        }
        text.push('\n');
    }
}

/// Milliseconds with three places.
struct Millis(Duration);

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{:03}", micros / 1000, micros % 1000)
    }
}

/// Quotes a value if it holds anything but plain visible ASCII, so that no request can write a line of its own.
fn quote(text: &mut String, value: &str) {
    if value.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=')) {
        text.push_str(value);
    } else {
        let _ = write!(text, "\"{}\"", value.escape_debug());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(target: &str) -> AccessRecord {
        AccessRecord {
            at: SystemTime::UNIX_EPOCH,
            client: Some("192.0.2.7".parse().expect("an address")),
            method: Method::GET,
            uri: target.parse().expect("a target"),
            version: Version::HTTP_11,
            endpoint: Some("/a/{b}".into()),
            status: 502,
            failure: Some(Failure::Connect),
            cause: "ConnectRefused",
            upstream: Some("127.0.0.1:9".parse().expect("an address")),
            attempts: 2,
            took: Duration::from_micros(1_234),
            upstream_took: None,
            received: 0,
            sent: 12,
        }
    }

    #[test]
    fn the_line_is_logfmt_without_the_query() {
        let mut line = String::new();
        record("/a/7?api_key=hunter2").write_to(&mut line);
        assert_eq!(
            line,
            "1970-01-01T00:00:00.000Z access method=GET path=/a/7 endpoint=/a/{b} status=502 ms=1.234 \
             upstream=127.0.0.1:9 attempts=2 received=0 sent=12 version=HTTP/1.1 client=192.0.2.7 failure=connect \
             cause=ConnectRefused\n"
        );
    }

    #[test]
    fn a_path_cannot_forge_a_field() {
        let mut line = String::new();
        record("/a/status=200").write_to(&mut line);
        assert!(line.contains(r#"path="/a/status=200" "#), "{line}");
    }
}
