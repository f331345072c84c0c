//! Which requests are sent once more after their token was rejected, and that they arrive whole or not at all.

use crate::rejection::{carries, forced, guarded, invalid_token, rejections, rejects_the_first, wait_for_generation};
use crate::support::client::{self, Connection, request};
use crate::support::gateway::Running;
use crate::support::listener::Listener;
use crate::support::poll::Latch;
use crate::support::reply::Reply;
use crate::support::scripted::Scripted;
use crate::support::upstream::Upstream;
use crate::support::wire;
use serde_json::json;
use std::io::{BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What Pingora keeps of a request's body for another attempt (`BODY_BUF_LIMIT`).
const RETRY_BUFFER: usize = 64 * 1024;

fn start(upstream: &Upstream, replay: Option<&str>) -> (Running, Scripted) {
    let server = Scripted::counting("TOKEN", 3600);
    let keys = replay.map_or_else(|| json!({}), |replay| json!({ "replay": replay }));
    let gateway = Running::with(&[guarded(&upstream.url(), &server.token_url(), keys)]).ready();
    (gateway, server)
}

/// Every byte there is, again and again.
fn bytes(count: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(count).collect()
}

#[test]
fn which_requests_are_replayed() {
    for (replay, method, body, replayed) in [
        (None, "GET", 0, true),
        (None, "HEAD", 0, true),
        (None, "OPTIONS", 0, true),
        (None, "DELETE", 0, true),
        (None, "PUT", 1000, true),
        (None, "PUT", RETRY_BUFFER, true),
        (None, "POST", 1000, false),
        (None, "POST", 0, false),
        (None, "PATCH", 1000, false),
        (Some("idempotent"), "POST", 1000, false),
        (Some("always"), "POST", 1000, true),
        (Some("always"), "POST", RETRY_BUFFER, true),
        (Some("always"), "PATCH", 0, true),
        (Some("never"), "GET", 0, false),
        (Some("never"), "PUT", 1000, false),
    ] {
        let what = format!("{method} with {body} bytes and {replay:?}");
        let upstream = rejects_the_first();
        let (gateway, server) = start(&upstream, replay);
        let sent = bytes(body);
        let request = || request(method, "/x", &[], &sent);
        let answer = client::send(gateway.address, request());
        let received = upstream.requests();
        assert_eq!((answer.status, received.len()), if replayed { (200, 2) } else { (401, 1) }, "{what}");
        assert!(received.iter().all(|received| received.method == method && received.body == sent), "{what}");
        // The refresh is ordered all the same.
        wait_for_generation(&gateway, 2.0);
        assert_eq!(rejections(&gateway, if replayed { "sent" } else { "unrepeatable" }), 1.0, "{what}");
        assert_eq!(client::send(gateway.address, request()).status, 200, "{what}: the next one has the new token");
        assert_eq!((server.requests().len(), forced(&gateway)), (2, 1.0), "{what}");
        assert_eq!(upstream.violations(), Vec::<String>::new(), "{what}");
    }
}

#[test]
fn a_method_that_the_backend_changes_counts_as_the_upstream_saw_it() {
    let upstream = rejects_the_first();
    let server = Scripted::counting("TOKEN", 3600);
    let mut posting = guarded(&upstream.url(), &server.token_url(), json!({}));
    posting["method"] = json!("GET");
    posting["backend"][0]["method"] = json!("POST");
    let gateway = Running::with(&[posting]).ready();
    assert_eq!(gateway.get("/x").status, 401);
    assert_eq!(upstream.only_request().method, "POST");
}

#[test]
fn a_chunked_body_is_replayed_whole() {
    let upstream = rejects_the_first();
    let (gateway, _server) = start(&upstream, None);
    let chunked = "PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let answer = client::send(gateway.address, chunked);
    assert_eq!((answer.status, answer.text().as_str()), (200, "abcde"));
    assert!(upstream.requests().iter().all(|request| request.body == b"abcde"));
    assert_eq!(upstream.requests().len(), 2);
    assert_eq!(upstream.violations(), Vec::<String>::new());
}

#[test]
fn a_body_larger_than_the_retry_buffer_is_never_replayed_truncated() {
    for size in [RETRY_BUFFER + 1, 1 << 20] {
        let upstream = rejects_the_first();
        let (gateway, _server) = start(&upstream, Some("always"));
        let sent = bytes(size);
        let mut connection = Connection::open(gateway.address);
        let answer = connection.request(request("PUT", "/x", &[], &sent));
        assert_eq!((answer.status, answer.text().as_str()), (401, "rejected"), "{size}");
        assert_eq!(rejections(&gateway, "unrepeatable"), 1.0);
        wait_for_generation(&gateway, 2.0);
        let answer = connection.request(request("PUT", "/x", &[], &sent));
        assert_eq!(answer.status, 200, "on the same connection: the first request was read to its end");
        let received = upstream.requests();
        assert_eq!(received.len(), 2);
        assert!(received.iter().all(|request| request.body == sent), "{size}");
    }
}

/// Rejects the first token as soon as the head is there, without a word about the body, which it then reads to its end.
/// Counts heads.
fn hasty() -> (Listener, Arc<AtomicUsize>) {
    let heads = Arc::new(AtomicUsize::new(0));
    let listener = Listener::start({
        let heads = heads.clone();
        move |mut stream, _| {
            let mut reader = BufReader::new(stream);
            let Ok(Some(head)) = wire::read_head(&mut reader) else { return };
            heads.fetch_add(1, Ordering::SeqCst);
            let first = head.headers.get("authorization") == Some("Bearer TOKEN-0");
            let status = if first { "401 Unauthorized" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\nConnection: close\r\n\r\nearly");
            let _ = stream.write_all(answer.as_bytes());
            let _ = reader.read_to_end(&mut Vec::new());
        }
    });
    (listener, heads)
}

#[test]
fn a_401_before_the_body_is_complete_is_not_replayed() {
    for start_of_body in ["Expect: 100-continue\r\n\r\n", "\r\nhalf of it"] {
        let (upstream, heads) = hasty();
        let server = Scripted::counting("TOKEN", 3600);
        let url = format!("http://{}", upstream.addr());
        let gateway = Running::with(&[guarded(&url, &server.token_url(), json!({ "replay": "always" }))]).ready();
        let mut connection = Connection::open(gateway.address);
        connection.write(format!("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n{start_of_body}"));
        let answer = connection.response();
        assert_eq!((answer.status, answer.text().as_str()), (401, "early"), "{start_of_body:?}");
        assert_eq!(heads.load(Ordering::SeqCst), 1);
        assert_eq!(rejections(&gateway, "unrepeatable"), 1.0);
        wait_for_generation(&gateway, 2.0);
        assert_eq!(gateway.get("/x").status, 200);
    }
}

#[test]
fn a_client_that_waited_for_100_continue_has_its_body_replayed() {
    let upstream = rejects_the_first();
    let (gateway, _server) = start(&upstream, None);
    let answer = client::send(gateway.address, request("PUT", "/x", &[("Expect", "100-continue")], b"body"));
    assert_eq!((answer.status, answer.text().as_str()), (200, "body"));
    assert!(answer.interim.iter().all(|status| *status == 100), "{:?}", answer.interim);
    assert_eq!(upstream.requests().len(), 2);
}

#[test]
fn the_replay_is_the_same_request_but_for_its_token() {
    let upstream = rejects_the_first();
    let (gateway, _server) = start(&upstream, None);
    let headers = [("X-Mine", "1"), ("X-Mine", "2"), ("Authorization", "Bearer mine"), ("Cookie", "a=b")];
    let answer = client::send(gateway.address, request("PUT", "/x", &headers, b"body"));
    assert_eq!(answer.status, 200);
    let received = upstream.requests();
    assert_eq!(received.len(), 2);
    let text = |n: usize| String::from_utf8(received[n].head.clone()).unwrap();
    assert!(text(0).contains("Bearer TOKEN-0") && text(0).contains("X-Mine: 2"), "{}", text(0));
    assert_eq!(text(0).replace("TOKEN-0", "TOKEN-1"), text(1));
}

#[test]
fn a_client_that_leaves_during_the_wait_for_a_token_harms_nobody() {
    let slow = Latch::new();
    let server = Scripted::renewing_after(&slow);
    let upstream =
        Upstream::start(|request| if carries(request, "TOKEN-0") { invalid_token() } else { Reply::text("welcome") });
    let gateway = Running::with(&[guarded(&upstream.url(), &server.token_url(), json!({}))]).ready();
    let mut leaving = Connection::open(gateway.address);
    leaving.write(request("GET", "/x", &[], b""));
    // The rejection has arrived and another token is asked for: before that, a client that leaves ends its request.
    server.wait_for_requests(2);
    drop(leaving);
    slow.open();
    wait_for_generation(&gateway, 2.0);
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(forced(&gateway), 1.0);
}
