//! Where an upstream gets a token, no `Authorization` of a client reaches it, in whichever shape it comes, and no client takes the
//! token away.

use crate::rejection::guarded;
use crate::support::client::{self, request};
use crate::support::gateway::Running;
use crate::support::h2_frames::{END_HEADERS, END_STREAM, Frames, HEADERS, block, frame, pseudo};
use crate::support::scripted::Scripted;
use crate::support::upstream::Upstream;
use serde_json::json;

/// `/stream` and `/held` carry a token; the further listener speaks HTTP/2.
fn start(upstream: &Upstream, server: &Scripted) -> Running {
    let endpoints = ["/stream", "/held"].map(|path| {
        let mut endpoint = guarded(&upstream.url(), &server.token_url(), json!({}));
        endpoint["endpoint"] = json!(path);
        if path == "/held" {
            endpoint["backend"][0]["extra_config"]["qos/http-cache"] = json!({});
        }
        endpoint
    });
    let listeners = json!([{ "listen": "127.0.0.1:0", "use_h2c": true }]);
    Running::start(json!({ "endpoints": endpoints, "extra_config": { "listeners": listeners } })).ready()
}

/// The last request that came has the token, and nothing of the client's.
#[track_caller]
fn has_the_token_alone(upstream: &Upstream, case: &str) {
    let seen = upstream.requests().pop().unwrap();
    assert_eq!(seen.headers.all("authorization"), ["Bearer TOKEN-0"], "{case}");
    assert!(!format!("{seen:?}").contains("mine"), "{case}: {seen:?}");
}

#[test]
fn the_token_takes_the_place_of_whatever_a_client_sends() {
    let (upstream, server) = (Upstream::echo(), Scripted::counting("TOKEN", 3600));
    let gateway = start(&upstream, &server);
    for fields in [
        &[("Authorization", "Bearer mine")][..],
        &[("Authorization", "Bearer mine"), ("Authorization", "Basic mine")],
        &[("aUTHORIZATION", "mine")],
        &[("Authorization", "")],
        &[("Proxy-Authorization", "Basic mine")],
        &[("Connection", "authorization")],
        &[("Connection", "Authorization, X-A"), ("Authorization", "Bearer mine")],
        &[("Connection", "close"), ("Connection", "authorization")],
    ] {
        for path in ["/stream", "/held"] {
            let answer = client::send(gateway.address, request("POST", path, fields, b"hello"));
            assert_eq!(answer.status, 200, "{path} {fields:?}");
            has_the_token_alone(&upstream, &format!("{path} {fields:?}"));
        }
    }
}

#[test]
fn names_that_are_nearly_its_own_are_refused_or_mean_nothing() {
    let (upstream, server) = (Upstream::echo(), Scripted::counting("TOKEN", 3600));
    let gateway = start(&upstream, &server);
    for path in ["/stream", "/held"] {
        for line in ["Authorization : Bearer mine", "Authorization\t: Bearer mine", " Authorization: Bearer mine"] {
            let answer = client::send(gateway.address, format!("GET {path} HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n"));
            assert_eq!(answer.status, 400, "{line}");
        }
        assert!(upstream.requests().is_empty());
    }
    for path in ["/stream", "/held"] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        let body = "5\r\nhello\r\n0\r\nAuthorization: Bearer mine\r\n\r\n";
        assert_eq!(client::send(gateway.address, head + body).status, 200, "{path}");
        has_the_token_alone(&upstream, path);
    }
}

#[test]
fn the_same_holds_for_clients_of_http_2() {
    let (upstream, server) = (Upstream::echo(), Scripted::counting("TOKEN", 3600));
    let gateway = start(&upstream, &server);
    for path in ["/stream", "/held"] {
        for own in
            [&[("authorization", "Bearer mine")][..], &[("authorization", "a mine"), ("authorization", "b mine")]]
        {
            let mut client = Frames::open(gateway.further[0]);
            let fields = [&pseudo("GET", path)[..], own].concat();
            client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&fields)));
            assert_eq!(client.outcome(1).status(), 200, "{path} {own:?}");
            has_the_token_alone(&upstream, path);
        }
    }
}
