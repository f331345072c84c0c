//! Connections of decoded endpoints, to the client and to the backends, and how much of a request is held.

use crate::decoded::{COMPLETED, answers, backend, decoded, json_reply};
use crate::support::client::{self, Connection, request};
use crate::support::gate::Gate;
use crate::support::gateway::{Running, with};
use crate::support::poll::{Latch, PATIENCE, eventually};
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

/// What is held of a request's body.
const LONGEST_BODY: usize = 10 * 1024 * 1024;

fn posting(path: &str, upstream: &Upstream) -> Value {
    with(decoded(path, &[backend(upstream, "/")]), &json!({ "method": "*" }))
}

#[test]
fn a_connection_goes_on_after_answers_of_every_kind() {
    let upstream = Upstream::start(|request| match request.number % 3 {
        0 => json_reply(r#"{"a":1}"#),
        1 => Reply::new(404),
        _ => json_reply("junk"),
    });
    let gateway = Running::with(&[posting("/x", &upstream)]);
    let mut connection = Connection::open(gateway.address);
    for method in ["GET", "POST"] {
        for expected in [200, 500, 500] {
            assert_eq!(connection.request(request(method, "/x", &[], b"body")).status, expected);
        }
    }
    // Not always one: Pingora may find a kept connection still in the hands of the task that watches over it.
    assert!(upstream.connections() < 6, "and so do those to the backend");
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let latch = Latch::new();
    let upstream = Upstream::start({
        let latch = latch.clone();
        move |request| {
            let reply = json_reply(json!({ "got": request.text() }).to_string());
            if request.text() == "one" { reply.after(&latch) } else { reply }
        }
    });
    let gateway = Running::with(&[posting("/x", &upstream)]);
    let mut connection = Connection::open(gateway.address);
    let requests = ["one", "two"].map(|body| request("POST", "/x", &[], body.as_bytes()));
    connection.write(requests.concat());
    // The third comes while the first is waiting for its backend.
    upstream.wait_for_requests(1);
    connection.write(request("GET", "/x", &[], b""));
    latch.open();
    for body in ["one", "two", ""] {
        let answer = connection.response();
        assert_eq!((answer.status, answer.text()), (200, format!(r#"{{"got":"{body}"}}"#)));
    }
}

#[test]
fn when_the_client_leaves_the_backends_are_left_too() {
    let silent = Upstream::start(|_| Reply::hang());
    let endpoint = decoded("/x", &[backend(&silent, "/one"), backend(&silent, "/two")]);
    let gateway = Running::with(&[with(endpoint, &json!({ "method": "*" }))]);
    for (method, body) in [("GET", ""), ("POST", "body")] {
        let mut connection = Connection::open(gateway.address);
        connection.write(request(method, "/x", &[], body.as_bytes()));
        eventually(PATIENCE, "both are asked", || {
            silent.open_connections() == 2 && silent.requests().len().is_multiple_of(2)
        });
        drop(connection);
        eventually(PATIENCE, "both connections are closed", || silent.open_connections() == 0);
    }
    let log = gateway.access_log(2);
    assert!(log.lines().all(|line| line.contains(" status=499 ") && line.contains("client_gone")), "{log}");
}

#[test]
fn a_client_that_leaves_while_it_sends_is_gone_and_one_that_breaks_the_framing_is_told() {
    let upstream = answers("{}");
    let gateway = Running::with(&[posting("/x", &upstream)]);
    let head = "POST /x HTTP/1.1\r\nHost: porteur.test\r\n";
    let mut leaving = Connection::open(gateway.address);
    leaving.write(format!("{head}Content-Length: 100\r\n\r\nhalf of it"));
    drop(leaving);
    let log = gateway.access_log(1);
    assert!(log.contains(" status=499 ") && log.contains("failure=client_gone"), "{log}");
    let mut broken = Connection::open(gateway.address);
    broken.write(format!("{head}Transfer-Encoding: chunked\r\n\r\nxyz\r\nbody\r\n0\r\n\r\n"));
    assert_eq!(broken.response().status, 400);
    broken.expect_closed();
    assert!(gateway.access_log(2).contains("failure=bad_request"));
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_request_under_way_is_answered_when_the_gateway_stops_and_its_connection_ends() {
    let latch = Latch::new();
    let upstream = Upstream::start({
        let latch = latch.clone();
        move |_| json_reply(r#"{"a":1}"#).after(&latch)
    });
    let gateway = Running::with(&[decoded("/x", &[backend(&upstream, "/")])]);
    let mut connection = Connection::open(gateway.address);
    connection.write(request("GET", "/x", &[], b""));
    upstream.wait_for_requests(1);
    gateway.stop();
    eventually(PATIENCE, "nobody new is let in", || Connection::try_open(gateway.address).is_err());
    latch.open();
    assert_eq!(connection.response().text(), r#"{"a":1}"#);
    connection.expect_closed();
    eventually(PATIENCE, "the gateway ends", || gateway.has_ended());
}

#[test]
fn a_kept_connection_that_was_closed_meanwhile_is_replaced() {
    let upstream = answers(r#"{"a":1}"#);
    let gateway = Running::with(&[posting("/x", &upstream)]);
    for _ in 0..3 {
        assert_eq!(gateway.get("/x").status, 200);
        upstream.close_connections();
    }
    assert_eq!(upstream.requests().len(), 3);
}

/// It cannot be known whether the request has had its effect: only where that does not matter is it sent again.
#[test]
fn a_kept_connection_that_breaks_under_a_request_is_replaced_for_idempotent_methods() {
    for (method, status) in [("GET", 200), ("PUT", 200), ("DELETE", 200), ("POST", 502), ("PATCH", 502)] {
        let upstream = Upstream::start(|request| match (request.connection, request.number) {
            (0, 1) => Reply::close(),
            _ => json_reply(r#"{"a":1}"#),
        });
        let gateway = Running::with(&[posting("/x", &upstream)]);
        let ask = || client::send(gateway.address, request(method, "/x", &[], b"body"));
        assert_eq!(ask().status, 200, "{method}");
        assert_eq!(ask().status, status, "{method}");
        let requests = upstream.requests();
        assert_eq!(requests.len(), if status == 200 { 3 } else { 2 }, "{method}");
        assert!(requests.iter().all(|request| request.text() == "body"), "{method}");
    }
}

#[test]
fn the_next_host_is_asked_when_one_refuses_the_connection() {
    let upstream = answers(r#"{"a":1}"#);
    let gates = [Gate::closed(upstream.addr()), Gate::closed(upstream.addr())];
    let hosts = json!([gates[0].url(""), gates[1].url(""), upstream.url()]);
    let endpoint = with(decoded("/x", &[json!({ "host": hosts })]), &json!({ "method": "*" }));
    let gateway = Running::with(&[endpoint]);
    for method in ["GET", "POST"] {
        // The turn begins with another host each time.
        for _ in 0..3 {
            let answer = client::send(gateway.address, request(method, "/x", &[], b"body"));
            assert_eq!((answer.status, answer.header(COMPLETED)), (200, Some("true")));
        }
    }
    assert_eq!(upstream.requests().len(), 6, "nothing was sent twice");
}

#[test]
fn the_access_log_counts_the_requests_to_all_backends() {
    let (a, b) = (answers(r#"{"a":1}"#), answers(r#"{"b":2}"#));
    let gateway = Running::with(&[decoded("/x", &[backend(&a, "/"), backend(&b, "/")])]);
    assert_eq!(gateway.get("/x").status, 200);
    let log = gateway.access_log(1);
    assert!(log.contains(" endpoint=/x status=200 ") && log.contains(" attempts=2 "), "{log}");
}

#[test]
fn a_body_that_is_held_may_be_ten_mebibytes_long() {
    let upstream = Upstream::start(|request| json_reply(json!({ "length": request.body.len() }).to_string()));
    let gateway = Running::with(&[posting("/x", &upstream)]);
    let answer = client::post(gateway.address, "/x", vec![b'x'; LONGEST_BODY]);
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"length":10485760}"#));
}

#[test]
fn a_longer_body_is_refused_as_soon_as_its_length_is_known() {
    let upstream = answers("{}");
    let gateway = Running::with(&[posting("/x", &upstream)]);
    let head = |framing: &str| format!("POST /x HTTP/1.1\r\nHost: porteur.test\r\n{framing}\r\n\r\n");
    let mut declared = Connection::open(gateway.address);
    declared.write(head(&format!("Content-Length: {}", LONGEST_BODY + 1)));
    assert_eq!(declared.response().status, 413);
    declared.expect_closed();
    let mut waiting = Connection::open(gateway.address);
    waiting.write(head(&format!("Content-Length: {}\r\nExpect: 100-continue", LONGEST_BODY + 1)));
    let answer = waiting.response();
    assert_eq!((answer.status, answer.interim), (413, vec![]), "nobody is told to send it");
    let mut chunked = Connection::open(gateway.address);
    chunked.write(head("Transfer-Encoding: chunked"));
    let piece = [b"100000\r\n", &vec![b'x'; 0x10_0000][..], b"\r\n"].concat();
    (0..10).for_each(|_| chunked.write(&piece));
    chunked.write("1\r\nx\r\n");
    assert_eq!(chunked.response().status, 413);
    assert!(upstream.requests().is_empty());
    assert!(gateway.access_log(3).lines().all(|line| line.contains("failure=too_large")));
}
