//! Tokens of decoded endpoints: each backend gets its own and nobody else's, also when it rejects it, redirects, or is only a
//! shadow.

use crate::decoded::{COMPLETED, answers, backend, decoded, json_reply};
use crate::rejection::{carries, invalid_token};
use crate::support::client::{self, request};
use crate::support::gateway::{Running, credential, with};
use crate::support::idp::Idp;
use crate::support::poll::{PATIENCE, eventually};
use crate::support::reply::Reply;
use crate::support::scripted::Scripted;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

/// What no backend with a token may ever see of a client.
const CLIENT: (&str, &str) = ("Authorization", "Bearer of-the-client");

fn wanting(backend: Value, credential: Value) -> Value {
    with(backend, &json!({ "extra_config": { "auth/client-credentials": credential } }))
}

fn client_of(idp: &Idp, id: &str) -> Value {
    json!({ "client_id": id, "client_secret": idp.client_secret(id), "token_url": idp.token_url() })
}

fn get(gateway: &Running, path: &str) -> client::Response {
    client::send(gateway.address, request("GET", path, &[CLIENT], b""))
}

/// The `Authorization` of every request, each with one at the most.
fn authorizations(upstream: &Upstream) -> Vec<String> {
    let of = |headers: Vec<&str>| headers.join(" and ");
    upstream.requests().iter().map(|request| of(request.headers.all("authorization"))).collect()
}

#[test]
fn each_backend_carries_its_own_token_2_5() {
    let idp = Idp::shared();
    let api = |id: &str| {
        let backend = json!({ "host": [idp.resource_url()], "url_pattern": "/x", "group": id });
        wanting(backend, client_of(idp, id))
    };
    let endpoint = with(decoded("/x", &[api("basic"), api("ro")]), &json!({ "input_headers": ["*"] }));
    let gateway = Running::with(&[endpoint]).ready();
    let answer = get(&gateway, "/x");
    assert_eq!((answer.status, answer.header(COMPLETED)), (200, Some("true")), "{}", answer.text());
    let told = answer.json();
    for id in ["basic", "ro"] {
        assert_eq!(told[id]["claims"]["client_id"], json!(id));
    }
    let tokens = ["basic", "ro"].map(|id| told[id]["headers"]["authorization"].as_str().unwrap().to_owned());
    assert_ne!(tokens[0], tokens[1]);
    assert!(!answer.text().contains("of-the-client"));
}

#[test]
fn an_upstream_sees_neither_the_others_token_nor_the_clients() {
    let (of_a, of_b) = (Scripted::counting("A", 3600), Scripted::counting("B", 3600));
    let (a, b, open) = (answers(r#"{"a":1}"#), answers(r#"{"b":1}"#), answers(r#"{"c":1}"#));
    let backends = [
        wanting(backend(&a, "/"), credential(&of_a.token_url())),
        wanting(backend(&b, "/"), credential(&of_b.token_url())),
        backend(&open, "/"),
    ];
    let listed = with(decoded("/listed", &backends), &json!({ "input_headers": ["Authorization"] }));
    let gateway = Running::with(&[listed, decoded("/unlisted", &backends)]).ready();
    for path in ["/listed", "/unlisted"] {
        assert_eq!(get(&gateway, path).text(), r#"{"a":1,"b":1,"c":1}"#);
    }
    assert_eq!(authorizations(&a), ["Bearer A-0"; 2]);
    assert_eq!(authorizations(&b), ["Bearer B-0"; 2]);
    // The one without a credential gets what the list lets through, as it would alone.
    assert_eq!(authorizations(&open), ["Bearer of-the-client", ""]);
}

#[test]
fn a_rejected_token_is_replaced_and_the_other_backend_is_not_asked_again() {
    let (idp, good) = (Idp::start(3600), answers(r#"{"good":1}"#));
    let api = json!({ "host": [idp.resource_url()], "url_pattern": "/x", "group": "api" });
    let other = Scripted::counting("B", 3600);
    let backends =
        [wanting(api, client_of(&idp, "basic")), wanting(backend(&good, "/"), credential(&other.token_url()))];
    let gateway = Running::with(&[decoded("/x", &backends)]).ready();
    assert_eq!(get(&gateway, "/x").status, 200);
    idp.revoke_all();
    let answer = get(&gateway, "/x");
    assert_eq!((answer.status, answer.header(COMPLETED)), (200, Some("true")), "{}", answer.text());
    assert_eq!(answer.json()["api"]["claims"]["client_id"], json!("basic"));
    let stats = idp.stats();
    assert_eq!((stats.token_requests, stats.resource_requests), (2, 3));
    assert_eq!(authorizations(&good), ["Bearer B-0"; 2]);
    assert_eq!(other.requests().len(), 1);
    let attempts: Vec<bool> = gateway.access_log(2).lines().map(|line| line.contains(" attempts=3 ")).collect();
    assert_eq!(attempts, [false, true]);
}

#[test]
fn a_post_is_sent_again_with_its_whole_body_only_where_the_credential_says_always() {
    for (keys, status, expected) in [(json!({}), 500, 1), (json!({ "replay": "always" }), 200, 2)] {
        let server = Scripted::counting("TOKEN", 3600);
        let upstream =
            Upstream::start(
                |request| {
                    if carries(request, "TOKEN-0") { invalid_token() } else { json_reply(r#"{"a":1}"#) }
                },
            );
        let guarded = wanting(backend(&upstream, "/"), with(credential(&server.token_url()), &keys));
        let gateway = Running::with(&[with(decoded("/x", &[guarded]), &json!({ "method": "POST" }))]).ready();
        assert_eq!(client::post(gateway.address, "/x", "a body").status, status);
        let bodies: Vec<String> = upstream.requests().iter().map(|request| request.text()).collect();
        assert_eq!(bodies, vec!["a body"; expected]);
        eventually(PATIENCE, "the token is renewed all the same", || server.requests().len() == 2);
    }
}

#[test]
fn an_upstream_that_always_rejects_costs_one_replay_and_its_part() {
    let server = Scripted::counting("TOKEN", 3600);
    let (upstream, good) = (Upstream::start(|_| invalid_token()), answers(r#"{"good":1}"#));
    let guarded = wanting(backend(&upstream, "/"), credential(&server.token_url()));
    let gateway = Running::with(&[decoded("/x", &[guarded, backend(&good, "/")])]).ready();
    let answer = gateway.get("/x");
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"good":1}"#));
    assert_eq!(answer.header(COMPLETED), Some("false"));
    assert_eq!(authorizations(&upstream), ["Bearer TOKEN-0", "Bearer TOKEN-1"]);
    assert!(gateway.access_log(1).contains("failure=upstream_status"));
}

#[test]
fn concurrent_calls_whose_token_is_rejected_cause_one_fetch() {
    let server = Scripted::counting("TOKEN", 3600);
    let upstream =
        Upstream::start(|request| if carries(request, "TOKEN-0") { invalid_token() } else { json_reply(r#"{"a":1}"#) });
    let guarded = wanting(backend(&upstream, "/"), credential(&server.token_url()));
    let gateway = Running::with(&[with(decoded("/x", &[guarded]), &json!({ "concurrent_calls": 5 }))]).ready();
    assert_eq!(gateway.get("/x").text(), r#"{"a":1}"#);
    assert_eq!(server.requests().len(), 2);
}

/// KrakenD adds its token at every hop, whatever its host (2.5).
#[test]
fn a_redirect_takes_the_token_along_only_within_the_origin() {
    let server = Scripted::counting("TOKEN", 3600);
    let elsewhere = Upstream::start(|request| match request.target.as_str() {
        "/first" => Reply::new(302).header("Location", "/second"),
        _ => json_reply(r#"{"a":1}"#),
    });
    let to = format!("{}/first", elsewhere.url());
    let upstream = Upstream::start(move |request| match request.target.as_str() {
        "/start" => Reply::new(307).header("Location", "/still"),
        _ => Reply::new(302).header("Location", &to),
    });
    let guarded = wanting(backend(&upstream, "/start"), credential(&server.token_url()));
    let gateway = Running::with(&[with(decoded("/x", &[guarded]), &json!({ "input_headers": ["*"] }))]).ready();
    let sent = [CLIENT, ("Cookie", "session=1")];
    let answer = client::send(gateway.address, request("GET", "/x", &sent, b""));
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"a":1}"#));
    assert_eq!(authorizations(&upstream), ["Bearer TOKEN-0"; 2]);
    assert!(upstream.requests().iter().all(|request| request.header("cookie") == Some("session=1")));
    assert_eq!(authorizations(&elsewhere), ["", ""]);
    for request in elsewhere.requests() {
        assert!(!request.headers.has("cookie"), "{}", request.target);
        let head = String::from_utf8_lossy(&request.head);
        assert!(!head.contains("TOKEN") && !head.contains("of-the-client"), "{head}");
    }
}

#[test]
fn a_token_in_a_header_of_its_own_stays_within_the_origin_too() {
    let server = Scripted::counting("TOKEN", 3600);
    let elsewhere = answers("{}");
    let to = elsewhere.url();
    let upstream = Upstream::start(move |_| Reply::new(302).header("Location", &to));
    let own = json!({ "header": "X-Api-Token", "scheme": "" });
    let guarded = wanting(backend(&upstream, "/"), with(credential(&server.token_url()), &own));
    let gateway = Running::with(&[with(decoded("/x", &[guarded]), &json!({ "input_headers": ["*"] }))]).ready();
    let sent = [("X-Api-Token", "of-the-client"), ("X_Api_Token", "of-the-client")];
    assert_eq!(client::send(gateway.address, request("GET", "/x", &sent, b"")).status, 200);
    assert_eq!(upstream.only_request().headers.all("x-api-token"), ["TOKEN-0"]);
    let head = String::from_utf8_lossy(&elsewhere.only_request().head).to_lowercase();
    assert!(!head.contains("token"), "{head}");
}

#[test]
fn a_shadow_carries_its_own_token() {
    let (of_part, of_shadow) = (Scripted::counting("PART", 3600), Scripted::counting("SHADOW", 3600));
    let (part, shadow) = (answers(r#"{"a":1}"#), answers("{}"));
    let mut copy = wanting(backend(&shadow, "/"), credential(&of_shadow.token_url()));
    copy["extra_config"]["proxy"] = json!({ "shadow": true });
    let whole = wanting(backend(&part, "/"), credential(&of_part.token_url()));
    let endpoint = with(decoded("/x", &[whole, copy]), &json!({ "input_headers": ["*"] }));
    let gateway = Running::with(&[endpoint]).ready();
    assert_eq!(get(&gateway, "/x").text(), r#"{"a":1}"#);
    shadow.wait_for_requests(1);
    assert_eq!(authorizations(&part), ["Bearer PART-0"]);
    assert_eq!(authorizations(&shadow), ["Bearer SHADOW-0"]);
}

#[test]
fn an_endpoint_does_not_wait_for_the_token_of_a_shadow() {
    let (part, shadow) = (answers(r#"{"a":1}"#), answers("{}"));
    let server = Upstream::start(|_| Reply::hang());
    let mut copy = wanting(backend(&shadow, "/"), credential(&server.url()));
    copy["extra_config"]["auth/client-credentials"]["first_token_wait"] = json!("60s");
    copy["extra_config"]["proxy"] = json!({ "shadow": true });
    let gateway = Running::with(&[decoded("/x", &[backend(&part, "/"), copy])]);
    assert_eq!(gateway.get("/x").text(), r#"{"a":1}"#);
    assert!(shadow.requests().is_empty(), "without its token nothing goes to it");
    server.close_connections();
}

#[test]
fn no_token_is_told_to_the_client_or_the_log() {
    let server = Scripted::counting("TOKEN", 3600);
    let upstream = Upstream::start(|request| {
        let seen = request.header("authorization").unwrap().to_owned();
        Reply::new(403).header("X-Seen", &seen).body(seen)
    });
    let guarded = wanting(backend(&upstream, "/"), credential(&server.token_url()));
    let gateway = Running::start(json!({
        "endpoints": [decoded("/x", &[guarded])],
        "extra_config": { "router": { "return_error_msg": true } }
    }))
    .ready();
    let answer = gateway.get("/x");
    assert_eq!((answer.status, answer.text().as_str()), (500, "invalid status code"));
    assert!(!String::from_utf8_lossy(&answer.head).contains("TOKEN"));
    assert!(!gateway.access_log(1).contains("TOKEN"));
}

#[test]
fn a_first_token_that_never_comes_does_not_hold_up_the_others_part() {
    let upstream = Upstream::start(|_| Reply::json(200, &json!({ "a": 1 })));
    let backend = |extra: Value| json!({ "host": [upstream.url()], "url_pattern": "/", "extra_config": extra });
    let down = json!({ "client_id": "c", "client_secret": "s", "token_url": "http://127.0.0.1:1/token",
        "first_token_wait": "10m" });
    let gateway = Running::with(&[json!({
        "endpoint": "/a", "timeout": "1s", "output_encoding": "json",
        "backend": [backend(json!({})), backend(json!({ "auth/client-credentials": down }))],
    })]);
    // The client's own patience is shorter than that wait by far.
    let answer = gateway.get("/a");
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"a":1}"#));
    assert_eq!(answer.header("x-krakend-completed"), Some("false"));
}
