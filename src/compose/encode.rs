//! Data to the body of the client's answer, after the `output_encoding` of its endpoint.

use super::decode::{COLLECTION, CONTENT};
use super::json::write_json;
use super::xml::write_xml;
use super::yaml::write_yaml;
use crate::config::model::OutputEncoding;
use bytes::Bytes;
use http::HeaderValue;
use serde_json::{Map, Value};

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
// KrakenD's writer of XML says no `charset`.
const XML: HeaderValue = HeaderValue::from_static("application/xml");
const YAML: HeaderValue = HeaderValue::from_static("application/yaml; charset=utf-8");

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
        OutputEncoding::Yaml => (YAML, write_yaml(data)),
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

/// What is offered, in the order in which a `*` takes it. KrakenD takes whoever wants plain text for a reader of YAML.
const OFFERED: [(&str, OutputEncoding); 4] = [
    ("application/json", OutputEncoding::Json),
    ("text/plain", OutputEncoding::Yaml),
    ("application/xml", OutputEncoding::Xml),
    ("application/yaml", OutputEncoding::Yaml),
];

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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn encoded(encoding: OutputEncoding, data: &Value, accept: Option<&'static str>) -> (String, String) {
        let accept = accept.map(HeaderValue::from_static);
        let (content_type, body) = encode(encoding, data.as_object().unwrap(), accept.as_ref());
        (content_type.to_str().unwrap().to_owned(), String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn json_is_all_data_1_6() {
        let (content_type, body) = encoded(OutputEncoding::Json, &json!({"b": 1, "a": "<"}), None);
        assert_eq!((&*content_type, &*body), ("application/json; charset=utf-8", r#"{"a":"\u003c","b":1}"#));
        assert_eq!(encoded(OutputEncoding::Json, &json!({}), None).1, "{}");
    }

    #[test]
    fn json_collection_is_the_list_alone() {
        for (data, body) in [
            (json!({"collection": [1, 2], "a": 1}), "[1,2]"),
            (json!({"collection": {"a": 1}}), r#"{"a":1}"#),
            (json!({"a": 1}), "[]"),
        ] {
            let expected = ("application/json; charset=utf-8".to_owned(), body.to_owned());
            assert_eq!(encoded(OutputEncoding::JsonCollection, &data, None), expected);
        }
    }

    #[test]
    fn string_is_the_text_alone() {
        for (data, body) in [(json!({"content": "<é>"}), "<é>"), (json!({"content": 1}), ""), (json!({}), "")] {
            let expected = ("text/plain; charset=utf-8".to_owned(), body.to_owned());
            assert_eq!(encoded(OutputEncoding::String, &data, None), expected);
        }
    }

    #[test]
    fn negotiate_gives_the_first_type_that_is_known_1_6() {
        let json = ("application/json; charset=utf-8", r#"{"a":{"b":1}}"#);
        let xml = ("application/xml", "<a><b>1</b></a>");
        let yaml = ("application/yaml; charset=utf-8", "a:\n  b: 1\n");
        for (accept, expected) in [
            (None, json),
            (Some("*/*"), json),
            (Some("application/*"), json),
            (Some("application/json, application/xml"), json),
            (Some("application/xml;q=0.1, application/json"), xml),
            (Some("text/html, application/xml"), xml),
            (Some("text/plain"), yaml),
            (Some("text/*"), yaml),
            (Some("application/yaml"), yaml),
            (Some("text/html"), json),
            (Some(""), json),
        ] {
            let (content_type, body) = encoded(OutputEncoding::Negotiate, &json!({"a": {"b": 1}}), accept);
            assert_eq!((&*content_type, &*body), expected, "{accept:?}");
        }
    }
}
