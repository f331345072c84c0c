//! The headers that are about one connection and go no further (RFC 9110 §7.6.1): the one table of them.
//!
//! Taking them out of messages, with those that `Connection` names, is `forward`'s work.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use smallvec::SmallVec;

/// Every one of them. `Transfer-Encoding` frames a message on one connection; `HTTP2-Settings` belongs to an upgrade to h2c, and
/// `Proxy-Connection` to nothing that was ever specified (RFC 9112 §C.2.2).
pub static HOP_BY_HOP: [HeaderName; 10] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
];

/// Whether a header is about one connection alone.
#[must_use]
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(name)
}

/// The headers that `Connection` names: they are for the next hop alone (RFC 9110 §7.6.1). `close` and `keep-alive` are about
/// the connection, and framing is not for the other side to take away.
#[must_use]
pub fn nominated(headers: &HeaderMap) -> SmallVec<[HeaderName; 4]> {
    let names = |value: &HeaderValue| -> SmallVec<[HeaderName; 4]> {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
            .filter(|name| !matches!(*name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::CONNECTION))
            .collect()
    };
    headers.get_all(header::CONNECTION).iter().flat_map(names).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_cannot_be_nominated() {
        let mut headers = HeaderMap::new();
        headers.append(header::CONNECTION, HeaderValue::from_static("close, X-Hop,Content-Length"));
        headers.append(header::CONNECTION, HeaderValue::from_static("b\u{20}c,, Transfer-Encoding,TE"));
        let names = nominated(&headers);
        assert_eq!(names.iter().map(HeaderName::as_str).collect::<Vec<_>>(), ["close", "x-hop", "te"]);
    }
}
