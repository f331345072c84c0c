//! Numbers, characters and texts, as Go writes them: decimal and hexadecimal, `"…"` with its escapes, `` `…` `` without.

use super::super::fault::Fault;
use super::super::value::Value;
use std::str::Chars;

/// A value and its length, or what is wrong with so many bytes.
type Literal = Result<(Value, usize), (Fault, usize)>;

/// What begins with `"`, `` ` `` or `'`.
pub(super) fn quoted(text: &str) -> Literal {
    match text.chars().next() {
        Some('`') => raw(text),
        Some('\'') => character(text),
        _ => interpreted(text, '"').map(|(text, length)| (Value::string(text), length)),
    }
}

fn raw(text: &str) -> Literal {
    match text.get(1..).and_then(|inner| inner.split_once('`')) {
        Some((inner, _)) => Ok((Value::string(inner), inner.len() + 2)),
        None => Err((Fault::syntax("the text is never closed").help("close it with a backquote"), text.len())),
    }
}

/// A character is its number.
fn character(text: &str) -> Literal {
    let (inner, length) = interpreted(text, '\'')?;
    let mut characters = inner.chars();
    match (characters.next(), characters.next()) {
        (Some(c), None) => Ok((Value::Int(i64::from(u32::from(c))), length)),
        _ => Err((Fault::syntax("a character is one, and this is not").help("texts are in `\"`"), length)),
    }
}

/// The text between quotes, and the length with them.
fn interpreted(text: &str, quote: char) -> Result<(String, usize), (Fault, usize)> {
    let mut meant = String::new();
    let mut rest = text.get(1..).unwrap_or_default().chars();
    loop {
        let before = text.len() - rest.as_str().len();
        match rest.next() {
            None | Some('\n') => {
                let help = "close it with its quote, or write a text of more than one line in backquotes";
                return Err((Fault::syntax("the text is never closed").help(help), before));
            }
            Some('\\') => {
                let Some(c) = escaped(&mut rest, quote) else {
                    let help = "one of `\\n`, `\\t`, `\\r`, `\\\"`, `\\\\`, `\\x41`, `\\u00e9`; or write the text in backquotes";
                    let length = text.len() - rest.as_str().len();
                    return Err((Fault::syntax("the text holds an escape that is none").help(help), length));
                };
                meant.push(c);
            }
            Some(c) if c == quote => return Ok((meant, text.len() - rest.as_str().len())),
            Some(c) => meant.push(c),
        }
    }
}

/// Octal escapes and those of bytes that are no character are not supported.
fn escaped(rest: &mut Chars<'_>, quote: char) -> Option<char> {
    let c = match rest.next()? {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' => '\\',
        'x' => return hexadecimal(rest, 2).filter(char::is_ascii),
        'u' => return hexadecimal(rest, 4),
        'U' => return hexadecimal(rest, 8),
        c if c == quote => c,
        _ => return None,
    };
    Some(c)
}

fn hexadecimal(rest: &mut Chars<'_>, digits: usize) -> Option<char> {
    let written = rest.as_str().get(..digits).filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
    *rest = rest.as_str().get(digits..)?.chars();
    char::from_u32(u32::from_str_radix(written, 16).ok()?)
}

/// What begins with a digit, a sign or a dot before a digit.
pub(super) fn number(text: &str) -> Literal {
    let mut last = ' ';
    let ends = |c: char| {
        let sign = matches!(c, '+' | '-') && matches!(last, ' ' | 'e' | 'E');
        last = c;
        !(sign || c == '.' || c == '_' || c.is_alphanumeric())
    };
    let length = text.find(ends).unwrap_or(text.len());
    let written = text.get(..length).unwrap_or_default();
    parsed(written).map(|value| (value, length)).ok_or_else(|| {
        let help = "numbers are written as `8080`, `-1`, `0.5`, `1e3` or `0xff`";
        (Fault::syntax("this is not a number").help(help), length.max(1))
    })
}

/// As in Go, a dot or an exponent makes it a float. A leading zero would make it octal there.
fn parsed(written: &str) -> Option<Value> {
    let (sign, digits) = match written.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, written.strip_prefix('+').unwrap_or(written)),
    };
    if let Some(digits) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return digits
            .bytes()
            .all(|b| b.is_ascii_hexdigit())
            .then(|| i64::from_str_radix(digits, 16).ok())?
            .map(|n| Value::Int(sign * n));
    }
    let is_plain = digits.bytes().all(|b| b.is_ascii_digit());
    if is_plain {
        let has_leading_zero = digits.len() > 1 && digits.starts_with('0');
        return if has_leading_zero { None } else { written.parse().ok().map(Value::Int) };
    }
    let fits = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    written.parse::<f64>().ok().filter(|value| fits && value.is_finite()).map(Value::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(literal: Literal) -> Option<(String, usize)> {
        literal.ok().map(|(value, length)| (value.text().unwrap().to_string(), length))
    }

    #[test]
    fn texts_mean_what_go_means() {
        for (written, meant) in [
            (r#""a\tb\"\\" x"#, "a\tb\"\\"),
            (r#""\u00e9\x41\U0001D11E""#, "éA𝄞"),
            ("`a\\n\n\"`", "a\\n\n\""),
            ("'a'", "97"),
            (r"'\''", "39"),
            ("\"\"", ""),
        ] {
            assert_eq!(text_of(quoted(written)).map(|(text, _)| text).as_deref(), Some(meant), "{written}");
        }
        for wrong in [r#""\q""#, r#""\xff""#, r#""\ud800""#, "\"a", "''", "'", r"'\", "`", r#""\u00é""#] {
            assert!(quoted(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_integers_unless_written_as_floats() {
        for (written, meant) in [
            ("8080)", "8080"),
            ("-1}}", "-1"),
            ("+2 ", "2"),
            ("0xff", "255"),
            ("1.50", "1.5"),
            ("1e6", "1e+06"),
            (".5", "0.5"),
        ] {
            assert_eq!(text_of(number(written)).map(|(text, _)| text).as_deref(), Some(meant), "{written}");
        }
        for wrong in ["007", "1_000", "1e", "0x", "1i", "-", "99999999999999999999", "1e999", "1.2.3", "+-1", "0x-1"] {
            assert!(number(wrong).is_err(), "{wrong}");
        }
    }
}
