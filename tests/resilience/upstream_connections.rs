//! How a connection to an upstream that dies, breaks or is of no use is judged: the same whether answers pass as they come or are
//! decoded.

use crate::support::authority::Authority;
use crate::support::client::{self, Connection, Response, request};
use crate::support::fault_proxy::{Fault, FaultProxy, GARBAGE};
use crate::support::gate::closed_port;
use crate::support::gateway::{Running, with};
use crate::support::h2_frames::{
    ACK, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, PING, PREFACE, SETTINGS, block, frame,
};
use crate::support::h2_upstream::H2Upstream;
use crate::support::listener::Listener;
use crate::support::poll::{PATIENCE, eventually, some};
use crate::support::reply::Reply;
use crate::support::tls_upstream::{Terms, TlsUpstream};
use crate::support::upstream::Upstream;
use h2::Reason;
use http::Response as H2Response;
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const LANES: [&str; 2] = ["no-op", "json"];

/// An endpoint for every method over these hosts; `client` is its `backend/http/client`, `balance` its `balance`.
fn over(hosts: &[String], lane: &str, client: Value, balance: Value) -> Value {
    json!({
        "endpoint": "/", "method": "*", "output_encoding": lane, "timeout": "10s",
        "backend": [{ "host": hosts, "url_pattern": "/",
            "extra_config": { "backend/http/client": client, "balance": balance } }],
    })
}

fn http2() -> Value {
    json!({ "http_version": "2" })
}

/// A gateway with this endpoint, whose service has these keys.
fn under(service: Value, endpoint: Value) -> Running {
    Running::start(with(service, &json!({ "endpoints": [endpoint] })))
}

/// Asks until an answer comes on a connection that was there before: a client has its answer a moment before it is kept.
#[track_caller]
fn warm(gateway: &Running, connections: impl Fn() -> usize) {
    some(PATIENCE, "a kept connection", || {
        let before = connections();
        assert_eq!(gateway.get("/").status, 200);
        (connections() == before).then_some(())
    });
}

fn send(gateway: &Running, method: &str) -> Response {
    client::send(gateway.address, request(method, "/", &[], b"{}"))
}

/// Answers every stream at once.
fn h2_upstream() -> H2Upstream {
    H2Upstream::start(|mut stream| async move { stream.text(200, r#"{"a":1}"#) })
}

/// An upstream that is well until it is told to answer like this.
fn turning(answer: impl Fn() -> Reply + Send + Sync + 'static) -> (Upstream, Arc<AtomicBool>) {
    let turned = Arc::new(AtomicBool::new(false));
    let upstream = Upstream::start({
        let turned = turned.clone();
        move |_| if turned.load(Ordering::SeqCst) { answer() } else { Reply::json(200, &json!({ "a": 1 })) }
    });
    (upstream, turned)
}

fn retries(gateway: &Running) -> f64 {
    gateway.metric(r#"porteur_retries_total{endpoint="/",outcome="sent"}"#)
}

#[test]
fn a_dead_connection_of_http_2_gets_no_second_request() {
    for lane in LANES {
        // What is over first: the wait for a head, or the time of the whole request.
        for (timeout, service) in [("10s", json!({ "response_header_timeout": "300ms" })), ("300ms", json!({}))] {
            let upstream = h2_upstream();
            let network = FaultProxy::to(upstream.addr());
            let endpoint = over(&[network.url("")], lane, http2(), json!({}));
            let gateway = under(service, with(endpoint, &json!({ "timeout": timeout })));
            warm(&gateway, || network.connections());
            let before = network.connections();
            // As a NAT that has forgotten the connection.
            network.doom(Fault::Blackhole);
            assert_eq!(gateway.get("/").status, 504, "{lane} with {timeout}");
            assert_eq!(gateway.get("/").status, 200, "{lane} with {timeout}");
            assert_eq!(network.connections(), before + 1, "{lane} with {timeout}");
        }
    }
}

#[test]
fn a_connection_of_http_2_whose_client_left_is_used_again_and_idles_no_longer_than_others() {
    for lane in LANES {
        let upstream = H2Upstream::start(|mut stream| async move {
            if stream.request.method() == "POST" { stream.until_reset().await } else { stream.text(200, r#"{"a":1}"#) }
        });
        let network = FaultProxy::to(upstream.addr());
        let service = json!({ "idle_connection_timeout": "500ms" });
        let gateway = under(service, over(&[network.url("")], lane, http2(), json!({})));
        let mut leaving = Connection::open(gateway.address);
        leaving.write(request("POST", "/", &[], b"{}"));
        eventually(PATIENCE, "the request", || upstream.streams() == 1);
        drop(leaving);
        eventually(PATIENCE, "the reset", || upstream.resets() == 1);
        eventually(PATIENCE, "the end of the connection", || network.open_connections() == 0);
        assert_eq!(gateway.get("/").status, 200, "{lane}");
    }
}

#[test]
fn each_health_check_has_a_connection_of_its_own() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let upstream = H2Upstream::start({
        let seen = seen.clone();
        move |mut stream| {
            seen.lock().unwrap().push(stream.connection);
            async move { stream.text(200, "") }
        }
    });
    let health = json!({ "health": { "path": "/health", "interval": "100ms", "unhealthy": 1 } });
    let _gateway = Running::with(&[over(&[upstream.url()], "no-op", http2(), health)]);
    eventually(PATIENCE, "some checks", || seen.lock().unwrap().len() > 3);
    let mut connections = seen.lock().unwrap().clone();
    let checks = connections.len();
    connections.dedup();
    assert_eq!(connections.len(), checks);
}

#[test]
fn what_is_no_closed_connection_is_not_sent_again_on_a_kept_one() {
    for lane in LANES {
        type Answer = fn() -> Reply;
        let answers: [(&str, Answer, u16); 3] = [
            ("silence", Reply::hang, 504),
            ("no HTTP", || Reply::raw_then_close(GARBAGE), 502),
            ("a bad head", || Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), 502),
        ];
        for (what, answer, status) in answers {
            let (upstream, turned) = turning(answer);
            let other = Upstream::start(|_| Reply::json(200, &json!({ "a": 1 })));
            let balance = json!({ "outlier": { "consecutive_failures": 1 } });
            let endpoint = over(&[upstream.url(), other.url()], lane, json!({}), balance);
            let gateway = under(json!({ "response_header_timeout": "300ms" }), endpoint);
            warm(&gateway, || upstream.connections() + other.connections());
            turned.store(true, Ordering::SeqCst);
            let before = upstream.requests().len();
            let statuses: Vec<_> = (0..6).map(|_| gateway.get("/").status).collect();
            assert_eq!(statuses.iter().filter(|got| **got == status).count(), 1, "{lane}, {what}: {statuses:?}");
            assert_eq!(upstream.requests().len(), before + 1, "{lane}, {what}: once, and left out then");
            assert_eq!(retries(&gateway), 0.0, "{lane}, {what}");
        }
    }
}

#[test]
fn a_stream_that_is_reset_on_a_kept_connection_is_not_sent_again() {
    for lane in LANES {
        for reason in [Reason::INTERNAL_ERROR, Reason::CANCEL, Reason::PROTOCOL_ERROR] {
            let turned = Arc::new(AtomicBool::new(false));
            let upstream = H2Upstream::start({
                let turned = turned.clone();
                move |mut stream| {
                    let turned = turned.load(Ordering::SeqCst);
                    async move { if turned { stream.respond.send_reset(reason) } else { stream.text(200, r#"{"a":1}"#) } }
                }
            });
            let gateway = Running::with(&[over(&[upstream.url()], lane, http2(), json!({}))]);
            warm(&gateway, || upstream.connections());
            turned.store(true, Ordering::SeqCst);
            let before = upstream.streams();
            assert_eq!(gateway.get("/").status, 502, "{lane}, {reason}");
            assert_eq!(upstream.streams(), before + 1, "{lane}, {reason}");
        }
    }
}

#[test]
fn a_part_of_an_answer_is_an_answer_on_a_kept_connection_too() {
    for lane in LANES {
        for (begun, resets) in
            [("HTTP/1.1 2", false), ("H", false), ("HTTP/1.1 100 Continue\r\n\r\n", false), ("H", true)]
        {
            let (upstream, turned) = turning(move || Reply::raw_then_close(begun));
            let network = FaultProxy::to(upstream.addr());
            let gateway = Running::with(&[over(&[network.url("")], lane, json!({}), json!({}))]);
            warm(&gateway, || network.connections());
            turned.store(true, Ordering::SeqCst);
            if resets {
                network.doom(Fault::Reset(crate::support::fault_proxy::Way::Down, begun.len()));
            }
            let before = upstream.requests().len();
            assert_eq!(send(&gateway, "PUT").status, 502, "{lane}, {begun:?}");
            assert_eq!(upstream.requests().len(), before + 1, "{lane}, {begun:?}");
        }
    }
}

fn trusting(authority: &Authority, more: Value) -> Value {
    with(json!({ "client_tls": { "ca_certs": [authority.file()], "disable_system_ca_pool": true } }), &more)
}

#[test]
fn a_connection_that_is_unfit_leads_on_and_is_held_against_its_host() {
    let authority = Authority::new("a");
    let pair = authority.server(&["127.0.0.1"]);
    let mut modern = trusting(&authority, json!({}));
    modern["client_tls"]["min_version"] = json!("TLS13");
    for lane in LANES {
        let old = TlsUpstream::start(&pair, Terms { old: true, ..Terms::default() });
        let new = TlsUpstream::start(&pair, Terms::default());
        let hosts = [old.url("127.0.0.1"), new.url("127.0.0.1")];
        let balance = json!({ "outlier": { "consecutive_failures": 1 } });
        let gateway = Running::with(&[over(&hosts, lane, modern.clone(), balance)]);
        for method in ["POST", "GET", "GET", "POST"] {
            assert_eq!(send(&gateway, method).status, 200, "{lane} {method}");
        }
        assert_eq!((old.requests(), new.requests()), (0, 4), "{lane}");
        assert_eq!((old.connections(), retries(&gateway)), (1, 1.0), "{lane}: left out then");
    }
}

#[test]
fn an_upstream_without_the_version_that_is_wanted_is_held_to_be_unfit() {
    let authority = Authority::new("a");
    let pair = authority.server(&["127.0.0.1"]);
    for lane in LANES {
        let hosts = [TlsUpstream::start(&pair, Terms::default()), TlsUpstream::start(&pair, Terms::default())];
        let client = trusting(&authority, http2());
        let balance = json!({ "outlier": { "consecutive_failures": 1 } });
        let gateway =
            Running::with(&[over(&hosts.each_ref().map(|host| host.url("127.0.0.1")), lane, client, balance)]);
        assert_eq!(send(&gateway, "POST").status, 502, "{lane}");
        assert_eq!(hosts.each_ref().map(TlsUpstream::requests), [0, 0], "{lane}");
        assert_eq!(hosts.each_ref().map(TlsUpstream::connections), [1, 1], "{lane}: both are asked");
        assert_eq!(gateway.metric(r#"porteur_upstream_ejections_total{endpoint="/"}"#), 1.0, "{lane}: never both");
    }
}

#[test]
fn a_health_check_finds_that_connections_are_unfit() {
    let authority = Authority::new("a");
    let pair = authority.server(&["127.0.0.1"]);
    let mut modern = trusting(&authority, json!({}));
    modern["client_tls"]["min_version"] = json!("TLS13");
    let choosy = Terms { alpn: &["h2", "http/1.1"], ..Terms::default() };
    for (terms, client, healthy) in [
        (choosy, trusting(&authority, json!({ "http_version": "auto" })), 1.0),
        (choosy, trusting(&authority, http2()), 0.0),
        (Terms::default(), modern.clone(), 1.0),
        (Terms { old: true, ..Terms::default() }, modern, 0.0),
        (Terms::default(), trusting(&authority, http2()), 0.0),
    ] {
        let upstream = TlsUpstream::start(&pair, terms);
        let health = json!({ "health": { "path": "/", "interval": "100ms", "unhealthy": 1 } });
        let gateway = Running::with(&[over(&[upstream.url("127.0.0.1")], "no-op", client.clone(), health)]);
        let host = upstream.url("127.0.0.1").replace("https://", "");
        let metric = format!(r#"porteur_upstream_healthy{{address="{}",host="{host}"}}"#, upstream.addr());
        eventually(PATIENCE, "some checks", || upstream.connections() > 3);
        assert_eq!(gateway.metric(&metric), healthy, "{client}");
    }
}

#[test]
fn an_upstream_that_wants_http_1_1_after_all_gets_it() {
    let authority = Authority::new("a");
    let pair = authority.server(&["127.0.0.1"]);
    for lane in LANES {
        let upstream = TlsUpstream::start(&pair, Terms { alpn: &["h2", "http/1.1"], ..Terms::default() });
        let client = trusting(&authority, json!({ "http_version": "auto" }));
        let gateway = Running::with(&[over(&[upstream.url("127.0.0.1")], lane, client, json!({}))]);
        for _ in 0..5 {
            assert_eq!(send(&gateway, "PUT").status, 200, "{lane}");
        }
        assert_eq!(retries(&gateway), 1.0, "{lane}: it is known then");
        let only_http2 = trusting(&authority, http2());
        let gateway = Running::with(&[over(&[upstream.url("127.0.0.1")], lane, only_http2, json!({}))]);
        assert_eq!((send(&gateway, "GET").status, retries(&gateway)), (502, 0.0), "{lane}");
    }
}

/// Answers streams on all connections but the first. There it answers none, and says that there are to be no more of them.
fn overloaded() -> (Listener, Arc<AtomicBool>) {
    let told = Arc::new(AtomicBool::new(false));
    let listener = Listener::start({
        let told = told.clone();
        move |stream, number| drop(serve_overloaded(stream, number == 0, &told))
    });
    (listener, told)
}

fn serve_overloaded(mut tcp: &TcpStream, is_first: bool, told: &AtomicBool) -> io::Result<()> {
    tcp.set_read_timeout(Some(PATIENCE))?;
    tcp.read_exact(&mut [0; PREFACE.len()])?;
    tcp.write_all(&frame(SETTINGS, 0, 0, b""))?;
    loop {
        let mut head = [0; 9];
        tcp.read_exact(&mut head)?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        tcp.read_exact(&mut vec![0; u32::from_be_bytes([0, a, b, c]) as usize])?;
        match kind {
            HEADERS if is_first => {
                // What comes after the GOAWAY is answered once the GOAWAY was read.
                let goaway = [stream, ENHANCE_YOUR_CALM.to_be_bytes()].concat();
                tcp.write_all(&[frame(GOAWAY, 0, 0, &goaway), frame(PING, 0, 0, b"was read")].concat())?;
            }
            PING if flags & ACK != 0 => told.store(true, Ordering::SeqCst),
            HEADERS => {
                let stream = u32::from_be_bytes(stream);
                let head = frame(HEADERS, END_HEADERS, stream, &block(&[(":status", "200")]));
                tcp.write_all(&[head, frame(DATA, END_STREAM, stream, b"{}")].concat())?;
            }
            _ => {}
        }
    }
}

#[test]
fn a_connection_of_http_2_that_takes_no_more_is_replaced() {
    for lane in LANES {
        let (upstream, told) = overloaded();
        let host = format!("http://{}", upstream.addr());
        let gateway = Running::with(&[over(&[host], lane, http2(), json!({}))]);
        let mut first = Connection::open(gateway.address);
        first.write(request("GET", "/", &[], b""));
        eventually(PATIENCE, "the end is told", || told.load(Ordering::SeqCst));
        for method in ["POST", "GET"] {
            assert_eq!(send(&gateway, method).status, 200, "{lane} {method}");
        }
        assert!(upstream.accepted() > 1, "{lane}");
    }
}

#[test]
fn hops_of_a_redirect_cost_what_other_attempts_cost() {
    let refused = Arc::new(AtomicUsize::new(0));
    let upstream = H2Upstream::start({
        let refused = refused.clone();
        move |mut stream| {
            let refused = refused.clone();
            async move {
                if stream.request.uri().path() == "/next" {
                    refused.fetch_add(1, Ordering::SeqCst);
                    return stream.respond.send_reset(Reason::REFUSED_STREAM);
                }
                let response = H2Response::builder().status(302).header("location", "/next").body(()).unwrap();
                let _ = stream.respond.send_response(response, true);
            }
        }
    });
    let balance = json!({ "retries": { "max_attempts": 3 } });
    let gateway = Running::with(&[over(&[upstream.url()], "json", http2(), balance)]);
    assert_eq!(gateway.get("/").status, 502);
    assert_eq!((refused.load(Ordering::SeqCst), retries(&gateway)), (3, 2.0));
}

#[test]
fn a_host_that_a_redirect_leads_to_in_vain_is_left_out() {
    let (_socket, down) = closed_port();
    let upstream = Upstream::start({
        let down = down.clone();
        move |_| Reply::new(302).header("Location", &down)
    });
    let balance = json!({ "outlier": { "consecutive_failures": 1 } });
    let gateway = Running::with(&[over(&[upstream.url(), down], "json", json!({}), balance)]);
    assert_eq!(gateway.get("/").status, 502);
    assert_eq!(gateway.metric(r#"porteur_upstream_ejections_total{endpoint="/"}"#), 1.0);
}

#[test]
fn an_answer_is_under_way_until_its_body_ends() {
    let feeds = Arc::new(Mutex::new(Vec::new()));
    let streaming = || {
        let feeds = feeds.clone();
        Upstream::start(move |_| {
            let (reply, feed) = Reply::stream(200);
            feeds.lock().unwrap().push(feed);
            reply
        })
    };
    let hosts = [streaming(), streaming()];
    let urls: Vec<String> = hosts.iter().map(Upstream::url).collect();
    // A body that is looked at is held, and so is what follows from it.
    let schema = json!({ "extra_config": { "validation/json-schema": { "type": "object" } } });
    for schema in [json!({}), schema] {
        let endpoint = over(&urls, "no-op", json!({}), json!({ "policy": "least_request" }));
        let gateway = Running::with(&[with(endpoint, &schema)]);
        let before = hosts.each_ref().map(|host| host.requests().len());
        let clients: Vec<Connection> = (0..10)
            .map(|_| {
                let mut client = Connection::open(gateway.address);
                client.write(request("POST", "/", &[], b"{}"));
                assert_eq!(client.head().status, 200);
                client
            })
            .collect();
        let asked: Vec<_> = hosts.iter().zip(before).map(|(host, before)| host.requests().len() - before).collect();
        assert_eq!(asked, [5, 5], "{schema}");
        drop(clients);
    }
}
