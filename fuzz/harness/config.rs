//! Configuration documents: reading one ends, problems have places inside the text, and no secret is quoted.
//!
//! Input: the text, which is read as JSON and as YAML.

use porteur::config::{self, Format, Options};
use serde_json::Value;
use std::collections::HashMap;

/// The secret of the seeds. It must not be a word of any other value.
const SECRET: &str = "canary-5ecret-7f3a";

pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let is_secret = only_as_secret(&text);
    let environment = HashMap::from([("SECRET".to_owned(), SECRET.to_owned()), ("PORT".to_owned(), "8080".to_owned())]);
    for format in [Format::Json, Format::Yaml] {
        let options = Options { lint: true, ..Options::default() };
        let loaded = config::load_text("fuzz", format, &text, &options, &environment);
        for diagnostic in loaded.report.diagnostics() {
            let Some(span) = &diagnostic.span else { continue };
            assert!(text.get(span.clone()).is_some(), "{span:?} of {}: {}", text.len(), diagnostic.message);
        }
        assert_eq!(loaded.model.is_none(), loaded.report.errors() > 0);
        let said = [loaded.report.render(false), loaded.report.render(true), loaded.report.to_json()];
        let json: Value = serde_json::from_str(&said[2]).expect("the report is JSON");
        assert_eq!(json.as_array().map(Vec::len), Some(loaded.report.diagnostics().len()));
        if is_secret || !text.contains(SECRET) {
            assert!(!said.concat().contains(SECRET), "the secret is told: {}", said[0]);
        }
    }
}

/// Whether the secret stands nowhere but in values of `client_secret`, as far as the text is JSON. (JSON is YAML, too.)
fn only_as_secret(text: &str) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(text) else { return false };
    text.matches(SECRET).count() == secrets(&document)
}

fn secrets(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(secrets).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| match value {
                Value::String(text) if key == "client_secret" => text.matches(SECRET).count(),
                other => secrets(other),
            })
            .sum(),
        _ => 0,
    }
}
