//! `Expect`: what a client wants to be sure of before it sends the body (RFC 9110 §10.1.1).

use http::{HeaderMap, Version, header};

/// Whether it expects something that nobody has specified: the answer is 417.
#[must_use]
pub fn is_unknown(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::EXPECT).iter();
    let is_known = |member: &[u8]| member.trim_ascii().eq_ignore_ascii_case(b"100-continue");
    !lines.all(|line| line.as_bytes().split(|byte| *byte == b',').all(is_known))
}

/// Whether it waits for a `100 Continue`, which a client of HTTP/1.0 does not know.
#[must_use]
pub fn waits(version: Version, headers: &HeaderMap) -> bool {
    version != Version::HTTP_10 && headers.contains_key(header::EXPECT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn there_is_one_expectation() {
        for (lines, unknown) in [
            (&[][..], false),
            (&["100-continue"], false),
            (&["100-Continue"], false),
            (&["100-continue", "100-continue"], false),
            (&["100-continue, 100-continue"], false),
            (&["200-ok"], true),
            (&["100-continue", "x"], true),
            (&["100-continue; a=b"], true),
            (&["100-continue, x"], true),
            (&[""], true),
        ] {
            let headers = lines.iter().map(|line| (header::EXPECT, HeaderValue::from_static(line))).collect();
            assert_eq!(is_unknown(&headers), unknown, "{lines:?}");
        }
    }
}
