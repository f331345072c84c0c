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
fn keys_inside_built_namespaces_are_checked() {
    let router = |members: &str| format!(r#"{{"version": 3, "extra_config": {{"router": {{{members}}}}}}}"#);
    problem(&router(r#""disable_heatlh": true"#), code::UNKNOWN_KEY, "\"disable_heatlh\"", "`disable_health`");
    problem(&router(r#""auto_options": true"#), code::NOT_BUILT, "\"auto_options\"", "OPTIONS");
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
    assert!(loaded.model.is_some_and(|model| model.endpoints[0].backend.token.is_some()));
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
fn warnings_can_be_denied() {
    let options = Options { deny_warnings: true, ..Options::default() };
    let loaded = json_with(r#"{"version": 3, "naem": "x"}"#, &options, &[]);
    assert_eq!((loaded.report.errors(), loaded.report.warnings()), (1, 0));
    assert!(loaded.model.is_none());
}
