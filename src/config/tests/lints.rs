//! What `porteur check` says about configurations that are right.

use super::*;

/// What is said beyond the problems that everybody is told: code, and the text it points at.
fn lints(text: &str, format: Format) -> Vec<(&'static str, String)> {
    let options = Options { lint: true, ..Options::default() };
    let loaded = load_text("krakend", format, text, &options, &variables(&[("HOST", "http://hidden")]));
    let problems = loaded.report.diagnostics();
    assert!(loaded.report.is_ok() && problems.iter().all(|problem| !problem.help.is_empty()), "{problems:#?}");
    let silent = load_text("krakend", format, text, &Options::default(), &variables(&[("HOST", "http://hidden")]));
    assert!(silent.report.diagnostics().is_empty(), "only when asked for: {:#?}", silent.report.diagnostics());
    assert!(!loaded.report.render(false).contains("hidden"));
    let at = |problem: &Diagnostic| text[problem.span.clone().unwrap()].to_owned();
    problems.iter().map(|problem| (problem.code, at(problem))).collect()
}

fn codes(text: &str) -> Vec<&'static str> {
    lints(text, Format::Json).into_iter().map(|(code, _)| code).collect()
}

const LOOPBACK: &str = r#""listen_ip": "127.0.0.1","#;

/// A service on loopback with one endpoint, whose requests carry a token to `host`.
fn carrying(host: &str, endpoint: &str, backend: &str) -> String {
    format!(
        r#"{{"version": 3, {LOOPBACK} "endpoints": [{{"endpoint": "/a/*", "output_encoding": "no-op", {endpoint}
        "backend": [{{"url_pattern": "/*", "host": {host}, {backend}
        "extra_config": {{"auth/client-credentials": {{{CLIENT}}}}}}}]}}]}}"#
    )
}

#[test]
fn a_token_that_nobody_guards_is_told_of_unless_the_listener_is_on_loopback() {
    let text = credentials(CLIENT).replace("http://up:8000", "https://up");
    let key = "\"auth/client-credentials\"".to_owned();
    assert_eq!(lints(&text, Format::Json), [(code::UNGUARDED, key)]);
    for ip in ["127.0.0.1", "::1"] {
        let text = text.replace("\"version\": 3,", &format!("\"version\": 3, \"listen_ip\": \"{ip}\","));
        assert_eq!(codes(&text), [""; 0]);
    }
    let disabled = text.replace("\"client_id\"", "\"is_disabled\": true, \"client_id\"");
    assert_eq!(codes(&disabled), [""; 0]);
    assert_eq!(codes(&file("", "", "")), [""; 0]);
}

#[test]
fn what_is_wrong_comes_before_what_could_be_better() {
    let options = Options { lint: true, ..Options::default() };
    let wrong = credentials(CLIENT).replace("/b/{id}", "/b/{ide}");
    assert_eq!(only(&json_with(&wrong, &options, &[])).code, code::UNDEFINED_PLACEHOLDER);
}

#[test]
fn wildcards_let_clients_speak_for_you() {
    let both = r#""input_headers": ["X-A", "*"], "input_query_strings": "*","#;
    let text = carrying(r#"["https://up"]"#, both, "");
    let star = || "\"*\"".to_owned();
    assert_eq!(lints(&text, Format::Json), [(code::WILDCARD_HEADERS, star()), (code::WILDCARD_QUERY, star())]);
    // A second list that names what goes on is a limit, and so is any list.
    let narrowed = r#""input_headers": ["X-A"], "input_query_strings": ["a"],"#;
    assert_eq!(codes(&carrying(r#"["https://up"]"#, both, narrowed)), [""; 0]);
    assert_eq!(codes(&carrying(r#"["https://up"]"#, narrowed, "")), [""; 0]);
    // Without a token the client can ask with any parameter itself; its cookies are its own all the same.
    assert_eq!(codes(&file("", both, "")), [code::WILDCARD_HEADERS]);
}

#[test]
fn every_method_on_every_path_is_no_limit() {
    let host = r#"["https://up"]"#;
    let text = carrying(host, r#""method": "*","#, "");
    assert_eq!(lints(&text, Format::Json), [(code::UNLIMITED_CALLS, "\"*\"".to_owned())]);
    assert_eq!(codes(&carrying(host, r#""method": ["GET", "DELETE"],"#, "")), [""; 0]);
    assert_eq!(codes(&text.replace("\"/*\"", "\"/one\"")), [""; 0]);
}

#[test]
fn a_long_timeout_is_told_of_where_it_is_written() {
    let of_root = |timeout: &str| format!("\"timeout\": \"{timeout}\",");
    assert_eq!(lints(&file(&of_root("61s"), "", ""), Format::Json), [(code::LONG_TIMEOUT, "\"61s\"".to_owned())]);
    assert_eq!(codes(&file(&of_root("60s"), "", "")), [""; 0]);
    let backend = r#", "timeout": "2m""#;
    let text = file(&of_root("61s"), &of_root("3m"), backend);
    assert_eq!(lints(&text, Format::Json), [(code::LONG_TIMEOUT, "\"2m\"".to_owned())]);
    assert_eq!(codes(&file(&of_root("61s"), "\"timeout\": \"2s\",", "")), [""; 0]);
}

#[test]
fn a_token_in_the_clear_is_told_of_at_the_host_unless_it_is_here() {
    let text = carrying(r#"["https://up", "http://up", "${env:HOST}"]"#, "", "");
    let told = ["\"http://up\"", "\"${env:HOST}\""].map(|host| (code::TOKEN_IN_THE_CLEAR, host.to_owned()));
    assert_eq!(lints(&text, Format::Json), told);
    let here = r#"["http://127.0.0.1:1", "http://[::1]", "http://localhost:1", "http://a.localhost"]"#;
    assert_eq!(codes(&carrying(here, "", "")), [""; 0]);
    let of_service = carrying("[]", "", "").replace("\"version\": 3,", "\"version\": 3, \"host\": \"up\",");
    assert_eq!(lints(&of_service, Format::Json), [(code::TOKEN_IN_THE_CLEAR, "\"up\"".to_owned())]);
    // Whoever reads such a token has no use for it.
    assert_eq!(codes(&text.replace("\"client_id\"", "\"dpop\": true, \"client_id\"")), [""; 0]);
    assert_eq!(codes(&file(LOOPBACK, "", "")), [""; 0]);
}

/// A service on loopback, in YAML, with an endpoint for each of these hosts and further keys of the credential.
fn services(backends: &[(&str, &str)]) -> String {
    let head = "version: 3\nlisten_ip: 127.0.0.1\noutput_encoding: no-op\nendpoints:\n".to_owned();
    let endpoints = backends.iter().enumerate().map(|(n, (host, keys))| {
        format!(
            "- endpoint: /{n}\n  backend:\n  - host: [{host}]\n    extra_config:\n      auth/client-credentials: \
             {{client_id: me, client_secret: hunter2, token_url: 'https://idp/t'{keys}}}\n"
        )
    });
    std::iter::once(head).chain(endpoints).collect()
}

#[test]
fn one_token_for_several_services_is_told_of() {
    let told = |backends: &[(&str, &str)]| {
        let text = services(backends);
        let loaded =
            load_text("a.yaml", Format::Yaml, &text, &Options { lint: true, ..Options::default() }, &variables(&[]));
        let lines = loaded.report.diagnostics().iter().map(|problem| {
            assert_eq!(problem.code, code::SHARED_TOKEN);
            assert!(problem.message.contains("line 9"), "{}", problem.message);
            text[..problem.span.clone().unwrap().start].matches("endpoint:").count()
        });
        lines.collect::<Vec<_>>()
    };
    assert_eq!(told(&[("https://a", ""), ("https://b", ""), ("https://a", "")]), [2]);
    assert_eq!(told(&[("https://a", ""), ("https://a:8443", ""), ("https://b", "")]), [2, 3]);
    // What has a host in common is one service, wherever the common host is written.
    assert_eq!(told(&[("https://a", ""), ("https://b, https://a", ""), ("https://b", "")]), [0; 0]);
    assert_eq!(told(&[("https://a", ""), ("https://b", ""), ("https://b, https://a", "")]), [0; 0]);
    // Different credentials have tokens of their own, and a bound token is of no use elsewhere.
    for keys in [", audience: b", ", scopes: b", ", resource: 'https://b'"] {
        assert_eq!(told(&[("https://a", ""), ("https://b", keys)]), [0; 0]);
    }
    assert_eq!(told(&[("https://a", ", dpop: true"), ("https://b", ", dpop: true")]), [0; 0]);
}

#[test]
fn old_names_and_names_of_credentials_are_found() {
    let old = credentials(CLIENT)
        .replace("auth/client-credentials", "github.com/devopsfaith/krakend-oauth2-clientcredentials");
    let loaded = json_with(&old, &Options { lint: true, ..Options::default() }, &[]);
    assert!(loaded.report.diagnostics().iter().any(|problem| problem.code == code::UNGUARDED));
    let named = file(
        &format!(r#""extra_config": {{"auth/credentials": {{"x": {{{CLIENT}}}}}}},"#),
        "",
        r#", "extra_config": {"auth/client-credentials": {"use": "x"}}"#,
    );
    assert_eq!(codes(&named), [code::TOKEN_IN_THE_CLEAR, code::UNGUARDED]);
}

#[test]
fn denied_lints_are_errors() {
    let options = Options { lint: true, deny_warnings: true, ..Options::default() };
    let loaded = json_with(&credentials(CLIENT), &options, &[]);
    assert_eq!((loaded.report.errors(), loaded.report.warnings()), (2, 0));
    assert!(loaded.model.is_none());
}

#[test]
fn a_shadow_is_a_backend_among_the_others() {
    let backend = |host: &str, proxy: &str| {
        format!(r#"{{"host": ["{host}"], "extra_config": {{{proxy}"auth/client-credentials": {{{CLIENT}}}}}}}"#)
    };
    let shadow = backend("http://shadow", r#""proxy": {"shadow": true},"#);
    let backends = [shadow, backend("https://shadow", ""), backend("https://shadow", "")].join(", ");
    let text = format!(r#"{{"version": 3, {LOOPBACK} "endpoints": [{{"endpoint": "/a", "backend": [{backends}]}}]}}"#);
    let told = lints(&text, Format::Json);
    let clear = (code::TOKEN_IN_THE_CLEAR, "\"http://shadow\"".to_owned());
    assert_eq!(told, [clear, (code::SHARED_TOKEN, "\"auth/client-credentials\"".to_owned())]);
}
