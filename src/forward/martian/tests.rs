//! Each modifier by what it does to a message, read from a configuration as users write it.

use super::*;
use crate::config::{Format, Options, load_text};
use http::{HeaderMap, Method, StatusCode, Version};
use proptest::prelude::*;
use std::collections::HashMap;

/// The modifiers of a backend behind `/a/{id}`.
fn martian(tree: &str) -> Martian {
    let text = format!(
        r#"{{"version": 3, "endpoints": [{{"endpoint": "/a/{{id}}", "output_encoding": "no-op", "backend": [{{
           "host": ["http://up:8000"], "extra_config": {{"modifier/martian": {tree}}} }}] }}]}}"#
    );
    let loaded = load_text("k.json", Format::Json, text, &Options::default(), &HashMap::<String, String>::new());
    let model = loaded.model.unwrap_or_else(|| panic!("{}", loaded.report.render(false)));
    model.endpoints[0].answer.backends()[0].martian.clone().expect("a tree")
}

/// What a client sends, as far as values take from it.
struct Sender<'p> {
    path: &'p str,
    headers: HeaderMap,
    params: Params,
}

impl<'p> Sender<'p> {
    fn new(path: &'p str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("x-lang", HeaderValue::from_static("de, en"));
        let end = u32::try_from(path.len()).expect("short");
        Self { path, headers, params: Params { values: [(3, end)].into_iter().collect(), ..Params::default() } }
    }

    fn client(&self) -> Client<'_> {
        let view = RequestView {
            method: &Method::GET,
            raw_target: self.path.as_bytes(),
            path: self.path,
            query: Some("q=a+b&q=c&x=%26y"),
            headers: &self.headers,
            version: Version::HTTP_11,
            client: None,
            secure: false,
            proxy: None,
        };
        Client { view, params: &self.params }
    }
}

/// A request after its modifiers.
#[derive(Debug)]
struct Up {
    head: RequestHeader,
    destination: Destination<'static>,
    body: Option<Bytes>,
    outcome: Outcome,
}

fn head(target: &str, headers: &[(&'static str, &str)]) -> RequestHeader {
    let mut head = RequestHeader::build("GET", target.as_bytes(), None).expect("a head");
    head.insert_header("Host", "up:8000").expect("a header");
    for (name, value) in headers {
        head.append_header(*name, *value).expect("a header");
    }
    head
}

fn send_as(sender: &Sender<'_>, tree: &str, mut head: RequestHeader) -> Result<Up, MartianError> {
    let martian = martian(tree);
    let destination = Destination::new(false, "up:8000");
    let mut outgoing = OutgoingRequest { head: &mut head, destination, body: None, client: sender.client() };
    let outcome = request(&martian, &mut outgoing)?;
    let (destination, body) = (outgoing.destination.detached(), outgoing.body);
    Ok(Up { head, destination, body, outcome })
}

fn send(tree: &str, target: &str, headers: &[(&'static str, &str)]) -> Up {
    send_as(&Sender::new("/a/7"), tree, head(target, headers)).expect("no failure")
}

fn lines<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h str> {
    headers.get_all(name).iter().map(|value| value.to_str().expect("text")).collect()
}

impl Up {
    fn lines(&self, name: &str) -> Vec<&str> {
        lines(&self.head.headers, name)
    }

    fn lines_of<'h>(&'h self, name: &'static str) -> impl Iterator<Item = &'h [u8]> {
        self.head.headers.get_all(name).iter().map(HeaderValue::as_bytes)
    }

    fn wire(&self) -> String {
        let mut wire = Vec::new();
        self.head.header_to_h1_wire(&mut wire);
        String::from_utf8(wire).expect("text")
    }
}

/// An answer after its modifiers.
struct Down {
    head: ResponseHeader,
    body: Option<Bytes>,
    failed: u32,
}

fn answer_to(up: &Up, tree: &str, status: u16, headers: &[(&'static str, &str)]) -> Down {
    let mut head = ResponseHeader::build(status, None).expect("a head");
    for (name, value) in headers {
        head.append_header(*name, *value).expect("a header");
    }
    let sender = Sender::new("/a/7");
    let sent = &up.outcome.sent;
    let mut outgoing = OutgoingResponse { head: &mut head, body: None, client: sender.client(), sent };
    let failed = response(&martian(tree), &mut outgoing).expect("no failure");
    let body = outgoing.body;
    Down { head, body, failed }
}

fn answer(tree: &str, status: u16, headers: &[(&'static str, &str)]) -> Down {
    answer_to(&send(tree, "/b?x=1", &[]), tree, status, headers)
}

impl Down {
    fn lines(&self, name: &str) -> Vec<&str> {
        lines(&self.head.headers, name)
    }
}

/// Sets `X-Then`, to see whether a filter let it.
const THEN: &str = r#""modifier": {"header.Modifier": {"name": "X-Then", "value": "1"}}"#;

fn lets_pass(filter: &str, target: &str, headers: &[(&'static str, &str)]) -> bool {
    !send(&filter.replace("THEN", THEN), target, headers).lines("x-then").is_empty()
}

fn lets_answer_pass(filter: &str, headers: &[(&'static str, &str)]) -> bool {
    !answer(&filter.replace("THEN", THEN), 200, headers).lines("x-then").is_empty()
}

#[test]
fn a_header_is_replaced_on_both_sides_and_written_in_title_case() {
    let tree = r#"{"header.Modifier": {"name": "x-api-key", "value": "k"}}"#;
    let up = send(tree, "/b", &[("X-Api-Key", "a"), ("X-Api-Key", "b")]);
    assert_eq!(up.lines("x-api-key"), ["k"]);
    assert!(up.wire().contains("X-Api-Key: k\r\n"), "{}", up.wire());
    assert_eq!(answer(tree, 200, &[("X-Api-Key", "a")]).lines("x-api-key"), ["k"]);
}

#[test]
fn host_is_set_for_requests_and_the_connection_stays() {
    let up = send(r#"{"header.Modifier": {"scope": ["request"], "name": "Host", "value": "shop.test"}}"#, "/b", &[]);
    assert_eq!((up.lines("host"), &*up.destination.host), (vec!["shop.test"], "up"));
    for tree in
        [r#"{"header.Modifier": {"name": "Host", "value": ""}}"#, r#"{"header.Blacklist": {"names": ["Host"]}}"#]
    {
        assert_eq!(send(tree, "/b", &[]).lines("host"), ["up:8000"]);
    }
}

#[test]
fn a_value_is_added_beside_those_there_are() {
    let tree = r#"{"header.Append": {"name": "X-A", "value": "2"}}"#;
    assert_eq!(send(tree, "/b", &[("X-A", "1")]).lines("x-a"), ["1", "2"]);
    assert_eq!(answer(tree, 200, &[("Set-Cookie", "a=b")]).lines("x-a"), ["2"]);
}

#[test]
fn listed_headers_go() {
    let tree = r#"{"header.Blacklist": {"names": ["x-forwarded-for", "X-B"]}}"#;
    let up = send(tree, "/b", &[("X-Forwarded-For", "::1"), ("X-B", "1"), ("X-C", "1")]);
    assert_eq!((up.lines("x-forwarded-for").len(), up.lines("x-b").len(), up.lines("x-c").len()), (0, 0, 1));
    assert!(answer(tree, 200, &[("X-B", "1")]).lines("x-b").is_empty());
}

#[test]
fn the_first_value_is_copied_and_a_missing_source_gives_an_empty_header() {
    let tree = r#"{"header.Copy": {"from": "X-A", "to": "X-B"}}"#;
    assert_eq!(send(tree, "/b", &[("X-A", "1"), ("X-A", "2")]).lines("x-b"), ["1"]);
    assert_eq!(send(tree, "/b", &[("X-B", "old")]).lines("x-b"), [""]);
}

#[test]
fn a_copied_host_must_be_one() {
    let tree = r#"{"header.Copy": {"scope": ["request"], "from": "X-A", "to": "Host"}}"#;
    assert_eq!(send(tree, "/b", &[("X-A", "shop.test:81")]).lines("host"), ["shop.test:81"]);
    for bad in ["a b", "u@a", "a/b", "a,b"] {
        let failed = send_as(&Sender::new("/a/7"), tree, head("/b", &[("X-A", bad)]));
        assert_eq!(failed.unwrap_err(), MartianError::Host, "{bad}");
    }
}

#[test]
fn an_identifier_is_made_unless_there_is_one() {
    let up = send(r#"{"header.Id": {}}"#, "/b", &[]);
    let [id] = up.lines("x-krakend-id")[..] else { panic!("{}", up.wire()) };
    let lengths: Vec<_> = id.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
    let digit = |at: usize| id.as_bytes().get(at).copied();
    assert!(digit(14) == Some(b'4') && matches!(digit(19), Some(b'8' | b'9' | b'a' | b'b')), "{id}");
    assert_ne!(send(r#"{"header.Id": {}}"#, "/b", &[]).lines("x-krakend-id"), [id]);
    let named = r#"{"header.Id": {"header": "X-Request-Id"}}"#;
    assert_eq!(send(named, "/b", &[("X-Request-Id", "7")]).lines("x-request-id"), ["7"]);
    assert_eq!(send(named, "/b", &[("X-Request-Id", "")]).lines("x-request-id")[0].len(), 36);
}

#[test]
fn a_header_filter_compares_exactly_and_without_value_asks_for_an_empty_one() {
    let tree = r#"{"header.Filter": {"name": "x-a", "value": "Yes", THEN, "else": {"header.Modifier": {"name": "X-Else", "value": "1"}}}}"#;
    assert!(lets_pass(tree, "/b", &[("X-A", "no"), ("X-A", "Yes")]));
    assert!(!lets_pass(tree, "/b", &[("X-A", "yes")]));
    assert_eq!(send(&tree.replace("THEN", THEN), "/b", &[]).lines("x-else"), ["1"]);
    assert!(lets_answer_pass(tree, &[("X-A", "Yes")]) && !lets_answer_pass(tree, &[]));
    let bare = r#"{"header.Filter": {"name": "X-A", THEN}}"#;
    assert!(!lets_pass(bare, "/b", &[("X-A", "1")]) && !lets_pass(bare, "/b", &[]));
    assert!(lets_pass(bare, "/b", &[("X-A", "")]));
}

#[test]
fn a_header_regex_is_unanchored_and_asks_the_requests_header_on_both_sides() {
    let tree = r#"{"header.RegexFilter": {"header": "X-A", "regex": "b+", THEN}}"#;
    assert!(lets_pass(tree, "/b", &[("X-A", "abbc")]) && !lets_pass(tree, "/b", &[("X-A", "a"), ("X-A", "b")]));
    let any = r#"{"header.RegexFilter": {"header": "X-A", "regex": ".*", THEN}}"#;
    assert!(!lets_pass(any, "/b", &[]) && !lets_pass(any, "/b", &[("X-A", "")]));
    let tree = tree.replace("THEN", THEN);
    let down = |of: &'static str, headers| {
        let up = send(&tree, "/b", &[("X-A", of)]);
        !answer_to(&up, &tree, 200, headers).lines("x-then").is_empty()
    };
    assert!(down("b", &[]) && !down("a", &[("X-A", "b")]));
}

#[test]
fn a_body_brings_its_headers() {
    let tree = r#"{"body.Modifier": {"contentType": "text/plain", "body": "aGVsbG8="}}"#;
    let up = send(tree, "/b", &[("Content-Encoding", "gzip"), ("Transfer-Encoding", "chunked")]);
    assert_eq!(up.body.as_deref(), Some(&b"hello"[..]));
    assert_eq!((up.lines("content-type"), up.lines("content-length")), (vec!["text/plain"], vec!["5"]));
    assert!(up.lines("content-encoding").is_empty() && up.lines("transfer-encoding").is_empty());
    let down = answer(tree, 200, &[("Content-Encoding", "gzip"), ("Content-Length", "99")]);
    assert_eq!((down.body.as_deref(), down.lines("content-length")), (Some(&b"hello"[..]), vec!["5"]));
    let bare = send(r#"{"body.Modifier": {}}"#, "/b", &[("Content-Type", "x/y")]);
    assert_eq!((bare.lines("content-type"), bare.lines("content-length")), (vec![""], vec!["0"]));
}

#[test]
fn a_cookie_joins_the_others_in_a_request_and_is_set_in_an_answer() {
    let tree = r#"{"cookie.Modifier": {"name": "s", "value": "a b", "path": "/p", "domain": ".x.test",
        "expires": "2030-01-31T12:00:00+01:00", "maxAge": 60, "secure": true, "httpOnly": true}}"#;
    assert_eq!(send(tree, "/b", &[]).lines("cookie"), ["s=\"a b\""]);
    assert_eq!(send(tree, "/b", &[("Cookie", "a=1"), ("Cookie", "b=2")]).lines("cookie"), ["a=1; b=2; s=\"a b\""]);
    let expected =
        "s=\"a b\"; Path=/p; Domain=x.test; Expires=Thu, 31 Jan 2030 11:00:00 GMT; Max-Age=60; HttpOnly; Secure";
    assert_eq!(answer(tree, 200, &[("Set-Cookie", "o=1")]).lines("set-cookie"), ["o=1", expected]);
    let gone = r#"{"cookie.Modifier": {"scope": ["response"], "name": "s", "value": "", "maxAge": -1}}"#;
    assert_eq!(answer(gone, 200, &[]).lines("set-cookie"), ["s=; Max-Age=0"]);
}

#[test]
fn a_cookie_filter_goes_by_name_and_by_value_if_there_is_one() {
    let named = r#"{"cookie.Filter": {"name": "s", THEN}}"#;
    let valued = r#"{"cookie.Filter": {"name": "s", "value": "1", THEN}}"#;
    assert!(lets_pass(named, "/b", &[("Cookie", "a=1; s=9")]) && !lets_pass(named, "/b", &[("Cookie", "as=1")]));
    assert!(lets_pass(valued, "/b", &[("Cookie", "s=\"1\"")]) && !lets_pass(valued, "/b", &[("Cookie", "s=9")]));
    assert!(lets_answer_pass(valued, &[("Set-Cookie", "a=1"), ("Set-Cookie", "s=1; Path=/")]));
    assert!(!lets_answer_pass(valued, &[("Set-Cookie", "a=1; s=1"), ("Cookie", "s=1")]));
}

#[test]
fn parts_of_the_url_are_replaced_and_the_host_header_stays() {
    let up = send(
        r#"{"url.Modifier": {"scheme": "https", "host": "other.test:8443", "path": "p/a b%", "query": "z=1&y={}"}}"#,
        "/b?x=1",
        &[],
    );
    assert_eq!(up.head.uri, "/p/a%20b%25?z=1&y={}");
    assert_eq!((&*up.destination.host, up.destination.port(), up.destination.https), ("other.test", 8443, true));
    assert!(up.destination.is_elsewhere);
    assert_eq!(up.lines("host"), ["up:8000"]);
    let up = send(r#"{"url.Modifier": {"path": "/p"}}"#, "/b?x=1", &[]);
    assert_eq!((up.head.uri.to_string().as_str(), up.destination.is_elsewhere), ("/p?x=1", false));
    let up = send(r#"{"url.Modifier": {"query": "z=1"}}"#, "/b%2F?x=1", &[]);
    assert_eq!(up.head.uri, "/b%2F?z=1");
}

#[test]
fn a_url_filter_compares_the_parts_it_has() {
    for (parts, expected) in [
        (r#""scheme": "http""#, true),
        (r#""scheme": "https""#, false),
        (r#""host": "up:8000""#, true),
        (r#""host": "up""#, false),
        (r#""host": "*""#, true),
        (r#""host": "*.up:8000""#, false),
        (r#""path": "/b c""#, true),
        (r#""path": "/b""#, false),
        (r#""query": "x=1&y=2""#, true),
        (r#""query": "x=1""#, false),
        (r#""path": "/b c", "scheme": "https""#, false),
    ] {
        let tree = format!(r#"{{"url.Filter": {{{parts}, THEN}}}}"#);
        assert_eq!(lets_pass(&tree, "/b%20c?x=1&y=2", &[]), expected, "{parts}");
    }
    // An answer is asked for the URL of its request.
    assert!(lets_answer_pass(r#"{"url.Filter": {"path": "/b", "query": "x=1", THEN}}"#, &[]));
    assert!(!lets_answer_pass(r#"{"url.Filter": {"path": "/c", THEN}}"#, &[]));
}

#[test]
fn a_host_pattern_has_a_star_for_each_label() {
    let matches = |host: &'static str, pattern: &str| {
        let destination = Destination::new(false, host);
        let parts = crate::config::model::martian::UrlParts { host: Some(pattern.into()), ..Default::default() };
        url::Url { destination: &destination, path: "/", query: None }.has(&parts)
    };
    assert!(matches("www.example.com", "*.example.com") && matches("a.b.com:81", "*.*.com:81"));
    assert!(!matches("a.b.example.com", "*.example.com") && !matches("example.com", "*.example.com"));
    assert!(matches("[::1]:81", "[::1]:81"));
}

#[test]
fn a_url_regex_sees_the_query() {
    let tree = |regex| format!(r#"{{"url.RegexFilter": {{"regex": "{regex}", THEN}}}}"#);
    assert!(lets_pass(&tree("^http://up:8000/b\\\\?x=1$"), "/b?x=1", &[]));
    assert!(!lets_pass(&tree("/b$"), "/b?x=1", &[]));
    assert!(lets_answer_pass(&tree("x=1$"), &[]));
}

#[test]
fn a_parameter_is_set_and_the_query_sorted_and_encoded_anew() {
    let tree = r#"{"querystring.Modifier": {"name": "b", "value": "a &*~"}}"#;
    assert_eq!(send(tree, "/p?z=%20&b=1&a=%C3%A9&b=2&z=1", &[]).head.uri, "/p?a=%C3%A9&b=a+%26%2A~&z=+&z=1");
    assert_eq!(send(tree, "/p", &[]).head.uri, "/p?b=a+%26%2A~");
}

#[test]
fn a_parameter_filter_goes_by_name_and_by_value_if_there_is_one() {
    let named = r#"{"querystring.Filter": {"name": "a b", THEN}}"#;
    let valued = r#"{"querystring.Filter": {"name": "x", "value": "1", THEN}}"#;
    assert!(lets_pass(named, "/b?a+b=", &[]) && !lets_pass(named, "/b?a=b", &[]));
    assert!(lets_pass(valued, "/b?x=0&x=1", &[]) && !lets_pass(valued, "/b?x=0", &[]) && !lets_pass(valued, "/b", &[]));
    assert!(lets_answer_pass(valued, &[]));
}

#[test]
fn the_port_to_connect_to_changes_and_the_host_header_stays() {
    for (change, port, elsewhere) in [
        (r#""port": 9000"#, 9000, true),
        (r#""port": 8000"#, 8000, false),
        (r#""remove": true"#, 80, true),
        (r#""defaultForScheme": true"#, 80, true),
    ] {
        let up = send(&format!(r#"{{"port.Modifier": {{{change}}}}}"#), "/b", &[]);
        assert_eq!((up.destination.port(), up.destination.is_elsewhere), (port, elsewhere), "{change}");
        assert_eq!(up.lines("host"), ["up:8000"]);
    }
}

#[test]
fn a_port_filter_knows_the_ports_of_schemes() {
    assert!(lets_pass(r#"{"port.Filter": {"port": 8000, THEN}}"#, "/b", &[]));
    assert!(!lets_pass(r#"{"port.Filter": {"port": 80, THEN}}"#, "/b", &[]));
    assert!(lets_answer_pass(r#"{"port.Filter": {"port": 8000, THEN}}"#, &[]));
    let tree = r#"{"fifo.Group": {"scope": ["request"], "modifiers": [
        {"url.Modifier": {"scheme": "https", "host": "x.test"}}, {"port.Filter": {"port": 443, THEN}}]}}"#;
    assert!(lets_pass(tree, "/b", &[]));
}

#[test]
fn the_url_is_stashed_and_comes_back() {
    let tree = r#"{"stash.Modifier": {"headerName": "X-Url"}}"#;
    let up = send(tree, "/b?x=1", &[]);
    assert_eq!(up.lines("x-url"), ["http://up:8000/b?x=1"]);
    assert_eq!(answer_to(&up, tree, 200, &[]).lines("x-url"), ["http://up:8000/b?x=1"]);
}

#[test]
fn a_status_is_set_and_the_body_framed_by_it() {
    let status = |to: u16, from: u16, headers: &[(&'static str, &str)]| {
        answer(&format!(r#"{{"status.Modifier": {{"statusCode": {to}}}}}"#), from, headers)
    };
    let down = status(200, 404, &[("Content-Length", "3")]);
    assert_eq!((down.head.status, down.body,), (StatusCode::OK, None));
    let down = status(204, 200, &[("Content-Length", "3"), ("Transfer-Encoding", "chunked")]);
    assert_eq!(down.body.as_deref(), Some(&b""[..]));
    assert!(down.lines("content-length").is_empty() && down.lines("transfer-encoding").is_empty());
    // The length of what a 304 stands for is none that follows.
    assert_eq!(status(200, 304, &[("Content-Length", "3")]).lines("content-length"), ["0"]);
    assert_eq!(status(200, 204, &[]).lines("content-length"), ["0"]);
}

#[test]
fn a_file_answers_in_place_of_the_upstream() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(folder.path().join("a.json"), "{\"a\":1}").expect("written");
    std::fs::write(folder.path().join("b c.txt"), "text").expect("written");
    std::os::unix::fs::symlink(secret.path(), folder.path().join("link")).expect("a link");
    let root = folder.path().display();
    let tree = format!(r#"{{"static.Modifier": {{"rootPath": "{root}", "explicitPaths": {{"/x/y": "b c.txt"}}}}}}"#);
    let get = |target: &str, headers| {
        let up = send(&tree, target, headers);
        assert_eq!(up.outcome.next, Next::Answer);
        answer_to(&up, &tree, 200, &[])
    };
    let down = get("/a.json?x", &[]);
    assert_eq!((down.head.status, down.body.as_deref()), (StatusCode::OK, Some(&b"{\"a\":1}"[..])));
    assert_eq!((down.lines("content-type"), down.lines("content-length")), (vec!["application/json"], vec!["7"]));
    assert_eq!(get("/b%20c.txt", &[]).body.as_deref(), Some(&b"text"[..]));
    assert_eq!(get("/x/./y", &[]).body.as_deref(), Some(&b"text"[..]));
    let part = get("/a.json", &[("Range", "bytes=1-3")]);
    assert_eq!((part.head.status.as_u16(), part.body.as_deref()), (206, Some(&b"\"a\""[..])));
    assert_eq!(part.lines("content-range"), ["bytes 1-3/7"]);
    let outside = format!("/..{}", secret.path().display());
    for missing in ["/", "/nope", "/link", "/%2e%2e/%2e%2e/etc/passwd", "/a.json%00", &outside] {
        let down = get(missing, &[]);
        assert_eq!((down.head.status.as_u16(), down.body.as_deref()), (404, Some(&b""[..])), "{missing}");
    }
}

#[test]
fn verifiers_count_and_change_nothing() {
    let tree = r#"{"fifo.Group": {"modifiers": [
        {"header.Verifier": {"name": "X-A"}}, {"header.Verifier": {"name": "X-A", "value": "1"}},
        {"url.Verifier": {"path": "/b"}}, {"querystring.Verifier": {"name": "x"}},
        {"querystring.Verifier": {"name": "y"}}, {"status.Verifier": {"statusCode": 201}}]}}"#;
    let up = send(tree, "/b?x=1", &[("X-A", "2")]);
    assert_eq!((up.outcome.failed_verifications, up.outcome.next), (2, Next::RoundTrip));
    assert_eq!(answer_to(&up, tree, 201, &[]).failed, 2);
    assert_eq!(answer_to(&up, tree, 200, &[("X-A", "1")]).failed, 1);
}

const LISTED: &str = r#"{"header.Append": {"name": "X-L", "value": "NAME"}}"#;

fn listed(name: &str) -> String {
    LISTED.replace("NAME", name)
}

#[test]
fn a_fifo_group_runs_in_order_within_its_scope() {
    let members = ["a", "b", "c"].map(listed).join(",");
    let tree = format!(r#"{{"fifo.Group": {{"scope": ["request"], "modifiers": [{members}]}}}}"#);
    let up = send(&tree, "/b", &[]);
    assert_eq!(up.lines("x-l"), ["a", "b", "c"]);
    assert!(answer_to(&up, &tree, 200, &[]).lines("x-l").is_empty());
    let none = r#"{"fifo.Group": {"scope": [], "modifiers": [MEMBERS]}}"#.replace("MEMBERS", &members);
    assert!(send(&none, "/b", &[]).lines("x-l").is_empty());
    let null = r#"{"fifo.Group": {"scope": null, "modifiers": [MEMBERS]}}"#.replace("MEMBERS", &members);
    assert_eq!(answer(&null, 200, &[]).lines("x-l").len(), 3);
}

#[test]
fn a_priority_group_runs_the_highest_first_and_of_equals_the_later() {
    let entry = |priority: i64, name: &str| format!(r#"{{"priority": {priority}, "modifier": {}}}"#, listed(name));
    let entries = [entry(0, "a"), entry(10, "b"), entry(-1, "c"), entry(0, "d"), entry(10, "e")].join(",");
    let tree = format!(r#"{{"priority.Group": {{"modifiers": [{entries}]}}}}"#);
    assert_eq!(send(&tree, "/b", &[]).lines("x-l"), ["e", "b", "d", "a", "c"]);
}

#[test]
fn a_failure_ends_a_group_unless_errors_are_gathered_and_fails_the_request_either_way() {
    let failing = r#"{"header.Copy": {"from": "X-Bad", "to": "Host"}}"#;
    let tree = |gather: &str| {
        format!(r#"{{"fifo.Group": {{"scope": ["request"]{gather}, "modifiers": [{failing}, {}]}}}}"#, listed("a"))
    };
    for (gather, ran) in [("", false), (r#", "aggregateErrors": true"#, true)] {
        let martian = martian(&tree(gather));
        let (sender, mut head) = (Sender::new("/a/7"), head("/b", &[("X-Bad", "a b")]));
        let destination = Destination::new(false, "up:8000");
        let mut outgoing = OutgoingRequest { head: &mut head, destination, body: None, client: sender.client() };
        assert_eq!(request(&martian, &mut outgoing).unwrap_err(), MartianError::Host);
        assert_eq!(head.headers.contains_key("x-l"), ran);
    }
}

#[test]
fn values_take_parts_of_the_clients_request() {
    let set = |value: &str| format!(r#"{{"header.Modifier": {{"name": "X-V", "value": "{value}"}}}}"#);
    let filled = |value: &str| {
        let up = send(&set(value), "/b", &[("X-Lang", "changed")]);
        up.lines("x-v")[0].to_owned()
    };
    assert_eq!(filled("<${request.header.x-lang}>"), "<de, en>");
    assert_eq!(filled("${request.query.q}|${request.query.x}|${request.query.none}|"), "a b|&y||");
    assert_eq!(filled("id-${request.param.id}"), "id-7");
    let down = answer(&set("${request.param.id}"), 200, &[]);
    assert_eq!(down.lines("x-v"), ["7"]);
    let query = r#"{"querystring.Modifier": {"name": "v", "value": "${request.query.x}"}}"#;
    assert_eq!(send(query, "/b", &[]).head.uri, "/b?v=%26y");
    let url = r#"{"url.Modifier": {"path": "/u/${request.query.q}/x", "query": "l=${request.header.X-Lang}"}}"#;
    assert_eq!(send(url, "/b", &[]).head.uri, "/u/a%20b/x?l=de%2C+en");
    let filter = r#"{"header.Filter": {"name": "X-A", "value": "${request.query.q}", THEN}}"#;
    assert!(lets_pass(filter, "/b", &[("X-A", "a b")]) && !lets_pass(filter, "/b", &[("X-A", "")]));
}

#[test]
fn no_filled_in_value_ends_a_header_a_cookie_or_a_path() {
    let value = "${request.param.id}";
    let header = format!(r#"{{"header.Modifier": {{"name": "X-V", "value": "a{value}"}}}}"#);
    let cookie = format!(r#"{{"cookie.Modifier": {{"name": "s", "value": "{value}"}}}}"#);
    let path = format!(r#"{{"url.Modifier": {{"path": "/u/{value}/x"}}}}"#);
    let host = format!(r#"{{"header.Modifier": {{"scope": ["request"], "name": "Host", "value": "{value}"}}}}"#);
    for (path_of_client, tree, error) in [
        ("/a/x%0d%0aEvil:%201", &header, MartianError::HeaderValue),
        ("/a/x%00", &header, MartianError::HeaderValue),
        ("/a/x%3b%20admin%3d1", &cookie, MartianError::CookieValue),
        ("/a/x%0d%0a", &cookie, MartianError::CookieValue),
        ("/a/%ff", &cookie, MartianError::CookieValue),
        ("/a/..", &path, MartianError::Target),
        ("/a/..%2f..", &path, MartianError::Target),
        ("/a/a%0ab", &path, MartianError::Target),
        ("/a/u%40evil.test", &host, MartianError::Host),
    ] {
        let failed = send_as(&Sender::new(path_of_client), tree, head("/b", &[]));
        assert_eq!(failed.unwrap_err(), error, "{path_of_client}");
    }
    let up = send_as(&Sender::new("/a/x%3Fy%2Fz%23"), &path, head("/b", &[])).expect("no failure");
    assert_eq!(up.head.uri, "/u/x%3Fy%2Fz%23/x");
}

#[test]
fn a_plan_is_told_what_a_tree_may_do() {
    let asked = |tree: &str| {
        let tree = martian(tree);
        let bodies = (tree.replaces_request_body(), tree.replaces_response_body());
        ((tree.has_request_side(), tree.has_response_side()), (tree.redirects(), tree.answers_itself()), bodies)
    };
    let (no, yes) = ((false, false), (true, true));
    assert_eq!(asked(r#"{"header.Modifier": {"name": "X-A"}}"#), (yes, no, no));
    assert_eq!(asked(r#"{"header.Id": {}}"#), ((true, false), no, no));
    assert_eq!(asked(r#"{"fifo.Group": {}}"#), (no, no, no));
    assert_eq!(asked(r#"{"url.Modifier": {"path": "/x"}}"#), ((true, false), no, no));
    assert_eq!(asked(r#"{"url.Modifier": {"host": "x"}}"#), ((true, false), (true, false), no));
    assert_eq!(asked(r#"{"port.Modifier": {"remove": true}}"#), ((true, false), (true, false), no));
    assert_eq!(asked(r#"{"status.Modifier": {"statusCode": 201}}"#), ((false, true), no, no));
    assert_eq!(asked(r#"{"status.Modifier": {"statusCode": 204}}"#), ((false, true), no, (false, true)));
    assert_eq!(asked(r#"{"static.Modifier": {"rootPath": "/"}}"#), (yes, (false, true), (false, true)));
    let inside = r#"{"fifo.Group": {"scope": ["response"], "modifiers": [{"header.Filter": {"name": "X-A",
        "modifier": {"header.Modifier": {"name": "X-B"}}, "else": {"body.Modifier": {}}}}]}}"#;
    assert_eq!(asked(inside), ((false, true), no, (false, true)));
}

#[test]
fn only_what_answers_ask_for_is_kept_of_a_request() {
    let kept = |tree: &str| martian(tree).kept;
    assert_eq!(kept(r#"{"header.Modifier": {"name": "X-A"}}"#), crate::config::model::martian::Kept::default());
    let filter = r#"{"url.Filter": {"scope": ["request"], "path": "/", "modifier": {"header.Id": {}}}}"#;
    assert!(!kept(filter).url);
    let tree = r#"{"header.RegexFilter": {"header": "X-A", "regex": "a", "modifier": {"stash.Modifier": {"headerName": "X-B"}}}}"#;
    assert_eq!(kept(tree).headers, ["x-a", "x-b"]);
}

#[test]
fn no_value_is_in_the_debug_form_of_a_tree() {
    let tree = martian(
        r#"{"fifo.Group": {"modifiers": [{"header.Modifier": {"name": "X-A", "value": "hunter2"}},
        {"cookie.Modifier": {"name": "s", "value": "hunter2"}}, {"body.Modifier": {"body": "aHVudGVyMg=="}},
        {"querystring.Modifier": {"name": "a", "value": "hunter2${request.param.id}"}}]}}"#,
    );
    let debug = format!("{tree:?}");
    assert!(!debug.contains("hunter2") && debug.contains("x-a"), "{debug}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn whatever_a_client_sends_stays_within_its_line(value in prop::collection::vec(any::<u8>(), 0..12)) {
        let encoded = value.iter().fold(String::from("/a/"), |path, byte| format!("{path}%{byte:02x}"));
        let sender = Sender::new(&encoded);
        for tree in [
            r#"{"header.Modifier": {"name": "X-V", "value": "${request.param.id}"}}"#,
            r#"{"cookie.Modifier": {"name": "s", "value": "${request.param.id}"}}"#,
            r#"{"url.Modifier": {"path": "/u/${request.param.id}", "query": "q=${request.param.id}"}}"#,
            r#"{"querystring.Modifier": {"name": "q", "value": "${request.param.id}"}}"#,
        ] {
            let Ok(up) = send_as(&sender, tree, head("/b", &[])) else { continue };
            let wire = up.head.headers.values().flat_map(HeaderValue::as_bytes).copied();
            prop_assert!(!wire.chain(up.head.raw_path().iter().copied()).any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
            prop_assert!(up.lines_of("cookie").all(|cookie| !cookie.contains(&b';')));
            prop_assert_eq!(up.head.uri.query().unwrap_or_default().matches('&').count(), 0);
            prop_assert!(up.head.uri.path().matches('/').count() <= 2);
        }
    }
}
