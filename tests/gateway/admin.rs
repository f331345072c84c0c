//! The admin listener's `/tokens`: what it shows, what it does, and for whom it does nothing; and the metrics of tokens.

use crate::support::client::{self, Response, request};
use crate::support::gateway::{Running, credential, protected};
use crate::support::idp::CLIENT_SECRET;
use crate::support::poll::{Latch, PATIENCE, eventually};
use crate::support::scripted::Scripted;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::thread;

const NAME: &str = "basic@127.0.0.1";

/// What a client on this machine calls it.
const LOCAL: (&str, &str) = ("Host", "localhost");

fn order(gateway: &Running, target: &str) -> Response {
    client::post(gateway.admin, target, "")
}

fn rows(gateway: &Running) -> Vec<Value> {
    gateway.probe("/tokens").json()["tokens"].as_array().unwrap().clone()
}

fn one(server: &Scripted, upstream: &Upstream) -> Running {
    Running::with(&[protected("/x", &upstream.url(), credential(&server.token_url()))])
}

#[test]
fn the_list_shows_how_tokens_are_and_nothing_of_them() {
    let server = Scripted::start(|_, n| {
        let token = json!({"access_token": format!("canary-token-{n}"), "token_type": "Bearer", "expires_in": 3600, "scope": "a"});
        crate::support::reply::Reply::json(200, &token)
    });
    let refusing = Scripted::start(|_, _| Scripted::error(401, "invalid_client"));
    let upstream = Upstream::echo();
    let mut wide = credential(&server.token_url());
    wide["scopes"] = json!(["a", "b"]);
    let mut optional = credential(&refusing.token_url());
    optional["client_id"] = json!("zz");
    optional["scopes"] = json!("c");
    optional["required"] = json!(false);
    let gateway =
        Running::with(&[protected("/a", &upstream.url(), wide), protected("/z", &upstream.url(), optional)]).ready();
    eventually(PATIENCE, "the refusal", || rows(&gateway)[1]["failures"] != 0);
    let answer = gateway.probe("/tokens");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let text = answer.text();
    assert!(!text.contains("canary-token") && !text.contains(CLIENT_SECRET), "{text}");
    let rows = rows(&gateway);
    let expected = [
        "name",
        "issuer",
        "scopes",
        "state",
        "generation",
        "age",
        "expires_at",
        "last_attempt_at",
        "next_attempt_in",
        "failures",
        "last_error",
        "last_error_text",
        "refused",
        "required",
        "bound_to",
    ];
    let places = expected.map(|member| text.find(&format!("\"{member}\":")).unwrap());
    assert!(places.is_sorted(), "in the order in which somebody reads them: {text}");
    for row in &rows {
        let keys: BTreeSet<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, expected.into_iter().collect(), "no member that could be a token or a hash");
    }
    let fresh = &rows[0];
    assert_eq!(
        (&fresh["name"], &fresh["issuer"], &fresh["scopes"]),
        (&json!(NAME), &json!(server.addr().to_string()), &json!("a"))
    );
    assert_eq!((&fresh["state"], &fresh["generation"]), (&json!("fresh"), &json!(1)));
    assert_eq!((&fresh["failures"], &fresh["last_error"]), (&json!(0), &Value::Null));
    assert_eq!((&fresh["required"], &fresh["refused"]), (&json!(true), &json!(false)));
    let ends = fresh["expires_at"].as_str().unwrap();
    assert!(ends.len() == 20 && ends.ends_with('Z'), "{ends}");
    assert!(fresh["age"].as_str().unwrap().ends_with('s') && fresh["next_attempt_in"].as_str().unwrap().contains('m'));
    let absent = &rows[1];
    assert_eq!(
        (&absent["name"], &absent["scopes"], &absent["state"]),
        (&json!("zz@127.0.0.1"), &json!("c"), &json!("absent"))
    );
    assert_eq!((&absent["last_error"], &absent["refused"]), (&json!("invalid_client"), &json!(true)));
    assert_eq!(absent["last_error_text"], "status 401, error `invalid_client`");
    assert_eq!((&absent["age"], &absent["expires_at"], &absent["generation"]), (&Value::Null, &Value::Null, &json!(0)));
    let head = client::send(gateway.admin, request("HEAD", "/tokens", &[LOCAL], b""));
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn a_refresh_replaces_a_token_that_stays_in_use_meanwhile() {
    let latch = Latch::new();
    let server = Scripted::renewing_after(&latch);
    let upstream = Upstream::echo();
    let gateway = one(&server, &upstream).ready();
    let answer = order(&gateway, "/tokens/basic%40127.0.0.1/refresh");
    assert_eq!((answer.status, answer.json()), (202, json!({"ordered": true, "name": NAME})));
    server.wait_for_requests(2);
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(rows(&gateway)[0]["generation"], 1);
    latch.open();
    eventually(PATIENCE, "the new token", || rows(&gateway)[0]["generation"] == 2);
    assert_eq!(gateway.get("/x").status, 200);
    let carried: Vec<_> = upstream.requests().iter().map(|r| r.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(carried, ["Bearer TOKEN-0", "Bearer TOKEN-1"]);
    let forced = r#"porteur_token_forced_refreshes_total{credential="basic@127.0.0.1",reason="operator"}"#;
    assert_eq!(gateway.metric(forced), 1.0);
}

#[test]
fn a_purged_token_is_not_used_from_the_answer_on() {
    let latch = Latch::new();
    let server = Scripted::renewing_after(&latch);
    let upstream = Upstream::echo();
    let gateway = one(&server, &upstream).ready();
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(order(&gateway, "/tokens/basic%40127.0.0.1/purge").status, 202);
    let answer = gateway.get("/x");
    assert_eq!(answer.status, 503, "at once: it is no start");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(rows(&gateway)[0]["state"], "absent");
    assert_eq!(gateway.probe("/readyz").status, 503);
    latch.open();
    let gateway = gateway.ready();
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(upstream.requests()[1].header("authorization"), Some("Bearer TOKEN-1"));
    assert_eq!((&rows(&gateway)[0]["generation"], server.requests().len()), (&json!(2), 2));
}

#[test]
fn a_token_that_is_purged_while_another_is_fetched_does_not_come_back() {
    let latch = Latch::new();
    let server = Scripted::renewing_after(&latch);
    let upstream = Upstream::echo();
    let gateway = one(&server, &upstream).ready();
    order(&gateway, "/tokens/basic%40127.0.0.1/refresh");
    server.wait_for_requests(2);
    order(&gateway, "/tokens/basic%40127.0.0.1/purge");
    latch.open();
    server.wait_for_requests(3);
    let gateway = gateway.ready();
    eventually(PATIENCE, "the token of the purge", || rows(&gateway)[0]["generation"] == 3);
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(upstream.only_request().header("authorization"), Some("Bearer TOKEN-2"));
}

#[test]
fn a_token_that_is_gone_has_neither_age_nor_end_in_the_metrics() {
    let latch = Latch::new();
    let server = Scripted::renewing_after(&latch);
    let upstream = Upstream::echo();
    let gateway = one(&server, &upstream).ready();
    let shown = || {
        let text = gateway.probe("/metrics").text();
        ["porteur_token_age_seconds{", "porteur_token_expires_in_seconds{"].map(|name| text.contains(name))
    };
    assert_eq!(shown(), [true, true]);
    order(&gateway, "/tokens/basic%40127.0.0.1/purge");
    assert_eq!(shown(), [false, false]);
    latch.open();
    eventually(PATIENCE, "a new one", || shown() == [true, true]);
}

#[test]
fn orders_go_to_one_credential_and_by_its_name() {
    let server = Scripted::counting("TOKEN", 3600);
    let upstream = Upstream::echo();
    let plain = credential(&server.token_url());
    let named = |scopes: &str, header: &str| json!({ "use": "partner-a", "scopes": scopes, "header": header });
    let mut other = plain.clone();
    other["audience"] = json!("x");
    let gateway = Running::start(json!({
        "extra_config": { "auth/credentials": { "partner-a": { "scopes": "b", "client_id": "basic",
            "client_secret": CLIENT_SECRET, "token_url": server.token_url() } } },
        "endpoints": [
            protected("/a", &upstream.url(), plain),
            protected("/b", &upstream.url(), other),
            protected("/c", &upstream.url(), json!({ "use": "partner-a" })),
            protected("/d", &upstream.url(), named("c", "X-Token")),
            protected("/e", &upstream.url(), named("b", "X-Token")),
        ],
    }))
    .ready();
    let names = || rows(&gateway).iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(), [NAME, "basic@127.0.0.1~2", "partner-a", "partner-a~2"], "equal ones are one");
    let before = server.requests().len();
    assert_eq!(before, 4);
    for (target, row) in [
        ("/tokens/basic%40127.0.0.1/refresh", 0),
        ("/tokens/basic%40127.0.0.1~2/refresh", 1),
        ("/tokens/partner-a/refresh", 2),
        ("/tokens/partner-a~2/purge", 3),
    ] {
        assert_eq!(order(&gateway, target).status, 202, "{target}");
        eventually(PATIENCE, target, || rows(&gateway)[row]["generation"] == 2);
    }
    assert!(rows(&gateway).iter().all(|row| row["generation"] == 2));
    for target in ["/tokens/nobody/refresh", "/tokens/basic/purge", "/tokens//refresh", "/tokens/partner-a~3/purge"] {
        let answer = order(&gateway, target);
        let names = json!([NAME, "basic@127.0.0.1~2", "partner-a", "partner-a~2"]);
        let expected = json!({"error": "there is no credential of this name", "names": names});
        assert_eq!((answer.status, answer.json()), (404, expected));
    }
    assert_eq!(client::get(gateway.admin, "/tokens/partner-a").status, 404);
    assert_eq!(server.requests().len(), 8);
}

#[test]
fn each_target_has_its_methods() {
    let server = Scripted::counting("TOKEN", 3600);
    let upstream = Upstream::echo();
    let gateway = one(&server, &upstream).ready();
    for (method, target, allow) in [
        ("GET", "/tokens/basic%40127.0.0.1/refresh", "POST"),
        ("HEAD", "/tokens/basic%40127.0.0.1/purge", "POST"),
        ("DELETE", "/tokens/basic%40127.0.0.1/purge", "POST"),
        ("GET", "/tokens/nobody/purge", "POST"),
        ("POST", "/tokens", "GET, HEAD"),
        ("POST", "/metrics", "GET, HEAD"),
        ("POST", "/livez", "GET, HEAD"),
        ("PUT", "/readyz", "GET, HEAD"),
    ] {
        let answer = client::send(gateway.admin, request(method, target, &[LOCAL], b""));
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {target}");
    }
    assert_eq!(rows(&gateway)[0]["generation"], 1);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn web_pages_are_refused() {
    let server = Scripted::counting("TOKEN", 3600);
    let upstream = Upstream::echo();
    let gateway = one(&server, &upstream).ready();
    let orders = ["/tokens/basic%40127.0.0.1/refresh", "/tokens/basic%40127.0.0.1/purge"];
    for header in [
        ("Origin", "https://evil.test"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        for target in orders {
            assert_eq!(
                client::send(gateway.admin, request("POST", target, &[LOCAL, header], b"")).status,
                403,
                "{header:?}"
            );
        }
        for target in ["/tokens", "/metrics", "/readyz", "/livez"] {
            let answer = client::send(gateway.admin, request("GET", target, &[LOCAL, header], b""));
            assert_eq!((answer.status, answer.text().as_str()), (403, "403 not for web pages"), "{target} {header:?}");
        }
    }
    // A name that a page came from, and that was then made to point here.
    for host in ["evil.test", "evil.test:9901", "127.0.0.1.evil.test", "localhost.evil.test"] {
        let answer = client::send(gateway.admin, request("GET", "/tokens", &[("Host", host)], b""));
        assert_eq!(answer.status, 403, "{host}");
    }
    for host in ["localhost:9901", "127.0.0.1", "[::1]:9901"] {
        assert_eq!(
            client::send(gateway.admin, request("GET", "/tokens", &[("Host", host)], b"")).status,
            200,
            "{host}"
        );
    }
    assert_eq!((gateway.get("/x").status, server.requests().len()), (200, 1), "nothing was purged or fetched");
    for header in [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "same-origin")] {
        assert_eq!(
            client::send(gateway.admin, request("GET", "/tokens", &[LOCAL, header], b"")).status,
            200,
            "{header:?}"
        );
    }
}

#[test]
fn the_metrics_of_tokens_are_all_there() {
    let latch = Latch::new();
    let server = Scripted::start({
        let latch = latch.clone();
        move |_, n| Scripted::token(&format!("TOKEN-{n}"), 3600).after(&latch)
    });
    let upstream = Upstream::echo();
    let mut waiting = credential(&server.token_url());
    waiting["first_token_wait"] = json!("60s");
    let mut hasty = waiting.clone();
    hasty["first_token_wait"] = json!("0s");
    let mut passing = hasty.clone();
    passing["on_missing"] = json!("pass");
    let gateway = Running::with(&[
        protected("/wait", &upstream.url(), waiting),
        protected("/hasty", &upstream.url(), hasty),
        protected("/pass", &upstream.url(), passing),
    ]);
    assert_eq!(gateway.get("/hasty").status, 503);
    assert_eq!(gateway.get("/pass").status, 200);
    thread::scope(|scope| {
        let first = scope.spawn(|| gateway.get("/wait").status);
        eventually(PATIENCE, "it waits", || gateway.metric("porteur_requests_in_flight") == 1.0);
        latch.open();
        assert_eq!(first.join().unwrap(), 200);
    });
    let gateway = gateway.ready();
    order(&gateway, "/tokens/basic%40127.0.0.1/refresh");
    eventually(PATIENCE, "a second token", || rows(&gateway)[0]["generation"] == 2);
    let metric = |name: &str, labels: &str| {
        gateway.metric(&format!(r#"porteur_token_{name}{{credential="basic@127.0.0.1"{labels}}}"#))
    };
    for (state, value) in [("fresh", 1.0), ("stale", 0.0), ("expired", 0.0), ("absent", 0.0)] {
        assert_eq!(metric("state", &format!(r#",state="{state}""#)), value, "{state}");
    }
    let text = gateway.probe("/metrics").text();
    assert!(text.contains("porteur_token_age_seconds{credential=\"basic@127.0.0.1\"} "), "{text}");
    assert!(text.contains("porteur_token_client_refused{credential=\"basic@127.0.0.1\"} 0"), "{text}");
    assert!((3000.0..=3600.0).contains(&metric("expires_in_seconds", "")));
    assert_eq!((metric("generation", ""), metric("usable", "")), (2.0, 1.0));
    eventually(PATIENCE, "both fetches are counted", || metric("fetch_duration_seconds_count", "") == 2.0);
    assert_eq!(metric("fetches_total", r#",result="ok""#), 2.0);
    assert!(metric("first_wait_seconds_count", "") >= 1.0 && metric("first_wait_seconds_sum", "") > 0.0);
    for action in ["reject", "pass"] {
        let missing = format!(r#"porteur_token_missing_total{{action="{action}",credential="basic@127.0.0.1"}}"#);
        assert_eq!(gateway.metric(&missing), 1.0, "{action}");
    }
    assert_eq!(metric("forced_refreshes_total", r#",reason="operator""#), 1.0);
    assert_eq!(metric("forced_refreshes_total", r#",reason="upstream""#), 0.0);
    assert_eq!(metric("same_total", ""), 0.0);
    assert!(!text.contains("TOKEN-") && !text.contains(CLIENT_SECRET));
}
