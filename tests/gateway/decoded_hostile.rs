//! Answers of backends that no backend should give: each has a clear status and a name in the log, costs bounded memory, and
//! takes nothing from the other backends of its endpoint.

use crate::decoded::{COMPLETED, answers, backend, decoded, json_reply};
use crate::decoded_requests::gzip;
use crate::support::gateway::{Running, with};
use crate::support::listener::Listener;
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What is decoded of an answer.
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;
const BRIEF: &str = "150ms";

/// A backend that spoils its own part and nothing else: asked alone it has this failure, and beside another the part of that
/// one arrives.
#[track_caller]
fn assert_spoils(hostile: Value, status: u16, failure: &str, case: &str) {
    let good = answers(r#"{"good":1}"#);
    let both = decoded("/both", &[hostile.clone(), backend(&good, "/")]);
    let gateway = Running::with(&[decoded("/alone", &[hostile]), both]);
    let (alone, beside) = (gateway.get("/alone"), gateway.get("/both"));
    let log = gateway.access_log(2);
    assert_eq!((alone.status, alone.text().as_str()), (status, ""), "{case}\n{log}");
    assert_eq!((beside.status, beside.text().as_str()), (200, r#"{"good":1}"#), "{case}\n{log}");
    assert_eq!((alone.header(COMPLETED), beside.header(COMPLETED)), (Some("false"), Some("false")), "{case}");
    for line in log.lines() {
        assert!(line.contains(&format!(" failure={failure}")), "{case}: {line}");
    }
}

#[track_caller]
fn assert_reply_spoils(reply: impl Fn() -> Reply + Send + Sync + 'static, status: u16, failure: &str, case: &str) {
    let upstream = Upstream::start(move |_| reply());
    assert_spoils(backend(&upstream, "/"), status, failure, case);
}

/// The body that an endpoint with one such backend answers with.
#[track_caller]
fn body_of(reply: impl Fn() -> Reply + Send + Sync + 'static) -> String {
    let upstream = Upstream::start(move |_| reply());
    let answer = Running::with(&[decoded("/x", &[backend(&upstream, "/")])]).get("/x");
    assert_eq!((answer.status, answer.header(COMPLETED)), (200, Some("true")), "{}", answer.text());
    answer.text()
}

/// A server that does with each connection, once a request has come, what no HTTP server does.
fn rude(act: impl Fn(&TcpStream) + Send + Sync + 'static) -> (Listener, Value) {
    let listener = Listener::start(move |mut stream, _| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if !matches!(stream.read(&mut byte), Ok(1)) {
                return;
            }
            head.push(byte[0]);
        }
        act(stream);
    });
    let backend = json!({ "host": [format!("http://{}", listener.addr())], "url_pattern": "/" });
    (listener, backend)
}

#[test]
fn what_is_not_json_is_undecodable() {
    for body in [
        &b""[..],
        b" \n",
        b"<html>",
        b"{\"a\":1",
        b"{\"a\":",
        b"{\"a\" 1}",
        b"{'a':1}",
        b"{\"a\":1,}",
        b"{\"a\":01}",
        b"{\"a\":NaN}",
        b"{\"a\":\"\n\"}",
        b"{\"a\":\"\\x\"}",
        b"\xef\xbb\xbf{\"a\":1}",
        b"\xff\xfe{\0",
        b"\"text\"",
        b"42",
        b"[]",
        b"\0",
    ] {
        let case = String::from_utf8_lossy(body).into_owned();
        assert_reply_spoils(move || json_reply(body), 500, "undecodable", &case);
    }
}

#[test]
fn an_empty_answer_has_no_data_whatever_its_status() {
    assert_reply_spoils(|| Reply::new(200), 500, "undecodable", "200");
    assert_reply_spoils(|| Reply::new(204), 500, "upstream_status", "204");
}

#[test]
fn deep_nesting_is_refused_before_it_costs_anything() {
    const DEEP: usize = 100_000;
    let lists = format!("{{\"a\":{}{}}}", "[".repeat(DEEP), "]".repeat(DEEP));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(DEEP), "}".repeat(DEEP));
    let open = "[".repeat(DEEP);
    for (body, case) in [(lists, "lists"), (objects, "objects"), (open, "open lists")] {
        assert_reply_spoils(move || json_reply(&body), 500, "undecodable", case);
    }
    let elements = "<a>".repeat(DEEP);
    let upstream = Upstream::start(move |_| Reply::new(200).body(&elements));
    let xml = with(backend(&upstream, "/"), &json!({ "encoding": "xml" }));
    assert_spoils(xml, 500, "undecodable", "elements");
}

#[test]
fn entities_of_xml_are_not_expanded() {
    let bomb = concat!(
        r#"<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;"><!ENTITY f SYSTEM "file:///etc/passwd">]>"#,
        "<a>&y;&f;</a>"
    );
    let upstream = answers(bomb);
    let xml = with(backend(&upstream, "/"), &json!({ "encoding": "xml" }));
    let answer = Running::with(&[decoded("/x", &[xml])]).get("/x");
    assert!(!answer.text().contains("xxxx") && !answer.text().contains("root"), "{}", answer.text());
}

#[test]
fn of_equal_keys_the_last_counts() {
    assert_eq!(body_of(|| json_reply(r#"{"a":1,"b":2,"a":{"c":3},"a":4}"#)), r#"{"a":4,"b":2}"#);
}

/// As Go does it: one replacement character for each byte.
#[test]
fn bytes_that_are_no_utf_8_are_replaced() {
    let latin = || json_reply(b"{\"caf\xe9\":\"\xfcber \xe4\xf6\"}");
    assert_eq!(body_of(latin), "{\"caf\u{fffd}\":\"\u{fffd}ber \u{fffd}\u{fffd}\"}");
}

#[test]
fn an_answer_that_breaks_off_is_none() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let cut = |rest: &str| format!("{head}{rest}");
    for broken in [
        cut("Content-Length: 100\r\n\r\n{\"a\":1}"),
        cut("Transfer-Encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n"),
        cut("Transfer-Encoding: chunked\r\n\r\n70\r\n{\"a\":1}"),
        cut("Transfer-Encoding: chunked\r\n\r\nxyz\r\n{\"a\":1}\r\n0\r\n\r\n"),
        cut("Content-Length: 7\r\n"),
        "HTTP/1.1 200".to_owned(),
        String::new(),
    ] {
        let case = broken.clone();
        assert_reply_spoils(move || Reply::raw_then_close(&broken), 502, "upstream_protocol", &case);
    }
    assert_reply_spoils(Reply::reset, 502, "upstream_protocol", "reset");
    let (_listener, midway) = rude(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":");
        let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
    });
    assert_spoils(midway, 502, "upstream_protocol", "reset midway");
}

#[test]
fn what_is_not_http_is_no_answer() {
    for garbage in [
        "\0\0\0\0\r\n\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n\r\n",
        "HELLO\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n{}",
        "{\"a\":1}",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "\u{16}\u{3}\u{1}\0\u{5}hello",
    ] {
        assert_reply_spoils(move || Reply::raw_then_close(garbage), 502, "upstream_protocol", garbage);
    }
    let endless = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n{{}}", "x".repeat(4 * 1024 * 1024));
    assert_reply_spoils(move || Reply::raw_then_close(&endless), 502, "upstream_protocol", "a head of 4 MiB");
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n{{}}", "X: y\r\n".repeat(10_000));
    assert_reply_spoils(move || Reply::raw_then_close(&many), 502, "upstream_protocol", "10,000 headers");
}

#[test]
fn a_body_may_end_with_its_connection() {
    assert_eq!(body_of(|| Reply::raw_then_close("HTTP/1.1 200 OK\r\n\r\n{\"a\":1}")), r#"{"a":1}"#);
    assert_eq!(body_of(|| Reply::raw_then_close("HTTP/1.0 200 OK\r\n\r\n{\"a\":1}")), r#"{"a":1}"#);
}

#[test]
fn what_comes_after_an_answer_answers_nothing() {
    let upstream = Upstream::start(|request| {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{{\"n\":{}}}", request.number);
        Reply::raw(format!("{answer}HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{{\"n\":666}}"))
    });
    let gateway = Running::with(&[decoded("/x", &[backend(&upstream, "/")])]);
    for n in 0..5 {
        assert_eq!(gateway.get("/x").text(), format!(r#"{{"n":{n}}}"#));
    }
}

#[test]
fn an_upgrade_that_nobody_asked_for_is_an_error() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n{\"a\":1}";
    let upstream = Upstream::start(move |_| Reply::raw_then_close(switch));
    let gateway = Running::with(&[decoded("/x", &[backend(&upstream, "/")])]);
    let answer = gateway.get("/x");
    assert!(matches!(answer.status, 500 | 502), "{}", answer.status);
    assert_eq!((answer.text().as_str(), answer.header("upgrade")), ("", None));
}

#[test]
fn a_backend_that_falls_silent_is_given_up_at_its_timeout() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
    for said in ["", "HTTP/1.1 200 OK\r\nContent-Le", head, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":"] {
        // After these bytes it waits for another request.
        let upstream = Upstream::start(move |_| Reply::raw(said));
        let brief = with(backend(&upstream, "/"), &json!({ "timeout": BRIEF }));
        assert_spoils(brief, 504, "upstream_timeout", said);
    }
}

#[test]
fn a_backend_that_says_a_byte_now_and_then_is_given_up_at_its_timeout() {
    let (_listener, slow) = rude(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
        while stream.write_all(b" ").is_ok() {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    });
    assert_spoils(with(slow, &json!({ "timeout": BRIEF })), 504, "upstream_timeout", "one byte at a time");
}

#[test]
fn an_answer_may_be_sixteen_mebibytes_long() {
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(LONGEST_ANSWER - 8));
    assert_eq!(long.len(), LONGEST_ANSWER);
    let (plain, packed) = (long.clone(), gzip(&long));
    assert!(body_of(move || json_reply(&plain)) == long);
    assert!(body_of(move || json_reply(&packed).header("Content-Encoding", "gzip")) == long);
}

#[test]
fn a_longer_answer_is_given_up_and_not_read_to_its_end() {
    let chunk = [b"100000\r\n", &[b' '; 0x10_0000][..], b"\r\n"].concat();
    for (framing, piece) in [
        ("Content-Length: 1099511627776", vec![b' '; 0x10_0000]),
        ("Transfer-Encoding: chunked", chunk),
        ("X-Length: unknown", vec![b' '; 0x10_0000]),
    ] {
        let written = Arc::new(AtomicUsize::new(0));
        let (_listener, endless) = rude({
            let written = written.clone();
            move |mut stream| {
                let _ = write!(stream, "HTTP/1.1 200 OK\r\n{framing}\r\n\r\n");
                while stream.write_all(&piece).is_ok() {
                    written.fetch_add(piece.len(), Ordering::Relaxed);
                }
            }
        });
        assert_spoils(endless, 502, "upstream_too_large", framing);
        // For two requests, with what fits into the buffers of their sockets.
        let written = written.load(Ordering::Relaxed);
        assert!(written < 4 * LONGEST_ANSWER, "{framing}: {written} bytes");
    }
}

#[test]
fn a_small_body_that_unpacks_to_a_gigantic_one_is_given_up() {
    // 4 GiB of blanks in a few mebibytes: a gzip file may consist of many.
    let bomb = gzip(vec![b' '; 0x10_0000]).repeat(4096);
    assert!(bomb.len() < LONGEST_ANSWER);
    let packed = move || json_reply(&bomb).header("Content-Encoding", "gzip");
    assert_reply_spoils(packed, 502, "upstream_too_large", "bomb");
}

#[test]
fn what_cannot_be_unpacked_is_undecodable() {
    let good = gzip(r#"{"a":1}"#);
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let half = good[..good.len() / 2].to_vec();
    for (encoding, body) in [
        ("gzip", b"{\"a\":1}".to_vec()),
        ("gzip", half),
        ("gzip", flipped),
        ("gzip", Vec::new()),
        ("br", b"\x0b\x03\x80{\"a\":1}\x03".to_vec()),
        ("deflate", b"{\"a\":1}".to_vec()),
        ("gzip, gzip", gzip(&good)),
        ("magic", b"{\"a\":1}".to_vec()),
    ] {
        let reply = move || json_reply(&body).header("Content-Encoding", encoding);
        assert_reply_spoils(reply, 500, "undecodable", encoding);
    }
}

#[test]
fn an_error_status_counts_more_than_how_its_body_is_packed() {
    for (encoding, body) in [("gzip", ""), ("br", "\u{b}\u{3}"), ("gzip", "junk")] {
        let upstream = Upstream::start(move |_| Reply::new(404).header("Content-Encoding", encoding).body(body));
        let passing = json!({ "extra_config": { "backend/http": { "return_error_code": true } } });
        let gateway = Running::start(json!({
            "endpoints": [decoded("/x", &[with(backend(&upstream, "/"), &passing)])],
            "extra_config": { "router": { "return_error_msg": true } }
        }));
        let answer = gateway.get("/x");
        assert_eq!((answer.status, answer.text().as_str()), (404, ""), "{encoding} {body:?}");
        assert!(gateway.access_log(1).contains("failure=upstream_status"));
    }
}
