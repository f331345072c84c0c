//! When a request is given up, and who is blamed for it: an upstream that is silent, stalls or trickles, a client that stalls.

use crate::support::client::{self, Connection};
use crate::support::gateway::{BRIEF, Running, endpoint, with};
use crate::support::h2_upstream::H2Upstream;
use crate::support::listener::Listener;
use crate::support::poll::{PATIENCE, eventually};
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_millis(500);

fn hasty(host: &str) -> Value {
    with(endpoint("/x", host, "/x"), &json!({ "method": "*", "timeout": "500ms" }))
}

/// Writes one piece after the other, slowly, for as long as somebody listens.
fn trickle(mut stream: &TcpStream, pieces: impl IntoIterator<Item = &'static [u8]>) {
    let _ = stream.read(&mut [0; 4096]);
    for piece in pieces {
        if stream.write_all(piece).is_err() {
            break;
        }
        thread::sleep(TIMEOUT / 10);
    }
}

#[track_caller]
fn assert_given_up(gateway: &Running, failure: &str) {
    let began = Instant::now();
    let mut connection = Connection::open(gateway.address);
    let answer = connection.request(client::request("GET", "/x", &[], b""));
    assert_eq!((answer.status, answer.header("connection")), (504, Some("close")));
    assert!(began.elapsed() >= TIMEOUT && began.elapsed() < BRIEF, "{:?}", began.elapsed());
    connection.expect_closed();
    let line = gateway.access_log(1);
    assert!(line.contains(&format!("failure={failure}")), "{line}");
}

#[test]
fn an_upstream_that_accepts_and_is_silent_is_given_up() {
    let upstream = Upstream::start(|_| Reply::hang());
    assert_given_up(&Running::with(&[hasty(&upstream.url())]), "upstream_timeout");
}

#[test]
fn a_head_that_trickles_is_given_up_at_the_timeout() {
    let endless = || [&b"HTTP/1.1 200 OK\r\nX-Long: "[..]].into_iter().chain(std::iter::repeat(&b"x"[..]));
    let upstream = Listener::start(move |stream, _| trickle(stream, endless()));
    let gateway = Running::with(&[hasty(&format!("http://{}", upstream.addr()))]);
    assert_given_up(&gateway, "upstream_timeout");
    eventually(PATIENCE, "the upstream is left alone", || upstream.open() == 0);
}

#[test]
fn an_upstream_whose_head_trickles_counts_as_failing() {
    let endless = || [&b"HTTP/1.1 200 OK\r\nX-Long: "[..]].into_iter().chain(std::iter::repeat(&b"x"[..]));
    let upstream = Listener::start(move |stream, _| trickle(stream, endless()));
    let good = Upstream::start(|_| Reply::text("fine"));
    let url = format!("http://{}", upstream.addr());
    let outlier = json!({ "balance": { "outlier": { "consecutive_failures": 1, "base_ejection_time": "60s" } } });
    let breaker = json!({ "qos/circuit-breaker": { "interval": 60, "timeout": 60, "max_errors": 0, "name": "b" } });
    let endpoint = |path: &str, hosts: &[&str], extra: &Value| {
        let mut endpoint = with(hasty(&url), &json!({ "endpoint": path }));
        (endpoint["backend"][0]["host"], endpoint["backend"][0]["extra_config"]) = (json!(hosts), extra.clone());
        endpoint
    };
    let gateway =
        Running::with(&[endpoint("/balanced", &[&url, &good.url()], &outlier), endpoint("/broken", &[&url], &breaker)]);
    eventually(PATIENCE, "it is left out", || {
        gateway.get("/balanced");
        gateway.metric(r#"porteur_upstream_ejections_total{endpoint="/balanced"}"#) == 1.0
    });
    assert_eq!([gateway.get("/broken").status, gateway.get("/broken").status], [504, 503]);
    assert_eq!(gateway.metric(r#"porteur_failures_total{failure="upstream_timeout"}"#), 2.0);
}

#[test]
fn interim_answers_do_not_buy_time() {
    let hints = || std::iter::repeat(&b"HTTP/1.1 103 Early Hints\r\n\r\n"[..]);
    let upstream = Listener::start(move |stream, _| trickle(stream, hints()));
    let gateway = Running::with(&[hasty(&format!("http://{}", upstream.addr()))]);
    assert_given_up(&gateway, "upstream_timeout");
}

#[test]
fn a_body_that_stalls_is_cut_off() {
    let (reply, feed) = Reply::stream(200);
    let upstream = Upstream::sequence([reply]);
    let gateway = Running::with(&[hasty(&upstream.url())]);
    let mut connection = Connection::open(gateway.address);
    connection.write(client::request("GET", "/x", &[], b""));
    assert_eq!(connection.head().status, 200);
    feed.send("begin");
    assert_eq!(connection.chunk().unwrap(), b"begin");
    connection.expect_closed();
    let line = gateway.access_log(1);
    assert!(line.contains("status=200") && line.contains("failure=upstream_timeout"), "{line}");
}

#[test]
fn a_client_that_stalls_its_upload_is_to_blame() {
    let upstream = Upstream::echo();
    let gateway = Running::with(&[hasty(&upstream.url())]);
    let mut connection = Connection::open(gateway.address);
    connection.write("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
    let answer = connection.response();
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
    let line = gateway.access_log(1);
    assert!(line.contains("failure=request_timeout"), "{line}");
}

#[test]
fn a_client_that_stalls_does_not_suspend_its_backend() {
    let upstream = Upstream::echo();
    let mut endpoint = hasty(&upstream.url());
    endpoint["backend"][0]["extra_config"]["qos/circuit-breaker"] =
        json!({ "interval": 60, "timeout": 60, "max_errors": 0, "name": "b" });
    let gateway = Running::with(&[endpoint]);
    for _ in 0..2 {
        let mut connection = Connection::open(gateway.address);
        connection.write("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
        assert_eq!(connection.response().status, 408);
    }
    assert_eq!(gateway.get("/x").status, 200);
}

#[test]
fn a_client_that_stalls_is_to_blame_where_the_upstream_speaks_http_2() {
    let upstream = H2Upstream::echo();
    let mut endpoint = hasty(&upstream.url());
    endpoint["backend"][0]["extra_config"]["backend/http/client"] = json!({ "http_version": "2" });
    let gateway = Running::with(&[endpoint]);
    let mut connection = Connection::open(gateway.address);
    connection.write("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
    assert_eq!(connection.response().status, 408);
}

#[test]
fn a_client_that_waits_for_a_word_of_the_upstream_is_not() {
    let upstream = Listener::start(|stream, _| {
        let mut stream = stream;
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let gateway = Running::with(&[hasty(&format!("http://{}", upstream.addr()))]);
    let mut connection = Connection::open(gateway.address);
    connection.write("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(connection.response().status, 504);
}

#[test]
fn an_upload_that_moves_may_take_longer_than_the_timeout() {
    let upstream = Upstream::echo();
    let gateway = Running::with(&[with(hasty(&upstream.url()), &json!({ "timeout": "1s" }))]);
    let mut connection = Connection::open(gateway.address);
    connection.write("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n");
    let began = Instant::now();
    for sent in 1..=12 {
        connection.write("x");
        eventually(PATIENCE, "the byte is at the upstream", || upstream.body_bytes() == sent);
        thread::sleep(Duration::from_millis(100));
    }
    assert!(began.elapsed() > Duration::from_secs(1));
    assert_eq!(connection.response().status, 200);
}

#[test]
fn a_connection_that_is_kept_does_not_remember_an_earlier_deadline() {
    let upstream = Upstream::start(|request| {
        let wait = if request.target.contains("slow") { TIMEOUT * 2 } else { Duration::ZERO };
        Reply::text("fine").delayed(wait)
    });
    let slow = with(endpoint("/slow", &upstream.url(), "/slow"), &json!({ "timeout": "10s" }));
    let gateway = Running::with(&[hasty(&upstream.url()), slow]);
    let mut connection = Connection::open(gateway.address);
    for target in ["/x", "/slow", "/x"] {
        assert_eq!(connection.request(client::request("GET", target, &[], b"")).status, 200, "{target}");
    }
}

#[test]
fn an_answer_that_breaks_off_does_not_look_whole_to_a_client_of_http_1_0() {
    let broken = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    let upstream = Upstream::start(move |_| Reply::raw_then_close(broken));
    let gateway = Running::with(&[hasty(&upstream.url())]);
    let answer = client::try_send(gateway.address, "GET /x HTTP/1.0\r\nHost: h\r\n\r\n");
    assert!(answer.is_err(), "the end of the connection is the end of the answer: {answer:?}");
}
