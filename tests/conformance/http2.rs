//! HTTP/2 as RFC 9113 has it, and what becomes of it upstream, where HTTP/1.1 is spoken: one well-formed request or none.

use crate::support::client::Connection;
use crate::support::gateway::{Running, endpoint};
use crate::support::h2_frames::{
    DATA, END_HEADERS, END_STREAM, Frames, HEADERS, Outcome, PROTOCOL_ERROR, block, field, frame, pseudo,
};
use crate::support::reply::Reply;
use crate::support::tls_edge::TlsEdge;
use crate::support::tool::{self, Said, find};
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

/// A gateway that speaks HTTP/2 without TLS; `/x` takes any method, and every field and parameter goes on.
struct Edge {
    upstream: Upstream,
    gateway: Running,
}

impl Edge {
    fn new() -> Self {
        Self::before(Upstream::echo())
    }

    fn before(upstream: Upstream) -> Self {
        let open = |path: &str, method: &str| {
            let mut endpoint = endpoint(path, &upstream.url(), path);
            endpoint["method"] = json!(method);
            endpoint["input_headers"] = json!(["*"]);
            endpoint["input_query_strings"] = json!(["*"]);
            endpoint["timeout"] = json!("1s");
            endpoint
        };
        let gateway = Running::start(json!({ "use_h2c": true, "endpoints": [open("/x", "*"), open("/get", "GET")] }));
        Self { upstream, gateway }
    }

    fn client(&self) -> Frames {
        Frames::open(self.gateway.address)
    }

    /// What curl says, which begins with HTTP/2.
    #[track_caller]
    fn curl(&self, target: &str, words: &str) -> Said {
        let url = format!("http://{}{target}", self.gateway.address);
        tool::say("curl", &format!("-sS --http2-prior-knowledge {words} {url}"), b"")
    }

    /// The one request that reached the upstream, as it saw it.
    #[track_caller]
    fn one(&self) -> crate::support::upstream::Request {
        assert_eq!(self.upstream.violations(), [""; 0]);
        self.upstream.only_request()
    }
}

/// A block with these fields after ordinary pseudo-header fields.
fn with(method: &str, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    block(&[&pseudo(method, path)[..], fields].concat())
}

#[test]
fn rfc9113_3_3_clients_that_know_begin_with_http_2_and_all_others_with_http_1() {
    let edge = Edge::new();
    let said = edge.curl("/get", "-o /dev/null -w %{http_version}|%{http_code}");
    assert_eq!(said.out, "2|200", "{}", said.text());
    assert_eq!(edge.gateway.get("/get").status, 200);
    let log = edge.gateway.access_log(2);
    assert!(log.contains("HTTP/2") && log.contains("HTTP/1.1"), "{log}");
}

#[test]
fn without_use_h2c_a_preface_is_a_bad_request() {
    let gateway = Running::start(json!({ "endpoints": [] }));
    let answer = crate::support::client::try_send(gateway.address, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    assert_eq!(answer.status, 400);
}

#[test]
fn the_key_may_stand_in_the_router_and_a_listener_may_say_otherwise() {
    let listeners = json!([{ "listen": "127.0.0.1:0" }, { "listen": "127.0.0.1:0", "use_h2c": false }]);
    let extra = json!({ "router": { "use_h2c": true }, "listeners": listeners });
    let gateway = Running::start(json!({ "extra_config": extra, "endpoints": [] }));
    let asked = |address| Frames::open(address).request(1, &pseudo("GET", "/__health")).status();
    assert_eq!((asked(gateway.address), asked(gateway.further[0])), (200, 200));
    let answer = crate::support::client::try_send(gateway.further[1], "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    assert_eq!(answer.status, 400);
}

#[test]
fn rfc9113_8_3_1_authority_is_what_forwarded_fields_tell_upstream() {
    let edge = Edge::new();
    let said = edge.curl("/x?a=1", "-H Host:shop.test:81");
    assert!(said.ok, "{}", said.text());
    let seen = edge.one();
    assert_eq!((seen.method.as_str(), seen.target.as_str(), seen.version.as_str()), ("GET", "/x?a=1", "HTTP/1.1"));
    assert_eq!(seen.header("x-forwarded-host"), Some("shop.test:81"));
    assert_eq!(seen.header("host"), edge.upstream.url().strip_prefix("http://"));
    assert_eq!(seen.headers.all("host").len(), 1);
}

#[test]
fn bodies_pass_in_both_directions() {
    let edge = Edge::before(Upstream::start(|request| Reply::new(200).body(request.body.clone())));
    let folder = tempfile::tempdir().unwrap();
    let (sent, came) = (folder.path().join("sent"), folder.path().join("came"));
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(&sent, &body).unwrap();
    let said = edge.curl("/x", &format!("--data-binary @{} -o {} -w %{{http_code}}", sent.display(), came.display()));
    assert_eq!(said.out, "200", "{}", said.text());
    assert!(std::fs::read(&came).unwrap() == body);
    // Without a length the body goes on in chunks.
    let mut client = edge.client();
    client.send(
        [
            frame(HEADERS, END_HEADERS, 1, &with("POST", "/x", &[])),
            frame(DATA, 0, 1, b"hel"),
            frame(DATA, END_STREAM, 1, b"lo"),
        ]
        .concat(),
    );
    assert_eq!(client.outcome(1), Outcome::Answer { status: 200, body: b"hello".to_vec(), cut: false });
    assert_eq!(edge.upstream.violations(), [""; 0]);
}

#[test]
fn rfc9110_9_3_2_head_is_answered_with_the_head_alone() {
    let edge = Edge::before(Upstream::start(|_| Reply::text("hello")));
    let mut client = edge.client();
    for (stream, path, status) in [(1, "/x", 200), (3, "/none", 404), (5, "/get", 200), (7, "/__health", 200)] {
        let outcome = client.request(stream, &pseudo("HEAD", path));
        assert_eq!(outcome, Outcome::Answer { status, body: Vec::new(), cut: false }, "{path}");
    }
}

#[test]
fn own_answers_are_those_of_http_1() {
    let edge = Edge::new();
    let mut client = edge.client();
    for (stream, method, path, status) in
        [(1, "GET", "/none", 404), (3, "POST", "/get", 405), (5, "GET", "/%2e%2e/x", 400), (7, "GET", "/__health", 200)]
    {
        assert_eq!(client.request(stream, &pseudo(method, path)).status(), status, "{path}");
    }
    let said = edge.curl("/get", "-i -X POST");
    assert!(said.out.starts_with("HTTP/2 405") && said.out.contains("allow: "), "{}", said.text());
    assert_eq!(edge.upstream.heads(), 0);
}

#[test]
fn rfc9113_8_2_2_answers_have_no_fields_of_the_connection() {
    let edge = Edge::before(Upstream::start(|_| {
        Reply::raw_then_close(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close, x-gone\r\nKeep-Alive: timeout=5\r\n\
             Proxy-Connection: close\r\nUpgrade: h2c\r\nX-Gone: 1\r\nX-Stays: 1\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        )
    }));
    let said = edge.curl("/x", "-i");
    let (head, body) = said.out.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "hello");
    let head = head.to_lowercase();
    assert!(head.contains("x-stays: 1"), "{head}");
    for name in ["transfer-encoding", "connection", "keep-alive", "proxy-connection", "upgrade", "x-gone"] {
        assert!(!head.contains(&format!("{name}:")), "{head}");
    }
}

#[test]
fn nghttp_gets_many_answers_on_one_connection() {
    if find("nghttp").is_none() {
        return;
    }
    let edge = Edge::new();
    let url = format!("http://{}/get", edge.gateway.address);
    let said = tool::say("nghttp", &format!("-m 50 -n -s {url}"), b"");
    assert!(said.ok, "{}", said.text());
    let answers = said.out.lines().filter(|line| line.contains(" 200 ")).count();
    assert_eq!((answers, edge.upstream.requests().len()), (50, 50), "{}", said.text());
    assert_eq!(edge.upstream.violations(), [""; 0]);
}

#[test]
fn rfc9113_8_1_1_malformed_requests_are_errors_of_their_stream() {
    const METHOD: (&str, &str) = (":method", "GET");
    const SCHEME: (&str, &str) = (":scheme", "http");
    const HOST: (&str, &str) = (":authority", "porteur.test");
    const PATH: (&str, &str) = (":path", "/x");
    let edge = Edge::new();
    for fields in [
        // §8.3.1: none is missing, none comes twice, none is of an answer, none unknown, none after a regular one.
        &[SCHEME, HOST, PATH][..],
        &[METHOD, SCHEME, HOST],
        &[METHOD, HOST, PATH],
        &[METHOD, SCHEME, PATH],
        &[METHOD, METHOD, SCHEME, HOST, PATH],
        &[METHOD, SCHEME, HOST, PATH, PATH],
        &[METHOD, SCHEME, HOST, HOST, PATH],
        &[METHOD, SCHEME, HOST, PATH, (":status", "200")],
        &[METHOD, SCHEME, HOST, PATH, (":unknown", "1")],
        &[METHOD, SCHEME, HOST, ("x-a", "1"), PATH],
        &[METHOD, SCHEME, HOST, PATH, ("x-a", "1"), (":method", "POST")],
        // §8.2.1, §8.2.2: names in lower case, and nothing of the connection.
        &[METHOD, SCHEME, HOST, PATH, ("X-Upper", "1")],
        &[METHOD, SCHEME, HOST, PATH, ("", "1")],
        &[METHOD, SCHEME, HOST, PATH, ("x a", "1")],
        &[METHOD, SCHEME, HOST, PATH, ("x:a", "1")],
        &[METHOD, SCHEME, HOST, PATH, ("connection", "close")],
        &[METHOD, SCHEME, HOST, PATH, ("keep-alive", "1")],
        &[METHOD, SCHEME, HOST, PATH, ("proxy-connection", "close")],
        &[METHOD, SCHEME, HOST, PATH, ("transfer-encoding", "chunked")],
        &[METHOD, SCHEME, HOST, PATH, ("upgrade", "websocket")],
        &[METHOD, SCHEME, HOST, PATH, ("te", "gzip")],
        // §8.3.1 once more: the same host, if both tell it; RFC 9112 §3.2: no user in it, and no second one.
        &[METHOD, SCHEME, HOST, PATH, ("host", "other.test")],
        &[METHOD, SCHEME, PATH, ("host", "a.test"), ("host", "b.test")],
        &[METHOD, SCHEME, (":authority", "user@porteur.test"), PATH],
        &[METHOD, SCHEME, (":authority", ""), PATH],
        &[METHOD, SCHEME, (":authority", "a,b"), PATH],
        // What would be another request line in HTTP/1.
        &[METHOD, SCHEME, HOST, (":path", "")],
        &[METHOD, SCHEME, HOST, (":path", "x")],
        &[METHOD, SCHEME, HOST, (":path", "*")],
        &[METHOD, SCHEME, HOST, (":path", "/x y")],
        &[METHOD, SCHEME, HOST, (":path", "/x HTTP/1.1\r\nHost: a\r\n\r\nGET /y")],
        &[METHOD, SCHEME, HOST, (":path", "/x\0")],
        &[METHOD, SCHEME, HOST, (":path", "http://other.test/x")],
        &[(":method", "GET /y HTTP/1.1\r\n\r\nGET"), SCHEME, HOST, PATH],
        &[(":method", "G T"), SCHEME, HOST, PATH],
        &[(":method", ""), SCHEME, HOST, PATH],
        &[METHOD, (":scheme", "http\r\nx: y"), HOST, PATH],
        &[METHOD, SCHEME, (":authority", "a\r\nx: y"), PATH],
        // What would be another field, or the end of the head.
        &[METHOD, SCHEME, HOST, PATH, ("x-a", "1\r\nX-B: 2")],
        &[METHOD, SCHEME, HOST, PATH, ("x-a", "1\nX-B: 2")],
        &[METHOD, SCHEME, HOST, PATH, ("x-a", "1\r")],
        &[METHOD, SCHEME, HOST, PATH, ("x-a", "\0")],
        &[METHOD, SCHEME, HOST, PATH, ("x-a\r\nx-b", "1")],
    ] {
        let mut client = edge.client();
        let outcome = client.request(1, fields);
        // The library takes some of them for errors of the connection, as it may (§5.4.2): names that are none, for one.
        let ended = outcome == Outcome::Ended(Some(PROTOCOL_ERROR));
        let refused = outcome == Outcome::Reset(PROTOCOL_ERROR) || outcome.status() == 400;
        assert!(refused || ended, "{fields:?}: {outcome:?}");
        assert!(ended || client.is_alive(), "{fields:?}: the connection is no worse");
    }
    assert_eq!(edge.upstream.heads(), 0);
}

#[test]
fn rfc9110_9_3_7_options_of_the_server_are_answered_here() {
    let edge = Edge::new();
    let mut client = edge.client();
    assert_eq!(client.request(1, &pseudo("OPTIONS", "*")).status(), 200);
    assert_eq!(client.request(3, &pseudo("GET", "*")).status(), 400);
    assert_eq!(edge.upstream.heads(), 0);
}

/// Nothing of them is waited for that a preface would still have.
#[test]
fn requests_of_http_1_that_are_shorter_than_a_preface_are_answered_at_once() {
    let edge = Edge::new();
    for bytes in ["GET /x HTTP/1.0\r\n\r\n", "PUT /x HTTP/1.0\r\n\r\n", "PRI /x HTTP/1.0\r\n\r\n"] {
        let mut client = Connection::open(edge.gateway.address);
        assert_eq!(client.request(bytes).status, 200, "{bytes:?}");
    }
}

/// The library takes it off before anybody has seen it.
#[test]
fn rfc9113_8_3_1_a_fragment_does_not_go_on() {
    let edge = Edge::new();
    assert_eq!(edge.client().request(1, &pseudo("GET", "/x#a")).status(), 200);
    assert_eq!(edge.one().target, "/x");
}

#[test]
fn allowed_hosts_are_asked_for_authority() {
    let upstream = Upstream::echo();
    let security = json!({ "security/http": { "allowed_hosts": ["porteur.test"] } });
    let gateway = Running::start(json!({
        "use_h2c": true, "extra_config": security, "endpoints": [endpoint("/x", &upstream.url(), "/x")],
    }));
    let mut client = Frames::open(gateway.address);
    assert_eq!(client.request(1, &pseudo("GET", "/x")).status(), 200);
    let other = [(":method", "GET"), (":scheme", "http"), (":authority", "other.test"), (":path", "/x")];
    assert_eq!(client.request(3, &other).status(), 403);
    assert_eq!(upstream.heads(), 1);
}

/// The method of a tunnel, which there is none of, in its own form (§8.5) and as a request of RFC 8441.
#[test]
fn rfc9113_8_5_connect_is_not_served() {
    let edge = Edge::new();
    for fields in [
        &[(":method", "CONNECT"), (":authority", "other.test:80")][..],
        &pseudo("CONNECT", "/x"),
        &[&pseudo("CONNECT", "/x")[..], &[(":protocol", "websocket")]].concat(),
    ] {
        let outcome = edge.client().request(1, fields);
        let refused = matches!(outcome, Outcome::Reset(_)) || matches!(outcome.status(), 400 | 405);
        assert!(refused, "{fields:?}: {outcome:?}");
    }
    assert_eq!(edge.upstream.heads(), 0);
}

/// H2.CL: were the length believed, what follows would be a request of its own.
#[test]
fn rfc9113_8_1_1_content_length_is_the_length_of_the_data() {
    const REST: &[u8] = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for (length, data) in [("0", REST), ("5", REST), ("1000", REST), ("-1", REST), ("+5", b"hello"), ("5, 6", b"hello")]
    {
        let edge = Edge::new();
        let mut client = edge.client();
        client.send(frame(HEADERS, END_HEADERS, 1, &with("POST", "/x", &[("content-length", length)])));
        client.send(frame(DATA, END_STREAM, 1, data));
        let outcome = client.outcome(1);
        let is_ok = outcome.status() == 200;
        assert!(!is_ok, "{length}: {outcome:?}");
        assert_eq!(edge.gateway.get("/get").status, 200, "whoever comes next gets their own answer");
        let mut targets: Vec<_> = edge.upstream.requests().into_iter().map(|request| request.target).collect();
        targets.sort();
        // With `0` it is a whole request at once, before the data come.
        assert!(
            targets == ["/get"] || (length == "0" && targets == ["/get", "/x"]),
            "targets for {length}: {targets:?}"
        );
        assert_eq!(edge.upstream.violations(), [""; 0], "{length}");
    }
}

/// H2.TE: were the coding believed, what follows its last chunk would be a request of its own.
#[test]
fn rfc9113_8_2_2_a_transfer_coding_frames_nothing() {
    const DATA_OF_TWO: &[u8] = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for coding in [("transfer-encoding", "chunked"), ("transfer-encoding", "trailers"), ("te", "chunked")] {
        let edge = Edge::new();
        let mut client = edge.client();
        client.send(frame(HEADERS, END_HEADERS, 1, &with("POST", "/x", &[coding])));
        client.send(frame(DATA, END_STREAM, 1, DATA_OF_TWO));
        let outcome = client.outcome(1);
        assert!(outcome == Outcome::Reset(PROTOCOL_ERROR) || outcome.status() == 400, "{coding:?}: {outcome:?}");
        assert_eq!(edge.gateway.get("/get").status, 200, "whoever comes next gets their own answer");
        assert_eq!(edge.one().target, "/get", "{coding:?}");
    }
}

#[test]
fn rfc9113_8_1_1_a_length_without_data_is_malformed() {
    let edge = Edge::new();
    let outcome = edge.client().request(1, &[&pseudo("POST", "/x")[..], &[("content-length", "5")]].concat());
    assert_ne!(outcome.status(), 200, "{outcome:?}");
    let twice = [("content-length", "5"), ("content-length", "6")];
    let outcome = edge.client().request(1, &[&pseudo("POST", "/x")[..], &twice].concat());
    assert_ne!(outcome.status(), 200, "{outcome:?}");
    assert_eq!(edge.upstream.requests().len(), 0);
}

/// In HTTP/1 only one field of this name may go on, and readers that know only one take the first or the last.
#[test]
fn rfc9113_8_2_3_crumbs_of_cookies_are_one_field_upstream() {
    let edge = Edge::new();
    let cookies = [("cookie", "a=1"), ("x-between", "1"), ("cookie", "b=2"), ("cookie", "c=3")];
    assert_eq!(edge.client().request(1, &[&pseudo("GET", "/x")[..], &cookies].concat()).status(), 200);
    assert_eq!(edge.one().headers.all("cookie"), ["a=1; b=2; c=3"]);
}

/// Bytes beyond ASCII may stand in values (RFC 9110 §5.5), and blanks around a value are none of it.
#[test]
fn values_that_http_1_can_carry_go_on_as_they_are() {
    let edge = Edge::new();
    let mut fields = with("GET", "/x?q=%20%2F", &[("te", "trailers"), ("x-empty", "")]);
    fields.extend(field(b"x-latin", &[0xe9]));
    let mut client = edge.client();
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields));
    assert_eq!(client.outcome(1).status(), 200);
    let seen = edge.one();
    assert_eq!(seen.target, "/x?q=%20%2F");
    assert!(seen.head.windows(4).any(|bytes| bytes.eq_ignore_ascii_case(b": \xe9\r")), "{:?}", seen.headers);
}

/// RFC 9113 §8.1: trailers end a request. None of them goes on, so that none is taken for what it is not.
#[test]
fn rfc9113_8_1_trailers_neither_frame_nor_route() {
    for (trailer, ends) in [
        ((":path", "/y"), true),
        (("connection", "close"), true),
        (("transfer-encoding", "chunked"), true),
        (("content-length", "0"), true),
        (("authorization", "x"), true),
        (("x-a", "1"), false),
    ] {
        let edge = Edge::new();
        let mut client = edge.client();
        client.send(frame(HEADERS, END_HEADERS, 1, &with("POST", "/x", &[])));
        client.send(frame(DATA, 0, 1, b"hello"));
        client.send(frame(HEADERS, END_HEADERS | u8::from(ends), 1, &block(&[trailer])));
        let outcome = client.outcome(1);
        assert!(ends || outcome.status() != 200, "{trailer:?}: {outcome:?}");
        assert!(edge.upstream.requests().len() <= 1 && edge.upstream.violations().is_empty(), "{trailer:?}");
        for seen in edge.upstream.requests() {
            assert_eq!((seen.target.as_str(), seen.text().as_str()), ("/x", "hello"), "{trailer:?}");
            assert!(seen.trailers.0.is_empty(), "{trailer:?}: {:?}", seen.trailers);
            assert!(!seen.headers.has("authorization") && !seen.headers.has("connection"), "{trailer:?}");
        }
    }
}

#[test]
fn over_tls_it_is_agreed_on_and_nothing_but_its_preface_begins_it() {
    let edge = TlsEdge::with(json!({}));
    let said = edge.curl("/x", "--http2 -w |%{http_version}");
    assert_eq!(said.out, "hello|2", "{}", said.text());
    let seen = edge.upstream.only_request();
    assert!(seen.header("x-forwarded-host").is_some_and(|host| host.starts_with("edge.test:")), "{:?}", seen.headers);
    let said = edge.s_client("-alpn h2");
    assert!(said.out.contains("ALPN protocol: h2\n") && !said.out.contains("HTTP/1.1 "), "{}", said.text());
    assert_eq!(edge.upstream.requests().len(), 1);
}

/// The client of another library, which is strict in what it takes.
#[test]
fn the_h2_library_gets_its_answers() {
    let edge = Edge::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seen: Value = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(edge.gateway.address).await.unwrap();
        let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = http::Request::post("http://shop.test/x").body(()).unwrap();
        let (answer, mut body) = client.send_request(request, false).unwrap();
        body.send_data("hello".into(), true).unwrap();
        let mut answer = answer.await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
        let mut bytes = Vec::new();
        while let Some(data) = answer.body_mut().data().await {
            bytes.extend(data.unwrap());
        }
        connection.abort();
        serde_json::from_slice(&bytes).unwrap()
    });
    assert_eq!((seen["method"].as_str(), seen["body"].as_str()), (Some("POST"), Some("hello")));
}
