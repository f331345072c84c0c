//! Redirects of backends that are decoded: KrakenD follows them, and so do we, but without taking secrets elsewhere.

use crate::decoded::{answers, backend, decoded, json_reply};
use crate::support::client::{self, request};
use crate::support::gateway::{Running, with};
use crate::support::reply::Reply;
use crate::support::upstream::{Request, Upstream};
use serde_json::json;

fn redirect(status: u16, location: &str) -> Reply {
    Reply::new(status).header("Location", location)
}

/// Redirects everything but `/end`, which tells the method.
fn redirects(status: u16, location: &'static str) -> Upstream {
    Upstream::start(move |request| match request.target.as_str() {
        "/end" => json_reply(json!({ "method": request.method, "body": request.text() }).to_string()),
        _ => redirect(status, location),
    })
}

fn methods(requests: &[Request]) -> Vec<String> {
    requests.iter().map(|request| format!("{} {}", request.method, request.target)).collect()
}

#[test]
fn redirects_are_followed_1_5() {
    for status in [301, 302, 303, 307, 308] {
        let upstream = redirects(status, "/end");
        let gateway = Running::with(&[decoded("/x", &[backend(&upstream, "/start")])]);
        let answer = gateway.get("/x");
        assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"body":"","method":"GET"}"#), "{status}");
        assert_eq!(answer.header("x-krakend-completed"), Some("true"));
        assert_eq!(methods(&upstream.requests()), ["GET /start", "GET /end"], "{status}");
    }
}

#[test]
fn a_post_becomes_a_get_where_the_status_says_so_1_5() {
    for (status, expected) in [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")] {
        let upstream = redirects(status, "/end");
        let endpoint = with(decoded("/x", &[backend(&upstream, "/start")]), &json!({ "method": "POST" }));
        let gateway = Running::with(&[endpoint]);
        let answer = client::send(gateway.address, request("POST", "/x", &[], b""));
        assert_eq!((answer.status, &answer.json()["method"]), (200, &json!(expected)), "{status}");
        let last = upstream.requests().pop().unwrap();
        assert_eq!(last.header("content-length"), (expected == "POST").then_some("0"), "{status}");
    }
}

#[test]
fn a_body_is_not_sent_to_another_place_1_5() {
    for (status, expected) in [(302, 200), (303, 200), (307, 500), (308, 500)] {
        let upstream = redirects(status, "/end");
        let endpoint = with(decoded("/x", &[backend(&upstream, "/start")]), &json!({ "method": "POST" }));
        let gateway = Running::with(&[endpoint]);
        let answer = client::send(gateway.address, request("POST", "/x", &[("Content-Type", "text/plain")], b"body"));
        assert_eq!(answer.status, expected, "{status}");
        let requests = upstream.requests();
        assert_eq!(requests.len(), if expected == 200 { 2 } else { 1 }, "{status}");
        assert!(requests.iter().skip(1).all(|request| request.body.is_empty() && !request.headers.has("content-type")));
    }
}

#[test]
fn every_form_of_location_leads_where_it_says() {
    let upstream = Upstream::start(|request| match request.target.as_str() {
        "/a/b/relative?q=1" => redirect(302, "../c?d=%20e#fragment"),
        "/a/c?d=%20e" => redirect(302, "?f"),
        "/a/c?f" => redirect(302, &format!("//{}/absolute", request.header("host").unwrap())),
        "/absolute" => redirect(302, &format!("http://{}/end", request.header("host").unwrap())),
        "/end" => json_reply(r#"{"a":1}"#),
        other => panic!("{other}"),
    });
    let gateway = Running::with(&[decoded("/x", &[backend(&upstream, "/a/b/relative?q=1")])]);
    assert_eq!(gateway.get("/x").text(), r#"{"a":1}"#);
}

/// KrakenD tells every host the whole URL, whose query may hold a key; here another host learns the origin alone, as browsers
/// do it.
#[test]
fn a_redirected_request_says_where_it_comes_from_1_5() {
    let elsewhere = answers("{}");
    let to = format!("{}/there", elsewhere.url());
    let upstream = Upstream::start(move |request| match request.target.as_str() {
        "/start?key=1" => redirect(302, "/still"),
        _ => redirect(302, &to),
    });
    let mut endpoint = decoded("/x", &[backend(&upstream, "/start?key=1")]);
    endpoint["input_headers"] = json!(["Referer"]);
    let gateway = Running::with(&[endpoint]);
    assert_eq!(gateway.get("/x").status, 200);
    let requests = upstream.requests();
    assert_eq!(requests[0].header("referer"), None);
    assert_eq!(requests[1].header("referer"), Some(format!("{}/start?key=1", upstream.url()).as_str()));
    assert_eq!(elsewhere.requests()[0].header("referer"), Some(format!("{}/", upstream.url()).as_str()));
    let own = [("Referer", "http://page.test/")];
    assert_eq!(client::send(gateway.address, request("GET", "/x", &own, b"")).status, 200);
    assert_eq!(elsewhere.requests()[1].headers.all("referer"), ["http://page.test/"], "the client's own stays");
}

#[test]
fn ten_redirects_are_followed_and_eleven_are_too_many_1_5() {
    let upstream = Upstream::start(|request| match request.target.trim_start_matches('/').parse::<u8>().unwrap() {
        0 => json_reply(r#"{"a":1}"#),
        left => redirect(302, &format!("/{}", left - 1)),
    });
    let gateway =
        Running::with(&[decoded("/ten", &[backend(&upstream, "/10")]), decoded("/more", &[backend(&upstream, "/11")])]);
    assert_eq!(gateway.get("/ten").status, 200);
    assert_eq!(upstream.requests().len(), 11);
    let answer = gateway.get("/more");
    assert_eq!((answer.status, answer.header("x-krakend-completed")), (500, Some("false")));
    assert_eq!(upstream.requests().len(), 22);
    assert!(gateway.access_log(2).contains("failure=upstream_status"));
}

#[test]
fn a_kept_connection_that_closes_under_a_redirected_request_is_replaced() {
    let upstream = Upstream::start(|request| match (request.target.as_str(), request.connection) {
        ("/start", _) => redirect(302, "/end"),
        (_, 0) => Reply::close(),
        _ => json_reply(r#"{"a":1}"#),
    });
    let gateway = Running::with(&[decoded("/x", &[backend(&upstream, "/start")])]);
    let answer = gateway.get("/x");
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"a":1}"#));
}

#[test]
fn a_redirect_that_leads_nowhere_is_an_error() {
    for location in ["ftp://127.0.0.1/", "http://", "file:///etc/passwd", "http://[::1", "javascript:alert(1)"] {
        let upstream = Upstream::start(move |_| redirect(302, location));
        let gateway = Running::with(&[decoded("/x", &[backend(&upstream, "/")])]);
        let answer = gateway.get("/x");
        assert_eq!((answer.status, answer.text().as_str()), (500, ""), "{location}");
        assert_eq!(upstream.requests().len(), 1, "{location}");
    }
    let without = Upstream::start(|_| Reply::new(302));
    assert_eq!(Running::with(&[decoded("/x", &[backend(&without, "/")])]).get("/x").status, 500);
}

#[test]
fn what_the_client_may_send_stays_with_the_host_it_was_sent_to() {
    let elsewhere = answers(r#"{"a":1}"#);
    let to = format!("{}/there", elsewhere.url());
    let upstream = Upstream::start(move |request| match request.target.as_str() {
        "/start" => redirect(302, "/still"),
        _ => redirect(302, &to),
    });
    let endpoint = with(decoded("/x", &[backend(&upstream, "/start")]), &json!({ "input_headers": ["*"] }));
    let gateway = Running::with(&[endpoint]);
    let sent = [("Authorization", "Basic bWU6c2VjcmV0"), ("Cookie", "session=1"), ("X-Wanted", "yes")];
    assert_eq!(client::send(gateway.address, request("GET", "/x", &sent, b"")).status, 200);
    for request in upstream.requests() {
        assert_eq!(request.header("authorization"), Some("Basic bWU6c2VjcmV0"), "{}", request.target);
        assert_eq!(request.header("cookie"), Some("session=1"), "{}", request.target);
    }
    let received = elsewhere.only_request();
    assert_eq!((received.header("authorization"), received.header("cookie")), (None, None));
    assert_eq!(received.header("x-wanted"), None, "any header may be a key");
    assert_eq!(received.header("host"), Some(elsewhere.addr().to_string().as_str()));
}
