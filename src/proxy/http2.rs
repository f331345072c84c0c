//! What a request of HTTP/2 goes through before it is treated like any other.
//!
//! `downstream` has looked at a head of HTTP/1 before Pingora has it; this one is looked at here. And it gets the shape that
//! it needs for what comes after, where HTTP/1 is spoken.

use crate::config::model::Limits;
use crate::downstream::framing::{HeadLimits, ParsedHead};
use crate::downstream::refusal::Refusal;
use crate::forward::cookies;
use http::{HeaderValue, header};
use pingora::http::RequestHeader;
use pingora_proxy::Session;
use std::time::Duration;

/// How long a client may leave a part of an answer waiting unless `write_timeout` says so: its windows may be closed while
/// its connection is not.
const CLOSED_WINDOW: Duration = Duration::from_secs(60);

/// Receives a request if it is one of HTTP/2, or says why it is refused.
pub(super) fn receive(session: &mut Session, limits: &Limits) -> Option<Refusal> {
    session.as_http2()?;
    session.set_write_timeout(Some(limits.write_timeout.unwrap_or(CLOSED_WINDOW)));
    let refusal = check(session.req_header(), limits);
    if refusal.is_none() {
        name_host(session.req_header_mut());
        // What was joined of cookies is one.
        let _ = cookies::join(session.req_header_mut());
    }
    refusal
}

fn check(request: &RequestHeader, limits: &Limits) -> Option<Refusal> {
    let authority = request.uri.authority().map(|authority| authority.as_str().as_bytes());
    let host = || request.headers.get(header::HOST).map(HeaderValue::as_bytes);
    let head = ParsedHead {
        method: &request.method,
        target: request.raw_path(),
        authority: authority.or_else(host),
        fields: request.headers.len(),
    };
    head.check(HeadLimits::of(limits)).err().map(Refusal::Violation)
}

/// RFC 9113 §8.3.1: `Host` is made of `:authority`. Where there are both, Pingora has seen that they agree.
fn name_host(request: &mut RequestHeader) {
    let authority = request.uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(authority) = authority {
        // Such a name is always a good one.
        let _ = request.insert_header(header::HOST, authority);
    }
}
