//! Values of `${…}` are used and never shown; secrets are in no rendered line.

use super::super::model::{ClientAuth, SecretSource};
use super::*;
use crate::base::Secret;

#[test]
fn interpolated_values_are_used_and_never_shown() {
    let text = credentials(r#""client_id": "${env:ID:-me}", "client_secret": "${env:S}", "token_url": "${env:URL}""#);
    let good = json_with(&text, &Options::default(), &[("S", "hunter2"), ("URL", "https://idp/t")]);
    let policy = good.model.unwrap().endpoints[0].answer.backends()[0].token.clone().unwrap();
    assert_eq!(policy.credential.client_id, "me");
    let ClientAuth::Secret { secrets, .. } = &policy.credential.client_auth else { panic!("no secret") };
    assert_eq!(secrets, &[SecretSource::Text(Secret::new("hunter2"))]);
    let bad = json_with(&text, &Options::default(), &[("S", ""), ("URL", "http://hunter2/")]).report;
    assert_eq!(bad.errors(), 2);
    let rendered = bad.render(false);
    assert!(!rendered.contains("hunter2") && rendered.contains("`${env:URL}`"), "{rendered}");
    // What could not be filled in is told once, whatever else the text as written would be wrong for.
    for (from, to) in [
        ("/b/{id}", "${env:NOPE}"),
        ("/a/{id}", "${env:NOPE}"),
        ("http://up:8000", "${env:NOPE}"),
        ("no-op", "${env:NOPE}"),
    ] {
        let missing = json(&file("", "", "").replace(from, to));
        assert_eq!(only(&missing).message, "the environment variable `NOPE` is not set");
    }
    let missing = json_with(&text, &Options::default(), &[("S", "x")]);
    assert_eq!(only(&missing).message, "the environment variable `URL` is not set");
    for (member, value) in [
        (r#""timeout": "${env:X}","#, "hunter2"),
        (r#""port": "${env:X}","#, "hunter2"),
        (r#""listen_ip": "${env:X}","#, "hunter2"),
        (r#""output_encoding": "${env:X}","#, "hunter2"),
        (r#""host": "${env:X}","#, "http://a/hunter2"),
    ] {
        let report = json_with(&file(member, "", ""), &Options::default(), &[("X", value)]).report;
        assert_eq!(report.errors(), 1, "{}", report.render(false));
        assert!(!format!("{}{}", report.render(false), report.to_json()).contains("hunter2"), "{member}");
    }
    for (from, to, value) in [
        ("/b/{id}", "${env:X}", "/{hunter2}"),
        ("/a/{id}", "${env:X}", "/a/:hunter2"),
        ("http://up:8000", "${env:X}", "http://u:hunter2@up"),
        ("/a/{id}", "${env:X}", "/__debug/hunter2"),
    ] {
        let report = json_with(&file("", "", "").replace(from, to), &Options::default(), &[("X", value)]).report;
        assert!(!report.is_ok());
        assert!(!format!("{}{}", report.render(false), report.to_json()).contains("hunter2"), "{to}");
    }
}

#[test]
fn a_filled_in_url_pattern_is_used_and_its_text_stays_as_written() {
    let text = file("", "", "").replace("/b/{id}", "/b/{id}?apikey=${env:K}&v=2");
    let model = json_with(&text, &Options::default(), &[("K", "hunter2")]).model.unwrap();
    let pattern = &model.endpoints[0].answer.backends()[0].url_pattern;
    assert_eq!(pattern.text, "/b/{id}?apikey=${env:K}&v=***");
    assert!(format!("{:?}", pattern.query).contains("hunter2"));
}

#[test]
fn secrets_are_in_no_rendered_line() {
    let broken = [
        (r#"{"version": 3, "client_secret": "hunter2" "x": 1}"#, Format::Json),
        (r#"{"version": 3, "client_secret": "hunter2, "x": 1}"#, Format::Json),
        (r#"{"version": 3, "client_secret": hunter2}"#, Format::Json),
        ("version: 3\nclient_secret: \"hunter2\n", Format::Yaml),
        ("version: 3\nclient_secret: *hunter2\n", Format::Yaml),
        ("version: 3\nclient_secret: @hunter2\n", Format::Yaml),
        ("version: 3\nclient_secret: !hunter2 {\n", Format::Yaml),
        ("version: 3\nclient_secret: !hunter2!x y\n", Format::Yaml),
        ("version: 3\nclient_secret: !<hunter2 y\n", Format::Yaml),
        ("version: 3\nclient_secret: %hunter2\n", Format::Yaml),
        ("version: 3\nclient_secret: &hunter2 *hunter2\n", Format::Yaml),
        ("version: 3\nclient_secret: !!int hunter2\n", Format::Yaml),
        ("version: 3\nclient_secret: !!binary hunter2\n", Format::Yaml),
        ("version: 3\nclient_secret: {hunter2: \n", Format::Yaml),
        ("version: 3\nclient_secret: [x]hunter2\n", Format::Yaml),
        ("version: 3\nclient_secret: \"\\hunter2\"\n", Format::Yaml),
        (r#"{"version": 3, "client_secret": "\hunter2"}"#, Format::Json),
        (r#"{"version": 3, "client_secret": {"hunter2" oops}}"#, Format::Json),
        ("version: 3\nclient_secret: hunter2: x\n", Format::Yaml),
    ];
    for (text, format) in broken {
        let report = load_text("a", format, text, &Options::default(), &variables(&[])).report;
        assert!(!report.is_ok(), "{text}");
        let shown = format!("{}{}", report.render(false), report.to_json());
        assert!(!shown.contains("hunter2"), "{text}\n{shown}");
    }
    let minified =
        credentials(&format!(r#"{CLIENT},"nope":1,"endpoint_params":{{"client_secret":["hunter2"],"a":{{}}}}"#));
    let report = json(&minified.replace('\n', "")).report;
    assert!(report.errors() >= 2);
    let shown = report.render(false);
    assert!(!shown.contains("hunter2") && shown.contains("*******"), "{shown}");
}
