//! What passes and what does not, rule by rule; properties of any bytes are in `tests/properties.rs`.

mod properties;

use super::*;

const LIMITS: HeadLimits = HeadLimits { bytes: 4096, fields: 20, target: 1000 };

/// Follows the text as a whole and byte by byte, which must come to the same.
#[track_caller]
fn verdict(text: &(impl AsRef<[u8]> + ?Sized)) -> Result<Framing, Violation> {
    let mut whole = Framing::new(LIMITS);
    let verdict = whole.follow(text.as_ref());
    let mut pieces = Framing::new(LIMITS);
    let in_pieces = text.as_ref().chunks(1).try_for_each(|piece| pieces.follow(piece));
    assert_eq!(verdict.map_err(|refused| refused.violation), in_pieces.map_err(|refused| refused.violation));
    assert_eq!((whole.requests(), whole.may_switch), (pieces.requests(), pieces.may_switch));
    verdict.map(|()| whole).map_err(|refused| refused.violation)
}

/// So many requests pass, and nothing is left of a next one.
#[track_caller]
fn passes(text: &(impl AsRef<[u8]> + ?Sized), requests: u64) {
    let shown = String::from_utf8_lossy(text.as_ref());
    let framing = verdict(text).unwrap_or_else(|violation| panic!("{violation}: {shown:?}"));
    assert_eq!((framing.requests(), framing.is_between_requests()), (requests, true), "{shown:?}");
}

#[track_caller]
fn is_refused(text: &(impl AsRef<[u8]> + ?Sized), violation: impl Into<Violation>) {
    let shown = String::from_utf8_lossy(text.as_ref());
    assert_eq!(verdict(text).map(|framing| framing.requests()), Err(violation.into()), "{shown:?}");
}

/// A request with these field lines besides `Host`.
fn with_fields(fields: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

fn chunked(body: &str) -> String {
    with_fields("Transfer-Encoding: chunked\r\n") + body
}

#[test]
fn rfc9112_2_1_a_whole_request_and_what_is_known_of_it_on_the_way() {
    let mut framing = Framing::new(LIMITS);
    let mut look = |bytes: &str| {
        framing.follow(bytes.as_bytes()).unwrap();
        (framing.is_between_requests(), framing.is_in_head(), framing.is_in_body(), framing.requests())
    };
    assert_eq!(look(""), (true, false, false, 0));
    assert_eq!(look("\r"), (true, false, false, 0));
    assert_eq!(look("\n"), (true, false, false, 0));
    assert_eq!(look("P"), (false, true, false, 0));
    assert_eq!(look("OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r"), (false, true, false, 0));
    assert_eq!(look("\n"), (false, false, true, 1));
    assert_eq!(look("\0\r\n"), (false, false, true, 1));
    assert_eq!(look("\n"), (true, false, false, 1));
    assert_eq!(look("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"), (false, false, true, 2));
    assert_eq!(look("X: y\r\n"), (false, false, true, 2));
    assert_eq!(look("\r\n"), (true, false, false, 2));
}

#[test]
fn rfc9112_2_2_two_empty_lines_may_come_before_a_request() {
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    passes(&format!("\r\n{get}\r\n\r\n{get}"), 2);
    is_refused("\r\n\r\n\r\n", Fault::EmptyLines);
    for bad in ["\n", "\r\r", "\rG", "\r\n\n"] {
        is_refused(bad, Fault::LineEnd);
    }
    is_refused(" \r\n", Fault::Method);
}

#[test]
fn rfc9112_2_2_lines_end_in_crlf_and_there_is_no_other_cr_or_lf() {
    for bad in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\rHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\r",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\nY: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX\n: a\r\n\r\n",
    ] {
        is_refused(bad, Fault::LineEnd);
    }
    is_refused("GET /\nHTTP/1.1\r\n", Fault::Target);
    is_refused("GET\r / HTTP/1.1\r\n", Fault::Method);
}

#[test]
fn rfc9112_2_3_versions() {
    passes("GET / HTTP/1.0\r\n\r\n", 1);
    for bad in ["2.0", "1.2", "1.10", "1.", "1", "0.9", "1.1 ", " 1.1", "1.1x", "11", "3"] {
        let expected = if bad.starts_with("1.1") || bad.starts_with("1.10") { Fault::LineEnd } else { Fault::Version };
        is_refused(&format!("GET / HTTP/{bad}\r\nHost: a\r\n\r\n"), expected);
    }
    for bad in ["http/1.1", "HTTP /1.1", "HTTPS/1.1", "", "ICAP/1.0", " HTTP/1.1"] {
        is_refused(&format!("GET / {bad}\r\nHost: a\r\n\r\n"), Fault::Version);
    }
    is_refused("GET /\r\n", Fault::Target);
    is_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Fault::Target);
}

#[test]
fn rfc9112_3_1_methods_are_tokens() {
    for good in ["GET", "get", "BASELINE-CONTROL", "M-SEARCH", "!#$%&'*+-.^_`|~9", "XCONNECT", "CONNECTX", "connect"] {
        passes(&format!("{good} / HTTP/1.1\r\nHost: a\r\n\r\n"), 1);
    }
    for bad in ["", "G ET", "G\tET", "GET:", "G(T", "GÉT", "\0", "GET\t", &"A".repeat(33)] {
        let expected = if bad == "G ET" { Fault::Target } else { Fault::Method };
        is_refused(&format!("{bad} / HTTP/1.1\r\nHost: a\r\n\r\n"), expected);
    }
}

#[test]
fn rfc9112_3_2_targets() {
    for good in [
        "/",
        "//",
        "/a?b=c",
        "/%zz",
        "/{a}|\\^`",
        "/..;/",
        "http://a",
        "HTTPS://a:1/b?c",
        "http://a?b",
        "http://[::1]/",
    ] {
        passes(&format!("GET {good} HTTP/1.1\r\nHost: a\r\n\r\n"), 1);
    }
    passes("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 1);
    for bad in [
        "*",
        "",
        "a",
        "a:80",
        "?a",
        "http:/a",
        "http:a",
        "http://",
        "http:///",
        "httpss://a",
        "ftp://a/",
        "ws://a/",
        "://a",
        "http://u@a/",
        "http://a:/",
        "http://a b/",
        "http://a\\b/",
        "http://a,b/",
        "/#",
        "/\"",
        "/<",
        "/a?>",
        "/a b",
        "/a\tb",
        "/é",
        "/\0",
        "/\x7f",
        "/\u{b}",
        "/\r",
        "\\",
        "*/",
        "/ ",
    ] {
        let text = format!("GET {bad} HTTP/1.1\r\nHost: a\r\n\r\n");
        let expected = if ["http://a b/", "/a b", "/ "].contains(&bad) { Fault::Version } else { Fault::Target };
        is_refused(&text, expected);
    }
    is_refused("OPTIONS */ HTTP/1.1\r\n", Fault::Target);
    is_refused("OPTIONS ** HTTP/1.1\r\n", Fault::Target);
}

#[test]
fn rfc9112_3_2_3_connect_is_refused_whatever_it_asks_for() {
    for text in ["CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT / HTTP/1.1\r\n", "CONNECT  "] {
        is_refused(text, Violation::Connect);
    }
}

#[test]
fn rfc9112_3_2_http_11_has_one_host() {
    passes("GET / HTTP/1.0\r\nHost: a\r\n\r\n", 1);
    for good in ["Host: a:80", "host:a", "HOST: \t a.test \t", "hOsT:[::1]:8080"] {
        passes(&format!("GET / HTTP/1.1\r\n{good}\r\n\r\n"), 1);
    }
    is_refused("GET / HTTP/1.1\r\n\r\n", Fault::HostMissing);
    is_refused("GET http://a/ HTTP/1.1\r\nHosts: a\r\nHos: a\r\nXost: a\r\n\r\n", Fault::HostMissing);
    for version in ["1.0", "1.1"] {
        for bad in [
            "",
            " ",
            "a b",
            "a\tb",
            "a/",
            "a,b",
            "a@b",
            "a?",
            "a#",
            "a:",
            "a:b",
            "a:99999",
            "[a",
            "[]",
            "a\r\nHost: a",
            "é",
        ] {
            is_refused(&format!("GET / HTTP/{version}\r\nHost: {bad}\r\n\r\n"), Fault::Host);
        }
    }
}

#[test]
fn rfc9112_5_1_names_are_tokens_and_the_colon_follows() {
    passes(&with_fields("X:\r\nY: \r\nZ:a:b\r\n!#$%&'*+-.^_`|~9: \r\n"), 1);
    for bad in ["X : a", "X\t: a", "X", ": a", "X(: a", "X\u{b}: a", "X\0: a", "É: a", "X a: b", "\u{b}X: a", "\0"] {
        is_refused(&with_fields(&format!("{bad}\r\n")), Fault::FieldName);
    }
}

#[test]
fn rfc9112_5_2_folded_lines() {
    for bad in [" b", "\tb", " ", " Content-Length: 5", "\t"] {
        is_refused(&with_fields(&format!("X: a\r\n{bad}\r\n")), Fault::Folded);
    }
    is_refused("GET / HTTP/1.1\r\n Host: a\r\n\r\n", Fault::Folded);
}

#[test]
fn rfc9110_5_5_values_have_no_control_bytes() {
    passes(&with_fields("X: \t!~ \u{e9}\r\n"), 1);
    passes(b"GET / HTTP/1.1\r\nHost: a\r\nX: \x80\xff\r\n\r\n", 1);
    for byte in (0..b' ').chain([0x7f]).filter(|byte| ![b'\t', b'\r', b'\n'].contains(byte)) {
        is_refused(&with_fields(&format!("X: a{}b\r\n", byte as char)), Fault::FieldValue);
        is_refused(&with_fields(&format!("Transfer-Encoding:{}chunked\r\n", byte as char)), Fault::FieldValue);
    }
}

#[test]
fn rfc9112_6_1_the_only_coding_is_chunked_and_it_is_said_once() {
    for good in ["chunked", "Chunked", "CHUNKED", " \t chunked \t "] {
        passes(&(with_fields(&format!("transfer-ENCODING:{good}\r\n")) + "0\r\n\r\n"), 1);
    }
    for bad in [
        "",
        " ",
        "chunk",
        "chunkedd",
        "xchunked",
        "chunked, chunked",
        "chunked,",
        ",chunked",
        "gzip, chunked",
        "chunked;a=b",
        "identity",
        "chunked, identity",
        "\"chunked\"",
        "chun ked",
        "gzip",
        "chunked chunked",
        "chunked\r\nTransfer-Encoding: x",
        "chunked\r\nTransfer-Encoding: chunked",
        "x\r\nTransfer-Encoding: chunked",
        "ſhunked",
        "'chunked'",
    ] {
        is_refused(&with_fields(&format!("Transfer-Encoding: {bad}\r\n")), Fault::TransferEncoding);
    }
    is_refused(&with_fields("Transfer-Encoding : chunked\r\n"), Fault::FieldName);
    is_refused("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Fault::CodingInHttp10);
    // Names that begin like it, or end like it, are others.
    passes(&with_fields("Transfer-Encodingx: chunked\r\nxTransfer-Encoding: x\r\nTransfer_Encoding: chunked\r\n"), 1);
}

#[test]
fn rfc9112_6_1_a_length_beside_a_coding() {
    is_refused(&with_fields("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), Fault::LengthAndCoding);
    is_refused(&with_fields("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), Fault::LengthAndCoding);
}

#[test]
fn rfc9112_6_2_a_length_is_one_number() {
    passes(&(with_fields("Content-Length: \t 5 \t\r\n") + "GET /GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 2);
    passes(&with_fields("content-length:0\r\n"), 1);
    passes(&(with_fields("Content-Length: 0000000000000000000000000001\r\n") + "x"), 1);
    for bad in [
        "",
        " ",
        "+5",
        "-5",
        "-0",
        "0x5",
        "5,5",
        "5, 5",
        "5 5",
        "5;",
        "5.0",
        "5e1",
        "five",
        "\"5\"",
        "５",
        "9223372036854775808",
        "18446744073709551621",
        "99999999999999999999999",
        "5\r\nContent-Length: 5",
        "5\r\nContent-Length: 6",
        "0\r\ncontent-length: 0",
    ] {
        is_refused(&with_fields(&format!("Content-Length: {bad}\r\n")), Fault::ContentLength);
    }
    let longest = verdict(&with_fields("Content-Length: 9223372036854775807\r\n")).unwrap();
    assert!(longest.is_in_body());
}

#[test]
fn rfc9112_6_3_without_length_and_coding_there_is_no_body() {
    is_refused(&(with_fields("") + "5\r\nhello"), Fault::Method);
}

#[test]
fn rfc9112_7_1_chunks() {
    for good in [
        "0\r\n\r\n",
        "000\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "a\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n",
        "A\r\n0123456789\r\n00000000000000f\r\n0123456789abcde\r\n0000000000000000\r\n\r\n",
    ] {
        passes(&chunked(good), 1);
    }
    for bad in [
        "\r\n",
        "\r\n\r\n",
        "g\r\n",
        "0x5\r\n",
        "+5\r\n",
        "-5\r\n",
        " 5\r\n",
        "5 \r\n",
        "5\t;a\r\n",
        "5_0\r\n",
        "5\n",
        "00000000000000005\r\n",
        "8000000000000000\r\n",
        "ffffffffffffffff\r\n",
        ";a\r\n",
        "5\r\nhello\r\n\r\n",
        "\n",
    ] {
        is_refused(&chunked(bad), Fault::ChunkSize);
    }
    is_refused(&chunked("5\r\r\n"), Fault::LineEnd);
    for bad in ["5\r\nhello0\r\n", "5\r\nhello\n", "5\r\nhello\rx", "5\r\nhellohello\r\n", "5\r\nhello\r\r"] {
        is_refused(&chunked(bad), Fault::ChunkEnd);
    }
    assert!(verdict(&chunked("7fffffffffffffff\r\n")).unwrap().is_in_body());
}

#[test]
fn rfc9112_7_1_1_extensions_are_bounded_and_have_no_control_bytes() {
    passes(&chunked("0;\r\n\r\n"), 1);
    passes(&chunked("5;a=b;c=\"d e\"\t;\u{e9}\r\nhello\r\n0;x\r\n\r\n"), 1);
    passes(&chunked(&format!("0;{}\r\n\r\n", "x".repeat(252))), 1);
    is_refused(&chunked(&format!("0;{}\r\n\r\n", "x".repeat(253))), Fault::ChunkExtension);
    for bad in ["5;a\n", "5;\0\r\n", "5;\u{b}\r\n", "5;a\nhello\r\n"] {
        is_refused(&chunked(bad), Fault::ChunkExtension);
    }
    is_refused(&chunked("5;a\rb\r\n"), Fault::LineEnd);
}

#[test]
fn rfc9112_7_1_2_trailers_are_field_lines_that_neither_frame_nor_route() {
    passes(&chunked("0\r\nX: a\r\nGrpc-Status: 0\r\nUpgrade: a\r\n\r\n"), 1);
    for (bad, fault) in [
        ("X\r\n\r\n", Fault::FieldName),
        ("X : a\r\n\r\n", Fault::FieldName),
        ("GET / HTTP/1.1\r\n", Fault::FieldName),
        (" a\r\n\r\n", Fault::Folded),
        ("X: a\n\r\n", Fault::LineEnd),
        ("\n", Fault::LineEnd),
        ("X: \0\r\n", Fault::FieldValue),
        ("Host: a\r\n\r\n", Fault::Trailer),
        ("content-length: 5\r\n\r\n", Fault::Trailer),
        ("Transfer-Encoding: chunked\r\n\r\n", Fault::Trailer),
    ] {
        is_refused(&chunked(&format!("0\r\n{bad}")), fault);
    }
    is_refused(&chunked(&format!("0\r\n{}", "X: a\r\n".repeat(21))), Violation::TooManyFields);
    is_refused(&chunked(&format!("0\r\nX: {}", "a".repeat(4096))), Violation::HeadTooLarge);
}

#[test]
fn rfc9112_3_long_targets_and_rfc6585_5_large_heads() {
    let target = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(length - 1));
    passes(&target(1000), 1);
    is_refused(&target(1001), Violation::UriTooLong);
    is_refused(&target(100_000), Violation::UriTooLong);
    is_refused(&format!("GET http://{}", "a".repeat(994)), Violation::UriTooLong);
    let sized = |bytes: usize| {
        let head = with_fields("X: \r\n");
        with_fields(&format!("X: {}\r\n", "a".repeat(bytes - head.len())))
    };
    passes(&(sized(4096) + &sized(4096)), 2);
    is_refused(&sized(4097), Violation::HeadTooLarge);
    is_refused(&(sized(4096) + &sized(100_000)), Violation::HeadTooLarge);
    // `Host` is one of them.
    passes(&with_fields(&"X: a\r\n".repeat(19)), 1);
    is_refused(&with_fields(&"X: a\r\n".repeat(20)), Violation::TooManyFields);
    let mut tight = Framing::new(HeadLimits { bytes: 100, fields: 1, target: 1000 });
    let refused = tight.follow(target(200).as_bytes()).unwrap_err();
    assert_eq!(refused.violation, Violation::UriTooLong, "what the head has no room for was the target");
}

#[test]
fn of_a_bad_head_nothing_passes_and_of_a_bad_body_what_is_good() {
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (good, bad) in [
        ("", "GET  / HTTP/1.1\r\n"),
        (get, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        (&(get.to_owned() + get), "GET / HTTP/1.1\r\n\r\n"),
        (&chunked("5\r\nhello\r\n"), "x\r\n"),
        (&chunked("5\r\nhello"), "x\r\n"),
        (&chunked("5\r\nhello\r\n0\r\n"), "X\r\n"),
        (&(with_fields("Content-Length: 3\r\n") + "abc"), "\0"),
    ] {
        let mut framing = Framing::new(LIMITS);
        let refused = framing.follow([good, bad].concat().as_bytes()).unwrap_err();
        assert_eq!(refused.passed, good.len(), "{good:?} {bad:?}");
        let again = framing.follow(get.as_bytes()).unwrap_err();
        assert_eq!((again.violation, again.passed), (refused.violation, 0), "there is no going on");
        assert!(!framing.is_between_requests() && !framing.is_in_head() && !framing.is_in_body());
    }
    let mut framing = Framing::new(LIMITS);
    framing.follow(b"GET / HTTP/1.1\r\nHo").unwrap();
    assert_eq!(framing.follow(b"st : a\r\n\r\n").unwrap_err().passed, 0);
}

#[test]
fn rfc9110_7_8_a_tunnel_opens_only_right_after_a_request_for_it() {
    let upgrade = with_fields("Connection: Upgrade\r\nUpgrade: websocket\r\n");
    let mut framing = Framing::new(LIMITS);
    framing.follow(upgrade.as_bytes()).unwrap();
    framing.tunnel().unwrap();
    framing.follow(b"\x81\x05\0\n\rGET  ").unwrap();
    assert!(!framing.is_between_requests() && !framing.is_in_head() && !framing.is_in_body());
    for before in [
        String::new(),
        with_fields(""),
        upgrade.replace("1.1", "1.0"),
        upgrade.clone() + "\r",
        upgrade.clone() + "G",
        upgrade.clone() + &with_fields(""),
        with_fields("Upgrade: websocket\r\nContent-Length: 1\r\n"),
        with_fields("Upgrade: websocket\r\nContent-Length: 1\r\n") + "x",
        with_fields("Upgrade: websocket\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
    ] {
        let mut framing = Framing::new(LIMITS);
        framing.follow(before.as_bytes()).unwrap();
        assert_eq!(framing.tunnel(), Err(Fault::Premature.into()), "{before:?}");
        assert!(framing.follow(b"x").is_err());
    }
    // What is no request and comes before the answer is refused where it comes.
    is_refused(&[upgrade.as_bytes(), b"\x81\x05"].concat(), Fault::Method);
    // Refused the switch, the client goes on as before.
    passes(&(upgrade + &with_fields("")), 2);
}

#[test]
fn a_connection_costs_little_memory() {
    assert!(size_of::<Framing>() <= 192, "{}", size_of::<Framing>());
}
