//! Which endpoint answers, and what is answered when none does.

use crate::support::client::{self, Connection};
use crate::support::gateway::{Running, endpoint};
use crate::support::poll::{self, PATIENCE};
use crate::support::upstream::Upstream;
use serde_json::json;

fn gateway(upstream: &Upstream) -> Running {
    let mut every = endpoint("/every", &upstream.url(), "/every");
    every["method"] = json!("*");
    let mut post = endpoint("/items/{id}", &upstream.url(), "/items/{id}");
    post["method"] = json!(["POST", "put"]);
    Running::with(&[
        endpoint("/items/{id}", &upstream.url(), "/v1/{id}/detail?from={id}"),
        endpoint("/tail/*", &upstream.url(), "/below/*"),
        endpoint("/Case/{name}", &upstream.url(), "/case/{name}"),
        post,
        every,
    ])
}

fn target_of(upstream: &Upstream) -> String {
    upstream.requests().last().unwrap().target.clone()
}

#[test]
fn values_of_the_path_fill_the_url_pattern() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    for (asked, received) in [
        ("/items/42", "/v1/42/detail?from=42"),
        ("/items/a%20b", "/v1/a%20b/detail?from=a%20b"),
        ("/items/a%2Fb", "/v1/a%2Fb/detail?from=a%2Fb"),
        ("/items/x&evil=1", "/v1/x&evil=1/detail?from=x%26evil%3D1"),
        ("/tail/", "/below/"),
        ("/tail/a/b.json", "/below/a/b.json"),
        ("/tail/a//b", "/below/a//b"),
    ] {
        assert_eq!(gateway.get(asked).status, 200, "{asked}");
        assert_eq!(target_of(&upstream), received, "{asked}");
    }
    assert_eq!(upstream.violations(), Vec::<String>::new());
}

#[test]
fn unknown_paths_are_404_and_other_methods_405_on_a_connection_that_stays() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    let mut connection = Connection::open(gateway.address);
    let unknown = connection.request(client::request("GET", "/nowhere", &[], b""));
    assert_eq!((unknown.status, unknown.text().as_str()), (404, "404 page not found"));
    assert_eq!(unknown.header("server"), None);
    let other = connection.request(client::request("DELETE", "/items/1", &[], b""));
    assert_eq!((other.status, other.header("allow")), (405, Some("GET, HEAD, POST, PUT")));
    assert_eq!(other.text(), "405 method not allowed");
    assert_eq!(connection.request(client::request("GET", "/items/1", &[], b"")).status, 200);
    assert_eq!(upstream.requests().len(), 1);
    // A client has its answer a moment before it is counted.
    poll::eventually(PATIENCE, "all are counted", || {
        gateway.metric(r#"porteur_requests_total{endpoint="-",status="404"}"#) == 1.0
    });
}

#[test]
fn head_is_served_by_get_without_a_body() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    let mut connection = Connection::open(gateway.address);
    let head = connection.request(client::request("HEAD", "/items/1", &[], b""));
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(upstream.only_request().method, "HEAD");
    let missing = connection.request(client::request("HEAD", "/nowhere", &[], b""));
    assert_eq!((missing.status, missing.header("content-length")), (404, Some("18")));
    assert_eq!(connection.request(client::request("GET", "/items/1", &[], b"")).status, 200);
}

#[test]
fn an_endpoint_for_all_methods_takes_them_all_but_trace() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        assert_eq!(client::send(gateway.address, client::request(method, "/every", &[], b"")).status, 200, "{method}");
        assert_eq!(upstream.requests().last().unwrap().method, method);
    }
    assert_eq!(client::send(gateway.address, client::request("TRACE", "/every", &[], b"")).status, 405);
}

#[test]
fn nearly_right_paths_are_redirected_as_krakend_does() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    for (asked, location) in [
        ("/items/42/", "/items/42"),
        ("/ITEMS/AbC", "/items/AbC"),
        ("//items/42", "/items/42"),
        ("/x/../items/42?a=1", "/items/42?a=1"),
        ("/case/Bob", "/Case/Bob"),
        ("/tail", "/tail/"),
    ] {
        let answer = gateway.get(asked);
        assert_eq!((answer.status, answer.header("location")), (301, Some(location)), "{asked}");
    }
    let posted = client::post(gateway.address, "/items/42/", "body");
    assert_eq!((posted.status, posted.header("location")), (307, Some("/items/42")));
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_redirect_never_leaves_for_another_host() {
    let upstream = Upstream::echo();
    let gateway =
        Running::with(&[endpoint("/{a}", &upstream.url(), "/{a}"), endpoint("/{a}/{b}", &upstream.url(), "/")]);
    for asked in ["//evil.test", "//evil.test/", "///evil.test/x", "/x/../..//evil.test"] {
        let answer = gateway.get(asked);
        let location = answer.header("location").unwrap_or("/");
        assert!(location.starts_with('/') && !location.starts_with("//"), "{asked}: {location}");
    }
}

#[test]
fn redirects_and_405_can_be_switched_off() {
    let upstream = Upstream::echo();
    let gateway = Running::start(json!({
        "extra_config": { "router": {
            "disable_redirect_trailing_slash": true, "disable_redirect_fixed_path": true,
            "disable_handle_method_not_allowed": true, "disable_health": true
        } },
        "endpoints": [endpoint("/a", &upstream.url(), "/a")],
    }));
    for asked in ["/a/", "/A", "//a", "/__health"] {
        assert_eq!(gateway.get(asked).status, 404, "{asked}");
    }
    assert_eq!(client::post(gateway.address, "/a", "").status, 404);
}

#[test]
fn paths_that_climb_or_hide_something_go_nowhere() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    for asked in [
        "/tail/../secret",
        "/tail/%2e%2e/secret",
        "/tail/..%2fsecret",
        "/tail/..%5csecret",
        "/tail/..;/secret",
        "/tail/..;x=1/secret",
        "/tail/%252e%252e/secret",
        "/tail/a%00b",
        "/tail/%zz",
        "/items/..",
        "/items/%2e%2e",
    ] {
        let status = gateway.get(asked).status;
        assert!(matches!(status, 301 | 400 | 404), "{asked}: {status}");
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn the_catchall_takes_what_is_left() {
    let upstream = Upstream::echo();
    let mut catchall = endpoint("/__catchall", &upstream.url(), "/legacy/*");
    catchall["method"] = json!("*");
    let gateway = Running::with(&[endpoint("/a", &upstream.url(), "/a"), catchall]);
    assert_eq!(gateway.get("/x/y").status, 200);
    assert_eq!(target_of(&upstream), "/legacy/x/y");
    assert_eq!(gateway.get("/a").status, 200);
    assert_eq!(target_of(&upstream), "/a");
}

#[test]
fn health_debug_and_echo_answer_as_krakends() {
    let gateway = Running::start(json!({ "debug_endpoint": true, "echo_endpoint": true, "endpoints": [] }));
    let health = gateway.get("/__health");
    assert_eq!((health.status, health.json()["status"].as_str()), (200, Some("ok")));
    assert_eq!(gateway.get("/__debug/anything").json(), json!({"message": "pong"}));
    let echo = client::post(gateway.address, "/__echo/x?a=1&a=2", "hello").json();
    assert_eq!(echo["req_method"], "POST");
    assert_eq!(echo["req_body"], "hello");
    assert_eq!(echo["req_querystring"], json!({"a": ["1", "2"]}));
    let slash = gateway.get("/__echo");
    assert_eq!((slash.status, slash.header("location")), (301, Some("/__echo/")));
    let without = Running::with(&[]);
    assert_eq!((without.get("/__debug/x").status, without.get("/__echo/x").status), (404, 404));
}

#[test]
fn unknown_paths_are_404_with_kraken_ds_text_1_4() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    let unknown = gateway.get("/nowhere");
    assert_eq!((unknown.status, unknown.text().as_str()), (404, "404 page not found"));
    assert_eq!(unknown.header("content-type"), Some("text/plain"));
    assert_eq!(unknown.header("x-krakend-completed"), Some("false"));
    assert_eq!(unknown.header("x-krakend"), None);
}

#[test]
fn other_methods_are_405_with_kraken_ds_text_and_allow_1_4() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    for (path, allow) in [("/items/1", "GET, HEAD, POST, PUT"), ("/tail/x", "GET, HEAD"), ("/__health", "GET, HEAD")] {
        for method in ["DELETE", "OPTIONS"] {
            let other = client::send(gateway.address, client::request(method, path, &[], b""));
            assert_eq!((other.status, other.header("allow")), (405, Some(allow)), "{method} {path}");
            assert_eq!(other.text(), "405 method not allowed");
            assert_eq!(other.header("content-type"), Some("text/plain"));
            assert_eq!(other.header("x-krakend-completed"), Some("false"));
        }
    }
}

#[test]
fn values_that_are_encoded_twice_are_400_1_4() {
    let upstream = Upstream::echo();
    let endpoints = [endpoint("/p/{id}", &upstream.url(), "/p/{id}"), endpoint("/tail/*", &upstream.url(), "/t/*")];
    let gateway = Running::with(&endpoints);
    for asked in ["/p/a%252Fb", "/p/a%3Fx", "/p/a%3fx", "/p/a%23x", "/p/100%25"] {
        let answer = gateway.get(asked);
        assert_eq!((answer.status, answer.text().as_str()), (400, "error: encoded url params"), "{asked}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    assert!(upstream.requests().is_empty());
    // A client has its answer a moment before it is counted.
    poll::eventually(PATIENCE, "all are counted", || {
        gateway.metric(r#"porteur_failures_total{failure="bad_request"}"#) == 5.0
    });
    // What a wildcard matches is no value: it goes on byte for byte.
    for (asked, received) in [("/p/a%2Fb", "/p/a%2Fb"), ("/p/a%20b", "/p/a%20b"), ("/tail/a%3Fb", "/t/a%3Fb")] {
        assert_eq!(gateway.get(asked).status, 200, "{asked}");
        assert_eq!(target_of(&upstream), received);
    }
    let decoding_off = Running::start(json!({
        "extra_config": { "router": { "disable_path_decoding": true } }, "endpoints": endpoints
    }));
    for asked in ["/p/a%252Fb", "/p/a%3Fx", "/p/100%25"] {
        assert_eq!(decoding_off.get(asked).status, 200, "{asked}");
        assert_eq!(target_of(&upstream), asked);
    }
    assert_eq!(decoding_off.get("/p/%252e%252e").status, 400);
}

#[test]
fn the_echo_has_kraken_ds_members_1_4() {
    let gateway = Running::start(json!({ "echo_endpoint": true, "endpoints": [] }));
    let headers = [("Host", "echo.test"), ("X-tWo-words", "1"), ("x-two-words", "2")];
    let echo =
        client::send(gateway.address, client::request("PUT", "/__echo/a%20b?z=1&a=x%20y&z=2", &headers, b"hi")).json();
    assert_eq!(
        echo,
        json!({
            "req_uri": "/__echo/a%20b?z=1&a=x%20y&z=2",
            "req_uri_details": {
                "user": "", "host": "echo.test", "path": "/__echo/a b", "query": "a=x+y&z=1&z=2",
                "fragment": "",
            },
            "req_method": "PUT",
            "req_querystring": { "z": ["1", "2"], "a": ["x y"] },
            "req_body": "hi",
            "req_headers": { "X-Two-Words": ["1", "2"], "Content-Length": ["2"] },
        })
    );
}

#[test]
fn a_path_without_its_slash_is_redirected_by_method_1_4() {
    let gateway = Running::start(json!({ "echo_endpoint": true, "debug_endpoint": true, "endpoints": [] }));
    let posted = client::post(gateway.address, "/__echo", "x");
    assert_eq!((posted.status, posted.header("location")), (307, Some("/__echo/")));
    let debug = gateway.get("/__debug");
    assert_eq!((debug.status, debug.header("location")), (301, Some("/__debug/")));
    for method in ["GET", "DELETE", "OPTIONS"] {
        let pong = client::send(gateway.address, client::request(method, "/__debug/x", &[], b""));
        assert_eq!((pong.status, pong.json()), (200, json!({"message": "pong"})), "{method}");
    }
}

#[test]
fn options_are_answered_with_the_methods_of_the_path_when_auto_options_says_so() {
    let upstream = Upstream::echo();
    let mut post = endpoint("/items/{id}", &upstream.url(), "/");
    post["method"] = json!(["PUT", "DELETE"]);
    let mut own = endpoint("/own", &upstream.url(), "/own");
    own["method"] = json!(["GET", "OPTIONS"]);
    let endpoints =
        [endpoint("/items/{id}", &upstream.url(), "/"), post, own, endpoint("/tail/*", &upstream.url(), "/*")];
    let gateway =
        Running::start(json!({ "extra_config": { "router": { "auto_options": true } }, "endpoints": endpoints }));
    let options = |path: &str| client::send(gateway.address, client::request("OPTIONS", path, &[], b""));
    for (path, allow) in [("/items/1", "DELETE, GET, PUT"), ("/tail/", "GET"), ("/tail/a/b", "GET")] {
        let answer = options(path);
        assert_eq!((answer.status, answer.header("allow"), answer.body.len()), (200, Some(allow), 0), "{path}");
        assert_eq!(answer.header("content-length"), Some("0"));
    }
    assert!(upstream.requests().is_empty());
    assert_eq!(options("/nowhere").status, 404);
    assert_eq!((options("/ITEMS/1").status, options("/ITEMS/1").header("location")), (307, Some("/items/1")));
    assert_eq!(options("/own").status, 200);
    assert_eq!(upstream.only_request().method, "OPTIONS");
    let other = client::post(gateway.address, "/items/1", "x");
    assert_eq!((other.status, other.header("allow")), (405, Some("GET, HEAD, PUT, DELETE, OPTIONS")));
}

#[test]
fn error_bodies_replace_the_routers_texts() {
    let upstream = Upstream::echo();
    let gateway = Running::start(json!({
        "extra_config": { "router": { "error_body": { "404": { "error": "no such <page>" }, "405": ["no"] } } },
        "endpoints": [endpoint("/a", &upstream.url(), "/a")],
    }));
    let unknown = gateway.get("/nowhere");
    assert_eq!((unknown.status, unknown.text().as_str()), (404, r#"{"error":"no such \u003cpage\u003e"}"#));
    assert_eq!(unknown.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(unknown.header("x-krakend-completed"), Some("false"));
    let other = client::post(gateway.address, "/a", "");
    assert_eq!((other.status, other.text().as_str(), other.header("allow")), (405, r#"["no"]"#, Some("GET, HEAD")));
    assert_eq!(other.header("x-krakend-completed"), Some("false"));
}

#[test]
fn extra_slashes_are_removed_before_matching_when_asked_for() {
    let upstream = Upstream::echo();
    let gateway = Running::start(json!({
        "extra_config": { "router": { "remove_extra_slash": true } },
        "endpoints": [endpoint("/items/{id}", &upstream.url(), "/v1/{id}"), endpoint("/tail/*", &upstream.url(), "/t/*")],
    }));
    for (asked, received) in [
        ("//items///42", "/v1/42"),
        ("/x/../items/42", "/v1/42"),
        ("/tail//a//b/./c", "/t/a/b/c"),
        ("/items/42", "/v1/42"),
        ("/tail/../tail/a", "/t/a"),
    ] {
        assert_eq!(gateway.get(asked).status, 200, "{asked}");
        assert_eq!(target_of(&upstream), received, "{asked}");
    }
    let before = upstream.requests().len();
    for (asked, status) in [("//tail/..;/x", 400), ("/tail//%2e%2e/x", 400), ("/tail/../../secret", 404)] {
        assert_eq!(gateway.get(asked).status, status, "{asked}");
    }
    assert_eq!(upstream.requests().len(), before);
}

#[test]
fn skipped_paths_are_not_in_the_access_log() {
    let upstream = Upstream::echo();
    let gateway = Running::start(json!({
        "extra_config": { "router": { "logger_skip_paths": ["/quiet", "/__health"] } },
        "endpoints": [endpoint("/quiet", &upstream.url(), "/"), endpoint("/quiet/too", &upstream.url(), "/")],
    }));
    for asked in ["/quiet", "/__health", "/quiet?a=1", "/quiet/too"] {
        assert_eq!(gateway.get(asked).status, 200, "{asked}");
    }
    let log = gateway.access_log(1);
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("path=/quiet/too "), "{log}");
}

#[test]
fn a_placeholder_inside_a_segment_is_filled_in_with_disable_rest() {
    let upstream = Upstream::echo();
    let gateway = Running::start(json!({
        "disable_rest": true,
        "endpoints": [
            endpoint("/img/{name}.png", &upstream.url(), "/pictures/{name}?of={name}"),
            endpoint("/v{version}/x", &upstream.url(), "/x?v={version}"),
        ],
    }));
    for (asked, received) in [("/img/a.b.png", "/pictures/a.b?of=a.b"), ("/v1.2/x", "/x?v=1.2")] {
        assert_eq!(gateway.get(asked).status, 200, "{asked}");
        assert_eq!(target_of(&upstream), received);
    }
    assert_eq!(gateway.get("/img/a.jpg").status, 404);
}
