//! Requests that come before the answers to those before them: each has its own time and its own faults, from its turn on.

use crate::security_limits::{cut, failures, get};
use crate::support::authority::Authority;
use crate::support::client::{self, Connection};
use crate::support::gateway::{Running, endpoint, with};
use crate::support::poll::{Latch, PATIENCE, eventually};
use crate::support::reply::Reply;
use crate::support::tls_edge::{self, TlsEdge};
use crate::support::tool;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

/// A gateway with these keys on the root, in front of `upstream` at `/a`.
fn gateway(upstream: &Upstream, keys: &Value) -> Running {
    let endpoint = with(endpoint("/a", &upstream.url(), "/a"), &json!({ "method": "*", "timeout": "20s" }));
    Running::start(with(json!({ "endpoints": [endpoint] }), keys))
}

/// An upstream whose answers wait, and what they wait for.
fn held() -> (Upstream, Latch) {
    let latch = Latch::new();
    let upstream = Upstream::start({
        let latch = latch.clone();
        move |_| Reply::text("answered").after(&latch)
    });
    (upstream, latch)
}

/// Waits for the time that a new connection may say nothing, `read_header_timeout`.
fn let_it_pass(gateway: &Running) {
    Connection::open(gateway.address).expect_closed();
}

#[test]
fn the_time_of_a_head_that_came_early_begins_with_its_turn() {
    let (upstream, latch) = held();
    let gateway = gateway(&upstream, &json!({ "read_header_timeout": "1s" }));
    let mut client = Connection::open(gateway.address);
    client.write([get(), b"GET /a HT".to_vec()].concat());
    upstream.wait_for_requests(1);
    let_it_pass(&gateway);
    latch.open();
    assert_eq!(client.response().status, 200);
    client.write("TP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 200);
    client.write([get(), b"GET /a HT".to_vec()].concat());
    assert_eq!((client.response().status, client.response().status), (200, 408), "it still has an end");
}

#[test]
fn a_malformed_body_leaves_the_request_before_it_alone() {
    let (upstream, latch) = held();
    let gateway = gateway(&upstream, &json!({}));
    let mut client = Connection::open(gateway.address);
    let malformed = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec();
    client.write([get(), malformed].concat());
    upstream.wait_for_requests(1);
    latch.open();
    assert_eq!((client.response().status, client.response().status), (200, 400));
    client.expect_closed();
    assert_eq!((failures(&gateway, "bad_request"), cut(&gateway, "refused")), (1.0, 1.0));
}

#[test]
fn the_time_of_a_body_that_waits_to_be_asked_for_begins_with_its_turn() {
    let (upstream, latch) = held();
    let keys = json!({ "read_timeout": "1s", "read_header_timeout": "1500ms" });
    let gateway = gateway(&upstream, &keys);
    let mut client = Connection::open(gateway.address);
    let asking = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n".to_vec();
    client.write([get(), asking].concat());
    upstream.wait_for_requests(1);
    let_it_pass(&gateway);
    latch.open();
    assert_eq!(client.response().status, 200);
    client.write("body");
    let answer = client.response();
    assert_eq!((answer.status, answer.interim), (200, vec![100]));
    assert_eq!(upstream.requests().last().unwrap().text(), "body");
}

#[test]
fn what_is_wrong_with_an_upstream_is_not_blamed_on_the_next_request() {
    let upstream = Upstream::start(|_| Reply::close());
    let gateway = gateway(&upstream, &json!({}));
    let mut client = Connection::open(gateway.address);
    client.write([get(), b"NONSENSE\r\n\r\n".to_vec()].concat());
    assert_eq!(client.response().status, 502);
    // It is counted once the client has its answer.
    eventually(PATIENCE, "the failure", || failures(&gateway, "upstream_protocol") > 0.0);
    assert_eq!(failures(&gateway, "bad_request"), 0.0);
}

#[test]
fn a_refusal_is_sent_however_long_the_last_answer_is_ago() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream, &json!({ "write_timeout": "300ms", "read_header_timeout": "500ms" }));
    let mut client = Connection::open(gateway.address);
    assert_eq!(client.request(get()).status, 200);
    let_it_pass(&gateway);
    assert_eq!(client.request("NONSENSE\r\n\r\n").status, 400);
    client.expect_closed();
}

#[test]
fn each_answer_has_its_own_time() {
    let latches = [(); 3].map(|()| Latch::new());
    let held = latches.clone();
    let upstream = Upstream::start(move |request| {
        Reply::text("answered").after(&held[request.header("x-count").unwrap().parse::<usize>().unwrap()])
    });
    let endpoint =
        with(endpoint("/a", &upstream.url(), "/a"), &json!({ "timeout": "20s", "input_headers": ["X-Count"] }));
    let keys = json!({ "write_timeout": "1s", "read_header_timeout": "600ms", "endpoints": [endpoint] });
    let gateway = Running::start(keys);
    let mut client = Connection::open(gateway.address);
    client.write(["0", "1", "2"].map(|count| client::request("GET", "/a", &[("X-Count", count)], b"")).concat());
    for (at, latch) in latches.iter().enumerate() {
        upstream.wait_for_requests(at + 1);
        let_it_pass(&gateway);
        latch.open();
        assert_eq!(client.response().status, 200, "{at}");
    }
}

#[test]
fn an_upstream_that_is_slower_than_write_timeout_is_not_blamed_on_the_client() {
    let (upstream, latch) = held();
    let gateway = gateway(&upstream, &json!({ "write_timeout": "200ms", "read_header_timeout": "400ms" }));
    let mut client = Connection::open(gateway.address);
    client.write(get());
    upstream.wait_for_requests(1);
    let_it_pass(&gateway);
    latch.open();
    assert_eq!(client.response().status, 504);
    client.expect_closed();
    assert_eq!((cut(&gateway, "slow_answer"), cut(&gateway, "slow_reader")), (1.0, 0.0));
    assert_eq!((failures(&gateway, "upstream_timeout"), failures(&gateway, "client_gone")), (1.0, 0.0));
}

#[test]
fn on_the_admin_listener_each_request_has_its_own_faults_too() {
    let gateway = Running::start(json!({}));
    let mut client = Connection::open(gateway.admin);
    for _ in 0..2 {
        assert_eq!(client.request("GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").status, 200);
    }
    assert_eq!(client.request("NONSENSE\r\n\r\n").status, 400);
    client.expect_closed();
}

/// Pingora is told "not now" without being woken later, so for each way a request is carried it must read again by itself.
#[test]
fn a_refusal_comes_after_the_answers_before_it_however_they_are_carried() {
    let upstream = Upstream::start(|_| Reply::json(200, &json!({ "a": 1 })));
    let streamed = endpoint("/stream", &upstream.url(), "/a");
    let mut composed = with(endpoint("/composed", &upstream.url(), "/a"), &json!({ "output_encoding": "json" }));
    composed["backend"][0]["encoding"] = json!("json");
    let mut held = endpoint("/held", &upstream.url(), "/a");
    held["backend"][0]["extra_config"] = json!({ "qos/http-cache": {} });
    let gateway = Running::start(json!({ "endpoints": [streamed, composed, held] }));
    for target in ["/stream", "/composed", "/held", "/__health", "/nowhere"] {
        let mut client = Connection::open(gateway.address);
        let request = client::request("GET", target, &[], b"");
        client.write([&request, &request, &b"NONSENSE\r\n\r\n"[..]].concat());
        let expected = if target == "/nowhere" { 404 } else { 200 };
        let got = [(); 3].map(|()| client.response().status);
        assert_eq!(got, [expected, expected, 400], "{target}");
        client.expect_closed();
    }
}

#[test]
fn a_refusal_comes_after_the_answer_before_it_over_tls() {
    let edge = TlsEdge::start(Authority::new("edge authority"), |_, pair| tls_edge::files(pair), json!([]));
    let (ca, address) = (edge.authority.file(), edge.gateway.address);
    let words = format!("s_client -connect {address} -CAfile {} -ign_eof -quiet", ca.display());
    let said = tool::say("openssl", &words, b"GET /x HTTP/1.1\r\nHost: edge.test\r\n\r\nNONSENSE\r\n\r\n");
    assert!(said.out.contains("HTTP/1.1 200 ") && said.out.contains("HTTP/1.1 400 "), "{said:?}");
}
