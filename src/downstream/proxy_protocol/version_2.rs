//! Version 2: a binary head, addresses, and further values of which only the checksum is for us.

use super::header::{Header, HeaderError};
use std::net::{IpAddr, SocketAddr};

/// How each begins.
pub(super) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// The signature, version with command, family with transport, and the length of the rest.
pub(super) const HEAD: usize = 16;

/// The longest rest. Values such as a client's certificate make it long; senders stay below this.
const LONGEST_REST: usize = 4096;

const CHECKSUM: u8 = 0x03;

/// The whole length, once the head is there.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let rest = bytes.get(HEAD - 2..HEAD)?.try_into().map(u16::from_be_bytes).ok()?;
    bytes.starts_with(&SIGNATURE).then(|| HEAD + usize::from(rest))
}

pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, HeaderError> {
    let &[_, _, _, _, _, _, _, _, _, _, _, _, command, family, ..] = bytes else { return Ok(None) };
    let passes_on = match command {
        0x20 => false,
        0x21 => true,
        _ => return Err(HeaderError::Binary),
    };
    let Some(length) = length(bytes) else { return Ok(None) };
    if length > HEAD + LONGEST_REST {
        return Err(HeaderError::TooLong);
    }
    let Some(whole) = bytes.get(..length) else { return Ok(None) };
    let rest = whole.get(HEAD..).unwrap_or_default();
    let (header, addresses) = match (passes_on, family) {
        // Of its own connections a balancer may write any family.
        (false, _) => (Header::Local, size(family).filter(|size| *size <= rest.len()).unwrap_or(rest.len())),
        // Unspecified, or sockets of Unix: the specification lets both pass as unknown.
        (true, 0x00) => (Header::Unknown, rest.len()),
        (true, 0x31) => (Header::Unknown, 216),
        (true, 0x11) => (proxied::<4>(rest).ok_or(HeaderError::Binary)?, 12),
        (true, 0x21) => (proxied::<16>(rest).ok_or(HeaderError::Binary)?, 36),
        // Datagrams do not come over this socket.
        _ => return Err(HeaderError::Binary),
    };
    check(whole, HEAD + addresses)?;
    Ok(Some((header, length)))
}

/// How many bytes the addresses of a family have.
const fn size(family: u8) -> Option<usize> {
    match family >> 4 {
        0x1 => Some(12),
        0x2 => Some(36),
        0x3 => Some(216),
        _ => None,
    }
}

/// Two addresses of `N` bytes, then two ports.
fn proxied<const N: usize>(rest: &[u8]) -> Option<Header>
where
    [u8; N]: Into<IpAddr>,
{
    let (client, rest) = rest.split_first_chunk::<N>()?;
    let (server, rest) = rest.split_first_chunk::<N>()?;
    let (from, rest) = rest.split_first_chunk::<2>()?;
    let (to, _) = rest.split_first_chunk::<2>()?;
    Some(Header::Proxied {
        client: SocketAddr::new((*client).into(), u16::from_be_bytes(*from)),
        server: SocketAddr::new((*server).into(), u16::from_be_bytes(*to)),
    })
}

/// Walks over the values that begin at `start`: each has a type, a length of two bytes, and as many bytes.
fn check(whole: &[u8], start: usize) -> Result<(), HeaderError> {
    let mut at = start;
    let mut rest = whole.get(start..).ok_or(HeaderError::Binary)?;
    while let [kind, high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, next) = after.split_at_checked(length).ok_or(HeaderError::Binary)?;
        if *kind == CHECKSUM {
            let sent = value.try_into().map(u32::from_be_bytes).map_err(|_| HeaderError::Binary)?;
            if sent != checksum(whole, at + 3) {
                return Err(HeaderError::Checksum);
            }
        }
        (rest, at) = (next, at + 3 + length);
    }
    if rest.is_empty() { Ok(()) } else { Err(HeaderError::Binary) }
}

/// CRC-32C (RFC 9260 appendix A) of the whole header, whose four bytes of checksum at `place` count as zero. Few senders
/// write one, so it has no table.
pub(super) fn checksum(whole: &[u8], place: usize) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut sum = u32::MAX;
    for (at, byte) in whole.iter().enumerate() {
        sum ^= if (place..place + 4).contains(&at) { 0 } else { u32::from(*byte) };
        for _ in 0..8 {
            sum = (sum >> 1) ^ (POLYNOMIAL & (sum & 1).wrapping_neg());
        }
    }
    !sum
}
