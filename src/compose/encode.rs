//! Data to the body of the client's answer, after the `output_encoding` of its endpoint.

use super::decode::{COLLECTION, CONTENT};
use super::json::write_json;
use super::xml::write_xml;
use crate::config::model::OutputEncoding;
use bytes::Bytes;
use http::HeaderValue;
use serde_json::{Map, Value};

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const XML: HeaderValue = HeaderValue::from_static("application/xml; charset=utf-8");

/// Writes data. `accept` is the client's `Accept`, which only `negotiate` looks at.
///
/// Data has nothing to say where answers pass as they are: `no-op` gives an empty text.
pub fn encode(
    encoding: OutputEncoding,
    data: &Map<String, Value>,
    accept: Option<&HeaderValue>,
) -> (HeaderValue, Bytes) {
    match encoding {
        OutputEncoding::Json => (JSON, write_json(data)),
        OutputEncoding::JsonCollection => (JSON, data.get(COLLECTION).map_or(Bytes::from_static(b"[]"), write_json)),
        OutputEncoding::String => (TEXT, text(data)),
        OutputEncoding::Xml => (XML, write_xml(data)),
        OutputEncoding::Negotiate => encode(negotiated(accept), data, None),
        OutputEncoding::NoOp => (TEXT, Bytes::new()),
    }
}

fn text(data: &Map<String, Value>) -> Bytes {
    match data.get(CONTENT) {
        Some(Value::String(text)) => Bytes::copy_from_slice(text.as_bytes()),
        _ => Bytes::new(),
    }
}

/// What is offered, in the order in which a `*` takes it.
const OFFERED: [(&str, OutputEncoding); 2] =
    [("application/json", OutputEncoding::Json), ("application/xml", OutputEncoding::Xml)];

/// The first type in `Accept` that is offered, else JSON. As in KrakenD weights do not count.
fn negotiated(accept: Option<&HeaderValue>) -> OutputEncoding {
    let accept = accept.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let types = accept.split(',').map(|item| item.split(';').next().unwrap_or_default().trim());
    let mut found = types.filter_map(|wanted| OFFERED.iter().find(|(offer, _)| fits(wanted, offer)));
    found.next().map_or(OutputEncoding::Json, |(_, encoding)| *encoding)
}

/// What stands before a `*` must be the same.
fn fits(wanted: &str, offer: &str) -> bool {
    match wanted.split_once('*') {
        Some((beginning, _)) => offer.starts_with(beginning),
        None => wanted == offer,
    }
}
