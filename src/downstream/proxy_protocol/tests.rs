//! Headers of both versions, and everything that is none.

use super::version_2::{SIGNATURE, checksum};
use super::*;
use crate::telemetry::metrics::Metrics;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv6Addr};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

const REST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

fn proxied(client: &str, server: &str) -> Header {
    Header::Proxied { client: client.parse().unwrap(), server: server.parse().unwrap() }
}

/// The line of version 1.
fn line(client: SocketAddr, server: SocketAddr) -> Vec<u8> {
    let family = if client.is_ipv4() { "TCP4" } else { "TCP6" };
    format!("PROXY {family} {} {} {} {}\r\n", client.ip(), server.ip(), client.port(), server.port()).into_bytes()
}

fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[command, family], &length, rest].concat()
}

fn addresses(client: SocketAddr, server: SocketAddr) -> (u8, Vec<u8>) {
    let bytes = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let family = if client.is_ipv4() { 0x11 } else { 0x21 };
    let ports = [client.port().to_be_bytes(), server.port().to_be_bytes()].concat();
    (family, [bytes(client.ip()), bytes(server.ip()), ports].concat())
}

fn value(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [&[kind][..], &u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

#[test]
fn lines_of_version_1() {
    for (text, expected) in [
        ("PROXY TCP4 192.0.2.7 198.51.100.1 51234 443\r\n", proxied("192.0.2.7:51234", "198.51.100.1:443")),
        ("PROXY TCP6 2001:db8::7 ::1 1 65535\r\n", proxied("[2001:db8::7]:1", "[::1]:65535")),
        ("PROXY UNKNOWN\r\n", Header::Unknown),
        ("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", Header::Unknown),
    ] {
        let bytes = [text.as_bytes(), REST].concat();
        assert_eq!(parse(&bytes), Ok(Some((expected, text.len()))), "{text}");
    }
}

#[test]
fn lines_that_are_not_of_version_1() {
    for text in [
        "PROXY TCP4 192.0.2.7 198.51.100.1 51234\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 51234 443 \r\n",
        "PROXY TCP4  192.0.2.7 198.51.100.1 51234 443\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 51234 443\n",
        "PROXY TCP4 192.0.2.07 198.51.100.1 51234 443\r\n",
        "PROXY TCP4 2001:db8::7 ::1 1 2\r\n",
        "PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 51234 65536\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 01 443\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 +1 443\r\n",
        "PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n",
        "PROXY \r\n",
        "PROXY \u{e9}\r\n",
    ] {
        assert_eq!(parse(text.as_bytes()), Err(HeaderError::Line), "{text}");
    }
    let longest = format!("PROXY UNKNOWN {}\r\n", "x".repeat(91));
    assert_eq!(parse(longest.as_bytes()), Ok(Some((Header::Unknown, 107))));
    assert_eq!(parse(longest.replace('\r', "xx").as_bytes()), Err(HeaderError::TooLong));
    for text in ["GET / HTTP/1.1\r\n", "PROXX", "proxy TCP4", "\r\n\r\n\0\r\nQUIX", "\x16\x03\x01"] {
        assert_eq!(parse(text.as_bytes()), Err(HeaderError::Absent), "{text:?}");
    }
}

#[test]
fn heads_of_version_2() {
    let (family, rest) = addresses("192.0.2.7:51234".parse().unwrap(), "198.51.100.1:443".parse().unwrap());
    let alpn = value(1, b"h2");
    for (bytes, expected) in [
        (binary(0x21, family, &rest), Ok(proxied("192.0.2.7:51234", "198.51.100.1:443"))),
        (binary(0x21, family, &[&rest[..], &alpn].concat()), Ok(proxied("192.0.2.7:51234", "198.51.100.1:443"))),
        (binary(0x20, 0, &[]), Ok(Header::Local)),
        (binary(0x20, family, &rest), Ok(Header::Local)),
        (binary(0x21, 0, b"what an unknown family has"), Ok(Header::Unknown)),
        (binary(0x21, 0x31, &[0; 216]), Ok(Header::Unknown)),
        (binary(0x21, 0x31, &[0; 215]), Err(HeaderError::Binary)),
        (binary(0x21, 0x12, &rest), Err(HeaderError::Binary)),
        (binary(0x21, family, &rest[1..]), Err(HeaderError::Binary)),
        (binary(0x21, family, &[&rest[..], &alpn[..4]].concat()), Err(HeaderError::Binary)),
        (binary(0x21, family, &[&rest[..], &[4, 0]].concat()), Err(HeaderError::Binary)),
        (binary(0x22, family, &rest), Err(HeaderError::Binary)),
        (binary(0x11, family, &rest), Err(HeaderError::Binary)),
        (
            binary(0x21, family, &[&rest[..], &value(4, &[0; 4081])].concat()),
            Ok(proxied("192.0.2.7:51234", "198.51.100.1:443")),
        ),
        (binary(0x21, family, &[&rest[..], &value(4, &[0; 4082])].concat()), Err(HeaderError::TooLong)),
    ] {
        let whole = [&bytes[..], REST].concat();
        assert_eq!(parse(&whole), expected.map(|header| Some((header, bytes.len()))), "{bytes:x?}");
    }
}

#[test]
fn a_checksum_is_checked() {
    assert_eq!(checksum(b"123456789", 9), 0xe306_9283, "the check value of CRC-32C");
    let (family, rest) = addresses("[2001:db8::7]:1".parse().unwrap(), "[::1]:2".parse().unwrap());
    let mut bytes = binary(0x21, family, &[&rest[..], &value(3, &[0; 4]), &value(4, b"noop")].concat());
    let place = 16 + 36 + 3;
    assert_eq!(parse(&bytes), Err(HeaderError::Checksum));
    let sum = checksum(&bytes, place);
    bytes[place..place + 4].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(parse(&bytes), Ok(Some((proxied("[2001:db8::7]:1", "[::1]:2"), bytes.len()))));
    bytes[20] ^= 1;
    assert_eq!(parse(&bytes), Err(HeaderError::Checksum));
}

fn socket() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    let v4 = any::<([u8; 4], [u8; 4], u16, u16)>()
        .prop_map(|(a, b, c, d)| (SocketAddr::new(a.into(), c), SocketAddr::new(b.into(), d)));
    let v6 = any::<([u8; 16], [u8; 16], u16, u16)>().prop_map(|(a, b, c, d)| {
        (SocketAddr::new(Ipv6Addr::from(a).into(), c), SocketAddr::new(Ipv6Addr::from(b).into(), d))
    });
    prop_oneof![v4, v6]
}

proptest! {
    /// What is written is read again, with whatever follows left alone, and no part of it is taken for the whole.
    #[test]
    fn headers_survive_the_way(((client, server), text, rest) in (socket(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..40))) {
        let (family, bytes) = addresses(client, server);
        let header = if text { line(client, server) } else { binary(0x21, family, &bytes) };
        let whole = [&header[..], &rest].concat();
        prop_assert_eq!(parse(&whole), Ok(Some((Header::Proxied { client, server }, header.len()))));
        for end in 0..header.len() {
            prop_assert_eq!(parse(&header[..end]), Ok(None));
        }
    }

    #[test]
    fn no_bytes_make_it_panic_or_read_too_far(start in 0_usize..3, bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let start = [&b""[..], b"PROXY TCP", &SIGNATURE][start];
        let whole = [start, &bytes].concat();
        if let Ok(Some((_, length))) = parse(&whole) {
            prop_assert!(length <= whole.len());
        }
    }
}

/// Two ends of a connection: the peer's and ours.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (peer, listener.accept().await.unwrap().0)
}

#[tokio::test]
async fn what_follows_the_header_stays_on_the_connection() {
    let (family, bytes) = addresses("192.0.2.7:1".parse().unwrap(), "192.0.2.8:2".parse().unwrap());
    for header in [
        line("192.0.2.7:1".parse().unwrap(), "192.0.2.8:2".parse().unwrap()),
        binary(0x21, family, &[&bytes[..], &value(4, &[0; 900])].concat()),
    ] {
        let (mut peer, mut tcp) = pair().await;
        peer.write_all(&[&header[..], REST].concat()).await.unwrap();
        peer.shutdown().await.unwrap();
        assert_eq!(read(&mut tcp).await.unwrap(), proxied("192.0.2.7:1", "192.0.2.8:2"));
        let mut rest = Vec::new();
        tcp.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, REST);
    }
}

#[tokio::test]
async fn a_header_may_come_byte_by_byte() {
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), binary(0x21, 0, b"abc")] {
        let (mut peer, mut tcp) = pair().await;
        peer.set_nodelay(true).unwrap();
        let writing = tokio::spawn(async move {
            for byte in [&header[..], REST].concat() {
                peer.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        assert_eq!(read(&mut tcp).await.unwrap(), Header::Unknown);
        writing.await.unwrap();
        let mut rest = Vec::new();
        tcp.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, REST);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_sends_no_header_in_time_is_given_up() {
    for begun in [&b""[..], b"PROXY TCP4 1", &SIGNATURE, b"PROXY UNKNOWN"] {
        let (mut peer, mut tcp) = pair().await;
        peer.write_all(begun).await.unwrap();
        assert!(matches!(read(&mut tcp).await, Err(ProxyHeaderError::Timeout)), "{begun:?}");
        drop(peer);
    }
}

#[tokio::test]
async fn only_those_who_are_trusted_are_listened_to() {
    let metrics = Metrics::new().unwrap();
    let balancer = "127.0.0.1:5".parse().unwrap();
    let mut results = Vec::new();
    for (network, bytes) in [
        ("127.0.0.0/8", &b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n"[..]),
        ("127.0.0.0/8", b"PROXY UNKNOWN\r\n"),
        ("10.0.0.0/8", b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n"),
        ("127.0.0.0/8", REST),
        ("127.0.0.0/8", b"PROXY"),
    ] {
        let (mut peer, mut tcp) = pair().await;
        peer.write_all(bytes).await.unwrap();
        peer.shutdown().await.unwrap();
        let rules = ProxyProtocol { trusted: vec![network.parse().unwrap()] };
        let client = client(&rules, &mut tcp, balancer, &metrics.tls).await;
        results.push(client.map(|client| client.to_string()).map_err(|error| error.to_string()));
    }
    let ok = |text: &str| Ok(text.to_owned());
    let [passed, unknown, untrusted, absent, cut] = results.as_slice() else { panic!("{results:?}") };
    assert_eq!((passed, unknown), (&ok("192.0.2.7:1"), &ok("127.0.0.1:5")));
    for (refused, why) in [(untrusted, "not trusted"), (absent, "begins otherwise"), (cut, "ended before")] {
        assert!(refused.as_ref().is_err_and(|text| text.contains(why)), "{refused:?}");
    }
    let text = String::from_utf8(metrics.render(std::iter::empty(), 0)).unwrap();
    for (result, count) in [("ok", 2), ("untrusted", 1), ("malformed", 1), ("closed", 1), ("timeout", 0)] {
        assert!(
            text.contains(&format!("porteur_proxy_protocol_headers_total{{result=\"{result}\"}} {count}\n")),
            "{text}"
        );
    }
}
