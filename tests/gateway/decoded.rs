//! Endpoints whose answers are decoded, shaped, merged and encoded. What is marked live in the description of KrakenD has
//! the section in its test's name.

use crate::support::gateway::Running;
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

/// An endpoint with these backends, in JSON.
fn decoded(path: &str, backends: Value) -> Value {
    json!({ "endpoint": path, "timeout": "10s", "output_encoding": "json", "backend": backends })
}

/// A backend at an upstream that always gives this answer.
fn backend(upstream: &Upstream) -> Value {
    json!({ "host": [upstream.url()], "url_pattern": "/" })
}

fn answers(body: &'static str) -> Upstream {
    Upstream::start(move |_| Reply::new(200).header("Content-Type", "application/json").body(body))
}

#[test]
fn json_is_written_as_go_writes_it_1_6() {
    let upstream = answers(
        r#"{"z": 1.10, "a": 12345678901234567890, "h": "<b>&\u2028", "n": {"y": null, "b": [true, 1e5]}} rest"#,
    );
    let gateway = Running::with(&[decoded("/a", json!([backend(&upstream)]))]);
    let answer = gateway.get("/a");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.text(),
        r#"{"a":12345678901234567890,"h":"\u003cb\u003e\u0026\u2028","n":{"b":[true,1e5],"y":null},"z":1.10}"#
    );
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.header("x-krakend-completed"), Some("true"));
}
