//! Tokens by hand, `porteur token` and `porteur check --tokens`, and tokens given back when the process ends.

use crate::support::client::{self, request};
use crate::support::config::ConfigFile;
use crate::support::daemon::{self, Daemon, Finished};
use crate::support::gateway::{credential, protected};
use crate::support::idp::{CLIENT_SECRET, Idp};
use crate::support::program::{Program, configuration};
use crate::support::reply::Reply;
use crate::support::scripted::Scripted;
use crate::support::upstream::Upstream;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

const WRONG_SECRET: &str = "canary-wrong-secret-0123456789";

fn file(credentials: &[Value]) -> ConfigFile {
    let endpoints: Vec<_> = credentials
        .iter()
        .enumerate()
        .map(|(n, credential)| protected(&format!("/{n}"), "http://127.0.0.1:9", credential.clone()))
        .collect();
    ConfigFile::json(configuration(&endpoints).to_string())
}

fn porteur(file: &ConfigFile, arguments: &[&str]) -> Finished {
    let (command, options) = arguments.split_first().unwrap();
    let finished = daemon::run([&[*command, "-c", file.path().to_str().unwrap()], options].concat());
    for text in [&finished.stdout, &finished.stderr] {
        assert!(!text.contains(CLIENT_SECRET) && !text.contains(WRONG_SECRET), "{text}");
    }
    finished
}

fn wrong(token_url: &str) -> Value {
    let mut wrong = credential(token_url);
    (wrong["client_id"], wrong["client_secret"]) = (json!("ro"), json!(WRONG_SECRET));
    wrong
}

/// The value behind a label of the command's output.
fn value<'t>(finished: &'t Finished, label: &str) -> &'t str {
    let line = finished.stdout.lines().find_map(|line| line.strip_prefix(label));
    line.unwrap_or_else(|| panic!("no {label}: {finished:?}")).trim()
}

#[test]
fn the_only_credential_needs_no_name() {
    let mut wide = credential(Idp::shared().token_url());
    wide["scopes"] = json!("api:read api:write");
    let finished = porteur(&file(&[wide]), &["token"]);
    assert!(finished.status.success(), "{}", finished.stderr);
    assert_eq!(value(&finished, "credential"), "basic@127.0.0.1");
    assert_eq!((value(&finished, "server"), value(&finished, "type")), ("127.0.0.1", "Bearer"));
    assert_eq!((value(&finished, "lifetime"), value(&finished, "scopes")), ("1h0m0s", "api:read api:write"));
    assert_eq!(value(&finished, "claims"), "none: the token is opaque");
    assert_eq!(value(&finished, "token"), "hidden; --reveal shows it");
}

#[test]
fn of_several_one_is_chosen_by_name() {
    let server = Scripted::counting("TOKEN", 60);
    let mut other = credential(&server.token_url());
    other["client_id"] = json!("other");
    let mut third = other.clone();
    third["scopes"] = json!("a");
    let file = file(&[credential(&server.token_url()), other, third]);
    let finished = porteur(&file, &["token"]);
    assert_eq!((finished.status.code(), finished.stdout.as_str()), (Some(1), ""));
    assert!(finished.stderr.contains("choose with --name"), "{}", finished.stderr);
    for name in ["`basic@127.0.0.1`", "`other@127.0.0.1`", "`other@127.0.0.1~2`"] {
        assert!(finished.stderr.contains(name), "{name}: {}", finished.stderr);
    }
    let unknown = porteur(&file, &["token", "--name", "nobody"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(unknown.stderr.contains("there is no credential `nobody`; there are `"), "{}", unknown.stderr);
    assert!(server.requests().is_empty());
    for name in ["basic@127.0.0.1", "other@127.0.0.1", "other@127.0.0.1~2"] {
        assert_eq!(value(&porteur(&file, &["token", "--name", name]), "credential"), name);
    }
    let none = porteur(&self::file(&[]), &["token", "--name", "x"]);
    assert!(none.stderr.contains("the configuration has no credential"), "{}", none.stderr);
}

#[test]
fn no_part_of_a_token_is_shown_unless_asked_for() {
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let token = format!(
        "{}.{}.{}",
        encode(r#"{"alg":"ES256"}"#),
        encode(r#"{"sub":"me","exp":99}"#),
        "c2lnbmF0dXJl-0123456789"
    );
    let server = Scripted::start({
        let token = token.clone();
        move |_, _| Scripted::token(&token, 60)
    });
    let file = file(&[credential(&server.token_url())]);
    for arguments in [&["token"][..], &["check", "--tokens"], &["check", "--tokens", "--format", "json"]] {
        let hidden = porteur(&file, arguments);
        assert!(hidden.status.success(), "{}", hidden.stderr);
        for piece in token.as_bytes().windows(8).map(|piece| std::str::from_utf8(piece).unwrap()) {
            assert!(!hidden.stdout.contains(piece) && !hidden.stderr.contains(piece), "{piece} in {hidden:?}");
        }
    }
    let revealed = porteur(&file, &["token", "--reveal"]);
    assert_eq!(value(&revealed, "token "), token);
    assert!(!revealed.stderr.contains(&token));
}

#[test]
fn a_jwt_says_what_it_claims_and_the_api_takes_it() {
    let idp = Idp::shared();
    let mut bound = credential(idp.token_url());
    bound["resource"] = json!("https://upstream.test/es256");
    bound["scopes"] = json!("api:read");
    let finished = porteur(&file(&[bound]), &["token", "--reveal"]);
    assert!(finished.status.success(), "{}", finished.stderr);
    let (_, claims) = finished.stdout.split_once("claims").unwrap();
    let (claims, _) = claims.split_once("\ntoken").unwrap();
    let claims: Value = serde_json::from_str(claims).unwrap();
    assert_eq!((&claims["aud"], &claims["tenant"]), (&json!("https://upstream.test/es256"), &json!("acme")));
    assert_eq!((&claims["client_id"], &claims["scope"]), (&json!("basic"), &json!("api:read")));
    let bearer = format!("Bearer {}", value(&finished, "token "));
    let answer = client::send(idp.resource_server(), request("GET", "/x", &[("Authorization", &bearer)], b""));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_fetch_that_fails_says_why_and_ends_with_1() {
    let finished = porteur(&file(&[wrong(Idp::shared().token_url())]), &["token", "--reveal"]);
    assert_eq!((finished.status.code(), finished.stdout.as_str()), (Some(1), ""));
    let expected = "no token for `ro@127.0.0.1`: status 401, error `invalid_client`";
    assert!(finished.stderr.contains(expected), "{}", finished.stderr);
    let down = porteur(&file(&[credential("http://127.0.0.1:9/token")]), &["token"]);
    assert_eq!(down.status.code(), Some(1));
    assert!(down.stderr.contains("connection failed: connection refused"), "{}", down.stderr);
}

#[test]
fn a_scope_that_was_not_granted_is_told_of() {
    let server = Scripted::start(|_, _| {
        Reply::json(200, &json!({"access_token": "TOKEN", "token_type": "Bearer", "scope": "a"}))
    });
    let mut wide = credential(&server.token_url());
    wide["scopes"] = json!("a b c");
    let finished = porteur(&file(&[wide]), &["token"]);
    assert_eq!(value(&finished, "missing"), "b c (asked for, not granted)");
    assert_eq!(value(&finished, "lifetime"), "not said; 5m0s is assumed");
}

#[test]
fn check_with_tokens_tries_every_credential() {
    let idp = Idp::start(60);
    let good = credential(idp.token_url());
    let fine = porteur(&file(std::slice::from_ref(&good)), &["check", "--tokens"]);
    assert!(fine.status.success(), "{}", fine.stderr);
    assert!(fine.stdout.contains("fine, 1 endpoints, 1 credentials\ncredential  basic@127.0.0.1\n"), "{}", fine.stdout);
    assert_eq!(idp.stats().token_requests, 1);
    let both = file(&[wrong(idp.token_url()), good]);
    assert!(porteur(&both, &["check"]).status.success());
    assert_eq!(idp.stats().token_requests, 1, "only when asked to");
    let failed = porteur(&both, &["check", "--tokens"]);
    assert_eq!(failed.status.code(), Some(1));
    let told = "credential  ro@127.0.0.1\nfailed      status 401, error `invalid_client`\n";
    assert!(failed.stdout.contains(told), "{}", failed.stdout);
    assert!(failed.stdout.contains("credential  basic@127.0.0.1\nserver      127.0.0.1\n"), "{}", failed.stdout);
    let json = porteur(&both, &["check", "--tokens", "--format", "json"]);
    assert_eq!(json.status.code(), Some(1));
    assert_eq!(serde_json::from_str::<Value>(&json.stdout).unwrap(), json!([]), "nothing but JSON");
    assert!(json.stderr.contains(told) && json.stderr.contains("credential  basic@127.0.0.1"), "{}", json.stderr);
}

/// A gateway that has carried a token of this credential, which is given.
fn carried(credential: Value, upstream: &Upstream) -> (Daemon, String) {
    let program = Program::with(&[protected("/x", &upstream.url(), credential)], &[]).ready();
    assert_eq!(program.get("/x").status, 200);
    let authorization = upstream.requests().pop().unwrap().header("authorization").unwrap().to_owned();
    (program.daemon, authorization)
}

#[test]
fn tokens_are_given_back_at_the_end() {
    let idp = Idp::start(600);
    let upstream = Upstream::echo();
    let mut by_url = credential(idp.token_url());
    by_url["revoke_on_shutdown"] = json!(true);
    by_url["revocation_url"] = json!(format!("{}/revocation", idp.token_url()));
    let mut discovered = json!({"client_id": "basic", "client_secret": CLIENT_SECRET, "issuer": idp.issuer()});
    discovered["revoke_on_shutdown"] = json!(true);
    for (n, credential) in [by_url, discovered].into_iter().enumerate() {
        let (daemon, authorization) = carried(credential, &upstream);
        let at_the_api = || {
            let request = request("GET", "/x", &[("Authorization", &authorization)], b"");
            client::send(idp.resource_server(), request).status
        };
        assert_eq!((at_the_api(), idp.stats().revocations), (200, n));
        daemon.terminate();
        let finished = daemon.finish();
        assert_eq!(finished.status.code(), Some(0), "{}", finished.stderr);
        assert!(finished.stderr.contains("token of `basic@127.0.0.1` revoked"), "{}", finished.stderr);
        assert_eq!((at_the_api(), idp.stats().revocations), (401, n + 1));
    }
}

#[test]
fn a_server_that_takes_no_token_back_does_not_keep_the_process_from_its_end() {
    let server = Scripted::start(|request, _| match request.target.as_str() {
        "/token" => Scripted::token("canary-token-0123456789", 600),
        "/refuses" => Scripted::error(400, "unsupported_token_type"),
        "/closes" => Reply::close(),
        _ => Reply::hang(),
    });
    let upstream = Upstream::echo();
    for (path, told) in [
        ("/hangs", "tokens of [\"basic@127.0.0.1\"] could not be revoked in time"),
        ("/refuses", "token of `basic@127.0.0.1` was not revoked: status 400, error `unsupported_token_type`"),
        ("/closes", "token of `basic@127.0.0.1` was not revoked: connection failed"),
    ] {
        let mut credential = credential(&server.token_url());
        credential["revoke_on_shutdown"] = json!(true);
        credential["revocation_url"] = json!(format!("{}{path}", server.url()));
        let (daemon, _) = carried(credential, &upstream);
        daemon.terminate();
        let finished = daemon.finish();
        assert_eq!(finished.status.code(), Some(0), "{}", finished.stderr);
        assert!(finished.stderr.contains(told), "{}", finished.stderr);
        assert!(!finished.stderr.contains("canary-token"), "{}", finished.stderr);
        let request = server.requests().into_iter().find(|request| request.target == path).unwrap();
        let form = request.form();
        assert!(form.contains(&("token".into(), "canary-token-0123456789".into())), "{form:?}");
    }
}
