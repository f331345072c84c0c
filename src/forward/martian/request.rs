//! The request side.

use super::message::Message;
use super::text::{self, Buffer, filled, put_together};
use super::url::{Url, pairs, write_query, write_segment};
use super::{Client, MartianError, OutgoingRequest, cookie};
use crate::base::random;
use crate::config::model::martian::{Action, Name, Side, Text, UrlChange};
use crate::forward::path::{self, PathForm};
use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Uri};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use smallvec::SmallVec;
use std::borrow::Cow;

/// An upstream request while modifiers run on it.
pub(super) struct Request<'r, 'a> {
    pub outgoing: &'r mut OutgoingRequest<'a>,
    pub answers: bool,
    pub failed_verifications: u32,
}

impl Message for Request<'_, '_> {
    const SIDE: Side = Side::Request;

    fn client(&self) -> Client<'_> {
        self.outgoing.client
    }

    fn headers(&self) -> &HeaderMap {
        &self.outgoing.head.headers
    }

    fn request_header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.outgoing.head.headers.get(name)
    }

    fn url(&self) -> Option<Url<'_>> {
        let uri = &self.outgoing.head.uri;
        Some(Url { destination: &self.outgoing.destination, path: uri.path(), query: uri.query() })
    }

    fn status(&self) -> Option<StatusCode> {
        None
    }

    fn set(&mut self, name: &Name, value: HeaderValue) -> Result<(), MartianError> {
        let value = if name.name == header::HOST { self.host(value)? } else { value };
        self.outgoing.head.insert_header(name.wire.clone(), value).map_err(|_| MartianError::Headers)
    }

    fn append(&mut self, name: &Name, value: HeaderValue) -> Result<(), MartianError> {
        self.outgoing.head.append_header(name.wire.clone(), value).map_err(|_| MartianError::Headers)?;
        Ok(())
    }

    /// A request without `Host` is none: Go then takes that of the URL.
    fn remove(&mut self, name: &HeaderName) -> Result<(), MartianError> {
        if *name == header::HOST {
            let value = self.host(HeaderValue::from_static(""))?;
            return self.outgoing.head.insert_header("Host", value).map_err(|_| MartianError::Headers);
        }
        self.outgoing.head.remove_header(name);
        Ok(())
    }

    fn count_failed_verification(&mut self) {
        self.failed_verifications += 1;
    }

    fn act(&mut self, action: &Action) -> Result<(), MartianError> {
        match action {
            Action::Identify(name) => self.identify(name),
            Action::Body(body) => {
                let content_type = text::header_value(&body.content_type, &self.client())?;
                let head = &mut *self.outgoing.head;
                head.remove_header(&header::CONTENT_ENCODING);
                head.remove_header(&header::TRANSFER_ENCODING);
                let inserted = head.insert_header("Content-Type", content_type);
                inserted
                    .and_then(|()| head.insert_header("Content-Length", body.length.clone()))
                    .map_err(|_| MartianError::Headers)?;
                self.outgoing.body = Some(body.content.clone());
                Ok(())
            }
            Action::Cookie(cookie) => cookie::add(cookie, self),
            Action::Url(change) => self.change_url(change),
            Action::Query(name, value) => self.set_parameter(name, value),
            Action::Port(change) => {
                self.outgoing.destination.set_port(*change);
                Ok(())
            }
            Action::Stash(name) => {
                let text = self.url().map(|url| url.text()).unwrap_or_default();
                self.set(name, text::sensitive(&text)?)
            }
            Action::Static(_) => {
                self.answers = true;
                Ok(())
            }
            action => self.act_on_headers(action),
        }
    }
}

impl Request<'_, '_> {
    /// What may stand in `Host`; an empty value stands for the host of the URL.
    fn host(&self, value: HeaderValue) -> Result<HeaderValue, MartianError> {
        if value.is_empty() {
            let mut authority = Buffer::new();
            self.outgoing.destination.write_authority(&mut authority);
            return HeaderValue::from_bytes(&authority).map_err(|_| MartianError::Host);
        }
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
        let is_host = value.as_bytes().iter().all(fits) && Authority::try_from(value.as_bytes()).is_ok();
        if is_host { Ok(value) } else { Err(MartianError::Host) }
    }

    /// `header.Id`: a UUID of version 4 (RFC 9562 §5.4).
    fn identify(&mut self, name: &Name) -> Result<(), MartianError> {
        if self.headers().get(&name.name).is_some_and(|value| !value.is_empty()) {
            return Ok(());
        }
        let mut bytes: [u8; 16] = random::try_bytes().ok_or(MartianError::Random)?;
        let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
        *version = (*version & 0x0f) | 0x40;
        *variant = (*variant & 0x3f) | 0x80;
        let value = HeaderValue::from_bytes(&uuid_text(&bytes)).map_err(|_| MartianError::Random)?;
        self.set(name, value)
    }

    fn change_url(&mut self, change: &UrlChange) -> Result<(), MartianError> {
        let destination = &mut self.outgoing.destination;
        if let Some(https) = change.https {
            destination.set_https(https);
        }
        if let Some(host) = &change.host {
            destination.set_host(host);
        }
        if change.path.is_none() && change.query.is_none() {
            return Ok(());
        }
        let client = self.outgoing.client;
        let uri = &self.outgoing.head.uri;
        let path = match &change.path {
            None => Cow::Borrowed(uri.path().as_bytes()),
            Some(Text::Fixed(path)) => Cow::Borrowed(path.as_bytes()),
            Some(Text::Filled(parts)) => Cow::Owned(put_together(parts, &client, write_segment).into_vec()),
        };
        let query = match &change.query {
            None => uri.query().map(|query| Cow::Borrowed(query.as_bytes())),
            Some(Text::Fixed(query)) => Some(Cow::Borrowed(query.as_bytes())),
            Some(Text::Filled(parts)) => Some(Cow::Owned(put_together(parts, &client, write_query).into_vec())),
        };
        if matches!(change.path, Some(Text::Filled(_))) && !is_plain(&path) {
            return Err(MartianError::Target);
        }
        let target = target(&path, query.as_deref())?;
        self.outgoing.head.set_uri(target);
        Ok(())
    }

    /// `querystring.Modifier`: Go writes the whole query anew, sorted by name.
    fn set_parameter(&mut self, name: &str, value: &Text<String>) -> Result<(), MartianError> {
        let client = self.outgoing.client;
        let value = match value {
            Text::Fixed(value) => Cow::Borrowed(value.as_bytes()),
            Text::Filled(parts) => Cow::Owned(filled(parts, &client).into_vec()),
        };
        let uri = &self.outgoing.head.uri;
        let query = with_parameter(uri.query(), name, value);
        let target = target(uri.path().as_bytes(), Some(&query))?;
        self.outgoing.head.set_uri(target);
        Ok(())
    }
}

/// Name and value, decoded.
type Parameter<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// The parameters of a query with this one in place of all of its name.
fn with_parameter(query: Option<&str>, name: &str, value: Cow<'_, [u8]>) -> Buffer {
    let others = pairs(query).filter(|(other, _)| other != name);
    let mut parameters: SmallVec<[Parameter<'_>; 8]> =
        others.map(|(name, value)| (bytes_of(name), bytes_of(value))).collect();
    parameters.push((Cow::Borrowed(name.as_bytes()), value));
    parameters.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut query = Buffer::new();
    for (name, value) in &parameters {
        if !query.is_empty() {
            query.push(b'&');
        }
        write_query(&mut query, name);
        query.push(b'=');
        write_query(&mut query, value);
    }
    query
}

fn bytes_of(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn is_plain(path: &[u8]) -> bool {
    std::str::from_utf8(path).is_ok_and(|path| path::form(path) == PathForm::Plain)
}

fn target(path: &[u8], query: Option<&[u8]>) -> Result<Uri, MartianError> {
    let mut target = Buffer::from_slice(path);
    if let Some(query) = query {
        target.push(b'?');
        target.extend_from_slice(query);
    }
    let target = PathAndQuery::from_maybe_shared(Bytes::copy_from_slice(&target)).map_err(|_| MartianError::Target)?;
    Ok(Uri::from(target))
}

fn uuid_text(bytes: &[u8; 16]) -> SmallVec<[u8; 36]> {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let mut text = SmallVec::new();
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push(b'-');
        }
        text.extend([digit(byte >> 4), digit(byte & 15)]);
    }
    text
}
