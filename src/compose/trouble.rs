//! Why a backend gave nothing that counts.

use crate::base::Failure;
use crate::compose::decode::DecodeError;
use crate::forward::errors;
use crate::forward::martian::MartianError;
use crate::guard::cel::Refusal;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use std::time::Duration;

/// What went wrong with one backend. Its text is for the log: it holds no value of the request or the answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// porteur could not send the request, or had no answer.
    #[error("{0}")]
    Failure(Failure, &'static str),
    /// A status that does not count as success.
    #[error("invalid status code {}", .0.status.as_u16())]
    Status(Box<ErrorAnswer>),
    /// A body that is not what `encoding` says.
    #[error("{0}")]
    Undecodable(#[source] DecodeError),
    /// A body that is not what `Content-Encoding` says.
    #[error("{0}")]
    ContentEncoding(&'static str),
    /// A body longer than is held.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// Too many redirects, or one that leads nowhere.
    #[error("{0}")]
    Redirect(&'static str),
    /// A condition of the backend does not hold.
    #[error("{0}")]
    Condition(#[source] Refusal),
    /// A modifier could not do what it is there for.
    #[error("{0}")]
    Modifier(#[source] MartianError),
    /// What the target needs of an earlier backend is not there.
    #[error("an earlier answer has no value for the url_pattern")]
    MissingField,
}

/// An answer with a status that is no success.
#[derive(Debug)]
pub(super) struct ErrorAnswer {
    /// Its status.
    pub status: StatusCode,
    /// Its `Content-Type`.
    pub content_type: Option<HeaderValue>,
    /// Its body.
    pub body: Bytes,
}

impl Trouble {
    /// The trouble that an error on the way to or from an upstream is; `left` is what remains of the time.
    pub(super) fn of_upstream(error: &pingora::Error, left: Duration) -> Self {
        Self::Failure(errors::of_upstream(error, left), error.etype().as_str())
    }

    /// It in the vocabulary of answers.
    pub(super) fn failure(&self) -> Failure {
        match self {
            Self::Failure(failure, _) => *failure,
            Self::Status(_) | Self::Redirect(_) => Failure::UpstreamStatus,
            Self::Undecodable(_) | Self::ContentEncoding(_) | Self::MissingField => Failure::Undecodable,
            Self::Condition(_) => Failure::Condition,
            Self::Modifier(_) => Failure::Modifier,
            Self::TooLong(_) => Failure::UpstreamTooLarge,
        }
    }

    /// It in a few words.
    pub(super) fn cause(&self) -> &'static str {
        match self {
            Self::Failure(_, cause) | Self::ContentEncoding(cause) | Self::Redirect(cause) => cause,
            Self::Undecodable(DecodeError::Json(_)) => "not JSON",
            Self::Undecodable(DecodeError::Xml(_)) => "not XML",
            Self::Undecodable(DecodeError::Kind { .. }) => "another kind of JSON",
            Self::Status(_) => "status",
            Self::Condition(_) => "validation/cel",
            Self::Modifier(_) => "modifier/martian",
            Self::TooLong(_) => "too long",
            Self::MissingField => "missing field",
        }
    }
}
