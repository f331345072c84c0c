//! Version 1: a line of text, such as `PROXY TCP4 192.0.2.7 198.51.100.1 51234 443`.

use super::header::{Header, HeaderError};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How each begins.
pub(super) const START: &[u8] = b"PROXY ";

/// The longest line with its end, as the specification has it.
pub(super) const LONGEST: usize = 107;

pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, HeaderError> {
    let Some(end) = bytes.iter().take(LONGEST).position(|byte| *byte == b'\n') else {
        return if bytes.len() < LONGEST { Ok(None) } else { Err(HeaderError::TooLong) };
    };
    let line = bytes.get(START.len()..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(HeaderError::Line)?;
    let line = std::str::from_utf8(line).map_err(|_| HeaderError::Line)?;
    Ok(Some((header(line).ok_or(HeaderError::Line)?, end + 1)))
}

/// What stands behind `UNKNOWN` is not for us.
fn header(line: &str) -> Option<Header> {
    let (family, rest) = line.split_once(' ').unwrap_or((line, ""));
    let address = match family {
        "UNKNOWN" => return Some(Header::Unknown),
        "TCP4" => |text: &str| text.parse::<Ipv4Addr>().ok().map(IpAddr::from),
        "TCP6" => |text: &str| text.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        _ => return None,
    };
    let mut fields = rest.split(' ');
    let (client, server) = (address(fields.next()?)?, address(fields.next()?)?);
    let (from, to) = (port(fields.next()?)?, port(fields.next()?)?);
    let nothing_follows = fields.next().is_none();
    nothing_follows
        .then(|| Header::Proxied { client: SocketAddr::new(client, from), server: SocketAddr::new(server, to) })
}

/// Decimal digits without a leading zero.
fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}
