//! Clients that prove who they are by a signed assertion (RFC 7523), against two authorization servers: every algorithm, and
//! an assertion that is new each time, short-lived and meant for that server.

use crate::client_auth;
use crate::support::authlib::Authlib;
use crate::support::config::ConfigFile;
use crate::support::gateway::{Running, protected};
use crate::support::idp::{Idp, TokenRequest};
use crate::support::poll::{PATIENCE, eventually};
use crate::support::scripted::Scripted;
use crate::support::tokens::{assertion, fetches, is_refused, jwt, names, order_refresh, param};
use crate::support::upstream::Upstream;
use porteur::base::jws::{Algorithm, SigningKey, base64url};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const BY_JWT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const CS_JWT_SECRET: &str = "cs-jwt-secret-0000000000000000000000000";

fn by_secret(token_url: &str, id: &str, secret: &str, algorithm: &str) -> Value {
    json!({
        "client_id": id, "client_secret": secret, "token_url": token_url,
        "client_auth": "client_secret_jwt", "signing_algorithm": algorithm,
    })
}

fn by_key(token_url: &str, id: &str, key: &Path) -> Value {
    json!({
        "client_id": id, "private_key_file": key, "key_id": format!("{id}-1"), "token_url": token_url,
        "client_auth": "private_key_jwt",
    })
}

/// A gateway whose token the provider's API accepts.
fn accepted(idp: &Idp, credential: Value) -> Running {
    let gateway = Running::with(&[protected("/x", &idp.resource_url(), credential)]).ready();
    let answer = gateway.get("/x");
    assert_eq!(answer.status, 200, "{}", answer.text());
    gateway
}

/// The only token request so far; its assertion is its only proof.
fn only_request(idp: &Idp) -> TokenRequest {
    let asked = idp.last();
    assert_eq!(asked.len(), 1);
    let form = asked[0].form();
    assert_eq!(asked[0].header("authorization"), None);
    assert_eq!(names(&form), ["client_assertion", "client_assertion_type", "client_id", "grant_type"]);
    assert_eq!(param(&form, "client_assertion_type"), Some(BY_JWT));
    asked[0].clone()
}

/// The gateway is refused with 401, and asks once only.
#[track_caller]
fn refused(idp: &Idp, credential: Value, name: &str) {
    idp.reset();
    let _gateway = client_auth::refused(credential, name);
    assert_eq!(idp.stats().by_status, [(401, 1)].into());
}

#[test]
fn a_secret_signs_with_each_of_its_algorithms() {
    let idp = Idp::start(60);
    for (id, algorithm) in [("cs-jwt", "HS256"), ("cs-jwt-384", "HS384"), ("cs-jwt-512", "HS512")] {
        idp.reset();
        let secret = idp.client_secret(id);
        let _gateway = accepted(&idp, by_secret(idp.token_url(), id, &secret, algorithm));
        let request = only_request(&idp);
        assert!(!request.body.contains(&secret));
        let (header, claims) = assertion(&request.form());
        assert_eq!(header, json!({ "alg": algorithm, "typ": "JWT" }));
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!(id), &json!(id)));
    }
}

#[test]
fn a_private_key_signs_with_each_of_its_algorithms_and_says_which_key_it_is() {
    let idp = Idp::start(60);
    for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"] {
        idp.reset();
        let name = algorithm.to_lowercase();
        let id = format!("pk-{name}");
        let mut credential = by_key(idp.token_url(), &id, &idp.private_key(&name));
        credential["signing_algorithm"] = json!(algorithm);
        let _gateway = accepted(&idp, credential);
        let (header, claims) = assertion(&only_request(&idp).form());
        assert_eq!(header, json!({ "alg": algorithm, "typ": "JWT", "kid": format!("{id}-1") }));
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!(id), &json!(id)));
    }
}

#[test]
fn a_key_alone_says_that_and_how_it_signs() {
    let idp = Idp::start(60);
    for (name, usual) in [("rs256", "RS256"), ("es256", "ES256"), ("es384", "ES384"), ("eddsa", "EdDSA")] {
        idp.reset();
        let id = format!("pk-{name}");
        let key = idp.private_key(name);
        let short = json!({ "client_id": id, "private_key_file": key, "token_url": idp.token_url() });
        let _gateway = accepted(&idp, short);
        assert_eq!(assertion(&only_request(&idp).form()).0, json!({ "alg": usual, "typ": "JWT" }));
    }
}

#[test]
fn another_server_is_of_the_same_opinion() {
    let idp = Idp::start(60);
    let authlib = Authlib::start_with_keys(idp.keys());
    let url = authlib.token_url();
    let upstream = Upstream::echo();
    let credentials = [
        by_secret(url, "cs-jwt", CS_JWT_SECRET, "HS256"),
        by_key(url, "pk-es256", &idp.private_key("es256")),
        by_key(url, "pk-rs256", &idp.private_key("rs256")),
    ];
    let paths = ["/hs256", "/es256", "/rs256"];
    let endpoints: Vec<_> =
        paths.iter().zip(credentials).map(|(path, credential)| protected(path, &upstream.url(), credential)).collect();
    let gateway = Running::with(&endpoints).ready();
    for path in paths {
        assert_eq!(gateway.get(path).status, 200);
    }
    let asked = authlib.last();
    assert_eq!(asked.iter().map(|request| request.status).collect::<Vec<_>>(), [Some(200); 3]);
    assert!(asked.iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn each_request_has_an_assertion_of_its_own_that_lives_a_minute() {
    let idp = Idp::start(60);
    let gateway = accepted(&idp, by_key(idp.token_url(), "pk-es256", &idp.private_key("es256")));
    order_refresh(&gateway, "pk-es256@127.0.0.1");
    eventually(PATIENCE, "the refresh", || fetches(&gateway, "pk-es256@127.0.0.1", "ok") == 2.0);
    let claims: Vec<Value> = idp.last().iter().map(|request| assertion(&request.form()).1).collect();
    assert_eq!(claims.len(), 2);
    assert_ne!(claims[0]["jti"], claims[1]["jti"]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for claims in claims {
        assert!(claims["jti"].as_str().unwrap().len() >= 16, "nobody guesses it: {claims}");
        let [issued, ends] = ["iat", "exp"].map(|name| claims[name].as_u64().unwrap());
        assert!(ends > issued && ends - issued <= 60, "{claims}");
        assert!(issued.abs_diff(now) < 60, "in seconds, and now: {claims}");
    }
}

#[test]
fn two_tries_of_one_fetch_have_two_assertions() {
    let server = Scripted::start(|_, n| match n {
        0 => Scripted::error(401, "invalid_client"),
        n => Scripted::token(&format!("TOKEN-{n}"), 60),
    });
    let upstream = Upstream::echo();
    let mut both = by_secret(&server.token_url(), "client", "", "HS256");
    both["client_secret"] = json!(["the-old-secret-0000000000000000000", "the-new-secret-0000000000000000000"]);
    let _gateway = Running::with(&[protected("/x", &upstream.url(), both)]).ready();
    let asked = server.requests();
    assert_eq!(asked.len(), 2);
    let [one, other] = [0, 1].map(|n: usize| assertion(&asked[n].form()).1);
    assert_ne!(one["jti"], other["jti"]);
}

#[test]
fn an_assertion_is_for_the_issuer_if_it_is_known_else_for_the_token_endpoint() {
    let idp = Idp::start(60);
    let key = idp.private_key("es256");
    let by_url = by_key(idp.token_url(), "pk-es256", &key);
    let mut by_issuer = by_url.clone();
    by_issuer.as_object_mut().unwrap().remove("token_url");
    by_issuer["issuer"] = json!(idp.issuer());
    let mut as_said = by_url.clone();
    as_said["assertion_audience"] = json!(idp.issuer());
    let mut secret_as_said = by_secret(idp.token_url(), "cs-jwt", CS_JWT_SECRET, "HS256");
    secret_as_said["assertion_audience"] = json!(idp.issuer());
    for (credential, audience) in
        [(by_url, idp.token_url()), (by_issuer, idp.issuer()), (as_said, idp.issuer()), (secret_as_said, idp.issuer())]
    {
        idp.reset();
        let _gateway = accepted(&idp, credential);
        assert_eq!(assertion(&only_request(&idp).form()).1["aud"], audience);
    }
}

#[test]
fn an_assertion_for_somebody_else_is_refused() {
    let idp = Idp::start(60);
    let mut elsewhere = by_key(idp.token_url(), "pk-es256", &idp.private_key("es256"));
    elsewhere["assertion_audience"] = json!("https://elsewhere.test");
    refused(&idp, elsewhere, "pk-es256@127.0.0.1");
}

#[test]
fn a_wrong_key_or_secret_is_refused() {
    let idp = Idp::start_tls(60);
    // Of the same kind, so that only the signature is wrong.
    refused(&idp, by_key(idp.token_url(), "pk-es256", &idp.certificate("client.key")), "pk-es256@127.0.0.1");
    let wrong = "another-secret-0000000000000000000000000";
    refused(&idp, by_secret(idp.token_url(), "cs-jwt", wrong, "HS256"), "cs-jwt@127.0.0.1");
    let other_algorithm = by_secret(idp.token_url(), "cs-jwt-384", &idp.client_secret("cs-jwt-384"), "HS256");
    refused(&idp, other_algorithm, "cs-jwt-384@127.0.0.1");
}

/// What a platform writes for its workloads.
fn platforms_assertion(idp: &Idp, jti: &str) -> String {
    let pem = fs::read(idp.private_key("es256")).unwrap();
    let key = SigningKey::from_pem(&pem, Some(Algorithm::Es256)).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "iss": "pk-es256", "sub": "pk-es256", "aud": idp.token_url(), "jti": jti, "iat": now, "exp": now + 300,
    });
    let header = base64url(br#"{"alg":"ES256"}"#);
    key.compact(&header, &claims).unwrap().expose().to_owned()
}

#[test]
fn an_assertion_from_a_file_is_read_anew_for_each_fetch() {
    let idp = Idp::start(60);
    let (first, second) = (platforms_assertion(&idp, "one"), platforms_assertion(&idp, "two"));
    let file = ConfigFile::named("assertion.jwt", format!("{first}\n"));
    let credential =
        json!({ "client_id": "pk-es256", "client_assertion_file": file.path(), "token_url": idp.token_url() });
    let gateway = accepted(&idp, credential);
    assert_eq!(param(&only_request(&idp).form(), "client_assertion"), Some(&*first), "without the line end");
    file.replace(&second);
    order_refresh(&gateway, "pk-es256@127.0.0.1");
    eventually(PATIENCE, "the refresh", || fetches(&gateway, "pk-es256@127.0.0.1", "ok") == 2.0);
    let asked = idp.last();
    assert_eq!(asked.len(), 2);
    let sent = asked[1].form();
    assert_eq!(param(&sent, "client_assertion"), Some(&*second));
    assert_eq!(jwt(&second).1["jti"], "two");
}

#[test]
fn a_spent_assertion_is_refused_until_the_file_holds_another() {
    let idp = Idp::start(60);
    let file = ConfigFile::named("assertion.jwt", platforms_assertion(&idp, "spent"));
    let credential = json!({
        "client_id": "pk-es256", "client_auth": "private_key_jwt", "client_assertion_file": file.path(),
        "token_url": idp.token_url(),
    });
    let gateway = accepted(&idp, credential);
    let name = "pk-es256@127.0.0.1";
    order_refresh(&gateway, name);
    eventually(PATIENCE, "the refusal is reported", || is_refused(&gateway, name));
    assert_eq!(gateway.get("/x").status, 200, "the token it has is still good");
    // Long before the backoff of a refusal is over, and without an order.
    file.replace(platforms_assertion(&idp, "fresh"));
    eventually(PATIENCE, "the new assertion is used", || !is_refused(&gateway, name));
    assert_eq!(idp.stats().by_status, [(200, 2), (401, 1)].into());
}
