//! gRPC from end to end: gRPC's own client talks to gRPC's own server through an endpoint whose bytes pass as they come, with
//! HTTP/2 on both sides.

use crate::support::gateway::{Running, credential, endpoint};
use crate::support::grpc::{self, Grpc};
use crate::support::poll::{PATIENCE, eventually};
use crate::support::scripted::Scripted;
use porteur::config::keys::Level;
use serde_json::{Value, json};

/// Every method of the service.
fn service(host: &str) -> Value {
    let mut endpoint = endpoint("/test.Bytes/*", host, "/test.Bytes/*");
    endpoint["method"] = json!("POST");
    endpoint["input_headers"] = json!(["*"]);
    endpoint["backend"][0]["extra_config"]["backend/http/client"] = json!({ "http_version": "2" });
    endpoint
}

/// A gateway that speaks HTTP/2 without TLS to clients. `None`: this porteur does not, which is printed.
fn gateway(endpoint: Value) -> Option<Running> {
    if !Level::Root.key("use_h2c").is_some_and(|key| key.support.is_built()) {
        println!("SKIPPED: clients cannot speak HTTP/2 without TLS yet");
        return None;
    }
    Some(Running::start(json!({ "use_h2c": true, "endpoints": [endpoint] })))
}

struct Through {
    gateway: Running,
    _server: Grpc,
}

impl Through {
    fn start() -> Option<Self> {
        let server = Grpc::start();
        Some(Self { gateway: gateway(service(&server.url()))?, _server: server })
    }

    #[track_caller]
    fn call(&self, case: &str) -> Value {
        grpc::call(self.gateway.address, case)
    }
}

#[test]
fn a_call_has_its_message_status_and_metadata() {
    let Some(through) = Through::start() else { return };
    let expected = json!({ "message": "hello", "code": 0, "initial": "1", "trailer": "last", "binary": [0, 255] });
    assert_eq!(through.call("unary"), expected);
}

#[test]
fn messages_are_as_large_and_as_many_as_they_are() {
    let Some(through) = Through::start() else { return };
    assert_eq!(through.call("large"), json!({ "same": true, "size": 1 << 20 }));
    assert_eq!(through.call("many"), json!({ "same": true }));
}

#[test]
fn streams_of_either_side_and_of_both_pass_message_by_message() {
    let Some(through) = Through::start() else { return };
    assert_eq!(through.call("server_stream"), json!({ "count": 200 }));
    assert_eq!(through.call("client_stream"), json!({ "answer": "300 300000" }));
    assert_eq!(through.call("bidi"), json!({ "same": true }));
}

#[test]
fn statuses_pass_in_trailers_alone_and_after_messages() {
    let Some(through) = Through::start() else { return };
    let failures = through.call("fail");
    let failures = failures["failures"].as_array().unwrap();
    let codes: Vec<_> = failures.iter().map(|failure| failure["code"].as_u64().unwrap()).collect();
    assert_eq!(codes, [3, 5, 7, 13, 14, 16]);
    for failure in failures {
        assert_eq!(failure["details"], "as you wish: é%");
        assert_eq!(failure["trailers"]["x-why"], "because");
    }
    let later = through.call("fail_later");
    assert_eq!(
        (&later["messages"], &later["code"], &later["details"]),
        (&json!(["first"]), &json!(10), &json!("later"))
    );
}

#[test]
fn deadlines_and_cancellations_reach_the_server() {
    let Some(through) = Through::start() else { return };
    let cancelled = || through.call("cancelled")["count"].as_u64().unwrap();
    let deadline = through.call("deadline");
    let left = deadline["left"].as_i64().unwrap();
    assert!((1..=15_000).contains(&left), "{left}");
    assert_eq!(deadline["code"], 4);
    eventually(PATIENCE, "the server learns of the deadline", || cancelled() == 1);
    assert_eq!(through.call("cancel"), json!({ "first": "waiting", "code": 1 }));
    eventually(PATIENCE, "the server learns of the cancellation", || cancelled() == 2);
}

#[test]
fn a_call_to_nobody_is_unavailable() {
    let gone = {
        let server = Grpc::start();
        server.url()
    };
    let Some(gateway) = gateway(service(&gone)) else { return };
    assert_eq!(grpc::call(gateway.address, "unary")["code"], 14);
}

#[test]
fn calls_carry_the_token() {
    let tokens = Scripted::counting("TOKEN", 3600);
    let upstream = crate::support::h2_upstream::H2Upstream::start(|mut stream| async move {
        let trailers = json!(stream.request.headers()["te"].to_str().unwrap()) == "trailers";
        let body = stream.body().await;
        let response = http::Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        let mut send = stream.respond.send_response(response, false).unwrap();
        crate::support::h2_upstream::send_all(&mut send, body, false).await;
        let mut status = http::HeaderMap::new();
        status.insert("grpc-status", if trailers { "0" } else { "13" }.parse().unwrap());
        send.send_trailers(status).unwrap();
    });
    let mut guarded = service(&upstream.url());
    guarded["backend"][0]["extra_config"]["auth/client-credentials"] = credential(&tokens.token_url());
    let Some(gateway) = gateway(guarded) else { return };
    let gateway = gateway.ready();
    assert_eq!(grpc::call(gateway.address, "unary")["code"], 0);
    let (_, _, headers) = upstream.heads().remove(0);
    assert_eq!(headers["authorization"], "Bearer TOKEN-0");
    assert_eq!(headers["te"], "trailers");
}
