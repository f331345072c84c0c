//! Values that take parts of the client's request, filled in. What the client sent can be anything: each use checks or
//! encodes it.

use super::{Client, MartianError};
use crate::config::model::martian::{Part, Text};
use crate::snapshot::target;
use http::HeaderValue;
use percent_encoding::percent_decode_str;
use smallvec::SmallVec;
use std::borrow::Cow;

/// Values up to this length are put together without allocation.
pub(super) type Buffer = SmallVec<[u8; 128]>;

/// A value for a header. Neither a line end nor another control character gets into one.
pub(super) fn header_value(text: &Text<HeaderValue>, client: &Client<'_>) -> Result<HeaderValue, MartianError> {
    match text {
        Text::Fixed(value) => Ok(value.clone()),
        Text::Filled(parts) => sensitive(&filled(parts, client)),
    }
}

/// A header's value, which no log shows.
pub(super) fn sensitive(bytes: &[u8]) -> Result<HeaderValue, MartianError> {
    let mut value = HeaderValue::from_bytes(bytes).map_err(|_| MartianError::HeaderValue)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether a value is exactly these bytes.
pub(super) fn is(text: &Text<String>, bytes: &[u8], client: &Client<'_>) -> bool {
    match text {
        Text::Fixed(text) => text.as_bytes() == bytes,
        Text::Filled(parts) => *filled(parts, client) == *bytes,
    }
}

/// Everything as it is.
pub(super) fn filled(parts: &[Part], client: &Client<'_>) -> Buffer {
    put_together(parts, client, Buffer::extend_from_slice)
}

/// Literal parts as they are, the client's encoded.
pub(super) fn put_together(parts: &[Part], client: &Client<'_>, put: impl Fn(&mut Buffer, &[u8])) -> Buffer {
    let mut buffer = Buffer::new();
    for part in parts {
        match part {
            Part::Literal(text) => buffer.extend_from_slice(text.as_bytes()),
            part => put(&mut buffer, &value(part, client)),
        }
    }
    buffer
}

/// What the client sent; nothing where it sent nothing.
fn value<'a>(part: &'a Part, client: &Client<'a>) -> Cow<'a, [u8]> {
    let view = &client.view;
    match part {
        Part::Literal(text) => Cow::Borrowed(text.as_bytes()),
        Part::Header(name) => Cow::Borrowed(view.headers.get(name).map_or(&[], HeaderValue::as_bytes)),
        Part::Query(name) => {
            let mut pairs = form_urlencoded::parse(view.query.unwrap_or_default().as_bytes());
            match pairs.find(|(other, _)| other == name) {
                Some((_, Cow::Borrowed(value))) => Cow::Borrowed(value.as_bytes()),
                Some((_, Cow::Owned(value))) => Cow::Owned(value.into_bytes()),
                None => Cow::Borrowed(&[]),
            }
        }
        Part::Earlier(index) => {
            let value = client.params.earlier.get(*index).and_then(Option::as_deref);
            Cow::Borrowed(value.unwrap_or_default().as_bytes())
        }
        Part::Param(index) => match client.params.values.get(*index) {
            Some(range) => percent_decode_str(target::text(view.path, *range)).into(),
            None => Cow::Borrowed(&[]),
        },
    }
}
