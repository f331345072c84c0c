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
    /// The endpoint's backend needs a token and there is none.
    TokenUnavailable,
    /// None of the backend's hosts has an address.
    NoHost,
    /// No host of the backend took the connection.
    Connect,
    /// The upstream broke off, or what it said is not HTTP.
    UpstreamProtocol,
    /// The upstream did not answer within the timeout.
    UpstreamTimeout,
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
    pub const ALL: [Self; 10] = [
        Self::NoRoute,
        Self::MethodNotAllowed,
        Self::BadRequest,
        Self::TokenUnavailable,
        Self::NoHost,
        Self::Connect,
        Self::UpstreamProtocol,
        Self::UpstreamTimeout,
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

    const fn row(self) -> Row {
        let (status, label, message) = match self {
            // The texts of these two are what KrakenD's router answers.
            Self::NoRoute => (404, "no_route", "404 page not found"),
            Self::MethodNotAllowed => (405, "method_not_allowed", "405 method not allowed"),
            Self::BadRequest => (400, "bad_request", "bad request"),
            Self::TokenUnavailable => (503, "token_unavailable", "upstream credential unavailable"),
            Self::NoHost => (503, "no_host", "no upstream available"),
            Self::Connect => (502, "connect", "upstream unreachable"),
            Self::UpstreamProtocol => (502, "upstream_protocol", "invalid upstream answer"),
            Self::UpstreamTimeout => (504, "upstream_timeout", "upstream timeout"),
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
