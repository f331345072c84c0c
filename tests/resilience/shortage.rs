//! A process that has no descriptor left for an upstream: that is nobody's fault but its own.

use crate::support::client::{self, Connection};
use crate::support::gateway::endpoint;
use crate::support::poll::{Latch, PATIENCE, eventually};
use crate::support::program::{self, Program};
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

fn metric(program: &Program, name: &str) -> f64 {
    let text = client::get(program.admin, "/metrics").text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

/// The program with this endpoint, and connections that carry one request each.
fn program(endpoint: Value) -> Program {
    let mut configuration = program::configuration(&[endpoint]);
    configuration["disable_keep_alives"] = json!(true);
    Program::configured(&configuration)
}

#[test]
fn want_of_descriptors_is_503_and_not_the_upstreams_fault() {
    for output in ["no-op", "json"] {
        let upstreams = [(); 2].map(|()| Upstream::start(|_| Reply::json(200, &json!({ "a": 1 }))));
        let mut endpoint = endpoint("/", &upstreams[0].url(), "/");
        endpoint["output_encoding"] = json!(output);
        endpoint["backend"][0]["host"] = json!(upstreams.each_ref().map(Upstream::url));
        endpoint["backend"][0]["extra_config"] = json!({
            "balance": { "outlier": { "consecutive_failures": 1, "base_ejection_time": "300s" } },
            "qos/circuit-breaker": { "interval": 60, "timeout": 3600, "max_errors": 1, "name": "b" },
        });
        let program = program(endpoint);
        let get = client::request("GET", "/", &[], b"");
        // An answer shows that they were taken.
        let mut clients = [(); 6].map(|()| Connection::open(program.address));
        assert!(clients.iter_mut().all(|client| client.request(&get).status == 200), "{output}");
        program.daemon.without_descriptors(|| {
            for client in &mut clients {
                let answer = client.request(&get);
                assert_eq!((answer.status, answer.header("retry-after").is_some()), (503, true), "{output}");
            }
        });
        eventually(PATIENCE, "clients are taken again", || program.get("/__health").status == 200);
        assert_eq!(metric(&program, r#"porteur_failures_total{failure="overloaded"}"#), 6.0, "{output}");
        assert_eq!(metric(&program, r#"porteur_circuit_breaker_open{endpoint="/",name="b"}"#), 0.0, "{output}");
        assert_eq!(metric(&program, r#"porteur_upstream_ejections_total{endpoint="/"}"#), 0.0, "{output}");
        assert_eq!(metric(&program, r#"porteur_retries_total{endpoint="/",outcome="sent"}"#), 0.0, "{output}");
        let before = upstreams.each_ref().map(|upstream| upstream.requests().len());
        assert_eq!([(); 4].map(|()| program.get("/").status), [200; 4], "{output}");
        let after = upstreams.each_ref().map(|upstream| upstream.requests().len());
        assert!(before.iter().zip(after).all(|(before, after)| after > *before), "{output}: {before:?} {after:?}");
    }
}

#[test]
fn with_few_descriptors_a_composed_request_has_all_of_its_connections_or_none() {
    let latch = Latch::new();
    let held = latch.clone();
    let upstream = Upstream::start(move |_| Reply::json(200, &json!({ "a": 1 })).after(&held));
    let backend = |group: usize| json!({ "host": [upstream.url()], "url_pattern": "/", "group": group.to_string() });
    let backends = [0, 1, 2, 3].map(backend);
    let endpoint = json!({ "endpoint": "/", "timeout": "60s", "output_encoding": "json", "backend": backends });
    // A quarter of them is for requests to upstreams: eight requests of four. All at once would need 96, beside 24 for clients.
    let program = Program::with_descriptors(128, &[endpoint]);
    let mut clients = [(); 24].map(|()| Connection::open(program.address));
    for client in &mut clients {
        client.write(client::request("GET", "/", &[], b""));
    }
    let refused = || metric(&program, r#"porteur_failures_total{failure="overloaded"}"#);
    eventually(PATIENCE, "each is asked or refused", || upstream.requests().len() as f64 / 4.0 + refused() == 24.0);
    latch.open();
    let mut complete = 0;
    for client in &mut clients {
        let answer = client.response();
        let completed = answer.header("x-krakend-completed");
        match answer.status {
            200 => assert_eq!(completed, Some("true"), "{}", answer.text()),
            status => assert_eq!((status, answer.header("retry-after").is_some()), (503, true)),
        }
        complete += usize::from(answer.status == 200);
    }
    assert!((1..=8).contains(&complete), "{complete}");
    assert_eq!(upstream.requests().len(), 4 * complete);
    let answer = program.get("/");
    assert_eq!((answer.status, answer.header("x-krakend-completed")), (200, Some("true")), "there is room again");
}
