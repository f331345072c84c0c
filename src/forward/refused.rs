//! Requests that an HTTP/2 upstream says it has not looked at: they may be sent again whatever their method.

use pingora::{Error, ErrorType, RetryType};

/// Whether an upstream refused a stream (RFC 9113 §8.7): by `REFUSED_STREAM`, or by a GOAWAY whose last stream came before it. In
/// Pingora these two are the errors of HTTP/2 that are marked for another try without regard to the connection
/// (`pingora-core/src/protocols/http/v2/client.rs`, `handle_read_header_error`); a GOAWAY with another reason than `NO_ERROR`
/// is not, and neither are streams that the upstream may have begun with.
#[must_use]
pub fn is_refused(error: &Error) -> bool {
    *error.etype() == ErrorType::H2Error && matches!(error.retry, RetryType::Decided(true))
}
