//! Answers of porteur's own, in one form: a status, a few headers, a short body.

use crate::base::Failure;
use crate::config::model::ErrorBody;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use smallvec::SmallVec;
use std::time::Duration;

/// What clients are told to wait when no upstream has an address, or there is no room, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");
/// What KrakenD's decoded answers say of themselves, and those of its router.
const COMPLETED: HeaderName = HeaderName::from_static("x-krakend-completed");
const INCOMPLETE: HeaderValue = HeaderValue::from_static("false");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// The status with which KrakenD's router corrects a path.
#[must_use]
pub fn redirect_status(method: &Method) -> StatusCode {
    match *method {
        Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
        _ => StatusCode::TEMPORARY_REDIRECT,
    }
}

/// An answer ready to be written.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// Headers, without those that the connection needs.
    pub headers: SmallVec<[(HeaderName, HeaderValue); 2]>,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    fn new(status: StatusCode) -> Self {
        Self { status, headers: SmallVec::new(), body: Bytes::new() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// A 200 with a JSON body.
    #[must_use]
    pub fn json(value: &Value) -> Self {
        let mut reply = Self::new(StatusCode::OK).with(header::CONTENT_TYPE, JSON);
        reply.body = value.to_string().into();
        reply
    }

    /// A status with a body, if there is one.
    #[must_use]
    pub fn of(status: StatusCode, content_type: Option<HeaderValue>, body: Bytes) -> Self {
        let reply = Self { body, ..Self::new(status) };
        match content_type {
            Some(content_type) => reply.with(header::CONTENT_TYPE, content_type),
            None => reply,
        }
    }

    /// A 400 for a body that breaks a rule; `text` is fit for the client.
    #[must_use]
    pub fn violation(text: String, with_message: bool) -> Self {
        let body = if with_message { text.into() } else { Bytes::new() };
        Self::of(StatusCode::BAD_REQUEST, with_message.then_some(TEXT), body)
    }

    /// A redirect.
    #[must_use]
    pub fn redirect(status: StatusCode, location: HeaderValue) -> Self {
        Self::new(status).with(header::LOCATION, location)
    }

    /// An empty 200 with the methods of a path.
    #[must_use]
    pub fn options(allow: HeaderValue) -> Self {
        Self::new(StatusCode::OK).with(header::ALLOW, allow)
    }

    /// A 405 with the methods that would do.
    #[must_use]
    pub fn method_not_allowed(allow: HeaderValue, bodies: &ErrorBody) -> Self {
        Self::unrouted(Failure::MethodNotAllowed, bodies).with(header::ALLOW, allow)
    }

    /// The router's own answers, which KrakenD gives with a text, or with the JSON that `error_body` says.
    #[must_use]
    pub fn unrouted(failure: Failure, bodies: &ErrorBody) -> Self {
        let body = match failure {
            Failure::MethodNotAllowed => &bodies.method_not_allowed,
            _ => &bodies.not_found,
        };
        let (kind, body) = match body {
            Some(json) => (JSON, json.clone()),
            None => (PLAIN, Bytes::from_static(failure.message().as_bytes())),
        };
        let reply = Self::failure(failure, None, false).with(header::CONTENT_TYPE, kind).with(COMPLETED, INCOMPLETE);
        Self { body, ..reply }
    }

    /// The 400 of KrakenD's router for a placeholder's value that is encoded twice.
    #[must_use]
    pub fn encoded_params() -> Self {
        let reply = Self::failure(Failure::BadRequest, None, false).with(header::CONTENT_TYPE, TEXT);
        Self { body: Bytes::from_static(b"error: encoded url params"), ..reply }
    }

    /// The answer for a failure. Its text is sent only when `router.return_error_msg` says so. `status` replaces the
    /// failure's own.
    #[must_use]
    pub fn failure(failure: Failure, status: Option<StatusCode>, with_message: bool) -> Self {
        let own = StatusCode::from_u16(failure.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut reply = Self::new(status.unwrap_or(own));
        if with_message {
            reply = reply.with(header::CONTENT_TYPE, TEXT);
            reply.body = Bytes::from_static(failure.message().as_bytes());
        }
        match failure {
            Failure::NoHost | Failure::Overloaded => reply.with(header::RETRY_AFTER, RETRY_AFTER),
            _ => reply,
        }
    }

    /// The answer while nothing is sent to a backend: try again when something may be.
    #[must_use]
    pub fn circuit_open(retry_after: Duration, with_message: bool) -> Self {
        let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
        Self::failure(Failure::CircuitOpen, None, with_message).with(header::RETRY_AFTER, seconds.max(1).into())
    }

    /// The answer for want of a token: try again when there has been another attempt to get one.
    #[must_use]
    pub fn no_token(status: StatusCode, retry_after: Duration, with_message: bool) -> Self {
        Self::failure(Failure::TokenUnavailable, Some(status), with_message)
            .with(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs()))
    }
}
