//! `extra_config`: what each name leads to, and what the command line may let pass.

use super::*;

#[test]
fn namespaces_are_decided_by_the_table() {
    let root = |name: &str| format!(r#"{{"version": 3, "extra_config": {{"{name}": {{}}}}}}"#);
    problem(&root("security/cors"), code::NOT_BUILT, "\"security/cors\"", "not built yet");
    problem(&root("telemetry/logging"), code::NOT_OBSERVED, "\"telemetry/logging\"", "ignored");
    problem(&root("telemetry/new"), code::NOT_OBSERVED, "\"telemetry/new\"", "ignored");
    problem(&root("plugin/http-server"), code::REFUSED, "\"plugin/http-server\"", "Go plugins");
    problem(&root("ruoter"), code::UNKNOWN_NAMESPACE, "\"ruoter\"", "did you mean `router`?");
    problem(&root("auth/client-credentials"), code::WRONG_LEVEL, "\"auth/client-credentials\"", "of a backend");
    problem(
        &root("github_com/luraproject/lura/router/gin"),
        code::LEGACY_NAME,
        "\"github_com/luraproject/lura/router/gin\"",
        "write `router`",
    );
    assert!(json(&root("@security/cors")).report.diagnostics().is_empty());
    let endpoint = file("", r#""extra_config": {"auth/client-credentials": {}},"#, "");
    problem(&endpoint, code::WRONG_LEVEL, "\"auth/client-credentials\"", "of a backend");
}

#[test]
fn what_porteur_will_not_do_is_refused_by_name_wherever_it_stands() {
    let refused = keys::NAMESPACES.iter().filter(|row| matches!(row.support, keys::Support::Refused(_)));
    for row in refused {
        let members = format!(r#""extra_config": {{"{}": {{"x": 1}}}}"#, row.name);
        let at = format!("{:?}", row.name);
        problem(&file(&format!("{members},"), "", ""), code::REFUSED, &at, row.doc);
        problem(&file("", &format!("{members},"), ""), code::REFUSED, &at, row.doc);
        problem(&file("", "", &format!(", {members}")), code::REFUSED, &at, row.doc);
    }
}

#[test]
fn keys_inside_built_namespaces_are_checked() {
    let router = |members: &str| format!(r#"{{"version": 3, "extra_config": {{"router": {{{members}}}}}}}"#);
    problem(&router(r#""disable_heatlh": true"#), code::UNKNOWN_KEY, "\"disable_heatlh\"", "`disable_health`");
    problem(&router(r#""decompress_gzip": true"#), code::NOT_BUILT, "\"decompress_gzip\"", "compression");
    let admin = |listen: &str| format!(r#"{{"version": 3, "extra_config": {{"admin": {{"listen": "{listen}"}}}}}}"#);
    problem(&admin("0.0.0.0:9901"), code::VALUE, "\"0.0.0.0:9901\"", "loopback");
    problem(&admin("localhost:9901"), code::VALUE, "\"localhost:9901\"", "127.0.0.1:9901");
    let legacy = file(
        "",
        "",
        &format!(r#", "extra_config": {{"github.com/devopsfaith/krakend-oauth2-clientcredentials": {{{CLIENT}}}}}"#),
    );
    let loaded = json(&legacy);
    assert_eq!(only(&loaded).code, code::LEGACY_NAME);
    assert!(loaded.model.is_some_and(|model| model.endpoints[0].answer.backends()[0].token.is_some()));
}

#[test]
fn unsupported_namespaces_pass_only_when_allowed_and_never_protection() {
    let text =
        r#"{"version": 3, "extra_config": {"grpc": {}, "github.com/devopsfaith/krakend-cors": {}, "new/thing": {}}}"#;
    let allow = |names: &[&str]| Options {
        allow_unsupported: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Options::default()
    };
    let report = json_with(text, &allow(&["grpc", "new/thing"]), &[]).report;
    assert_eq!((report.errors(), report.warnings()), (1, 3), "{}", report.render(false));
    let report = json_with(text, &allow(&["security/cors", "auth/x"]), &[]).report;
    let options: Vec<_> = report.diagnostics().iter().filter(|d| d.code == code::OPTION).collect();
    assert_eq!(options.len(), 2);
    assert!(options.iter().all(|d| d.span.is_none()));
    assert!(!json_with(r#"{"version": 3}"#, &allow(&["github_com/devopsfaith/krakend-cors"]), &[]).report.is_ok());
}

#[test]
fn protection_that_is_switched_off_is_warned_of() {
    for (name, value) in [("auth/api-keys", "false"), ("security/cors", "null")] {
        let text = format!(r#"{{"version": 3, "extra_config": {{"{name}": {value}, "grpc": false}}}}"#);
        problem(&text, code::SWITCHED_OFF, &format!("\"{name}\""), "switched off");
    }
}

#[test]
fn a_misplaced_namespace_that_is_not_built_says_so_at_once() {
    let text = r#"{"version": 3, "extra_config": {"qos/ratelimit/router": {"max_rate": 1}}}"#;
    problem(text, code::WRONG_LEVEL, "\"qos/ratelimit/router\"", "not built yet");
}

#[test]
fn allowing_what_is_not_there_is_warned_of() {
    let options = Options { allow_unsupported: vec!["gprc".into()], ..Options::default() };
    let loaded = json_with(r#"{"version": 3, "extra_config": {"telemetry/logging": {}}}"#, &options, &[]);
    let codes: Vec<_> = loaded.report.diagnostics().iter().map(|d| d.code).collect();
    assert_eq!(codes, [code::UNUSED_OPTION, code::NOT_OBSERVED]);
}

#[test]
fn the_admin_listener_cannot_have_the_services_port() {
    let text = |members: &str| {
        format!(r#"{{"version": 3, {members} "extra_config": {{"admin": {{"listen": "127.0.0.1:8080"}}}}}}"#)
    };
    for members in ["", r#""listen_ip": "127.0.0.1","#, r#""listen_ip": "0.0.0.0", "port": 8080,"#] {
        problem(&text(members), code::VALUE, "\"127.0.0.1:8080\"", "another port");
    }
    for members in [r#""listen_ip": "::1","#, r#""port": 0,"#, r#""port": 81,"#] {
        assert!(json(&text(members)).report.is_ok());
    }
}

#[test]
fn what_an_alias_repeats_is_told_once() {
    let text = "version: 3\nendpoints:\n  - endpoint: /a\n    output_encoding: no-op\n    backend: &b\n      - host: [http://up/v1]\n  - endpoint: /b\n    output_encoding: no-op\n    backend: *b\n";
    assert_eq!(only(&yaml(text)).code, code::HOST);
}

#[test]
fn warnings_can_be_denied() {
    let options = Options { deny_warnings: true, ..Options::default() };
    let loaded = json_with(r#"{"version": 3, "naem": "x"}"#, &options, &[]);
    assert_eq!((loaded.report.errors(), loaded.report.warnings()), (1, 0));
    assert!(loaded.model.is_none());
}
