//! An upstream that rejects the token: how many refreshes that causes, who is answered with what, and what is counted. How a
//! request is sent once more, with its body or not at all, is in `replay`.

use crate::support::client::{self, Connection, request};
use crate::support::gate::Gate;
use crate::support::gateway::{Running, credential, protected, with};
use crate::support::idp::Idp;
use crate::support::poll::{Latch, PATIENCE, eventually};
use crate::support::reply::Reply;
use crate::support::scripted::Scripted;
use crate::support::upstream::{Request, Upstream};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

/// An endpoint for every method and header. `keys` go into its credential.
pub fn guarded(upstream: &str, token_url: &str, keys: Value) -> Value {
    let mut endpoint = protected("/x", upstream, with(credential(token_url), &keys));
    endpoint["method"] = json!("*");
    endpoint["input_headers"] = json!(["*"]);
    endpoint["timeout"] = json!("20s");
    endpoint
}

pub fn carries(request: &Request, token: &str) -> bool {
    request.header("authorization") == Some(&format!("Bearer {token}"))
}

/// RFC 6750 §3.1.
pub fn invalid_token() -> Reply {
    Reply::new(401).header("WWW-Authenticate", r#"Bearer realm="api", error="invalid_token""#).body("rejected")
}

/// Rejects the first token of a counting server, and echoes the body of what carries another.
pub fn rejects_the_first() -> Upstream {
    Upstream::start(|request| if carries(request, "TOKEN-0") { invalid_token() } else { Reply::text(&request.body) })
}

pub fn rejections(gateway: &Running, result: &str) -> f64 {
    gateway.metric(&format!(r#"porteur_token_rejections_total{{credential="basic@127.0.0.1",result="{result}"}}"#))
}

pub fn forced(gateway: &Running) -> f64 {
    gateway.metric(r#"porteur_token_forced_refreshes_total{credential="basic@127.0.0.1",reason="upstream"}"#)
}

fn state(gateway: &Running, state: &str) -> bool {
    gateway.metric(&format!(r#"porteur_token_state{{credential="basic@127.0.0.1",state="{state}"}}"#)) == 1.0
}

#[track_caller]
pub fn wait_for_generation(gateway: &Running, generation: f64) {
    eventually(PATIENCE, "the next token", || {
        gateway.metric(r#"porteur_token_generation{credential="basic@127.0.0.1"}"#) == generation
    });
}

fn send(gateway: &Running, method: &str) -> client::Response {
    client::send(gateway.address, request(method, "/x", &[], b""))
}

#[test]
fn a_revoked_token_is_replaced_and_the_client_does_not_notice() {
    let idp = Idp::start(3600);
    let gateway = Running::with(&[guarded(&idp.resource_url(), idp.token_url(), json!({}))]).ready();
    assert_eq!(gateway.get("/x").status, 200);
    idp.revoke_all();
    let answer = gateway.get("/x");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("www-authenticate"), None);
    let stats = idp.stats();
    assert_eq!((stats.token_requests, stats.resource_requests), (2, 3));
    assert_eq!(stats.resource_by_status.into_iter().collect::<Vec<_>>(), [(200, 2), (401, 1)]);
    assert_eq!((forced(&gateway), rejections(&gateway, "sent")), (1.0, 1.0));
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(idp.stats().resource_requests, 4, "the new token is in use");
    let attempts: Vec<bool> = gateway.access_log(3).lines().map(|line| line.contains(" attempts=2 ")).collect();
    assert_eq!(attempts, [false, true, false]);
}

#[test]
fn a_thousand_concurrent_rejections_cause_one_fetch() {
    let server = Scripted::counting("TOKEN", 3600);
    let arrived = Latch::new();
    let upstream = Upstream::start({
        let arrived = arrived.clone();
        move |request| {
            if carries(request, "TOKEN-0") { invalid_token().after(&arrived) } else { Reply::text("welcome") }
        }
    });
    let gateway = Running::with(&[guarded(&upstream.url(), &server.token_url(), json!({}))]).ready();
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                let mut connections: Vec<_> = (0..20).map(|_| Connection::open(gateway.address)).collect();
                connections.iter_mut().for_each(|connection| connection.write(request("GET", "/x", &[], b"")));
                for mut connection in connections {
                    let answer = connection.response();
                    assert_eq!((answer.status, answer.text().as_str()), (200, "welcome"));
                }
            });
        }
        upstream.wait_for_requests(1000);
        assert_eq!(server.requests().len(), 1);
        arrived.open();
    });
    assert_eq!(server.requests().len(), 2);
    assert_eq!((forced(&gateway), rejections(&gateway, "sent")), (1.0, 1000.0));
    assert_eq!(upstream.requests().len(), 2000);
}

#[test]
fn an_upstream_that_always_says_401_is_passed_on_and_cannot_amplify() {
    const EACH: usize = 50;
    let server = Scripted::counting("TOKEN", 3600);
    let upstream = Upstream::start(|_| invalid_token().header("X-Reason", "mine").header("Set-Cookie", "a=1"));
    let gateway = Running::with(&[guarded(&upstream.url(), &server.token_url(), json!({}))]).ready();
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                let mut connection = Connection::open(gateway.address);
                for _ in 0..EACH {
                    let answer = connection.request(request("GET", "/x", &[], b""));
                    assert_eq!((answer.status, answer.text().as_str()), (401, "rejected"));
                    let challenge = r#"Bearer realm="api", error="invalid_token""#;
                    assert_eq!(answer.headers.all("www-authenticate"), [challenge]);
                    assert_eq!((answer.header("x-reason"), answer.header("set-cookie")), (Some("mine"), Some("a=1")));
                }
            });
        }
    });
    // The throttle lets two through at once, and one more every ten seconds.
    let most = 3 + usize::try_from(began.elapsed().as_secs() / 10).unwrap();
    assert!(server.requests().len() <= most, "{} token requests, {most} allowed", server.requests().len());
    assert_eq!(forced(&gateway) as usize, server.requests().len() - 1);
    let results = ["sent", "second_time", "throttled", "no_new_token"].map(|result| rejections(&gateway, result));
    assert_eq!(results[0], results[1], "each request that was sent again was rejected again: {results:?}");
    assert_eq!(results[1] + results[2] + results[3], 500.0, "{results:?}");
    assert!(results[2] > 300.0, "{results:?}");
}

#[test]
fn the_401_after_a_replay_passes_and_is_not_replayed_again() {
    let server = Scripted::counting("TOKEN", 3600);
    let upstream = Upstream::start(|request| invalid_token().header("X-Attempt", &request.number.to_string()));
    let gateway = Running::with(&[guarded(&upstream.url(), &server.token_url(), json!({}))]).ready();
    let answer = gateway.get("/x");
    assert_eq!((answer.status, answer.header("x-attempt")), (401, Some("1")));
    assert_eq!((upstream.requests().len(), server.requests().len()), (2, 2));
    assert_eq!((rejections(&gateway, "sent"), rejections(&gateway, "second_time")), (1.0, 1.0));
    let log = gateway.access_log(1);
    assert!(log.contains(" status=401 ") && log.contains(" attempts=2 "), "{log}");
}

/// Sends a request to an upstream with this answer; says whether it was taken as a rejection of the token.
fn is_rejection(keys: Value, status: u16, challenges: &[&str]) -> bool {
    let server = Scripted::counting("TOKEN", 3600);
    let challenges: Vec<String> = challenges.iter().map(|&text| text.to_owned()).collect();
    let upstream = Upstream::start(move |request| {
        if !carries(request, "TOKEN-0") {
            return Reply::text("welcome");
        }
        let refusal = Reply::new(status).body("refused");
        challenges.iter().fold(refusal, |reply, challenge| reply.header("WWW-Authenticate", challenge))
    });
    let gateway = Running::with(&[guarded(&upstream.url(), &server.token_url(), keys)]).ready();
    let answer = gateway.get("/x");
    let outcome = (answer.status, server.requests().len(), forced(&gateway), upstream.requests().len());
    match outcome {
        (200, 2, 1.0, 2) => true,
        (passed, 1, 0.0, 1) if passed == status && answer.text() == "refused" => false,
        outcome => panic!("neither nor: {outcome:?}"),
    }
}

#[test]
fn only_a_401_that_may_be_about_the_token_is_a_rejection() {
    let bearer = r#"Bearer realm="api""#;
    let basic = r#"Basic realm="api""#;
    let invalid = r#"bearer error="invalid_token", error_description="The token expired""#;
    for (status, challenges, expected) in [
        (401, &[][..], true),
        (401, &[bearer], true),
        (401, &[invalid], true),
        (401, &[basic, bearer], true),
        (401, &[basic], false),
        (401, &[r#"Bearer error="insufficient_scope", scope="api:write""#], false),
        (401, &[r#"Bearer error="invalid_request""#], false),
        (403, &[], false),
        (403, &[invalid], false),
        (400, &[invalid], false),
        (500, &[], false),
    ] {
        assert_eq!(is_rejection(json!({}), status, challenges), expected, "{status} {challenges:?}");
    }
}

#[test]
fn refresh_on_status_says_which_statuses_are_rejections() {
    let also = || json!({ "refresh_on_status": [403] });
    assert!(is_rejection(also(), 403, &[]));
    assert!(!is_rejection(also(), 401, &[]), "the list replaces the usual one");
    assert!(!is_rejection(json!({ "refresh_on_status": [] }), 401, &[]));
    let named = json!({ "header": "X-Api-Token" });
    let server = Scripted::counting("TOKEN", 3600);
    let upstream = Upstream::start(|request| match request.header("x-api-token") {
        Some("Bearer TOKEN-0") => Reply::new(401).header("WWW-Authenticate", r#"Basic realm="api""#),
        _ => Reply::text("welcome"),
    });
    let gateway = Running::with(&[guarded(&upstream.url(), &server.token_url(), named)]).ready();
    assert_eq!(gateway.get("/x").status, 200, "a challenge says nothing of a token in a header of its own");
}

#[test]
fn without_a_newer_token_in_time_the_401_passes() {
    let slow = Latch::new();
    let server = Scripted::renewing_after(&slow);
    let upstream = rejects_the_first();
    let mut hasty = guarded(&upstream.url(), &server.token_url(), json!({}));
    hasty["endpoint"] = json!("/hasty");
    hasty["timeout"] = json!("1s");
    let patient = guarded(&upstream.url(), &server.token_url(), json!({}));
    let gateway = Running::with(&[hasty, patient]).ready();
    for target in ["/hasty", "/x"] {
        let answer = gateway.get(target);
        assert_eq!((answer.status, answer.text().as_str()), (401, "rejected"), "{target}: not 504, and not cut");
        assert!(answer.header("www-authenticate").is_some());
        assert_eq!(server.wait_for_requests(2).len(), 2, "both waited for the same fetch, which is still under way");
        assert_eq!(gateway.metric(r#"porteur_token_generation{credential="basic@127.0.0.1"}"#), 1.0);
    }
    assert_eq!(rejections(&gateway, "no_new_token"), 2.0);
    slow.open();
    wait_for_generation(&gateway, 2.0);
    assert_eq!(gateway.get("/hasty").status, 200);
    assert_eq!(upstream.requests().len(), 3);
    assert_eq!(forced(&gateway), 1.0);
}

#[test]
fn a_server_that_gives_the_same_token_again_causes_no_replay() {
    let server = Scripted::start(|_, _| Scripted::token("TOKEN-0", 3600));
    let upstream = rejects_the_first();
    let gateway = Running::with(&[guarded(&upstream.url(), &server.token_url(), json!({}))]).ready();
    assert_eq!(gateway.get("/x").status, 401);
    assert_eq!((upstream.requests().len(), server.requests().len()), (1, 2));
    assert_eq!(rejections(&gateway, "no_new_token"), 1.0);
    assert_eq!(gateway.metric(r#"porteur_token_same_total{credential="basic@127.0.0.1"}"#), 1.0);
}

#[test]
fn a_token_that_cannot_be_replaced_is_kept() {
    let server = Scripted::counting("TOKEN", 3600);
    let gate = Gate::to(server.addr());
    let angry = Arc::new(AtomicBool::new(true));
    let upstream = Upstream::start({
        let angry = angry.clone();
        move |_| if angry.load(Ordering::SeqCst) { invalid_token() } else { Reply::text("welcome") }
    });
    let gateway = Running::with(&[guarded(&upstream.url(), &gate.url("/token"), json!({}))]).ready();
    gate.close();
    for _ in 0..3 {
        let answer = gateway.get("/x");
        assert_eq!((answer.status, answer.text().as_str()), (401, "rejected"));
    }
    assert_eq!(rejections(&gateway, "no_new_token") + rejections(&gateway, "throttled"), 3.0);
    assert!(state(&gateway, "stale"));
    assert_eq!(forced(&gateway), 1.0, "while the server fails, its backoff counts and not the upstream");
    angry.store(false, Ordering::SeqCst);
    assert_eq!(gateway.get("/x").text(), "welcome");
    let tokens = upstream.requests().iter().filter(|request| carries(request, "TOKEN-0")).count();
    assert_eq!((tokens, upstream.requests().len()), (4, 4), "the token it had");
    gate.open();
    eventually(PATIENCE, "the server is asked again", || state(&gateway, "fresh"));
}

#[test]
fn a_request_without_a_token_is_no_rejection() {
    let gate = Gate::closed(([127, 0, 0, 1], 1).into());
    let upstream = Upstream::start(|_| invalid_token());
    let pass = json!({ "on_missing": "pass", "first_token_wait": "0s" });
    let gateway = Running::with(&[guarded(&upstream.url(), &gate.url("/token"), pass)]);
    assert_eq!(gateway.get("/x").status, 401);
    assert_eq!((upstream.requests().len(), forced(&gateway)), (1, 0.0));
}

#[test]
fn connections_to_the_upstream_are_kept_after_a_replay() {
    let server = Scripted::counting("TOKEN", 3600);
    let upstream = rejects_the_first();
    let gateway = Running::with(&[guarded(&upstream.url(), &server.token_url(), json!({}))]).ready();
    let mut connection = Connection::open(gateway.address);
    for n in 0..20 {
        let method = ["GET", "HEAD", "POST"][n % 3];
        assert_eq!(connection.request(request(method, "/x", &[], b"")).status, 200, "{n}");
    }
    assert_eq!(upstream.requests().len(), 21);
    assert_eq!(upstream.connections(), 2, "that of the rejected request, and one for all others");
    assert_eq!(upstream.violations(), Vec::<String>::new());
}

#[test]
fn no_log_line_has_a_rejected_token_or_its_successor() {
    let server = Scripted::counting("TOKEN", 3600);
    let upstream = rejects_the_first();
    let gateway = Running::with(&[guarded(&upstream.url(), &server.token_url(), json!({}))]).ready();
    assert_eq!(send(&gateway, "GET").status, 200);
    let log = gateway.access_log(1);
    assert!(log.contains(" attempts=2 ") && log.contains(" status=200 "), "{log}");
    assert!(!log.contains("failure=") && !log.contains("cause="), "a replay is no failure: {log}");
    assert!(!log.contains("TOKEN-") && !log.contains("Bearer"), "{log}");
}
