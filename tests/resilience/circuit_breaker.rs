//! Backends that nothing is sent to after too many failures.

use crate::rejection::{guarded, rejects_the_first};
use crate::support::client::{self, Connection};
use crate::support::gateway::Running;
use crate::support::poll::{PATIENCE, eventually};
use crate::support::reply::Reply;
use crate::support::scripted::Scripted;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// An upstream that fails until it is well.
fn failing(fault: fn() -> Reply) -> (Upstream, Arc<AtomicBool>) {
    let well = Arc::new(AtomicBool::new(false));
    let upstream = Upstream::start({
        let well = well.clone();
        move |_| if well.load(Ordering::SeqCst) { Reply::json(200, &json!({ "a": 1 })) } else { fault() }
    });
    (upstream, well)
}

fn backend(upstream: &Upstream, max_errors: u32, timeout: u32) -> Value {
    let breaker =
        json!({ "interval": 60, "timeout": timeout, "max_errors": max_errors, "name": "b", "log_status_change": true });
    json!({ "host": [upstream.url()], "url_pattern": "/", "extra_config": { "qos/circuit-breaker": breaker } })
}

/// With a list of the statuses that are no failures.
fn by_status(upstream: &Upstream, max_errors: u32, valid: &[u16]) -> Value {
    let mut backend = backend(upstream, max_errors, 60);
    let mut breaker = backend["extra_config"]["qos/circuit-breaker"].take();
    breaker["valid_status_codes"] = json!(valid);
    backend["extra_config"] = json!({ "qos/circuit-breaker/http": breaker });
    backend
}

/// The three ways an answer takes.
const WAYS: [&str; 3] = ["stream", "held", "json"];

fn by_way(way: &str, mut backend: Value) -> Running {
    if way == "held" {
        backend["extra_config"]["qos/http-cache"] = json!({});
    }
    Running::with(&[endpoint("/", if way == "json" { "json" } else { "no-op" }, &[backend])])
}

fn endpoint(path: &str, output: &str, backends: &[Value]) -> Value {
    json!({ "endpoint": path, "method": "*", "output_encoding": output, "timeout": "10s", "backend": backends })
}

fn statuses(gateway: &Running, count: usize) -> Vec<u16> {
    (0..count).map(|_| gateway.get("/").status).collect()
}

const OPEN: &str = r#"porteur_circuit_breaker_open{endpoint="/",name="b"}"#;

#[test]
fn it_opens_one_request_tries_and_it_closes() {
    for (output, failed) in [("no-op", 502), ("json", 502)] {
        let (upstream, well) = failing(Reply::close);
        let gateway = Running::with(&[endpoint("/", output, &[backend(&upstream, 2, 1)])]);
        assert_eq!(statuses(&gateway, 3), [failed; 3], "{output}");
        let answer = gateway.get("/");
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{output}");
        assert_eq!((upstream.requests().len(), gateway.metric(OPEN)), (3, 1.0), "{output}: nothing is sent");
        // It is counted once the client has its answer.
        eventually(PATIENCE, "the failure", || {
            gateway.metric(r#"porteur_failures_total{failure="circuit_open"}"#) > 0.0
        });
        eventually(PATIENCE, "one tries", || {
            gateway.get("/");
            upstream.requests().len() == 4
        });
        assert_eq!(statuses(&gateway, 1), [503], "{output}: it failed");
        well.store(true, Ordering::SeqCst);
        eventually(PATIENCE, "another one tries", || gateway.get("/").status == 200);
        assert_eq!(statuses(&gateway, 5), [200; 5], "{output}");
        assert_eq!(gateway.metric(OPEN), 0.0);
    }
}

#[test]
fn a_success_in_between_begins_the_count_anew() {
    let (upstream, well) = failing(Reply::close);
    let gateway = Running::with(&[endpoint("/", "no-op", &[backend(&upstream, 1, 60)])]);
    for _ in 0..3 {
        well.store(false, Ordering::SeqCst);
        assert_eq!(statuses(&gateway, 1), [502]);
        well.store(true, Ordering::SeqCst);
        assert_eq!(statuses(&gateway, 1), [200]);
    }
}

#[test]
fn statuses_count_where_answers_are_decoded_and_pass_in_no_op() {
    for (output, expected) in [("no-op", [404; 4]), ("json", [500, 503, 503, 503])] {
        let (upstream, _) = failing(|| Reply::new(404));
        let gateway = Running::with(&[endpoint("/", output, &[backend(&upstream, 0, 60)])]);
        assert_eq!(statuses(&gateway, 4), expected, "{output}");
    }
}

#[test]
fn with_a_list_statuses_count_whatever_the_encoding() {
    for way in WAYS {
        let client = |status: u16| match (way, status) {
            ("json", 201) => 200,
            ("json", _) => 500,
            _ => status,
        };
        for listed in [404, 503, 201] {
            let upstream = Upstream::start(move |_| Reply::json(listed, &json!({})));
            let gateway = by_way(way, by_status(&upstream, 0, &[200, listed]));
            assert_eq!(statuses(&gateway, 3), [client(listed); 3], "{way}");
            assert_eq!((upstream.requests().len(), gateway.metric(OPEN)), (3, 0.0), "{way} {listed} is no failure");
            let gateway = by_way(way, by_status(&upstream, 1, &[200]));
            assert_eq!(statuses(&gateway, 4), [client(listed), client(listed), 503, 503], "{way}");
            assert_eq!((upstream.requests().len(), gateway.metric(OPEN)), (5, 1.0), "{way} {listed} is one");
        }
    }
}

#[test]
fn with_a_list_no_answer_is_a_failure_and_a_body_is_none() {
    for way in WAYS {
        let (upstream, _) = failing(Reply::close);
        let gateway = by_way(way, by_status(&upstream, 0, &[200]));
        assert_eq!(statuses(&gateway, 3), [502, 503, 503], "{way}");
    }
    let upstream = Upstream::start(|_| Reply::text("not JSON"));
    let gateway = by_way("json", by_status(&upstream, 0, &[200]));
    assert_eq!(statuses(&gateway, 3), [500; 3]);
    assert_eq!((upstream.requests().len(), gateway.metric(OPEN)), (3, 0.0));
}

#[test]
fn with_a_list_a_token_that_is_replaced_is_no_failure() {
    for way in WAYS {
        let upstream = rejects_the_first();
        let server = Scripted::counting("TOKEN", 3600);
        let mut backend = by_status(&upstream, 0, &[200]);
        let token = guarded(&upstream.url(), &server.token_url(), json!({}));
        backend["extra_config"]["auth/client-credentials"] =
            token["backend"][0]["extra_config"]["auth/client-credentials"].clone();
        let gateway = by_way(way, backend).ready();
        gateway.get("/");
        assert_eq!((upstream.requests().len(), gateway.metric(OPEN)), (2, 0.0), "{way}: it was sent again");
    }
}

#[test]
fn other_backends_give_their_part() {
    let ((bad, _), good) = (failing(Reply::close), Upstream::start(|_| Reply::json(200, &json!({ "b": 2 }))));
    let other = json!({ "host": [good.url()], "url_pattern": "/" });
    let gateway = Running::with(&[endpoint("/", "json", &[backend(&bad, 0, 60), other])]);
    for _ in 0..3 {
        let answer = gateway.get("/");
        assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"b":2}"#));
        assert_eq!(answer.header("x-krakend-completed"), Some("false"));
    }
    assert_eq!(bad.requests().len(), 1);
}

#[test]
fn each_endpoint_has_its_own() {
    let (upstream, _) = failing(Reply::close);
    let endpoints = ["/", "/other"].map(|path| endpoint(path, "no-op", &[backend(&upstream, 0, 60)]));
    let gateway = Running::with(&endpoints);
    assert_eq!(statuses(&gateway, 2), [502, 503]);
    assert_eq!(gateway.get("/other").status, 502);
}

#[test]
fn breakers_that_look_the_same_are_counted_and_each_has_its_own_failures() {
    let (upstream, _) = failing(Reply::close);
    let of_method = |method: &str| {
        let mut endpoint = endpoint("/", "no-op", &[backend(&upstream, 0, 60)]);
        endpoint["method"] = json!(method);
        endpoint
    };
    let gateway = Running::with(&["GET", "POST"].map(of_method));
    for (method, open) in [("GET", 1.0), ("POST", 2.0)] {
        let answer = Connection::open(gateway.address).request(client::request(method, "/", &[], b""));
        assert_eq!((answer.status, gateway.metric(OPEN)), (502, open), "{method}");
    }
    let equals = [0, 0].map(|max_errors| backend(&upstream, max_errors, 60));
    let gateway = Running::with(&[endpoint("/", "json", &equals)]);
    assert_eq!((gateway.get("/").status, gateway.metric(OPEN)), (502, 2.0));
}

#[test]
fn a_client_that_does_not_send_its_body_opens_nothing() {
    let (upstream, well) = failing(Reply::close);
    well.store(true, Ordering::SeqCst);
    let mut endpoint = endpoint("/", "no-op", &[backend(&upstream, 0, 60)]);
    endpoint["timeout"] = json!("300ms");
    let gateway = Running::with(&[endpoint]);
    let mut connection = Connection::open(gateway.address);
    connection.write("POST / HTTP/1.1\r\nHost: porteur.test\r\nContent-Length: 10\r\n\r\nhalf");
    assert_eq!(connection.response().status, 408);
    assert_eq!(gateway.metric(OPEN), 0.0);
}
