//! A head that came in frames of HTTP/2, and so is parsed already, by the rules for heads of HTTP/1.
//!
//! What goes upstream is HTTP/1 whichever way it came. The rest of RFC 9113 §8 is kept by Pingora and its library: names,
//! values, pseudo-headers, connection-specific fields, the length of a body, `host` that differs from `:authority`.

use super::authority::Authority;
use super::bytes::{TARGET, is};
use super::{Fault, HeadLimits, Violation};
use http::Method;

/// What there is to look at.
#[derive(Debug, Clone, Copy)]
pub struct ParsedHead<'a> {
    /// `:method`.
    pub method: &'a Method,
    /// `:path`.
    pub target: &'a [u8],
    /// `:authority`, else `host`.
    pub authority: Option<&'a [u8]>,
    /// How many fields there are.
    pub fields: usize,
}

impl ParsedHead<'_> {
    /// Checks it. Its size is bounded where it is decompressed.
    ///
    /// # Errors
    /// It must not pass.
    pub fn check(&self, limits: HeadLimits) -> Result<(), Violation> {
        let is_asterisk = self.target == b"*" && *self.method == Method::OPTIONS;
        let is_path = self.target.starts_with(b"/") && self.target.iter().all(|byte| is(*byte, TARGET));
        let host = self.authority.ok_or(Fault::HostMissing)?;
        let host = host.iter().try_fold(Authority::Start, |authority, byte| authority.push(*byte));
        if *self.method == Method::CONNECT {
            Err(Violation::Connect)
        } else if self.target.len() > limits.target {
            Err(Violation::UriTooLong)
        } else if self.fields > limits.fields {
            Err(Violation::TooManyFields)
        } else if !is_asterisk && !is_path {
            Err(Fault::Target.into())
        } else if !host.is_some_and(Authority::is_complete) {
            Err(Fault::Host.into())
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { bytes: 1000, fields: 3, target: 8 };

    fn check(method: &Method, target: &str, authority: Option<&str>, fields: usize) -> Result<(), Violation> {
        let authority = authority.map(str::as_bytes);
        ParsedHead { method, target: target.as_bytes(), authority, fields }.check(LIMITS)
    }

    #[test]
    fn what_a_server_is_asked_passes() {
        assert_eq!(check(&Method::GET, "/a?b=%20", Some("a.test:8080"), 3), Ok(()));
        assert_eq!(check(&Method::OPTIONS, "*", Some("[::1]"), 0), Ok(()));
    }

    #[test]
    fn what_is_too_long_or_too_much_does_not() {
        assert_eq!(check(&Method::GET, "/23456789", Some("a"), 0), Err(Violation::UriTooLong));
        assert_eq!(check(&Method::GET, "/", Some("a"), 4), Err(Violation::TooManyFields));
    }

    #[test]
    fn targets_and_hosts_are_those_of_http_1() {
        assert_eq!(check(&Method::CONNECT, "", Some("a:1"), 0), Err(Violation::Connect));
        for target in ["", "a", "*", "/a b", "/<", "/\"", "/#a", "/\u{e9}", "//a\n"] {
            assert_eq!(check(&Method::GET, target, Some("a"), 0), Err(Fault::Target.into()), "{target:?}");
        }
        for host in ["", "a b", "user@a", "a,b", "a:", "a:99999", "a/b", "[::1"] {
            assert_eq!(check(&Method::GET, "/", Some(host), 0), Err(Fault::Host.into()), "{host:?}");
        }
        assert_eq!(check(&Method::GET, "/", None, 0), Err(Fault::HostMissing.into()));
    }
}
