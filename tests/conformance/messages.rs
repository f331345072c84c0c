//! What becomes of a client's request on its way to the upstream, and of its connection, by RFC 9110 and 9112. Each by both
//! carriers. How requests are framed is in `request_framing.rs`, what becomes of answers in `answers.rs`.

use crate::support::carriers::{BOTH, start, started};
use crate::support::client::{Connection, Response, request, send};
use crate::support::poll::{self, PATIENCE};
use crate::support::reply::Reply;
use crate::support::tool;
use crate::support::upstream::Upstream;
use serde_json::json;

fn get(path: &str) -> Vec<u8> {
    request("GET", path, &[], b"")
}

#[track_caller]
fn status(response: &Response, expected: u16, case: &str) {
    assert_eq!(response.status, expected, "{case}: {:?}", String::from_utf8_lossy(&response.head));
}

#[test]
fn rfc9110_7_6_1_hop_by_hop_fields_stay_on_their_hop() {
    let upstream = Upstream::echo();
    let gateway = start(&upstream);
    let fields = [
        ("Connection", "keep-alive, X-Hop, , te"),
        ("Connection", "x-other, Content-Length"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("Proxy-Authorization", "Basic eDp5"),
        ("Proxy-Authenticate", "Basic"),
        ("TE", "trailers"),
        ("Trailer", "X-T"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
        ("X-Hop", "1"),
        ("X-Other", "1"),
        ("X-End", "2"),
    ];
    for path in BOTH {
        status(&send(gateway.address, request("POST", path, &fields, b"hello")), 200, path);
        let seen = upstream.requests().pop().unwrap();
        for (gone, _) in fields.iter().filter(|(name, _)| !matches!(*name, "X-End" | "Connection")) {
            assert!(!seen.headers.has(gone), "{path}: {gone}");
        }
        assert!(seen.headers.all("connection").iter().all(|value| *value == "keep-alive"), "{path}: {seen:?}");
        assert_eq!((seen.header("x-end"), seen.text().as_str()), (Some("2"), "hello"), "{path}");
    }
}

#[test]
fn rfc9110_7_6_1_what_connection_may_not_name_is_400() {
    let upstream = Upstream::echo();
    let gateway = start(&upstream);
    for named in [
        "Host",
        "x-forwarded-for",
        "X-Forwarded-Host",
        "x-forwarded-proto",
        "a b",
        "@",
        "\"x\"",
        ":path",
        "a,b,c,d,e,f,g,h,i,j",
    ] {
        for path in BOTH {
            status(&send(gateway.address, request("GET", path, &[("Connection", named)], b"")), 400, named);
        }
    }
    assert_eq!(upstream.heads(), 0);
}

#[test]
fn rfc9110_7_6_3_we_are_the_last_in_via() {
    let upstream = Upstream::echo();
    let gateway = start(&upstream);
    for path in BOTH {
        send(gateway.address, request("GET", path, &[("Via", "1.0 a, 1.1 b")], b""));
        assert_eq!(upstream.requests().pop().unwrap().headers.all("via"), ["1.0 a, 1.1 b", "1.1 porteur"]);
        send(gateway.address, format!("GET {path} HTTP/1.0\r\n\r\n"));
        assert_eq!(upstream.requests().pop().unwrap().headers.all("via"), ["1.0 porteur"]);
    }
}

#[test]
fn rfc9110_7_6_2_an_options_request_counts_its_hops() {
    let upstream = Upstream::echo();
    let gateway = start(&upstream);
    let options =
        |path: &str, left: &str| send(gateway.address, request("OPTIONS", path, &[("Max-Forwards", left)], b""));
    for path in BOTH {
        status(&options(path, "3"), 200, path);
        assert_eq!(upstream.requests().pop().unwrap().headers.all("max-forwards"), ["2"], "{path}");
        let before = upstream.heads();
        let last = options(path, "0");
        status(&last, 200, path);
        assert!(last.header("allow").is_some_and(|methods| methods.contains("GET")), "{last:?}");
        assert_eq!(upstream.heads(), before, "{path}");
        send(gateway.address, request("GET", path, &[("Max-Forwards", "0")], b""));
        assert_eq!(upstream.requests().pop().unwrap().headers.all("max-forwards"), ["0"], "other methods do not count");
    }
    status(&options("/nowhere", "0"), 404, "nowhere");
}

#[test]
fn rfc9110_9_3_8_trace_is_refused() {
    let upstream = Upstream::echo();
    let gateway = start(&upstream);
    for path in BOTH {
        let refused = send(gateway.address, request("TRACE", path, &[("Cookie", "secret")], b""));
        status(&refused, 405, path);
        let allow = refused.header("allow").unwrap_or_default();
        assert!(allow.contains("GET") && !allow.contains("TRACE"), "{allow}");
        assert!(!refused.text().contains("secret"));
    }
    status(&send(gateway.address, request("TRACE", "/nowhere", &[], b"")), 404, "nowhere");
    assert_eq!(upstream.heads(), 0);
}

#[test]
fn rfc9110_10_1_1_an_unknown_expectation_is_417() {
    let upstream = Upstream::echo();
    let gateway = start(&upstream);
    for path in BOTH {
        for expectation in ["200-ok", "100-continue, x", "100-continue;a=b", ""] {
            let refused = send(gateway.address, request("POST", path, &[("Expect", expectation)], b"hello"));
            status(&refused, 417, expectation);
            assert!(refused.interim.is_empty());
        }
    }
    assert_eq!(upstream.heads(), 0);
}

#[test]
fn rfc9110_10_1_1_a_client_that_waits_is_told_to_go_on() {
    let upstream = Upstream::echo();
    let gateway = start(&upstream);
    for path in BOTH {
        let mut client = Connection::open(gateway.address);
        let head = request("POST", path, &[("Expect", "100-Continue"), ("Content-Length", "5")], b"");
        client.write(head);
        // The first line that comes is the interim answer; only then does the body go.
        assert_eq!(client.read(25), b"HTTP/1.1 100 Continue\r\n\r\n", "{path}");
        client.write("hello");
        let answer = client.response();
        status(&answer, 200, path);
        assert_eq!(answer.json()["body"], "hello", "{path}");
    }
}

#[test]
fn rfc9110_10_1_1_http_1_0_expects_nothing() {
    let upstream = Upstream::echo();
    let gateway = start(&upstream);
    for path in BOTH {
        let asked = format!("POST {path} HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
        let answer = send(gateway.address, asked);
        status(&answer, 200, path);
        assert!(answer.interim.is_empty(), "{path}");
        assert!(!upstream.requests().pop().unwrap().headers.has("expect"), "{path}");
    }
}

#[test]
fn rfc9113_8_2_3_cookies_are_one_field() {
    let upstream = Upstream::echo();
    let gateway = start(&upstream);
    for path in BOTH {
        send(gateway.address, request("GET", path, &[("Cookie", "a=1; b=2"), ("X", "y"), ("Cookie", "c=3")], b""));
        assert_eq!(upstream.requests().pop().unwrap().headers.all("cookie"), ["a=1; b=2; c=3"], "{path}");
    }
}

#[test]
fn rfc9113_8_2_3_cookies_in_fields_of_their_own_are_one_field() {
    let upstream = Upstream::echo();
    let gateway = start(&upstream);
    for path in BOTH {
        let url = format!("http://{}{path}", gateway.further[0]);
        let said = tool::run("nghttp", ["-H", "cookie: a=1", "-H", "cookie: b=2", "-H", "cookie: c=3", &url], b"");
        assert!(said.ok, "{said:?}");
        assert_eq!(upstream.requests().pop().unwrap().headers.all("cookie"), ["a=1; b=2; c=3"], "{path}");
    }
}

#[test]
fn rfc9112_7_1_2_trailers_of_a_request_are_left_out_cleanly() {
    let upstream = Upstream::echo();
    let gateway = start(&upstream);
    for path in BOTH {
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n");
        let mut client = Connection::open(gateway.address);
        let answer = client.request(head + "5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n");
        assert_eq!(answer.json()["body"], "hello", "{path}");
        let seen = upstream.requests().pop().unwrap();
        assert!(seen.trailers.0.is_empty() && !seen.headers.has("trailer") && !seen.headers.has("x-t"), "{seen:?}");
        status(&client.request(get(path)), 200, path);
    }
}

#[test]
fn rfc9112_9_3_2_pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::start(|request| Reply::text(format!("{} {}", request.target, request.text())));
    let gateway = start(&upstream);
    let mut client = Connection::open(gateway.address);
    let post = |path: &str, body: &str| request("POST", path, &[], body.as_bytes());
    let all = [post("/stream", "1"), post("/held", "2"), get("/nowhere"), post("/stream", "4"), get("/held")].concat();
    client.write(all);
    let answers: Vec<_> = (0..5).map(|_| client.response()).collect();
    let texts: Vec<_> = answers.iter().map(Response::text).collect();
    assert_eq!(answers[2].status, 404);
    assert_eq!([&texts[0], &texts[1], &texts[3], &texts[4]], ["/stream 1", "/held 2", "/stream 4", "/held "]);
}

#[test]
fn rfc9112_9_3_a_connection_stays_after_answers_of_our_own() {
    let upstream = Upstream::echo();
    let gateway = start(&upstream);
    let mut client = Connection::open(gateway.address);
    for (asked, expected) in [
        (get("/nowhere"), 404),
        (request("TRACE", "/stream", &[], b""), 405),
        (get("/stream/%00"), 400),
        (get("/__health"), 200),
        (request("GET", "/stream", &[("Expect", "x")], b""), 417),
        (get("/stream"), 200),
        (get("/held"), 200),
    ] {
        let answer = client.request(&asked);
        status(&answer, expected, &String::from_utf8_lossy(&asked));
        assert_eq!(answer.header("connection"), Some("keep-alive"), "{expected}");
    }
}

#[test]
fn rfc9110_6_6_1_answers_of_our_own_have_a_date() {
    let upstream = Upstream::echo();
    let gateway = started(&upstream, &json!({ "max_payload": 5 }), &json!({}));
    for (asked, expected) in [
        (get("/__health"), 200),
        (request("OPTIONS", "*", &[], b""), 200),
        (get("/stream/"), 301),
        (get("/stream/%00"), 400),
        (b"GET /x HTTP/1.1\r\n\r\n".to_vec(), 400),
        (b"GET /x HTTP/1.1\r\nHost : a\r\n\r\n".to_vec(), 400),
        (get("/nowhere"), 404),
        (request("TRACE", "/stream", &[], b""), 405),
        (request("POST", "/stream", &[], b"123456"), 413),
        (request("GET", "/held", &[("Expect", "x")], b""), 417),
    ] {
        let answer = send(gateway.address, &asked);
        status(&answer, expected, &String::from_utf8_lossy(&asked));
        let dates = answer.headers.all("date");
        assert!(dates.len() == 1 && httpdate::parse_http_date(dates[0]).is_ok(), "{expected}: {dates:?}");
    }
}

#[test]
fn rfc9112_9_6_close_is_respected() {
    let upstream = Upstream::echo();
    let gateway = start(&upstream);
    for path in ["/stream", "/held", "/nowhere", "/__health"] {
        for close in ["close", "Close", "x-a, close", "x-a\r\nConnection: close"] {
            let mut client = Connection::open(gateway.address);
            // What comes after it is not answered.
            let asked = request("GET", path, &[("Connection", close)], b"");
            let answer = client.request([asked, get("/stream")].concat());
            assert_eq!(answer.header("connection"), Some("close"), "{path} {close}");
            client.expect_closed();
        }
    }
}

#[test]
fn rfc9110_15_5_14_a_declared_body_over_the_limit_is_413_before_anything_is_sent() {
    let upstream = Upstream::echo();
    let gateway = started(&upstream, &json!({ "max_payload": 5 }), &json!({}));
    for path in BOTH {
        let mut client = Connection::open(gateway.address);
        // Not a byte of it need come.
        client.write(request("POST", path, &[("Content-Length", "6"), ("Expect", "100-continue")], b""));
        let refused = client.response();
        status(&refused, 413, path);
        assert!(refused.interim.is_empty() && refused.header("connection") == Some("close"), "{refused:?}");
        client.expect_closed();
    }
    assert_eq!(upstream.heads(), 0);
    for path in BOTH {
        status(&send(gateway.address, request("POST", path, &[], b"12345")), 200, path);
    }
    poll::eventually(PATIENCE, "both are counted", || {
        gateway.metric(r#"porteur_failures_total{failure="too_large"}"#) == 2.0
    });
}

#[test]
fn rfc9110_15_5_14_a_body_that_turns_out_to_be_over_the_limit_is_413() {
    let upstream = Upstream::echo();
    let gateway = started(&upstream, &json!({ "max_payload": 5 }), &json!({}));
    let chunked =
        |path: &str, body: &str| format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    for path in BOTH {
        let refused = send(gateway.address, chunked(path, "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"));
        status(&refused, 413, path);
        assert_eq!(refused.header("connection"), Some("close"), "{path}");
        status(&send(gateway.address, chunked(path, "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")), 200, path);
    }
    assert!(upstream.requests().iter().all(|request| request.body == b"abcde"), "no upstream has got more");
}

#[test]
fn rfc9110_15_5_14_an_endpoint_may_take_less_than_the_service() {
    let upstream = Upstream::echo();
    let own = json!({ "extra_config": { "proxy": { "max_payload": 5 } } });
    let chunked = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"
        )
    };
    for service in [json!({}), json!({ "max_payload": 0 }), json!({ "max_payload": 100 })] {
        let gateway = started(&upstream, &service, &own);
        for path in BOTH {
            let refused = send(gateway.address, request("POST", path, &[], b"123456"));
            status(&refused, 413, path);
            assert_eq!(refused.header("connection"), Some("close"), "{path}");
            status(&send(gateway.address, chunked(path)), 413, path);
            status(&send(gateway.address, request("POST", path, &[], b"12345")), 200, path);
        }
    }
    assert!(upstream.requests().iter().all(|request| request.body == b"12345"), "no upstream has got more");
}

#[test]
fn rfc9110_15_5_14_no_endpoint_takes_more_than_the_service() {
    let upstream = Upstream::echo();
    let own = json!({ "extra_config": { "proxy": { "max_payload": 10 } } });
    let gateway = started(&upstream, &json!({ "max_payload": 5 }), &own);
    for path in BOTH {
        status(&send(gateway.address, request("POST", path, &[], b"123456")), 413, path);
        status(&send(gateway.address, request("POST", path, &[], b"12345")), 200, path);
    }
}

#[test]
fn rfc9110_15_5_14_a_body_of_http_2_is_counted_too() {
    let upstream = Upstream::echo();
    let gateway = started(&upstream, &json!({ "max_payload": 5 }), &json!({}));
    for path in BOTH {
        let url = format!("http://{}{path}", gateway.further[0]);
        for (body, status) in [("abcdef", ":status: 413"), ("abcde", ":status: 200")] {
            let said = tool::run("nghttp", ["-v", "--no-content-length", "-d", "-", &url], body.as_bytes());
            assert!(said.out.contains(status), "{path} {body}: {said:?}");
        }
    }
    assert!(upstream.requests().iter().all(|request| request.body == b"abcde"), "no upstream has got more");
}

#[test]
fn rfc9110_15_5_14_without_a_limit_what_streams_may_be_long_and_what_is_held_may_not() {
    let upstream = Upstream::start(|request| Reply::text(request.body.len().to_string()));
    let gateway = started(&upstream, &json!({ "max_payload": 0 }), &json!({}));
    let long = vec![b'a'; 10 * 1024 * 1024 + 1];
    assert_eq!(send(gateway.address, request("POST", "/stream", &[], &long)).text(), long.len().to_string());
    status(&send(gateway.address, request("POST", "/held", &[], &long)), 413, "/held");
    let usual = start(&upstream);
    for path in BOTH {
        status(&send(usual.address, request("POST", path, &[], &long)), 413, path);
    }
}

#[test]
fn rfc9110_15_5_9_a_client_that_stalls_its_upload_is_told_so() {
    let upstream = Upstream::echo();
    let gateway = started(&upstream, &json!({}), &json!({ "timeout": "400ms" }));
    for framing in ["Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"] {
        let mut client = Connection::open(gateway.address);
        client.write(format!("POST /stream HTTP/1.1\r\nHost: a\r\n{framing}"));
        let refused = client.response();
        status(&refused, 408, framing);
        assert_eq!(refused.header("connection"), Some("close"), "{framing}");
    }
    let hanging = Upstream::start(|_| Reply::hang());
    let gateway = started(&hanging, &json!({}), &json!({ "timeout": "400ms" }));
    status(
        &send(gateway.address, request("POST", "/stream", &[], b"hello")),
        504,
        "the upstream is the one that is late",
    );
}
