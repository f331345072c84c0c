//! Why porteur itself answered: the one vocabulary of answers, access log and metrics.
//!
//! How an answer is written to a client is `forward`'s and `proxy`'s work; this is only the table.

use std::fmt;

/// The reason for an answer that no upstream gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// No endpoint has this path.
    NoRoute,
    /// An endpoint has this path, for other methods.
    MethodNotAllowed,
    /// The request cannot be understood or must not be forwarded.
    BadRequest,
    /// The request's target is longer than is taken.
    UriTooLong,
    /// The request's head is longer than is taken, or has too many fields.
    HeadersTooLarge,
    /// The request did not come in time.
    RequestTimeout,
    /// The request must not be served: its host is not allowed, or a bot made it.
    Forbidden,
    /// The endpoint's backend needs a token and there is none.
    TokenUnavailable,
    /// None of the backend's hosts has an address.
    NoHost,
    /// The backend has failed too often, and nothing is sent to it for a while.
    CircuitOpen,
    /// No host of the backend took the connection.
    Connect,
    /// The upstream broke off, or what it said is not HTTP.
    UpstreamProtocol,
    /// The upstream did not answer within the timeout.
    UpstreamTimeout,
    /// A backend of a decoded endpoint answered with a status that is no success.
    UpstreamStatus,
    /// A backend's answer is not in the encoding it should be in.
    Undecodable,
    /// A condition of the configuration does not hold of an answer, or of a request to one backend.
    Condition,
    /// A modifier could not change a request or an answer.
    Modifier,
    /// A backend's answer is longer than is held.
    UpstreamTooLarge,
    /// The request's body is longer than is held.
    TooLarge,
    /// The request expects what cannot be promised.
    Expectation,
    /// There is no room for one more request.
    Overloaded,
    /// A fault of porteur's own.
    Internal,
    /// The client left before it had its answer.
    ClientGone,
}

/// One row of the table.
struct Row {
    status: u16,
    label: &'static str,
    message: &'static str,
}

impl Failure {
    /// Every failure, for documentation and for metrics that must exist before the first one happens.
    pub const ALL: [Self; 23] = [
        Self::NoRoute,
        Self::MethodNotAllowed,
        Self::BadRequest,
        Self::UriTooLong,
        Self::HeadersTooLarge,
        Self::RequestTimeout,
        Self::Forbidden,
        Self::TokenUnavailable,
        Self::NoHost,
        Self::CircuitOpen,
        Self::Connect,
        Self::UpstreamProtocol,
        Self::UpstreamTimeout,
        Self::UpstreamStatus,
        Self::Undecodable,
        Self::Condition,
        Self::Modifier,
        Self::UpstreamTooLarge,
        Self::TooLarge,
        Self::Expectation,
        Self::Overloaded,
        Self::Internal,
        Self::ClientGone,
    ];

    /// The status of the answer; 499 is never sent, it stands in logs and metrics for a client that left.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().status
    }

    /// The name in logs and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        self.row().label
    }

    /// What a client may read. It says nothing of hosts, credentials or the authorization server.
    #[must_use]
    pub const fn message(self) -> &'static str {
        self.row().message
    }

    /// Position in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether it is that the upstream did not answer, or not in HTTP.
    #[must_use]
    pub const fn is_of_upstream(self) -> bool {
        matches!(self, Self::NoHost | Self::Connect | Self::UpstreamProtocol | Self::UpstreamTimeout)
    }

    const fn row(self) -> Row {
        let (status, label, message) = match self {
            // The texts of these two are what KrakenD's router answers.
            Self::NoRoute => (404, "no_route", "404 page not found"),
            Self::MethodNotAllowed => (405, "method_not_allowed", "405 method not allowed"),
            Self::BadRequest => (400, "bad_request", "bad request"),
            Self::UriTooLong => (414, "uri_too_long", "request target too long"),
            Self::HeadersTooLarge => (431, "headers_too_large", "request head too large"),
            Self::RequestTimeout => (408, "request_timeout", "request timeout"),
            Self::Forbidden => (403, "forbidden", "forbidden"),
            Self::TokenUnavailable => (503, "token_unavailable", "upstream credential unavailable"),
            Self::NoHost => (503, "no_host", "no upstream available"),
            Self::CircuitOpen => (503, "circuit_open", "upstream suspended after failures"),
            Self::Connect => (502, "connect", "upstream unreachable"),
            Self::UpstreamProtocol => (502, "upstream_protocol", "invalid upstream answer"),
            Self::UpstreamTimeout => (504, "upstream_timeout", "upstream timeout"),
            // KrakenD answers 500 when a backend fails, whatever its status was.
            Self::UpstreamStatus => (500, "upstream_status", "invalid status code"),
            Self::Undecodable => (500, "undecodable", "invalid upstream body"),
            Self::Condition => (500, "condition", "condition not met"),
            Self::Modifier => (500, "modifier", "message could not be modified"),
            Self::UpstreamTooLarge => (502, "upstream_too_large", "upstream answer too large"),
            Self::TooLarge => (413, "too_large", "request body too large"),
            Self::Expectation => (417, "expectation", "expectation failed"),
            Self::Overloaded => (503, "overloaded", "too many requests at once"),
            Self::Internal => (500, "internal", "internal error"),
            Self::ClientGone => (499, "client_gone", "client closed the connection"),
        };
        Row { status, label, message }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_stands_at_its_own_index() {
        for (index, failure) in Failure::ALL.into_iter().enumerate() {
            assert_eq!(failure.index(), index, "{failure}");
        }
    }
}
