//! A client's request, whole.

use crate::forward::RequestView;
use bytes::Bytes;
use pingora::http::RequestHeader;
use std::net::IpAddr;

/// The longest request body that is held, in bytes: the limit of every request (KrakenD CE has none).
pub const LONGEST_BODY: usize = 10 * 1024 * 1024;

/// What a client asked for. Every backend's request is made of it.
#[derive(Debug)]
pub struct ClientRequest {
    /// The head as it came.
    pub head: RequestHeader,
    /// The body.
    pub body: Bytes,
    /// Who is connected.
    pub client: Option<IpAddr>,
}

impl ClientRequest {
    /// What decisions need to know of it.
    #[must_use]
    pub fn view(&self) -> RequestView<'_> {
        RequestView {
            method: &self.head.method,
            raw_target: self.head.raw_path(),
            path: self.head.uri.path(),
            query: self.head.uri.query(),
            headers: &self.head.headers,
            version: self.head.version,
            client: self.client,
        }
    }
}
