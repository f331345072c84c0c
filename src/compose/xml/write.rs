//! Data to an XML document.

use super::{ATTRIBUTE, TEXT};
use bytes::Bytes;
use quick_xml::escape::escape;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The element around data that is not one element by itself.
const ROOT: &str = "doc";

/// Writes data, without declaration and line ends.
pub fn write_xml(data: &Map<String, Value>) -> Bytes {
    let mut text = String::with_capacity(256);
    let mut fields = data.iter();
    match (fields.next(), fields.next()) {
        // KrakenD writes a list without anything around it, which is no document.
        (Some((name, value)), None) if !value.is_array() && !is_inside(name) => element(&mut text, name, value),
        _ => object(&mut text, ROOT, data),
    }
    Bytes::from(text)
}

/// Attributes and text are nothing outside an element.
fn is_inside(name: &str) -> bool {
    name == TEXT || name.starts_with(ATTRIBUTE)
}

fn element(text: &mut String, name: &str, value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| element(text, name, item)),
        Value::Object(fields) => object(text, name, fields),
        scalar => {
            let name = safe(name);
            let content = shown(scalar);
            if content.is_empty() {
                text.extend(["<", &name, "/>"]);
            } else {
                text.extend(["<", &name, ">", &content, "</", &name, ">"]);
            }
        }
    }
}

fn object(text: &mut String, name: &str, fields: &Map<String, Value>) {
    let name = safe(name);
    text.extend(["<", &name]);
    let is_attribute = |name: &str, value: &Value| {
        name.len() > 1 && name.starts_with(ATTRIBUTE) && !value.is_object() && !value.is_array()
    };
    let (attributes, elements): (Vec<_>, Vec<_>) = fields.iter().partition(|(name, value)| is_attribute(name, value));
    for (attribute, value) in attributes {
        let attribute = safe(attribute.trim_start_matches(ATTRIBUTE));
        text.extend([" ", &attribute, "=\"", &shown(value), "\""]);
    }
    if elements.is_empty() {
        text.push_str("/>");
        return;
    }
    text.push('>');
    for (field, value) in elements {
        if field == TEXT && !value.is_object() && !value.is_array() {
            text.push_str(&shown(value));
        } else {
            element(text, field, value);
        }
    }
    text.extend(["</", &name, ">"]);
}

/// A scalar as text.
fn shown(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => escape(text.as_str()),
        Value::Number(number) => number.as_str().into(),
        Value::Bool(true) => "true".into(),
        Value::Bool(false) => "false".into(),
        _ => "".into(),
    }
}

/// A name out of data may hold anything; what XML has no place for in a name becomes `_`.
fn safe(name: &str) -> Cow<'_, str> {
    let is_start = |c: char| c.is_alphabetic() || c == '_' || c == ':';
    let is_inner = |c: char| is_start(c) || c.is_alphanumeric() || matches!(c, '-' | '.');
    if name.starts_with(is_start) && name.chars().all(is_inner) {
        return name.into();
    }
    let start = if name.starts_with(is_start) { "" } else { "_" };
    let rest = name.chars().map(|c| if is_inner(c) { c } else { '_' });
    start.chars().chain(rest).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::super::read_xml;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "data is written where it is used")]
    fn writes(data: Value, expected: &str) {
        assert_eq!(write_xml(data.as_object().unwrap()), expected);
    }

    #[test]
    fn fields_are_elements_in_sorted_order() {
        writes(
            json!({"foo": 42, "content": "tupu", "a": {"content": "supu & tupu"}}),
            "<doc><a><content>supu &amp; tupu</content></a><content>tupu</content><foo>42</foo></doc>",
        );
        writes(json!({}), "<doc/>");
        writes(json!({"a": null, "b": "", "c": {}, "d": [], "e": true}), "<doc><a/><b/><c/><e>true</e></doc>");
    }

    #[test]
    fn a_single_field_is_the_document_unless_it_is_a_list() {
        writes(json!({"a": {"b": 1.10}}), "<a><b>1.1</b></a>");
        writes(json!({"a": "x"}), "<a>x</a>");
        writes(json!({"a": [{"b": 1}, [2, 3]]}), "<doc><a><b>1</b></a><a>2</a><a>3</a></doc>");
        writes(json!({"#text": "x"}), "<doc>x</doc>");
    }

    #[test]
    fn attributes_and_text_stand_where_they_were() {
        writes(json!({"a": {"-b": "<\"", "-c": 1, "#text": "x>y"}}), "<a b=\"&lt;&quot;\" c=\"1\">x&gt;y</a>");
        writes(json!({"a": {"-b": 1}}), "<a b=\"1\"/>");
        writes(json!({"a": {"-b": {"c": 1}, "-": 2}}), "<a><_->2</_-><_-b><c>1</c></_-b></a>");
    }

    #[test]
    fn no_name_breaks_out_of_its_tag() {
        writes(
            json!({"a": {"x><script": 1, "1": 2, "": 3, "-b=\"": 4}}),
            "<a b__=\"4\"><_>3</_><_1>2</_1><x__script>1</x__script></a>",
        );
    }

    proptest! {
        #[test]
        fn whatever_the_data_the_document_can_be_read(
            data in prop::collection::btree_map("\\PC{0,4}", prop::collection::vec("\\PC{0,4}", 1..3), 0..3)
        ) {
            let data = json!(data);
            let text = write_xml(data.as_object().unwrap());
            prop_assert!(read_xml(&text).is_ok(), "{:?}", text);
        }
    }
}
