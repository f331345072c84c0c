//! The support for credentials tried on itself: the authorization server's newer faults, its metadata, the orders to the
//! resource server, and the forward proxy.

use crate::support::client::{self, Connection, request};
use crate::support::forward_proxy::ForwardProxy;
use crate::support::idp::{CLIENT_ID, CLIENT_SECRET, Idp};
use crate::support::poll::{PATIENCE, eventually};
use crate::support::upstream::Upstream;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;

fn form(idp: &Idp, target: &str, body: &str) -> client::Response {
    let credentials = format!("Basic {}", BASE64_STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
    let headers = [("Authorization", &*credentials), ("Content-Type", "application/x-www-form-urlencoded")];
    client::send(idp.addr(), request("POST", target, &headers, body.as_bytes()))
}

fn ask_token(idp: &Idp, parameters: &str) -> client::Response {
    form(idp, "/token", &format!("grant_type=client_credentials{parameters}"))
}

fn call(idp: &Idp, token: &Value) -> client::Response {
    let bearer = format!("Bearer {}", token.as_str().unwrap());
    client::send(idp.resource_server(), request("GET", "/x", &[("Authorization", &bearer)], b""))
}

#[test]
fn a_sticky_provider_repeats_its_token_until_it_is_dead() {
    let idp = Idp::start(2);
    idp.fault("sticky");
    let first = ask_token(&idp, "").json();
    assert_eq!(first["expires_in"], 2);
    assert_ne!(ask_token(&idp, "&scope=api%3Aread").json()["access_token"], first["access_token"], "another purpose");
    let mut least = 2;
    eventually(PATIENCE, "a new token", || {
        let answer = ask_token(&idp, "").json();
        if answer["access_token"] != first["access_token"] {
            return answer["expires_in"] == 2;
        }
        let left = answer["expires_in"].as_u64().unwrap();
        assert!(left <= least, "{left} after {least}");
        least = left;
        false
    });
    assert_eq!(least, 0);
    assert_eq!(call(&idp, &first["access_token"]).status, 401);
}

#[test]
fn the_provider_refuses_in_more_ways() {
    let idp = Idp::start(77);
    for (mode, status) in [
        ("400_invalid_scope", 400),
        ("400_unauthorized_client", 400),
        ("400_invalid_target", 400),
        ("502", 502),
        ("204", 204),
    ] {
        idp.fault(mode);
        let answer = ask_token(&idp, "");
        assert_eq!(answer.status, status, "{mode}");
        if let Some(error) = mode.strip_prefix("400_") {
            assert_eq!(answer.json()["error"], error);
        }
    }
    idp.fault_with(json!({"mode": "503", "retry_after": "Wed, 21 Oct 2065 07:28:00 GMT"}));
    assert_eq!(ask_token(&idp, "").header("retry-after"), Some("Wed, 21 Oct 2065 07:28:00 GMT"));
    idp.fault_with(json!({"mode": "refresh_in", "seconds": 30}));
    assert_eq!(ask_token(&idp, "").json()["refresh_in"], 30);
    idp.fault_with(json!({"mode": "drip_head", "step_ms": 1}));
    assert_eq!(ask_token(&idp, "").json()["access_token"], "slow");
}

#[test]
fn the_provider_counts_revocations_and_knows_its_secrets() {
    let idp = Idp::start(77);
    let token = ask_token(&idp, "").json()["access_token"].clone();
    assert_eq!(call(&idp, &token).status, 200);
    assert_eq!(form(&idp, "/token/revocation", &format!("token={}", token.as_str().unwrap())).status, 200);
    assert_eq!((call(&idp, &token).status, idp.stats().revocations), (401, 1));
    assert_eq!(idp.client_secret(CLIENT_ID), CLIENT_SECRET);
    assert!(idp.client_secret("cs-jwt-384").len() >= 48 && idp.client_secret("cs-jwt-512").len() >= 64);
    assert!(fs::read_to_string(idp.private_key("eddsa")).unwrap().starts_with("-----BEGIN PRIVATE KEY-----"));
    let last = idp.last();
    assert_eq!((last[0].door.as_str(), &last[0].certificate), ("http", &None));
}

#[test]
fn the_resource_server_answers_as_ordered() {
    let idp = Idp::start(77);
    let token = ask_token(&idp, "").json()["access_token"].clone();
    idp.resource_orders(json!({"status": 401, "count": 1, "www_authenticate": "Bearer error=\"invalid_token\""}));
    let ordered = call(&idp, &token);
    assert_eq!((ordered.status, ordered.json()), (401, json!({"error": "as ordered"})));
    assert_eq!(ordered.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    assert_eq!(call(&idp, &token).status, 200);
    idp.resource_orders(json!({"status": 403}));
    assert_eq!((call(&idp, &token).status, call(&idp, &token).header("www-authenticate")), (403, None));
    idp.resource_orders(json!({}));
    assert_eq!(call(&idp, &token).status, 200);
    assert_ne!(idp.resource_nonce(), idp.resource_nonce());
    assert_eq!(call(&idp, &token).status, 200, "a bearer token needs no nonce");
}

#[test]
fn the_metadata_is_right_until_it_is_ordered_wrong() {
    let idp = Idp::start_tls(77);
    let get = |name: &str| client::get(idp.addr(), &format!("/.well-known/{name}"));
    for name in ["oauth-authorization-server", "openid-configuration"] {
        let document = get(name).json();
        assert_eq!(document["issuer"], idp.issuer());
        assert_eq!(document["token_endpoint"], idp.token_url());
    }
    idp.discovery(json!({"mode": "404", "path": "oauth-authorization-server"}));
    assert_eq!((get("oauth-authorization-server").status, get("openid-configuration").status), (404, 200));
    idp.discovery(json!({"mode": "wrong_issuer", "count": 1}));
    assert_ne!(get("openid-configuration").json()["issuer"], idp.issuer());
    assert_eq!(get("openid-configuration").json()["issuer"], idp.issuer());
    let stats = idp.stats();
    assert_eq!(stats.discovery_requests, 6);
    assert_eq!(stats.discovery_by_path["openid-configuration"], 4);
    assert!(idp.mtls_token_url().starts_with("https://127.0.0.1:") && idp.mtls_token_url() != idp.tls_token_url());
}

fn through(proxy: &ForwardProxy, target: &str, headers: &[(&str, &str)]) -> (Connection, client::Response) {
    let mut connection = Connection::open(proxy.addr());
    connection.write(request("CONNECT", target, headers, b""));
    let answer = connection.head();
    (connection, answer)
}

#[test]
fn a_connect_proxy_leads_to_loopback_and_records() {
    let upstream = Upstream::echo();
    let proxy = ForwardProxy::connect().knowing("idp.test", upstream.addr());
    for target in
        [upstream.addr().to_string(), "idp.test:443".to_owned(), format!("localhost:{}", upstream.addr().port())]
    {
        let (mut connection, answer) = through(&proxy, &target, &[("Proxy-Authorization", "Basic YTpi")]);
        assert_eq!(answer.status, 200);
        assert_eq!(connection.request(request("GET", "/a", &[], b"")).json()["target"], "/a");
        assert_eq!(connection.request(request("GET", "/b", &[], b"")).json()["target"], "/b");
    }
    assert_eq!(proxy.targets()[1], "idp.test:443");
    assert_eq!(proxy.asked()[0].login.as_deref(), Some("a:b"));
    assert_eq!(proxy.asked()[0].headers.get("host"), Some("porteur.test"));
    assert_eq!(through(&proxy, "192.0.2.1:80", &[]).1.status, 502);
    assert_eq!(through(&proxy, "unknown.test:80", &[]).1.status, 502);
    assert_eq!((proxy.tunnels(), proxy.connections(), proxy.violations().len()), (3, 5, 0));
    assert_eq!(client::get(proxy.addr(), "http://idp.test/").status, 405);
    eventually(PATIENCE, "the violation noted", || proxy.violations().len() == 1);
}

#[test]
fn a_connect_proxy_refuses() {
    let upstream = Upstream::echo();
    let proxy = ForwardProxy::connect().demanding("a", "b");
    let target = upstream.addr().to_string();
    for wrong in [&[][..], &[("Proxy-Authorization", "Basic YTpj")]] {
        let (_, answer) = through(&proxy, &target, wrong);
        assert_eq!((answer.status, answer.header("proxy-authenticate")), (407, Some("Basic realm=\"proxy\"")));
    }
    let right = [("Proxy-Authorization", "Basic YTpi")];
    let (mut tunnel, answer) = through(&proxy, &target, &right);
    assert_eq!(answer.status, 200);
    proxy.refuse(true);
    assert_eq!(through(&proxy, &target, &right).1.status, 403);
    assert_eq!(tunnel.request(request("GET", "/", &[], b"")).status, 200);
    drop(proxy);
    tunnel.expect_closed();
}

/// What a client of SOCKS5 sends, and how much it reads back each time.
fn converse(addr: SocketAddr, parts: &[(&[u8], usize)]) -> (Connection, Vec<Vec<u8>>) {
    let mut connection = Connection::open(addr);
    let answers = parts.iter().map(|(bytes, size)| {
        connection.write(bytes);
        connection.read(*size)
    });
    let answers = answers.collect();
    (connection, answers)
}

fn wish(kind: &[u8], port: u16) -> Vec<u8> {
    [&[5, 1, 0], kind, &port.to_be_bytes()].concat()
}

#[test]
fn a_socks_proxy_leads_to_loopback_and_records() {
    let upstream = Upstream::echo();
    let proxy = ForwardProxy::socks5().knowing("idp.test", upstream.addr());
    let port = upstream.addr().port();
    let by_address = wish(&[1, 127, 0, 0, 1], port);
    let by_name = wish(b"\x03\x08idp.test", 443);
    for (hello, logged_in, wish) in
        [(&b"\x05\x01\x00"[..], &[][..], &by_address), (b"\x05\x02\x00\x02", &[(&b"\x01\x01a\x01b"[..], 2)], &by_name)]
    {
        let parts = [&[(hello, 2)], logged_in, &[(&wish[..], 10)]].concat();
        let (mut connection, answers) = converse(proxy.addr(), &parts);
        assert_eq!(answers.last().unwrap()[..2], [5, 0], "{answers:?}");
        assert_eq!(connection.request(request("GET", "/a", &[], b"")).json()["target"], "/a");
    }
    let asked = proxy.asked();
    assert_eq!((asked[0].target.as_str(), &asked[0].login), (&*upstream.addr().to_string(), &None));
    assert_eq!((asked[1].target.as_str(), asked[1].login.as_deref()), ("idp.test:443", Some("a:b")));
    let (_, answers) = converse(proxy.addr(), &[(b"\x05\x01\x00", 2), (&wish(&[1, 192, 0, 2, 1], 80), 10)]);
    assert_eq!(answers[1][..2], [5, 4]);
    let v6 = wish(&[4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 9);
    converse(proxy.addr(), &[(b"\x05\x01\x00", 2), (&v6, 10)]);
    assert_eq!((proxy.targets().pop().unwrap().as_str(), proxy.violations().len()), ("[::1]:9", 0));
    let mut wrong = Connection::open(proxy.addr());
    wrong.write(b"GET / HTTP/1.1\r\n\r\n\0");
    wrong.rest();
    eventually(PATIENCE, "the violation noted", || proxy.violations().len() == 1);
}

#[test]
fn a_socks_proxy_refuses() {
    let upstream = Upstream::echo();
    let proxy = ForwardProxy::socks5().demanding("a", "b");
    let (mut without, answers) = converse(proxy.addr(), &[(b"\x05\x01\x00", 2)]);
    assert_eq!(answers[0], [5, 0xff]);
    without.expect_closed();
    let (mut wrong, answers) = converse(proxy.addr(), &[(b"\x05\x01\x02", 2), (b"\x01\x01a\x01c", 2)]);
    assert_eq!(answers, [[5, 2], [1, 1]]);
    wrong.expect_closed();
    assert_eq!((proxy.targets(), proxy.asked()[0].login.as_deref()), (vec![String::new()], Some("a:c")));
    proxy.refuse(true);
    let wish = wish(&[1, 127, 0, 0, 1], upstream.addr().port());
    let (_, answers) = converse(proxy.addr(), &[(b"\x05\x01\x02", 2), (b"\x01\x01a\x01b", 2), (&wish, 10)]);
    assert_eq!(answers[2][..2], [5, 2]);
    assert_eq!(proxy.tunnels(), 0);
}

#[test]
fn a_dropped_proxy_refuses_connections() {
    let proxy = ForwardProxy::connect();
    let addr = proxy.addr();
    drop(proxy);
    assert_eq!(Connection::try_open(addr).err().unwrap().kind(), ErrorKind::ConnectionRefused);
}
