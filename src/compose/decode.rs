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
