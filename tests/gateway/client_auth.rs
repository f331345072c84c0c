//! Clients with a secret, and clients with nothing but a name, against two authorization servers: the secret goes where
//! `client_auth` says, in the spelling that the server reads, and a client that is refused is said to be so.

use crate::support::authlib::{self, Authlib};
use crate::support::gateway::{Running, protected};
use crate::support::idp::{self, CLIENT_SECRET, Idp};
use crate::support::poll::{PATIENCE, eventually};
use crate::support::tokens::{fetches, is_refused, names, order_refresh, param, wait_for_fetch};
use crate::support::upstream::Upstream;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

const POST_SECRET: &str = "post-secret-0000000000000000000000000";
/// What form-encoding changes in every second character.
const SPECIAL: &str = r#"p@ss:w%rd +&=/?#"{}~-long-enough-secret"#;
const SPECIAL_ID: &str = "svc:special client+1";

fn with_secret(token_url: &str, id: &str, secret: &str, client_auth: &str) -> Value {
    json!({ "client_id": id, "client_secret": secret, "token_url": token_url, "client_auth": client_auth })
}

fn raw(mut credential: Value) -> Value {
    credential["basic_encoding"] = json!("raw");
    credential
}

/// A gateway whose token the provider's API accepts, and the token requests it took.
fn accepted(idp: &Idp, credential: Value) -> (Running, Vec<idp::TokenRequest>) {
    idp.reset();
    let gateway = Running::with(&[protected("/x", &idp.resource_url(), credential)]).ready();
    let answer = gateway.get("/x");
    assert_eq!(answer.status, 200, "{}", answer.text());
    (gateway, idp.last())
}

/// A gateway that has a token of the second opinion's, which only an echo takes.
fn accepted_by_authlib(authlib: &Authlib, credential: Value) -> (Running, Vec<authlib::TokenRequest>) {
    let before = authlib.last().len();
    let upstream = Upstream::echo();
    let gateway = Running::with(&[protected("/x", &upstream.url(), credential)]).ready();
    assert_eq!(gateway.get("/x").status, 200);
    assert!(upstream.only_request().header("authorization").unwrap().starts_with("Bearer "));
    (gateway, authlib.last().split_off(before))
}

/// The gateway reports the refusal, and requests do not make it ask again.
#[track_caller]
pub fn refused(credential: Value, name: &str) -> Running {
    let upstream = Upstream::echo();
    let mut credential = credential;
    credential["first_token_wait"] = json!("0s");
    let gateway = Running::with(&[protected("/x", &upstream.url(), credential)]);
    wait_for_fetch(&gateway, name, "status");
    eventually(PATIENCE, "the refusal is reported", || is_refused(&gateway, name));
    for _ in 0..10 {
        assert_eq!(gateway.get("/x").status, 503);
    }
    assert_eq!(fetches(&gateway, name, "status"), 1.0);
    assert!(upstream.requests().is_empty());
    gateway
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace("%7E", "~").replace('*', "%2A")
}

#[test]
fn client_secret_basic_stands_in_the_header_alone_form_encoded() {
    let idp = Idp::start(60);
    for (id, secret) in [("basic", CLIENT_SECRET), (SPECIAL_ID, SPECIAL), ("my app", "s3cr:t/+=@")] {
        let (_gateway, asked) = accepted(&idp, with_secret(idp.token_url(), id, secret, "client_secret_basic"));
        assert_eq!(asked.len(), 1, "{id}");
        assert_eq!(asked[0].header("authorization"), Some(&*basic(&encoded(id), &encoded(secret))));
        assert_eq!(asked[0].body, "grant_type=client_credentials");
    }
}

#[test]
fn client_secret_post_stands_in_the_body_alone() {
    let idp = Idp::start(60);
    for (id, secret) in [("post", POST_SECRET), ("post-special", SPECIAL)] {
        let (_gateway, asked) = accepted(&idp, with_secret(idp.token_url(), id, secret, "client_secret_post"));
        assert_eq!((asked.len(), asked[0].header("authorization")), (1, None));
        let form = asked[0].form();
        assert_eq!(names(&form), ["client_id", "client_secret", "grant_type"]);
        assert_eq!((param(&form, "client_id"), param(&form, "client_secret")), (Some(id), Some(secret)));
    }
}

#[test]
fn auto_asks_once_where_basic_is_read() {
    let idp = Idp::start(60);
    let (_gateway, asked) = accepted(&idp, with_secret(idp.token_url(), "basic", CLIENT_SECRET, "auto"));
    assert_eq!(asked.len(), 1);
    assert!(asked[0].header("authorization").is_some());
    let authlib = Authlib::start();
    let (_gateway, asked) =
        accepted_by_authlib(&authlib, with_secret(authlib.token_url(), "basic", CLIENT_SECRET, "auto"));
    assert_eq!(asked.iter().map(|request| request.status).collect::<Vec<_>>(), [Some(200)]);
    assert_eq!(asked[0].body, "grant_type=client_credentials");
}

#[test]
fn auto_tries_the_body_once_and_remembers_it_for_the_refresh() {
    let authlib = Authlib::start();
    let (gateway, asked) = accepted_by_authlib(&authlib, with_secret(authlib.token_url(), "post", POST_SECRET, "auto"));
    assert_eq!(asked.iter().map(|request| request.status).collect::<Vec<_>>(), [Some(401), Some(200)]);
    assert!(asked[0].header("authorization").is_some() && !asked[0].body.contains("client_secret"));
    assert!(asked[1].header("authorization").is_none() && asked[1].body.contains("client_secret"));
    assert!(!is_refused(&gateway, "post@127.0.0.1"), "one way that works is enough");
    order_refresh(&gateway, "post@127.0.0.1");
    eventually(PATIENCE, "the refresh", || fetches(&gateway, "post@127.0.0.1", "ok") == 2.0);
    let asked = authlib.last();
    assert_eq!((asked.len(), asked[2].status), (3, Some(200)));
    assert!(asked[2].header("authorization").is_none());
}

#[test]
fn each_way_of_presenting_a_secret_is_taken_by_the_server_that_has_only_that_way() {
    let authlib = Authlib::start();
    let url = authlib.token_url();
    for (credential, in_header) in [
        (with_secret(url, "basic", CLIENT_SECRET, "client_secret_basic"), true),
        (with_secret(url, "post", POST_SECRET, "client_secret_post"), false),
        (raw(with_secret(url, "raw-basic", SPECIAL, "client_secret_basic")), true),
        (raw(with_secret(url, "raw-basic", SPECIAL, "auto")), true),
    ] {
        let (_gateway, asked) = accepted_by_authlib(&authlib, credential);
        assert_eq!((asked.len(), asked[0].status), (1, Some(200)));
        assert_eq!(asked[0].header("authorization").is_some(), in_header);
        assert_eq!(asked[0].body.contains("client_secret="), !in_header, "one way at a time (RFC 6749 §2.3)");
    }
}

#[test]
fn a_public_client_sends_its_name_and_no_proof() {
    let authlib = Authlib::start();
    let url = authlib.token_url();
    for credential in [
        json!({ "client_id": "none", "token_url": url, "client_auth": "none" }),
        json!({ "token_url": url, "client_auth": "none", "endpoint_params": { "client_id": "none" } }),
    ] {
        let (_gateway, asked) = accepted_by_authlib(&authlib, credential);
        assert_eq!((asked.len(), asked[0].status, asked[0].header("authorization")), (1, Some(200), None));
        assert_eq!(asked[0].body, "client_id=none&grant_type=client_credentials");
    }
}

#[test]
fn a_raw_secret_that_the_server_cannot_decode_goes_into_the_body_next() {
    let idp = Idp::start(60);
    let (gateway, asked) = accepted(&idp, raw(with_secret(idp.token_url(), SPECIAL_ID, SPECIAL, "auto")));
    let statuses: Vec<_> = asked.iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(400), Some(200)], "invalid_request: it does not even know who asks");
    assert_eq!(asked[0].header("authorization"), Some(&*basic(SPECIAL_ID, SPECIAL)), "as they are");
    assert_eq!(param(&asked[1].form(), "client_secret"), Some(SPECIAL));
    let name = format!("{SPECIAL_ID}@127.0.0.1");
    assert!(!is_refused(&gateway, &name));
    order_refresh(&gateway, &name);
    eventually(PATIENCE, "the refresh", || fetches(&gateway, &name, "ok") == 2.0);
    assert_eq!(idp.stats().by_status, [(200, 2), (400, 1)].into());
}

#[test]
fn a_secret_in_the_wrong_spelling_is_refused() {
    let idp = Idp::start(60);
    let special = raw(with_secret(idp.token_url(), SPECIAL_ID, SPECIAL, "client_secret_basic"));
    let _gateway = refused(special, &format!("{SPECIAL_ID}@127.0.0.1"));
    assert_eq!(idp.stats().by_status, [(400, 1)].into());
    let authlib = Authlib::start();
    let encoded = with_secret(authlib.token_url(), "raw-basic", SPECIAL, "client_secret_basic");
    let _gateway = refused(encoded, "raw-basic@127.0.0.1");
    assert_eq!(authlib.stats().token_requests, 1);
}

#[test]
fn a_wrong_secret_is_refused_and_not_tried_another_way() {
    let idp = Idp::start(60);
    for method in ["client_secret_basic", "client_secret_post"] {
        idp.reset();
        let _gateway = refused(with_secret(idp.token_url(), "basic", "wrong", method), "basic@127.0.0.1");
        assert_eq!(idp.stats().by_status, [(401, 1)].into(), "{method}");
    }
    let authlib = Authlib::start();
    for (id, secret, method) in
        [("basic", CLIENT_SECRET, "client_secret_post"), ("post", POST_SECRET, "client_secret_basic")]
    {
        let before = authlib.stats().token_requests;
        let _gateway = refused(with_secret(authlib.token_url(), id, secret, method), &format!("{id}@127.0.0.1"));
        assert_eq!(authlib.stats().token_requests, before + 1, "{method} is not for {id}");
    }
}

#[test]
fn a_name_without_its_secret_is_refused() {
    let idp = Idp::start(60);
    let nameless = json!({ "client_id": "basic", "token_url": idp.token_url(), "client_auth": "none" });
    let _gateway = refused(nameless, "basic@127.0.0.1");
    assert_eq!(idp.stats().by_status, [(401, 1)].into());
}

#[test]
fn of_two_secrets_the_valid_one_is_found_and_kept() {
    let idp = Idp::start(60);
    for method in ["auto", "client_secret_basic", "client_secret_post"] {
        let mut both = with_secret(idp.token_url(), "basic", "", method);
        both["client_secret"] = json!(["the-next-secret", CLIENT_SECRET]);
        let (gateway, asked) = accepted(&idp, both);
        let last = asked.last().unwrap();
        assert_eq!(last.status, Some(200), "{method}");
        order_refresh(&gateway, "basic@127.0.0.1");
        eventually(PATIENCE, "the refresh", || fetches(&gateway, "basic@127.0.0.1", "ok") == 2.0);
        let refresh = idp.last().split_off(asked.len());
        assert_eq!((refresh.len(), &refresh[0].body), (1, &last.body), "{method}");
        assert_eq!(refresh[0].header("authorization"), last.header("authorization"));
    }
}
