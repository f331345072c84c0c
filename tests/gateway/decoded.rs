//! What a decoded endpoint makes of its backend's body, and how the answer is written. What is marked live in the description
//! of KrakenD has the section in its test's name, here and in the other files of this name.

use crate::support::client::{self, Response, request};
use crate::support::gateway::{Running, with};
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use porteur::config::{self, Format, Options};
use serde_json::{Value, json};
use std::collections::HashMap;

pub const COMPLETED: &str = "x-krakend-completed";

/// An endpoint with these backends. Its timeout is longer than any test takes.
pub fn decoded(path: &str, backends: &[Value]) -> Value {
    json!({ "endpoint": path, "timeout": "60s", "output_encoding": "json", "backend": backends })
}

/// A backend at an upstream.
pub fn backend(upstream: &Upstream, url_pattern: &str) -> Value {
    json!({ "host": [upstream.url()], "url_pattern": url_pattern })
}

/// An answer with a JSON body, as it stands there.
pub fn json_reply(body: impl AsRef<[u8]>) -> Reply {
    Reply::new(200).header("Content-Type", "application/json").body(body)
}

/// An upstream that always gives this body.
pub fn answers(body: impl AsRef<[u8]>) -> Upstream {
    let body = body.as_ref().to_vec();
    Upstream::start(move |_| json_reply(&body))
}

/// The answer of an endpoint with one backend, which has these keys besides, to this body of its upstream.
#[track_caller]
fn made_of(body: impl AsRef<[u8]>, keys: Value) -> Response {
    made_into("json", body, keys)
}

#[track_caller]
fn made_into(output: &str, body: impl AsRef<[u8]>, keys: Value) -> Response {
    let upstream = answers(body);
    let mut endpoint = decoded("/x", &[with(backend(&upstream, "/"), &keys)]);
    endpoint["output_encoding"] = json!(output);
    Running::with(&[endpoint]).get("/x")
}

#[track_caller]
fn assert_json(answer: &Response, body: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (200, body));
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
}

/// What is said of an endpoint that is refused at start.
#[track_caller]
fn refusal(endpoint: Value) -> String {
    let text = json!({ "version": 3, "endpoints": [endpoint] }).to_string();
    let loaded =
        config::load_text("test.json", Format::Json, text, &Options::default(), &HashMap::<String, String>::new());
    assert!(loaded.model.is_none(), "it is not refused");
    loaded.report.render(false)
}

#[test]
fn json_is_written_as_go_writes_it_1_6() {
    let body = r#"{"z": 1.10, "a": 12345678901234567890, "h": "<b>&\u2028", "n": {"y": null, "b": [true, 1e5]}} rest"#;
    let answer = made_of(body, json!({}));
    assert_json(
        &answer,
        r#"{"a":12345678901234567890,"h":"\u003cb\u003e\u0026\u2028","n":{"b":[true,1e5],"y":null},"z":1.10}"#,
    );
    assert_eq!(answer.header(COMPLETED), Some("true"));
}

#[test]
fn numbers_keep_their_text_1_6() {
    let body =
        r#"{"a":1.10,"b":12345678901234567890,"c":1E400,"d":-0.0,"e":1e+05,"f":0.1000000000000000055511151231257827}"#;
    assert_json(&made_of(body, json!({})), body);
}

#[test]
fn keys_are_sorted_by_their_bytes_at_every_depth_1_6() {
    let answer = made_of(r#"{"é":1,"z":{"b":1,"B":2},"Z":[{"y":1,"x":2}],"a":4,"":5}"#, json!({}));
    assert_json(&answer, r#"{"":5,"Z":[{"x":2,"y":1}],"a":4,"z":{"B":2,"b":1},"é":1}"#);
}

#[test]
fn what_html_could_take_for_markup_is_escaped_and_all_else_is_not_1_6() {
    let body = r#"{"a<b":"<script>&amp;</script>","s":"\/ \" \\ \t \n \r \u0001 \u007f é \ud83d\ude00 \u2028 \u2029"}"#;
    let expected = concat!(
        r#"{"a\u003cb":"\u003cscript\u003e\u0026amp;\u003c/script\u003e","#,
        "\"s\":\"/ \\\" \\\\ \\t \\n \\r \\u0001 \u{7f} é \u{1f600} \\u2028 \\u2029\"}"
    );
    assert_json(&made_of(body, json!({})), expected);
}

#[test]
fn only_the_first_json_value_of_a_body_is_read_1_6() {
    for body in [r#"{"a":1}{"b":2}"#, r#"{"a":1} and more"#, "\n {\"a\":1}\n\n", r#"{"a":1}]"#] {
        assert_json(&made_of(body, json!({})), r#"{"a":1}"#);
    }
}

#[test]
fn a_list_needs_is_collection_1_2() {
    let list = r#"[{"id":2},{"id":1}]"#;
    assert_json(&made_of(list, json!({ "is_collection": true })), r#"{"collection":[{"id":2},{"id":1}]}"#);
    let without = made_of(list, json!({}));
    assert_eq!((without.status, without.text().as_str()), (500, ""));
    assert_eq!(without.header(COMPLETED), Some("false"));
    assert_eq!(made_of(r#"{"id":1}"#, json!({ "is_collection": true })).status, 500, "an object is no list");
}

#[test]
fn a_list_becomes_the_whole_answer_as_json_collection_1_6() {
    let keys = json!({ "is_collection": true });
    assert_json(&made_into("json-collection", "[3, 1, 2]", keys), "[3,1,2]");
    assert_json(&made_into("json-collection", r#"{"a":1}"#, json!({})), "[]");
}

#[test]
fn each_encoding_decodes_what_its_name_says_1_2() {
    for (encoding, body, expected) in [
        ("json", r#"{"a":1}"#, r#"{"a":1}"#),
        ("json", "null", "{}"),
        ("fast-json", r#"{"a":1}"#, r#"{"a":1}"#),
        ("safejson", r#"{"a":1}"#, r#"{"a":1}"#),
        ("safejson", "[1,2]", r#"{"collection":[1,2]}"#),
        ("safejson", "42", r#"{"result":42}"#),
        ("string", "plain <text>", r#"{"content":"plain \u003ctext\u003e"}"#),
        ("string", "", r#"{"content":""}"#),
        ("xml", "<u id=\"7\"><n>Ann</n><t>a</t><t>b</t></u>", r#"{"u":{"-id":"7","n":"Ann","t":["a","b"]}}"#),
        ("no-op", r#"{"a":1}"#, "{}"),
    ] {
        let answer = made_of(body, json!({ "encoding": encoding }));
        assert_json(&answer, expected);
        let complete = if expected == "{}" { "false" } else { "true" };
        assert_eq!(answer.header(COMPLETED), Some(complete), "{encoding}: {body}");
    }
}

/// KrakenD takes JSON for what it does not know; what does not run as written does not start here.
#[test]
fn an_unknown_encoding_is_refused_at_start_1_2() {
    let host = json!(["http://a"]);
    let of_backend = refusal(decoded("/x", &[json!({ "host": host, "encoding": "jsn" })]));
    assert!(of_backend.contains("unknown encoding `jsn`") && of_backend.contains("json"), "{of_backend}");
    let mut endpoint = decoded("/x", &[json!({ "host": host })]);
    endpoint["output_encoding"] = json!("jsn");
    let of_endpoint = refusal(endpoint);
    assert!(of_endpoint.contains("`jsn` is no output_encoding"), "{of_endpoint}");
}

#[test]
fn no_op_with_several_backends_is_refused_at_start_1_2() {
    let one = json!({ "host": ["http://a"] });
    let mut endpoint = decoded("/x", &[one.clone(), one]);
    endpoint["output_encoding"] = json!("no-op");
    let refusal = refusal(endpoint);
    assert!(refusal.contains("can not use NoOp encoding with more than one backends"), "{refusal}");
}

#[test]
fn an_endpoint_without_output_encoding_is_json_1_2() {
    let upstream = answers(r#"{ "b": 1, "a": 2 }"#);
    let endpoint = json!({ "endpoint": "/x", "backend": [backend(&upstream, "/")] });
    // The support's service says `no-op`; an empty text is what KrakenD takes for nothing.
    let gateway = Running::start(json!({ "output_encoding": "", "endpoints": [endpoint] }));
    assert_json(&gateway.get("/x"), r#"{"a":2,"b":1}"#);
}

#[test]
fn each_output_encoding_has_its_content_type_1_6() {
    let text = json!({ "encoding": "string" });
    let user = r#"{"user":{"name":"Ann & Bob","-id":7}}"#;
    for (output, body, keys, content_type, expected) in [
        ("string", "a <text>", text, "text/plain; charset=utf-8", "a <text>"),
        ("string", r#"{"a":1}"#, json!({}), "text/plain; charset=utf-8", ""),
        ("xml", user, json!({}), "application/xml", "<user id=\"7\"><name>Ann &amp; Bob</name></user>"),
        ("negotiate", r#"{"a":1}"#, json!({}), "application/json; charset=utf-8", r#"{"a":1}"#),
    ] {
        let answer = made_into(output, body, keys);
        assert_eq!((answer.status, answer.text().as_str()), (200, expected), "{output}");
        assert_eq!(answer.header("content-type"), Some(content_type), "{output}");
    }
}

#[test]
fn negotiate_gives_what_the_client_accepts() {
    let upstream = answers(r#"{"a":"1"}"#);
    let mut endpoint = decoded("/x", &[backend(&upstream, "/")]);
    endpoint["output_encoding"] = json!("negotiate");
    let gateway = Running::with(&[endpoint]);
    for (accept, expected) in [
        ("application/json", r#"{"a":"1"}"#),
        ("application/xml", "<a>1</a>"),
        ("text/html, application/xml;q=0.9", "<a>1</a>"),
        ("*/*", r#"{"a":"1"}"#),
        ("image/png", r#"{"a":"1"}"#),
    ] {
        let answer = client::send(gateway.address, request("GET", "/x", &[("Accept", accept)], b""));
        assert_eq!((answer.status, answer.text().as_str()), (200, expected), "{accept}");
    }
}

#[test]
fn a_backends_data_is_targeted_filtered_renamed_and_grouped_in_this_order_1_6() {
    let body = r#"{"data":{"user":{"id":1,"name":"Ann","card":{"nr":"4711","brand":"V"},"tags":["a"]}},"meta":{}}"#;
    for (keys, expected) in [
        (json!({ "target": "data.user" }), r#"{"card":{"brand":"V","nr":"4711"},"id":1,"name":"Ann","tags":["a"]}"#),
        (json!({ "target": "data.nothing" }), "{}"),
        (json!({ "target": "data.user.name" }), "{}"),
        (json!({ "target": "data.user", "allow": ["id", "card.brand"] }), r#"{"card":{"brand":"V"},"id":1}"#),
        (
            json!({ "target": "data.user", "deny": ["card.nr", "tags"] }),
            r#"{"card":{"brand":"V"},"id":1,"name":"Ann"}"#,
        ),
        (json!({ "target": "data.user", "allow": ["id"], "deny": ["id"] }), r#"{"id":1}"#),
        (json!({ "target": "data.user", "allow": ["id"], "mapping": { "id": "nr", "name": "who" } }), r#"{"nr":1}"#),
        (
            json!({ "target": "data.user", "allow": ["id"], "mapping": { "id": "nr" }, "group": "user" }),
            r#"{"user":{"nr":1}}"#,
        ),
        (json!({ "allow": ["meta"], "mapping": { "meta": "about.it" } }), r#"{"about":{}}"#),
        (json!({ "group": "g", "target": "nothing" }), r#"{"g":{}}"#),
    ] {
        assert_json(&made_of(body, keys), expected);
    }
    let renamed = made_of(r#"[{"id":1}]"#, json!({ "is_collection": true, "mapping": { "collection": "users" } }));
    assert_json(&renamed, r#"{"users":[{"id":1}]}"#);
}

#[test]
fn a_flatmap_filter_takes_the_place_of_filter_and_mapping() {
    let body = r#"{"list":[{"id":1,"secret":"s"},{"id":2,"secret":"t"}],"old":{"x":1}}"#;
    let operations = json!([
        { "type": "del", "args": ["list.*.secret"] },
        { "type": "move", "args": ["old.x", "new"] },
        { "type": "del", "args": ["old"] }
    ]);
    let keys = json!({ "deny": ["list"], "extra_config": { "proxy": { "flatmap_filter": operations } } });
    assert_json(&made_of(body, keys), r#"{"list":[{"id":1},{"id":2}],"new":1}"#);
}

#[test]
fn headers_of_the_backend_stay_behind_1_6() {
    let upstream = Upstream::start(|_| {
        let reply = json_reply(r#"{"a":1}"#).header("Set-Cookie", "session=1").header("Server", "backend");
        reply.header("X-Internal", "1").header("ETag", "\"v1\"").header("Cache-Control", "no-store")
    });
    let answer = Running::with(&[decoded("/x", &[backend(&upstream, "/")])]).get("/x");
    let mut names: Vec<String> = answer.headers.0.iter().map(|(name, _)| name.to_lowercase()).collect();
    names.retain(|name| name != "date" && name != "connection");
    names.sort();
    assert_eq!(names, ["content-length", "content-type", COMPLETED]);
}

#[test]
fn complete_answers_may_be_cached_for_cache_ttl_1_6() {
    let (good, empty, bad) = (answers(r#"{"a":1}"#), answers("{}"), Upstream::start(|_| Reply::new(500)));
    let endpoint = |path: &str, upstreams: &[&Upstream], ttl: &str| {
        let backends: Vec<_> = upstreams.iter().map(|upstream| backend(upstream, "/")).collect();
        with(decoded(path, &backends), &json!({ "cache_ttl": ttl }))
    };
    let mut inherits = endpoint("/inherits", &[&good], "");
    inherits.as_object_mut().unwrap().remove("cache_ttl");
    let endpoints = [
        endpoint("/own", &[&good], "90s"),
        inherits,
        endpoint("/empty", &[&empty], "90s"),
        endpoint("/partial", &[&good, &bad], "90s"),
        endpoint("/failed", &[&bad], "90s"),
    ];
    let gateway = Running::start(json!({ "cache_ttl": "1h", "endpoints": endpoints }));
    for (path, status, cache_control) in [
        ("/own", 200, Some("public, max-age=90")),
        ("/inherits", 200, Some("public, max-age=3600")),
        ("/empty", 200, None),
        ("/partial", 200, None),
        ("/failed", 500, None),
    ] {
        let answer = gateway.get(path);
        assert_eq!((answer.status, answer.header("cache-control")), (status, cache_control), "{path}");
    }
    let without = Running::with(&[decoded("/x", &[backend(&good, "/")])]);
    assert_eq!(without.get("/x").header("cache-control"), None);
}
