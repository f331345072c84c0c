//! Why a token could not be had, in words that hold nothing of what the server sent but its status and OAuth error code.

use std::time::Duration;

/// Why there is no grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// What the client proves itself with could not be read; the text names the key of the configuration.
    #[error("{0}")]
    Material(String),
    /// The metadata of the issuer could not be had.
    #[error("discovery: {0}")]
    Discovery(Box<Self>),
    /// The metadata of the issuer is not what it should be.
    #[error("discovery: {0}")]
    Metadata(&'static str),
    /// No answer within the credential's timeout.
    #[error("no answer in time")]
    Timeout,
    /// The connection could not be made or broke; the text names the kind only.
    #[error("connection failed: {0}")]
    Transport(String),
    /// A redirect, which is never followed: it could carry the secret to another host.
    #[error("redirected with status {0}")]
    Redirect(u16),
    /// A status that is not 2xx.
    #[error("status {status}{}", code_suffix(*.code))]
    Status {
        /// The status.
        status: u16,
        /// The `error` member, if the body had one.
        code: Option<&'static str>,
        /// `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// A 2xx answer with an `error` member.
    #[error("error `{0}` in a successful answer")]
    ErrorMember(&'static str),
    /// More than [`LARGEST_ANSWER`](super::answer::LARGEST_ANSWER).
    #[error("answer larger than 64 KiB")]
    TooLarge,
    /// No body.
    #[error("empty answer")]
    Empty,
    /// Not a JSON object, or one too deep.
    #[error("answer is not a JSON object")]
    NotJson,
    /// No `access_token`, or not a text.
    #[error("answer has no `access_token`")]
    NoToken,
    /// A token that cannot stand in a header.
    #[error("`access_token` has characters or a length that no header can carry")]
    BadToken,
    /// A `token_type` we do not know how to use.
    #[error("`token_type` is not {0}")]
    TokenType(&'static str),
    /// The fetch panicked; the loop that owns it goes on.
    #[error("internal fault")]
    Panicked,
}

/// How a server as a whole seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It answers, if only to refuse.
    Up,
    /// It cannot be reached, or fails.
    Down,
}

fn code_suffix(code: Option<&str>) -> String {
    code.map(|code| format!(", error `{code}`")).unwrap_or_default()
}

/// OAuth error codes that say: not this client, or not for this request (RFC 6749 §5.2, RFC 8707 §2).
const REFUSALS: [&str; 8] = [
    "invalid_client",
    "unauthorized_client",
    "invalid_scope",
    "invalid_request",
    "invalid_target",
    "invalid_grant",
    "unsupported_grant_type",
    "access_denied",
];
/// Others that a server may send us (RFC 6749 §4.1.2.1, RFC 7009 §2.2.1, RFC 8628 §3.5, RFC 9449 §5 and §8).
const OTHERS: [&str; 6] = [
    "server_error",
    "temporarily_unavailable",
    "slow_down",
    "unsupported_token_type",
    "invalid_dpop_proof",
    "use_dpop_nonce",
];
/// What stands for all other codes: a server's own words go into no log and no metric.
const UNREGISTERED: &str = "unregistered";

/// An OAuth error code, if it is one that somebody has registered.
#[must_use]
pub fn registered(code: &str) -> &'static str {
    REFUSALS.iter().chain(&OTHERS).find(|known| **known == code).copied().unwrap_or(UNREGISTERED)
}

impl FetchError {
    /// The value of the metric's `result` label.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Material(_) => "material",
            Self::Discovery(_) | Self::Metadata(_) => "discovery",
            Self::Timeout => "timeout",
            Self::Transport(_) => "transport",
            Self::Redirect(_) => "redirect",
            Self::Status { .. } => "status",
            Self::ErrorMember(_) => "error_member",
            Self::TooLarge => "too_large",
            Self::Empty => "empty",
            Self::NotJson => "not_json",
            Self::NoToken => "no_token",
            Self::BadToken => "bad_token",
            Self::TokenType(_) => "token_type",
            Self::Panicked => "panicked",
        }
    }

    /// The OAuth error code, if the server named one.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Status { code, .. } => *code,
            Self::ErrorMember(code) => Some(code),
            _ => None,
        }
    }

    /// Whether the server refused the client or its request, so that the same request will not soon succeed.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Material(_) | Self::Status { status: 401 | 403, .. } => true,
            Self::Status { status: 400, .. } | Self::ErrorMember(_) => {
                self.code().is_some_and(|code| REFUSALS.contains(&code))
            }
            _ => false,
        }
    }

    /// Whether the server did not recognise the client, so that another way of authenticating is worth one try. Servers
    /// that do not read Basic answer 401, or a 400 that misses `client_id` or calls the request invalid.
    #[must_use]
    pub fn is_client_unknown(&self) -> bool {
        match self {
            Self::Status { status: 401, .. } => true,
            Self::Status { status: 400, .. } | Self::ErrorMember(_) => {
                matches!(self.code(), Some("invalid_client" | "invalid_request"))
            }
            _ => false,
        }
    }

    /// Whether the server wants a nonce of its own in the proof of possession (RFC 9449 §8).
    #[must_use]
    pub fn wants_nonce(&self) -> bool {
        self.code() == Some("use_dpop_nonce")
    }

    /// What went wrong, in a word for a metric: the OAuth error code if it is a registered one, else the kind of the status
    /// or the [`label`](Self::label).
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (self.code().filter(|code| *code != UNREGISTERED), self) {
            (Some(code), _) => code,
            (None, Self::Discovery(inner)) => inner.word(),
            (None, Self::Status { status: 401, .. }) => "http_401",
            (None, Self::Status { status: 403, .. }) => "http_403",
            (None, Self::Status { status: 404, .. }) => "http_404",
            (None, Self::Status { status: 429, .. }) => "http_429",
            (None, Self::Status { status: 500..=599, .. }) => "http_5xx",
            (None, Self::Status { .. }) => "http_4xx",
            _ => self.label(),
        }
    }

    /// What it says of the server, rather than of one client or one answer; `None` when it was not asked, or only asks to be
    /// left alone.
    #[must_use]
    pub fn health(&self) -> Option<Health> {
        match self {
            Self::Material(_) | Self::Panicked | Self::Status { status: 429, .. } => None,
            Self::Timeout | Self::Transport(_) | Self::Status { status: 500..=599, .. } => Some(Health::Down),
            Self::Discovery(inner) => inner.health(),
            _ => Some(Health::Up),
        }
    }

    /// How long the server wants to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::Discovery(inner) => inner.retry_after(),
            _ => None,
        }
    }
}
