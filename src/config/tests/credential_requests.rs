//! Where tokens are asked for, through what, with which parameters, and how a backend uses them.

use super::super::model::*;
use super::credential_methods::Files;
use super::credentials::token;
use super::*;
use crate::base::Secret;
use http::StatusCode;

const ISSUED: &str = r#""client_id": "me", "client_secret": "hunter2", "issuer": "https://idp.test/a""#;

fn with(members: &str) -> String {
    credentials(&format!("{CLIENT}, {members}"))
}

fn good(members: &str) -> TokenPolicy {
    token(&format!("{CLIENT}, {members}"))
}

#[test]
fn an_issuer_stands_in_for_the_token_url() {
    let TokenEndpoint::Issuer { text, url, insecure } = token(ISSUED).credential.endpoint.clone() else {
        panic!("no issuer")
    };
    assert_eq!((text.as_str(), url.as_str(), insecure), ("https://idp.test/a", "https://idp.test/a", false));
    problem(
        &with(r#""issuer": "https://idp.test""#),
        code::CONTRADICTION,
        "\"https://idp.test\"",
        "keep one of the two",
    );
    let issuer = |text: &str| credentials(&ISSUED.replace("https://idp.test/a", text));
    for (text, word) in [
        ("http://idp.test", "not encrypted"),
        ("idp.test", "not a URL"),
        ("https://idp.test/#x", "has a fragment"),
        ("https://idp.test/?a=b", "has a query"),
        ("https://u:p@idp.test/", "user name or password"),
        ("ldap://idp.test/", "other than `https`"),
    ] {
        problem(&issuer(text), code::TOKEN_URL, &format!("\"{text}\""), word);
    }
    assert!(json(&issuer("http://127.0.0.1:1/x")).report.is_ok());
    let insecure = format!(r#"{}, "allow_insecure_token_url": true"#, ISSUED.replace("https", "http"));
    assert!(matches!(token(&insecure).credential.endpoint, TokenEndpoint::Issuer { insecure: true, .. }));
    let neither = r#""client_id": "me", "client_secret": "hunter2""#;
    problem(&credentials(neither), code::MISSING, "{", "or its `issuer`");
}

#[test]
fn audiences_and_resources_are_one_or_many() {
    let policy = good(
        r#""audience": ["a", "", "b"], "resource": "https://r.test/x?y=1", "request_format": "json",
            "endpoint_params": {"tenant": "t"}"#,
    );
    assert_eq!(policy.credential.audiences, ["a", "b"]);
    assert_eq!(policy.credential.resources, ["https://r.test/x?y=1"]);
    assert_eq!(policy.credential.request_format, RequestFormat::Json);
    assert_eq!(good(r#""resource": ["urn:a:b", "https://c"]"#).credential.resources, ["urn:a:b", "https://c"]);
    assert_eq!(good(r#""audience": "a""#).credential.request_format, RequestFormat::Form);
    for (resource, word) in [
        ("https://r.test/#frag", "remove the `#`"),
        ("https://r.test/#", "has a fragment"),
        ("/orders", "not an absolute URI"),
        ("r.test", "or use `audience`"),
    ] {
        problem(&with(&format!(r#""resource": "{resource}""#)), code::VALUE, &format!("\"{resource}\""), word);
        let list = format!(r#""resource": ["https://fine", "{resource}"]"#);
        problem(&with(&list), code::VALUE, &format!("\"{resource}\""), word);
    }
    problem(&with(r#""request_format": "xml""#), code::VALUE, "\"xml\"", "`form` or `json`");
}

#[test]
fn what_has_a_key_of_its_own_is_not_written_twice() {
    for (members, at, word) in [
        (r#""audience": "a", "endpoint_params": {"audience": "b"}"#, "\"b\"", "keep `audience`"),
        (r#""audience": "a", "endpoint_params": {"audience": ["a"]}"#, "[\"a\"]", "keep `audience`"),
        (r#""resource": "https://r", "endpoint_params": {"resource": "https://r"}"#, "\"https://r\"", "`resource`"),
        (r#""endpoint_params": {"client_assertion": "hunter2"}"#, "\"hunter2\"", "`private_key_file`"),
        (r#""endpoint_params": {"client_assertion_type": "urn:x"}"#, "\"urn:x\"", "new in each request"),
    ] {
        problem_at_last(&with(members), code::ENDPOINT_PARAMS, at, word);
    }
    assert!(json(&with(r#""audience": "", "endpoint_params": {"audience": "b"}"#)).report.is_ok());
}

/// Like `problem`, for a value that stands in the text twice.
#[track_caller]
fn problem_at_last(text: &str, code: &str, at: &str, word: &str) {
    problem(text, code, at, word);
    let span = only(&json(text)).span.clone().unwrap();
    assert_eq!(text.rfind(at), Some(span.start), "the one in `endpoint_params` is meant");
}

#[test]
fn request_headers_are_kept_and_never_shown() {
    let policy = good(r#""request_headers": {"X-Api-Key": "hunter2", "x-tenant": "a b", "X-None": null, "X-N": 7}"#);
    let headers: Vec<_> = policy.credential.request_headers.iter().map(|(n, v)| (n.as_str(), v.expose())).collect();
    assert_eq!(headers, [("x-api-key", "hunter2"), ("x-n", "7"), ("x-tenant", "a b")]);
    assert!(!format!("{policy:?}").contains("hunter2"));
    for (name, value, word) in [
        ("authorization", r#""hunter2""#, "has already"),
        ("Content-Type", r#""hunter2""#, "has already"),
        ("DPoP", r#""hunter2""#, "has already"),
        ("Host", r#""hunter2""#, "remove it"),
        ("Accept-Encoding", r#""hunter2""#, "remove it"),
        ("X Key", r#""hunter2""#, "not a header name"),
        ("", r#""hunter2""#, "not a header name"),
        ("X-Key", r#""hunter2\r\nX-Other: hunter2""#, "control characters"),
        ("X-Key", r#""hunter2\n""#, "line ends"),
        ("X-Key", r#""hunter2\u0000""#, "cannot stand in a header"),
        ("X-Key", r#"["hunter2"]"#, "expected a string"),
    ] {
        let client = CLIENT.replace("hunter2", "s");
        let text = credentials(&format!(r#"{client}, "request_headers": {{"{name}": {value}}}"#));
        let code = if value.starts_with('[') { code::TYPE } else { code::VALUE };
        problem(&text, code, value, word);
        let report = json(&text).report;
        let told = format!("{}{}{}", report.render(false), report.render(true), report.to_json());
        assert!(!told.contains("hunter2"), "{name}: {told}");
    }
    problem(&with(r#""request_headers": "X-Key: 1""#), code::TYPE, "\"X-Key: 1\"", "expected an object");
}

#[test]
fn a_request_header_in_two_spellings_is_one_header() {
    let text = with(r#""request_headers": {"X-Key": "one", "x-key": "two"}"#);
    problem(&text, code::VALUE, "\"two\"", "without regard to case");
    let same = with(r#""request_headers": {"X-Key": "one", "X-Key": "two"}"#);
    problem(&same, code::DUPLICATE_KEY, "\"X-Key\"", "written twice");
}

#[test]
fn proxies_are_none_of_the_environment_or_named() {
    let proxy = |url: &str| good(&format!(r#""proxy_url": "{url}""#)).credential.transport.proxy.clone();
    assert_eq!(good("\"scopes\": \"a\"").credential.transport.proxy, ProxyUrl::None);
    assert_eq!((proxy("none"), proxy(""), proxy("env")), (ProxyUrl::None, ProxyUrl::None, ProxyUrl::Environment));
    for url in ["http://p:3128", "https://p:3128", "socks5://p:1080", "socks5h://u:hunter2@p:1080"] {
        assert_eq!(proxy(url), ProxyUrl::Url(Secret::new(url)));
    }
    for url in ["ftp://p:1", "p:3128", "proxy", "socks4://p:1", "http://"] {
        problem(&with(&format!(r#""proxy_url": "{url}""#)), code::VALUE, &format!("\"{url}\""), "`http://host:port`");
    }
    let plain = CLIENT.replace("https://idp/t", "http://127.0.0.1:9/t");
    for url in ["http://p:3128", "env"] {
        let text = credentials(&format!(r#"{plain}, "proxy_url": "{url}""#));
        problem(&text, code::CONTRADICTION, &format!("\"{url}\""), "would read the secret");
    }
    assert!(json(&credentials(&format!(r#"{plain}, "proxy_url": "none""#))).report.is_ok());
    let insecure = plain.replace("127.0.0.1:9", "idp");
    let allowed = format!(r#"{insecure}, "allow_insecure_token_url": true, "proxy_url": "socks5://u:hunter2@p:1""#);
    let rendered = json(&credentials(&allowed)).report.render(false);
    assert!(rendered.contains("socks5://***@p:1") && !rendered.contains("hunter2"), "{rendered}");
}

#[test]
fn tokens_are_given_back_where_it_is_known_how() {
    let revocation = |policy: TokenPolicy| policy.credential.revocation.clone();
    assert_eq!(revocation(good("\"revoke_on_shutdown\": false")), None);
    let by_url = good(r#""revoke_on_shutdown": true, "revocation_url": "https://idp/r""#);
    assert_eq!(revocation(by_url), Some(Revocation::Url("https://idp/r".parse().unwrap())));
    let discovered = token(&format!(r#"{ISSUED}, "revoke_on_shutdown": true"#));
    assert_eq!(revocation(discovered), Some(Revocation::Discovered));
    let both = token(&format!(r#"{ISSUED}, "revoke_on_shutdown": true, "revocation_url": "https://idp/r""#));
    assert!(matches!(revocation(both), Some(Revocation::Url(_))));
    problem(&with(r#""revoke_on_shutdown": true"#), code::CONTRADICTION, "true", "or name the server by its `issuer`");
    let unused = with(r#""revocation_url": "https://idp/r""#);
    problem(&unused, code::CONTRADICTION, "\"https://idp/r\"", "`\"revoke_on_shutdown\": true`");
}

#[test]
fn a_revocation_url_is_shown_as_urls_are() {
    let plain = with(r#""revoke_on_shutdown": true, "revocation_url": "http://idp/r""#);
    problem(&plain, code::TOKEN_URL, "\"http://idp/r\"", "not encrypted: `http://idp/r`");
}

#[test]
fn tokens_bound_to_a_key_go_into_authorization_as_dpop() {
    assert!(good(r#""dpop": true"#).credential.dpop && !good(r#""dpop": false, "scheme": "X""#).credential.dpop);
    problem(&with(r#""dpop": true, "scheme": "DPoP""#), code::CONTRADICTION, "\"DPoP\"", "remove `scheme`");
    problem(&with(r#""dpop": true, "header": "X-Token""#), code::CONTRADICTION, "\"X-Token\"", "remove `header`");
    let both = json(&with(r#""dpop": true, "header": "X-Token", "scheme": """#)).report;
    assert_eq!(both.errors(), 2, "{}", both.render(false));
    problem(&with(r#""dpop": "yes""#), code::TYPE, "\"yes\"", "write `true` or `false`");
}

#[test]
fn tokens_bound_to_a_certificate_need_one_and_hosts_that_can_see_it() {
    let files = Files::new();
    let (pem, key) = files.certificate("client");
    problem(&with(r#""certificate_bound": true"#), code::CONTRADICTION, "true", "needs a client certificate");
    let members = format!(
        r#"{CLIENT}, "certificate_bound": true, "tls": {{"client_certificate_file": "{pem}", "client_key_file": "{key}"}}"#
    );
    let text = credentials(&members);
    problem(&text, code::CONTRADICTION, &format!("{{ {members} }}"), "use `https` hosts");
    let mixed = text.replace("[\"http://up:8000\"]", "[\"https://a\", \"http://b\"]");
    problem(&mixed, code::CONTRADICTION, &format!("{{ {members} }}"), "a host without TLS");
    let secure = json(&text.replace("http://up", "https://up"));
    assert!(secure.report.diagnostics().is_empty(), "{}", secure.report.render(false));
    assert!(
        secure.model.unwrap().endpoints[0].answer.backends()[0].token.clone().unwrap().credential.certificate_bound
    );
}

#[test]
fn rejected_tokens_are_a_matter_of_status_and_method() {
    let statuses = |value: &str| good(&format!(r#""refresh_on_status": {value}"#)).refresh_on_status;
    assert_eq!(statuses("[]"), Vec::<StatusCode>::new());
    assert_eq!(statuses("403"), [StatusCode::FORBIDDEN]);
    assert_eq!(statuses(r#"[401, "403"]"#), [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN]);
    for (word, replay) in [("never", Replay::Never), ("always", Replay::Always), ("idempotent", Replay::Idempotent)] {
        assert_eq!(good(&format!(r#""replay": "{word}""#)).replay, replay);
    }
    for value in ["200", "399", "600"] {
        let text = with(&format!(r#""refresh_on_status": [401, {value}]"#));
        problem(&text, code::VALUE, value, "from 400 to 599");
    }
    problem(&with(r#""refresh_on_status": ["unauthorized"]"#), code::TYPE, "\"unauthorized\"", "from 400 to 599");
    problem(&with(r#""replay": "sometimes""#), code::VALUE, "\"sometimes\"", "`idempotent` or `never` or `always`");
}

#[test]
fn yaml_and_json_of_the_same_credential_give_equal_models() {
    let yaml = yaml(
        "version: 3\nendpoints:\n  - endpoint: /a/{id}\n    output_encoding: no-op\n    backend:\n      - host: [http://up:8000]\n        \
         url_pattern: /b/{id}\n        extra_config:\n          auth/client-credentials:\n            client_id: me\n            \
         client_secret: [hunter2, hunter3]\n            issuer: https://idp.test/a\n            audience: [a, b]\n            \
         resource: https://r.test\n            request_headers: {X-Key: hunter2}\n            refresh_on_status: [401, 403]\n            \
         replay: always\n            proxy_url: socks5h://p:1080\n            revoke_on_shutdown: true\n            dpop: true\n",
    );
    let json = json(&credentials(
        r#""client_id": "me", "client_secret": ["hunter2", "hunter3"], "issuer": "https://idp.test/a", "audience": ["a", "b"],
            "resource": "https://r.test", "request_headers": {"X-Key": "hunter2"}, "refresh_on_status": [401, 403],
            "replay": "always", "proxy_url": "socks5h://p:1080", "revoke_on_shutdown": true, "dpop": true"#,
    ));
    assert!(yaml.report.diagnostics().is_empty(), "{}", yaml.report.render(false));
    let (yaml, json) = (yaml.model.unwrap(), json.model.unwrap());
    assert_eq!(format!("{yaml:?}"), format!("{json:?}"));
    let credential = |model: &Model| model.endpoints[0].answer.backends()[0].token.clone().unwrap().credential;
    assert_eq!(credential(&yaml), credential(&json));
}

/// The proxy tunnels every scheme, and a revocation carries the secret and the token.
#[test]
fn a_revocation_in_the_clear_does_not_go_through_a_proxy() {
    let members = r#""client_secret": "x", "token_url": "https://idp/t", "proxy_url": "http://p:1",
        "revoke_on_shutdown": true, "revocation_url": "http://127.0.0.1:9/r""#;
    let text = credentials(&format!(r#""client_id": "me", {members}"#));
    problem(&text, code::CONTRADICTION, "\"http://p:1\"", "would read the secret");
}

#[test]
fn keys_that_another_one_leaves_without_use_are_warned_of() {
    let with = |members: &str| credentials(&format!("{CLIENT}, {members}"));
    problem(&with(r#""on_missing": "pass", "reject_status": 502"#), code::NO_EFFECT, "502", "`reject_status`");
    problem(&with(r#""refresh_on_status": [], "replay": "always""#), code::NO_EFFECT, "\"always\"", "`replay`");
    problem(&with(r#""refresh_on_status": [200]"#), code::VALUE, "200", "found `200`");
    problem(&with(r#""default_ttl": "forever""#), code::DURATION, "\"forever\"", "`never`");
    problem(&with(r#""tls": {"ca": "x"}"#), code::UNKNOWN_KEY, "\"ca\"", "`ca_file`");
    let short = r#""client_auth": "client_secret_jwt""#;
    problem(&with(short), code::SHORT_SECRET, "\"hunter2\"", "32 bytes");
}

#[test]
fn an_issuer_is_not_the_address_of_its_metadata() {
    let issuer = "https://idp/.well-known/openid-configuration";
    let members = format!(r#""client_id": "me", "client_secret": "x", "issuer": "{issuer}""#);
    problem(&credentials(&members), code::TOKEN_URL, &format!("\"{issuer}\""), "remove `/.well-known/`");
}
