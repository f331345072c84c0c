//! Answers of porteur's own, in one form: a status, a few headers, a short body.

use crate::base::Failure;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;
use smallvec::SmallVec;
use std::time::Duration;

/// What clients are told to wait when no upstream has an address, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

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

    /// A redirect.
    #[must_use]
    pub fn redirect(status: StatusCode, location: HeaderValue) -> Self {
        Self::new(status).with(header::LOCATION, location)
    }

    /// A 405 with the methods that would do.
    #[must_use]
    pub fn method_not_allowed(allow: HeaderValue) -> Self {
        Self::failure(Failure::MethodNotAllowed, None, false).with(header::ALLOW, allow)
    }

    /// The answer for a failure. Its text is sent for the router's answers, as KrakenD does, and for others only when
    /// `router.return_error_msg` says so. `status` replaces the failure's own.
    #[must_use]
    pub fn failure(failure: Failure, status: Option<StatusCode>, with_message: bool) -> Self {
        let own = StatusCode::from_u16(failure.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut reply = Self::new(status.unwrap_or(own));
        if with_message || matches!(failure, Failure::NoRoute | Failure::MethodNotAllowed) {
            reply = reply.with(header::CONTENT_TYPE, TEXT);
            reply.body = Bytes::from_static(failure.message().as_bytes());
        }
        match failure {
            Failure::NoHost => reply.with(header::RETRY_AFTER, RETRY_AFTER),
            _ => reply,
        }
    }

    /// The answer for want of a token: try again when there has been another attempt to get one.
    #[must_use]
    pub fn no_token(status: StatusCode, retry_after: Duration, with_message: bool) -> Self {
        Self::failure(Failure::TokenUnavailable, Some(status), with_message)
            .with(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs()))
    }
}
