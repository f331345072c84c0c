//! Values to JSON text, byte for byte as Go's `encoding/json` writes a map: sorted keys, and nothing in it that could end a
//! `<script>` element.

use bytes::Bytes;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use std::io::{self, Write};

/// Writes data, without a line end. Numbers are written as they were read.
pub fn write_json(data: &impl Serialize) -> Bytes {
    let mut text = Vec::with_capacity(256);
    // Neither a `Vec` nor JSON data with string keys can fail.
    let _ = data.serialize(&mut Serializer::with_formatter(&mut text, Go));
    Bytes::from(text)
}

/// Go's escapes: beside those of JSON also `<`, `>`, `&`, U+2028 and U+2029.
struct Go;

impl Formatter for Go {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (plain, special) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut characters = special.chars();
            writer.write_all(match characters.next() {
                Some('<') => b"\\u003c",
                Some('>') => b"\\u003e",
                Some('&') => b"\\u0026",
                Some('\u{2028}') => b"\\u2028",
                _ => b"\\u2029",
            })?;
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_json;
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn it_writes_as_go_does_1_6() {
        let data = json!({"b": "<a href='x'>&</a>", "a": [null, true, {}], "é": "\u{2028}/\u{2029}", "B": 1.5});
        let expected =
            r#"{"B":1.5,"a":[null,true,{}],"b":"\u003ca href='x'\u003e\u0026\u003c/a\u003e","é":"\u2028/\u2029"}"#;
        assert_eq!(write_json(&data), expected);
    }

    #[test]
    fn control_characters_have_their_short_escapes() {
        let text = "\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}\"\\";
        assert_eq!(write_json(&text), r#""\b\f\n\r\t\u0000\u001f"#.to_owned() + "\u{7f}\\\"\\\\\"");
    }

    /// Any JSON value, numbers in any spelling.
    fn any_json() -> impl Strategy<Value = Value> {
        let number = "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            number.prop_map(|text| Value::Number(serde_json::Number::from_string_unchecked(text))),
            any::<String>().prop_map(Value::String),
            "[<>&\u{2028}\u{2029}a\"]{0,4}".prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::btree_map("[a-c<]{0,2}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_it_was(value in any_json()) {
            let text = write_json(&value);
            prop_assert_eq!(read_json(&text), Ok(value));
            prop_assert!(!text.iter().any(|byte| matches!(byte, b'<' | b'>' | b'&' | b'\n')));
        }
    }
}
