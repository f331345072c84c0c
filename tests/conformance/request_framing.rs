//! What RFC 9112 calls a request, one rule after the other, as a client sees it: bytes in, and one request at the upstream or
//! one refusal that ends the connection. Attacks that are made of these are in `security/smuggling.rs`.

use crate::support::client;
use crate::support::raw::{Fate, RawEdge};

/// A request for `/x` with these field lines besides `Host`.
fn with_fields(fields: &str) -> String {
    format!("POST /x HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

fn get(line: &str) -> String {
    format!("{line}\r\nHost: a\r\n\r\n")
}

fn chunked(body: &str) -> String {
    with_fields("Transfer-Encoding: chunked\r\n") + body
}

#[test]
fn rfc9112_2_2_up_to_two_empty_lines_before_a_request_are_passed_over() {
    let edge = RawEdge::start();
    edge.forwards(["\r\n", "\r\n\r\n"].map(|lines| lines.to_owned() + &get("GET /x HTTP/1.1")));
    edge.refuses(400, ["\r\n\r\n\r\n", "\n", "\r", " "].map(|lines| lines.to_owned() + &get("GET /x HTTP/1.1")));
}

#[test]
fn rfc9112_2_2_lines_end_in_crlf() {
    let edge = RawEdge::start();
    edge.refuses(
        400,
        [
            "GET /x HTTP/1.1\nHost: a\n\n",
            "GET /x HTTP/1.1\nHost: a\r\n\r\n",
            "GET /x HTTP/1.1\r\nHost: a\n\r\n",
            "GET /x HTTP/1.1\r\nHost: a\r\n\n",
            "GET /x HTTP/1.1\r\nHost: a\r\nX: a\nY: b\r\n\r\n",
            "GET /x HTTP/1.1\r\nHost: a\r\nX: a\rY: b\r\n\r\n",
            "GET /x HTTP/1.1\rHost: a\r\n\r\n",
            "GET /x HTTP/1.1\r\r\nHost: a\r\n\r\n",
            "GET /x HTTP/1.1\r\nHost: a\r\r\n\r\n",
            "GET /x HTTP/1.1\r\nHost: a\r\n\r\r\n",
        ],
    );
}

#[test]
fn rfc9112_2_3_versions_are_1_1_and_1_0() {
    let edge = RawEdge::start();
    let forwarded = edge.forwards(["GET /x HTTP/1.0\r\n\r\n", "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"]);
    assert!(forwarded.iter().all(|request| request.version == "HTTP/1.1"));
    let versions =
        ["HTTP/0.9", "HTTP/1.2", "HTTP/1.10", "HTTP/2.0", "HTTP/2", "HTTP/3.0", "http/1.1", "HTTP/1", "XTTP/1.1"];
    edge.refuses(400, versions.map(|version| get(&format!("GET /x {version}"))));
    edge.refuses(400, ["GET /x\r\n", "GET /x\r\n\r\n", "GET /x\nHost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]);
}

#[test]
fn rfc9112_3_one_space_stands_between_the_parts_of_a_request_line() {
    let edge = RawEdge::start();
    edge.refuses(
        400,
        [
            "GET  /x HTTP/1.1",
            "GET /x  HTTP/1.1",
            "GET\t/x HTTP/1.1",
            "GET /x\tHTTP/1.1",
            "GET /x HTTP/1.1 ",
            " GET /x HTTP/1.1",
            "GET/x HTTP/1.1",
            "GET /x",
            "GET",
            "/x HTTP/1.1",
            "GET /x y HTTP/1.1",
            "GET HTTP/1.1",
        ]
        .map(get),
    );
}

#[test]
fn rfc9112_3_1_methods_are_tokens_and_their_case_counts() {
    let edge = RawEdge::start();
    let forwarded = edge.forwards(["GET", "PURGE", "get"].map(|method| get(&format!("{method} /x HTTP/1.1"))));
    let methods: Vec<_> = forwarded.iter().map(|request| request.method.as_str()).collect();
    assert_eq!(methods, ["GET", "PURGE", "get"]);
    let long = "A".repeat(33);
    let malformed = ["G\0T", "G(T", "G\"T", "GÉT", "GET:", &long];
    edge.refuses(400, malformed.map(|method| get(&format!("{method} /x HTTP/1.1"))));
}

#[test]
fn rfc9112_3_2_1_origin_form() {
    let edge = RawEdge::start();
    let odd = "/x?a=%zz&b={|}\\^`[]";
    assert_eq!(edge.forwards([get(&format!("GET {odd} HTTP/1.1"))]).len(), 1);
    let malformed =
        ["/x?é", "/x?\0", "/x?\x7f", "/x?\u{b}", "/x#a", "/x?\"", "/x?<", "/x?>", "x", "?x", "\\x", "", "*"];
    edge.refuses(400, malformed.map(|target| get(&format!("GET {target} HTTP/1.1"))));
}

#[test]
fn rfc9112_3_2_2_absolute_form_has_the_authority_of_host() {
    let edge = RawEdge::start();
    let forwarded = edge.forwards([get("GET http://a/x?b HTTP/1.1")]);
    assert_eq!(forwarded[0].target, "/x?b");
    edge.refuses(
        400,
        [
            "http://b/x",
            "http://a:80/x",
            "http://a.b/x",
            "http://a@b/x",
            "http://a@a/x",
            "http://a:a@a/x",
            "http:///x",
            "http:/x",
            "http:x",
            "http:\\\\a\\x",
            "http://a\\x",
            "ftp://a/x",
            "ws://a/x",
            "file:///x",
            "javascript:x",
            "a:80",
            "//a:@/x\0",
        ]
        .map(|target| get(&format!("GET {target} HTTP/1.1"))),
    );
}

#[test]
fn rfc9112_3_2_3_connect_is_not_served() {
    let edge = RawEdge::start();
    edge.refuses(
        405,
        ["a:443", "/x", "http://a/x", "127.0.0.1:80", "*"].map(|target| get(&format!("CONNECT {target} HTTP/1.1"))),
    );
}

#[test]
fn rfc9112_3_2_4_asterisk_form_is_for_options_and_stays_here() {
    let edge = RawEdge::start();
    let answer = client::send(edge.gateway.address, get("OPTIONS * HTTP/1.1"));
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("0")));
    assert!(answer.header("allow").is_some_and(|methods| methods.contains("GET") && !methods.contains("TRACE")));
    assert_eq!(edge.upstream.requests().len(), 0, "RFC 9110 §9.3.7: it is the server that is asked");
    edge.refuses(400, ["OPTIONS * HTTP/1.1\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"]);
    edge.refuses(400, ["GET * HTTP/1.1", "POST * HTTP/1.1", "OPTIONS ** HTTP/1.1", "OPTIONS */x HTTP/1.1"].map(get));
}

#[test]
fn rfc9112_3_2_host_is_one_host() {
    let edge = RawEdge::start();
    let hosts = ["a", "a.test:8080", "[::1]", "[::1]:80", "a_b", "\t a \t"];
    edge.forwards(hosts.map(|host| format!("GET /x HTTP/1.1\r\nHost:{host}\r\n\r\n")));
    edge.refuses(
        400,
        ["GET /x HTTP/1.1\r\n\r\n", "GET /x HTTP/1.1\r\nHosts: a\r\n\r\n", "GET http://a/x HTTP/1.1\r\n\r\n"],
    );
    edge.refuses(400, ["a", "b"].map(|second| format!("GET /x HTTP/1.1\r\nHost: a\r\nHost: {second}\r\n\r\n")));
    let malformed = [
        "", " ", "a b", "a\tb", "a/x", "/", "a,b", "a, b", "a@b", "a?x", "a#x", "a:", "a:b", "a:80:80", "a:65536",
        "a:-1", "[::1", "::1]", "[]", "[a", "::1", "é", "a\\b", "\"a\"", "a%", "a%zz",
    ];
    for version in ["1.1", "1.0"] {
        edge.refuses(400, malformed.map(|host| format!("GET /x HTTP/{version}\r\nHost: {host}\r\n\r\n")));
    }
}

#[test]
fn rfc9112_5_1_a_field_name_is_a_token_and_the_colon_follows_it() {
    let edge = RawEdge::start();
    let forwarded = edge.forwards([with_fields("X-Empty:\r\nX!#$%&'*+-.^_`|~9: a:b\r\n")]);
    assert_eq!((forwarded[0].header("x-empty"), forwarded[0].header("X!#$%&'*+-.^_`|~9")), (Some(""), Some("a:b")));
    let lines = [
        "X : a",
        "X\t: a",
        "X",
        ": a",
        "X\0: a",
        "X\u{b}: a",
        "X(: a",
        "X Y: a",
        "\"X\": a",
        "É: a",
        "\u{b}X: a",
        "\0",
    ];
    edge.refuses(400, lines.map(|line| with_fields(&format!("{line}\r\n"))));
}

#[test]
fn rfc9112_5_2_lines_are_not_folded() {
    let edge = RawEdge::start();
    let lines = [
        "X: a\r\n b",
        "X: a\r\n\tb",
        "X: a\r\n \r\nY: b",
        "X:\r\n a",
        "X: a\r\n  Content-Length: 5",
        "X: a\r\n Host: b",
    ];
    edge.refuses(400, lines.map(|line| with_fields(&format!("{line}\r\n"))));
    edge.refuses(400, ["GET /x HTTP/1.1\r\n Host: a\r\n\r\n", "GET /x HTTP/1.1\r\n\tX: a\r\nHost: a\r\n\r\n"]);
}

#[test]
fn rfc9110_5_5_values_have_no_control_bytes() {
    let edge = RawEdge::start();
    edge.forwards([with_fields("X: a\tb \u{e9}\r\n")]);
    let control = (0..b' ').chain([0x7f]).filter(|byte| ![b'\t', b'\n', b'\r'].contains(byte));
    edge.refuses(400, control.map(|byte| with_fields(&format!("X: a{}b\r\n", byte as char))));
}

#[test]
fn rfc9112_6_2_a_body_is_as_long_as_its_content_length_says() {
    let edge = RawEdge::start();
    let forwarded = edge.forwards([
        with_fields("Content-Length: 5\r\n") + "hello",
        with_fields("content-length:\t5 \r\n") + "\r\n\r\n\0",
        with_fields("Content-Length: 0\r\n"),
        with_fields(""),
        "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello".to_owned(),
        "POST /x HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello".to_owned(),
    ]);
    let bodies: Vec<_> = forwarded.iter().map(|request| request.text()).collect();
    assert_eq!(bodies, ["hello", "\r\n\r\n\0", "", "", "hello", "hello"]);
}

#[test]
fn rfc9112_7_1_chunks_arrive_as_one_body() {
    let edge = RawEdge::start();
    let forwarded = edge.forwards(
        [
            "5\r\nhello\r\n0\r\n\r\n",
            "0000000000000005\r\nhello\r\n00\r\n\r\n",
            "2;a=b\r\nhe\r\n3;c=\"d e\";f\r\nllo\r\n0;g\r\n\r\n",
            "5\r\nhello\r\n0\r\nX-Trailer: a\r\nX-Other: b\r\n\r\n",
        ]
        .map(chunked),
    );
    for request in forwarded {
        assert_eq!((request.text().as_str(), request.header("x-trailer")), ("hello", None));
    }
}

#[test]
fn rfc9112_7_1_chunk_sizes_are_hex_digits() {
    let edge = RawEdge::start();
    edge.refuses(
        400,
        [
            "\r\nhello\r\n0\r\n\r\n",
            "\r\n\r\n",
            "5\r\nhello\r\n\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "-5\r\nhello\r\n0\r\n\r\n",
            "5 \r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "5_0\r\nhello\r\n0\r\n\r\n",
            "5\nhello\r\n0\r\n\r\n",
            "5\n\rhello\r\n0\r\n\r\n",
            "g\r\n",
            ";a\r\n\r\n",
            "00000000000000005\r\nhello\r\n0\r\n\r\n",
            "10000000000000005\r\nhello\r\n0\r\n\r\n",
            "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
            "\u{b}5\r\nhello\r\n0\r\n\r\n",
        ]
        .map(chunked),
    );
}

#[test]
fn rfc9112_7_1_a_chunk_ends_in_crlf_where_its_size_says() {
    let edge = RawEdge::start();
    edge.refuses(
        400,
        [
            "5\r\nhello0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello\r0\r\n\r\n",
            "5\r\nhelloXX0\r\n\r\n",
            "4\r\nhello\r\n0\r\n\r\n",
            "6\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello\n\n0\r\n\r\n",
        ]
        .map(chunked),
    );
}

#[test]
fn rfc9112_7_1_1_chunk_extensions_are_bounded() {
    let edge = RawEdge::start();
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(253));
    edge.refuses(
        400,
        ["5;a\nhello\r\n0\r\n\r\n", "5;a\rb\r\nhello\r\n0\r\n\r\n", "5;\0\r\nhello\r\n0\r\n\r\n", &long].map(chunked),
    );
}

#[test]
fn rfc9112_7_1_2_trailers_are_field_lines_and_neither_frame_nor_route() {
    let edge = RawEdge::start();
    edge.refuses(
        400,
        [
            "X",
            "X : a",
            " X: a",
            ": a",
            "X: a\0",
            "X: a\nY: b",
            "Content-Length: 5",
            "content-length: 0",
            "Host: b",
            "Transfer-Encoding: chunked",
            "GET /evil HTTP/1.1",
        ]
        .map(|trailer| chunked(&format!("0\r\n{trailer}\r\n\r\n"))),
    );
}

#[test]
fn rfc9112_2_1_a_request_may_come_in_any_pieces() {
    let edge = RawEdge::start();
    let text = chunked("5;a=b\r\nhello\r\n0\r\nX-Trailer: a\r\n\r\n");
    let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
    let Ok(Fate::Forwarded(request)) = edge.fate(&bytes) else { panic!("not forwarded") };
    assert_eq!(request.text(), "hello");
    for cut in 1..text.len() {
        let (before, after) = text.as_bytes().split_at(cut);
        let fate = edge.fate(&[before, after]);
        assert!(matches!(&fate, Ok(Fate::Forwarded(request)) if request.text() == "hello"), "{cut}: {fate:?}");
    }
}
