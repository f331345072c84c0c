//! `security/http` and `security/bot-detector`: what good ones give, and what is wrong with others.

use super::super::model::*;
use super::*;

fn http(members: &str) -> String {
    format!(r#"{{"version": 3, "extra_config": {{"security/http": {{{members}}}}}}}"#)
}

fn bots(members: &str) -> String {
    format!(r#"{{"version": 3, "extra_config": {{"security/bot-detector": {{{members}}}}}}}"#)
}

fn security(members: &str) -> Security {
    json(&http(members)).model.and_then(|model| model.security).expect("a security namespace")
}

fn lines(headers: &[(&'static str, http::HeaderValue)]) -> Vec<String> {
    headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().expect("text"))).collect()
}

#[test]
fn every_header_is_prepared() {
    let read = security(
        r#""frame_deny": true, "content_type_nosniff": true, "browser_xss_filter": true, "referrer_policy": "same-origin",
           "content_security_policy": "default-src 'self';", "sts_seconds": 300, "sts_include_subdomains": true"#,
    );
    assert_eq!(
        lines(&read.headers),
        [
            "X-Frame-Options: DENY",
            "X-Content-Type-Options: nosniff",
            "X-XSS-Protection: 1; mode=block",
            "Content-Security-Policy: default-src 'self';",
            "Referrer-Policy: same-origin",
        ]
    );
    assert_eq!(lines(&read.ssl_headers), ["Strict-Transport-Security: max-age=300; includeSubDomains"]);
    let forced = security(r#""sts_seconds": 1, "force_sts_header": true, "custom_frame_options_value": "SAMEORIGIN""#);
    assert_eq!(lines(&forced.headers), ["X-Frame-Options: SAMEORIGIN", "Strict-Transport-Security: max-age=1"]);
    let nothing = security(r#""sts_seconds": 0, "referrer_policy": "", "frame_deny": false"#);
    assert!(nothing.headers.is_empty() && nothing.ssl_headers.is_empty());
}

#[test]
fn in_development_only_harmless_headers_are_left() {
    let read = security(
        r#""is_development": true, "allowed_hosts": ["a.test"], "ssl_redirect": true, "sts_seconds": 9,
           "force_sts_header": true, "frame_deny": true"#,
    );
    assert!(matches!(read.hosts, AllowedHosts::Any) && !read.ssl_redirect);
    assert_eq!(lines(&read.headers), ["X-Frame-Options: DENY"]);
    assert!(read.ssl_headers.is_empty());
}

#[test]
fn hosts_are_names_or_patterns() {
    assert!(matches!(security(r#""allowed_hosts": []"#).hosts, AllowedHosts::Any));
    let names = security(r#""allowed_hosts": ["a.test", "b.test:8080", "[::1]:80"]"#).hosts;
    assert!(matches!(names, AllowedHosts::Names(names) if names == ["a.test", "b.test:8080", "[::1]:80"]));
    let patterns = security(r#""allowed_hosts": ["a|b", "c.*"], "allowed_hosts_are_regex": true"#).hosts;
    let AllowedHosts::Patterns(patterns) = patterns else { panic!("{patterns:?}") };
    // `^a|b$`, which KrakenD makes of it, would match `ax`.
    for (host, expected) in [("a", true), ("b", true), ("ax", false), ("xb", false), ("cd", true)] {
        assert_eq!(patterns.is_match(host.as_bytes()), expected, "{host}");
    }
    for (host, word) in
        [("https://a.test", "as"), ("a.test/x", "such as"), ("*.a.test", "allowed_hosts_are_regex"), ("", "")]
    {
        problem(&http(&format!(r#""allowed_hosts": ["{host}"]"#)), code::ALLOWED_HOST, &format!("\"{host}\""), word);
    }
    problem(&http(r#""ssl_host": "https://a""#), code::ALLOWED_HOST, "\"https://a\"", "is not a host");
}

#[test]
fn what_any_client_can_send_is_warned_of_where_it_protects() {
    problem(&http(r#""host_proxy_headers": ["X-Host"]"#), code::CLIENTS_WORD, "[\"X-Host\"]", "any client");
    problem(&http(r#""ssl_redirect": true"#), code::EVERY_REQUEST, "true", "ssl_proxy_headers");
    let text = http(r#""ssl_redirect": true, "ssl_proxy_headers": {"X-Forwarded-Proto": "https"}"#);
    assert!(json(&text).report.diagnostics().is_empty());
}

#[test]
fn values_that_no_header_can_have_are_errors() {
    problem(&http(r#""referrer_policy": "a\nb""#), code::HEADER_VALUE, r#""a\nb""#, "control");
    problem(&http(r#""ssl_proxy_headers": {"X-A": "\u0000"}"#), code::HEADER_VALUE, r#""\u0000""#, "control");
    problem(&http(r#""ssl_proxy_headers": {"X A": "b"}"#), code::VALUE, "\"b\"", "not a header name");
    problem(&http(r#""host_proxy_headers": ["*"]"#), code::VALUE, "[\"*\"]", "not a header name");
    problem(&http(r#""content_security_policy": "script-src $NONCE""#), code::VALUE, "\"script-src $NONCE\"", "nonce");
    problem(&http(r#""sts_seconds": -1"#), code::TYPE, "-1", "seconds");
    problem(&http(r#""frame_denny": true"#), code::UNKNOWN_KEY, "\"frame_denny\"", "did you mean `frame_deny`?");
    problem(&http(r#""hpkp_public_key": "pin""#), code::NO_EFFECT, "\"hpkp_public_key\"", "browsers");
}

#[test]
fn regular_expressions_are_checked_one_by_one() {
    let text = bots(r#""patterns": ["ok", "(bad", "a{2,1}"]"#);
    let loaded = json(&text);
    let found: Vec<_> = loaded.report.diagnostics().iter().map(|d| (d.code, &text[d.span.clone().unwrap()])).collect();
    assert_eq!(found, [(code::PATTERN, "\"(bad\""), (code::PATTERN, "\"a{2,1}\"")]);
    problem(&bots(r#""patterns": ["(?=x)"]"#), code::PATTERN, "\"(?=x)\"", "look-around");
    problem(
        &http(r#""allowed_hosts": ["a)|(b"], "allowed_hosts_are_regex": true"#),
        code::PATTERN,
        "\"a)|(b\"",
        "unopened group",
    );
}

#[test]
fn bot_rules_are_read_for_the_service_and_for_endpoints() {
    let members =
        r#""allow": ["a"], "deny": "b", "patterns": ["c"], "cache_size": 100, "empty_user_agent_is_bot": true"#;
    let check = |rules: &BotRules| {
        assert_eq!((&rules.allow[..], &rules.deny[..]), (&["a".to_owned()][..], &["b".to_owned()][..]));
        assert!(rules.patterns.is_match(b"xcx") && rules.empty_user_agent_is_bot);
    };
    let loaded = json(&bots(members));
    assert!(loaded.report.diagnostics().is_empty(), "{}", loaded.report.render(false));
    check(&loaded.model.unwrap().bots.unwrap());
    let endpoint = format!(r#""extra_config": {{"security/bot-detector": {{{members}}}}},"#);
    let model = json(&file("", &endpoint, "")).model.unwrap();
    assert!(model.bots.is_none());
    check(model.endpoints[0].bots.as_ref().unwrap());
}

#[test]
fn a_bot_detector_that_refuses_nobody_is_warned_of() {
    problem(&bots(r#""allow": ["a"]"#), code::SWITCHED_OFF, "{", "refuses nobody");
    problem(&bots(r#""denny": ["a"], "deny": ["b"]"#), code::UNKNOWN_KEY, "\"denny\"", "did you mean `deny`?");
}
