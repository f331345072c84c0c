//! Sending a request again after an attempt that came to nothing: only where the upstream cannot have begun with it, or may begin
//! twice. Never once there was a byte of an answer.
//!
//! A connection that is not taken leads to the next target, for any method. A kept connection that breaks before there is an answer
//! may have been closed before the request came, or because of it: only a method that may be repeated (RFC 9110 §9.2.2) goes out
//! again, on whatever connection is next. A stream that is refused (RFC 9113 §8.7) was not looked at. Each costs from the backend's
//! budget, and none is made for a request that has been tried often enough or has no time left.
//!
//! What an error says of an attempt is read here for everyone who makes attempts; Pingora marks those after which another is thinkable.

use crate::forward::refused;
use crate::forward::shortage::{self, Shortage};
use crate::snapshot::balance::Round;
use crate::snapshot::upstream::Upstream;
use http::Method;
use pingora::ErrorType::{ConnectionClosed, H2Downgrade, H2Error, InvalidH2, ReadError};
use pingora::{Error, RetryType};
use std::time::{Duration, Instant};

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// There was no connection: nothing has been sent.
    Unreached,
    /// A kept connection broke before there was any answer.
    Closed,
    /// The upstream has not looked at the request.
    Refused,
}

/// How an exchange broke, if another attempt is thinkable. `reused`: the connection was there before.
#[must_use]
pub fn kind(error: &Error, reused: bool) -> Option<Broken> {
    match error.retry {
        _ if refused::is_refused(error) => Some(Broken::Refused),
        RetryType::ReusedOnly if reused && !has_begun(error) => Some(Broken::Closed),
        // `HTTP_1_1_REQUIRED`: it wants the request by another version, and has done nothing with this one.
        RetryType::Decided(true) if *error.etype() == H2Downgrade => Some(Broken::Refused),
        // What came is not HTTP/2. It may be an answer to what was done.
        RetryType::Decided(true) => Some(Broken::Closed),
        RetryType::ReusedOnly | RetryType::Decided(false) => None,
    }
}

/// Whether an upstream wants HTTP/1.1 although it speaks HTTP/2, or speaks it so badly that it is better asked by HTTP/1.1.
#[must_use]
pub fn wants_http1(error: &Error) -> bool {
    matches!(error.etype(), H2Downgrade | InvalidH2)
}

/// How an attempt broke that has led to no connection, or to no stream on one. A kept connection of HTTP/2 may take no more: after a
/// GOAWAY that tells of an error, Pingora gives that error instead of another connection
/// (`pingora-core/src/connectors/http/v2.rs`, `reused_http_session`). The next attempt makes one. `None`: it was our own fault, and
/// would be with any address.
#[must_use]
pub fn unconnected(error: &Error) -> Option<Broken> {
    // Without a cause it is a new connection that takes none.
    let is_of_stream = *error.etype() == H2Error && error.cause.is_some();
    match shortage::of(error) {
        Some(Shortage::Sockets) => None,
        _ if is_of_stream => Some(Broken::Refused),
        Some(Shortage::Ports) | None => Some(Broken::Unreached),
    }
}

/// Whether a part of a head was read. Pingora does not mind when it marks an error; it says so in words alone
/// (`pingora-core/src/protocols/http/v1/client.rs`, `read_response`).
fn has_begun(error: &Error) -> bool {
    const READ: &str = "bytes already read: ";
    let context = error.context.as_ref().map_or("", |context| context.as_str());
    matches!(error.etype(), ConnectionClosed | ReadError)
        && context.rsplit_once(READ).is_some_and(|(_, bytes)| bytes != "0")
}

/// Whether the request is sent again, to where its round then stands. `left` is what remains of its time.
#[must_use]
pub fn is_sent_again(
    upstream: &Upstream,
    round: &mut Round,
    broken: Broken,
    method: &Method,
    left: Duration,
    now: Instant,
) -> bool {
    let makes_sense = !left.is_zero()
        && match broken {
            Broken::Unreached => round.has_another(),
            Broken::Closed => method.is_idempotent(),
            Broken::Refused => true,
        };
    makes_sense && upstream.retries(round, now) && (broken != Broken::Unreached || round.go_on(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingora::ErrorType::{InvalidHTTPHeader, ReadTimedout};
    use pingora::{ErrorType, ImmutStr};

    fn read(etype: ErrorType, retry: RetryType, context: &str, reused: bool) -> Option<Broken> {
        let mut error = Error::explain(etype, ImmutStr::Owned(context.into()));
        error.retry = retry;
        kind(&error, reused)
    }

    #[test]
    fn only_a_kept_connection_without_a_byte_of_an_answer_was_closed() {
        let closed = |bytes: &str, reused| {
            let context = format!("while reading response headers, bytes already read: {bytes}");
            read(ConnectionClosed, RetryType::ReusedOnly, &context, reused)
        };
        assert_eq!(closed("0", true), Some(Broken::Closed));
        assert_eq!(closed("0", false), None);
        assert_eq!(closed("1", true), None);
        assert_eq!(closed("10", true), None);
        for etype in [ReadTimedout, InvalidHTTPHeader, H2Error] {
            assert_eq!(read(etype, RetryType::Decided(false), "", true), None);
        }
    }

    #[test]
    fn what_was_not_looked_at_may_go_out_again_whatever_the_connection() {
        for reused in [false, true] {
            let of = |etype| read(etype, RetryType::Decided(true), "", reused);
            assert_eq!(of(H2Error), Some(Broken::Refused));
            assert_eq!(of(H2Downgrade), Some(Broken::Refused));
            assert_eq!(of(InvalidH2), Some(Broken::Closed), "it may be an answer to what was done");
        }
    }
}
