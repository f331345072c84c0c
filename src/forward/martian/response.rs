//! The response side.

use super::message::Message;
use super::url::Url;
use super::{Client, MartianError, OutgoingResponse, cookie, static_file, text};
use crate::config::model::martian::{Action, Name, Side, StaticFiles, allows_body};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// An answer while modifiers run on it.
pub(super) struct Response<'r, 'a> {
    pub outgoing: &'r mut OutgoingResponse<'a>,
    pub failed_verifications: u32,
}

impl Message for Response<'_, '_> {
    const SIDE: Side = Side::Response;

    fn client(&self) -> Client<'_> {
        self.outgoing.client
    }

    fn headers(&self) -> &HeaderMap {
        &self.outgoing.head.headers
    }

    fn request_header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.outgoing.sent.headers.iter().find(|(kept, _)| kept == name).map(|(_, value)| value)
    }

    fn url(&self) -> Option<Url<'_>> {
        let (destination, target) = self.outgoing.sent.url.as_ref()?;
        Some(Url { destination, path: target.path(), query: target.query() })
    }

    fn status(&self) -> Option<StatusCode> {
        Some(self.outgoing.head.status)
    }

    fn set(&mut self, name: &Name, value: HeaderValue) -> Result<(), MartianError> {
        self.outgoing.head.insert_header(name.wire.clone(), value).map_err(|_| MartianError::Headers)
    }

    fn append(&mut self, name: &Name, value: HeaderValue) -> Result<(), MartianError> {
        self.outgoing.head.append_header(name.wire.clone(), value).map_err(|_| MartianError::Headers)?;
        Ok(())
    }

    fn remove(&mut self, name: &HeaderName) -> Result<(), MartianError> {
        self.outgoing.head.remove_header(name);
        Ok(())
    }

    fn count_failed_verification(&mut self) {
        self.failed_verifications += 1;
    }

    fn act(&mut self, action: &Action) -> Result<(), MartianError> {
        match action {
            Action::Body(body) => {
                let content_type = text::header_value(&body.content_type, &self.client())?;
                self.replace_body(content_type, body.content.clone())
            }
            Action::Cookie(cookie) => cookie::add(cookie, self),
            // The header of the upstream request, whoever wrote it.
            Action::Stash(name) => {
                let value = self.request_header(&name.name).cloned();
                self.set(name, value.unwrap_or(HeaderValue::from_static("")))
            }
            Action::Status(status) => self.outgoing.head.set_status(*status).map_err(|_| MartianError::Headers),
            Action::Static(files) => self.serve(files),
            action => self.act_on_headers(action),
        }
    }
}

impl Response<'_, '_> {
    fn replace_body(&mut self, content_type: HeaderValue, body: Bytes) -> Result<(), MartianError> {
        let head = &mut *self.outgoing.head;
        head.remove_header(&header::CONTENT_ENCODING);
        head.remove_header(&header::TRANSFER_ENCODING);
        head.insert_header("Content-Type", content_type).map_err(|_| MartianError::Headers)?;
        head.set_content_length(body.len()).map_err(|_| MartianError::Headers)?;
        self.outgoing.body = Some(body);
        Ok(())
    }

    fn serve(&mut self, files: &StaticFiles) -> Result<(), MartianError> {
        let path = self.url().map(|url| url.path.to_owned()).unwrap_or_default();
        let served = static_file::serve(files, &path, self.request_header(&header::RANGE))?;
        self.outgoing.head.set_status(served.status).map_err(|_| MartianError::Headers)?;
        self.replace_body(served.content_type, served.body)?;
        if let Some(range) = served.content_range {
            self.outgoing.head.insert_header("Content-Range", range).map_err(|_| MartianError::Headers)?;
        }
        Ok(())
    }
}

/// Lets the head say what its body is after the status went from one that allows a body to one that does not, or back.
/// Otherwise the client waits for bytes that never come, or takes the body for the next answer.
pub(super) fn reframe(before: StatusCode, response: &mut OutgoingResponse<'_>) -> Result<(), MartianError> {
    let head = &mut *response.head;
    match (allows_body(before), allows_body(head.status)) {
        (allowed, false) if allowed || response.body.is_some() => {
            head.remove_header(&header::CONTENT_LENGTH);
            head.remove_header(&header::TRANSFER_ENCODING);
            response.body = Some(Bytes::new());
            Ok(())
        }
        (false, true) if response.body.is_none() => {
            head.remove_header(&header::TRANSFER_ENCODING);
            head.set_content_length(0).map_err(|_| MartianError::Headers)
        }
        _ => Ok(()),
    }
}
