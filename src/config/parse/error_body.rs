//! `error_body` of `extra_config.router`: any JSON in place of the router's texts.

use super::super::document::{Node, Value};
use super::super::keys::Level;
use super::super::model::ErrorBody;
use super::super::read::{Context, Object};
use bytes::Bytes;
use serde_json::{Number, Value as Json};

/// Reads the object.
pub(super) fn error_body(cx: &mut Context<'_>, node: &Node) -> Option<ErrorBody> {
    let object = Object::open(cx, node, Level::Namespace("router.error_body"))?;
    let body = |key: &str| object.get(key).map(text);
    Some(ErrorBody { not_found: body("404"), method_not_allowed: body("405") })
}

/// As Go writes it: keys in order, and nothing that HTML would read as its own.
fn text(node: &Node) -> Bytes {
    let mut text = json(node).to_string();
    for (letter, escape) in [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026")] {
        text = text.replace(letter, escape);
    }
    text.into()
}

fn json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(text) => number(text).map_or_else(|| Json::String(text.clone()), Json::Number),
        Value::String(text) => Json::String(text.clone()),
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Object(members) => members.iter().map(|member| (member.key.clone(), json(&member.value))).collect(),
    }
}

/// KrakenD reads numbers as floating point, and Go writes whole ones without a point.
fn number(text: &str) -> Option<Number> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let value: f64 = text.parse().ok()?;
    if value.fract() == 0.0 && value.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and within range")]
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}
