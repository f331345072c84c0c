//! Which endpoint answers, and what is answered when none does.

use crate::support::client::{self, Connection};
use crate::support::gateway::{Running, endpoint};
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
    assert_eq!(gateway.metric(r#"porteur_requests_total{endpoint="-",status="404"}"#), 1.0);
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
