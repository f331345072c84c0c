//! The access log: what is kept of one answered request, and the line it becomes.
//!
//! The line has no query string, no header and no credential. The request only fills the record, with reference counts
//! and numbers; the text is formed by the writer's thread.

use crate::base::Failure;
use crate::base::text::write_ipv4;
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
    /// Why the request was sent once more, if its token was the reason: `token`, `nonce` or both.
    pub replayed: &'static str,
    /// From the request's head to the end of the answer.
    pub took: Duration,
    /// From the request's head to the head of the upstream's answer.
    pub upstream_took: Option<Duration>,
    /// Body bytes received.
    pub received: usize,
    /// Body bytes sent.
    pub sent: usize,
}

/// Forms lines. It keeps the text of the current second, which thousands of lines share.
#[derive(Debug, Default)]
pub struct AccessFormat {
    second: u64,
    date_and_time: String,
}

impl AccessFormat {
    /// Appends the line of a record, in logfmt. At tens of thousands of requests a second this is a visible part of what
    /// a request costs, so numbers are written without the formatting machinery.
    pub fn write(&mut self, record: &AccessRecord, text: &mut String) {
        self.time(record.at, text);
        field(text, " access method=", record.method.as_str());
        text.push_str(" path=");
        quote(text, record.uri.path());
        text.push_str(" endpoint=");
        quote(text, record.endpoint.as_deref().unwrap_or("-"));
        number(text, " status=", u64::from(record.status));
        milliseconds(text, " ms=", record.took);
        if let Some(upstream) = record.upstream {
            address(text, " upstream=", upstream.ip());
            number(text, ":", u64::from(upstream.port()));
        }
        // An endpoint with several backends has no one upstream, but it has made requests.
        if record.attempts > 0 {
            number(text, " attempts=", u64::from(record.attempts));
        }
        if !record.replayed.is_empty() {
            field(text, " replayed=", record.replayed);
        }
        if let Some(took) = record.upstream_took {
            milliseconds(text, " upstream_ms=", took);
        }
        number(text, " received=", record.received as u64);
        number(text, " sent=", record.sent as u64);
        field(text, " version=", version(record.version));
        if let Some(client) = record.client {
            address(text, " client=", client);
        }
        if let Some(failure) = record.failure {
            field(text, " failure=", failure.label());
        }
        if !record.cause.is_empty() {
            field(text, " cause=", record.cause);
        }
        text.push('\n');
    }

    fn time(&mut self, at: SystemTime, text: &mut String) {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        if self.date_and_time.is_empty() || self.second != since.as_secs() {
            self.second = since.as_secs();
            self.date_and_time = DateTime::<Utc>::from(at).to_rfc3339_opts(SecondsFormat::Secs, true);
            // Without its `Z`, which comes after the milliseconds.
            self.date_and_time.pop();
        }
        text.push_str(&self.date_and_time);
        text.push('.');
        three_digits(text, since.subsec_millis());
        text.push('Z');
    }
}

fn field(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str(value);
}

fn number(text: &mut String, name: &str, value: u64) {
    field(text, name, itoa::Buffer::new().format(value));
}

/// Milliseconds with three places.
fn milliseconds(text: &mut String, name: &str, duration: Duration) {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    number(text, name, micros / 1000);
    text.push('.');
    three_digits(text, u32::try_from(micros % 1000).unwrap_or_default());
}

fn three_digits(text: &mut String, value: u32) {
    text.extend([value / 100, value / 10, value].map(|digit| char::from_digit(digit % 10, 10).unwrap_or('0')));
}

/// IPv6 addresses stand in brackets where a port follows.
fn address(text: &mut String, name: &str, address: IpAddr) {
    text.push_str(name);
    let _ = match address {
        IpAddr::V4(address) => write_ipv4(text, address),
        IpAddr::V6(address) if name == " upstream=" => write!(text, "[{address}]"),
        IpAddr::V6(address) => write!(text, "{address}"),
    };
}

const fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/?",
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
            replayed: "",
            took: Duration::from_micros(1_234),
            upstream_took: None,
            received: 0,
            sent: 12,
        }
    }

    #[test]
    fn the_line_is_logfmt_without_the_query() {
        let mut line = String::new();
        AccessFormat::default().write(&record("/a/7?api_key=hunter2"), &mut line);
        assert_eq!(
            line,
            "1970-01-01T00:00:00.000Z access method=GET path=/a/7 endpoint=/a/{b} status=502 ms=1.234 \
             upstream=127.0.0.1:9 attempts=2 received=0 sent=12 version=HTTP/1.1 client=192.0.2.7 failure=connect \
             cause=ConnectRefused\n"
        );
    }

    #[test]
    fn the_time_follows_the_records_across_seconds() {
        let mut format = AccessFormat::default();
        let times = [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_999, "1970-01-01T00:00:01.999Z"),
            (61_042, "1970-01-01T00:01:01.042Z"),
        ];
        for (millis, expected) in times {
            let mut line = String::new();
            let at = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
            format.write(&AccessRecord { at, ..record("/") }, &mut line);
            assert!(line.starts_with(expected), "{line}");
        }
    }

    #[test]
    fn ipv6_addresses_are_told_from_their_ports() {
        let mut line = String::new();
        let upstream = Some("[::1]:80".parse().expect("an address"));
        let client = Some("::1".parse().expect("an address"));
        AccessFormat::default().write(&AccessRecord { client, upstream, ..record("/") }, &mut line);
        assert!(line.contains(" upstream=[::1]:80 ") && line.contains(" client=::1 "), "{line}");
    }

    #[test]
    fn attempts_are_counted_without_one_upstream_too() {
        let mut line = String::new();
        AccessFormat::default().write(&AccessRecord { upstream: None, ..record("/") }, &mut line);
        assert!(line.contains(" ms=1.234 attempts=2 received=0 "), "{line}");
    }

    #[test]
    fn a_path_cannot_forge_a_field() {
        let mut line = String::new();
        AccessFormat::default().write(&record("/a/status=200"), &mut line);
        assert!(line.contains(r#"path="/a/status=200" "#), "{line}");
    }
}
