//! The token request of the client-credentials grant (RFC 6749 §4.4.2): headers and body, byte for byte as KrakenD sends
//! them, except where RFC 6749 asks for something else.
//!
//! It only forms bytes; sending them is `client`'s work.

use crate::base::Secret;
use crate::config::model::{ClientAuth, Credential};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// How the client authenticates in one request: [`ClientAuth`] with `auto` decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// In the `Authorization` header.
    Basic,
    /// In the body.
    Post,
    /// In the body, where `endpoint_params` put it already.
    InParams,
    /// Only the client's name, in the body.
    Public,
}

impl Style {
    /// The style to begin with.
    #[must_use]
    pub const fn first(auth: ClientAuth) -> Self {
        match auth {
            ClientAuth::Auto | ClientAuth::Basic => Self::Basic,
            ClientAuth::Post => Self::Post,
            ClientAuth::InParams => Self::InParams,
            ClientAuth::None => Self::Public,
        }
    }

    /// The style to try once when the server did not accept the client with this one.
    #[must_use]
    pub const fn fallback(self, auth: ClientAuth) -> Option<Self> {
        match (auth, self) {
            (ClientAuth::Auto, Self::Basic) => Some(Self::Post),
            _ => None,
        }
    }
}

/// A request ready to be sent. Both parts hold the secret.
#[derive(Debug)]
pub struct TokenRequest {
    /// Value of the `Authorization` header, for [`Style::Basic`].
    pub authorization: Option<Secret>,
    /// The body, `application/x-www-form-urlencoded`.
    pub body: Secret,
}

impl TokenRequest {
    /// Forms the request.
    #[must_use]
    pub fn form(credential: &Credential, style: Style) -> Self {
        Self {
            authorization: (style == Style::Basic).then(|| basic(credential)),
            body: Secret::new(body(credential, style)),
        }
    }
}

/// RFC 6749 §2.3.1: id and secret are form-encoded before they are joined, so that a `:` in an id stays part of it.
fn basic(credential: &Credential) -> Secret {
    let id = query_escape(&credential.client_id);
    let secret = Secret::new(query_escape(credential.client_secret.expose()));
    let pair = Secret::new(format!("{id}:{}", secret.expose()));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
}

/// Parameters sorted by key; a repeated parameter keeps its order. Without scopes there is no `scope`: KrakenD sends an
/// empty one, which RFC 6749 §3.3 does not allow and some servers refuse.
fn body(credential: &Credential, style: Style) -> String {
    let mut params: Vec<(&str, &str)> = Vec::new();
    let scope = credential.scopes.join(" ");
    if !credential.endpoint_params.contains_key("grant_type") {
        params.push(("grant_type", "client_credentials"));
    }
    if !scope.is_empty() {
        params.push(("scope", &scope));
    }
    if matches!(style, Style::Post | Style::Public) {
        params.push(("client_id", &credential.client_id));
    }
    if style == Style::Post {
        params.push(("client_secret", credential.client_secret.expose()));
    }
    for (name, values) in &credential.endpoint_params {
        params.extend(values.iter().map(|value| (name.as_str(), value.expose())));
    }
    params.sort_by_key(|&(name, _)| name);
    let pairs: Vec<String> =
        params.iter().map(|(name, value)| format!("{}={}", query_escape(name), query_escape(value))).collect();
    pairs.join("&")
}

/// What Go's `url.QueryEscape` leaves alone; it is the form encoding that KrakenD's requests use.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');

fn query_escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string().replace(' ', "+")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::testing::credential;

    fn seed() -> Credential {
        let mut seed = credential();
        seed.client_id = "YOUR-CLIENT-ID".into();
        seed.client_secret = Secret::new("YOUR-CLIENT-SECRET");
        seed
    }

    fn param(credential: &mut Credential, name: &str, values: &[&str]) {
        credential.endpoint_params.insert(name.into(), values.iter().map(|v| Secret::new(*v)).collect());
    }

    fn authorization(credential: &Credential) -> String {
        TokenRequest::form(credential, Style::Basic).authorization.expect("basic").expose().to_owned()
    }

    fn body_of(credential: &Credential, style: Style) -> String {
        TokenRequest::form(credential, style).body.expose().to_owned()
    }

    #[test]
    fn the_simplest_request_is_the_grant_alone() {
        assert_eq!(authorization(&seed()), "Basic WU9VUi1DTElFTlQtSUQ6WU9VUi1DTElFTlQtU0VDUkVU");
        assert_eq!(body_of(&seed(), Style::Basic), "grant_type=client_credentials");
    }

    #[test]
    fn reserved_characters_are_form_encoded_in_header_and_body() {
        let mut odd = credential();
        odd.client_id = "my app".into();
        odd.client_secret = Secret::new("s3cr:t/+=@é");
        assert_eq!(authorization(&odd), "Basic bXkrYXBwOnMzY3IlM0F0JTJGJTJCJTNEJTQwJUMzJUE5");
        assert_eq!(
            body_of(&odd, Style::Post),
            "client_id=my+app&client_secret=s3cr%3At%2F%2B%3D%40%C3%A9&grant_type=client_credentials"
        );
    }

    #[test]
    fn the_auth0_form_sends_the_body_alone_sorted_by_key() {
        let mut auth0 = seed();
        param(&mut auth0, "client_id", &["YOUR-CLIENT-ID"]);
        param(&mut auth0, "client_secret", &["YOUR-CLIENT-SECRET"]);
        param(&mut auth0, "audience", &["YOUR-AUDIENCE"]);
        let request = TokenRequest::form(&auth0, Style::InParams);
        assert!(request.authorization.is_none());
        assert_eq!(
            request.body.expose(),
            "audience=YOUR-AUDIENCE&client_id=YOUR-CLIENT-ID&client_secret=YOUR-CLIENT-SECRET&\
             grant_type=client_credentials"
        );
    }

    #[test]
    fn repeated_parameters_keep_their_order_and_scopes_are_joined_by_one_blank() {
        let mut many = seed();
        param(&mut many, "audience", &["B", "A"]);
        many.scopes = vec!["scope1".into(), "scope2".into()];
        assert_eq!(
            body_of(&many, Style::Basic),
            "audience=B&audience=A&grant_type=client_credentials&scope=scope1+scope2"
        );
    }

    #[test]
    fn a_public_client_sends_its_name_only() {
        assert_eq!(body_of(&seed(), Style::Public), "client_id=YOUR-CLIENT-ID&grant_type=client_credentials");
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let shown = format!("{:?}", TokenRequest::form(&seed(), Style::Post));
        assert!(!shown.contains("YOUR-CLIENT-SECRET"), "{shown}");
    }
}
