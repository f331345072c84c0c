//! What reaches the upstream and what comes back: headers, queries, bodies, connections, failures.

use crate::support::client::{self, Connection};
use crate::support::gate::Gate;
use crate::support::gateway::{BRIEF, Running, endpoint};
use crate::support::poll::{PATIENCE, eventually};
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};
use std::time::Instant;

fn open(upstream: &Upstream) -> Value {
    let mut open = endpoint("/x", &upstream.url(), "/x");
    open["method"] = json!("*");
    open["input_headers"] = json!(["*"]);
    open["input_query_strings"] = json!(["*"]);
    open
}

#[test]
fn only_listed_headers_go_on_and_porteur_speaks_for_itself() {
    let upstream = Upstream::echo();
    let mut listed = endpoint("/x", &upstream.url(), "/x");
    listed["input_headers"] = json!(["X-Wanted", "accept"]);
    let gateway = Running::with(&[listed]);
    let sent = [
        ("X-Wanted", "1"),
        ("X-Unwanted", "2"),
        ("Accept", "text/plain"),
        ("Content-Type", "text/csv"),
        ("Cookie", "a=b"),
        ("Authorization", "Bearer mine"),
        ("User-Agent", "curl"),
        ("X-Forwarded-For", "9.9.9.9"),
        ("X-Forwarded-Proto", "https"),
    ];
    assert_eq!(client::send(gateway.address, client::request("GET", "/x", &sent, b"")).status, 200);
    let received = upstream.only_request();
    let mut names: Vec<String> = received.headers.0.iter().map(|(name, _)| name.to_lowercase()).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "accept",
            "content-type",
            "host",
            "user-agent",
            "via",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-wanted"
        ]
    );
    assert_eq!(received.header("host"), Some(upstream.addr().to_string().as_str()));
    assert_eq!(received.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(received.header("x-forwarded-host"), Some("porteur.test"));
    assert_eq!(received.header("x-forwarded-proto"), Some("http"));
    assert_eq!(received.header("via"), Some("1.1 porteur"));
    assert!(received.header("user-agent").unwrap().starts_with("porteur/"));
}

#[test]
fn a_star_lets_headers_through_but_not_those_of_the_connection() {
    let upstream = Upstream::echo();
    let gateway = Running::with(&[open(&upstream)]);
    let sent = [
        ("Connection", "close, X-Private"),
        ("X-Private", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Authorization", "Basic eA=="),
        ("Upgrade", "websocket"),
        ("TE", "trailers"),
        ("X-Forwarded-For", "9.9.9.9"),
        ("Via", "1.1 before"),
        ("User-Agent", "curl"),
        ("Authorization", "Bearer mine"),
    ];
    assert_eq!(client::send(gateway.address, client::request("GET", "/x", &sent, b"")).status, 200);
    let received = upstream.only_request().headers;
    for gone in ["x-private", "keep-alive", "proxy-authorization", "upgrade", "te"] {
        assert!(!received.has(gone), "{gone}: {received:?}");
    }
    assert_eq!(received.all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(received.all("via"), ["1.1 before", "1.1 porteur"]);
    assert_eq!(received.get("user-agent"), Some("curl"));
    assert_eq!(received.get("authorization"), Some("Bearer mine"), "there is no credential here");
}

#[test]
fn no_header_of_the_connection_goes_on_whatever_its_company() {
    let upstream = Upstream::echo();
    let gateway = Running::with(&[open(&upstream)]);
    for name in [
        "Keep-Alive",
        "Proxy-Connection",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "TE",
        "Trailer",
        "Upgrade",
        "HTTP2-Settings",
    ] {
        assert_eq!(
            client::send(gateway.address, client::request("GET", "/x", &[(name, "x")], b"")).status,
            200,
            "{name}"
        );
        assert!(!upstream.requests().last().unwrap().headers.has(name), "{name}");
    }
}

#[test]
fn a_client_cannot_say_where_it_comes_from() {
    let upstream = Upstream::echo();
    let gateway = Running::with(&[open(&upstream)]);
    let claims = [
        ("X-Forwarded-For", "9.9.9.9"),
        ("X-Forwarded-Host", "evil.test"),
        ("X-Forwarded-Proto", "https"),
        ("X-Real-IP", "9.9.9.9"),
        ("Forwarded", "for=9.9.9.9"),
    ];
    assert_eq!(client::send(gateway.address, client::request("GET", "/x", &claims, b"")).status, 200);
    let received = upstream.only_request().headers;
    assert_eq!(received.all("x-forwarded-host"), ["porteur.test"]);
    assert_eq!(received.all("x-forwarded-proto"), ["http"]);
    assert!(!received.has("x-real-ip") && !received.has("forwarded"), "{received:?}");
    let hostless = client::send(gateway.address, "GET /x HTTP/1.1\r\nX-Forwarded-Host: evil.test\r\n\r\n");
    assert_eq!(hostless.status, 400, "HTTP/1.1 wants a Host");
    let old = client::send(gateway.address, "GET /x HTTP/1.0\r\nX-Forwarded-Host: evil.test\r\n\r\n");
    assert_eq!(old.status, 200);
    assert!(!upstream.requests().last().unwrap().headers.has("x-forwarded-host"), "HTTP/1.0 may go without");
}

#[test]
fn a_client_of_http_1_0_gets_no_chunks() {
    let (reply, feed) = Reply::stream(200);
    let upstream = Upstream::sequence([reply]);
    let gateway = Running::with(&[open(&upstream)]);
    let mut connection = Connection::open(gateway.address);
    connection.write("GET /x HTTP/1.0\r\nHost: h\r\n\r\n");
    feed.send("one ");
    feed.send("two");
    feed.finish();
    let answer = connection.response();
    assert_eq!((answer.status, answer.text().as_str(), answer.header("transfer-encoding")), (200, "one two", None));
    connection.expect_closed();
}

#[test]
fn a_backend_that_posts_is_not_asked_twice_because_the_client_gets() {
    let upstream = Upstream::sequence([Reply::text("warm"), Reply::close(), Reply::text("twice")]);
    let mut posting = endpoint("/x", &upstream.url(), "/x");
    posting["backend"][0]["method"] = json!("POST");
    let gateway = Running::with(&[posting]);
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(gateway.get("/x").status, 502, "the upstream may have acted on it");
    let methods: Vec<String> = upstream.requests().into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["POST", "POST"]);
}

#[test]
fn an_upstream_that_fails_after_100_continue_is_answered_for() {
    let upstream = Upstream::sequence([Reply::raw_then_close("HTTP/1.1 100 Continue\r\n\r\n")]);
    let gateway = Running::with(&[open(&upstream)]);
    let expecting = client::request("POST", "/x", &[("Expect", "100-continue")], b"hello");
    let answer = client::send(gateway.address, expecting);
    assert_eq!(answer.status, 502);
    assert!(gateway.access_log(1).contains("status=502"), "{}", gateway.access_log(1));
}

#[test]
fn queries_pass_by_their_list() {
    let upstream = Upstream::echo();
    let mut listed = endpoint("/listed", &upstream.url(), "/x?fixed=1");
    listed["input_query_strings"] = json!(["a", "b"]);
    let none = endpoint("/none", &upstream.url(), "/x");
    let mut all = endpoint("/all", &upstream.url(), "/x");
    all["input_query_strings"] = json!(["*"]);
    let gateway = Running::with(&[listed, none, all]);
    for (asked, received) in [
        ("/listed?b=2&a=1&c=3", "/x?fixed=1&a=1&b=2"),
        ("/listed?%61=1", "/x?fixed=1&%61=1"),
        ("/none?a=1", "/x"),
        ("/all?b=%20&a=1&b=+", "/x?b=%20&a=1&b=+"),
        ("/all?", "/x"),
    ] {
        assert_eq!(gateway.get(asked).status, 200, "{asked}");
        assert_eq!(upstream.requests().last().unwrap().target, received, "{asked}");
    }
}

#[test]
fn bodies_pass_with_a_length_and_in_chunks() {
    let upstream = Upstream::echo();
    let gateway = Running::with(&[open(&upstream)]);
    let large = "x".repeat(1 << 20);
    let answer = client::post(gateway.address, "/x", &large);
    assert_eq!(answer.json()["body"].as_str().unwrap().len(), large.len());
    let chunked =
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\n\r\n";
    assert_eq!(client::send(gateway.address, chunked).json()["body"], "abcde");
    let empty = client::send(gateway.address, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(empty.status, 200);
    assert_eq!(upstream.violations(), Vec::<String>::new());
}

#[test]
fn bodies_pass_through_an_allow_list_that_names_no_framing_header() {
    let upstream = Upstream::echo();
    let mut listed = endpoint("/x", &upstream.url(), "/x");
    listed["method"] = json!("POST");
    let gateway = Running::with(&[listed]);
    assert_eq!(client::post(gateway.address, "/x", "hello").json()["body"], "hello");
    let expecting = client::request("POST", "/x", &[("Expect", "100-continue")], b"hello");
    assert_eq!(client::send(gateway.address, expecting).json()["body"], "hello");
}

#[test]
fn both_directions_stream() {
    let (reply, feed) = Reply::stream(200);
    let upstream = Upstream::sequence([reply]);
    let gateway = Running::with(&[open(&upstream)]);
    let mut connection = Connection::open(gateway.address);
    connection.write("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc");
    eventually(PATIENCE, "the first half is at the upstream", || upstream.body_bytes() == 3);
    connection.write("def");
    connection.head();
    feed.send("one");
    assert_eq!(connection.chunk().unwrap(), b"one");
    feed.send("two");
    assert_eq!(connection.chunk().unwrap(), b"two");
    feed.finish();
    assert_eq!(connection.chunk(), None);
}

#[test]
fn answers_come_back_as_they_are_but_for_hop_by_hop_headers() {
    let upstream = Upstream::start(|_| {
        Reply::new(418)
            .header("Set-Cookie", "a=1")
            .header("Set-Cookie", "b=2")
            .header("Server", "teapot")
            .header("X-Hop", "1")
            .header("Keep-Alive", "timeout=5")
            .header("Connection", "keep-alive, X-Hop")
            .header("Location", "https://elsewhere.test/")
            .body("short and stout")
    });
    let gateway = Running::with(&[open(&upstream)]);
    let answer = gateway.get("/x");
    assert_eq!((answer.status, answer.text().as_str()), (418, "short and stout"));
    assert_eq!(answer.headers.all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(answer.header("server"), Some("teapot"));
    assert_eq!(answer.header("location"), Some("https://elsewhere.test/"), "redirects are for the client");
    for gone in ["x-hop", "keep-alive"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
}

#[test]
fn connections_are_kept_on_both_sides() {
    let upstream = Upstream::echo();
    let gateway = Running::with(&[open(&upstream)]);
    let mut connection = Connection::open(gateway.address);
    for _ in 0..5 {
        assert_eq!(connection.request(client::request("GET", "/x", &[], b"")).status, 200);
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::echo();
    let gateway = Running::with(&[open(&upstream)]);
    let mut connection = Connection::open(gateway.address);
    let requests = [
        client::request("GET", "/x", &[("N", "1")], b""),
        client::request("POST", "/x", &[("N", "2")], b"body"),
        client::request("GET", "/nowhere", &[], b""),
        client::request("GET", "/x", &[("N", "3")], b""),
    ];
    connection.write(requests.concat());
    let statuses: Vec<u16> = (0..4).map(|_| connection.response().status).collect();
    assert_eq!(statuses, [200, 200, 404, 200]);
    let order: Vec<String> =
        upstream.requests().iter().map(|request| request.header("n").unwrap().to_owned()).collect();
    assert_eq!(order, ["1", "2", "3"]);
    assert_eq!(upstream.violations(), Vec::<String>::new());
}

#[test]
fn a_stray_line_end_after_a_body_harms_nobody() {
    let upstream = Upstream::start(|_| Reply::text("answer").delayed(std::time::Duration::from_millis(50)));
    let gateway = Running::with(&[open(&upstream)]);
    let mut request = client::request("POST", "/x", &[], b"body");
    request.extend_from_slice(b"\r\n");
    let mut connection = Connection::open(gateway.address);
    assert_eq!(connection.request(request).status, 200);
    assert_eq!(connection.request(client::request("GET", "/x", &[], b"")).status, 200);
}

#[test]
fn connection_close_is_honoured() {
    let upstream = Upstream::echo();
    let gateway = Running::with(&[open(&upstream)]);
    for target in ["/x", "/nowhere"] {
        let mut connection = Connection::open(gateway.address);
        let answer = connection.request(client::request("GET", target, &[("Connection", "close")], b""));
        assert_eq!(answer.header("connection"), Some("close"), "{target}");
        connection.expect_closed();
    }
}

#[test]
fn hosts_take_turns_and_a_dead_one_is_passed_over() {
    let [first, second] = [Upstream::echo(), Upstream::echo()];
    let dead = Gate::closed(first.addr());
    let mut several = endpoint("/x", "", "/x");
    several["method"] = json!("*");
    several["backend"][0]["host"] = json!([first.url(), dead.url(""), second.url()]);
    let gateway = Running::with(&[several]);
    for _ in 0..6 {
        assert_eq!(client::post(gateway.address, "/x", "not idempotent").status, 200);
    }
    assert_eq!(first.requests().len() + second.requests().len(), 6);
    assert!(first.requests().len() >= 2 && second.requests().len() >= 2);
    let log = gateway.access_log(6);
    assert!(log.contains(" attempts=2 "), "{log}");
}

#[test]
fn an_unknown_host_between_a_live_and_a_dead_one_fails_no_request() {
    let live = Upstream::echo();
    let dead = Gate::closed(live.addr());
    let mut several = endpoint("/x", "", "/x");
    several["backend"][0]["host"] = json!([live.url(), "http://nowhere.invalid", dead.url("")]);
    let gateway = Running::with(&[several]);
    for _ in 0..6 {
        assert_eq!(gateway.get("/x").status, 200);
    }
}

#[test]
fn a_closed_connection_to_the_live_host_does_not_send_requests_to_the_dead_one() {
    let live = Upstream::echo();
    let dead = Gate::closed(live.addr());
    let mut several = endpoint("/x", "", "/x");
    several["backend"][0]["host"] = json!([live.url(), dead.url("")]);
    let gateway = Running::with(&[several]);
    for _ in 0..10 {
        assert_eq!(gateway.get("/x").status, 200);
        live.close_connections();
    }
}

#[test]
fn unreachable_hosts_are_502_and_unknown_names_503() {
    let upstream = Upstream::echo();
    let dead = Gate::closed(upstream.addr());
    let gateway =
        Running::with(&[endpoint("/dead", &dead.url(""), "/x"), endpoint("/unknown", "http://nowhere.invalid", "/x")]);
    let answer = gateway.get("/dead");
    assert_eq!((answer.status, answer.text().as_str(), answer.header("server")), (502, "", None));
    let answer = gateway.get("/unknown");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    let log = gateway.access_log(2);
    assert!(log.contains("failure=connect") && log.contains("failure=no_host"), "{log}");
}

#[test]
fn a_silent_upstream_is_504_within_the_timeout() {
    let upstream = Upstream::start(|_| Reply::hang());
    let mut hasty = endpoint("/x", &upstream.url(), "/x");
    hasty["timeout"] = json!("200ms");
    let gateway = Running::start(json!({
        "extra_config": { "router": { "return_error_msg": true } }, "endpoints": [hasty],
    }));
    let began = Instant::now();
    let answer = gateway.get("/x");
    assert_eq!((answer.status, answer.text().as_str()), (504, "upstream timeout"));
    assert!(began.elapsed() < BRIEF);
}

#[test]
fn a_long_download_outlives_the_timeout_while_it_moves() {
    let (reply, feed) = Reply::stream(200);
    let upstream = Upstream::sequence([reply]);
    let mut hasty = endpoint("/x", &upstream.url(), "/x");
    hasty["timeout"] = json!("400ms");
    let gateway = Running::with(&[hasty]);
    let mut connection = Connection::open(gateway.address);
    connection.write(client::request("GET", "/x", &[], b""));
    let began = Instant::now();
    connection.head();
    while began.elapsed().as_millis() < 1000 {
        feed.send("more");
        assert_eq!(connection.chunk().unwrap(), b"more");
    }
    feed.finish();
    assert_eq!(connection.chunk(), None);
}

#[test]
fn garbage_and_cut_off_answers_do_not_pass_for_answers() {
    let upstream = Upstream::sequence([
        Reply::raw_then_close("this is not HTTP\r\n\r\n"),
        Reply::raw_then_close("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"),
    ]);
    let mut post = endpoint("/x", &upstream.url(), "/x");
    post["method"] = json!("POST");
    let gateway = Running::with(&[post]);
    let answer = client::post(gateway.address, "/x", "a");
    assert_eq!((answer.status, answer.header("server")), (502, None));
    assert!(client::try_send(gateway.address, client::request("POST", "/x", &[], b"a")).is_err(), "cut off is cut off");
    let log = gateway.access_log(2);
    assert_eq!(log.matches("failure=upstream_protocol").count(), 2, "{log}");
}

#[test]
fn a_kept_connection_that_the_upstream_closed_costs_nothing() {
    let upstream = Upstream::echo();
    let gateway = Running::with(&[open(&upstream)]);
    assert_eq!(gateway.get("/x").status, 200);
    for _ in 0..10 {
        upstream.close_connections();
        assert_eq!(gateway.get("/x").status, 200);
    }
}

#[test]
fn malformed_requests_are_400_and_go_nowhere() {
    let upstream = Upstream::echo();
    let gateway = Running::with(&[open(&upstream)]);
    for request in [
        "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost : a\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    ] {
        let answer = client::send(gateway.address, request);
        assert_eq!(answer.status, 400, "{request:?}");
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn the_access_log_has_a_line_for_each_request_without_its_query() {
    let upstream = Upstream::echo();
    let gateway = Running::with(&[open(&upstream)]);
    gateway.get("/x?api_key=hunter2");
    gateway.get("/nowhere?api_key=hunter2");
    let log = gateway.access_log(2);
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines[0].contains("method=GET path=/x endpoint=/x status=200"), "{log}");
    assert!(lines[0].contains(&format!("upstream={}", upstream.addr())), "{log}");
    assert!(lines[1].contains("path=/nowhere endpoint=- status=404") && lines[1].contains("failure=no_route"), "{log}");
    assert!(!log.contains("hunter2"));
}

#[test]
fn requests_are_counted_by_endpoint_and_status() {
    let upstream = Upstream::echo();
    let gateway = Running::with(&[open(&upstream)]);
    (0..3).for_each(|_| drop(gateway.get("/x")));
    // The client has its answer a moment before the request is counted.
    let counter = r#"porteur_requests_total{endpoint="/x",status="200"}"#;
    eventually(PATIENCE, counter, || gateway.metric(counter) == 3.0);
    eventually(PATIENCE, "nothing under way", || gateway.metric("porteur_requests_in_flight") == 0.0);
    assert_eq!(gateway.metric(r#"porteur_request_duration_seconds_count{endpoint="/x"}"#), 3.0);
}

#[test]
fn a_drain_finishes_what_is_under_way_and_takes_nothing_new() {
    let (reply, feed) = Reply::stream(200);
    let upstream = Upstream::sequence([reply]);
    let gateway = Running::with(&[open(&upstream)]);
    let mut idle = Connection::open(gateway.address);
    assert_eq!(idle.request(client::request("GET", "/nowhere", &[], b"")).status, 404);
    let mut busy = Connection::open(gateway.address);
    busy.write(client::request("GET", "/x", &[], b""));
    upstream.wait_for_requests(1);
    gateway.stop();
    idle.expect_closed();
    eventually(PATIENCE, "readiness is withdrawn", || gateway.probe("/readyz").status == 503);
    assert!(!gateway.has_ended());
    feed.send("late but whole");
    feed.finish();
    let answer = busy.response();
    assert_eq!((answer.status, answer.text().as_str()), (200, "late but whole"));
    busy.expect_closed();
    eventually(PATIENCE, "the gateway has ended", || gateway.has_ended());
}
