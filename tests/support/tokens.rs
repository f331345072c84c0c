//! What a running gateway says of its credentials, and the parts of the token requests that it sends for them.

use super::client;
use super::gateway::Running;
use super::poll::{PATIENCE, eventually};
use porteur::base::jws::from_base64url;
use serde_json::Value;
use std::net::SocketAddr;

/// The form of a token request, in its order.
pub type Form = Vec<(String, String)>;

/// How many fetches for this credential ended so.
pub fn fetches(gateway: &Running, credential: &str, result: &str) -> f64 {
    gateway.metric(&format!(r#"porteur_token_fetches_total{{credential="{credential}",result="{result}"}}"#))
}

#[track_caller]
pub fn wait_for_fetch(gateway: &Running, credential: &str, result: &str) {
    eventually(PATIENCE, &format!("a fetch that ends with `{result}`"), || fetches(gateway, credential, result) >= 1.0);
}

/// Whether the gateway says that the authorization server refuses this client.
pub fn is_refused(gateway: &Running, credential: &str) -> bool {
    gateway.metric(&format!(r#"porteur_token_client_refused{{credential="{credential}"}}"#)) == 1.0
}

/// What the admin listener tells of a credential.
#[track_caller]
pub fn row(admin: SocketAddr, credential: &str) -> Value {
    let tokens = client::get(admin, "/tokens").json();
    let row = tokens["tokens"].as_array().unwrap().iter().find(|row| row["name"] == credential);
    row.unwrap_or_else(|| panic!("no credential {credential} in {tokens}")).clone()
}

/// Orders another token, as an operator does.
#[track_caller]
pub fn order_refresh(gateway: &Running, credential: &str) {
    let name: String = form_urlencoded::byte_serialize(credential.as_bytes()).collect();
    let answer = client::post(gateway.admin, &format!("/tokens/{}/refresh", name.replace('+', "%20")), "");
    assert_eq!(answer.status, 202, "{}", answer.text());
}

/// The only parameter of this name, if there is one.
#[track_caller]
pub fn param<'f>(form: &'f Form, name: &str) -> Option<&'f str> {
    let values: Vec<_> = form.iter().filter(|(found, _)| found == name).collect();
    assert!(values.len() <= 1, "{name} is there {} times", values.len());
    values.first().map(|(_, value)| value.as_str())
}

/// The names of the parameters.
pub fn names(form: &Form) -> Vec<&str> {
    form.iter().map(|(name, _)| name.as_str()).collect()
}

/// Header and claims of a JWT. Whether it is signed well is for the server to say.
#[track_caller]
pub fn jwt(text: &str) -> (Value, Value) {
    let parts: Vec<_> = text.split('.').collect();
    assert_eq!(parts.len(), 3, "{text}");
    let part = |n: usize| serde_json::from_slice(&from_base64url(parts[n]).unwrap()).unwrap();
    (part(0), part(1))
}

/// Header and claims of the assertion in a token request.
#[track_caller]
pub fn assertion(form: &Form) -> (Value, Value) {
    jwt(param(form, "client_assertion").expect("an assertion"))
}
