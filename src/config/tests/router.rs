//! The `router` namespace, `disable_rest` and what old files call things.

use super::super::model::*;
use super::*;

fn router(members: &str) -> String {
    format!(r#"{{"version": 3, "extra_config": {{"router": {{{members}}}}}}}"#)
}

fn settings(members: &str) -> Router {
    let loaded = json(&router(members));
    assert!(loaded.report.diagnostics().is_empty(), "{}", loaded.report.render(false));
    loaded.model.unwrap().router
}

#[test]
fn every_switch_of_the_router_is_read() {
    let read = settings(
        r#""auto_options": true, "remove_extra_slash": "true", "disable_path_decoding": true, "disable_gzip": true,
           "logger_skip_paths": ["/__health", "/é"]"#,
    );
    assert!(read.auto_options && read.remove_extra_slash && read.disable_path_decoding);
    assert_eq!(read.logger_skip_paths, ["/__health", "/%C3%A9"]);
    assert_eq!(settings("").logger_skip_paths, Vec::<String>::new());
}

#[test]
fn error_bodies_are_json_as_go_writes_it() {
    let body = |json: &str| settings(&format!(r#""error_body": {{"404": {json}}}"#)).error_body.not_found;
    for (written, sent) in [
        (
            r#"{"status": 404, "error": "<b>no & no</b>"}"#,
            r#"{"error":"\u003cb\u003eno \u0026 no\u003c/b\u003e","status":404}"#,
        ),
        (r#""plain""#, r#""plain""#),
        ("[1.50, 2.0, -3, true, null]", "[1.50,2.0,-3,true,null]"),
        ("{}", "{}"),
    ] {
        assert_eq!(body(written).as_deref(), Some(sent.as_bytes()), "{written}");
    }
    assert_eq!(body("null"), None);
    let yaml = yaml("version: 3\nextra_config:\n  router:\n    error_body:\n      405: { error: no }\n");
    let body = yaml.model.unwrap().router.error_body;
    assert_eq!((body.not_found, body.method_not_allowed.as_deref()), (None, Some(&b"{\"error\":\"no\"}"[..])));
}

#[test]
fn what_an_error_body_cannot_be_for_is_an_error() {
    let text = router(r#""error_body": {"500": {}}"#);
    problem(&text, code::UNKNOWN_KEY, "\"500\"", "`404`, `405`");
    problem(&router(r#""error_body": "no""#), code::TYPE, "\"no\"", "an object");
}

#[test]
fn a_path_that_no_request_has_is_warned_of() {
    for path in ["/items/{id}", "items", "/a?b=1", "/a/*"] {
        let quoted = format!("\"{path}\"");
        problem(&router(&format!(r#""logger_skip_paths": ["/ok", {quoted}]"#)), code::NO_EFFECT, &quoted, "no request");
    }
}

#[test]
fn placeholders_inside_a_segment_need_disable_rest() {
    let text = |root: &str, path: &str| {
        format!(
            r#"{{"version": 3, {root} "output_encoding": "no-op", "endpoints": [{{"endpoint": "{path}",
               "backend": [{{"host": ["http://up"], "url_pattern": "/b/{{id}}"}}]}}]}}"#
        )
    };
    problem(&text("", "/a/{id}.json"), code::ENDPOINT, "\"/a/{id}.json\"", "disable_rest");
    let loaded = json(&text(r#""disable_rest": true,"#, "/a/{id}.json"));
    assert!(loaded.report.diagnostics().is_empty(), "{}", loaded.report.render(false));
    let path = &loaded.model.unwrap().endpoints[0].path;
    assert_eq!((path.text.as_str(), path.params.as_slice()), ("/a/{id}.json", &["id".to_owned()][..]));
}

#[test]
fn placeholders_inside_a_segment_that_cannot_be_told_apart_are_reported() {
    let text = |paths: [&str; 2]| {
        let entry = |path| format!(r#"{{"endpoint": "{path}", "backend": [{{"host": ["http://up"]}}]}}"#);
        let entries = paths.map(entry).join(",\n");
        format!(r#"{{"version": 3, "disable_rest": true, "output_encoding": "no-op", "endpoints": [{entries}]}}"#)
    };
    for (paths, word) in [
        (["/a/{x}.json", "/a/{y}.json"], "one name for the placeholder: `{x}`"),
        (["/a/v{x}.json", "/a/w{y}"], "a path of its own"),
        (["/a/v{x}", "/a/{y}.json"], "a path of its own"),
        (["/a/{x}.json", "/a/*"], "a placeholder and a wildcard"),
    ] {
        let quoted = format!("\"{}\"", paths[1]);
        problem(&text(paths), code::CONFLICTING_ROUTE, &quoted, word);
    }
    for paths in [["/a/{x}.json", "/a/{y}"], ["/a/v{x}", "/a/{y}"], ["/a/v{x}", "/a/w{y}"]] {
        let report = json(&text(paths)).report;
        assert!(report.is_ok(), "{}", report.render(false));
    }
}

#[test]
fn variables_stand_for_scalars_of_the_root_alone() {
    let text = r#"{"version": 3, "host": ["http://a"], "endpoints": []}"#;
    let set = [
        ("KRAKEND_HOST", "http://b"),
        ("KRAKEND_ENDPOINTS", "x"),
        ("KRAKEND_EXTRA_CONFIG", "x"),
        ("KRAKEND_DISABLE_REST", "true"),
        ("KRAKEND_DEBUG_ENDPOINT", "1"),
        ("krakend_port", "1"),
        ("KRAKEND_NOBODY", "1"),
    ];
    let loaded = json_with(text, &Options::default(), &set);
    assert!(loaded.report.diagnostics().is_empty(), "{}", loaded.report.render(false));
    let model = loaded.model.unwrap();
    assert_eq!((model.port, model.debug_endpoint), (8080, true));
}

#[test]
fn keys_of_version_2_have_no_effect() {
    for (key, now) in [("headers_to_pass", "input_headers"), ("querystring_params", "input_query_strings")] {
        let text = file("", &format!(r#""{key}": ["X"],"#), "");
        problem(&text, code::NO_EFFECT, &format!("\"{key}\""), now);
        let model = json(&text).model.unwrap();
        assert_eq!(model.endpoints[0].input_headers, AllowList::Only(vec![]));
        assert_eq!(model.endpoints[0].input_query_strings, AllowList::Only(vec![]));
    }
}

#[test]
fn built_namespaces_have_their_old_names_too() {
    for (old, members) in [
        ("github_com/devopsfaith/krakend-httpsecure", r#""frame_deny": true"#),
        ("github.com/devopsfaith/krakend-httpsecure", r#""frame_deny": true"#),
        ("github_com/devopsfaith/krakend-botdetector", r#""deny": ["x"]"#),
        ("github.com/luraproject/lura/router/gin", r#""auto_options": true"#),
    ] {
        let text = format!(r#"{{"version": 3, "extra_config": {{"{old}": {{{members}}}}}}}"#);
        let loaded = json(&text);
        assert_eq!(only(&loaded).code, code::LEGACY_NAME);
        let model = loaded.model.unwrap();
        assert!(model.security.is_some() || model.bots.is_some() || model.router.auto_options, "{old}");
    }
}
