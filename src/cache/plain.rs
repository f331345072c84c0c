//! Headers as the cache policy can read them. It takes one line of each header and compares names of directives letter by letter;
//! requests and answers come with several lines and in any case.

use http::header::{AGE, CACHE_CONTROL, HOST, PRAGMA};
use http::{HeaderMap, HeaderValue};

/// The most an `Age` can be (RFC 9111 §1.2.2). More would overflow in the policy's sums.
const MAX_AGE: u64 = 1 << 31;

/// Each header on one line, directives in lower case, `Age` within its bounds. `Host` is left out: it belongs to the origin.
pub(super) fn plain(headers: &HeaderMap) -> HeaderMap {
    let mut plain = HeaderMap::with_capacity(headers.keys_len());
    for name in headers.keys().filter(|name| *name != HOST) {
        let Some(mut line) = joined(headers.get_all(name).iter()) else { continue };
        if *name == CACHE_CONTROL || *name == PRAGMA {
            line = lower(&line);
        } else if *name == AGE {
            line = HeaderValue::from(seconds(&line).unwrap_or(0));
        }
        plain.insert(name.clone(), line);
    }
    plain
}

/// Directives in lower case. That a client would take stale answers is left out: nothing says they are good enough for it, and
/// the policy would give it those whose `s-maxage` forbids it (RFC 9111 §5.2.2.10).
fn lower(line: &HeaderValue) -> HeaderValue {
    let lower = line.as_bytes().to_ascii_lowercase();
    let parts = lower.split(|byte| *byte == b',');
    let kept: Vec<_> = parts.filter(|part| !part.trim_ascii_start().starts_with(b"max-stale")).collect();
    HeaderValue::from_bytes(&kept.join(&b',')).unwrap_or_else(|_| line.clone())
}

/// The values of one header as one. A lone one is not copied.
fn joined<'a>(mut values: impl Iterator<Item = &'a HeaderValue>) -> Option<HeaderValue> {
    let first = values.next()?;
    let Some(second) = values.next() else {
        return Some(first.clone());
    };
    let mut all = first.as_bytes().to_vec();
    for value in std::iter::once(second).chain(values) {
        all.extend_from_slice(b", ");
        all.extend_from_slice(value.as_bytes());
    }
    HeaderValue::from_bytes(&all).ok()
}

/// A number of seconds; one that is too large to be written counts as the largest.
pub(super) fn seconds(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(MAX_AGE).min(MAX_AGE))
}

/// The directives of a plain `Cache-Control`; `None` when two of them contradict each other, or they cannot be read.
pub(super) fn directives(headers: &HeaderMap) -> Option<Vec<(&str, &str)>> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    let Some(line) = headers.get(CACHE_CONTROL) else {
        return Some(found);
    };
    for part in line.to_str().ok()?.split(',') {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let (name, value) = (name.trim(), value.trim().trim_matches('"'));
        if found.iter().any(|(other, before)| *other == name && *before != value) {
            return None;
        }
        found.push((name, value));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = lines.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()));
        let mut headers = HeaderMap::new();
        pairs.for_each(|(name, value): (http::HeaderName, _)| {
            headers.append(name, value);
        });
        headers
    }

    #[test]
    fn each_header_is_one_line() {
        let read = plain(&headers(&[
            ("vary", "Accept"),
            ("vary", "Origin"),
            ("cache-control", "Max-Age=5"),
            ("cache-control", "PRIVATE"),
            ("host", "x"),
            ("age", "99999999999999999999"),
        ]));
        assert_eq!(
            read,
            headers(&[("vary", "Accept, Origin"), ("cache-control", "max-age=5, private"), ("age", "2147483648")])
        );
        assert_eq!(plain(&headers(&[("age", "-1")])), headers(&[("age", "0")]));
        assert_eq!(plain(&headers(&[("age", "18446744073709551615")])), headers(&[("age", "2147483648")]));
    }

    #[test]
    fn contradictions_are_seen() {
        let of = |line| directives(&headers(&[("cache-control", line)])).map(|found| found.len());
        assert_eq!(of("max-age=5, max-age=\"5\", public"), Some(3));
        assert_eq!(of("max-age=5, max-age=6"), None);
        assert_eq!(of(""), Some(1));
        assert_eq!(directives(&HeaderMap::new()), Some(vec![]));
    }
}
