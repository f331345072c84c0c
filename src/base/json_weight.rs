//! What JSON takes in memory once it is read, in units of about 64 bytes, told from its text without reading it.
//!
//! An object of one field takes some 630 bytes and needs seven in a text (`{"":0}`), a number some 56 and two (`0,`): a bound on
//! the length of a text is none on the memory.

/// What a value takes that is no object.
pub const VALUE: usize = 1;
/// What an object takes beside its values.
pub const OBJECT: usize = 10;

/// The weight of a text, if it is JSON.
#[must_use]
pub fn of(text: &[u8]) -> usize {
    let (mut weight, mut in_text, mut escaped) = (VALUE, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b',' | b'[' | b':' => weight += VALUE,
            b'{' => weight += OBJECT,
            _ => {}
        }
    }
    weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_values_weigh_and_texts_do_not() {
        for (text, weight) in [("0", 1), ("[0,0]", 3), (r#"{"a":1}"#, 12), (r#"["{,[\"{"]"#, 2), ("[{},{}]", 23)] {
            assert_eq!(of(text.as_bytes()), weight, "{text}");
        }
    }
}
