//! What modifiers write and compare with: names of headers, values that may take parts of the client's request,
//! cookies.

use crate::base::text::title_case;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use std::fmt;

/// A header's name as it is compared and as it is written on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// For look-ups.
    pub name: HeaderName,
    /// In title case; cloning is a reference count.
    pub wire: Bytes,
}

impl From<HeaderName> for Name {
    fn from(name: HeaderName) -> Self {
        let wire = title_case(name.as_str());
        Self { name, wire }
    }
}

/// A value that is the same for every request, or one that takes parts of the client's request (an extension).
///
/// It may be an API key: nothing of it is shown.
#[derive(Clone)]
pub enum Text<T> {
    /// Made at start-up.
    Fixed(T),
    /// Made for each request.
    Filled(Box<[Part]>),
}

impl<T> fmt::Debug for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed(_) => "[fixed]",
            Self::Filled(_) => "[filled in]",
        })
    }
}

/// A piece of a value that takes parts of the client's request.
#[derive(Clone, PartialEq, Eq)]
pub enum Part {
    /// Text as it is.
    Literal(String),
    /// `${request.header.NAME}`: its first value, as the client sent it.
    Header(HeaderName),
    /// `${request.query.NAME}`: its first value, decoded.
    Query(String),
    /// `${request.param.NAME}`: the index into the endpoint's placeholders; decoded.
    Param(usize),
    /// `${request.param.respN_field}`: the index into the fields of earlier backends.
    Earlier(usize),
}

/// `cookie.Modifier`.
#[derive(Debug, Clone)]
pub struct Cookie {
    /// `name`.
    pub name: String,
    /// `value`; a fixed one comes with both headers made.
    pub value: Text<CookieHeaders>,
    /// What follows the value in `Set-Cookie`, from its first `;` on.
    pub attributes: String,
}

impl Cookie {
    /// Whether each byte may be part of a value (Go's `validCookieValueByte`).
    #[must_use]
    pub fn may_be_value(bytes: &[u8]) -> bool {
        bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b';' | b'\\'))
    }

    /// `name=value`, in quotes where blanks or commas need them, as Go writes it.
    #[must_use]
    pub fn pair(name: &str, value: &str) -> String {
        let quote = if value.contains([' ', ',']) { "\"" } else { "" };
        format!("{name}={quote}{value}{quote}")
    }
}

/// A cookie as it is sent.
#[derive(Debug, Clone)]
pub struct CookieHeaders {
    /// To the upstream: `name=value`.
    pub cookie: HeaderValue,
    /// To the client, with its attributes.
    pub set_cookie: HeaderValue,
}
