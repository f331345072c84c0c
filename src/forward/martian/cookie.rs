//! Cookies: found in headers and written into them, as Go's `net/http` does.

use super::message::Message;
use super::{MartianError, text};
use crate::config::model::martian::{Cookie, Name, Side, Text};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Whether a client sent a cookie of this name with a fitting value.
pub(super) fn sent(headers: &HeaderMap, name: &str, fits: &dyn Fn(&[u8]) -> bool) -> bool {
    let values = headers.get_all(header::COOKIE).iter();
    let mut cookies = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    cookies.any(|cookie| is_named(cookie, name, fits))
}

/// Whether an answer sets a cookie of this name with a fitting value.
pub(super) fn set(headers: &HeaderMap, name: &str, fits: &dyn Fn(&[u8]) -> bool) -> bool {
    let first = |value: &HeaderValue| {
        let cookie = value.as_bytes().split(|byte| *byte == b';').next();
        cookie.is_some_and(|cookie| is_named(cookie, name, fits))
    };
    headers.get_all(header::SET_COOKIE).iter().any(first)
}

fn is_named(cookie: &[u8], name: &str, fits: &dyn Fn(&[u8]) -> bool) -> bool {
    let mut halves = cookie.trim_ascii().splitn(2, |byte| *byte == b'=');
    let (found, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    found == name.as_bytes() && fits(inner.unwrap_or(value))
}

/// `cookie.Modifier`: one more cookie for the upstream, or one more for the client to keep.
pub(super) fn add<M: Message>(cookie: &Cookie, message: &mut M) -> Result<(), MartianError> {
    let is_request = M::SIDE == Side::Request;
    let value = match &cookie.value {
        Text::Fixed(made) if is_request => made.cookie.clone(),
        Text::Fixed(made) => made.set_cookie.clone(),
        Text::Filled(parts) => {
            let value = text::filled(parts, &message.client());
            let value = std::str::from_utf8(&value).ok().filter(|value| Cookie::may_be_value(value.as_bytes()));
            let mut text = Cookie::pair(&cookie.name, value.ok_or(MartianError::CookieValue)?);
            text.push_str(if is_request { "" } else { &cookie.attributes });
            text::sensitive(text.as_bytes())?
        }
    };
    if is_request { add_to_request(message, value) } else { append(message, header::SET_COOKIE, value) }
}

/// RFC 6265 §5.4: a request has one `Cookie` header. Those a client of HTTP/2 split are put together again.
fn add_to_request<M: Message>(message: &mut M, cookie: HeaderValue) -> Result<(), MartianError> {
    let mut joined = text::Buffer::new();
    for value in message.headers().get_all(header::COOKIE) {
        joined.extend_from_slice(value.as_bytes());
        joined.extend_from_slice(b"; ");
    }
    if joined.is_empty() {
        return append(message, header::COOKIE, cookie);
    }
    joined.extend_from_slice(cookie.as_bytes());
    let value = text::sensitive(&joined)?;
    message.set(&wire(header::COOKIE), value)
}

fn append<M: Message>(message: &mut M, name: HeaderName, value: HeaderValue) -> Result<(), MartianError> {
    message.append(&wire(name), value)
}

/// The two names cookies have, without allocation.
fn wire(name: HeaderName) -> Name {
    let wire: &[u8] = if name == header::COOKIE { b"Cookie" } else { b"Set-Cookie" };
    Name { name, wire: bytes::Bytes::from_static(wire) }
}
