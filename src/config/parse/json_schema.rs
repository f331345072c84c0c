//! `validation/json-schema`: its whole value is a JSON Schema.

use super::super::code;
use super::super::document::{Node, Value};
use super::super::model::JsonSchema;
use super::super::read::Context;
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;

/// Compiles the schema. KrakenD goes without one that it cannot compile; here that is an error.
pub(super) fn json_schema(cx: &mut Context<'_>, node: Option<&Node>) -> Option<JsonSchema> {
    let node = node?;
    match JsonSchema::compile(&node.to_json()) {
        Ok(schema) => Some(schema),
        Err(problem) => {
            report(cx, node, &problem);
            None
        }
    }
}

fn report(cx: &mut Context<'_>, node: &Node, problem: &ValidationError<'_>) {
    if let ValidationErrorKind::Referencing(_) = problem.kind() {
        let place = reference_out(node).unwrap_or(node);
        let help = "put what it refers to into `definitions`, and write `#/definitions/…`; nothing is fetched";
        return cx.error(place, code::JSON_SCHEMA, "the JSON Schema refers to something outside of itself", help);
    }
    let (place, key) = node.at(problem.instance_path().as_str());
    if matches!(problem.kind(), ValidationErrorKind::Format { format } if format == "regex") {
        let help = "patterns are Go's: no look-around, no back-references";
        return cx.error(place, code::JSON_SCHEMA, "this is no regular expression of a JSON Schema", help);
    }
    let what = if key.is_some() { "this" } else { "the value of `validation/json-schema`" };
    let help = match problem.kind() {
        ValidationErrorKind::Type { .. } => "it is of a type that does not belong here",
        _ => "its draft is draft 7 unless `$schema` says otherwise",
    };
    cx.error(place, code::JSON_SCHEMA, format!("{what} is not valid in a JSON Schema"), help);
}

/// The first reference, or name of a draft, that does not lead into the schema itself.
fn reference_out(node: &Node) -> Option<&Node> {
    match &node.value {
        Value::Array(items) => items.iter().find_map(reference_out),
        Value::Object(members) => members.iter().find_map(|member| match &member.value.value {
            Value::String(text) if member.key == "$schema" && !text.contains("json-schema.org/") => Some(&member.value),
            Value::String(text) if member.key == "$ref" && !text.starts_with('#') => Some(&member.value),
            _ => reference_out(&member.value),
        }),
        _ => None,
    }
}
