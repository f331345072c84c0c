//! Whether a request body is what the endpoint's JSON Schema says.
//!
//! KrakenD's order: an empty body and one that is not JSON are violations as well, whatever the method. Unlike there, nothing
//! may follow the JSON value: the backend would read what was never checked.

use crate::base::json_weight;
use crate::config::model;
use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;
use std::fmt;

/// How much a body may weigh ([`json_weight`]): some 32 MB in memory, whoever sends it. A body of 10 MiB of usual objects is well
/// below.
const MOST_WEIGHT: usize = 500_000;

/// So many characters of a path into the body are told.
const MAX_PATH: usize = 120;

/// Checks the bodies of one endpoint. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct JsonSchema(model::JsonSchema);

/// Why a body is refused. Its text is short and fit for the client: it tells where and which rule, never a value of the body or
/// of the schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// There is no body.
    #[error("the body is empty")]
    Empty,
    /// It is not JSON, or deeper than 128 levels.
    #[error("the body is not valid JSON")]
    Malformed,
    /// It would take too much memory.
    #[error("the body has too many values")]
    Heavy,
    /// It breaks a rule.
    #[error("the body breaks `{rule}` at `{path}`{detail}")]
    Rule {
        /// The keyword of the schema.
        rule: Box<str>,
        /// Where, as a JSON Pointer; `/` for the body itself.
        path: Box<str>,
        /// A few words on what would be right, with a blank before them; may be empty.
        detail: Box<str>,
    },
}

impl JsonSchema {
    /// A guard with this schema.
    pub fn new(schema: &model::JsonSchema) -> Self {
        Self(schema.clone())
    }

    /// Checks a whole body. Its size is the caller's to bound; its depth is bounded here.
    ///
    /// # Errors
    ///
    /// The first violation.
    pub fn check(&self, body: &[u8]) -> Result<(), Violation> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(Violation::Empty);
        }
        if json_weight::of(body) > MOST_WEIGHT {
            return Err(Violation::Heavy);
        }
        // serde_json stops at 128 levels.
        let value: Value = serde_json::from_slice(body).map_err(|_| Violation::Malformed)?;
        self.0.validator().validate(&value).map_err(|error| rule(&error))
    }
}

fn rule(error: &ValidationError<'_>) -> Violation {
    let detail = match error.kind() {
        ValidationErrorKind::Type { kind: TypeKind::Single(expected) } => format!(": expected {expected}"),
        ValidationErrorKind::Required { property: Value::String(name) } => {
            format!(": `{}` is missing", Shortened(name))
        }
        _ => String::new(),
    };
    let path = error.instance_path().as_str();
    let path = if path.is_empty() { "/" } else { path };
    Violation::Rule {
        rule: error.kind().keyword().into(),
        path: Shortened(path).to_string().into(),
        detail: detail.into(),
    }
}

/// A name from outside: cut where nobody reads on, and on one line.
struct Shortened<'a>(&'a str);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, c) in self.0.chars().enumerate() {
            if index == MAX_PATH {
                return f.write_str("…");
            }
            fmt::Write::write_char(f, if c.is_control() { '\u{fffd}' } else { c })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn guard(schema: &Value) -> JsonSchema {
        JsonSchema::new(&model::JsonSchema::compile(schema).unwrap())
    }

    fn told(schema: &Value, body: &str) -> String {
        guard(schema).check(body.as_bytes()).map_or_else(|violation| violation.to_string(), |()| String::new())
    }

    #[test]
    fn a_body_that_fits_passes_and_any_other_is_told_why() {
        let schema = json!({"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string", "maxLength": 3, "pattern": "^[a-z]+$"},
            "tags": {"type": "array", "items": {"enum": ["hunter2", "x"]}, "uniqueItems": true},
            "mail": {"type": "string", "format": "email"}, "site": {"format": "idn-hostname"}
        }});
        for (body, words) in [
            (r#"{"name": "ann", "tags": ["x"], "mail": "a@b.c"}"#, ""),
            (" {\"name\": \"ann\"}\n", ""),
            ("", "the body is empty"),
            (" \r\n", "the body is empty"),
            ("{\"name\": \"ann\"", "the body is not valid JSON"),
            (r#"{"name": "ann"} {}"#, "the body is not valid JSON"),
            ("{\"name\": \"an\nn\"}", "the body is not valid JSON"),
            ("\u{feff}{}", "the body is not valid JSON"),
            ("[]", "the body breaks `type` at `/`: expected object"),
            ("{}", "the body breaks `required` at `/`: `name` is missing"),
            (r#"{"name": "anna"}"#, "the body breaks `maxLength` at `/name`"),
            (r#"{"name": "A"}"#, "the body breaks `pattern` at `/name`"),
            (r#"{"name": "a", "tags": ["x", "z"]}"#, "the body breaks `enum` at `/tags/1`"),
            (r#"{"name": "a", "tags": ["x", "x"]}"#, "the body breaks `uniqueItems` at `/tags`"),
            (r#"{"name": "a", "mail": "nobody"}"#, "the body breaks `format` at `/mail`"),
            (r#"{"name": "a", "site": "-ü.example"}"#, "the body breaks `format` at `/site`"),
            (r#"{"name": 7}"#, "the body breaks `type` at `/name`: expected string"),
        ] {
            assert_eq!(told(&schema, body), words, "{body}");
        }
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_no_json() {
        assert_eq!(guard(&json!({})).check(b"\"\xff\""), Err(Violation::Malformed));
    }

    #[test]
    fn the_draft_is_7_unless_the_schema_says_otherwise() {
        let tuple = json!({"items": [{"type": "string"}, {"type": "number"}], "additionalItems": false});
        assert_eq!(told(&tuple, r#"["a", 1]"#), "");
        assert_eq!(told(&tuple, "[1, 1]"), "the body breaks `type` at `/0`: expected string");
        let newer =
            json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "prefixItems": [{"type": "string"}]});
        assert!(!told(&newer, "[1]").is_empty());
        let older =
            json!({"$schema": "http://json-schema.org/draft-04/schema#", "maximum": 3, "exclusiveMaximum": true});
        assert!(!told(&older, "3").is_empty());
    }

    #[test]
    fn a_recursive_schema_follows_the_body_and_no_further() {
        let tree = json!({"properties": {"child": {"$ref": "#"}, "n": {"type": "integer"}}});
        let nested = |leaf: &str| format!("{}{{\"n\": {leaf}}}{}", "{\"child\":".repeat(100), "}".repeat(100));
        assert_eq!(told(&tree, &nested("1")), "");
        let message = told(&tree, &nested("\"1\""));
        assert!(message.contains("`type` at `/child/child") && message.chars().count() < 200, "{message}");
        for endless in [
            json!({"$ref": "#"}),
            json!({"allOf": [{"$ref": "#"}]}),
            json!({"not": {"$ref": "#"}}),
            json!({"definitions": {"a": {"anyOf": [{"$ref": "#/definitions/b"}]}, "b": {"oneOf": [{"$ref": "#/definitions/a"}]}},
                "$ref": "#/definitions/a"}),
        ] {
            let _ = guard(&endless).check(b"{\"a\": [1]}");
        }
    }

    #[test]
    fn deep_and_wide_bodies_end() {
        let schema = json!({"uniqueItems": true, "items": {"pattern": "^(a+)+$"}});
        assert_eq!(told(&schema, &"[".repeat(100_000)), "the body is not valid JSON");
        let mut wide: Vec<Value> = (0..20_000).map(Value::from).collect();
        wide.push(format!("{}!", "a".repeat(50_000)).into());
        assert_eq!(told(&schema, &Value::Array(wide).to_string()), "the body breaks `pattern` at `/20000`");
    }

    #[test]
    fn what_a_client_names_is_cut_and_stays_on_one_line() {
        let name = format!("a\\n\\u001b[31m{}", "x".repeat(10_000));
        let message = told(&json!({"additionalProperties": {"type": "null"}}), &format!("{{\"{name}\": \"hunter2\"}}"));
        assert!(message.chars().count() < 200 && !message.contains(char::is_control), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}
