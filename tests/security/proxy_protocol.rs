//! The PROXY protocol: HAProxy is believed where it is trusted, and nobody else.

use crate::support::authority::Authority;
use crate::support::client::{self, Connection};
use crate::support::gateway::{Running, endpoint};
use crate::support::haproxy::Haproxy;
use crate::support::reply::Reply;
use crate::support::tls_edge::{TlsEdge, files};
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

fn upstream() -> Upstream {
    Upstream::start(|_| Reply::text("hello"))
}

fn listening(upstream: &Upstream, trusted: &str) -> Running {
    let listeners = json!([{ "listen": "127.0.0.1:0", "proxy_protocol": { "trusted": [trusted] } }]);
    Running::start(json!({
        "extra_config": { "listeners": listeners }, "endpoints": [endpoint("/x", &upstream.url(), "/x")],
    }))
}

/// The service's own port asks for the header, and a further listener does not.
fn listening_itself(upstream: &Upstream, trusted: &str) -> Running {
    let (header, listeners) = (json!({ "trusted": [trusted] }), json!([{ "listen": "127.0.0.1:0" }]));
    Running::start(json!({
        "extra_config": { "proxy_protocol": header, "listeners": listeners },
        "endpoints": [endpoint("/x", &upstream.url(), "/x")],
    }))
}

/// Names 192.0.2.8 with version 2.
const BINARY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x08\xc6\x33\x64\x01\xc8\x22\x01\xbb";
const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: edge.test\r\n\r\n";

/// The whole answer to these bytes, which may be none.
fn answer(gateway: &Running, bytes: &[u8]) -> Option<client::Response> {
    client::try_send(gateway.further[0], bytes).ok()
}

#[test]
fn the_client_is_whom_the_header_names() {
    let upstream = upstream();
    let gateway = listening(&upstream, "127.0.0.0/8");
    for (header, client) in [
        (&b"PROXY TCP4 192.0.2.7 198.51.100.1 51234 443\r\n"[..], "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 51234 443\r\n", "2001:db8::7"),
        (BINARY, "192.0.2.8"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    ] {
        let before = upstream.requests().len();
        assert_eq!(answer(&gateway, &[header, GET].concat()).unwrap().status, 200);
        let requests = upstream.requests();
        assert_eq!(requests.len(), before + 1);
        assert_eq!(requests[before].header("x-forwarded-for"), Some(client));
    }
    assert!(gateway.access_log(4).contains("192.0.2.7"));
}

#[test]
fn haproxy_passes_clients_on_with_both_versions() {
    let upstream = upstream();
    let gateway = listening(&upstream, "127.0.0.0/8");
    for options in ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c"] {
        let haproxy = Haproxy::before(gateway.further[0], options);
        let mut connection = Connection::open(haproxy.address);
        for _ in 0..2 {
            let answer = connection.request(GET);
            assert_eq!((answer.status, answer.text().as_str()), (200, "hello"), "{options}");
        }
    }
    assert_eq!(upstream.requests().len(), 6);
    assert_eq!(gateway.metric(r#"porteur_proxy_protocol_headers_total{result="ok"}"#), 3.0);
}

/// What a balancer sends when it only looks whether we are there: no request follows.
#[test]
fn haproxy_s_health_checks_are_no_errors() {
    let upstream = upstream();
    let gateway = listening(&upstream, "127.0.0.0/8");
    let haproxy = Haproxy::before(gateway.further[0], "send-proxy-v2 check check-send-proxy inter 50");
    crate::support::poll::eventually(crate::support::poll::PATIENCE, "three checks", || {
        gateway.metric(r#"porteur_proxy_protocol_headers_total{result="ok"}"#) >= 3.0
    });
    assert_eq!(client::send(haproxy.address, GET).status, 200);
    assert_eq!(gateway.metric(r#"porteur_proxy_protocol_headers_total{result="malformed"}"#), 0.0);
}

#[test]
fn a_peer_that_is_not_trusted_is_closed_whatever_it_says() {
    let upstream = upstream();
    let gateway = listening(&upstream, "192.0.2.0/24");
    for bytes in [GET.to_vec(), [b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n", GET].concat()] {
        assert!(answer(&gateway, &bytes).is_none());
    }
    assert_eq!(upstream.requests().len(), 0);
    assert_eq!(gateway.metric(r#"porteur_proxy_protocol_headers_total{result="untrusted"}"#), 2.0);
}

#[test]
fn the_service_s_own_port_believes_whom_it_trusts() {
    let upstream = upstream();
    let gateway = listening_itself(&upstream, "127.0.0.0/8");
    for (header, client) in
        [(&b"PROXY TCP4 192.0.2.7 198.51.100.1 51234 443\r\n"[..], "192.0.2.7"), (BINARY, "192.0.2.8")]
    {
        let before = upstream.requests().len();
        assert_eq!(client::send(gateway.address, [header, GET].concat()).status, 200);
        assert_eq!(upstream.requests()[before].header("x-forwarded-for"), Some(client));
    }
    assert!(client::try_send(gateway.address, GET).is_err(), "no request without the header");
    assert_eq!(client::send(gateway.further[0], GET).status, 200, "another listener has rules of its own");
    for options in ["send-proxy", "send-proxy-v2"] {
        let haproxy = Haproxy::before(gateway.address, options);
        assert_eq!(client::send(haproxy.address, GET).status, 200, "{options}");
    }
}

#[test]
fn the_service_s_own_port_is_closed_to_whom_it_does_not_trust() {
    let upstream = upstream();
    let gateway = listening_itself(&upstream, "192.0.2.0/24");
    for start in [&b""[..], b"PROXY TCP4 192.0.2.7 198.51.100.1 51234 443\r\n", BINARY] {
        assert!(client::try_send(gateway.address, [start, GET].concat()).is_err(), "{start:?}");
    }
    assert_eq!(upstream.requests().len(), 0);
    assert_eq!(gateway.metric(r#"porteur_proxy_protocol_headers_total{result="untrusted"}"#), 3.0);
}

#[test]
fn a_trusted_peer_without_a_header_or_with_a_broken_one_is_closed() {
    let upstream = upstream();
    let gateway = listening(&upstream, "127.0.0.0/8");
    for start in [
        &b""[..],
        b"PROXY TCP4 192.0.2.7 192.0.2.8 1\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0b\xc0\0\x02\x08\xc6\x33\x64\x01\xc8\x22\x01",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
    ] {
        assert!(answer(&gateway, &[start, GET].concat()).is_none(), "{start:?}");
    }
    assert_eq!(upstream.requests().len(), 0);
    assert_eq!(gateway.metric(r#"porteur_proxy_protocol_headers_total{result="malformed"}"#), 5.0);
}

/// Only the first bytes of a connection can be a header, and only where it is asked for.
#[test]
fn a_header_counts_once_and_nowhere_else() {
    let upstream = upstream();
    let gateway = listening(&upstream, "127.0.0.0/8");
    let header = b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n";
    assert_eq!(answer(&gateway, &[&header[..], header, GET].concat()).unwrap().status, 400);
    assert_eq!(client::send(gateway.address, [&header[..], GET].concat()).status, 400);
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn the_header_stands_before_tls() {
    let listener = |authority: &Authority, pair: &_| {
        let _ = authority;
        files(pair)
    };
    let authority = Authority::new("edge authority");
    let behind = files(&authority.pair("behind", &["edge.test"], rcgen::ExtendedKeyUsagePurpose::ServerAuth, |_| {}));
    let listeners: Value =
        json!([{ "listen": "127.0.0.1:0", "tls": behind, "proxy_protocol": { "trusted": ["127.0.0.1"] } }]);
    let edge = TlsEdge::start(authority, listener, listeners);
    let haproxy = Haproxy::before(edge.gateway.further[0], "send-proxy-v2");
    let said = edge.curl_at(haproxy.address, "/x", "--http2 -w |%{http_version}");
    assert_eq!(said.out, "hello|2", "{}", said.text());
    assert!(!edge.curl_at(edge.gateway.further[0], "/x", "").ok, "without the header there is no TLS");
}
