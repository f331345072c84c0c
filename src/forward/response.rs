//! The way back: which answers of an upstream are none, and what of an answer is not for the client.

use crate::base::Failure;
use crate::forward::{connection, egress};
use http::{HeaderValue, StatusCode, Version, header};
use pingora::http::ResponseHeader;

/// Whether an answer can be passed on. `asked_for_switch`: the client asked for another protocol.
///
/// # Errors
/// [`Failure::UpstreamProtocol`] for what leaves open where the answer ends, or who speaks what on the connection from here on:
/// a `101` that nobody asked for (RFC 9110 §15.2.2) or of HTTP/1.0, which has none (Pingora changes one side of the exchange and
/// not the other, and panics: `pingora-core/src/protocols/http/v1/client.rs`, `is_upgrade_resp`), and any transfer coding but
/// `chunked`, which alone we can undo and are never asked for another (RFC 9112 §6.1, §7.4).
pub fn check(response: &ResponseHeader, asked_for_switch: bool) -> Result<(), Failure> {
    let can_switch = asked_for_switch && response.version == Version::HTTP_11;
    let is_surprise = response.status == StatusCode::SWITCHING_PROTOCOLS && !can_switch;
    let mut codings = response.headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_known = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    };
    if is_surprise || !is_known { Err(Failure::UpstreamProtocol) } else { Ok(()) }
}

/// Removes what is about the upstream's connection alone, and says of the length what may be said.
pub fn reduce(response: &mut ResponseHeader) {
    connection::strip_response(response);
    settle_length(response);
}

/// RFC 9110 §8.6: interim answers and those without content have no length, and others one. Several that are equal, or a list
/// of equal ones, Pingora has taken for one; it refuses those that differ.
fn settle_length(response: &mut ResponseHeader) {
    if response.status == StatusCode::NO_CONTENT || response.status.is_informational() {
        response.remove_header(&header::CONTENT_LENGTH);
        // RFC 9112 §6.1 says the same of this one.
        response.remove_header(&header::TRANSFER_ENCODING);
        return;
    }
    let mut lengths = response.headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(first) = lengths.next().map(HeaderValue::as_bytes) else { return };
    if lengths.next().is_none() && !first.contains(&b',') {
        return;
    }
    let one = first.split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
    if let Ok(one) = HeaderValue::from_bytes(one) {
        // The name is valid.
        let _ = response.insert_header(header::CONTENT_LENGTH, one);
    }
}

/// Adds us to those who passed the answer on, with the version that it was received with (RFC 9110 §7.6.3): Pingora may have
/// raised it meanwhile (`proxy_h1.rs`, for a body without length). From here on the answer is of our own version (RFC 9112 §2.3),
/// and a body without length can be chunked. Interim answers go as they are.
///
/// # Errors
/// Never: name and value are valid.
pub fn sign(response: &mut ResponseHeader, received: Version) -> pingora::Result<()> {
    if !response.status.is_informational() {
        response.append_header("Via", egress::via(received))?;
    }
    response.set_version(Version::HTTP_11);
    Ok(())
}

/// For a client of HTTP/1.0, which knows no chunks (RFC 9112 §6.1). Says whether the body now ends with the connection.
pub fn unchunk(response: &mut ResponseHeader) -> bool {
    response.remove_header(&header::TRANSFER_ENCODING).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&'static str, &str)]) -> ResponseHeader {
        let mut response = ResponseHeader::build(status, None).expect("a response");
        for (name, value) in headers {
            response.append_header(*name, *value).expect("a header");
        }
        response
    }

    #[test]
    fn a_switch_must_have_been_asked_for() {
        assert_eq!(check(&response(101, &[]), false), Err(Failure::UpstreamProtocol));
        assert_eq!(check(&response(101, &[]), true), Ok(()));
        assert_eq!(check(&response(200, &[]), false), Ok(()));
        let mut old = response(101, &[]);
        old.set_version(Version::HTTP_10);
        assert_eq!(check(&old, true), Err(Failure::UpstreamProtocol));
    }

    #[test]
    fn chunked_is_the_one_coding() {
        for (coding, passes) in [
            ("chunked", true),
            ("Chunked", true),
            ("foo", false),
            ("gzip, chunked", false),
            ("chunked, chunked", false),
        ] {
            assert_eq!(check(&response(200, &[("Transfer-Encoding", coding)]), false).is_ok(), passes, "{coding}");
        }
        let twice = [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")];
        assert!(check(&response(200, &twice), false).is_err());
    }

    #[test]
    fn there_is_one_length_or_none() {
        for (status, lengths, expected) in [
            (200, &["5"][..], &["5"][..]),
            (200, &["5", "5"], &["5"]),
            (200, &["5, 5"], &["5"]),
            (304, &["5"], &["5"]),
            (204, &["5"], &[]),
            (103, &["0"], &[]),
            (200, &[], &[]),
        ] {
            let headers: Vec<_> = lengths.iter().map(|length| ("Content-Length", *length)).collect();
            let mut response = response(status, &headers);
            reduce(&mut response);
            let left: Vec<_> = response.headers.get_all(header::CONTENT_LENGTH).iter().collect();
            assert_eq!(left, expected, "{status} {lengths:?}");
        }
    }

    #[test]
    fn we_are_the_last_of_those_who_passed_it_on() {
        let mut response = response(200, &[("Via", "1.0 cache")]);
        sign(&mut response, Version::HTTP_10).expect("a header");
        let via: Vec<_> = response.headers.get_all(header::VIA).iter().collect();
        assert_eq!(via, ["1.0 cache", "1.0 porteur"]);
    }
}
