//! JSON text to values. It is as strict as Go, and where Go is lenient it is lenient in the same way.

use crate::base::json_weight;
use serde_json::{Map, Number, Value};
use std::borrow::Cow;

/// How deep values may nest: as deep as `serde_json` goes, far below Go's 10,000.
const MAX_DEPTH: usize = 128;

/// How much a text may weigh ([`json_weight`]): some 256 MB in memory. Without a bound 16 MiB could become over a gigabyte.
pub(in crate::compose) const MOST_WEIGHT: usize = 4_000_000;

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text ends before its value does; an empty one has none.
    #[error("the text ends too early")]
    End,
    /// Something that cannot stand there.
    #[error("unexpected byte at offset {0}")]
    Unexpected(usize),
    /// Too many open brackets.
    #[error("values nest deeper than {MAX_DEPTH}")]
    Depth,
    /// It would take too much memory.
    #[error("there are too many values")]
    Heavy,
}

/// The first value of a text. What follows it is not looked at, as Go's decoder leaves it in its reader.
///
/// Numbers keep their text, the last one of equal keys counts, and each byte that is not UTF-8 becomes U+FFFD.
///
/// # Errors
///
/// Says what is wrong, and where.
pub fn read_json(body: &[u8]) -> Result<Value, JsonError> {
    let text = coerced(body);
    Reader { text: &text, bytes: text.as_bytes(), at: 0, left: MOST_WEIGHT }.value(0)
}

/// Go writes one U+FFFD for each byte that is not UTF-8, and not one for each broken character as the standard library does.
pub(in crate::compose) fn coerced(body: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(body) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(body.len() + 16);
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(text)
}

struct Reader<'a> {
    text: &'a str,
    /// The same, by its bytes.
    bytes: &'a [u8],
    at: usize,
    /// How much more it may weigh.
    left: usize,
}

impl Reader<'_> {
    /// The next byte that is not a blank.
    fn peek(&mut self) -> Result<u8, JsonError> {
        while let Some(byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(*byte);
            }
            self.at += 1;
        }
        Err(JsonError::End)
    }

    fn unexpected<T>(&self) -> Result<T, JsonError> {
        Err(if self.at < self.bytes.len() { JsonError::Unexpected(self.at) } else { JsonError::End })
    }

    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        if depth > MAX_DEPTH {
            return Err(JsonError::Depth);
        }
        self.weigh(json_weight::VALUE)?;
        match self.peek()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string().map(Value::String),
            b'-' | b'0'..=b'9' => self.number(),
            b'n' => self.word("null", Value::Null),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            _ => self.unexpected(),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, JsonError> {
        for byte in word.bytes() {
            self.eat(byte)?;
        }
        Ok(value)
    }

    fn eat(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.bytes.get(self.at) != Some(&byte) {
            return self.unexpected();
        }
        self.at += 1;
        Ok(())
    }

    /// Whether another item follows: a comma, or the end of the list.
    fn goes_on(&mut self, end: u8) -> Result<bool, JsonError> {
        let byte = self.peek()?;
        if byte != b',' && byte != end {
            return self.unexpected();
        }
        self.at += 1;
        Ok(byte == b',')
    }

    fn array(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if !self.goes_on(b']')? {
                return Ok(Value::Array(items));
            }
        }
    }

    fn weigh(&mut self, weight: usize) -> Result<(), JsonError> {
        self.left = self.left.checked_sub(weight).ok_or(JsonError::Heavy)?;
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.weigh(json_weight::OBJECT)?;
        self.at += 1;
        let mut members = Map::new();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(Value::Object(members));
        }
        loop {
            if self.peek()? != b'"' {
                return self.unexpected();
            }
            let key = self.string()?;
            self.peek()?;
            self.eat(b':')?;
            let value = self.value(depth + 1)?;
            members.insert(key, value);
            if !self.goes_on(b'}')? {
                return Ok(Value::Object(members));
            }
        }
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            return self.unexpected();
        }
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        // The checked way to make a number rewrites its exponent.
        let text = self.text.get(start..self.at).unwrap_or_default();
        Ok(Value::Number(Number::from_string_unchecked(text.to_owned())))
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
            let Some(plain) = plain else {
                return Err(JsonError::End);
            };
            text.push_str(self.text.get(self.at..self.at + plain).unwrap_or_default());
            self.at += plain;
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                _ => return self.unexpected(),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let c = match self.bytes.get(self.at) {
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
            _ => return self.unexpected(),
        };
        self.at += 1;
        Ok(c)
    }

    /// What follows `\u`: a character, or two halves of one. A half alone is U+FFFD.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let unit = self.hex()?;
        if !(0xD800..0xDC00).contains(&unit) {
            return Ok(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let here = self.at;
        if self.bytes.get(here..here + 2) == Some(b"\\u") {
            self.at += 2;
            let low = self.hex()?;
            if (0xDC00..0xE000).contains(&low) {
                let code = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = here;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex(&mut self) -> Result<u32, JsonError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.bytes.get(self.at).and_then(|byte| char::from(*byte).to_digit(16));
            let Some(digit) = digit else {
                return self.unexpected();
            };
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::super::write_json;
    use super::*;
    use proptest::prelude::*;

    fn written(text: &str) -> String {
        String::from_utf8(write_json(&read_json(text.as_bytes()).unwrap()).to_vec()).unwrap()
    }

    #[test]
    fn numbers_keep_their_text_1_6() {
        let text = "[1.10,12345678901234567890,-0,1E5,1e+05,0.1e-7,-12.50,1e400]";
        assert_eq!(written(text), text);
    }

    #[test]
    fn only_the_first_value_is_read_1_6() {
        assert_eq!(written(" \n{\"a\": 1} {\"b\": 2}"), r#"{"a":1}"#);
        assert_eq!(written("[] garbage"), "[]");
    }

    #[test]
    fn of_equal_keys_the_last_counts() {
        assert_eq!(written(r#"{"a": 1, "b": 2, "a": {"c": 3}}"#), r#"{"a":{"c":3},"b":2}"#);
    }

    #[test]
    fn what_is_not_a_character_is_replaced_as_go_does_it() {
        // Go gives one U+FFFD for each byte, and one for each half of a surrogate pair that stands alone.
        assert_eq!(read_json(b"\"a\xe4\xbdb\""), Ok("a\u{fffd}\u{fffd}b".into()));
        for (text, value) in [
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\ude00x""#, "\u{fffd}x"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\ud83d\n""#, "\u{fffd}\n"),
        ] {
            assert_eq!(read_json(text.as_bytes()), Ok(value.into()), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, problem) in [
            ("", JsonError::End),
            (" \n", JsonError::End),
            ("{", JsonError::End),
            ("\"abc", JsonError::End),
            ("[1", JsonError::End),
            ("tru", JsonError::End),
            ("\u{feff}{}", JsonError::Unexpected(0)),
            ("[1,]", JsonError::Unexpected(3)),
            ("{\"a\":1,}", JsonError::Unexpected(7)),
            ("{'a':1}", JsonError::Unexpected(1)),
            ("{\"a\" 1}", JsonError::Unexpected(5)),
            ("[01]", JsonError::Unexpected(2)),
            ("[1.]", JsonError::Unexpected(3)),
            ("[+1]", JsonError::Unexpected(1)),
            ("[1e]", JsonError::Unexpected(3)),
            ("[-]", JsonError::Unexpected(2)),
            ("[NaN]", JsonError::Unexpected(1)),
            ("\"a\nb\"", JsonError::Unexpected(2)),
            ("\"\\x\"", JsonError::Unexpected(2)),
            ("\"\\u12g4\"", JsonError::Unexpected(5)),
        ] {
            assert_eq!(read_json(text.as_bytes()), Err(problem), "{text:?}");
        }
    }

    #[test]
    fn a_text_with_more_values_than_are_held_is_refused() {
        let values = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
        let objects = |count: usize| format!("[{}0]", "{},".repeat(count));
        assert!(read_json(values(MOST_WEIGHT - 1).as_bytes()).is_ok());
        assert_eq!(read_json(values(MOST_WEIGHT).as_bytes()), Err(JsonError::Heavy));
        assert!(read_json(objects(MOST_WEIGHT / 12).as_bytes()).is_ok());
        assert_eq!(read_json(objects(MOST_WEIGHT / 10).as_bytes()), Err(JsonError::Heavy));
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read_json(nested(MAX_DEPTH + 1).as_bytes()).is_ok());
        for text in [nested(MAX_DEPTH + 2), "[".repeat(1_000_000), "{\"a\":".repeat(1_000_000)] {
            assert_eq!(read_json(text.as_bytes()), Err(JsonError::Depth));
        }
    }

    /// A key that `serde_json` gives a meaning of its own.
    #[test]
    fn no_key_is_special() {
        let text = r#"{"$serde_json::private::Number":"abc"}"#;
        assert_eq!(written(text), text);
    }

    /// Text that is often JSON, and otherwise almost.
    fn nearly_json() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"b\":", "1", "-0.5e3", "null", "true", " ", "\\u00e9", "\\",
            "é",
        ]);
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn it_takes_what_serde_json_takes(text in prop_oneof![nearly_json(), "\\PC*"]) {
            let theirs = serde_json::Deserializer::from_str(&text).into_iter::<Value>().next();
            match (read_json(text.as_bytes()), theirs) {
                // Only they rewrite exponents.
                (Ok(_), Some(Ok(theirs))) => prop_assert_eq!(serde_json::from_str::<Value>(&written(&text)).ok(), Some(theirs)),
                // A word or number at the top must be followed by nothing like it, they say.
                (Err(_) | Ok(Value::Number(_) | Value::Null | Value::Bool(_)), None | Some(Err(_))) => {}
                (ours, theirs) => prop_assert!(false, "{:?} {:?}", ours, theirs),
            }
        }

        #[test]
        fn no_bytes_make_it_panic(body: Vec<u8>) {
            let _ = read_json(&body);
        }
    }
}
