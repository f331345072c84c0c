//! No log line at any level shows what a client proves itself with: keys, assertions, proofs, a proxy's password, secrets of
//! a file.

use crate::support::client;
use crate::support::config::ConfigFile;
use crate::support::forward_proxy::ForwardProxy;
use crate::support::gateway::protected;
use crate::support::idp::Idp;
use crate::support::poll::{PATIENCE, eventually};
use crate::support::program::Program;
use crate::support::upstream::Upstream;
use serde_json::json;
use std::fs;

const PASSWORD: &str = "canary-proxy-password-0123456789";
const WRONG_PASSWORD: &str = "canary-wrong-password-0123456789";
const API_KEY: &str = "canary-api-key-0123456789";

#[test]
fn keys_assertions_proofs_and_a_proxys_password_are_in_no_log_line() {
    let idp = Idp::start_tls(4);
    let upstream = Upstream::echo();
    let proxy = ForwardProxy::connect().demanding("user", PASSWORD);
    let key = idp.private_key("es256");
    let credential = |proxy_url: String, token_url: &str| {
        json!({
            "client_id": "pk-es256", "private_key_file": key, "key_id": "pk-es256-1", "dpop": true, "token_url": token_url,
            "assertion_audience": idp.tls_issuer(), "tls": { "ca_file": idp.certificate("ca.pem") }, "proxy_url": proxy_url,
            "request_headers": { "X-Api-Key": API_KEY }, "first_token_wait": "0s", "revoke_on_shutdown": true,
            "revocation_url": format!("{}/revocation", idp.tls_token_url()),
        })
    };
    let folder = ConfigFile::json("{}");
    let secret = folder.beside("secret", "canary-secret-in-a-file-0123456789\n");
    let endpoints = [
        protected("/good", &upstream.url(), credential(proxy.url_with("user", PASSWORD), idp.tls_token_url())),
        protected("/wrong", &upstream.url(), credential(proxy.url_with("user", WRONG_PASSWORD), idp.tls_token_url())),
        protected(
            "/refused",
            &upstream.url(),
            json!({ "client_id": "basic", "client_secret_file": secret, "token_url": idp.token_url(),
                "first_token_wait": "0s", "required": false }),
        ),
    ];
    let Program { daemon, address, admin, .. } = Program::with(&endpoints, &[("PORTEUR_LOG", "trace")]);
    eventually(PATIENCE, "a token is carried", || client::get(address, "/good").status == 200);
    daemon.wait_for_line(|line| line.contains("token fetch for `pk-es256@127.0.0.1~2` failed"));
    daemon.wait_for_line(|line| line.contains("token fetch for `basic@127.0.0.1` failed"));
    for target in ["/wrong", "/refused"] {
        assert_eq!(client::get(address, target).status, 503);
    }
    eventually(PATIENCE, "a refresh", || idp.stats().by_status.get(&200).is_some_and(|count| *count >= 2));
    let mut said: String =
        ["/tokens", "/metrics", "/readyz"].into_iter().map(|target| client::get(admin, target).text()).collect();
    // Another secret that is no good is tried at once, and refused.
    let refused = || idp.stats().by_status.get(&401).copied().unwrap_or_default();
    let before = refused();
    fs::write(&secret, "canary-secret-in-a-file-9876543210\n").unwrap();
    eventually(PATIENCE, "the other secret is refused", || refused() > before);
    daemon.terminate();
    let finished = daemon.finish();
    assert_eq!(finished.status.code(), Some(0), "{}", finished.stderr);
    said += &finished.stdout;
    said += &finished.stderr;
    assert!(said.contains(" debug ") && said.contains("` revoked"), "the level was high: {said}");

    let mut secrets: Vec<String> =
        [PASSWORD, WRONG_PASSWORD, API_KEY, "canary-secret-in-a-file"].map(str::to_owned).into();
    secrets
        .extend(fs::read_to_string(&key).unwrap().lines().filter(|line| !line.starts_with("---")).map(str::to_owned));
    let asked = idp.last();
    assert!(asked.iter().any(|request| request.header("x-api-key") == Some(API_KEY)));
    for request in &asked {
        secrets.extend(request.header("dpop").map(str::to_owned));
        secrets.extend(request.header("authorization").map(|value| value.replace("Basic ", "")));
        secrets
            .extend(request.form().into_iter().filter(|(name, _)| name == "client_assertion").map(|(_, value)| value));
    }
    for request in upstream.requests() {
        secrets.extend(request.header("authorization").map(|value| value.replace("DPoP ", "")));
        secrets.extend(request.header("dpop").map(str::to_owned));
    }
    for asked in proxy.asked() {
        secrets.extend(asked.headers.get("proxy-authorization").map(|value| value.replace("Basic ", "")));
    }
    assert!(secrets.len() > 12, "there was something to find: {secrets:?}");
    for secret in secrets {
        // A part of it is enough to look for: of a JWT, the payload and the signature.
        for part in secret.split('.').filter(|part| part.len() > 8) {
            assert!(!said.contains(part), "{part} in:\n{said}");
        }
    }
}
