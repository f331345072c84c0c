//! `auth/client-credentials`: what a good one gives, and the problem of each bad one.

use super::super::model::*;
use super::*;
use crate::base::Secret;
use http::StatusCode;
use std::time::Duration;

pub(super) fn token(members: &str) -> TokenPolicy {
    let loaded = json(&credentials(members));
    let rendered = loaded.report.render(false);
    let model = loaded.model.unwrap_or_else(|| panic!("{rendered}"));
    model
        .endpoints
        .into_iter()
        .next()
        .and_then(|e| e.answer.backends()[0].token.clone())
        .unwrap_or_else(|| panic!("no token"))
}

fn secret(method: SecretMethod) -> ClientAuth {
    let secrets = vec![SecretSource::Text(Secret::new("hunter2"))];
    ClientAuth::Secret { secrets, method, encoding: BasicEncoding::Rfc6749 }
}

#[test]
fn a_credential_has_its_defaults_and_extensions() {
    let plain = token(CLIENT);
    assert_eq!((plain.on_missing, plain.reject_status.as_u16(), plain.required), (OnMissing::Reject, 503, true));
    assert_eq!(plain.header, http::header::AUTHORIZATION);
    assert_eq!(plain.first_token_wait, Duration::from_secs(5));
    assert_eq!(plain.credential.client_auth, secret(SecretMethod::Auto));
    assert_eq!(
        (plain.refresh_on_status.as_slice(), plain.replay),
        ([StatusCode::UNAUTHORIZED].as_slice(), Replay::Idempotent)
    );
    assert_eq!(plain.credential.transport, Transport::default());
    assert_eq!(plain.credential.timeout, Duration::from_secs(10));
    assert_eq!(plain.credential.default_ttl, Some(Duration::from_secs(300)));
    assert_eq!(plain.credential.scheme, None);
    let full = token(&format!(
        r#"{CLIENT}, "scopes": "a, b c,,d", "client_auth": "client_secret_post", "timeout": "1s", "default_ttl": "never",
        "header": "X-Token", "scheme": "", "on_missing": "pass", "reject_status": 502, "first_token_wait": 0,
        "required": false, "dpop": false, "audience": "", "endpoint_params": {{"audience": ["A", "B"], "n": 7, "b": true,
        "grant_type": "client_credentials", "resource": "r"}}"#
    ));
    assert_eq!(full.credential.scopes, ["a", "b", "c", "d"]);
    assert_eq!(full.credential.client_auth, secret(SecretMethod::Post));
    assert_eq!(full.credential.default_ttl, None);
    assert_eq!(full.credential.scheme.as_deref(), Some(""));
    assert_eq!((full.on_missing, full.reject_status.as_u16(), full.required), (OnMissing::Pass, 502, false));
    assert_eq!(full.header, "x-token");
    assert_eq!(full.first_token_wait, Duration::ZERO);
    let params: Vec<_> = full
        .credential
        .endpoint_params
        .iter()
        .map(|(name, values)| (name.as_str(), values.iter().map(Secret::expose).collect::<Vec<_>>()))
        .collect();
    assert_eq!(params, [("audience", vec!["A", "B"]), ("b", vec!["true"]), ("n", vec!["7"]), ("resource", vec!["r"])]);
    let disabled = json(&credentials(r#""is_disabled": true"#)).model.unwrap();
    assert!(disabled.endpoints[0].answer.backends()[0].token.is_none());
}

#[test]
fn credentials_may_be_in_the_parameters() {
    let auth0 = token(
        r#""token_url": "https://idp/t", "endpoint_params": {"client_id": ["me"], "client_secret": ["hunter2"]}"#,
    );
    assert_eq!(auth0.credential.client_auth, ClientAuth::InParams);
    assert_eq!(auth0.credential.client_id, "me");
    let public =
        token(r#""token_url": "https://idp/t", "client_auth": "none", "endpoint_params": {"client_id": "me"}"#);
    assert_eq!((&public.credential.client_auth, public.credential.client_id.as_str()), (&ClientAuth::None, "me"));
    assert!(public.credential.endpoint_params.is_empty());
    let scope = token(&format!(r#"{CLIENT}, "endpoint_params": {{"scope": "a b"}}"#));
    assert_eq!(scope.credential.endpoint_params["scope"], [Secret::new("a b")]);
    for (members, at) in [
        (r#""endpoint_params": {"client_secret": "hunter2"}"#, r#"{"client_secret": "hunter2"}"#),
        (
            r#""client_auth": "client_secret_post", "endpoint_params": {"client_id": "me", "client_secret": "hunter2"}"#,
            r#"{"client_id": "me", "client_secret": "hunter2"}"#,
        ),
        (r#""scopes": "a", "endpoint_params": {"scope": "b"}"#, "\"b\""),
        (r#""endpoint_params": {"grant_type": ["password"]}"#, r#"["password"]"#),
    ] {
        problem(&credentials(&format!("{CLIENT}, {members}")), code::ENDPOINT_PARAMS, at, "");
    }
}

#[test]
fn a_secret_with_a_line_end_is_warned_of() {
    for secret in ["hunter2\\n", " hunter2", "hunter2\\r"] {
        let members = format!(r#""client_id": "me", "client_secret": "{secret}", "token_url": "https://idp/t""#);
        problem(&credentials(&members), code::BLANKS, &format!("\"{secret}\""), "line end");
    }
}

#[test]
fn parameters_that_look_like_comments_are_sent() {
    let policy = token(&format!(r#"{CLIENT}, "endpoint_params": {{"$filter": "a", "_id": "b", "@x": "c"}}"#));
    let names: Vec<_> = policy.credential.endpoint_params.keys().map(String::as_str).collect();
    assert_eq!(names, ["$filter", "@x", "_id"]);
}

#[test]
fn two_client_ids_that_differ_are_an_error() {
    let params = r#"{"client_id": "you", "client_secret": "s"}"#;
    let members = format!(r#""client_id": "me", "token_url": "https://idp/t", "endpoint_params": {params}"#);
    problem(&credentials(&members), code::ENDPOINT_PARAMS, params, "`client_id`");
    assert!(json(&credentials(&members.replace("you", "me"))).report.is_ok());
}

#[test]
fn credential_values_are_checked() {
    let with = |members: &str| credentials(&format!("{CLIENT}, {members}"));
    problem(&with(r#""clientid": "x""#), code::UNKNOWN_KEY, "\"clientid\"", "`client_id`");
    problem(&with(r#""client_auth": "basic""#), code::VALUE, "\"basic\"", "one of auto, client_secret_basic");
    problem(&with(r#""header": "Connection""#), code::VALUE, "\"Connection\"", "HTTP itself");
    problem(&with(r#""header": "a b""#), code::VALUE, "\"a b\"", "not a header name");
    problem(&with(r#""scheme": "a b""#), code::VALUE, "\"a b\"", "one visible ASCII word");
    problem(&with(r#""on_missing": "fail""#), code::VALUE, "\"fail\"", "`reject` or `pass`");
    problem(&with(r#""reject_status": 200"#), code::VALUE, "200", "400 to 599");
    problem(&with(r#""timeout": "0s""#), code::VALUE, "\"0s\"", "longer than 0");
    problem(&with(r#""default_ttl": "always""#), code::DURATION, "\"always\"", "not a duration");
    problem(&with(r#""endpoint_params": {"a": {}}"#), code::TYPE, "{}", "expected a string");
}

#[test]
fn what_a_credential_needs_is_checked() {
    let url =
        |url: &str| credentials(&format!(r#""client_id": "me", "client_secret": "hunter2", "token_url": "{url}""#));
    problem(&url("http://idp/t"), code::TOKEN_URL, "\"http://idp/t\"", "not encrypted");
    problem(&credentials(r#""client_secret": "x", "token_url": "https://i/t""#), code::MISSING, "{", "`client_id`");
    problem(&credentials(r#""client_id": "x", "token_url": "https://i/t""#), code::MISSING, "{", "`client_secret`");
    problem(&credentials(r#""client_id": "x", "client_secret": "y""#), code::MISSING, "{", "`token_url`");
    let empty = r#""client_id": "x", "client_secret": "", "token_url": "https://i/t""#;
    problem(&credentials(empty), code::EMPTY_CREDENTIAL, "\"\"", "`client_secret` is empty");
    let authorization = file(
        "",
        r#""input_headers": ["authorization"],"#,
        &format!(r#", "extra_config": {{"auth/client-credentials": {{{CLIENT}}}}}"#),
    );
    problem(&authorization, code::REPLACED_HEADER, "\"authorization\"", "never goes on");
}
