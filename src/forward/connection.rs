//! What is about one connection is taken out of a message before it goes on (RFC 9110 §7.6.1). Which headers that is stands in
//! [`base::hop_by_hop`](crate::base::hop_by_hop).
//!
//! | message | who does it |
//! |---|---|
//! | a request that streams | Pingora, before it asks us (`HttpUpstreamRequestPolicy`); it answers 400 where `Connection` names `Host`, an `X-Forwarded-…` or ten headers and more |
//! | a request that is held | [`strip_request`] |
//! | an answer | [`strip_response`] |

use crate::base::hop_by_hop::{HOP_BY_HOP, is_hop_by_hop, nominated};
use http::{HeaderMap, HeaderName, StatusCode, header};
use pingora::http::{RequestHeader, ResponseHeader};

/// Whether a request has any header that must not leave its connection. Most have none, and need not be searched for each.
#[must_use]
pub fn has_hop_by_hop(headers: &HeaderMap) -> bool {
    headers.keys().any(is_hop_by_hop)
}

/// More names than any client has headers of its own hops.
const MOST_NOMINATED: usize = 9;

/// Headers that say who asks for what: they are not for the client to take away.
static PROTECTED: [HeaderName; 4] = [
    header::HOST,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
];

/// Whether `Connection` names what is no header, too many of them, or one that must stay. Pingora refuses the same of requests
/// that stream (`pingora-proxy/src/proxy_common.rs`, `ConnectionNominations`), but later.
#[must_use]
pub fn is_abused(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::CONNECTION).iter();
    let named = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii));
    let mut named = named.filter(|name| !name.is_empty()).enumerate();
    named.any(|(index, name)| {
        index >= MOST_NOMINATED || HeaderName::from_bytes(name).map_or(true, |name| PROTECTED.contains(&name))
    })
}

/// Takes them out of a request, for a carrier that has no Pingora to do it.
pub fn strip_request(request: &mut RequestHeader) {
    for name in nominated(&request.headers) {
        request.remove_header(&name);
    }
    for name in &HOP_BY_HOP {
        request.remove_header(name);
    }
}

/// Takes them out of an answer. `Connection` and `Transfer-Encoding` Pingora writes itself; the others it would pass on to HTTP/1
/// clients. A change of protocol is made by `Upgrade` and `Connection` (RFC 9110 §7.8), so there they stay.
pub fn strip_response(response: &mut ResponseHeader) {
    let switches = response.status == StatusCode::SWITCHING_PROTOCOLS;
    let stays = |name: &HeaderName| match *name {
        header::CONNECTION | header::TRANSFER_ENCODING => true,
        header::UPGRADE => switches,
        _ => false,
    };
    // Most answers have none of them, and a look at each name is cheaper than as many look-ups.
    let is_one = |name: &HeaderName| *name == header::CONNECTION || (is_hop_by_hop(name) && !stays(name));
    if !response.headers.keys().any(is_one) {
        return;
    }
    for name in nominated(&response.headers).iter().filter(|name| !stays(name)) {
        response.remove_header(name);
    }
    for name in HOP_BY_HOP.iter().filter(|name| !stays(name)) {
        response.remove_header(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn stripped(status: u16, headers: &[(&'static str, &str)]) -> Vec<String> {
        let mut response = ResponseHeader::build(status, None).expect("a response");
        for (name, value) in headers {
            response.append_header(*name, *value).expect("a header");
        }
        strip_response(&mut response);
        let mut left: Vec<String> = response.headers.keys().map(|name| name.as_str().to_owned()).collect();
        left.sort_unstable();
        left
    }

    #[test]
    fn hop_by_hop_headers_stay_on_their_hop() {
        let headers = [
            ("Connection", "keep-alive, X-Hop"),
            ("Connection", "x-other ,Content-Length"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "keep-alive"),
            ("X-Hop", "1"),
            ("X-Other", "2"),
            ("Upgrade", "h2c"),
            ("Proxy-Authenticate", "Basic"),
            ("TE", "trailers"),
            ("Trailer", "X-T"),
            ("Content-Length", "3"),
            ("Set-Cookie", "a=b"),
        ];
        assert_eq!(stripped(200, &headers), ["connection", "content-length", "set-cookie"]);
    }

    #[test]
    fn what_connection_may_not_name_is_found() {
        let abused = |lines: &[&'static str]| {
            let values = lines.iter().map(|line| (header::CONNECTION, HeaderValue::from_static(line)));
            is_abused(&values.collect())
        };
        for lines in [&[][..], &["close"], &["a,b,,c", " d ,\te,f", "g,h,i"], &["Content-Length"], &[""]] {
            assert!(!abused(lines), "{lines:?}");
        }
        for lines in [
            &["a b"][..],
            &["close", "@"],
            &["\"x\""],
            &["x/y"],
            &["X-Forwarded-For"],
            &["Host"],
            &[":path"],
            &["a,b,c,d,e,f,g,h,i,j"],
        ] {
            assert!(abused(lines), "{lines:?}");
        }
    }

    #[test]
    fn a_change_of_protocol_keeps_what_makes_it() {
        let headers = [("Connection", "Upgrade, X-Hop"), ("Upgrade", "websocket"), ("X-Hop", "1"), ("Keep-Alive", "x")];
        assert_eq!(stripped(101, &headers), ["connection", "upgrade"]);
    }
}
