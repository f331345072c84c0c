//! Endpoints whose requests or answers are held although the answer passes as it is: body checks and caches.

use crate::support::client::{self, Connection};
use crate::support::gateway::{Running, credential, endpoint, with};
use crate::support::poll::{self, PATIENCE};
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

fn with_schema(host: &str) -> Value {
    let schema = json!({ "type": "object", "required": ["name"], "properties": { "name": { "type": "string" } } });
    let keys = json!({ "method": "POST", "extra_config": { "validation/json-schema": schema } });
    with(endpoint("/a", host, "/b"), &keys)
}

fn cached(host: &str) -> Value {
    let mut endpoint = endpoint("/a", host, "/b");
    endpoint["input_query_strings"] = json!(["q"]);
    endpoint["input_headers"] = json!(["Accept", "Accept-Language"]);
    endpoint["backend"][0]["extra_config"] = json!({ "qos/http-cache": {} });
    endpoint
}

#[test]
fn a_body_that_breaks_the_schema_never_reaches_the_backend() {
    let upstream = Upstream::echo();
    let gateway = Running::with(&[with_schema(&upstream.url())]);
    for body in ["", "{", "[]", "{}", r#"{"name": 1}"#, r#"{"name": "a"} {}"#] {
        let answer = client::post(gateway.address, "/a", body);
        assert_eq!((answer.status, answer.text().as_str()), (400, ""), "{body}");
    }
    assert_eq!(upstream.heads(), 0);
    let answer = client::post(gateway.address, "/a", r#"{"name": "Ann"}"#);
    assert_eq!(answer.json()["body"], r#"{"name": "Ann"}"#);
    assert!(gateway.access_log(7).contains("bad_request"));
}

#[test]
fn the_broken_rule_is_told_where_messages_are() {
    let upstream = Upstream::echo();
    let gateway = Running::start(json!({
        "extra_config": { "router": { "return_error_msg": true } },
        "endpoints": [with_schema(&upstream.url())],
    }));
    let answer = client::post(gateway.address, "/a", r#"{"name": 1}"#);
    assert_eq!((answer.status, answer.text().as_str()), (400, "the body breaks `type` at `/name`: expected string"));
}

#[test]
fn an_answer_behind_a_body_check_streams() {
    let (reply, feed) = Reply::stream(200);
    let upstream = Upstream::sequence([reply]);
    let gateway = Running::with(&[with_schema(&upstream.url())]);
    let mut client = Connection::open(gateway.address);
    client.write(client::request("POST", "/a", &[], br#"{"name":"Ann"}"#));
    assert_eq!(client.head().status, 200);
    feed.send("one");
    assert_eq!(client.chunk().as_deref(), Some(&b"one"[..]));
    feed.send("two");
    assert_eq!(client.chunk().as_deref(), Some(&b"two"[..]));
    feed.finish();
    assert_eq!(client.chunk(), None);
}

#[test]
fn a_fresh_answer_is_used_again_and_tells_its_age() {
    let upstream = Upstream::start(|request| {
        Reply::text(request.target.clone()).header("Cache-Control", "max-age=600").header("X-Kept", "1")
    });
    let gateway = Running::with(&[cached(&upstream.url())]);
    let first = gateway.get("/a?q=1");
    let again = gateway.get("/a?q=1");
    assert_eq!((first.text(), again.text()), ("/b?q=1".into(), "/b?q=1".into()));
    assert_eq!((first.header("age"), again.header("x-kept")), (None, Some("1")));
    assert!(again.header("age").is_some());
    assert_eq!(gateway.get("/a?q=2").text(), "/b?q=2");
    assert_eq!(upstream.heads(), 2);
}

#[test]
fn a_stale_answer_is_used_again_when_the_upstream_says_so() {
    let upstream = Upstream::start(|request| match request.header("if-none-match") {
        Some("\"1\"") => Reply::new(304).header("ETag", "\"1\""),
        _ => Reply::text("kept").header("ETag", "\"1\"").header("Cache-Control", "no-cache"),
    });
    let gateway = Running::with(&[cached(&upstream.url())]);
    for _ in 0..3 {
        let answer = gateway.get("/a");
        assert_eq!((answer.status, answer.text().as_str()), (200, "kept"));
    }
    let conditions = upstream.requests().iter().filter(|request| request.header("if-none-match").is_some()).count();
    assert_eq!(conditions, 2);
}

#[test]
fn what_may_not_be_kept_is_asked_for_each_time() {
    let asked = AtomicUsize::new(0);
    let upstream = Upstream::start(move |_| {
        let number = asked.fetch_add(1, Ordering::SeqCst).to_string();
        Reply::text(number).header("Cache-Control", "private, max-age=600")
    });
    let gateway = Running::with(&[cached(&upstream.url())]);
    assert_eq!([gateway.get("/a").text(), gateway.get("/a").text()], ["0", "1"]);
}

#[test]
fn a_decoded_answer_is_kept_too() {
    let upstream = Upstream::start(|_| Reply::json(200, &json!({ "a": 1 })).header("Cache-Control", "max-age=600"));
    let mut endpoint = cached(&upstream.url());
    endpoint["output_encoding"] = json!("json");
    let gateway = Running::with(&[endpoint]);
    assert_eq!([gateway.get("/a").text(), gateway.get("/a").text()], [r#"{"a":1}"#, r#"{"a":1}"#]);
    assert_eq!(upstream.heads(), 1);
}

#[test]
fn an_answer_too_long_to_keep_passes_whole() {
    let long = "x".repeat(3 * 1024 * 1024);
    let body = long.clone();
    let upstream = Upstream::start(move |_| Reply::text(&body).header("Cache-Control", "max-age=600"));
    let gateway = Running::with(&[cached(&upstream.url())]);
    for _ in 0..2 {
        assert!(gateway.get("/a").text() == long);
    }
    assert_eq!(upstream.heads(), 2);
    poll::eventually(PATIENCE, "the connection is kept", || upstream.connections() == 1);
}

#[test]
fn an_answer_that_says_it_is_too_long_to_keep_is_not_held() {
    let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 2097152\r\n\r\n";
    // More than what waits for more on its way to the client.
    let begun = [head.as_bytes(), &[b'x'; 64 * 1024]].concat();
    let upstream = Upstream::start(move |_| Reply::raw(&begun));
    let gateway = Running::with(&[cached(&upstream.url())]);
    let mut client = Connection::open(gateway.address);
    client.write(client::request("GET", "/a", &[], b""));
    assert_eq!(client.head().status, 200, "although most of it has not come");
    // The gateway, which is stopped before, would wait for the rest.
    drop(upstream);
}

#[test]
fn an_event_stream_is_not_held_for_a_cache() {
    let (reply, feed) = Reply::stream(200);
    let reply = reply.header("Content-Type", "text/event-stream").header("Cache-Control", "no-cache");
    let upstream = Upstream::sequence([reply]);
    let gateway = Running::with(&[cached(&upstream.url())]);
    let mut client = Connection::open(gateway.address);
    client.write(client::request("GET", "/a", &[], b""));
    assert_eq!(client.head().status, 200);
    feed.send("data: 1\n\n");
    assert_eq!(client.chunk().as_deref(), Some(&b"data: 1\n\n"[..]));
    feed.finish();
    assert_eq!(client.chunk(), None);
}

#[test]
fn a_request_with_a_body_is_not_for_a_cache() {
    let upstream = Upstream::start(|request| Reply::text(request.text()).header("Cache-Control", "max-age=600"));
    let mut endpoint = cached(&upstream.url());
    endpoint["method"] = json!("POST");
    endpoint["backend"][0]["method"] = json!("GET");
    let gateway = Running::with(&[endpoint]);
    for body in ["one", "two"] {
        assert_eq!(client::post(gateway.address, "/a", body).text(), body);
    }
}

#[test]
fn an_answer_without_a_token_is_not_kept_for_those_with_one() {
    let upstream = Upstream::start(|request| {
        Reply::text(request.header("authorization").unwrap_or("nobody")).header("Cache-Control", "max-age=600")
    });
    let mut endpoint = cached(&upstream.url());
    let down =
        with(credential("http://127.0.0.1:1/token"), &json!({ "on_missing": "pass", "first_token_wait": "1ms" }));
    endpoint["backend"][0]["extra_config"]["auth/client-credentials"] = down;
    let gateway = Running::with(&[endpoint]);
    for _ in 0..2 {
        assert_eq!(gateway.get("/a").text(), "nobody");
    }
    assert_eq!(upstream.heads(), 2, "each was asked for");
}

#[test]
fn a_body_that_ends_with_its_connection_passes_whole() {
    let upstream = Upstream::start(|_| Reply::raw_then_close("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end"));
    let gateway = Running::with(&[with_schema(&upstream.url())]);
    assert_eq!(client::post(gateway.address, "/a", r#"{"name":"Ann"}"#).text(), "to the end");
}

#[test]
fn a_head_says_no_length_that_nobody_told() {
    let upstream =
        Upstream::start(|_| Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: \"1\"\r\n\r\n"));
    let gateway = Running::with(&[cached(&upstream.url())]);
    let mut client = Connection::open(gateway.address);
    client.write(client::request("HEAD", "/a", &[], b""));
    let head = client.head();
    assert_eq!((head.status, head.header("content-length")), (200, None));
}

#[test]
fn a_client_of_http_1_0_gets_no_informational_answer() {
    let upstream = Upstream::echo();
    let gateway = Running::with(&[with_schema(&upstream.url())]);
    let request = "POST /a HTTP/1.0\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 14\r\n\r\n{\"name\":\"Ann\"}";
    assert_eq!(client::send(gateway.address, request).status, 200);
}

#[test]
fn a_kept_answer_that_came_in_chunks_leaves_the_connection_open() {
    let (reply, feed) = Reply::stream(200);
    let reply = reply.header("Cache-Control", "max-age=600");
    let upstream = Upstream::sequence([reply]);
    let gateway = Running::with(&[cached(&upstream.url())]);
    feed.send("chunk");
    feed.finish();
    let mut client = Connection::open(gateway.address);
    for _ in 0..3 {
        let answer = client.request(client::request("GET", "/a", &[], b""));
        assert_eq!((answer.status, answer.text().as_str()), (200, "chunk"));
    }
    assert_eq!(upstream.heads(), 1);
}

#[test]
fn a_stale_answer_stands_in_for_no_host_while_another_answers() {
    let upstream = Upstream::start(|_| {
        Reply::text("up").header("Cache-Control", "max-age=0, stale-if-error=600").header("ETag", "\"1\"")
    });
    let mut endpoint = cached(&upstream.url());
    endpoint["backend"][0]["host"] = json!(["http://127.0.0.1:1", upstream.url()]);
    let gateway = Running::with(&[endpoint]);
    for _ in 0..4 {
        assert_eq!(gateway.get("/a").text(), "up");
    }
    assert_eq!(upstream.heads(), 4, "each was asked for");
}
