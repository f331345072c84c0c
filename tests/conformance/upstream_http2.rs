//! HTTP/2 towards upstreams: agreed on by TLS or known beforehand, many requests on one connection, and what becomes of them
//! when streams and connections end early.

use crate::support::authority::Authority;
use crate::support::client::{self, Connection};
use crate::support::gateway::{BRIEF, Running, endpoint};
use crate::support::h2_upstream::{End, H2Upstream, send_all};
use crate::support::listener::Listener;
use crate::support::nginx::Nginx;
use crate::support::poll::{PATIENCE, eventually};
use crate::support::report::report;
use crate::support::tls_upstream::{Terms, TlsUpstream};
use crate::support::upstream::Upstream;
use bytes::Bytes;
use h2::Reason;
use http::Response;
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use tokio::sync::Notify;

fn by(path: &str, host: &str, client: Value) -> Value {
    let mut endpoint = endpoint(path, host, path);
    endpoint["method"] = json!("*");
    endpoint["backend"][0]["extra_config"]["backend/http/client"] = client;
    endpoint
}

fn http2(path: &str, host: &str) -> Value {
    by(path, host, json!({ "http_version": "2" }))
}

fn decoded(mut endpoint: Value) -> Value {
    endpoint["output_encoding"] = json!("json");
    endpoint["method"] = json!("GET");
    endpoint
}

#[test]
fn rfc9113_3_3_without_tls_http_2_is_known_beforehand() {
    let upstream = H2Upstream::echo();
    let gateway = Running::with(&[http2("/x", &upstream.url())]);
    let answer = gateway.get("/x?a=1");
    assert_eq!(answer.status, 200);
    let (method, target, headers) = upstream.heads().remove(0);
    assert_eq!((method.as_str(), target), ("GET", format!("http://{}/x", upstream.addr())));
    // RFC 9113 §8.2.2: nothing that is about one connection of HTTP/1.1.
    for name in ["connection", "host", "transfer-encoding", "upgrade", "keep-alive", "te"] {
        assert!(!headers.contains_key(name), "{name}");
    }
    assert_eq!(headers["x-forwarded-proto"], "http");
}

#[test]
fn bodies_of_any_framing_pass_both_ways() {
    let upstream = H2Upstream::echo();
    let gateway = Running::with(&[http2("/x", &upstream.url())]);
    let large = "0123456789abcdef".repeat(64 * 1024);
    let answer = client::post(gateway.address, "/x", &large);
    assert_eq!((answer.status, answer.body.len(), answer.text() == large), (200, large.len(), true));
    let chunked = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let answer = client::send(gateway.address, chunked);
    assert_eq!((answer.status, answer.text().as_str()), (200, "abcde"));
}

#[test]
fn rfc9110_10_1_1_a_client_that_waits_for_100_is_told_to_go_on() {
    let upstream = H2Upstream::echo();
    let gateway = Running::with(&[http2("/x", &upstream.url())]);
    let mut connection = Connection::open(gateway.address);
    connection.write("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    let interim = connection.read(b"HTTP/1.1 100 Continue\r\n".len());
    assert_eq!(String::from_utf8_lossy(&interim), "HTTP/1.1 100 Continue\r\n");
    assert_eq!(connection.read(2), b"\r\n");
    connection.write("body");
    let answer = connection.response();
    assert_eq!((answer.status, answer.text().as_str()), (200, "body"));
    let (_, _, headers) = upstream.heads().remove(0);
    assert!(!headers.contains_key("expect"));
}

#[test]
fn a_client_that_does_not_read_holds_nobody_else_up() {
    let upstream = H2Upstream::start(|mut stream| async move {
        match stream.request.uri().path() {
            "/endless" => {
                let mut send = stream.respond.send_response(Response::new(()), false).unwrap();
                send_all(&mut send, Bytes::from(vec![b'x'; 64 << 20]), true).await;
            }
            _ => stream.text(200, "ok"),
        }
    });
    let mut endless = http2("/endless", &upstream.url());
    endless["timeout"] = json!("30s");
    let gateway = Running::with(&[endless, http2("/x", &upstream.url())]);
    let slow: Vec<Connection> = (0..10)
        .map(|_| {
            let mut client = Connection::open(gateway.address);
            client.write(client::request("GET", "/endless", &[], b""));
            client.head();
            client
        })
        .collect();
    for _ in 0..5 {
        assert_eq!(gateway.get("/x").text(), "ok");
    }
    drop(slow);
}

#[test]
fn rfc9113_5_many_requests_share_a_connection() {
    const MANY: usize = 40;
    let all = Arc::new(tokio::sync::Semaphore::new(0));
    let upstream = H2Upstream::start({
        let all = all.clone();
        move |mut stream| {
            let all = all.clone();
            async move {
                // Nobody is answered before all are here.
                if stream.request.uri().path() == "/many" {
                    let _ = all.acquire().await;
                }
                stream.text(200, "ok");
            }
        }
    });
    let gateway = Running::with(&[http2("/first", &upstream.url()), http2("/many", &upstream.url())]);
    assert_eq!(gateway.get("/first").status, 200);
    eventually(PATIENCE, "the end of the first", || upstream.at_once() == 0);
    thread::scope(|scope| {
        // One after the other: Pingora takes a connection out of its pool while it opens a stream, and two that want one at the
        // same moment get two.
        let ask = |n: usize| {
            let asked = scope.spawn(|| gateway.get("/many").status);
            eventually(PATIENCE, "the request at the upstream", || upstream.at_once() == n + 1);
            asked
        };
        let asking: Vec<_> = (0..MANY).map(ask).collect();
        all.close();
        assert!(asking.into_iter().all(|asked| asked.join().unwrap() == 200));
    });
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn as_many_streams_as_the_upstream_grants() {
    let upstream = H2Upstream::ending(End::Never, 2, |mut stream| async move {
        tokio::task::yield_now().await;
        stream.text(200, "ok");
    });
    let gateway = Running::with(&[http2("/x", &upstream.url())]);
    thread::scope(|scope| {
        let asking: Vec<_> = (0..16).map(|_| scope.spawn(|| gateway.get("/x").status)).collect();
        assert!(asking.into_iter().all(|asked| asked.join().unwrap() == 200));
    });
}

#[test]
fn decoded_answers_come_by_http_2_too() {
    let upstream = H2Upstream::start(|mut stream| async move {
        let body = stream.body().await;
        let text = json!({ "length": body.len() }).to_string();
        stream.text(200, &text);
    });
    let mut posted = http2("/posted", &upstream.url());
    posted["output_encoding"] = json!("json");
    posted["method"] = json!("POST");
    let gateway = Running::with(&[decoded(http2("/x", &upstream.url())), posted]);
    for _ in 0..2 {
        assert_eq!(gateway.get("/x").json(), json!({ "length": 0 }));
    }
    assert_eq!(client::post(gateway.address, "/posted", "x".repeat(100_000)).json()["length"], 100_000);
    let (_, target, headers) = upstream.heads().remove(0);
    assert_eq!(target, format!("http://{}/x", upstream.addr()));
    assert!(!headers.contains_key("host"));
}

#[test]
fn rfc9113_8_7_a_refused_stream_is_sent_again_whatever_its_method() {
    let upstream = || {
        H2Upstream::start(|mut stream| async move {
            if stream.number == 0 {
                return stream.respond.send_reset(Reason::REFUSED_STREAM);
            }
            let body = stream.body().await;
            stream.text(200, std::str::from_utf8(&body).unwrap());
        })
    };
    let first = upstream();
    let gateway = Running::with(&[http2("/x", &first.url())]);
    let answer = client::post(gateway.address, "/x", "once");
    assert_eq!((answer.status, answer.text().as_str(), first.streams()), (200, "once", 2));
    let second = upstream();
    let mut endpoint = http2("/x", &second.url());
    endpoint["output_encoding"] = json!("string");
    endpoint["backend"][0]["encoding"] = json!("string");
    endpoint["method"] = json!("POST");
    let gateway = Running::with(&[endpoint]);
    assert_eq!(client::post(gateway.address, "/x", "once").status, 200);
    assert_eq!(second.streams(), 2);
}

#[test]
fn a_stream_that_may_have_been_looked_at_is_not_sent_again() {
    for reason in [Reason::INTERNAL_ERROR, Reason::CANCEL, Reason::ENHANCE_YOUR_CALM] {
        let upstream = H2Upstream::start(move |mut stream| async move { stream.respond.send_reset(reason) });
        let gateway = Running::with(&[http2("/x", &upstream.url())]);
        assert_eq!(client::post(gateway.address, "/x", "once").status, 502, "{reason}");
        assert_eq!(upstream.streams(), 1, "{reason}");
    }
}

#[test]
fn an_answer_that_is_reset_midway_does_not_look_whole() {
    let half_is_there = Arc::new(Notify::new());
    let upstream = H2Upstream::start({
        let half_is_there = half_is_there.clone();
        move |mut stream| {
            let half_is_there = half_is_there.clone();
            async move {
                let response = Response::builder().body(()).unwrap();
                let mut send = stream.respond.send_response(response, false).unwrap();
                send_all(&mut send, Bytes::from_static(b"half"), false).await;
                half_is_there.notified().await;
                send.send_reset(Reason::INTERNAL_ERROR);
            }
        }
    });
    let gateway = Running::with(&[http2("/x", &upstream.url())]);
    let mut connection = Connection::open(gateway.address);
    connection.write(client::request("GET", "/x", &[], b""));
    assert_eq!(connection.head().status, 200);
    assert_eq!(connection.chunk().as_deref(), Some(&b"half"[..]));
    half_is_there.notify_one();
    assert!(connection.rest().is_empty(), "no end of the chunked body");
    half_is_there.notify_one();
    let gateway = Running::with(&[decoded(http2("/x", &upstream.url()))]);
    assert!(gateway.get("/x").status >= 500);
}

#[test]
fn rfc9113_6_8_streams_that_are_open_come_to_their_end_after_goaway() {
    let upstream = H2Upstream::ending(End::After(1), 100, |mut stream| async move {
        let body = stream.body().await;
        stream.goaway.notified().await;
        stream.text(200, std::str::from_utf8(&body).unwrap());
    });
    let gateway = Running::with(&[http2("/x", &upstream.url())]);
    for n in 0..5 {
        let body = format!("{n}");
        let answer = client::post(gateway.address, "/x", &body);
        assert_eq!((answer.status, answer.text()), (200, body));
    }
    assert_eq!(upstream.streams(), 5, "each request once");
}

#[test]
fn under_goaways_every_request_has_its_own_answer() {
    let upstream = H2Upstream::ending(End::After(7), 100, |mut stream| async move {
        let body = stream.body().await;
        tokio::task::yield_now().await;
        stream.text(200, std::str::from_utf8(&body).unwrap());
    });
    let gateway = Running::with(&[http2("/x", &upstream.url())]);
    thread::scope(|scope| {
        let asking: Vec<_> = (0..8)
            .map(|client| {
                let gateway = &gateway;
                scope.spawn(move || {
                    for n in 0..20 {
                        let body = format!("{client}-{n}");
                        let answer = client::post(gateway.address, "/x", &body);
                        if answer.status == 200 {
                            assert_eq!(answer.text(), body);
                        } else {
                            assert_eq!(answer.status, 502);
                        }
                    }
                })
            })
            .collect();
        asking.into_iter().for_each(|asked| asked.join().unwrap());
    });
}

#[test]
fn a_connection_that_is_cut_is_a_502_for_what_cannot_be_repeated() {
    let upstream = H2Upstream::ending(End::CutAfter(1), 100, |_| std::future::pending());
    let gateway = Running::with(&[http2("/x", &upstream.url())]);
    assert_eq!(client::post(gateway.address, "/x", "once").status, 502);
    assert_eq!(upstream.streams(), 1);
}

#[test]
fn a_client_that_leaves_takes_its_stream_with_it() {
    let upstream = H2Upstream::start(|mut stream| async move {
        match stream.request.uri().path() {
            "/slow" => stream.until_reset().await,
            _ => stream.text(200, "ok"),
        }
    });
    let gateway = Running::with(&[http2("/slow", &upstream.url()), http2("/x", &upstream.url())]);
    let mut client = Connection::open(gateway.address);
    client.write(client::request("GET", "/slow", &[], b""));
    eventually(PATIENCE, "the request at the upstream", || upstream.streams() == 1);
    assert_eq!(gateway.get("/x").status, 200);
    drop(client);
    eventually(PATIENCE, "the reset", || upstream.resets() == 1);
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(upstream.connections(), 1, "the connection stays for the others");
}

#[test]
fn a_silent_upstream_is_a_timeout_and_its_stream_is_taken_back() {
    let upstream = H2Upstream::start(|mut stream| async move { stream.until_reset().await });
    let mut endpoint = http2("/x", &upstream.url());
    endpoint["timeout"] = json!("100ms");
    let gateway = Running::with(&[endpoint]);
    assert_eq!(gateway.get("/x").status, 504);
    eventually(PATIENCE, "the reset", || upstream.resets() == 1);
}

#[test]
fn rfc9113_3_2_tls_agrees_on_http_2_where_the_upstream_has_it() {
    let authority = Authority::new("a");
    let pair = authority.server(&["localhost"]);
    let server = format!(
        "listen LISTEN ssl http2;\nssl_certificate {};\nssl_certificate_key {};\n\
         location / {{ return 200 $server_protocol-$connection-$host; }}\n\
         location /large {{ root DIR; }}",
        pair.certificate_file.display(),
        pair.key_file.display(),
    );
    let Some(nginx) = Nginx::start(&server) else { return };
    std::fs::write(nginx.file("large"), vec![b'x'; 3_000_000]).unwrap();
    let host = format!("https://localhost:{}", nginx.addr().port());
    let client = |version: &str| json!({ "http_version": version, "client_tls": { "ca_certs": [authority.file()], "disable_system_ca_pool": true } });
    let gateway = Running::with(&[
        by("/2", &host, client("2")),
        by("/auto", &host, client("auto")),
        by("/1", &host, client("1.1")),
        by("/large", &host, client("2")),
    ]);
    let spoken = |path: &str| gateway.get(path).text();
    let (two, auto, one) = (spoken("/2"), spoken("/auto"), spoken("/1"));
    assert!(two.starts_with("HTTP/2.0-") && two.ends_with("-localhost"), "{two}");
    assert!(auto.starts_with("HTTP/2.0-"), "{auto}");
    assert!(one.starts_with("HTTP/1.1-"), "{one}");
    let mut last = two;
    eventually(PATIENCE, "two answers on one connection", || std::mem::replace(&mut last, spoken("/2")) == last);
    assert_eq!(gateway.get("/large").body.len(), 3_000_000);
    thread::scope(|scope| {
        let asking: Vec<_> = (0..20).map(|_| scope.spawn(|| gateway.get("/large").body.len())).collect();
        assert!(asking.into_iter().all(|asked| asked.join().unwrap() == 3_000_000));
    });
}

#[test]
fn an_upstream_without_http_2_is_asked_by_auto_alone() {
    let authority = Authority::new("a");
    let upstream = TlsUpstream::start(&authority.server(&["localhost"]), Terms::default());
    let client = |version: &str| json!({ "http_version": version, "client_tls": { "ca_certs": [authority.file()], "disable_system_ca_pool": true } });
    let host = upstream.url("localhost");
    let gateway = Running::with(&[
        by("/auto", &host, client("auto")),
        by("/2", &host, client("2")),
        decoded(by("/decoded", &host, client("2"))),
    ]);
    assert_eq!(gateway.get("/auto").status, 200);
    assert_eq!(gateway.get("/2").status, 502);
    assert_eq!(gateway.get("/decoded").status, 502);
    assert_eq!(upstream.requests(), 1);
    let plain = Upstream::echo();
    let gateway = Running::with(&[by("/auto", &plain.url(), json!({ "http_version": "auto" }))]);
    assert_eq!(gateway.get("/auto").status, 200, "without TLS there is nothing to agree on");
}

#[test]
fn what_contradicts_a_version_is_said() {
    let problems = |host: &str, client: Value| report(&json!({ "endpoints": [by("/x", host, client)] }));
    for (client, expected) in [
        (json!({ "http_version": "3" }), "error[E009]: unknown http_version `3`"),
        (json!({ "http_version": "2", "max_h2_streams": 0 }), "error[E009]: expected a number from 1 to 10000"),
        (json!({ "max_h2_streams": 10 }), "warning[W002]: `max_h2_streams` has no effect on HTTP/1.1"),
        (json!({ "h2_ping_interval": "5s" }), "warning[W002]: `h2_ping_interval` has no effect on HTTP/1.1"),
        (json!({ "client_tls": {} }), "warning[W002]: `client_tls` has no effect: none of the hosts"),
        (json!({ "proxy_address": "http://a" }), "error[E012]: `proxy_address` is known but not built yet"),
        (json!({ "send_body_on_redirect": true }), "error[E012]"),
    ] {
        let text = problems("http://a.test", client.clone());
        assert!(text.contains(expected), "{client}: {expected} is not in\n{text}");
    }
    let fine =
        problems("https://a.test", json!({ "http_version": "auto", "max_h2_streams": 10, "no_redirect": false }));
    assert!(!fine.contains("error") && !fine.contains("warning"), "{fine}");
}

#[test]
fn rfc9113_6_7_a_connection_is_asked_whether_it_lives() {
    let pings = Arc::new(AtomicUsize::new(0));
    // Takes a request and never answers it; counts what asks for an answer of the connection itself.
    let silent = Listener::start({
        let pings = pings.clone();
        move |stream, _| drop(count_pings(stream, &pings))
    });
    let host = format!("http://{}", silent.addr());
    let mut endpoint = by("/x", &host, json!({ "http_version": "2", "h2_ping_interval": "20ms" }));
    endpoint["timeout"] = json!("500ms");
    let gateway = Running::with(&[endpoint]);
    assert_eq!(gateway.get("/x").status, 504);
    assert!(pings.load(Ordering::SeqCst) > 0);
}

fn count_pings(mut stream: &TcpStream, pings: &AtomicUsize) -> io::Result<()> {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const PING: u8 = 6;
    stream.set_read_timeout(Some(BRIEF))?;
    stream.read_exact(&mut [0; 24])?;
    stream.write_all(&SETTINGS)?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        stream.read_exact(&mut vec![0; length as usize])?;
        pings.fetch_add(usize::from(head[3] == PING && head[4] == 0), Ordering::SeqCst);
    }
}
