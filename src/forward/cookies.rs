//! Cookies in several fields. A client of HTTP/2 may send them so; outside of HTTP/2 they are one field (RFC 9113 §8.2.3).

use bytes::BytesMut;
use http::{HeaderValue, header};
use pingora::http::RequestHeader;
use pingora::{Error, ErrorType, Result};

/// Makes one field of several.
///
/// # Errors
/// Never: what was joined of values is a value.
pub fn join(request: &mut RequestHeader) -> Result<()> {
    let mut crumbs = request.headers.get_all(header::COOKIE).iter();
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else { return Ok(()) };
    let mut cookie = BytesMut::from(first.as_bytes());
    for crumb in std::iter::once(second).chain(crumbs) {
        cookie.extend_from_slice(b"; ");
        cookie.extend_from_slice(crumb.as_bytes());
    }
    let cookie =
        HeaderValue::from_maybe_shared(cookie.freeze()).map_err(|_| Error::new(ErrorType::InvalidHTTPHeader))?;
    request.insert_header("Cookie", cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(cookies: &[&'static str]) -> RequestHeader {
        let mut request = RequestHeader::build("GET", b"/", None).expect("a request");
        for cookie in cookies {
            request.append_header("cookie", HeaderValue::from_static(cookie)).expect("a field");
        }
        join(&mut request).expect("a value");
        request
    }

    #[test]
    fn crumbs_are_joined_and_whole_cookies_are_left_alone() {
        for (cookies, expected) in
            [(&[][..], &[][..]), (&["a=1; b=2"], &["a=1; b=2"]), (&["a=1", "b=2", "c"], &["a=1; b=2; c"])]
        {
            let request = request(cookies);
            let found: Vec<_> = request.headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
            assert_eq!(found, expected.iter().map(|text| text.as_bytes()).collect::<Vec<_>>());
        }
    }
}
