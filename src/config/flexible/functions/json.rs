//! Values as JSON, as Go's `encoding/json` writes it: keys sorted, `<`, `>` and `&` escaped.

use super::{Function, Outcome, argument};
use crate::config::flexible::bounded::Bounded;
use crate::config::flexible::fault::Fault;
use crate::config::flexible::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("marshal", 1, 1, |a| json(a, None)),
    Function::new("toJson", 1, 1, |a| json(a, None)),
    Function::new("toPrettyJson", 1, 1, |a| json(a, Some(0))),
];

fn json(arguments: &[Value], level: Option<usize>) -> Outcome {
    let mut out = Bounded::default();
    write(argument(arguments, 0)?, level, &mut out)?;
    Ok(Value::string(out.into_string()))
}

/// With a level, on lines of its own.
fn write(value: &Value, level: Option<usize>, out: &mut Bounded) -> Result<(), Fault> {
    match value {
        Value::Nil => out.push_str("null"),
        Value::String(text) => string(text, out),
        Value::Float(value) => out.push_str(&float(*value)),
        Value::List(list) if list.items.is_empty() => out.push_str("[]"),
        Value::Map(map) if map.entries.is_empty() => out.push_str("{}"),
        Value::List(list) => {
            let inner = level.map(|level| level + 1);
            for (index, item) in list.items.iter().enumerate() {
                out.push(if index == 0 { '[' } else { ',' })?;
                line(inner, out)?;
                write(item, inner, out)?;
            }
            line(level, out)?;
            out.push(']')
        }
        Value::Map(map) => {
            let inner = level.map(|level| level + 1);
            for (index, (key, value)) in map.entries.iter().enumerate() {
                out.push(if index == 0 { '{' } else { ',' })?;
                line(inner, out)?;
                string(key, out)?;
                out.push_str(if inner.is_some() { ": " } else { ":" })?;
                write(value, inner, out)?;
            }
            line(level, out)?;
            out.push('}')
        }
        Value::Absent(_) | Value::Bool(_) | Value::Int(_) | Value::Number(_) => value.print(out),
    }
}

fn line(level: Option<usize>, out: &mut Bounded) -> Result<(), Fault> {
    let Some(level) = level else {
        return Ok(());
    };
    out.push('\n')?;
    out.fill(' ', 2 * level)
}

fn string(text: &str, out: &mut Bounded) -> Result<(), Fault> {
    out.push('"')?;
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\"")?,
            '\\' => out.push_str("\\\\")?,
            '\n' => out.push_str("\\n")?,
            '\r' => out.push_str("\\r")?,
            '\t' => out.push_str("\\t")?,
            '\u{8}' => out.push_str("\\b")?,
            '\u{c}' => out.push_str("\\f")?,
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)))?;
            }
            _ => out.push(c)?,
        }
    }
    out.push('"')
}

/// As JavaScript writes numbers.
fn float(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let written = format!("{value:e}");
        return if size >= 1.0 { written.replace('e', "e+") } else { written };
    }
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{run, strings};
    use super::*;
    use std::collections::BTreeMap;

    fn sample() -> Value {
        let entries = [("b", strings(&["x<y", "\"\u{1}é"])), ("a", Value::Nil), ("c", Value::Number("1.50".into()))];
        let entries = entries.into_iter().map(|(key, value)| (key.into(), value));
        Value::map(entries.chain([("d".into(), Value::map(BTreeMap::new()).unwrap())]).collect()).unwrap()
    }

    #[test]
    fn values_become_json() {
        let expected = r#"{"a":null,"b":["x\u003cy","\"\u0001é"],"c":1.50,"d":{}}"#;
        assert_eq!(run("toJson", &[sample()]).as_deref(), Ok(expected));
        assert_eq!(run("marshal", &[sample()]).as_deref(), Ok(expected));
        assert!(serde_json::from_str::<serde_json::Value>(expected).is_ok());
        let pretty = "{\n  \"a\": null,\n  \"b\": [\n    \"x\\u003cy\",\n    \"\\\"\\u0001é\"\n  ],\n  \"c\": 1.50,\n  \"d\": {}\n}";
        assert_eq!(run("toPrettyJson", &[sample()]).as_deref(), Ok(pretty));
    }

    #[test]
    fn floats_are_written_as_javascript_does() {
        for (value, text) in
            [(1.0, "1"), (1e20, "100000000000000000000"), (1e21, "1e+21"), (1e-7, "1e-7"), (0.0, "0"), (-2.5, "-2.5")]
        {
            assert_eq!(run("toJson", &[Value::Float(value)]).as_deref(), Ok(text));
        }
    }

    #[test]
    fn shared_lists_do_not_grow_without_a_bound() {
        let mut value = strings(&["x"]);
        for _ in 0..60 {
            value = Value::list(vec![value.clone(), value]).unwrap();
        }
        assert!(run("toJson", &[value.clone()]).is_err());
        assert!(run("toString", &[value]).is_err());
    }
}
