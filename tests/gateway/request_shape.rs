//! The token request on the wire: its exact bytes, and every key that adds to it.

use crate::support::gateway::{Running, credential, protected, with};
use crate::support::idp::Idp;
use crate::support::poll::{PATIENCE, eventually};
use crate::support::program::Program;
use crate::support::scripted::Scripted;
use crate::support::tokens::{is_refused, wait_for_fetch};
use crate::support::upstream::{Request, Upstream};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

const ID: &str = "YOUR-CLIENT-ID";
const SECRET: &str = "YOUR-CLIENT-SECRET";

/// What a server receives for such a credential.
fn sent(changes: Value) -> Request {
    let server = Scripted::counting("TOKEN", 60);
    let upstream = Upstream::echo();
    let credential = json!({ "client_id": ID, "client_secret": SECRET, "token_url": server.token_url() });
    let _gateway = Running::with(&[protected("/x", &upstream.url(), with(credential, &changes))]).ready();
    assert!(server.violations().is_empty(), "{:?}", server.violations());
    server.only_request()
}

#[test]
fn the_whole_request_is_this() {
    let server = Scripted::counting("TOKEN", 60);
    let upstream = Upstream::echo();
    let plain = json!({
        "client_id": ID, "client_secret": SECRET, "token_url": format!("{}?tenant=a%20b", server.token_url()),
        "scopes": "scope1,scope2",
    });
    let _gateway = Running::with(&[protected("/x", &upstream.url(), plain)]).ready();
    let request = server.only_request();
    let head = String::from_utf8(request.head.clone()).unwrap();
    let (start, rest) = head.split_once("\r\n").unwrap();
    assert_eq!(start, "POST /token?tenant=a%20b HTTP/1.1");
    // Names mean the same in any case, and in any order.
    let line =
        |line: &str| line.split_once(": ").map(|(name, value)| format!("{}: {value}", name.to_lowercase())).unwrap();
    let mut lines: Vec<String> = rest.trim_end().split("\r\n").map(line).collect();
    lines.sort();
    let expected = [
        "accept-encoding: identity".to_owned(),
        "accept: application/json".to_owned(),
        "authorization: Basic WU9VUi1DTElFTlQtSUQ6WU9VUi1DTElFTlQtU0VDUkVU".to_owned(),
        "content-length: 49".to_owned(),
        "content-type: application/x-www-form-urlencoded".to_owned(),
        format!("host: {}", server.addr()),
        format!("user-agent: porteur/{}", env!("CARGO_PKG_VERSION")),
    ];
    assert_eq!(lines, expected);
    assert_eq!(request.text(), "grant_type=client_credentials&scope=scope1+scope2");
}

#[test]
fn bodies_are_sorted_and_escaped_byte_for_byte() {
    let odd = json!({ "client_id": "my app", "client_secret": "s3cr:t/+=@é", "client_auth": "client_secret_post" });
    for (changes, body) in [
        (json!({}), "grant_type=client_credentials"),
        (json!({ "scopes": "" }), "grant_type=client_credentials"),
        (json!({ "scopes": " a,b  c," }), "grant_type=client_credentials&scope=a+b+c"),
        (json!({ "scopes": ["a", "b c"] }), "grant_type=client_credentials&scope=a+b+c"),
        (odd, "client_id=my+app&client_secret=s3cr%3At%2F%2B%3D%40%C3%A9&grant_type=client_credentials"),
        (
            json!({ "client_auth": "client_secret_post", "scopes": "s", "endpoint_params": { "a": "1", "z": "2" } }),
            "a=1&client_id=YOUR-CLIENT-ID&client_secret=YOUR-CLIENT-SECRET&grant_type=client_credentials&scope=s&z=2",
        ),
        (
            json!({ "audience": ["B", "A"], "resource": "https://r.test/a b" }),
            "audience=B&audience=A&grant_type=client_credentials&resource=https%3A%2F%2Fr.test%2Fa+b",
        ),
        (
            json!({ "endpoint_params": { "audience": ["B", "A"] }, "scopes": "scope1,scope2" }),
            "audience=B&audience=A&grant_type=client_credentials&scope=scope1+scope2",
        ),
    ] {
        let request = sent(changes.clone());
        assert_eq!(request.text(), body, "{changes}");
        assert_eq!(request.header("content-length"), Some(&*body.len().to_string()));
    }
}

#[test]
fn endpoint_params_may_be_texts_lists_and_what_can_be_written_as_text() {
    let request = sent(json!({ "endpoint_params": {
        "text": "a b&c=d", "list": ["2", "1", "2"], "empty": "", "yes": true, "$filter": "x", "_id": "7", "é": "ü",
        "none": null, "grant_type": "client_credentials",
    } }));
    assert_eq!(
        request.text(),
        "%24filter=x&_id=7&empty=&grant_type=client_credentials&list=2&list=1&list=2&text=a+b%26c%3Dd&yes=true&%C3%A9=%C3%BC"
    );
}

#[test]
fn the_json_format_is_one_object_with_texts_and_lists() {
    let request = sent(json!({
        "request_format": "json", "client_auth": "client_secret_post", "audience": ["B", "A", "C"],
        "resource": "https://r.test/x", "scopes": "a,b", "endpoint_params": { "tenant": "é\"\\", "flag": true },
    }));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.headers.all("content-type").len(), 1);
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let expected = json!({
        "grant_type": "client_credentials", "client_id": ID, "client_secret": SECRET, "audience": ["B", "A", "C"],
        "resource": "https://r.test/x", "scope": "a b", "tenant": "é\"\\", "flag": "true",
    });
    assert_eq!(body, expected);
}

#[test]
fn the_json_format_goes_with_a_basic_header_too() {
    let request = sent(json!({ "request_format": "json" }));
    assert_eq!(request.text(), r#"{"grant_type":"client_credentials"}"#);
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{ID}:{SECRET}")));
    assert_eq!(request.header("authorization"), Some(&*basic));
}

#[test]
fn a_token_is_for_the_audience_or_the_resource_that_was_asked_for() {
    let idp = Idp::start(60);
    for (key, value) in [("audience", "https://upstream.test/rs256"), ("resource", "https://upstream.test/es256")] {
        let mut aimed = credential(idp.token_url());
        aimed[key] = json!(value);
        aimed["scopes"] = json!("api:read");
        let gateway = Running::with(&[protected("/x", &idp.resource_url(), aimed)]).ready();
        let answer = gateway.get("/x");
        assert_eq!(answer.status, 200, "{key}: {}", answer.text());
        let claims = answer.json()["claims"].clone();
        assert_eq!((&claims["aud"], &claims["scope"]), (&json!(value), &json!("api:read")));
    }
}

#[test]
fn a_resource_that_the_server_does_not_know_is_a_refusal() {
    let idp = Idp::start(60);
    let mut lost = credential(idp.token_url());
    lost["resource"] = json!("https://nowhere.test/");
    let gateway = Running::with(&[protected("/x", &idp.resource_url(), lost)]);
    wait_for_fetch(&gateway, "basic@127.0.0.1", "status");
    eventually(PATIENCE, "the refusal is reported", || is_refused(&gateway, "basic@127.0.0.1"));
    let asked = idp.last();
    assert_eq!((asked.len(), asked[0].status), (1, Some(400)), "invalid_target: who asks is known, so once");
    assert!(asked[0].body.contains("resource=https%3A%2F%2Fnowhere.test%2F"));
}

#[test]
fn a_repeated_resource_is_sent_as_often_as_it_is_written() {
    let request = sent(json!({ "resource": ["https://b.test/", "urn:example:a", "https://b.test/?x=1"] }));
    let resources: Vec<_> = request.form().into_iter().filter(|(name, _)| name == "resource").collect();
    let expected = ["https://b.test/", "urn:example:a", "https://b.test/?x=1"];
    assert_eq!(resources, expected.map(|value| ("resource".to_owned(), value.to_owned())));
}

#[test]
fn request_headers_arrive_and_stay_out_of_the_log() {
    const KEY: &str = "canary-key-of-some-gateway-0123456789";
    const AGENT: &str = "somebody-else/1.0";
    let server = Scripted::counting("canary-token", 3);
    let upstream = Upstream::echo();
    let mut with_headers = credential(&server.token_url());
    with_headers["request_headers"] = json!({ "X-Api-Key": KEY, "User-Agent": AGENT, "x-empty": "" });
    let program = Program::with(&[protected("/x", &upstream.url(), with_headers)], &[("PORTEUR_LOG", "trace")]);
    assert_eq!(program.get("/x").status, 200);
    // The refresh is a line that only this level has.
    program.daemon.wait_for_line(|line| line.contains(" debug ") && line.contains("token refreshed"));
    let request = server.requests().remove(0);
    assert_eq!(request.headers.all("x-api-key"), [KEY]);
    assert_eq!(request.headers.all("user-agent"), [AGENT]);
    assert_eq!(request.headers.all("x-empty"), [""]);
    assert!(!upstream.only_request().headers.has("x-api-key"), "they are for the token endpoint only");
    program.daemon.terminate();
    let finished = program.daemon.finish();
    let said = finished.stdout + &finished.stderr;
    assert!(!said.contains(KEY) && !said.contains("canary-token"), "{said}");
}
