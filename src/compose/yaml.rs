//! Data to YAML: blocks of two blanks, sorted keys, and every text in quotes that a reader could take for something else.

use super::json::write_json;
use bytes::Bytes;
use serde_json::{Map, Value};

/// Writes data as one document, with a line end.
pub fn write_yaml(data: &Map<String, Value>) -> Bytes {
    let mut text = String::with_capacity(256);
    if data.is_empty() {
        text.push_str("{}\n");
    }
    members(&mut text, data, 0);
    Bytes::from(text)
}

fn members(text: &mut String, data: &Map<String, Value>, depth: usize) {
    for (index, (name, value)) in data.iter().enumerate() {
        // The first one stands behind the dash of its item.
        if index > 0 || !text.ends_with("- ") {
            indent(text, depth);
        }
        scalar(text, name);
        text.push(':');
        after_name(text, value, depth + 1);
    }
}

fn after_name(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(data) if !data.is_empty() => {
            text.push('\n');
            members(text, data, depth);
        }
        Value::Array(list) if !list.is_empty() => {
            text.push('\n');
            items(text, list, depth);
        }
        other => {
            text.push(' ');
            line(text, other);
        }
    }
}

fn items(text: &mut String, list: &[Value], depth: usize) {
    for (index, item) in list.iter().enumerate() {
        if index > 0 || !text.ends_with("- ") {
            indent(text, depth);
        }
        text.push_str("- ");
        match item {
            Value::Object(data) if !data.is_empty() => members(text, data, depth + 1),
            Value::Array(list) if !list.is_empty() => items(text, list, depth + 1),
            other => line(text, other),
        }
    }
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

/// What fits on one line.
fn line(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => text.push_str(number.as_str()),
        Value::String(string) => scalar(text, string),
        Value::Array(_) => text.push_str("[]"),
        Value::Object(_) => text.push_str("{}"),
    }
    text.push('\n');
}

/// Quoted text is written as in JSON, whose escapes YAML shares.
fn scalar(text: &mut String, string: &str) {
    if is_plain(string) {
        text.push_str(string);
    } else {
        text.push_str(str::from_utf8(&write_json(&string)).unwrap_or_default());
    }
}

/// Words that some reader takes for a boolean, or for nothing.
const RESERVED: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

fn is_plain(string: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    string.starts_with(|c: char| c.is_ascii_alphabetic())
        && string.chars().all(fits)
        && !RESERVED.iter().any(|word| word.eq_ignore_ascii_case(string))
}

#[cfg(test)]
mod tests {
    use super::super::json::read_json;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn written(data: &Value) -> String {
        String::from_utf8(write_yaml(data.as_object().unwrap()).to_vec()).unwrap()
    }

    #[test]
    fn data_is_written_in_blocks() {
        let data = json!({
            "b": {"c": [1, "two", {"d": null, "e": [true]}, [[3], {}], []]},
            "a": "x: y", "yes": "no", "f": {}, "1": "-",
        });
        let expected = "\"1\": \"-\"\na: \"x: y\"\nb:\n  c:\n    - 1\n    - two\n    - d: null\n      e:\n        - true\n    \
            - - - 3\n      - {}\n    - []\nf: {}\n\"yes\": \"no\"\n";
        assert_eq!(written(&data), expected);
        assert_eq!(written(&json!({})), "{}\n");
    }

    fn any_data() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i32>().prop_map(Value::from),
            "\\PC{0,6}".prop_map(Value::String),
            prop::sample::select(vec![
                "~",
                "0x1",
                "1.0",
                "a b",
                "a: b",
                "- a",
                "a\nb",
                "<<",
                "=",
                "nan",
                ".inf",
                "# a",
                "2020-01-01"
            ])
            .prop_map(Value::from),
        ];
        let value = leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::btree_map("[a-c~:]{0,2}", inner, 0..4).prop_map(|members| json!(members)),
            ]
        });
        prop::collection::btree_map("[a-c]", value, 0..4).prop_map(|members| json!(members))
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_it_was(data in any_data()) {
            let text = written(&data);
            let read: Result<Value, _> = serde_saphyr::from_str(&text);
            // Both ways through one reader of JSON: it is about the data, not about how numbers are kept.
            let plain = |value: &Value| read_json(&write_json(value));
            prop_assert_eq!(read.as_ref().map(plain).ok(), Some(plain(&data)), "{}", text);
        }
    }
}
