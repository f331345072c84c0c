//! `Max-Forwards` of OPTIONS requests: how many proxies one may pass (RFC 9110 §7.6.2). TRACE, the other method that has it, is
//! refused anyway.

use crate::forward::RequestView;
use http::{HeaderValue, Method, header};

/// How many are left, for a request that counts them.
#[must_use]
pub fn left(request: &RequestView<'_>) -> Option<u32> {
    if *request.method != Method::OPTIONS {
        return None;
    }
    count(request.headers.get(header::MAX_FORWARDS)?)
}

/// Digits, and more of them than fit are more than anybody counts.
fn count(value: &HeaderValue) -> Option<u32> {
    let text = value.to_str().ok().filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some(text.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_counted_in_digits() {
        for (value, expected) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("4294967296", Some(u32::MAX)),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            ("1, 2", None),
            ("", None),
        ] {
            assert_eq!(count(&HeaderValue::from_static(value)), expected, "{value}");
        }
    }
}
