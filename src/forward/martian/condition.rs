//! Conditions of filters and claims of verifiers.

use super::message::Message;
use super::url::pairs;
use super::{cookie, text};
use crate::config::model::martian::{Condition, Side, Text};

/// Whether a condition holds for a message.
pub(super) fn holds<M: Message>(condition: &Condition, message: &M) -> bool {
    let client = message.client();
    let is = |wanted: Option<&Text<String>>, found: &[u8]| wanted.is_none_or(|text| text::is(text, found, &client));
    match condition {
        Condition::Header(name, value) => {
            message.headers().get_all(name).iter().any(|found| is(value.as_ref(), found.as_bytes()))
        }
        Condition::RequestHeader(name, regex) => {
            message.request_header(name).is_some_and(|value| !value.is_empty() && regex.is_match(value.as_bytes()))
        }
        Condition::Cookie(name, value) => {
            let from = if M::SIDE == Side::Request { cookie::sent } else { cookie::set };
            from(message.headers(), name, &|found| is(value.as_ref(), found))
        }
        Condition::Url(parts) => message.url().is_some_and(|url| url.has(parts)),
        Condition::UrlMatch(regex) => message.url().is_some_and(|url| url.matches(regex)),
        Condition::Query(name, value) => message.url().is_some_and(|url| {
            pairs(url.query).any(|(other, found)| other == *name && is(value.as_ref(), found.as_bytes()))
        }),
        Condition::Port(port) => message.url().is_some_and(|url| url.destination.port() == *port),
        Condition::Status(status) => message.status() == Some(*status),
    }
}
