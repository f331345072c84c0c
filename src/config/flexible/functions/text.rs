//! Texts, with sprig's order of arguments: what is worked on comes last, as a pipeline gives it.

use super::{Function, MANY, Outcome, argument, count, string};
use crate::config::flexible::bounded::Bounded;
use crate::config::flexible::fault::Fault;
use crate::config::flexible::value::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::rc::Rc;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("quote", 1, MANY, |a| each(a, quoted)),
    Function::new("squote", 1, MANY, |a| {
        each(a, |text, out| ["'", text, "'"].iter().try_for_each(|part| out.push_str(part)))
    }),
    Function::new("toString", 1, 1, |a| Ok(Value::String(argument(a, 0)?.text()?))),
    Function::new("upper", 1, 1, |a| Ok(Value::string(string(a, 0)?.to_uppercase()))),
    Function::new("lower", 1, 1, |a| Ok(Value::string(string(a, 0)?.to_lowercase()))),
    Function::new("title", 1, 1, |a| Ok(Value::string(title(string(a, 0)?)))),
    Function::new("trim", 1, 1, |a| Ok(Value::string(string(a, 0)?.trim()))),
    Function::new("trimAll", 2, 2, |a| {
        let cut = string(a, 0)?;
        Ok(Value::string(string(a, 1)?.trim_matches(|c| cut.contains(c))))
    }),
    Function::new("trimPrefix", 2, 2, |a| {
        let text = string(a, 1)?;
        Ok(Value::string(text.strip_prefix(string(a, 0)?).unwrap_or(text)))
    }),
    Function::new("trimSuffix", 2, 2, |a| {
        let text = string(a, 1)?;
        Ok(Value::string(text.strip_suffix(string(a, 0)?).unwrap_or(text)))
    }),
    Function::new("replace", 3, 3, |a| replaced(string(a, 0)?, string(a, 1)?, string(a, 2)?).map(Value::string)),
    Function::new("contains", 2, 2, |a| Ok(Value::Bool(string(a, 1)?.contains(string(a, 0)?)))),
    Function::new("hasPrefix", 2, 2, |a| Ok(Value::Bool(string(a, 1)?.starts_with(string(a, 0)?)))),
    Function::new("hasSuffix", 2, 2, |a| Ok(Value::Bool(string(a, 1)?.ends_with(string(a, 0)?)))),
    Function::new("join", 2, 2, joined),
    Function::new("splitList", 2, 2, |a| Value::list(pieces(a)?.into_iter().map(Value::string).collect())),
    Function::new("split", 2, 2, |a| {
        let numbered = |(index, piece): (usize, &str)| (Rc::from(format!("_{index}")), Value::string(piece));
        Value::map(pieces(a)?.into_iter().enumerate().map(numbered).collect::<BTreeMap<_, _>>())
    }),
    Function::new("indent", 2, 2, |a| indented(a, "")),
    Function::new("nindent", 2, 2, |a| indented(a, "\n")),
    Function::new("b64enc", 1, 1, |a| {
        let mut out = Bounded::default();
        out.push_str(&STANDARD.encode(string(a, 0)?))?;
        Ok(Value::string(out.into_string()))
    }),
    // Sprig gives the message of the error in place of the text.
    Function::new("b64dec", 1, 1, |a| {
        let decoded = STANDARD.decode(string(a, 0)?).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        decoded.map(Value::string).ok_or_else(|| Fault::value("argument 1 is not base64 of a text"))
    }),
];

/// Every argument that is not null, with blanks between.
fn each(arguments: &[Value], write: fn(&str, &mut Bounded) -> Result<(), Fault>) -> Outcome {
    let mut out = Bounded::default();
    for value in arguments.iter().filter(|value| !matches!(value, Value::Nil)) {
        if !out.is_empty() {
            out.push(' ')?;
        }
        write(&value.text()?, &mut out)?;
    }
    Ok(Value::string(out.into_string()))
}

/// In double quotes with Go's escapes, which for usual characters are those of JSON.
pub(super) fn quoted(text: &str, out: &mut Bounded) -> Result<(), Fault> {
    out.push('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\')?;
                out.push(c)?;
            }
            '\n' => out.push_str("\\n")?,
            '\r' => out.push_str("\\r")?,
            '\t' => out.push_str("\\t")?,
            '\u{7}' => out.push_str("\\a")?,
            '\u{8}' => out.push_str("\\b")?,
            '\u{b}' => out.push_str("\\v")?,
            '\u{c}' => out.push_str("\\f")?,
            _ if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c)))?,
            _ if is_shown(c) => out.push(c)?,
            _ if u32::from(c) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", u32::from(c)))?,
            _ => out.push_str(&format!("\\U{:08x}", u32::from(c)))?,
        }
    }
    out.push('"')
}

/// Characters that have no shape of their own are escaped.
fn is_shown(c: char) -> bool {
    c == ' '
        || !(c.is_control()
            || c.is_whitespace()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{feff}'))
}

/// The first letter of each word as a capital; a word also begins behind punctuation other than `_`.
fn title(text: &str) -> String {
    let mut before = ' ';
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let is_start =
            if before.is_ascii() { !(before.is_ascii_alphanumeric() || before == '_') } else { before.is_whitespace() };
        if is_start {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        before = c;
    }
    out
}

fn replaced(old: &str, new: &str, text: &str) -> Result<String, Fault> {
    let mut out = Bounded::default();
    let mut end = 0;
    for (at, found) in text.match_indices(old) {
        out.push_str(text.get(end..at).unwrap_or_default())?;
        out.push_str(new)?;
        end = at + found.len();
    }
    out.push_str(text.get(end..).unwrap_or_default())?;
    Ok(out.into_string())
}

/// One value counts as a list of one; null is left out.
fn joined(arguments: &[Value]) -> Outcome {
    let separator = string(arguments, 0)?;
    let mut out = Bounded::default();
    let items = match argument(arguments, 1)? {
        Value::List(list) => list.items.as_slice(),
        other => std::slice::from_ref(other),
    };
    for (index, item) in items.iter().filter(|item| !matches!(item, Value::Nil)).enumerate() {
        if index > 0 {
            out.push_str(separator)?;
        }
        item.print(&mut out)?;
    }
    Ok(Value::string(out.into_string()))
}

/// An empty separator splits into characters.
fn pieces(arguments: &[Value]) -> Result<Vec<&str>, Fault> {
    let (separator, text) = (string(arguments, 0)?, string(arguments, 1)?);
    if separator.is_empty() {
        let character = |(at, c): (usize, char)| text.get(at..at + c.len_utf8());
        return Ok(text.char_indices().filter_map(character).collect());
    }
    Ok(text.split(separator).collect())
}

fn indented(arguments: &[Value], before: &str) -> Outcome {
    let width = count(arguments, 0)?;
    let mut out = Bounded::default();
    out.push_str(before)?;
    for line in string(arguments, 1)?.split_inclusive('\n') {
        out.fill(' ', width)?;
        out.push_str(line)?;
    }
    // A line that is empty because the text ends is a line.
    if string(arguments, 1)?.is_empty() || string(arguments, 1)?.ends_with('\n') {
        out.fill(' ', width)?;
    }
    Ok(Value::string(out.into_string()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{run, strings};
    use super::*;

    #[test]
    fn texts_are_worked_on_as_sprig_does() {
        for (name, arguments, expected) in [
            ("quote", vec!["a\"b\\\n\u{1}é\u{200b}"], "\"a\\\"b\\\\\\n\\x01é\\u200b\""),
            ("quote", vec!["a", "b"], "\"a\" \"b\""),
            ("squote", vec!["a'b"], "'a'b'"),
            ("upper", vec!["é"], "É"),
            ("lower", vec!["É"], "é"),
            ("title", vec!["my api-key a_b"], "My Api-Key A_b"),
            ("trim", vec![" \n a \t"], "a"),
            ("trimAll", vec!["/$", "/$a/b$/"], "a/b"),
            ("trimPrefix", vec!["v", "v1v"], "1v"),
            ("trimSuffix", vec!["v", "v1v"], "v1"),
            ("replace", vec!["a", "bb", "banana"], "bbbnbbnbb"),
            ("replace", vec!["", "-", "ab"], "-a-b-"),
            ("contains", vec!["an", "banana"], "true"),
            ("hasPrefix", vec!["http", "https"], "true"),
            ("hasSuffix", vec!["http", "https"], "false"),
            ("splitList", vec![",", "a,,b"], "[a  b]"),
            ("splitList", vec!["", "aé"], "[a é]"),
            ("split", vec!["$", "a$b"], "map[_0:a _1:b]"),
            ("b64enc", vec!["hi"], "aGk="),
            ("b64dec", vec!["aGk="], "hi"),
        ] {
            let arguments: Vec<_> = arguments.into_iter().map(Value::string).collect();
            assert_eq!(run(name, &arguments).as_deref(), Ok(expected), "{name}");
        }
        assert!(run("b64dec", &[Value::string("hunter2!")]).is_err_and(|message| !message.contains("hunter2")));
        assert_eq!(run("upper", &[Value::Int(1)]).unwrap_err(), "argument 1 is a number, not a string");
    }

    #[test]
    fn lists_are_joined_and_texts_indented() {
        assert_eq!(run("join", &[Value::string(", "), strings(&["a", "b"])]).as_deref(), Ok("a, b"));
        assert_eq!(run("join", &[Value::string("-"), Value::Int(7)]).as_deref(), Ok("7"));
        for (text, expected) in [("a\nb", "  a\n  b"), ("a\n", "  a\n  "), ("", "  ")] {
            assert_eq!(run("indent", &[Value::Int(2), Value::string(text)]).as_deref(), Ok(expected));
        }
        assert_eq!(run("nindent", &[Value::Int(1), Value::string("a")]).as_deref(), Ok("\n a"));
        assert!(run("indent", &[Value::Int(i64::MAX), Value::string("a")]).is_err());
        assert!(run("indent", &[Value::Int(-1), Value::string("a")]).is_err());
    }

    #[test]
    fn nothing_grows_without_a_bound() {
        let large = Value::string("x".repeat(1_000_000));
        assert!(run("replace", &[Value::string("x"), large.clone(), large.clone()]).is_err());
        assert!(run("join", &[large, strings(&[""; 100])]).is_err());
    }
}
