//! A part of the tree as plain JSON, for what is not ours to read: a JSON Schema, for one; and the way back to a place in it.

use super::{Node, Value};

impl Node {
    /// The value as plain JSON. Of a key that is there twice, the last one counts.
    pub(in super::super) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(text) => number(text),
            Value::String(text) => text.as_str().into(),
            Value::Array(items) => items.iter().map(Self::to_json).collect(),
            Value::Object(members) => {
                let pairs = members.iter().map(|member| (member.key.clone(), member.value.to_json()));
                serde_json::Value::Object(pairs.collect())
            }
        }
    }

    /// The value a JSON Pointer (RFC 6901) leads to, with the key before it; as far as the way goes.
    pub(in super::super) fn at(&self, pointer: &str) -> (&Self, Option<&str>) {
        let mut here = self;
        let mut key = None;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let next = match &here.value {
                Value::Array(items) => token.parse::<usize>().ok().and_then(|index| items.get(index)),
                Value::Object(members) => {
                    let found = members.iter().rev().find(|member| member.key == token);
                    key = found.map(|member| member.key.as_str()).or(key);
                    found.map(|member| &member.value)
                }
                _ => None,
            };
            let Some(next) = next else { break };
            here = next;
        }
        (here, key)
    }
}

/// Numbers of YAML that JSON cannot write (`.inf`) stay text.
fn number(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

#[cfg(test)]
mod tests {
    use super::super::super::diagnostic::Diagnostics;
    use super::super::{Format, parse};
    use super::*;

    fn read(text: &str, format: Format) -> Node {
        parse(text, format, &mut Diagnostics::default()).unwrap()
    }

    #[test]
    fn every_kind_of_value_becomes_json() {
        let text = r#"{"a": [1, -2.50, 1e3, 12345678901234567890123, true, null, "é\n"], "$ref": {"_": 0}}"#;
        assert_eq!(read(text, Format::Json).to_json(), serde_json::from_str::<serde_json::Value>(text).unwrap());
        let yaml = "a: 1.10\nb: .inf\nc: [on, ~]\n";
        let value: serde_json::Value = serde_json::from_str(r#"{"a": 1.10, "b": ".inf", "c": ["on", null]}"#).unwrap();
        assert_eq!(read(yaml, Format::Yaml).to_json(), value);
    }

    #[test]
    fn a_pointer_leads_to_a_place_or_as_near_as_it_can() {
        let text = r#"{"a/b": [{"c~": 7}], "d": 1}"#;
        let root = read(text, Format::Json);
        for (pointer, place, key) in [
            ("", text, None),
            ("/a~1b/0/c~0", "7", Some("c~")),
            ("/a~1b/0", r#"{"c~": 7}"#, Some("a/b")),
            ("/a~1b/9", r#"[{"c~": 7}]"#, Some("a/b")),
            ("/d/x/y", "1", Some("d")),
            ("/nope", text, None),
        ] {
            let (node, found) = root.at(pointer);
            assert_eq!((&text[node.span.clone()], found), (place, key), "{pointer}");
        }
    }
}
