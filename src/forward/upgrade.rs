//! A change to the WebSocket protocol (RFC 6455): which request asks for it, and what of its answer must stay.

use crate::forward::RequestView;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use pingora::http::ResponseHeader;

/// Whether a request is a handshake (RFC 6455 §4.1). One with a body is none: nobody could say where it ends and the tunnel
/// begins.
#[must_use]
pub fn is_handshake(request: &RequestView<'_>) -> bool {
    *request.method == Method::GET
        && request.version == Version::HTTP_11
        && only(request.headers, &header::UPGRADE)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && lists(request.headers, &header::CONNECTION, b"upgrade")
        && !request.headers.contains_key(header::TRANSFER_ENCODING)
        && request.headers.get(header::CONTENT_LENGTH).is_none_or(|length| length == "0")
}

/// Whether an answer changes the protocol.
#[must_use]
pub fn is_accepted(response: &ResponseHeader) -> bool {
    response.status == StatusCode::SWITCHING_PROTOCOLS
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether one of the items of a list (RFC 9110 §5.6.1) is this word, in any case.
pub fn lists(headers: &HeaderMap, name: &HeaderName, word: &[u8]) -> bool {
    let has = |value: &HeaderValue| {
        value.as_bytes().split(|byte| *byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(word))
    };
    headers.get_all(name).iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(method: &Method, version: Version, headers: &[(&str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            map.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        let view = RequestView {
            method,
            raw_target: b"/",
            path: "/",
            query: None,
            headers: &map,
            version,
            client: None,
            secure: false,
            proxy: None,
        };
        is_handshake(&view)
    }

    #[test]
    fn only_a_bodiless_get_of_http_1_1_is_a_handshake() {
        let usual = [("Connection", "keep-alive, Upgrade"), ("Upgrade", "WebSocket")];
        assert!(asks(&Method::GET, Version::HTTP_11, &usual));
        assert!(!asks(&Method::POST, Version::HTTP_11, &usual));
        assert!(!asks(&Method::GET, Version::HTTP_10, &usual));
        assert!(!asks(&Method::GET, Version::HTTP_2, &usual));
        for more in [("Content-Length", "1"), ("Transfer-Encoding", "chunked"), ("Upgrade", "h2c")] {
            assert!(!asks(&Method::GET, Version::HTTP_11, &[usual[0], usual[1], more]), "{more:?}");
        }
        assert!(asks(&Method::GET, Version::HTTP_11, &[usual[0], usual[1], ("Content-Length", "0")]));
        assert!(!asks(&Method::GET, Version::HTTP_11, &[("Connection", "upgraded"), usual[1]]));
        assert!(!asks(&Method::GET, Version::HTTP_11, &[usual[0], ("Upgrade", "websocket, h2c")]));
        assert!(!asks(&Method::GET, Version::HTTP_11, &usual[..1]));
    }
}
