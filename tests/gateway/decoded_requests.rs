//! What the backends of a decoded endpoint are asked: target, method, headers, body.

use crate::decoded::{answers, backend, decoded, json_reply};
use crate::support::client::{self, Connection, request};
use crate::support::gateway::{Running, with};
use crate::support::reply::Reply;
use crate::support::upstream::{Request, Upstream};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write;

pub fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// Sends a request to an endpoint with these keys and a backend of this pattern; what the upstream saw.
#[track_caller]
fn seen(keys: Value, url_pattern: &str, sent: impl AsRef<[u8]>) -> Request {
    let upstream = answers("{}");
    let endpoint = with(decoded("/x/{id}", &[backend(&upstream, url_pattern)]), &keys);
    let answer = client::send(Running::with(&[endpoint]).address, sent);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(upstream.violations(), [""; 0]);
    upstream.only_request()
}

fn names(request: &Request) -> Vec<String> {
    let mut names: Vec<String> = request.headers.0.iter().map(|(name, _)| name.to_lowercase()).collect();
    names.sort();
    names
}

#[test]
fn allowed_parameters_follow_the_fixed_query_sorted_by_name_1_3() {
    let keys = json!({ "input_query_strings": ["a", "b"] });
    let target =
        |query: &str| seen(keys.clone(), "/q?fixed=1", request("GET", &format!("/x/1{query}"), &[], b"")).target;
    assert_eq!(target("?b=2&a=1&c=3"), "/q?fixed=1&a=1&b=2");
    assert_eq!(target("?b=2&b=1&a=z"), "/q?fixed=1&a=z&b=2&b=1");
    assert_eq!(target("?c=3"), "/q?fixed=1");
    // KrakenD decodes and encodes again, so that `%20` becomes `+`; here a value goes on as the client wrote it.
    assert_eq!(target("?a=x%20y%26b"), "/q?fixed=1&a=x%20y%26b");
}

#[test]
fn names_of_parameters_are_case_sensitive_and_backends_narrow_them() {
    let keys = json!({ "input_query_strings": ["a", "b"] });
    assert_eq!(seen(keys.clone(), "/q", request("GET", "/x/1?A=1&b=2", &[], b"")).target, "/q?b=2");
    let upstream = answers("{}");
    let narrow = with(backend(&upstream, "/q"), &json!({ "input_query_strings": ["b"] }));
    let gateway = Running::with(&[with(decoded("/x", &[narrow]), &keys)]);
    assert_eq!(gateway.get("/x?a=1&b=2").status, 200);
    assert_eq!(upstream.only_request().target, "/q?b=2");
}

#[test]
fn placeholders_are_filled_in_1_3() {
    let target = |pattern: &str, path: &str| seen(json!({}), pattern, request("GET", path, &[], b"")).target;
    assert_eq!(target("/p/{id}", "/x/a%20b"), "/p/a%20b");
    assert_eq!(target("/p/{id}", "/x/x&evil=1"), "/p/x&evil=1");
    // KrakenD substitutes the decoded value: there a client adds a parameter of its own.
    assert_eq!(target("/p?id={id}", "/x/x&evil=1"), "/p?id=x%26evil%3D1");
    assert_eq!(target("/p?id={id}&n=1", "/x/a%20b"), "/p?id=a%20b&n=1");
}

#[test]
fn only_content_type_goes_on_unless_headers_are_listed_1_5() {
    let sent = [
        ("Content-Type", "text/csv"),
        ("Accept", "text/plain"),
        ("Accept-Encoding", "br"),
        ("Authorization", "Bearer mine"),
        ("Cookie", "a=b"),
        ("User-Agent", "curl"),
        ("X-Forwarded-For", "9.9.9.9"),
        ("X-Other", "1"),
    ];
    let received = seen(json!({}), "/", request("GET", "/x/1", &sent, b""));
    assert_eq!(
        names(&received),
        [
            "accept-encoding",
            "content-type",
            "host",
            "user-agent",
            "via",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto"
        ]
    );
    assert_eq!(received.header("content-type"), Some("text/csv"));
    assert_eq!(received.header("accept-encoding"), Some("gzip"));
    // KrakenD replaces the chain, too, but has gin believe the client's own first.
    assert_eq!(received.headers.all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(received.header("x-forwarded-host"), Some("porteur.test"));
    assert_ne!(received.header("host"), Some("porteur.test"));
    assert!(received.header("user-agent").unwrap().starts_with("porteur/"));
}

#[test]
fn a_star_lets_headers_through_but_not_those_of_the_connection_1_5() {
    let sent = [
        ("Connection", "keep-alive, X-Private"),
        ("X-Private", "1"),
        ("Keep-Alive", "timeout=5"),
        ("TE", "trailers"),
        ("Upgrade", "websocket"),
        ("Proxy-Authorization", "Basic eA=="),
        ("Accept-Encoding", "br, zstd"),
        ("User-Agent", "curl"),
        ("Authorization", "Bearer mine"),
        ("Host", "client.test"),
    ];
    let received = seen(json!({ "input_headers": ["*"] }), "/", request("GET", "/x/1", &sent, b""));
    for gone in ["x-private", "keep-alive", "te", "upgrade", "proxy-authorization"] {
        assert!(!received.headers.has(gone), "{gone}: {:?}", received.headers);
    }
    assert_eq!(received.headers.all("accept-encoding"), ["gzip"], "nothing that could not be decoded");
    assert_eq!(received.header("user-agent"), Some("curl"));
    assert_eq!(received.header("authorization"), Some("Bearer mine"));
    assert_ne!(received.header("host"), Some("client.test"));
}

#[test]
fn a_post_without_a_body_says_so_1_5() {
    let post = seen(json!({ "method": "POST" }), "/", request("POST", "/x/1", &[], b""));
    assert_eq!((post.method.as_str(), post.header("content-length")), ("POST", Some("0")));
    let get = seen(json!({}), "/", request("GET", "/x/1", &[], b""));
    assert_eq!((get.method.as_str(), get.header("content-length")), ("GET", None));
    let upstream = answers("{}");
    let posting = with(backend(&upstream, "/"), &json!({ "method": "POST" }));
    assert_eq!(Running::with(&[decoded("/x", &[posting])]).get("/x").status, 200);
    let turned = upstream.only_request();
    assert_eq!((turned.method.as_str(), turned.header("content-length")), ("POST", Some("0")));
}

#[test]
fn compressed_answers_are_decompressed_1_5() {
    for encoding in ["gzip", "x-gzip", "GZIP"] {
        let upstream = Upstream::start(move |_| {
            json_reply(gzip(r#"{"a": 1.10}"#)).header("Content-Encoding", encoding).header("Vary", "Accept-Encoding")
        });
        let answer = Running::with(&[decoded("/x", &[backend(&upstream, "/")])]).get("/x");
        assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"a":1.10}"#), "{encoding}");
        assert_eq!((answer.header("content-encoding"), answer.header("vary")), (None, None));
    }
}

/// KrakenD sends the body in chunks; that nothing is lost is what matters, and its length is known here.
#[test]
fn each_backend_gets_the_whole_body_with_its_length() {
    let upstreams = [(); 3].map(|()| answers("{}"));
    let backends: Vec<_> = upstreams.iter().map(|upstream| backend(upstream, "/p")).collect();
    let gateway = Running::with(&[with(decoded("/x", &backends), &json!({ "method": "POST" }))]);
    let long = "0123456789abcdef".repeat(20_000);
    let headers = [("Content-Type", "text/plain")];
    assert_eq!(client::send(gateway.address, request("POST", "/x", &headers, long.as_bytes())).status, 200);
    let chunked = b"POST /x HTTP/1.1\r\nHost: porteur.test\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n";
    assert_eq!(client::send(gateway.address, chunked).status, 200);
    for upstream in &upstreams {
        let requests = upstream.requests();
        assert_eq!((requests.len(), upstream.violations().len()), (2, 0));
        assert!(requests[0].text() == long, "the body is another one");
        assert_eq!(requests[0].header("content-length"), Some("320000"));
        assert_eq!(requests[1].text(), "hello world");
        assert_eq!(requests[1].headers.all("content-length"), ["11"]);
        assert!(!requests[1].headers.has("transfer-encoding"));
    }
}

#[test]
fn who_waits_to_be_told_to_send_its_body_is_told() {
    let upstream = answers("{}");
    let gateway = Running::with(&[with(decoded("/x", &[backend(&upstream, "/")]), &json!({ "method": "POST" }))]);
    let mut connection = Connection::open(gateway.address);
    connection.write("POST /x HTTP/1.1\r\nHost: porteur.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(connection.read(25), b"HTTP/1.1 100 Continue\r\n\r\n");
    connection.write("hello");
    assert_eq!(connection.response().status, 200);
    let received = upstream.only_request();
    assert_eq!((received.text().as_str(), received.header("expect")), ("hello", None));
}

#[test]
fn head_is_answered_with_the_head_of_get() {
    let upstream = Upstream::start(|_| json_reply(r#"{"a": 1}"#));
    let gateway = Running::with(&[decoded("/x", &[backend(&upstream, "/"), backend(&upstream, "/two")])]);
    let mut connection = Connection::open(gateway.address);
    let head = connection.request(request("HEAD", "/x", &[], b""));
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some("7"));
    assert_eq!(head.header("x-krakend-completed"), Some("true"));
    assert!(upstream.requests().iter().all(|request| request.method == "GET"), "a body is needed to know its length");
    let get = connection.request(request("GET", "/x", &[], b""));
    assert_eq!(get.text(), r#"{"a":1}"#);
}

#[test]
fn a_client_of_http_1_0_is_answered_and_its_connection_ends() {
    let upstream = answers(r#"{"a":1}"#);
    let gateway = Running::with(&[decoded("/x", &[backend(&upstream, "/")])]);
    let mut connection = Connection::open(gateway.address);
    connection.write("GET /x HTTP/1.0\r\nHost: porteur.test\r\n\r\n");
    let answer = connection.response();
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"a":1}"#));
    assert_eq!(answer.header("content-length"), Some("7"));
    connection.expect_closed();
    let received = upstream.only_request();
    assert_eq!((received.version.as_str(), received.header("via")), ("HTTP/1.1", Some("1.0 porteur")));
}

#[test]
fn interim_answers_of_a_backend_are_not_the_answer() {
    let upstream = Upstream::start(|_| {
        Reply::raw(
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
        )
    });
    let answer = Running::with(&[decoded("/x", &[backend(&upstream, "/")])]).get("/x");
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"a":1}"#));
    assert_eq!(answer.interim, [0; 0]);
}
