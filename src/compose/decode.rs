//! The body of an upstream's answer to data, after the `encoding` of its backend.

use super::json::{self, JsonError, read_json};
use super::xml::{XmlError, read_xml};
use crate::config::model::Encoding;
use serde_json::{Map, Value};

/// Where lists go.
pub(super) const COLLECTION: &str = "collection";
/// Where text goes.
pub(super) const CONTENT: &str = "content";

/// Why a body is not what the configuration says it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON.
    #[error("the body is not JSON")]
    Json(#[source] JsonError),
    /// JSON of another kind.
    #[error("the body is {found}, not {expected}")]
    Kind {
        /// What it is.
        found: &'static str,
        /// What `encoding` and `is_collection` say.
        expected: &'static str,
    },
    /// Not XML.
    #[error("the body is not XML")]
    Xml(#[source] XmlError),
}

/// Reads a body. `no-op` leaves nothing of it.
///
/// # Errors
///
/// Says what is wrong with the body.
pub fn decode(encoding: Encoding, is_collection: bool, body: &[u8]) -> Result<Map<String, Value>, DecodeError> {
    match encoding {
        Encoding::NoOp => Ok(Map::new()),
        Encoding::String => Ok(single(CONTENT, Value::String(json::coerced(body).into_owned()))),
        Encoding::Json if is_collection => collection(parsed(body)?),
        Encoding::Json => object(parsed(body)?),
        Encoding::SafeJson => Ok(anything(parsed(body)?)),
        Encoding::Xml => {
            let document = read_xml(body).map_err(DecodeError::Xml)?;
            Ok(if is_collection { single(COLLECTION, Value::Object(document)) } else { document })
        }
    }
}

fn parsed(body: &[u8]) -> Result<Value, DecodeError> {
    read_json(body).map_err(DecodeError::Json)
}

fn single(name: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value)])
}

/// Go takes `null` for any type.
fn object(value: Value) -> Result<Map<String, Value>, DecodeError> {
    match value {
        Value::Object(members) => Ok(members),
        Value::Null => Ok(Map::new()),
        other => Err(DecodeError::Kind { found: kind(&other), expected: "an object" }),
    }
}

fn collection(value: Value) -> Result<Map<String, Value>, DecodeError> {
    match value {
        Value::Array(_) | Value::Null => Ok(single(COLLECTION, value)),
        other => Err(DecodeError::Kind { found: kind(&other), expected: "a list" }),
    }
}

fn anything(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        Value::Array(_) => single(COLLECTION, value),
        _ => single("result", value),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::write_json;
    use super::*;
    use proptest::prelude::*;

    fn decoded(encoding: Encoding, is_collection: bool, body: &str) -> Result<String, DecodeError> {
        let data = decode(encoding, is_collection, body.as_bytes())?;
        Ok(String::from_utf8(write_json(&data).to_vec()).unwrap())
    }

    fn kinds(encoding: Encoding, is_collection: bool) -> Vec<Option<String>> {
        let bodies = [r#"{"a":1}"#, "[1]", "null", "true", "1.10", r#""x""#];
        bodies.iter().map(|body| decoded(encoding, is_collection, body).ok()).collect()
    }

    fn some(texts: [&str; 6]) -> Vec<Option<String>> {
        texts.iter().map(|text| (!text.is_empty()).then(|| (*text).to_owned())).collect()
    }

    #[test]
    fn json_is_an_object_or_with_is_collection_a_list_1_2() {
        assert_eq!(kinds(Encoding::Json, false), some([r#"{"a":1}"#, "", "{}", "", "", ""]));
        let null = r#"{"collection":null}"#;
        assert_eq!(kinds(Encoding::Json, true), some(["", r#"{"collection":[1]}"#, null, "", "", ""]));
        let error = decoded(Encoding::Json, false, "[]").unwrap_err();
        assert_eq!(error.to_string(), "the body is a list, not an object");
    }

    #[test]
    fn safejson_takes_any_json() {
        let null = r#"{"result":null}"#;
        let expected = some([
            r#"{"a":1}"#,
            r#"{"collection":[1]}"#,
            null,
            r#"{"result":true}"#,
            r#"{"result":1.10}"#,
            r#"{"result":"x"}"#,
        ]);
        assert_eq!(kinds(Encoding::SafeJson, false), expected);
        assert_eq!(kinds(Encoding::SafeJson, true), expected);
    }

    #[test]
    fn an_empty_body_is_no_json() {
        for encoding in [Encoding::Json, Encoding::SafeJson] {
            assert_eq!(decoded(encoding, false, ""), Err(DecodeError::Json(JsonError::End)));
        }
    }

    #[test]
    fn a_string_is_kept_under_content() {
        assert_eq!(decoded(Encoding::String, true, "<b>\n").unwrap(), r#"{"content":"\u003cb\u003e\n"}"#);
        assert_eq!(decoded(Encoding::String, false, "").unwrap(), r#"{"content":""}"#);
        let data = decode(Encoding::String, false, b"\xff!").unwrap();
        assert_eq!(data[CONTENT], "\u{fffd}!");
    }

    #[test]
    fn no_op_leaves_nothing() {
        assert_eq!(decoded(Encoding::NoOp, false, "[garbage").unwrap(), "{}");
    }

    #[test]
    fn xml_is_an_object_and_a_collection_holds_it() {
        assert_eq!(decoded(Encoding::Xml, false, "<a><b/></a>").unwrap(), r#"{"a":{"b":""}}"#);
        assert_eq!(decoded(Encoding::Xml, true, "<a>1</a>").unwrap(), r#"{"collection":{"a":"1"}}"#);
        assert!(matches!(decoded(Encoding::Xml, false, "3"), Err(DecodeError::Xml(_))));
    }

    fn depth(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
            Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Bytes that nest, and bytes of any kind.
    fn bodies() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            "[",
            "{\"a\":",
            "<a>",
            "<a b='&lt;'>",
            "</a>",
            "]",
            "}",
            "1",
            "&#9;",
            "<![CDATA[",
            "\u{0}",
        ]);
        let pieces = (piece.clone(), 0..300_usize, prop::collection::vec(piece, 0..20));
        let nested = pieces.prop_map(|(first, count, rest)| (first.repeat(count) + &rest.concat()).into_bytes());
        prop_oneof![any::<Vec<u8>>(), nested]
    }

    proptest! {
        #[test]
        fn whatever_comes_the_depth_is_bounded(body in bodies(), is_collection: bool) {
            for encoding in [Encoding::Json, Encoding::SafeJson, Encoding::String, Encoding::Xml, Encoding::NoOp] {
                if let Ok(data) = decode(encoding, is_collection, &body) {
                    prop_assert!(depth(&Value::Object(data)) <= 131);
                }
            }
        }
    }
}
