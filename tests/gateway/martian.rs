//! `modifier/martian` in both lanes: what goes up, what comes back, and that no modifier meets the token.

use crate::support::client;
use crate::support::gateway::{Running, credential, endpoint, with};
use crate::support::reply::Reply;
use crate::support::scripted::Scripted;
use crate::support::upstream::{Request, Upstream};
use serde_json::{Value, json};

fn modified(path: &str, host: &str, url_pattern: &str, martian: Value) -> Value {
    let mut endpoint = endpoint(path, host, url_pattern);
    endpoint["backend"][0]["extra_config"]["modifier/martian"] = martian;
    endpoint
}

fn group(modifiers: Value) -> Value {
    json!({ "fifo.Group": { "scope": ["request", "response"], "aggregateErrors": false, "modifiers": modifiers } })
}

fn header(name: &str, value: &str) -> Value {
    json!({ "header.Modifier": { "scope": ["request", "response"], "name": name, "value": value } })
}

/// What the upstream saw of a request to an endpoint with these modifiers, in the streaming lane.
fn seen(martian: Value, request: &[u8]) -> (client::Response, Request) {
    let upstream = Upstream::start(|_| Reply::text("body").header("X-Up", "1"));
    let gateway = Running::with(&[modified("/a/{id}", &upstream.url(), "/b/{id}", martian)]);
    let answer = client::send(gateway.address, request);
    (answer, upstream.only_request())
}

#[test]
fn the_published_sample_sets_accept_on_the_way_up_alone() {
    let sample = json!({ "fifo.Group": { "scope": ["request", "response"], "aggregateErrors": false, "modifiers": [
        { "header.Modifier": { "scope": ["request"], "name": "Accept", "value": "application/json" } }
    ] } });
    let (answer, request) = seen(sample, &client::request("GET", "/a/1", &[("Accept", "text/html")], b""));
    assert_eq!(request.header("accept"), Some("application/json"));
    assert_eq!(answer.header("accept"), None);
}

#[test]
fn headers_change_both_ways_while_bytes_stream() {
    let martian =
        group(json!([header("X-Set", "both"), { "header.Blacklist": { "names": ["X-Up", "Content-Type"] } }]));
    let (answer, request) = seen(martian, &client::request("GET", "/a/1", &[("Content-Type", "a/b")], b""));
    assert_eq!((request.header("x-set"), request.header("content-type")), (Some("both"), None));
    assert_eq!((answer.header("x-set"), answer.header("x-up")), (Some("both"), None));
    assert_eq!(answer.text(), "body");
}

#[test]
fn values_may_take_parts_of_the_clients_request() {
    let value = "${request.header.X-Id}/${request.query.q}/${request.param.id}";
    let martian = json!({ "header.Modifier": { "scope": ["request"], "name": "X-From", "value": value } });
    let request = client::request("GET", "/a/7?q=x", &[("X-Id", "9")], b"");
    let (_, request) = seen(martian, &request);
    assert_eq!(request.header("x-from"), Some("9/x/7"));
}

#[test]
fn a_value_that_cannot_be_filled_in_fails_the_request() {
    let upstream = Upstream::echo();
    let martian = json!({ "header.Modifier": { "scope": ["request"], "name": "X", "value": "${request.query.q}" } });
    let gateway = Running::with(&[modified("/a", &upstream.url(), "/b", martian)]);
    assert_eq!(gateway.get("/a?q=a%0d%0aX-Evil:1").status, 500);
    assert_eq!(upstream.heads(), 0);
    assert!(gateway.access_log(1).contains("modifier"));
}

#[test]
fn no_modifier_reads_or_removes_the_token() {
    let idp = Scripted::start(|_, _| Scripted::token("secret-token", 3600));
    let upstream = Upstream::start(|_| Reply::text("x"));
    let martian = group(json!([
        header("Authorization", "Basic mine"),
        { "header.Copy": { "from": "Authorization", "to": "X-Copy" } },
        { "header.Blacklist": { "names": ["Authorization"] } }
    ]));
    let mut streamed = modified("/a", &upstream.url(), "/b", martian);
    streamed["backend"][0]["extra_config"]["auth/client-credentials"] = credential(&idp.token_url());
    let decoded = with(streamed.clone(), &json!({ "endpoint": "/d", "output_encoding": "string" }));
    let mut decoded = decoded;
    decoded["backend"][0]["encoding"] = json!("string");
    let gateway = Running::with(&[streamed, decoded]).ready();
    for path in ["/a", "/d"] {
        assert_eq!(gateway.get(path).status, 200);
    }
    for request in upstream.requests() {
        assert_eq!(request.header("authorization"), Some("Bearer secret-token"));
        assert_eq!(request.header("x-copy"), Some("Basic mine"));
    }
}

#[test]
fn a_url_modifier_sends_the_request_to_another_host() {
    let one = Upstream::start(|_| Reply::text("one"));
    let two = Upstream::start(|request| Reply::text(format!("two {}", request.target)));
    let address = two.addr();
    let martian = group(json!([
        { "url.Modifier": { "scope": ["request"], "host": address.to_string(), "path": "/c", "query": "x=1" } }
    ]));
    let gateway = Running::with(&[modified("/a", &one.url(), "/b", martian)]);
    assert_eq!(gateway.get("/a").text(), "two /c?x=1");
    assert_eq!(two.only_request().header("host"), Some(one.addr().to_string().as_str()));
    assert_eq!(one.heads(), 0);
}

#[test]
fn bodies_are_replaced_both_ways() {
    let upstream = Upstream::start(|request| Reply::text(request.text()));
    let body = |scope: &str, body: &str| json!({ "body.Modifier": { "scope": [scope], "contentType": "text/x", "body": body } });
    let requests = modified("/a", &upstream.url(), "/b", body("request", "dXA="));
    let requests = with(requests, &json!({ "method": "POST" }));
    let answers = modified("/c", &upstream.url(), "/b", body("response", "ZG93bg=="));
    let gateway = Running::with(&[requests, answers]);
    assert_eq!(client::post(gateway.address, "/a", "mine").text(), "up");
    let answer = gateway.get("/c");
    assert_eq!((answer.text().as_str(), answer.header("content-type")), ("down", Some("text/x")));
}

#[test]
fn a_status_can_be_rescued_for_a_decoded_endpoint_3_1() {
    let upstream = Upstream::start(|_| Reply::json(404, &json!({ "a": 1 })));
    let martian = json!({ "status.Modifier": { "scope": ["response"], "statusCode": 200 } });
    let decoded = with(modified("/a", &upstream.url(), "/b", martian), &json!({ "output_encoding": "json" }));
    let gateway = Running::with(&[decoded]);
    assert_eq!((gateway.get("/a").status, gateway.get("/a").text().as_str()), (200, r#"{"a":1}"#));
}

#[test]
fn static_files_answer_without_an_upstream() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("b.json"), r#"{"file": true}"#).unwrap();
    let upstream = Upstream::echo();
    let martian = json!({ "static.Modifier": { "scope": ["request", "response"], "rootPath": folder.path() } });
    let gateway = Running::with(&[modified("/{f}", &upstream.url(), "/{f}", martian)]);
    let answer = gateway.get("/b.json");
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"file": true}"#));
    assert_eq!(gateway.get("/missing").status, 404);
    assert_eq!(upstream.heads(), 0);
}

#[test]
fn verifiers_are_counted_and_change_nothing() {
    let upstream = Upstream::echo();
    let martian = json!({ "header.Verifier": { "scope": ["request"], "name": "X-There", "value": "1" } });
    let gateway = Running::with(&[modified("/a", &upstream.url(), "/b", martian)]);
    assert_eq!(gateway.get("/a").status, 200);
    assert!((gateway.metric("porteur_martian_failed_verifications_total") - 1.0).abs() < 1e-9);
}

#[test]
fn a_later_backend_may_be_told_what_an_earlier_one_answered() {
    let upstream = Upstream::start(|request| match request.target.as_str() {
        "/first" => Reply::json(200, &json!({ "user": { "id": 42 } })),
        _ => Reply::json(200, &json!({ "told": request.header("x-user") })),
    });
    let set = json!({ "header.Modifier": {
        "scope": ["request"], "name": "X-User", "value": "u-${request.param.resp0_user.id}" } });
    let backend = |pattern: &str| json!({ "host": [upstream.url()], "url_pattern": pattern });
    let second = with(backend("/second"), &json!({ "extra_config": { "modifier/martian": set } }));
    let gateway = Running::with(&[json!({
        "endpoint": "/a", "timeout": "10s", "output_encoding": "json",
        "extra_config": { "proxy": { "sequential": true } }, "backend": [backend("/first"), second],
    })]);
    assert_eq!(gateway.get("/a").text(), r#"{"told":"u-42","user":{"id":42}}"#);
}

#[test]
fn answers_of_a_host_that_a_modifier_chose_are_kept_apart() {
    let kept = |body: &'static str| Upstream::start(move |_| Reply::text(body).header("Cache-Control", "max-age=600"));
    let (one, two) = (kept("one"), kept("two"));
    let elsewhere = json!({ "querystring.Filter": { "scope": ["request"], "name": "to", "value": "two",
        "modifier": { "url.Modifier": { "scope": ["request"], "host": two.addr().to_string(), "query": "x=1" } },
        "else": { "url.Modifier": { "scope": ["request"], "query": "x=1" } } } });
    let mut endpoint = modified("/a", &one.url(), "/b", elsewhere);
    endpoint["input_query_strings"] = json!(["to"]);
    endpoint["backend"][0]["extra_config"]["qos/http-cache"] = json!({});
    let gateway = Running::with(&[endpoint]);
    for _ in 0..2 {
        assert_eq!([gateway.get("/a?to=one").text(), gateway.get("/a?to=two").text()], ["one", "two"]);
    }
    assert_eq!((one.heads(), two.heads()), (1, 1));
}

#[test]
fn answers_for_another_host_header_are_kept_apart() {
    let upstream =
        Upstream::start(|request| Reply::text(request.header("host").unwrap()).header("Cache-Control", "max-age=600"));
    let named =
        json!({ "header.Modifier": { "scope": ["request"], "name": "Host", "value": "${request.query.h}.test" } });
    let mut endpoint = modified("/a", &upstream.url(), "/b", named);
    endpoint["backend"][0]["extra_config"]["qos/http-cache"] = json!({});
    let gateway = Running::with(&[endpoint]);
    for _ in 0..2 {
        assert_eq!([gateway.get("/a?h=one").text(), gateway.get("/a?h=two").text()], ["one.test", "two.test"]);
    }
    assert_eq!(upstream.heads(), 2);
}

#[test]
fn a_token_stays_with_the_hosts_of_its_backend() {
    let idp = Scripted::start(|_, _| Scripted::token("secret-token", 3600));
    let (own, other) = (Upstream::echo(), Upstream::echo());
    let sent = json!({ "url.Modifier": { "scope": ["request"], "host": other.addr().to_string() } });
    let elsewhere =
        json!({ "querystring.Filter": { "scope": ["request"], "name": "q", "value": "1", "modifier": sent } });
    let mut endpoint = modified("/a", &own.url(), "/b", elsewhere);
    endpoint["input_query_strings"] = json!(["q"]);
    endpoint["backend"][0]["extra_config"]["auth/client-credentials"] = credential(&idp.token_url());
    let gateway = Running::with(&[endpoint]).ready();
    assert_eq!([gateway.get("/a").status, gateway.get("/a?q=1").status], [200, 200]);
    assert_eq!(own.only_request().header("authorization"), Some("Bearer secret-token"));
    assert_eq!(other.only_request().header("authorization"), None);
}
