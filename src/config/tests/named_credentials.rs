//! `auth/credentials` of the service, and `use` of a backend.

use super::super::model::*;
use super::credential_methods::{Files, p256};
use super::*;

const PARTNER: &str = r#""client_id": "me", "client_secret": "hunter2", "token_url": "https://idp/t", "scopes": "a""#;

/// A service with these named credentials and one endpoint for each of these uses.
fn service(named: &str, uses: &[&str]) -> String {
    let endpoints: Vec<_> = uses
        .iter()
        .enumerate()
        .map(|(n, members)| {
            format!(
                r#"{{"endpoint": "/{n}", "output_encoding": "no-op", "backend": [{{"host": ["http://up"],
                "extra_config": {{"auth/client-credentials": {{{members}}}}}}}]}}"#
            )
        })
        .collect();
    let endpoints = endpoints.join(",\n");
    format!(
        "{{\"version\": 3,\n\"extra_config\": {{\"auth/credentials\": {{{named}}}}},\n\"endpoints\": [\n{endpoints}\n]}}"
    )
}

fn policies(named: &str, uses: &[&str]) -> Vec<TokenPolicy> {
    let loaded = json(&service(named, uses));
    assert!(loaded.report.diagnostics().is_empty(), "{}", loaded.report.render(false));
    loaded
        .model
        .unwrap()
        .endpoints
        .into_iter()
        .map(|endpoint| endpoint.answer.backends()[0].token.clone().unwrap())
        .collect()
}

#[test]
fn a_backend_uses_a_named_credential_and_replaces_single_keys() {
    let policies = policies(
        &format!(r#""@note": "x", "partner-a": {{{PARTNER}, "on_missing": "pass", "@note": 1}}"#),
        &[
            r#""use": "partner-a""#,
            r#""use": "partner-a", "scopes": ["b", "c"]"#,
            r#""USE": "partner-a", "Scopes": null, "audience": "x""#,
            r#""use": "partner-a", "header": "X-Token", "on_missing": "reject", "scheme": """#,
            r#""use": "partner-a", "on_missing": "reject", "reject_status": 502, "header": "X-Token""#,
        ],
    );
    assert!(policies.iter().all(|policy| policy.name.as_deref() == Some("partner-a")));
    let credentials: Vec<&Credential> = policies.iter().map(|policy| &*policy.credential).collect();
    assert_eq!(credentials[0].scopes, ["a"]);
    assert_eq!(credentials[1].scopes, ["b", "c"]);
    assert_eq!((&credentials[2].scopes, credentials[2].audiences.as_slice()), (&vec![], &["x".to_owned()][..]));
    assert!(credentials.iter().all(|credential| credential.client_id == "me"));
    for distinct in &credentials[1..4] {
        assert_ne!(*distinct, credentials[0]);
    }
    assert_eq!(credentials[4], credentials[0], "how a backend uses a token does not make another");
    assert_eq!((policies[0].on_missing, policies[3].on_missing), (OnMissing::Pass, OnMissing::Reject));
    assert_eq!((policies[4].header.as_str(), policies[4].reject_status.as_u16()), ("x-token", 502));
}

#[test]
fn an_issuer_replaces_a_token_url_and_a_file_the_secret() {
    let replaced = policies(
        &format!(r#""partner-a": {{{PARTNER}}}"#),
        &[r#""use": "partner-a""#, r#""use": "partner-a", "issuer": "https://other""#],
    );
    assert!(matches!(&replaced[1].credential.endpoint, TokenEndpoint::Issuer { text, .. } if text == "https://other"));
}

#[test]
fn names_are_looked_up() {
    let partner = format!(r#""partner-a": {{{PARTNER}}}"#);
    let unknown = service(&partner, &[r#""use": "partner-a""#, r#""use": "partner-b""#]);
    problem(&unknown, code::CREDENTIAL, "\"partner-b\"", "did you mean `partner-a`?");
    let other = service(&partner, &[r#""use": "partner-a""#, r#""use": "somebody""#]);
    problem(&other, code::CREDENTIAL, "\"somebody\"", "define it in `auth/credentials`");
    problem(&credentials(r#""use": "x""#), code::CREDENTIAL, "\"x\"", "there is no credential `x`");
    problem(&credentials(r#""use": []"#), code::TYPE, "[]", "expected a string");
    let nested = format!(r#"{partner}, "b": {{"use": "partner-a", "scopes": "b"}}"#);
    let text = service(&nested, &[r#""use": "partner-a""#, r#""use": "b""#]);
    problem(&text, code::CREDENTIAL, "\"partner-a\"", "cannot use another one");
    for name in ["a b", "a/b", "", "ä", &"x".repeat(65)] {
        let text = service(&format!(r#""{name}": {{{PARTNER}}}"#), &[]);
        problem(&text, code::VALUE, &format!("\"{name}\""), "64 at the most");
    }
    problem(&service(r#""partner-a": "x""#, &[]), code::TYPE, "\"x\"", "expected an object");
    let text = service(&format!("{partner}, {partner}"), &[r#""use": "partner-a""#]);
    problem(&text, code::DUPLICATE_KEY, "\"partner-a\"", "written twice");
}

#[test]
fn names_that_differ_in_case_are_two_credentials() {
    let named = format!(r#""a": {{{PARTNER}}}, "A": {{{}}}"#, PARTNER.replace("\"me\"", "\"you\""));
    let policies = policies(&named, &[r#""use": "a""#, r#""use": "A""#]);
    assert_eq!(policies[0].credential.client_id, "me");
    assert_eq!(policies[1].credential.client_id, "you");
}

#[test]
fn a_credential_that_nobody_uses_is_checked_and_told_of() {
    let text = service(&format!(r#""partner-a": {{{PARTNER}}}"#), &[]);
    problem(&text, code::UNUSED_CREDENTIAL, "\"partner-a\"", r#"{ "use": "partner-a" }"#);
    let wrong = service(r#""partner-a": {"client_id": "me", "client_secret": "x", "token_url": "idp"}"#, &[]);
    let report = json(&wrong).report;
    let codes: Vec<_> = report.diagnostics().iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [code::UNUSED_CREDENTIAL, code::TOKEN_URL], "{}", report.render(false));
    // Switched off where it is used is used.
    let off = service(&format!(r#""partner-a": {{{PARTNER}}}"#), &[r#""use": "partner-a", "is_disabled": true"#]);
    assert!(json(&off).report.diagnostics().is_empty());
}

#[test]
fn what_is_wrong_with_a_named_credential_is_told_once_and_at_its_place() {
    let wrong = |members: &str| {
        service(
            &format!(r#""partner-a": {{{PARTNER}, {members}}}"#),
            &[r#""use": "partner-a""#, r#""use": "partner-a""#],
        )
    };
    problem(&wrong(r#""clientid": "x""#), code::UNKNOWN_KEY, "\"clientid\"", "did you mean `client_id`?");
    problem(&wrong(r#""tls": {"ca_fil": "x"}"#), code::UNKNOWN_KEY, "\"ca_fil\"", "did you mean `ca_file`?");
    problem(&wrong(r#""resource": "relative""#), code::VALUE, "\"relative\"", "absolute URI");
    problem(&wrong(r#""timeout": "soon""#), code::DURATION, "\"soon\"", "not a duration");
    problem(&wrong(r#""Client_Secret": "x""#), code::DUPLICATE_KEY, "\"Client_Secret\"", "without regard to case");
    let files = Files::new();
    let key = files.write("key", p256());
    let other = service(
        &format!(r#""partner-a": {{{PARTNER}}}"#),
        &[&format!(r#""use": "partner-a", "private_key_file": "{key}""#)],
    );
    problem(&other, code::CONTRADICTION, &format!("\"{key}\""), "contradicts the way");
}

#[test]
fn a_named_credential_is_at_the_service_and_nowhere_else() {
    let backend = file("", "", r#", "extra_config": {"auth/credentials": {}}"#);
    problem(&backend, code::WRONG_LEVEL, "\"auth/credentials\"", "of the service");
}

#[test]
fn yaml_and_json_of_the_same_named_credentials_give_equal_models() {
    let yaml = yaml(
        "version: 3\nextra_config:\n  auth/credentials:\n    partner-a: {client_id: me, client_secret: hunter2, token_url: https://idp/t, \
         scopes: a}\nendpoints:\n  - endpoint: /0\n    output_encoding: no-op\n    backend:\n      - host: [http://up]\n        \
         extra_config:\n          auth/client-credentials: {use: partner-a, scopes: b}\n",
    );
    let json = json(&service(&format!(r#""partner-a": {{{PARTNER}}}"#), &[r#""use": "partner-a", "scopes": "b""#]));
    assert!(yaml.report.diagnostics().is_empty(), "{}", yaml.report.render(false));
    assert_eq!(format!("{:?}", yaml.model.unwrap()), format!("{:?}", json.model.unwrap()));
}
