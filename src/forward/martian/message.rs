//! What requests and answers have in common for modifiers: headers that are read and written.

use super::url::Url;
use super::{Client, MartianError, text};
use crate::config::model::martian::{Action, Name, Side};
use http::{HeaderMap, HeaderName, HeaderValue};

/// A message that modifiers run on.
pub(super) trait Message {
    /// Which side it is.
    const SIDE: Side;

    /// Whose request it belongs to.
    fn client(&self) -> Client<'_>;

    /// Its headers.
    fn headers(&self) -> &HeaderMap;

    /// The first value of a header of the upstream request.
    fn request_header(&self, name: &HeaderName) -> Option<&HeaderValue>;

    /// The URL of the upstream request.
    fn url(&self) -> Option<Url<'_>>;

    /// The status, if it is an answer.
    fn status(&self) -> Option<http::StatusCode>;

    /// Replaces a header.
    fn set(&mut self, name: &Name, value: HeaderValue) -> Result<(), MartianError>;

    /// Adds a value to a header.
    fn append(&mut self, name: &Name, value: HeaderValue) -> Result<(), MartianError>;

    /// Removes a header.
    fn remove(&mut self, name: &HeaderName) -> Result<(), MartianError>;

    /// Counts a verifier that did not find what it claims.
    fn count_failed_verification(&mut self);

    /// Does what a modifier does that is neither group, filter nor verifier.
    fn act(&mut self, action: &Action) -> Result<(), MartianError>;

    /// Does it if it is about headers alone.
    fn act_on_headers(&mut self, action: &Action) -> Result<(), MartianError> {
        match action {
            Action::SetHeader(name, value) => {
                let value = text::header_value(value, &self.client())?;
                self.set(name, value)
            }
            Action::AppendHeader(name, value) => {
                let value = text::header_value(value, &self.client())?;
                self.append(name, value)
            }
            Action::RemoveHeaders(names) => names.iter().try_for_each(|name| self.remove(name)),
            Action::CopyHeader(from, to) => {
                let empty = HeaderValue::from_static("");
                let value = self.headers().get(from).cloned().unwrap_or(empty);
                self.set(to, value)
            }
            // What is left has no meaning on this side, and the configuration does not let it run there.
            _ => Ok(()),
        }
    }
}
