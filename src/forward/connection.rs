//! What a `Connection` header says of other headers.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use smallvec::SmallVec;

/// The headers that `Connection` names: they are for the next hop alone (RFC 9110 §7.6.1). `close` and `keep-alive` are about
/// the connection, and framing is not for the other side to take away.
#[must_use]
pub fn named(headers: &HeaderMap) -> SmallVec<[HeaderName; 4]> {
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
