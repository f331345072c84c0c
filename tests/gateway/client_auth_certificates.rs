//! Clients that prove who they are by their certificate (RFC 8705 §2): the name goes into the body, the certificate below it.

use crate::client_auth::refused;
use crate::support::gateway::{Running, protected};
use crate::support::idp::Idp;
use crate::support::program::Program;
use crate::support::tokens::{fetches, is_refused, names, param, wait_for_fetch};
use serde_json::{Value, json};

const EDGE: &str = "C=SE,O=Edge,CN=edge-proxy";

fn with_certificate(idp: &Idp, id: &str, client_auth: &str, certificate: &str) -> Value {
    json!({
        "client_id": id, "client_auth": client_auth, "token_url": idp.tls_token_url(),
        "tls": {
            "ca_file": idp.certificate("ca.pem"),
            "client_certificate_file": idp.certificate(&format!("{certificate}.pem")),
            "client_key_file": idp.certificate(&format!("{certificate}.key")),
        },
    })
}

/// The last token request presented this certificate and nothing else.
fn assert_proved_by(idp: &Idp, id: &str, certificate: &str) {
    let asked = idp.last();
    assert_eq!(asked.len(), 1, "{id}");
    assert_eq!((asked[0].door.as_str(), asked[0].certificate.as_deref()), ("https", Some(certificate)));
    assert_eq!(asked[0].header("authorization"), None);
    let form = asked[0].form();
    assert_eq!(names(&form), ["client_id", "grant_type"]);
    assert_eq!(param(&form, "client_id"), Some(id));
}

#[test]
fn a_certificate_of_a_trusted_authority_is_known_by_its_names() {
    let idp = Idp::start_tls(60);
    for id in ["mtls-dns", "mtls-uri"] {
        idp.reset();
        let credential = with_certificate(&idp, id, "tls_client_auth", "client");
        let gateway = Running::with(&[protected("/x", &idp.resource_url(), credential)]).ready();
        let answer = gateway.get("/x");
        assert_eq!(answer.status, 200, "{id}: {}", answer.text());
        assert_proved_by(&idp, id, EDGE);
    }
}

/// The API of the provider is reached with TLS and wants to see the certificate again: the tokens are bound to it.
#[test]
fn tokens_bound_to_the_certificate_are_taken_with_it() {
    let idp = Idp::start_tls(60);
    let api = format!("https://{}", idp.tls_resource_server());
    for (id, method, certificate, subject) in [
        ("mtls-dn", "tls_client_auth", "client", EDGE),
        ("mtls-self", "self_signed_tls_client_auth", "selfsigned", "CN=self-signed-client"),
    ] {
        idp.reset();
        let mut bound = with_certificate(&idp, id, method, certificate);
        bound["certificate_bound"] = json!(true);
        // A process of its own, because it is the system's authorities that an upstream is checked by.
        let program = Program::trusting(&idp.certificate("ca.pem"), &[protected("/x", &api, bound)], &[]);
        let answer = program.get("/x");
        assert_eq!(answer.status, 200, "{id}: {}", answer.text());
        assert!(answer.json()["claims"]["cnf"]["x5t#S256"].is_string(), "{}", answer.text());
        assert_proved_by(&idp, id, subject);
    }
}

#[test]
fn a_wrong_certificate_is_refused_and_not_shown_again_and_again() {
    let idp = Idp::start_tls(60);
    for (id, method, certificate) in [
        ("mtls-dn", "tls_client_auth", "client2"),
        ("mtls-dns", "tls_client_auth", "client2"),
        ("mtls-uri", "tls_client_auth", "rogue"),
        ("mtls-dn", "tls_client_auth", "rogue"),
        ("mtls-dn", "tls_client_auth", "expired"),
        ("mtls-dn", "tls_client_auth", "selfsigned"),
        ("mtls-self", "self_signed_tls_client_auth", "selfsigned2"),
    ] {
        idp.reset();
        let credential = with_certificate(&idp, id, method, certificate);
        let _gateway = refused(credential, &format!("{id}@127.0.0.1"));
        assert_eq!(idp.stats().by_status, [(401, 1)].into(), "{id} with {certificate}");
    }
}

/// The server ends the handshake; it has not read a name yet, so this is no refusal of the client.
#[test]
fn a_certificate_that_the_server_does_not_even_talk_to_is_a_transport_error() {
    let idp = Idp::start_with(60, &[("IDP_TLS", "1"), ("IDP_STRICT_MTLS", "1")]);
    let rogue = with_certificate(&idp, "mtls-dns", "tls_client_auth", "rogue");
    let gateway = Running::with(&[protected("/x", &idp.resource_url(), rogue)]);
    wait_for_fetch(&gateway, "mtls-dns@127.0.0.1", "transport");
    assert_eq!((idp.stats().token_requests, is_refused(&gateway, "mtls-dns@127.0.0.1")), (0, false));
    assert_eq!(fetches(&gateway, "mtls-dns@127.0.0.1", "ok"), 0.0);
}

#[test]
fn a_certificate_goes_with_a_secret_too() {
    let idp = Idp::start_tls(60);
    let mut both = with_certificate(&idp, "basic", "client_secret_basic", "client");
    both["client_secret"] = json!(crate::support::idp::CLIENT_SECRET);
    let gateway = Running::with(&[protected("/x", &idp.resource_url(), both)]).ready();
    assert_eq!(gateway.get("/x").status, 200);
    let asked = idp.last();
    assert_eq!((asked.len(), asked[0].certificate.as_deref()), (1, Some(EDGE)));
    assert!(asked[0].header("authorization").is_some());
}
