//! JSON to a tree of [`Node`]s, as strict as KrakenD is: no comments, no trailing commas.

use super::super::diagnostic::{Diagnostic, Span, floor_boundary};
use super::{MAX_DEPTH, Member, Node, Value, syntax};
use jsonc_parser::ast;
use jsonc_parser::{CollectOptions, ParseOptions, common::Ranged, parse_to_ast};
use serde::de::IgnoredAny;

/// Reads a text.
pub(super) fn parse(text: &str) -> Result<Node, Diagnostic> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &strict()).map_err(|error| {
        let range = error.range();
        syntax("JSON", Some(range.start..range.end), &error.kind().to_string())
    })?;
    let value = parsed.value.ok_or_else(|| syntax("JSON", None, "the text is empty"))?;
    let root = node(value, 0)?;
    refuse_leniency(text)?;
    Ok(root)
}

const fn strict() -> ParseOptions {
    ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

fn node(value: ast::Value<'_>, depth: usize) -> Result<Node, Diagnostic> {
    let range = value.range();
    let span = range.start..range.end;
    if depth > MAX_DEPTH {
        return Err(syntax("JSON", Some(span), &format!("values nest deeper than {MAX_DEPTH}")));
    }
    let value = match value {
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::BooleanLit(literal) => Value::Bool(literal.value),
        ast::Value::NumberLit(literal) => Value::Number(literal.value.to_owned()),
        ast::Value::StringLit(literal) => Value::String(literal.value.into_owned()),
        ast::Value::Array(array) => {
            let items = array.elements.into_iter().map(|item| node(item, depth + 1));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        ast::Value::Object(object) => {
            let members = object.properties.into_iter().map(|property| member(property, depth));
            Value::Object(members.collect::<Result<_, _>>()?)
        }
    };
    Ok(Node::new(value, span))
}

fn member(property: ast::ObjectProp<'_>, depth: usize) -> Result<Member, Diagnostic> {
    let range = property.name.range();
    let value = node(property.value, depth + 1)?;
    Ok(Member::new(property.name.into_string(), range.start..range.end, value))
}

/// The parser above lets raw line ends in strings and odd blanks pass; `serde_json` does not.
fn refuse_leniency(text: &str) -> Result<(), Diagnostic> {
    serde_json::from_str::<IgnoredAny>(text).map(|_| ()).map_err(|error| {
        let span = offset_of(text, error.line(), error.column());
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or("malformed text");
        syntax("JSON", span, message)
    })
}

fn offset_of(text: &str, line: usize, column: usize) -> Option<Span> {
    let before: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let start = (before + column.saturating_sub(1)).min(text.len());
    let start = floor_boundary(text, start);
    let length = text.get(start..)?.chars().next().map_or(0, char::len_utf8);
    Some(start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_place() {
        let text = r#"{"é": [1.10, "x\n", true, null]}"#;
        let Ok(Node { value: Value::Object(members), .. }) = parse(text) else { panic!("no object") };
        assert_eq!(&text[members[0].key_span.clone()], "\"é\"");
        let Value::Array(items) = &members[0].value.value else { panic!("no list") };
        let written: Vec<_> = items.iter().map(|item| &text[item.span.clone()]).collect();
        assert_eq!(written, ["1.10", "\"x\\n\"", "true", "null"]);
        assert_eq!(items[0].value, Value::Number("1.10".into()));
        assert_eq!(items[1].value, Value::String("x\n".into()));
    }

    #[test]
    fn leniency_is_off() {
        for (text, place) in [
            ("{\"a\": 1,}", "1,"),
            ("{\"a\": 1 // x\n}", "// x"),
            ("{'a': 1}", "'"),
            ("{a: 1}", "a"),
            ("{\"a\": 0x10}", "0x"),
            ("{\"a\": 1 \"b\": 2}", ""),
            ("{\"a\": \"b\nc\"}", ""),
            ("{\"a\": 1", ""),
            ("", ""),
            ("{} {}", "{}"),
            ("{\"a\": tru}", "tru"),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.message.starts_with("this is not valid JSON: "), "{}", problem.message);
            if let Some(span) = problem.span {
                assert!(text.is_char_boundary(span.start) && span.end <= text.len(), "{text} {place}");
            }
        }
    }
}
