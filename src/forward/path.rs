//! Is a request path safe to route and forward as it is?
//!
//! Upstreams differ in what they do before they resolve `..`: some decode once more, some take `\` for `/`, some cut path
//! parameters (`..;x`). A path that could climb out of the endpoint it was matched for in one of these ways is not
//! forwarded.

use percent_encoding::{percent_decode, percent_decode_str};

/// What may be done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathForm {
    /// Route and forward the bytes as they are.
    Plain,
    /// Has dot segments: only a redirect to the cleaned path will do.
    Dotted,
    /// Cannot be made safe: answer 400.
    Refused,
}

/// Looks at a path once. Most have nothing that needs a second look.
#[must_use]
pub fn form(path: &str) -> PathForm {
    // A `\` is none of a URI's letters (RFC 3986 §2), and some take it for a `/`.
    if !path.starts_with('/') || path.contains('\\') {
        return PathForm::Refused;
    }
    if !path.contains(['%', ';']) && !path.contains("/.") {
        return PathForm::Plain;
    }
    path.split('/').map(segment_form).fold(PathForm::Plain, |worst, form| match (worst, form) {
        (PathForm::Refused, _) | (_, PathForm::Refused) => PathForm::Refused,
        (PathForm::Dotted, _) | (_, PathForm::Dotted) => PathForm::Dotted,
        _ => PathForm::Plain,
    })
}

fn segment_form(segment: &str) -> PathForm {
    if matches!(segment, "." | "..") {
        return PathForm::Dotted;
    }
    if !segment.contains(['%', ';']) {
        return PathForm::Plain;
    }
    if !escapes_are_whole(segment) {
        return PathForm::Refused;
    }
    let once: Vec<u8> = percent_decode_str(segment).collect();
    let twice: Vec<u8> = percent_decode(&once).collect();
    let is_bad = |byte: &u8| byte.is_ascii_control() || is_overlong(*byte);
    let bad = once.iter().any(is_bad) || twice.iter().copied().any(is_overlong);
    if bad || climbs(&once) || climbs(&twice) { PathForm::Refused } else { PathForm::Plain }
}

/// The two bytes that are in no UTF-8 (RFC 3629 §1): with them old decoders read `%c0%ae` as a dot and `%c0%af` as a slash.
const fn is_overlong(byte: u8) -> bool {
    matches!(byte, 0xC0 | 0xC1)
}

/// Whether a decoded segment is, or hides, a dot segment. One that decodes the path and hands it on to another server ends
/// it at what was `%3F` or `%23`.
fn climbs(decoded: &[u8]) -> bool {
    decoded.split(|byte| matches!(byte, b'/' | b'\\')).any(|part| {
        let name = part.split(|byte| matches!(byte, b';' | b'?' | b'#')).next().unwrap_or(part);
        matches!(name, b"." | b"..")
    })
}

/// Whether each `%` is followed by two hexadecimal digits.
fn escapes_are_whole(segment: &str) -> bool {
    segment.split('%').skip(1).all(|rest| {
        let mut digits = rest.bytes();
        (0..2).all(|_| digits.next().is_some_and(|digit| digit.is_ascii_hexdigit()))
    })
}

/// Whether a value, decoded once, still holds an escape or what ends a path: `%25`, `%3F`, `%23`. An upstream that decodes
/// once more would read something else than what was matched.
#[must_use]
pub fn hides_escape(value: &str) -> bool {
    let mut escapes = value.split('%').skip(1).map(str::as_bytes);
    escapes.any(|escape| matches!(escape, [b'2', b'5' | b'3', ..] | [b'3', b'F' | b'f', ..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use PathForm::{Dotted, Plain, Refused};
    use proptest::prelude::*;

    #[test]
    fn paths_are_told_apart() {
        for (path, expected) in [
            ("/", Plain),
            ("/a/b.json", Plain),
            ("/.well-known/x", Plain),
            ("/a/...", Plain),
            ("/a%20b/%2Fc", Plain),
            ("/a//b", Plain),
            ("/a/../b", Dotted),
            ("/a/.", Dotted),
            ("/..", Dotted),
            ("/a/%2e%2e/b", Refused),
            ("/a/..%2f..%2fetc", Refused),
            ("/a/.%2e", Refused),
            ("/a/..\\b", Refused),
            ("/a\\b", Refused),
            ("/a/%5c..%5cb", Refused),
            ("/a/..;/b", Refused),
            ("/a/..;x=1/b", Refused),
            ("/a/%2e%2e;/b", Refused),
            ("/a/%252e%252e/b", Refused),
            ("/a/..%3Fb", Refused),
            ("/a/..%2523b", Refused),
            ("/a/b..%3Fb", Plain),
            ("/a/b;v=1.1/c", Plain),
            ("/a/100%25", Plain),
            ("/a%00b", Refused),
            ("/a%0d%0ab", Refused),
            ("/a/%c0%ae%C0%AE/b", Refused),
            ("/a/%25c0%25ae/b", Refused),
            ("/a/%C3%80", Plain),
            ("/a%zz", Refused),
            ("/a%2", Refused),
            ("*", Refused),
            ("", Refused),
        ] {
            assert_eq!(form(path), expected, "{path}");
        }
    }
    #[test]
    fn escapes_of_escapes_are_found() {
        for (value, expected) in [
            ("a%252Fb", true),
            ("a%3Fx", true),
            ("a%3fx", true),
            ("a%23x", true),
            ("100%25", true),
            ("a%2Fb", false),
            ("a%20%3D", false),
            ("%C3%A9", false),
            ("25", false),
            ("", false),
        ] {
            assert_eq!(hides_escape(value), expected, "{value}");
        }
    }
    proptest! {
        #[test]
        fn an_escape_is_hidden_exactly_when_decoding_once_shows_it(
            pieces in proptest::collection::vec(
                prop_oneof!["%[0-9A-Fa-f]{2}", Just("%25".to_owned()), Just("%3f".to_owned()), "[a-z0-9]"], 0..6)
        ) {
            let value = pieces.concat();
            let shown = percent_decode_str(&value).any(|byte| matches!(byte, b'%' | b'?' | b'#'));
            prop_assert_eq!(hides_escape(&value), shown, "{}", value);
        }
    }
}
