//! What a load balancer writes in front of a connection, or somebody in its name: however it comes in pieces, it ends where it
//! ends in one, no beginning of it says anything else, and what it says can be said again in the other version.
//!
//! Input: the first bytes of a connection.

use porteur::downstream::proxy_protocol::{Header, HeaderError, parse};
use std::net::{IpAddr, SocketAddr};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// A header of version 2 with all that its length can count.
const LONGEST: usize = 16 + 65_535;

pub fn check(input: &[u8]) {
    let whole = parse(input);
    let decided = (0..=input.len()).find_map(|end| match parse(&input[..end]) {
        Ok(None) => None,
        result => Some((end, result)),
    });
    let Some((end, first)) = decided else {
        assert_eq!(whole, Ok(None));
        assert!(input.len() < LONGEST, "there is an end to waiting");
        return;
    };
    assert!(is_alike(first, whole), "{first:?} after {end} bytes, {whole:?} after all");
    let Ok(Some((header, length))) = first else { return };
    assert_eq!((length, whole), (end, first), "no byte of what follows is read");
    if let Header::Proxied { client, server } = header {
        assert_eq!(client.is_ipv4(), server.is_ipv4());
        for written in [line(client, server), binary(client, server)] {
            assert_eq!(parse(&written), Ok(Some((header, written.len()))));
        }
    }
}

/// A refusal stays one, whatever follows; for which reason depends on how much is there.
fn is_alike(
    first: Result<Option<(Header, usize)>, HeaderError>,
    whole: Result<Option<(Header, usize)>, HeaderError>,
) -> bool {
    first == whole || (first.is_err() && whole.is_err())
}

fn line(client: SocketAddr, server: SocketAddr) -> Vec<u8> {
    let family = if client.is_ipv4() { "TCP4" } else { "TCP6" };
    format!("PROXY {family} {} {} {} {}\r\n", client.ip(), server.ip(), client.port(), server.port()).into_bytes()
}

fn binary(client: SocketAddr, server: SocketAddr) -> Vec<u8> {
    let bytes = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let addresses = [bytes(client.ip()), bytes(server.ip())].concat();
    let ports = [client.port().to_be_bytes(), server.port().to_be_bytes()].concat();
    let family = if client.is_ipv4() { 0x11 } else { 0x21 };
    let length = u16::try_from(addresses.len() + ports.len()).expect("short").to_be_bytes();
    [SIGNATURE, &[0x21, family], &length, &addresses, &ports].concat()
}
