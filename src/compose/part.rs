//! From a backend's answer to its part of the endpoint's: status, decompression, decoding, shape.

use crate::compose::answered::Answered;
use crate::compose::trouble::{ErrorAnswer, Trouble};
use crate::compose::{decode, shape};
use crate::config::model::ErrorStatus;
use crate::guard::cel::CelResponse;
use crate::snapshot::composition::ComposedBackend;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value, json};
use std::io::Read;
use std::time::SystemTime;

/// The longest answer that is decoded, in bytes, before and after decompression.
pub(super) const LONGEST_ANSWER: usize = 16 * 1024 * 1024;

/// Data of one backend, or of several.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// The data.
    pub data: Map<String, Value>,
    /// Whether nothing is missing from it.
    pub complete: bool,
}

/// What an answer contributes.
pub(super) fn part(answered: Answered, backend: &ComposedBackend) -> Result<Part, Trouble> {
    if answered.rest.is_some() {
        return Err(Trouble::TooLong(LONGEST_ANSWER));
    }
    let head = &answered.head;
    let body = plain(&head.headers, answered.body);
    // KrakenD takes these two for success, and 202, 204 or 206 for errors.
    if !matches!(head.status, StatusCode::OK | StatusCode::CREATED) {
        let content_type = head.headers.get(header::CONTENT_TYPE).cloned();
        // The status is what counts. Some name a compression for a body that is empty.
        let body = body.unwrap_or_default();
        return failed(ErrorAnswer { status: head.status, content_type, body }, &backend.errors);
    }
    let (body, decoding) = (body?, &backend.decoding);
    let data = decode::decode(decoding.encoding, decoding.is_collection, &body).map_err(Trouble::Undecodable)?;
    let data = shape::apply(decoding, data);
    if let Some(plan) = &backend.plan.conditions {
        let response =
            CelResponse { completed: true, status: head.status.as_u16(), headers: &head.headers, data: &data };
        plan.conditions.allows_response(&response, SystemTime::now()).map_err(Trouble::Condition)?;
    }
    Ok(Part { data, complete: true })
}

/// An error status is trouble, unless the endpoint's answer is to tell of it.
fn failed(answer: ErrorAnswer, errors: &ErrorStatus) -> Result<Part, Trouble> {
    let ErrorStatus::Details(name) = errors else { return Err(Trouble::Status(Box::new(answer))) };
    let mut details = Map::new();
    details.insert("http_status_code".to_owned(), json!(answer.status.as_u16()));
    if !answer.body.is_empty() {
        details.insert("http_body".to_owned(), json!(String::from_utf8_lossy(&answer.body)));
    }
    if let Some(content_type) = answer.content_type.filter(|value| !value.is_empty()) {
        details.insert("http_body_encoding".to_owned(), json!(String::from_utf8_lossy(content_type.as_bytes())));
    }
    let data = Map::from_iter([(format!("error_{name}"), Value::Object(details))]);
    Ok(Part { data, complete: false })
}

/// The body without its compression: gzip, which is all that was asked for.
fn plain(headers: &HeaderMap, body: Bytes) -> Result<Bytes, Trouble> {
    let encoding = headers.get(header::CONTENT_ENCODING).map_or(&b""[..], |value| value.as_bytes().trim_ascii());
    match encoding {
        b"" => Ok(body),
        encoding if encoding.eq_ignore_ascii_case(b"identity") => Ok(body),
        encoding if encoding.eq_ignore_ascii_case(b"gzip") || encoding.eq_ignore_ascii_case(b"x-gzip") => gunzip(&body),
        _ => Err(Trouble::ContentEncoding("unknown content encoding")),
    }
}

/// Stops at the limit, whatever the compressed body promises.
fn gunzip(body: &[u8]) -> Result<Bytes, Trouble> {
    let mut plain = Vec::new();
    let mut decoder = MultiGzDecoder::new(body).take(LONGEST_ANSWER as u64 + 1);
    decoder.read_to_end(&mut plain).map_err(|_| Trouble::ContentEncoding("broken gzip"))?;
    if plain.len() > LONGEST_ANSWER { Err(Trouble::TooLong(LONGEST_ANSWER)) } else { Ok(plain.into()) }
}
