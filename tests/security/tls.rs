//! What TLS must keep out, and what it must keep up while certificates change.

use crate::support::authority::{Authority, Pair};
use crate::support::client::{self, Connection};
use crate::support::gateway::with;
use crate::support::poll::{PATIENCE, eventually};
use crate::support::tls_edge::{TlsEdge, files};
use rcgen::ExtendedKeyUsagePurpose::ServerAuth;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;

fn mutual(authority: &Authority, pair: &Pair) -> Value {
    let asks = json!({ "enable_mtls": true, "disable_system_ca_pool": true, "ca_certs": [authority.file()] });
    with(files(pair), &asks)
}

fn shown(pair: &Pair) -> String {
    format!("--cert {} --key {}", pair.certificate_file.display(), pair.key_file.display())
}

#[test]
fn without_a_certificate_of_a_trusted_authority_no_request_is_heard() {
    let edge = TlsEdge::start(Authority::new("edge authority"), mutual, json!([]));
    // It has the same name and another key.
    let impostor = Authority::new("edge authority");
    let (known, stranger) = (edge.authority.client("partner"), impostor.client("partner"));
    for version in ["--http2", "--http1.1"] {
        for own in [String::new(), shown(&stranger)] {
            let said = edge.curl("/x", &format!("{version} {own}"));
            assert!(!said.ok && said.out.is_empty(), "{}", said.text());
        }
    }
    assert_eq!(edge.upstream.requests().len(), 0);
    let said = edge.curl("/x", &shown(&known));
    assert_eq!(said.out, "hello", "{}", said.text());
    edge.handshakes("certificate_missing", 2);
    edge.handshakes("certificate_refused", 2);
}

/// A session of a listener that asks for nothing must not open one that asks for a certificate.
#[test]
fn a_session_goes_on_where_it_began_and_nowhere_else() {
    let authority = Authority::new("edge authority");
    let open = files(&authority.pair("open", &["edge.test"], ServerAuth, |_| {}));
    let edge = TlsEdge::start(authority, mutual, json!([{ "listen": "127.0.0.1:0", "tls": open }]));
    let session = tempfile::NamedTempFile::new().unwrap();
    let session = session.path().display();
    let first = edge.s_client_at(edge.gateway.further[0], &format!("-sess_out {session}"));
    assert!(first.out.contains("HTTP/1.1 200 "), "{}", first.text());
    let again = edge.s_client_at(edge.gateway.further[0], &format!("-sess_in {session}"));
    assert!(again.out.contains("Reused, "), "{}", again.text());
    let elsewhere = edge.s_client(&format!("-sess_in {session}"));
    assert!(elsewhere.out.contains("New, ") && elsewhere.text().contains("alert number 116"), "{}", elsewhere.text());
    assert_eq!(edge.upstream.requests().len(), 2);
}

#[test]
fn early_data_is_not_taken() {
    let edge = TlsEdge::with(json!({}));
    let session = tempfile::NamedTempFile::new().unwrap();
    let session = session.path().display();
    let said = edge.s_client(&format!("-sess_out {session}"));
    assert!(said.out.contains("Max Early Data: 0"), "{}", said.text());
}

#[test]
fn http_on_a_port_of_tls_is_told_so_and_goes_nowhere() {
    let edge = TlsEdge::with(json!({}));
    let answer = client::get(edge.gateway.address, "/x");
    assert_eq!((answer.status, answer.header("connection")), (400, Some("close")));
    assert_eq!(edge.upstream.requests().len(), 0);
    edge.handshakes("plain_http", 1);
}

#[test]
fn tls_on_a_plain_port_gets_no_handshake_and_goes_nowhere() {
    let edge =
        TlsEdge::start(Authority::new("edge authority"), |_, pair| files(pair), json!([{ "listen": "127.0.0.1:0" }]));
    let said = edge.curl_at(edge.gateway.further[0], "/x", "");
    assert!(!said.ok, "{}", said.text());
    assert_eq!(edge.upstream.requests().len(), 0);
    assert_eq!(client::get(edge.gateway.further[0], "/x").text(), "hello");
}

/// Bytes that are no TLS, or only begin like it.
#[test]
fn broken_records_end_the_connection_and_nothing_else() {
    let edge = TlsEdge::with(json!({}));
    for bytes in [
        &b"\x80\x2e\x01\x00\x02"[..],
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
        b"\x17\x03\x03\x00\x01x",
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"\0\0\0\0\0\0",
    ] {
        let mut tcp = TcpStream::connect(edge.gateway.address).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.write_all(bytes).unwrap();
        tcp.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        // An alert or a reset.
        let _ = tcp.read_to_end(&mut answer);
        assert!(answer.len() < 20, "{bytes:?}: {answer:?}");
    }
    assert_eq!(edge.curl("/x", "").out, "hello");
}

/// The name of the certificate that a client is shown now.
fn name(edge: &TlsEdge) -> String {
    let said = edge.s_client("");
    let subject = said.out.lines().find_map(|line| line.strip_prefix("subject=CN = "));
    subject.unwrap_or_else(|| panic!("{}", said.text())).to_owned()
}

#[test]
fn renewed_certificates_are_shown_without_a_restart_and_open_connections_live() {
    let plain = json!([{ "listen": "127.0.0.1:0" }]);
    let edge = TlsEdge::start(Authority::new("edge authority"), |_, pair| files(pair), plain);
    let mut open = Connection::open(edge.gateway.further[0]);
    let get = b"GET /x HTTP/1.1\r\nHost: edge.test\r\n\r\n";
    assert_eq!(open.request(get).status, 200);
    assert_eq!(name(&edge), "edge.test");
    let key = edge.authority.server(&["new.edge.test", "edge.test"]).key_file;
    eventually(PATIENCE, "the new certificate is shown", || name(&edge) == "new.edge.test");
    assert_eq!(edge.gateway.metric(r#"porteur_tls_reloads_total{result="ok"}"#), 1.0);
    assert_eq!(open.request(get).status, 200);

    std::fs::write(&key, "no key").unwrap();
    eventually(PATIENCE, "the broken file is noticed", || {
        edge.gateway.metric(r#"porteur_tls_reloads_total{result="failed"}"#) == 1.0
    });
    assert_eq!(edge.curl("/x", "").out, "hello", "the old pair stays");
}

/// A client that does not go on keeps nobody else out.
#[test]
fn handshakes_that_stand_still_do_not_hold_others_up() {
    let edge = TlsEdge::with(json!({}));
    let stalled: Vec<_> = (0..50)
        .map(|_| {
            let mut tcp = TcpStream::connect(edge.gateway.address).unwrap();
            tcp.write_all(b"\x16\x03\x01\x02\x00\x01").unwrap();
            tcp
        })
        .collect();
    assert_eq!(edge.curl("/x", "").out, "hello");
    drop(stalled);
}

#[test]
fn strict_transport_security_and_no_redirect_where_tls_is_spoken() {
    let authority = Authority::new("edge authority");
    let upstream = crate::support::upstream::Upstream::start(|_| crate::support::reply::Reply::text("hello"));
    let gateway = crate::support::gateway::Running::start(json!({
        "tls": files(&authority.server(&["edge.test"])),
        "extra_config": {
            "security/http": { "ssl_redirect": true, "sts_seconds": 300 },
            "listeners": [{ "listen": "127.0.0.1:0" }],
        },
        "endpoints": [crate::support::gateway::endpoint("/x", &upstream.url(), "/x")],
    }));
    let edge = TlsEdge { authority, upstream, gateway };
    let said = edge.curl("/x", "-i --http1.1");
    assert!(
        said.out.contains("HTTP/1.1 200 ") && said.out.contains("Strict-Transport-Security: max-age=300"),
        "{}",
        said.text()
    );
    let plain = client::get(edge.gateway.further[0], "/x");
    assert_eq!((plain.status, plain.header("strict-transport-security")), (301, None));
}
