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
