//! Answers that come before the body of their request is out: an upstream that does not want it says so, and reads no more of it.

use crate::decoded::decoded;
use crate::support::authority::Authority;
use crate::support::client::{self, Response};
use crate::support::gateway::{Running, with};
use crate::support::h2_upstream::H2Upstream;
use crate::support::listener::Listener;
use crate::support::tls_upstream::{Terms, config};
use http::Response as Head;
use rustls::{ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};

/// More than the buffers of two sockets hold.
const LARGE: usize = 9 * 1024 * 1024;
const REFUSAL: &[u8] = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig";

/// An endpoint whose timeout is longer than a test waits for an answer, so that none is there because time is over.
fn uploading(host: &str, extra: &Value) -> Value {
    let backend = json!({ "host": [host], "url_pattern": "/", "extra_config": extra });
    with(decoded("/", &[backend]), &json!({ "method": "POST" }))
}

fn plain(host: &str) -> Value {
    uploading(host, &json!({ "backend/http": { "return_error_code": true } }))
}

fn upload(gateway: &Running) -> Response {
    client::post(gateway.address, "/", vec![b'x'; LARGE])
}

#[track_caller]
fn assert_refused(gateway: &Running) {
    assert_eq!(upload(gateway).status, 413);
    let line = gateway.access_log(1);
    assert!(line.contains("failure=upstream_status cause=status"), "{line}");
}

fn read_head(mut stream: impl Read) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
}

/// An upstream that says this after the head of a request, and then neither reads nor closes until the sender is dropped.
fn deaf(words: &'static [u8]) -> (Sender<()>, Listener) {
    let (end, ended) = mpsc::channel();
    let ended = Mutex::new(ended);
    let upstream = Listener::start(move |mut stream, _| {
        read_head(stream);
        stream.write_all(words).unwrap();
        let _ = ended.lock().unwrap().recv();
    });
    (end, upstream)
}

#[test]
fn rfc9112_9_5_a_composed_call_hears_a_refusal_while_it_sends() {
    let (_end, upstream) = deaf(REFUSAL);
    assert_refused(&Running::with(&[plain(&format!("http://{}", upstream.addr()))]));
}

#[test]
fn rfc9110_15_2_interim_answers_before_a_refusal_are_none() {
    const WORDS: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 413 x\r\nContent-Length: 0\r\n\r\n";
    let (_end, upstream) = deaf(WORDS);
    assert_refused(&Running::with(&[plain(&format!("http://{}", upstream.addr()))]));
}

#[test]
fn rfc9112_9_5_a_refusal_is_heard_in_tls() {
    let authority = Authority::new("upstreams");
    let tls = Arc::new(config(&authority.server(&["localhost"]), Terms::default()));
    let (end, ended) = mpsc::channel::<()>();
    let ended = Mutex::new(ended);
    let upstream = Listener::start(move |stream, _| {
        let connection = ServerConnection::new(tls.clone()).unwrap();
        let mut stream = StreamOwned::new(connection, stream.try_clone().unwrap());
        read_head(&mut stream);
        stream.write_all(REFUSAL).unwrap();
        stream.flush().unwrap();
        let _ = ended.lock().unwrap().recv();
    });
    let client = json!({ "client_tls": { "ca_certs": [authority.file()], "disable_system_ca_pool": true } });
    let extra = json!({ "backend/http": { "return_error_code": true }, "backend/http/client": client });
    let url = format!("https://localhost:{}", upstream.addr().port());
    assert_refused(&Running::with(&[uploading(&url, &extra)]));
    drop(end);
}

#[test]
fn rfc9113_8_1_a_refusal_is_heard_in_http_2() {
    let upstream = H2Upstream::start(|mut stream| async move {
        stream.text(413, "big");
        stream.until_reset().await;
    });
    let extra =
        json!({ "backend/http": { "return_error_code": true }, "backend/http/client": { "http_version": "2" } });
    assert_refused(&Running::with(&[uploading(&upstream.url(), &extra)]));
}

#[test]
fn rfc9112_9_5_an_answer_that_refuses_nothing_does_not_end_the_body() {
    let upstream = Listener::start(|mut stream, _| {
        read_head(stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        let read = std::io::copy(&mut stream.take(LARGE as u64), &mut std::io::sink()).unwrap();
        let body = json!({ "read": read }).to_string();
        write!(stream, "{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).unwrap();
    });
    let gateway = Running::with(&[plain(&format!("http://{}", upstream.addr()))]);
    let answer = upload(&gateway);
    assert_eq!((answer.status, answer.text()), (200, json!({ "read": LARGE }).to_string()));
}

#[test]
fn an_early_answer_in_http_2_that_refuses_nothing_does_not_end_the_body() {
    let upstream = H2Upstream::start(|mut stream| async move {
        let mut send = stream.respond.send_response(Head::new(()), false).unwrap();
        let body = json!({ "read": stream.body().await.len() }).to_string();
        let _ = send.send_data(body.into(), true);
    });
    let extra = json!({ "backend/http/client": { "http_version": "2" } });
    let gateway = Running::with(&[uploading(&upstream.url(), &extra)]);
    let answer = upload(&gateway);
    assert_eq!((answer.status, answer.text()), (200, json!({ "read": LARGE }).to_string()));
}

#[test]
fn what_was_refused_leaves_no_connection_to_the_next_request() {
    let (_end, ended) = mpsc::channel::<()>();
    let ended = Mutex::new(ended);
    let upstream = Listener::start(move |mut stream, number| {
        read_head(stream);
        if number == 0 {
            stream.write_all(REFUSAL).unwrap();
            // What is left of the body is never read: a whole request would leave a connection that is good for another.
            let _ = ended.lock().unwrap().recv();
        } else {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
        }
    });
    let gateway = Running::with(&[plain(&format!("http://{}", upstream.addr()))]);
    assert_eq!(upload(&gateway).status, 413);
    assert_eq!(client::post(gateway.address, "/", "{}").status, 200);
}
