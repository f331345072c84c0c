//! Decisions about one request, as plain functions over a small view of it: which endpoint, which answer of our own, what
//! goes upstream, what of the answer comes back.
//!
//! Nothing here reads or writes a connection; `proxy` carries these decisions out.

pub mod built_in;
pub mod conditions;
pub mod connection;
pub mod cookies;
pub mod egress;
pub mod errors;
pub mod expect;
pub mod ingress;
pub mod martian;
pub mod max_forwards;
pub mod path;
pub mod refused;
pub mod rejection;
pub mod replay;
pub mod reply;
pub mod response;
pub mod retry;
pub mod security;
pub mod sender;
pub mod shortage;
pub mod upgrade;

use http::{HeaderMap, HeaderValue, Method, Version, header};
use sender::Proxy;
use std::net::IpAddr;

/// What decisions need to know of a request.
#[derive(Debug, Clone, Copy)]
pub struct RequestView<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target as it came over the wire.
    pub raw_target: &'a [u8],
    /// The path, percent-encoded.
    pub path: &'a str,
    /// The query, percent-encoded, without `?`.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The HTTP version.
    pub version: Version,
    /// Who sent it.
    pub client: Option<IpAddr>,
    /// Whether the client's connection is TLS.
    pub secure: bool,
    /// The trusted proxy that it came by.
    pub proxy: Option<Proxy>,
}

/// The length that a message says of its body, if it says one.
#[must_use]
pub fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl RequestView<'_> {
    /// The `Host` header.
    #[must_use]
    pub fn host(&self) -> Option<&HeaderValue> {
        self.headers.get(header::HOST)
    }
}
