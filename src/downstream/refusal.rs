//! Why a connection's bytes do not reach the HTTP server, and what its client is told.

use crate::base::Failure;
use crate::downstream::framing::Violation;
use std::fmt::Write;
use std::time::SystemTime;

/// Why a request is refused before anybody has seen it, or while its body comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not a request of HTTP/1, or could be read as two different ones.
    #[error("{0}")]
    Violation(Violation),
    /// Its head did not come in time.
    #[error("the head of the request did not come in time")]
    SlowHead,
    /// Its body did not come in time, or too slowly.
    #[error("the body of the request did not come in time")]
    SlowBody,
}

impl Refusal {
    /// The row of the table of answers.
    #[must_use]
    pub const fn failure(self) -> Failure {
        match self {
            Self::Violation(Violation::UriTooLong) => Failure::UriTooLong,
            Self::Violation(Violation::HeadTooLarge | Violation::TooManyFields) => Failure::HeadersTooLarge,
            Self::Violation(Violation::Connect) => Failure::MethodNotAllowed,
            Self::Violation(_) => Failure::BadRequest,
            Self::SlowHead | Self::SlowBody => Failure::RequestTimeout,
        }
    }

    /// What is logged of it: words of ours, nothing of the request.
    #[must_use]
    pub const fn cause(self) -> &'static str {
        match self {
            Self::Violation(_) => "malformed",
            Self::SlowHead => "slow_head",
            Self::SlowBody => "slow_body",
        }
    }

    /// The whole answer. It ends the connection: where the next request would begin is not known.
    pub(super) fn answer(self, with_message: bool) -> Vec<u8> {
        let failure = self.failure();
        let status = http::StatusCode::from_u16(failure.status()).unwrap_or(http::StatusCode::BAD_REQUEST);
        let body = if with_message { failure.message() } else { "" };
        let mut text = String::with_capacity(256);
        // Writing to a string cannot fail.
        let _ = write!(text, "HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or_default());
        let _ = write!(text, "Date: {}\r\nConnection: close\r\n", httpdate::fmt_http_date(SystemTime::now()));
        if failure == Failure::MethodNotAllowed {
            // RFC 9110 §15.5.6: with the methods of the target, which a tunnel's has none of.
            text.push_str("Allow: \r\n");
        }
        if !body.is_empty() {
            text.push_str("Content-Type: text/plain; charset=utf-8\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_why_and_ends_the_connection() {
        let text = String::from_utf8(Refusal::SlowHead.answer(true)).expect("text");
        assert!(text.starts_with("HTTP/1.1 408 Request Timeout\r\nDate: "), "{text}");
        assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
        assert!(text.ends_with("Content-Length: 15\r\n\r\nrequest timeout"), "{text}");
    }

    #[test]
    fn an_answer_has_no_body_unless_asked_for() {
        let text = String::from_utf8(Refusal::Violation(Violation::UriTooLong).answer(false)).expect("text");
        assert!(
            text.starts_with("HTTP/1.1 414 URI Too Long\r\n") && text.ends_with("\r\nContent-Length: 0\r\n\r\n"),
            "{text}"
        );
    }
}
