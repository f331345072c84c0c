//! Requests inside of requests: bytes that one server takes for a body and another one for the next request. Whatever is
//! sent, the upstream sees exactly what porteur has understood, or nothing.

use crate::support::client::{self, Connection};
use crate::support::gateway::{Running, endpoint};
use crate::support::poll::{PATIENCE, eventually};
use crate::support::raw::{Fate, RawEdge};
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use serde_json::json;

/// What should never become a request of its own.
const EVIL: &str = "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n";

/// A request with these field lines, and this after its head.
fn post(fields: &str, body: &str) -> String {
    format!("POST /x HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}")
}

#[test]
fn rfc9112_6_3_cl_te_a_length_and_a_coding_are_refused_in_any_order() {
    let edge = RawEdge::start();
    let ended = format!("0\r\n\r\n{EVIL}");
    let hidden = format!("{:x}\r\n{EVIL}\r\n0\r\n\r\n", EVIL.len());
    let mut cases = Vec::new();
    for length in ["0", "4", "5", "6", &ended.len().to_string(), &hidden.len().to_string()] {
        for body in [&ended, &hidden] {
            cases.push(post(&format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"), body));
            cases.push(post(&format!("Transfer-Encoding: chunked\r\nX: y\r\nContent-Length: {length}\r\n"), body));
            cases.push(post(&format!("Content-Length: {length}\r\ntransfer-encoding:Chunked\r\n"), body));
        }
    }
    edge.refuses(400, cases);
}

#[test]
fn rfc9112_6_1_te_te_an_obscured_coding_is_refused_with_and_without_a_length() {
    let edge = RawEdge::start();
    let mut cases = Vec::new();
    for line in [
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunkedx",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding:\u{b}chunked",
        "Transfer-Encoding: chunked\u{b}",
        "Transfer-Encoding: \0chunked",
        "Transfer-Encoding:",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: 'chunked'",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: chun ked",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding:\n chunked",
        "Transfer-Encoding:\nchunked",
        "Transfer-Encoding\n: chunked",
        "Transfer-Encoding: x\r\n chunked",
        "X: y\r\n Transfer-Encoding: chunked",
        "X: y\r\n\tTransfer-Encoding: chunked",
        "X: y\nTransfer-Encoding: chunked",
        "X: y\rTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\rX: y",
        "Transfer-Encoding: chunked\nX: y",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\ntransfer-encoding: x",
        "Transfer-Encoding\0: chunked",
        "Transfer Encoding: chunked",
        " Transfer-Encoding: chunked",
        "Transfer-Encoding chunked",
        "Transfer-Encoding: chu\u{ad}nked",
        "\u{feff}Transfer-Encoding: chunked",
        "Transfer-Encod\u{131}ng: chunked",
    ] {
        cases.push(post(&format!("{line}\r\n"), &format!("0\r\n\r\n{EVIL}")));
        cases.push(post(&format!("Content-Length: 5\r\n{line}\r\n"), &format!("0\r\n\r\n{EVIL}")));
        cases.push(post(&format!("{line}\r\nContent-Length: 5\r\n"), &format!("0\r\n\r\n{EVIL}")));
    }
    edge.refuses(400, cases);
}

#[test]
fn rfc9112_6_1_the_case_of_a_coding_does_not_matter_and_what_is_in_its_chunks_is_body() {
    let edge = RawEdge::start();
    let body = format!("{:X}\r\n{EVIL}\r\n0\r\n\r\n", EVIL.len());
    let lines = ["tRANSFER-eNCODING: cHUNKED", "Transfer-Encoding:\t chunked \t", "transfer-encoding:CHUNKED"];
    for request in edge.forwards(lines.map(|line| post(&format!("{line}\r\n"), &body))) {
        assert_eq!(request.text(), EVIL);
    }
}

#[test]
fn rfc9112_6_1_fields_that_are_only_named_like_a_coding_frame_nothing() {
    let edge = RawEdge::start();
    let body = format!("0\r\n\r\n{EVIL}");
    for name in ["X-Transfer-Encoding", "Transfer-Encodings", "Transfer-Encodin", "TE-Transfer-Encoding"] {
        let fields = format!("{name}: chunked\r\nContent-Length: {}\r\n", body.len());
        assert_eq!(edge.forwards([post(&fields, &body)])[0].text(), body, "{name}");
    }
}

#[test]
fn rfc9112_6_1_http_10_has_no_coding() {
    let edge = RawEdge::start();
    let fields = ["Transfer-Encoding: chunked", "Connection: keep-alive\r\nTransfer-Encoding: chunked"];
    edge.refuses(400, fields.map(|fields| format!("POST /x HTTP/1.0\r\nHost: a\r\n{fields}\r\n\r\n0\r\n\r\n{EVIL}")));
}

#[test]
fn rfc9112_6_2_cl_0_what_a_length_covers_is_body_for_every_method() {
    let edge = RawEdge::start();
    let cases = ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PURGE"]
        .map(|method| format!("{method} /x HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{EVIL}", EVIL.len()));
    for request in edge.forwards(cases) {
        assert_eq!(request.text(), EVIL, "{}", request.method);
    }
}

#[test]
fn rfc9112_9_3_a_body_nobody_wanted_is_not_the_next_request() {
    let edge = RawEdge::start();
    for (line, status) in [("POST /nowhere HTTP/1.1", 404), ("POST /x/ HTTP/1.1", 307), ("GET /%2e%2e/x HTTP/1.1", 400)]
    {
        let text = format!("{line}\r\nHost: a\r\nContent-Length: {}\r\n\r\n{EVIL}", EVIL.len());
        let fate = edge.fate(&[text.as_bytes()]);
        let as_expected = match fate {
            Ok(Fate::Answered(answered) | Fate::Refused(answered)) => answered == status,
            _ => false,
        };
        assert!(as_expected, "{line}: {fate:?}");
    }
    edge.nothing_comes_later();
}

#[test]
fn rfc9110_8_6_a_length_is_one_number_on_one_line() {
    let edge = RawEdge::start();
    let mut cases = Vec::new();
    for lines in [
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 0\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 0",
        "Content-Length: 5\r\ncontent-length: 5",
        "Content-Length: 5, 5",
        "Content-Length: 5,5",
        "Content-Length: 0, 5",
        "Content-Length: 5,",
        "Content-Length: ,5",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: -0",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: 5\u{b}",
        "Content-Length:\u{b}5",
        "Content-Length: 5;",
        "Content-Length: \"5\"",
        "Content-Length: five",
        "Content-Length: 5.0",
        "Content-Length: 5e0",
        "Content-Length:",
        "Content-Length: 9223372036854775808",
        "Content-Length: 18446744073709551615",
        "Content-Length: 18446744073709551621",
        "Content-Length: 99999999999999999999999999",
        "Content-Length : 5",
        "Content-Length\t: 5",
        "Content-Length\0: 5",
        "Content-Length: 5\0",
        "Content-Length:\r\n 5",
        "X: y\r\n Content-Length: 5",
        "X: y\nContent-Length: 5",
        "X: y\rContent-Length: 5",
        "Content-Length: 0\r\nX: y\r\nContent-Length: 5",
        "Content-Length: ٥",
        "Content Length: 5",
    ] {
        cases.push(post(&format!("{lines}\r\n"), &format!("hello{EVIL}")));
    }
    edge.refuses(400, cases);
}

#[test]
fn rfc9112_7_1_a_body_whose_chunks_could_end_elsewhere_never_becomes_two_requests() {
    let edge = RawEdge::start();
    let chunked = |body: &str| post("Transfer-Encoding: chunked\r\n", &format!("{body}{EVIL}"));
    edge.refuses(
        400,
        [
            // No size, taken for the last chunk.
            "\r\n\r\n",
            "\r\n",
            "5\r\nhello\r\n\r\n\r\n",
            ";\r\n\r\n",
            ";a=b\r\n\r\n",
            " \r\n\r\n",
            // The end of the line is elsewhere for readers that end lines at LF, or at CR.
            "2;\nxx\r\n0\r\n\r\n",
            "5;a\n\r\nhello\r\n0\r\n\r\n",
            "5;a\rhello\r\n0\r\n\r\n",
            "0;\n\r\n",
            "0\n\r\n",
            "0\r\n\n",
            "0\n\n",
            "0\r\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello0\r\n\r\n",
            "5\r\nhelloXX0\r\n\r\n",
            "5\r\r\nhello\r\n0\r\n\r\n",
            // The size is another one for readers that are lenient with numbers.
            "0x0\r\n\r\n",
            "+0\r\n\r\n",
            "-0\r\n\r\n",
            "0 \r\n\r\n",
            "0\t\r\n\r\n",
            " 0\r\n\r\n",
            "0 5\r\n\r\n",
            "0_0\r\n\r\n",
            "0.0\r\n\r\n",
            "10000000000000000\r\n\r\n",
            "100000000000000000000000000000000\r\n\r\n",
            "00000000000000000\r\n\r\n",
            "0,5\r\n\r\n",
            "\u{b}0\r\n\r\n",
            "0\u{b}\r\n\r\n",
            "\x000\r\n\r\n",
            "0\0\r\n\r\n",
            "G\r\n\r\n",
            // Trailers that are none.
            "0\r\nX\r\n\r\n",
            "0\r\nX : y\r\n\r\n",
            "0\r\n X: y\r\n\r\n",
            "0\r\nX: y\n\r\n",
            "0\r\nX: y\r\r\n\r\n",
            "0\r\n\0\r\n\r\n",
            "0\r\nContent-Length: 5\r\n\r\n",
            "0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "0\r\nHost: b\r\n\r\n",
            "0\r\n:\r\n\r\n",
        ]
        .map(chunked),
    );
    // Without the two bytes that end the trailers, the next request line stands where a field line should.
    edge.refuses(400, [chunked("0\r\n")]);
}

#[test]
fn rfc9112_7_1_a_bad_chunk_after_good_ones_ends_the_upstream_request_unfinished() {
    let edge = RawEdge::start();
    let good = format!("{:x}\r\n{}\r\n", 4096, "a".repeat(4096)).repeat(4);
    edge.refuses(
        400,
        ["x\r\n", "5\r\nhellohello\r\n", "0\r\nX\r\n\r\n"]
            .map(|bad| post("Transfer-Encoding: chunked\r\n", &format!("{good}{bad}{EVIL}"))),
    );
    assert!(edge.upstream.requests().iter().all(|request| request.target == "/x?last"));
}

#[test]
fn rfc9112_5_a_head_with_hidden_lines_is_refused() {
    let edge = RawEdge::start();
    let hidden = EVIL.trim_end();
    let cases = [
        format!("X: y\n\n{hidden}"),
        format!("X: y\r\r{hidden}"),
        format!("X: y\n\r{hidden}"),
        format!("X: y\0\r\n\r\n{hidden}"),
        format!("X: y\r\n\n{hidden}"),
        format!("X: y\n\r\n{hidden}"),
        format!("X\r\n\r\n{hidden}"),
        format!(" X\r\n\r\n{hidden}"),
        format!("X: y\u{2028}\0{hidden}"),
        format!("\r\0\n{hidden}"),
    ];
    edge.refuses(400, cases.map(|lines| post(&format!("{lines}\r\n"), "")));
}

#[test]
fn rfc9112_3_2_two_hosts_or_a_hidden_one_are_refused() {
    let edge = RawEdge::start();
    edge.refuses(
        400,
        [
            "Host: a\r\nHost: b",
            "Host: a\r\nhost: a",
            "Host: a\r\nX: y\r\nHOST: b",
            "Host: a, b",
            "Host: a b",
            "Host: a\r\n b",
            "Host : a",
            "Host\t: a",
            " Host: a",
            "X: y\r\n Host: a\r\nHost: b",
            "Host: a@b",
            "Host: a/b",
            "Host: a\\b",
            "Host: a#b",
            "Host: a?b",
            "Host: a:80@b",
            "Host: a:80:90",
            "Host: [a]b",
            "Host: a\0b",
            "Host: a\0",
            "Host:\0",
            "Hos\0t: a",
            "Host\r\n: a",
            "Host: a\nHost: b",
            "Host: a\rHost: b",
        ]
        .map(|lines| format!("GET /x HTTP/1.1\r\n{lines}\r\n\r\n")),
    );
    edge.refuses(
        400,
        ["b", "a.b", "a:80", "A", "a@b", "b@a", "a\\b", "a#b", "a%00", "[a]"]
            .map(|authority| format!("GET http://{authority}/x HTTP/1.1\r\nHost: a\r\n\r\n")),
    );
}

#[test]
fn rfc9112_9_3_2_pipelined_requests_have_their_answers_in_their_order() {
    let edge = RawEdge::start();
    let chunks = "POST /x?1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\nX: y\r\n\r\n";
    let length = "POST /x?3 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nthree";
    let text =
        ["GET /x?0 HTTP/1.1\r\nHost: a\r\n\r\n", chunks, "\r\nGET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", length, EVIL]
            .concat();
    for size in [text.len(), 1, 50] {
        let before = edge.upstream.requests().len();
        let mut connection = Connection::open(edge.gateway.address);
        text.as_bytes().chunks(size).for_each(|piece| connection.write(piece));
        for (target, body) in [("/x?0", ""), ("/x?1", "one"), ("404", ""), ("/x?3", "three"), ("/evil", "")] {
            let answer = connection.response();
            if target == "404" {
                assert_eq!(answer.status, 404);
                continue;
            }
            let seen = answer.json();
            assert_eq!((seen["target"].as_str(), seen["body"].as_str()), (Some(target), Some(body)));
        }
        connection.finish_writing();
        connection.expect_closed();
        assert_eq!(edge.upstream.requests().len() - before, 4);
    }
    assert!(edge.upstream.violations().is_empty());
}

#[test]
fn rfc9112_9_3_2_requests_before_a_bad_one_have_their_answers_and_those_after_it_none() {
    let edge = RawEdge::start();
    let good = "GET /x?good HTTP/1.1\r\nHost: a\r\n\r\n";
    for bad in
        ["GET /x?bad HTTP/1.1\r\nHost : a\r\n\r\n", "GET  /x?bad HTTP/1.1\r\n\r\n", "GET /x?bad HTTP/1.1\r\n\r\n"]
    {
        let before = edge.upstream.requests().len();
        let mut connection = Connection::open(edge.gateway.address);
        connection.write([good, good, bad, EVIL].concat());
        assert_eq!([connection.response().status, connection.response().status], [200, 200], "{bad:?}");
        let refused = connection.response();
        assert_eq!((refused.status, refused.header("connection")), (400, Some("close")), "{bad:?}");
        connection.expect_closed();
        assert_eq!(edge.upstream.requests().len() - before, 2, "{bad:?}");
    }
    edge.nothing_comes_later();
}

/// RUSTSEC-2026-0033.
#[test]
fn rfc9110_7_8_bytes_after_a_request_for_an_upgrade_are_a_request_of_their_own_until_it_is_granted() {
    let edge = RawEdge::start();
    let upgrade = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for protocol in ["websocket", "h2c", "foo"] {
        let before = edge.upstream.requests().len();
        let mut connection = Connection::open(edge.gateway.address);
        connection.write(upgrade.replace("websocket", protocol) + "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!([connection.response().status, connection.response().status], [200, 404], "{protocol}");
        assert_eq!(edge.upstream.requests().len() - before, 1, "{protocol}");
    }
    assert!(edge.upstream.violations().is_empty());
}

#[test]
fn rfc6455_4_1_bytes_that_came_before_an_upgrade_was_granted_do_not_reach_the_upstream() {
    let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let upstream = Upstream::start(move |_| Reply::raw(switching));
    let mut open = endpoint("/ws", &upstream.url(), "/ws");
    open["extra_config"]["websocket"] = json!({ "enable_direct_communication": true });
    let gateway = Running::with(&[open]);
    let handshake = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let handshake = client::request("GET", "/ws", &handshake, b"");
    for early in [EVIL, "G", "\r\n"] {
        let before = upstream.requests().len();
        let mut connection = Connection::open(gateway.address);
        connection.write([&handshake, early.as_bytes()].concat());
        let refused = connection.response();
        assert_eq!((refused.status, refused.header("connection")), (400, Some("close")), "{early:?}");
        connection.expect_closed();
        assert_eq!(upstream.requests().len() - before, 1, "{early:?}");
    }
    // Without them there is one, and then they are what they are.
    let mut connection = Connection::open(gateway.address);
    connection.write(&handshake);
    assert_eq!(connection.head().status, 101);
    connection.write(EVIL);
    eventually(PATIENCE, "the bytes are through the tunnel", || {
        upstream.requests().last().is_some_and(|request| request.target == "/evil")
    });
}

/// A body that begins like the answer to an upgrade is still a body.
#[test]
fn rfc9110_7_8_only_the_head_of_an_answer_grants_an_upgrade() {
    let body = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
    let edge = RawEdge::before(Upstream::start(move |_| Reply::text(body.repeat(10_000))));
    for protocol in ["websocket", "foo"] {
        let mut connection = Connection::open(edge.gateway.address);
        let upgrade = client::request("GET", "/x", &[("Connection", "Upgrade"), ("Upgrade", protocol)], b"");
        assert_eq!(connection.request(&upgrade).status, 200);
        let refused = connection.request("POST /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
        assert_eq!((refused.status, refused.header("connection")), (400, Some("close")), "{protocol}");
        let mut connection = Connection::open(edge.gateway.address);
        assert_eq!(connection.request(&upgrade).status, 200);
        let refused = connection.request("GET /x HTTP/1.1\r\n\r\n");
        assert_eq!((refused.status, refused.header("connection")), (400, Some("close")), "{protocol}");
    }
}
