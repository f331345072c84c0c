//! `modifier/martian`: what stands in it, what may not, and that no report shows a value of it.

use super::super::keys::martian::MODIFIERS;
use super::super::model::Martian;
use super::super::model::martian::{Action, Side, Sides, Text};
use super::*;
use proptest::prelude::*;

fn with(tree: &str) -> String {
    file("", "", &format!(r#", "extra_config": {{ "modifier/martian": {tree} }}"#))
}

fn read(tree: &str) -> Martian {
    let loaded = json(&with(tree));
    assert!(loaded.report.diagnostics().is_empty(), "{}", loaded.report.render(false));
    loaded.model.unwrap().endpoints[0].answer.backends()[0].martian.clone().unwrap()
}

#[track_caller]
fn wrong(tree: &str, code: &str, at: &str, word: &str) {
    problem(&with(tree), code, at, word);
}

#[test]
fn the_sample_of_krakends_documentation_runs_as_written() {
    let sample = r#"{ "endpoint": "/endpoint", "backend": [{ "url_pattern": "/backend", "extra_config": {
        "auth/client-credentials": {
            "client_id": "YOUR-CLIENT-ID", "client_secret": "YOUR-CLIENT-SECRET",
            "token_url": "https://custom.auth0.tld/token_endpoint",
            "endpoint_params": {
                "client_id": ["YOUR-CLIENT-ID"], "client_secret": ["YOUR-CLIENT-SECRET"], "audience": ["YOUR-AUDIENCE"]
            }
        },
        "modifier/martian": { "fifo.Group": { "scope": ["request", "response"], "aggregateErrors": false, "modifiers": [
            { "header.Modifier": { "scope": ["request"], "name" : "Accept", "value" : "application/json" } }
        ] } }
    } }] }"#;
    let text =
        format!(r#"{{"version": 3, "host": ["http://up"], "output_encoding": "no-op", "endpoints": [{sample}]}}"#);
    let loaded = json(&text);
    assert!(loaded.report.is_ok(), "{}", loaded.report.render(false));
    let martian = loaded.model.unwrap().endpoints[0].answer.backends()[0].martian.clone().unwrap();
    let Action::Group(group) = &martian.root.action else { panic!("{martian:?}") };
    let [member] = group.members.as_slice() else { panic!("{martian:?}") };
    assert_eq!((martian.root.sides, member.sides), (Sides::BOTH, Sides::REQUEST));
    let Action::SetHeader(name, Text::Fixed(value)) = &member.action else { panic!("{martian:?}") };
    assert_eq!((name.wire.as_ref(), value.to_str().unwrap()), (&b"Accept"[..], "application/json"));
    assert!(martian.has_request_side() && !martian.has_response_side());
}

#[test]
fn every_modifier_of_the_table_is_read() {
    let then = r#""modifier": {"header.Modifier": {"name": "X-A", "value": "1"}}"#;
    for row in MODIFIERS {
        let members = match row.name {
            "fifo.Group" | "priority.Group" | "header.Id" | "body.Modifier" | "url.Modifier" | "url.Verifier" => {
                String::new()
            }
            "header.Blacklist" => r#""names": ["X-A"]"#.into(),
            "header.Copy" => r#""from": "X-A", "to": "X-B""#.into(),
            "header.RegexFilter" => format!(r#""header": "X-A", "regex": "a", {then}"#),
            "url.RegexFilter" => format!(r#""regex": "a", {then}"#),
            "url.Filter" => then.into(),
            "port.Modifier" => r#""port": 81"#.into(),
            "port.Filter" => format!(r#""port": 81, {then}"#),
            "stash.Modifier" => r#""headerName": "X-A""#.into(),
            "status.Modifier" | "status.Verifier" => r#""statusCode": 201"#.into(),
            "static.Modifier" => r#""rootPath": "src""#.into(),
            name if name.ends_with("Filter") => format!(r#""name": "a", {then}"#),
            _ => r#""name": "X-A""#.into(),
        };
        let martian = read(&format!(r#"{{"{}": {{{members}}}}}"#, row.name));
        assert_eq!(martian.root.sides, row.sides, "{}", row.name);
    }
}

#[test]
fn a_modifier_has_one_name_beside_comments() {
    read(r#"{"@comment": "x", "header.Id": {"@comment": "x"}}"#);
    wrong("{}", code::ONE_MODIFIER, "{}", "no name");
    let two = r#"{"header.Id": {}, "stash.Modifier": {"headerName": "X-A"}}"#;
    wrong(two, code::ONE_MODIFIER, "\"stash.Modifier\"", "fifo.Group");
    wrong(r#"{"fifo.Group": {"modifiers": ["x"]}}"#, code::TYPE, "\"x\"", "an object");
    wrong(r#"{"header.Id": 1}"#, code::TYPE, "1", "an object");
}

#[test]
fn names_and_keys_that_are_none_are_told_with_the_nearest() {
    wrong(r#"{"header.Modifer": {}}"#, code::MODIFIER, "\"header.Modifer\"", "did you mean `header.Modifier`?");
    wrong(r#"{"header.Id": {"haeder": "X"}}"#, code::UNKNOWN_KEY, "\"haeder\"", "did you mean `header`?");
    let message = "`header.Id` of `modifier/martian`";
    wrong(r#"{"header.Id": {"haeder": "X"}}"#, code::UNKNOWN_KEY, "\"haeder\"", message);
    for name in ["skip.RoundTrip", "log.Logger", "method.Modifier", "pingback.Verifier", "failure.Verifier"] {
        wrong(&format!(r#"{{"{name}": {{}}}}"#), code::MODIFIER, &format!("\"{name}\""), "not of KrakenD");
    }
    for name in ["trafficshape.Modifier", "har.Logger", "api.Forwarder"] {
        wrong(&format!(r#"{{"{name}": {{}}}}"#), code::MODIFIER, &format!("\"{name}\""), "not of KrakenD");
    }
    let entry = r#"{"priority.Group": {"modifiers": [{"priorty": 1, "modifier": {"header.Id": {}}}]}}"#;
    wrong(entry, code::UNKNOWN_KEY, "\"priorty\"", "did you mean `priority`?");
}

#[test]
fn scopes_name_sides_that_the_modifier_has() {
    wrong(r#"{"header.Id": {"scope": ["requset"]}}"#, code::SCOPE, "\"requset\"", "did you mean `request`?");
    wrong(r#"{"header.Id": {"scope": ["response"]}}"#, code::SCOPE, "\"response\"", "cannot run on a response");
    let status = r#"{"status.Modifier": {"statusCode": 200, "scope": ["request", "response"]}}"#;
    wrong(status, code::SCOPE, "\"request\"", "cannot run on a request");
    wrong(r#"{"header.Id": {"scope": 1}}"#, code::TYPE, "1", "list of strings");
    wrong(r#"{"header.Id": {"scope": []}}"#, code::NEVER_RUNS, "[]", "never runs");
    let hidden = r#"{"fifo.Group": {"scope": ["response"], "modifiers": [{"header.Id": {}}]}}"#;
    wrong(hidden, code::NEVER_RUNS, "\"header.Id\"", "another side");
    let martian =
        read(r#"{"fifo.Group": {"scope": ["request"], "modifiers": [{"header.Modifier": {"name": "X-A"}}]}}"#);
    assert!(martian.root.sides.has(Side::Request) && !martian.has_response_side());
}

#[test]
fn values_that_cannot_be_used_have_their_place() {
    for (tree, code, at, word) in [
        (r#"{"header.Modifier": {"value": "x"}}"#, code::MISSING, "{", "`name`"),
        (r#"{"header.Modifier": {"name": "X A"}}"#, code::VALUE, "\"X A\"", "header name"),
        (r#"{"header.Modifier": {"name": ["X"]}}"#, code::TYPE, "[\"X\"]", "a string"),
        (r#"{"header.Modifier": {"name": "X", "value": "a\nb"}}"#, code::VALUE, r#""a\nb""#, "header"),
        (r#"{"header.Blacklist": {"names": ["X", "Y Z"]}}"#, code::VALUE, "\"Y Z\"", "header name"),
        (
            r#"{"header.RegexFilter": {"header": "X", "regex": "(", "modifier": {"header.Id": {}}}}"#,
            code::VALUE,
            "\"(\"",
            "RE2",
        ),
        (
            r#"{"url.RegexFilter": {"regex": "(a{999}){999}", "modifier": {"header.Id": {}}}}"#,
            code::VALUE,
            "\"(a{999}){999}\"",
            "too large",
        ),
        (r#"{"header.Filter": {"name": "X"}}"#, code::MISSING, "{", "`modifier`"),
        (r#"{"body.Modifier": {"body": "a_"}}"#, code::VALUE, "\"a_\"", "Base64"),
        (r#"{"status.Modifier": {"statusCode": 101}}"#, code::VALUE, "101", "200 to 599"),
        (r#"{"status.Modifier": {"statusCode": "x"}}"#, code::TYPE, "\"x\"", "200 to 599"),
        (r#"{"cookie.Modifier": {"name": "a b"}}"#, code::VALUE, "\"a b\"", "cookie"),
        (r#"{"cookie.Modifier": {"name": "a", "value": "x;y"}}"#, code::VALUE, "\"x;y\"", "cookie"),
        (r#"{"cookie.Modifier": {"name": "a", "expires": "tomorrow"}}"#, code::VALUE, "\"tomorrow\"", "RFC 3339"),
        (r#"{"cookie.Modifier": {"name": "a", "path": "/;Secure"}}"#, code::VALUE, "\"/;Secure\"", "cookie"),
        (r#"{"cookie.Modifier": {"name": "a", "maxAge": 1.5}}"#, code::TYPE, "1.5", "whole number"),
        (r#"{"url.Modifier": {"scheme": "ftp"}}"#, code::VALUE, "\"ftp\"", "`https`"),
        (r#"{"url.Modifier": {"host": "http://x"}}"#, code::HOST, "\"http://x\"", "scheme"),
        (r#"{"port.Modifier": {"port": 70000}}"#, code::TYPE, "70000", "65535"),
        (r#"{"port.Modifier": {}}"#, code::VALUE, "{", "exactly one"),
        (r#"{"port.Modifier": {"port": 1, "remove": true}}"#, code::VALUE, "{", "exactly one"),
        (r#"{"port.Filter": {"port": 0, "modifier": {"header.Id": {}}}}"#, code::VALUE, "0", "65535"),
        (r#"{"static.Modifier": {"rootPath": "/no/such"}}"#, code::FILE, "\"/no/such\"", "rootPath"),
        (
            r#"{"static.Modifier": {"rootPath": "src", "explicitPaths": {"/a": "../x"}}}"#,
            code::FILE,
            "\"../x\"",
            "outside",
        ),
        (r#"{"fifo.Group": {"modifiers": 1}}"#, code::TYPE, "1", "a list"),
        (r#"{"priority.Group": {"modifiers": [{"priority": 1}]}}"#, code::MISSING, "{", "`modifier`"),
        (
            r#"{"priority.Group": {"modifiers": [{"priority": "x", "modifier": {"header.Id": {}}}]}}"#,
            code::TYPE,
            "\"x\"",
            "whole number",
        ),
    ] {
        wrong(tree, code, at, word);
    }
}

#[test]
fn what_frames_messages_is_not_for_modifiers() {
    for name in ["Content-Length", "transfer-encoding", "Connection", "TE", "Upgrade", "Keep-Alive", "Expect"] {
        let at = format!("\"{name}\"");
        wrong(&format!(r#"{{"header.Modifier": {{"name": "{name}"}}}}"#), code::FRAMING, &at, "HTTP itself");
        wrong(&format!(r#"{{"header.Append": {{"name": "{name}"}}}}"#), code::FRAMING, &at, "HTTP itself");
        wrong(&format!(r#"{{"header.Copy": {{"from": "X", "to": "{name}"}}}}"#), code::FRAMING, &at, "HTTP itself");
        wrong(&format!(r#"{{"stash.Modifier": {{"headerName": "{name}"}}}}"#), code::FRAMING, &at, "HTTP itself");
        wrong(&format!(r#"{{"header.Id": {{"header": "{name}"}}}}"#), code::FRAMING, &at, "HTTP itself");
    }
    wrong(r#"{"header.Blacklist": {"names": ["Content-Length"]}}"#, code::FRAMING, "\"Content-Length\"", "HTTP itself");
    wrong(r#"{"header.Blacklist": {"names": ["Expect"]}}"#, code::FRAMING, "\"Expect\"", "HTTP itself");
    wrong(r#"{"header.Blacklist": {"names": ["Connection"]}}"#, code::NO_EFFECT, "\"Connection\"", "never goes on");
    wrong(r#"{"header.Append": {"name": "Host"}}"#, code::FRAMING, "\"Host\"", "header.Modifier");
    read(r#"{"header.Append": {"name": "Host", "scope": ["response"]}}"#);
    read(r#"{"header.Modifier": {"name": "Host", "value": "a.test:81"}}"#);
    wrong(r#"{"header.Modifier": {"name": "Host", "value": "a b"}}"#, code::VALUE, "\"a b\"", "no host");
}

#[test]
fn a_modifier_of_the_tokens_header_is_warned_of() {
    let tree = |header: &str, more: &str, scope: &str| {
        let token = format!(r#""auth/client-credentials": {{ {CLIENT}{more} }}"#);
        let tree = format!(r#"{{"header.Modifier": {{"name": "{header}", "value": "x"{scope}}}}}"#);
        file("", "", &format!(r#", "extra_config": {{ {token}, "modifier/martian": {tree} }}"#))
    };
    problem(&tree("authorization", "", ""), code::TOKEN_HEADER, "\"authorization\"", "its token there");
    problem(&tree("X-Token", r#", "header": "x-token""#, ""), code::TOKEN_HEADER, "\"X-Token\"", "its token there");
    assert!(json(&tree("X-Other", "", "")).report.diagnostics().is_empty());
    let response = r#", "scope": ["response"]"#;
    assert!(json(&tree("Authorization", "", response)).report.diagnostics().is_empty());
    read(r#"{"header.Modifier": {"name": "Authorization", "value": "Basic eA=="}}"#);
}

#[test]
fn values_that_a_request_fills_in_stand_where_they_can() {
    let value = |text: &str| format!(r#"{{"header.Modifier": {{"name": "X-A", "value": "{text}"}}}}"#);
    read(&value("<${request.header.X-B}|${request.query.a b}|${request.param.id}>"));
    for (text, code, word) in [
        ("${request.param.di}", code::PER_REQUEST, "did you mean `${request.param.id}`?"),
        ("${request.header.a b}", code::PER_REQUEST, "no header"),
        ("${request.body.x}", code::PER_REQUEST, "`${request.query.NAME}`"),
        ("${request.query.}", code::PER_REQUEST, "no part"),
        ("${jwt.sub}", code::NOT_BUILT, "not built yet"),
        ("${request.header.X-B", code::INTERPOLATION, "never closed"),
        ("${other.x}", code::INTERPOLATION, "neither"),
    ] {
        wrong(&value(text), code, &format!("\"{text}\""), word);
    }
    let other = file("", "", "").replace("/b/{id}", "/b?x=${request.header.X}");
    problem(&other, code::INTERPOLATION, "\"/b?x=${request.header.X}\"", "modifier/martian");
    let dynamic = "\"${request.header.X}\"";
    for tree in [
        r#"{"header.Modifier": {"name": "${request.header.X}"}}"#,
        r#"{"header.Blacklist": {"names": ["${request.header.X}"]}}"#,
        r#"{"header.RegexFilter": {"header": "X", "regex": "${request.header.X}", "modifier": {"header.Id": {}}}}"#,
        r#"{"url.Modifier": {"scheme": "${request.header.X}"}}"#,
        r#"{"url.Modifier": {"host": "${request.header.X}"}}"#,
        r#"{"url.Filter": {"path": "${request.header.X}", "modifier": {"header.Id": {}}}}"#,
        r#"{"cookie.Modifier": {"name": "a", "domain": "${request.header.X}"}}"#,
        r#"{"cookie.Modifier": {"name": "a", "expires": "${request.header.X}"}}"#,
        r#"{"body.Modifier": {"body": "${request.header.X}"}}"#,
        r#"{"static.Modifier": {"rootPath": "${request.header.X}"}}"#,
    ] {
        wrong(tree, code::PER_REQUEST, dynamic, "settled at start-up");
    }
    wrong(r#"{"status.Modifier": {"statusCode": "${request.header.X}"}}"#, code::TYPE, dynamic, "a status");
    wrong(r#"{"port.Modifier": {"port": "${request.header.X}"}}"#, code::TYPE, dynamic, "a port");
}

#[test]
fn what_the_environment_fills_in_takes_nothing_from_requests() {
    let tree = r#"{"header.Modifier": {"name": "X-A", "value": "${env:K}-${request.param.id}"}}"#;
    let good = json_with(&with(tree), &Options::default(), &[("K", "hunter2")]);
    let martian = good.model.unwrap().endpoints[0].answer.backends()[0].martian.clone().unwrap();
    assert!(matches!(martian.root.action, Action::SetHeader(_, Text::Filled(_))), "{martian:?}");
    let bad = json_with(&with(tree), &Options::default(), &[("K", "${request.header.Cookie}")]);
    assert_eq!(only(&bad).code, code::INTERPOLATION);
}

/// Trees with a secret in each value, right and wrong.
const SECRETIVE: [&str; 14] = [
    r#"{"header.Modifier": {"name": "X-A", "value": "hunter2"}}"#,
    r#"{"header.Modifier": {"name": "X-A", "vaule": "hunter2", "value": "hunter2\n"}}"#,
    r#"{"header.Modifier": {"name": "X-A", "value": "hunter2${request.nope.hunter2}"}}"#,
    r#"{"header.Modifier": {"name": "X-A", "value": "hunter2${request.param.hunter2}${jwt.hunter2}"}}"#,
    r#"{"header.Modifier": {"name": "X-A: hunter2", "value": ["hunter2"]}}"#,
    r#"{"header.Modifier": {"name": "Host", "value": "u:hunter2@x"}}"#,
    r#"{"header.Modifier": "hunter2", "header.Append": {"name": "X-A", "value": "hunter2"}}"#,
    r#"{"header.Modifer": {"name": "X-A", "value": "hunter2"}}"#,
    r#"{"header.RegexFilter": {"header": "X-A", "regex": "(hunter2", "modifier": {}}}"#,
    r#"{"cookie.Modifier": {"name": "s", "value": "hunter2;", "domain": "a;hunter2", "maxAge": "x"}}"#,
    r#"{"cookie.Modifier": {"scope": ["requst"], "name": "s", "value": "hunter2"}}"#,
    r#"{"body.Modifier": {"contentType": "a\nhunter2", "body": "hunter2!"}}"#,
    r#"{"url.Modifier": {"query": "k=${request.hunter2}", "path": "/?k=hunter2", "host": "u:hunter2@x"}}"#,
    r#"{"querystring.Modifier": {"name": "${request.query.hunter2}", "value": "hunter2${jwt.}"}}"#,
];

fn told(text: &str) -> String {
    let options = Options { deny_warnings: true, ..Options::default() };
    let report = json_with(text, &options, &[]).report;
    format!("{}\n{}", report.render(false), report.to_json())
}

#[track_caller]
fn tells_no_value(text: &str) {
    let told = told(text);
    assert!(!told.contains("hunter2"), "{text}\n{told}");
}

#[test]
fn no_report_shows_a_value() {
    const INSERTED: [&str; 6] = ["\"", ",", ":", "}", "{", "${"];
    for tree in SECRETIVE {
        let text = with(&format!(r#"{{"fifo.Group": {{"scope": ["respones"], "modifiers": [{tree}]}}}}"#));
        tells_no_value(&with(tree));
        tells_no_value(&text);
        // A slip of the hand, every few characters.
        for (index, (at, _)) in text.char_indices().enumerate().step_by(3) {
            let (before, after) = text.split_at(at);
            let slipped = format!("{before}{}{after}", INSERTED[index / 3 % INSERTED.len()]);
            if slipped.matches("hunter2").count() == text.matches("hunter2").count() {
                tells_no_value(&slipped);
            }
        }
    }
}

fn any_json() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        prop::sample::select(MODIFIERS).prop_map(|row| row.name.to_owned()),
        prop::sample::select(MODIFIERS)
            .prop_flat_map(|row| prop::sample::select(row.keys))
            .prop_map(|key| key.name.to_owned()),
        prop::sample::select(
            &["request", "response", "${request.param.id}", "${request.", "${jwt.x}", "Host", "1"][..]
        )
        .prop_map(str::to_owned),
        "[ -~é]{0,6}".prop_map(|text| text),
    ];
    let quoted = text.prop_map(|text| serde_json::to_string(&text).unwrap());
    let leaf = prop_oneof![
        quoted.clone(),
        any::<i32>().prop_map(|number| number.to_string()),
        prop::sample::select(&["null", "true", "false", "1e9"][..]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(6, 40, 5, move |inner| {
        let members = prop::collection::vec((quoted.clone(), inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            members.prop_map(|members| {
                let members: Vec<_> = members.iter().map(|(key, value)| format!("{key}:{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn anything_is_read_without_a_panic(
        tree in any_json(),
        row in prop::sample::select(MODIFIERS),
        members in prop::collection::vec((0_usize..12, any_json()), 0..4),
    ) {
        let _ = json(&with(&tree)).report.render(false);
        let members: Vec<_> = members
            .iter()
            .map(|(index, value)| format!("\"{}\":{value}", row.keys[index % row.keys.len()].name))
            .collect();
        let loaded = json(&with(&format!(r#"{{"{}": {{{}}}}}"#, row.name, members.join(","))));
        prop_assert_eq!(loaded.model.is_some(), loaded.report.is_ok());
    }
}
