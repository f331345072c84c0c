//! What becomes of an upstream's answer on its way to the client, byte by byte, by RFC 9110 and 9112: what passes, what is
//! repaired, and what is 502. Each by both carriers.

use crate::support::carriers::{BOTH, start};
use crate::support::client::{self, Connection, Response, request, send, try_send};
use crate::support::reply::Reply;
use crate::support::tool;
use crate::support::upstream::Upstream;
use std::io;

fn get(path: &str) -> Vec<u8> {
    request("GET", path, &[], b"")
}

/// An upstream that says these bytes and closes.
fn saying(bytes: impl Into<Vec<u8>>) -> Upstream {
    let bytes = bytes.into();
    Upstream::start(move |_| Reply::raw_then_close(&bytes))
}

/// What a client gets of these bytes, by way of each carrier.
fn answers(bytes: impl Into<Vec<u8>>, asked: impl Fn(&str) -> Vec<u8>) -> Vec<io::Result<Response>> {
    let upstream = saying(bytes);
    let gateway = start(&upstream);
    BOTH.iter().map(|path| try_send(gateway.address, asked(path))).collect()
}

/// The same, where there must be an answer.
#[track_caller]
fn passed(bytes: impl Into<Vec<u8>>) -> Vec<Response> {
    answers(bytes, get).into_iter().map(|answer| answer.expect("an answer")).collect()
}

#[track_caller]
fn is_502(head: &str) {
    for (path, answer) in BOTH.iter().zip(answers(head, get)) {
        assert_eq!(answer.unwrap_or_else(|error| panic!("{path} {head:?}: {error}")).status, 502, "{path} {head:?}");
    }
}

#[test]
fn rfc9110_7_6_1_hop_by_hop_fields_stay_on_their_hop() {
    let bytes = "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nConnection: x-other\r\nKeep-Alive: timeout=5\r\n\
        Proxy-Connection: keep-alive\r\nProxy-Authenticate: Basic\r\nTE: trailers\r\nTrailer: X-T\r\nUpgrade: h2c\r\n\
        X-Hop: 1\r\nX-Other: 1\r\nX-End: 2\r\nContent-Length: 2\r\n\r\nok";
    for answer in passed(bytes) {
        for gone in
            ["keep-alive", "proxy-connection", "proxy-authenticate", "te", "trailer", "upgrade", "x-hop", "x-other"]
        {
            assert!(!answer.headers.has(gone), "{gone}");
        }
        assert_eq!(answer.headers.all("connection"), ["keep-alive"]);
        assert_eq!((answer.header("x-end"), answer.text().as_str()), (Some("2"), "ok"));
    }
}

#[test]
fn rfc9110_15_2_2_a_101_that_nobody_asked_for_is_502() {
    let bytes = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello";
    is_502(bytes);
    let asking = |path: &str| {
        let fields = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")];
        request("GET", path, &fields, b"")
    };
    for answer in answers(bytes, asking) {
        assert_eq!(answer.unwrap().status, 502);
    }
}

#[test]
fn rfc9110_15_2_interim_answers_go_to_those_who_know_them() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let bytes = format!("{hints}{hints}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let upstream = saying(bytes);
    let gateway = start(&upstream);
    assert_eq!(send(gateway.address, get("/stream")).interim, [103, 103]);
    for path in BOTH {
        let old = send(gateway.address, format!("GET {path} HTTP/1.0\r\n\r\n"));
        assert_eq!((old.status, old.interim.as_slice(), old.text().as_str()), (200, &[][..], "ok"), "{path}");
    }
}

#[test]
fn rfc9112_7_transfer_codings_other_than_chunked_are_502() {
    for coding in [
        "foo",
        "gzip, chunked",
        "chunked, chunked",
        "chunked, foo",
        "identity",
        "chunked\r\nTransfer-Encoding: chunked",
    ] {
        is_502(&format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n2\r\nok\r\n0\r\n\r\n"));
    }
}

#[test]
fn rfc9112_6_3_answers_without_body_have_none_whatever_the_upstream_sends() {
    for (method, head) in [
        ("GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"),
    ] {
        for path in BOTH {
            let evil = Reply::raw(format!("{head}EVIL!"));
            let upstream = Upstream::sequence([evil, Reply::text("fine"), Reply::text("fine")]);
            let gateway = start(&upstream);
            let mut client = Connection::open(gateway.address);
            let first = client.request(request(method, path, &[], b""));
            assert!(first.body.is_empty(), "{method} {path} {head:?}");
            if first.status == 204 {
                assert_eq!((first.header("content-length"), first.header("transfer-encoding")), (None, None), "{path}");
            }
            assert_eq!(client.request(get(path)).text(), "fine", "{method} {path} {head:?}");
            assert_eq!(client::get(gateway.address, path).text(), "fine", "{method} {path} {head:?}");
        }
    }
}

#[test]
fn rfc9112_6_3_bytes_after_an_answer_are_nobodys() {
    let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL";
    for head in ["Content-Length: 2\r\n\r\nok", "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"] {
        for path in BOTH {
            let first = Reply::raw(format!("HTTP/1.1 200 OK\r\n{head}{evil}"));
            let upstream = Upstream::sequence([first, Reply::text("fine"), Reply::text("fine")]);
            let gateway = start(&upstream);
            let mut client = Connection::open(gateway.address);
            assert_eq!(client.request(get(path)).text(), "ok", "{path} {head:?}");
            assert_eq!(client.request(get(path)).text(), "fine", "{path} {head:?}");
            assert_eq!(client::get(gateway.address, path).text(), "fine", "{path} {head:?}");
        }
    }
}

#[test]
fn rfc9110_8_6_there_is_one_length() {
    for lengths in ["2\r\nContent-Length: 2", "2, 2", "2,2\r\nContent-Length: 2"] {
        for answer in passed(format!("HTTP/1.1 200 OK\r\nContent-Length: {lengths}\r\n\r\nok")) {
            assert!(answer.status == 502 || answer.headers.all("content-length") == ["2"], "{lengths:?}: {answer:?}");
        }
    }
    for lengths in ["2\r\nContent-Length: 3", "2, 3", "+2", "0x2", "-2", "2 2", "2;", "99999999999999999999999"] {
        is_502(&format!("HTTP/1.1 200 OK\r\nContent-Length: {lengths}\r\n\r\nok"));
    }
}

#[test]
fn rfc9112_6_3_chunks_count_for_more_than_a_length() {
    let bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    for answer in passed(bytes) {
        assert!(
            answer.status == 502 || (answer.text() == "ok" && answer.header("content-length").is_none()),
            "{answer:?}"
        );
    }
}

#[test]
fn rfc9112_8_a_truncated_body_does_not_look_whole() {
    for body in [
        "Content-Length: 10\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    ] {
        for (path, answer) in BOTH.iter().zip(answers(format!("HTTP/1.1 200 OK\r\n{body}"), get)) {
            assert!(answer.as_ref().map_or(true, |answer| answer.status == 502), "{path} {body:?}: {answer:?}");
        }
    }
}

#[test]
fn rfc9113_8_1_a_truncated_body_is_a_stream_that_is_reset() {
    for body in ["Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"] {
        let upstream = saying(format!("HTTP/1.1 200 OK\r\n{body}"));
        let gateway = start(&upstream);
        for path in BOTH {
            let said =
                tool::say("curl", &format!("-sS --http2-prior-knowledge http://{}{path}", gateway.further[0]), b"");
            assert!(!said.ok && said.errors.contains("stream"), "{path} {body:?}: {said:?}");
        }
    }
}

#[test]
fn rfc9112_6_3_a_body_that_ends_with_the_connection_is_passed_on() {
    for answer in passed("HTTP/1.0 200 OK\r\n\r\nall of it") {
        assert_eq!((answer.status, answer.text().as_str()), (200, "all of it"));
        assert!(answer.head.starts_with(b"HTTP/1.1 200 "), "{:?}", String::from_utf8_lossy(&answer.head));
    }
}

#[test]
fn rfc9112_2_3_the_version_is_our_own() {
    for answer in passed("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok") {
        assert!(answer.head.starts_with(b"HTTP/1.1 200 "), "{:?}", String::from_utf8_lossy(&answer.head));
        assert_eq!(answer.headers.all("via"), ["1.0 porteur"]);
    }
}

#[test]
fn rfc9112_7_1_2_trailers_are_left_out_cleanly() {
    let bytes = "HTTP/1.1 200 OK\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n";
    let upstream = Upstream::start(move |_| Reply::raw(bytes));
    let gateway = start(&upstream);
    let mut client = Connection::open(gateway.address);
    for path in BOTH {
        let answer = client.request(get(path));
        assert_eq!(
            (answer.text().as_str(), answer.trailers.0.len(), answer.header("trailer")),
            ("ok", 0, None),
            "{path}"
        );
    }
}

#[test]
fn rfc9110_7_6_3_we_are_the_last_in_via() {
    for answer in passed("HTTP/1.1 200 OK\r\nVia: 1.0 cache\r\nContent-Length: 2\r\n\r\nok") {
        assert_eq!(answer.headers.all("via"), ["1.0 cache", "1.1 porteur"]);
    }
}

#[test]
fn rfc9110_7_6_3_via_has_the_version_that_the_answer_came_with() {
    for framing in ["Content-Length: 2\r\n", ""] {
        for answer in passed(format!("HTTP/1.0 200 OK\r\n{framing}\r\nok")) {
            assert_eq!(answer.headers.all("via"), ["1.0 porteur"], "{framing:?}");
            assert!(answer.head.starts_with(b"HTTP/1.1 "), "{framing:?}");
        }
    }
}

#[test]
fn rfc9110_6_6_1_every_answer_has_one_date() {
    let dated = "HTTP/1.1 200 OK\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nContent-Length: 2\r\n\r\nok";
    for bytes in [dated, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"] {
        for answer in passed(bytes) {
            assert_eq!(answer.headers.all("date").len(), 1);
        }
    }
}

#[test]
fn rfc9112_5_fields_that_are_none_do_not_pass() {
    for field in ["X-A: a\rb", "X-A: a\0b", "X A: b", "X-A : b", ": b", "no colon"] {
        for (path, answer) in
            BOTH.iter().zip(answers(format!("HTTP/1.1 200 OK\r\n{field}\r\nContent-Length: 2\r\n\r\nok"), get))
        {
            // Whatever is made of it, it is well formed: the client reads strictly.
            let answer = answer.unwrap_or_else(|error| panic!("{path} {field:?}: {error}"));
            assert!(answer.status == 502 || answer.text() == "ok", "{path} {field:?}: {answer:?}");
        }
    }
    for answer in passed("HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 2\r\n\r\nok") {
        assert!(answer.status == 502 || answer.header("x-a").is_some_and(|value| value.starts_with('a')), "{answer:?}");
    }
}

#[test]
fn rfc9112_4_what_is_no_status_line_is_502() {
    for line in [
        "",
        "hello",
        "HTTP/1.1",
        "HTTP/1.1 abc OK",
        "HTTP/1.1 99 Low",
        "HTTP/1.1 1000 High",
        "HTTP/3.0 200 OK",
        "ICY 200 OK",
    ] {
        is_502(&format!("{line}\r\nContent-Length: 2\r\n\r\nok"));
    }
}

#[test]
fn rfc9112_9_6_close_of_an_upstream_is_not_the_clients() {
    let bytes = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let upstream = saying(bytes);
    let gateway = start(&upstream);
    let mut client = Connection::open(gateway.address);
    for path in [BOTH, BOTH].concat() {
        let answer = client.request(get(path));
        assert_eq!((answer.text().as_str(), answer.header("connection")), ("ok", Some("keep-alive")), "{path}");
    }
    assert_eq!(upstream.connections(), 4);
}

#[test]
fn rfc9112_6_1_clients_of_http_1_0_get_no_chunks() {
    for head in
        ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nok"]
    {
        let old = |path: &str| format!("GET {path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").into_bytes();
        for answer in answers(head, old) {
            let answer = answer.expect("an answer");
            assert_eq!((answer.header("transfer-encoding"), answer.text().as_str()), (None, "ok"));
            assert_eq!(answer.header("connection"), Some("close"));
        }
    }
}

#[test]
fn rfc9112_c_2_2_clients_of_http_1_0_stay_only_if_they_ask() {
    let upstream = Upstream::start(|_| Reply::text("ok"));
    let gateway = start(&upstream);
    for path in BOTH {
        let mut asking = Connection::open(gateway.address);
        for _ in 0..2 {
            let answer = asking.request(format!("GET {path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
            assert_eq!((answer.text().as_str(), answer.header("connection")), ("ok", Some("keep-alive")), "{path}");
        }
        let mut silent = Connection::open(gateway.address);
        let answer = silent.request(format!("GET {path} HTTP/1.0\r\n\r\n"));
        assert_eq!((answer.text().as_str(), answer.header("connection")), ("ok", Some("close")), "{path}");
        silent.expect_closed();
    }
}
