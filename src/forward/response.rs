//! The way back: what of an upstream's answer is not for the client.

use crate::forward::{connection, upgrade};
use http::{HeaderName, header};
use pingora::http::ResponseHeader;

/// Hop-by-hop headers of a response (RFC 9110 §7.6.1) apart from `Connection` and `Transfer-Encoding`, which Pingora
/// writes itself; the others it passes on to HTTP/1 clients.
static HOP_BY_HOP: [HeaderName; 6] = [
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
];

/// Removes hop-by-hop headers and those that `Connection` names.
pub fn reduce(response: &mut ResponseHeader) {
    // The two headers are what changes the protocol (RFC 9110 §7.8), and nothing else may come along.
    if upgrade::is_accepted(response) {
        remove_all_but_upgrade(response);
        return;
    }
    // Most answers have none of them, and a look at each name is cheaper than seven look-ups.
    let is_one = |name: &HeaderName| *name == header::CONNECTION || HOP_BY_HOP.contains(name);
    if !response.headers.keys().any(is_one) {
        return;
    }
    for name in connection::named(&response.headers) {
        response.remove_header(&name);
    }
    for name in &HOP_BY_HOP {
        response.remove_header(name);
    }
}

fn remove_all_but_upgrade(response: &mut ResponseHeader) {
    for name in connection::named(&response.headers) {
        if name != header::UPGRADE {
            response.remove_header(&name);
        }
    }
    for name in HOP_BY_HOP.iter().filter(|name| **name != header::UPGRADE) {
        response.remove_header(name);
    }
}

/// For a client of HTTP/1.0, which knows no chunks (RFC 9112 §6.1). Says whether the body now ends with the connection.
pub fn unchunk(response: &mut ResponseHeader) -> bool {
    response.remove_header(&header::TRANSFER_ENCODING).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hop_by_hop_headers_stay_on_their_hop() {
        let mut response = ResponseHeader::build(200, None).expect("a response");
        for (name, value) in [
            ("Connection", "keep-alive, X-Hop"),
            ("Connection", "x-other ,Content-Length"),
            ("Keep-Alive", "timeout=5"),
            ("X-Hop", "1"),
            ("X-Other", "2"),
            ("Upgrade", "h2c"),
            ("Proxy-Authenticate", "Basic"),
            ("Trailer", "X-T"),
            ("Content-Length", "3"),
            ("Set-Cookie", "a=b"),
        ] {
            response.append_header(name, value).expect("a header");
        }
        reduce(&mut response);
        let mut left: Vec<&str> = response.headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["connection", "content-length", "set-cookie"]);
    }
}
