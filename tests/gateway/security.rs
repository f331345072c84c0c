//! `security/http` and `security/bot-detector`: who gets no further, and which headers every answer has.

use crate::support::client::{self, Connection, Response};
use crate::support::gateway::{Running, endpoint};
use crate::support::poll::{self, PATIENCE};
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

fn gateway(upstream: &Upstream, namespaces: Value) -> Running {
    let endpoints = [endpoint("/a", &upstream.url(), "/a"), endpoint("/b", &upstream.url(), "/b")];
    Running::start(json!({ "extra_config": namespaces, "debug_endpoint": true, "endpoints": endpoints }))
}

fn ask(gateway: &Running, target: &str, headers: &[(&str, &str)]) -> Response {
    client::send(gateway.address, client::request("GET", target, headers, b""))
}

#[test]
fn security_headers_are_in_every_answer_and_replace_the_upstreams() {
    let upstream = Upstream::start(|_| {
        Reply::text("hello").header("X-Frame-Options", "ALLOWALL").header("x-frame-options", "SAMEORIGIN")
    });
    let gateway = gateway(
        &upstream,
        json!({ "security/http": {
            "frame_deny": true, "content_type_nosniff": true, "browser_xss_filter": true,
            "content_security_policy": "default-src 'self';", "referrer_policy": "same-origin",
            "sts_seconds": 300, "sts_include_subdomains": true, "force_sts_header": true,
        } }),
    );
    for (target, status) in
        [("/a", 200), ("/nowhere", 404), ("/A", 301), ("/__debug/x", 200), ("/__health", 200), ("/%zz", 400)]
    {
        let answer = ask(&gateway, target, &[]);
        assert_eq!(answer.status, status, "{target}");
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("x-xss-protection", "1; mode=block"),
            ("content-security-policy", "default-src 'self';"),
            ("referrer-policy", "same-origin"),
            ("strict-transport-security", "max-age=300; includeSubDomains"),
        ] {
            assert_eq!(answer.headers.all(name), [value], "{target} {name}");
        }
    }
}

#[test]
fn security_headers_are_in_answers_about_failed_upstreams() {
    let upstream = Upstream::start(|_| Reply::close());
    let gateway = gateway(&upstream, json!({ "security/http": { "frame_deny": true } }));
    let answer = ask(&gateway, "/a", &[]);
    assert_eq!((answer.status, answer.header("x-frame-options")), (502, Some("DENY")));
}

#[test]
fn other_hosts_than_the_allowed_are_403_for_all_but_health() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream, json!({ "security/http": { "allowed_hosts": ["api.test", "b.test:8443"] } }));
    for (host, status) in
        [("api.test", 200), ("API.TEST", 200), ("b.test:8443", 200), ("evil.test", 403), ("b.test", 403)]
    {
        assert_eq!(ask(&gateway, "/a", &[("Host", host)]).status, status, "{host}");
    }
    let received = upstream.requests().len();
    for target in ["/a", "/nowhere", "/A", "/__debug/x"] {
        let refused = ask(&gateway, target, &[("Host", "evil.test")]);
        assert_eq!((refused.status, refused.text().as_str()), (403, ""), "{target}");
    }
    assert_eq!(ask(&gateway, "/__health", &[("Host", "10.0.0.1:8080")]).status, 200);
    assert_eq!(upstream.requests().len(), received);
    // A client has its answer a moment before it is counted.
    poll::eventually(PATIENCE, "all are counted", || {
        gateway.metric(r#"porteur_failures_total{failure="forbidden"}"#) == 6.0
    });
}

#[test]
fn a_refused_request_leaves_the_connection_usable() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream, json!({ "security/http": { "allowed_hosts": ["api.test"] } }));
    let mut connection = Connection::open(gateway.address);
    assert_eq!(connection.request(client::request("GET", "/a", &[("Host", "evil.test")], b"")).status, 403);
    assert_eq!(connection.request(client::request("GET", "/a", &[("Host", "api.test")], b"")).status, 200);
}

#[test]
fn hosts_can_be_patterns_for_the_whole_host() {
    let upstream = Upstream::echo();
    let gateway = gateway(
        &upstream,
        json!({ "security/http": {
            "allowed_hosts": ["[a-z]+\\.test", "localhost:[0-9]+"], "allowed_hosts_are_regex": true
        } }),
    );
    for (host, status) in
        [("api.test", 200), ("localhost:80", 200), ("api.test.evil", 403), ("a.api.test", 403), ("localhost", 403)]
    {
        assert_eq!(ask(&gateway, "/a", &[("Host", host)]).status, status, "{host}");
    }
}

#[test]
fn requests_without_tls_are_redirected_unless_the_proxy_in_front_says_tls() {
    let upstream = Upstream::echo();
    let gateway = gateway(
        &upstream,
        json!({ "security/http": {
            "ssl_redirect": true, "ssl_proxy_headers": { "X-Forwarded-Proto": "https" }, "sts_seconds": 60
        } }),
    );
    let plain = ask(&gateway, "/a?b=1&c=%20", &[("Host", "api.test")]);
    assert_eq!((plain.status, plain.header("location")), (301, Some("https://api.test/a?b=1&c=%20")));
    assert_eq!(plain.header("strict-transport-security"), None);
    assert_eq!(client::post(gateway.address, "/a", "x").status, 301);
    assert!(upstream.requests().is_empty());
    let secure = ask(&gateway, "/a", &[("Host", "api.test"), ("X-Forwarded-Proto", "https")]);
    assert_eq!((secure.status, secure.header("strict-transport-security")), (200, Some("max-age=60")));
    assert_eq!(ask(&gateway, "/__health", &[]).status, 200);
}

#[test]
fn bots_are_refused_by_the_service() {
    let upstream = Upstream::echo();
    let gateway = gateway(
        &upstream,
        json!({ "security/bot-detector": {
            "allow": ["GoodBot/1"], "deny": ["curl/8"], "patterns": ["(?i)bot", "^Evil/[0-9]+$"], "cache_size": 100
        } }),
    );
    for (agent, status) in [
        ("Mozilla/5.0", 200),
        ("GoodBot/1", 200),
        ("GoodBot/2", 403),
        ("curl/8", 403),
        ("curl/8.1", 200),
        ("Evil/7", 403),
    ] {
        assert_eq!(ask(&gateway, "/a", &[("User-Agent", agent)]).status, status, "{agent}");
    }
    assert_eq!(ask(&gateway, "/a", &[]).status, 200);
    let bot = [("User-Agent", "curl/8")];
    assert_eq!((ask(&gateway, "/nowhere", &bot).status, ask(&gateway, "/__health", &bot).status), (403, 200));
    assert_eq!(upstream.requests().len(), 4);
}

#[test]
fn bots_are_refused_by_one_endpoint() {
    let upstream = Upstream::echo();
    let mut guarded = endpoint("/a", &upstream.url(), "/a");
    guarded["extra_config"] = json!({ "security/bot-detector": { "deny": ["x"], "empty_user_agent_is_bot": true } });
    let gateway = Running::with(&[guarded, endpoint("/b", &upstream.url(), "/b")]);
    for (target, agent, status) in
        [("/a", "x", 403), ("/a", "", 403), ("/a", "y", 200), ("/b", "x", 200), ("/b", "", 200)]
    {
        assert_eq!(ask(&gateway, target, &[("User-Agent", agent)]).status, status, "{target} {agent}");
    }
    assert_eq!(ask(&gateway, "/a", &[]).status, 403);
    let log = gateway.access_log(6);
    assert!(log.contains("path=/a endpoint=- status=403") && log.contains("failure=forbidden"), "{log}");
}
