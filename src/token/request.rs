//! The token request of the client-credentials grant (RFC 6749 §4.4.2): headers and body, byte for byte as KrakenD sends
//! them, except where RFC 6749 asks for something else.
//!
//! It only forms bytes; sending them is `client`'s work.

use crate::base::Secret;
use crate::config::model::{BasicEncoding, Credential, RequestFormat};
use crate::token::assertion;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

/// How the client proves who it is in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof<'a> {
    /// In the `Authorization` header.
    Basic(&'a Secret, BasicEncoding),
    /// In the body.
    Post(&'a Secret),
    /// By a signed assertion in the body.
    Assertion(&'a Secret),
    /// In the body, where `endpoint_params` put it already.
    InParams,
    /// Not in the request: only the client's name stands in the body, and a certificate may be shown below it.
    NameOnly,
}

/// A request ready to be sent. All parts may hold a secret.
#[derive(Debug)]
pub struct TokenRequest {
    /// Value of the `Authorization` header, for [`Proof::Basic`].
    pub authorization: Option<Secret>,
    /// Value of the `Content-Type` header.
    pub content_type: &'static str,
    /// The body.
    pub body: Secret,
}

impl TokenRequest {
    /// Asks for a token.
    #[must_use]
    pub fn token(credential: &Credential, proof: Proof<'_>) -> Self {
        let scope = credential.scopes.join(" ");
        let mut params: Vec<(&str, &str)> = Vec::new();
        if !credential.endpoint_params.contains_key("grant_type") {
            params.push(("grant_type", "client_credentials"));
        }
        // Without scopes there is no `scope`: KrakenD sends an empty one, which RFC 6749 §3.3 does not allow and some
        // servers refuse.
        if !scope.is_empty() {
            params.push(("scope", &scope));
        }
        params.extend(credential.audiences.iter().map(|audience| ("audience", audience.as_str())));
        params.extend(credential.resources.iter().map(|resource| ("resource", resource.as_str())));
        for (name, values) in &credential.endpoint_params {
            params.extend(values.iter().map(|value| (name.as_str(), value.expose())));
        }
        Self::of(credential, proof, params, credential.request_format)
    }

    /// Gives a token back (RFC 7009 §2.1), which is always a form.
    #[must_use]
    pub fn revocation(credential: &Credential, proof: Proof<'_>, token: &Secret) -> Self {
        let mut params = vec![("token", token.expose()), ("token_type_hint", "access_token")];
        for name in ["client_id", "client_secret"] {
            let values = credential.endpoint_params.get(name).filter(|_| proof == Proof::InParams);
            params.extend(values.into_iter().flatten().map(|value| (name, value.expose())));
        }
        Self::of(credential, proof, params, RequestFormat::Form)
    }

    /// Parameters sorted by key; a repeated parameter keeps its order.
    fn of<'a>(
        credential: &'a Credential,
        proof: Proof<'a>,
        mut params: Vec<(&'a str, &'a str)>,
        format: RequestFormat,
    ) -> Self {
        match proof {
            Proof::Basic(..) | Proof::InParams | Proof::NameOnly => {}
            Proof::Post(secret) => params.push(("client_secret", secret.expose())),
            Proof::Assertion(text) => {
                params.extend([("client_assertion", text.expose()), ("client_assertion_type", assertion::TYPE)]);
            }
        }
        if !matches!(proof, Proof::Basic(..) | Proof::InParams) {
            params.push(("client_id", &credential.client_id));
        }
        params.sort_by_key(|&(name, _)| name);
        let (content_type, body) = match format {
            RequestFormat::Form => ("application/x-www-form-urlencoded", form(&params)),
            RequestFormat::Json => ("application/json", json(&params)),
        };
        let authorization = match proof {
            Proof::Basic(secret, encoding) => Some(basic(&credential.client_id, secret, encoding)),
            _ => None,
        };
        Self { authorization, content_type, body: Secret::new(body) }
    }
}

/// RFC 6749 §2.3.1: id and secret are form-encoded before they are joined, so that a `:` in an id stays part of it. Servers
/// that do not decode want them as they are.
fn basic(id: &str, secret: &Secret, encoding: BasicEncoding) -> Secret {
    let pair = match encoding {
        BasicEncoding::Rfc6749 => {
            let secret = Secret::new(query_escape(secret.expose()));
            Secret::new(format!("{}:{}", query_escape(id), secret.expose()))
        }
        BasicEncoding::Raw => Secret::new(format!("{id}:{}", secret.expose())),
    };
    Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
}

fn form(params: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        params.iter().map(|(name, value)| format!("{}={}", query_escape(name), query_escape(value))).collect();
    pairs.join("&")
}

/// A parameter that is there more than once becomes a list.
fn json(params: &[(&str, &str)]) -> String {
    let mut object = Map::new();
    for (name, value) in params {
        match object.get_mut(*name) {
            None => drop(object.insert((*name).to_owned(), Value::from(*value))),
            Some(Value::Array(list)) => list.push(Value::from(*value)),
            Some(first) => *first = Value::Array(vec![first.take(), Value::from(*value)]),
        }
    }
    Value::Object(object).to_string()
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
    use std::sync::LazyLock;

    static SECRET: LazyLock<Secret> = LazyLock::new(|| Secret::new("YOUR-CLIENT-SECRET"));
    static ODD: LazyLock<Secret> = LazyLock::new(|| Secret::new("s3cr:t/+=@é"));

    fn seed() -> Credential {
        let mut seed = credential();
        seed.client_id = "YOUR-CLIENT-ID".into();
        seed
    }

    fn basic_of(secret: &Secret) -> Proof<'_> {
        Proof::Basic(secret, BasicEncoding::Rfc6749)
    }

    fn param(credential: &mut Credential, name: &str, values: &[&str]) {
        credential.endpoint_params.insert(name.into(), values.iter().map(|v| Secret::new(*v)).collect());
    }

    fn authorization(credential: &Credential, proof: Proof<'_>) -> String {
        TokenRequest::token(credential, proof).authorization.expect("basic").expose().to_owned()
    }

    fn body_of(credential: &Credential, proof: Proof<'_>) -> String {
        TokenRequest::token(credential, proof).body.expose().to_owned()
    }

    #[test]
    fn the_simplest_request_is_the_grant_alone() {
        assert_eq!(authorization(&seed(), basic_of(&SECRET)), "Basic WU9VUi1DTElFTlQtSUQ6WU9VUi1DTElFTlQtU0VDUkVU");
        assert_eq!(body_of(&seed(), basic_of(&SECRET)), "grant_type=client_credentials");
    }

    #[test]
    fn reserved_characters_are_form_encoded_in_header_and_body() {
        let mut odd = credential();
        odd.client_id = "my app".into();
        assert_eq!(authorization(&odd, basic_of(&ODD)), "Basic bXkrYXBwOnMzY3IlM0F0JTJGJTJCJTNEJTQwJUMzJUE5");
        assert_eq!(
            body_of(&odd, Proof::Post(&ODD)),
            "client_id=my+app&client_secret=s3cr%3At%2F%2B%3D%40%C3%A9&grant_type=client_credentials"
        );
    }

    #[test]
    fn the_auth0_form_sends_the_body_alone_sorted_by_key() {
        let mut auth0 = seed();
        param(&mut auth0, "client_id", &["YOUR-CLIENT-ID"]);
        param(&mut auth0, "client_secret", &["YOUR-CLIENT-SECRET"]);
        param(&mut auth0, "audience", &["YOUR-AUDIENCE"]);
        let request = TokenRequest::token(&auth0, Proof::InParams);
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
            body_of(&many, basic_of(&SECRET)),
            "audience=B&audience=A&grant_type=client_credentials&scope=scope1+scope2"
        );
    }

    #[test]
    fn a_public_client_sends_its_name_only() {
        assert_eq!(body_of(&seed(), Proof::NameOnly), "client_id=YOUR-CLIENT-ID&grant_type=client_credentials");
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let shown = format!("{:?}", TokenRequest::token(&seed(), Proof::Post(&SECRET)));
        assert!(!shown.contains("YOUR-CLIENT-SECRET"), "{shown}");
    }

    #[test]
    fn a_raw_basic_header_has_the_characters_as_they_are() {
        let proof = Proof::Basic(&ODD, BasicEncoding::Raw);
        let expected = format!("Basic {}", STANDARD.encode("YOUR-CLIENT-ID:s3cr:t/+=@é"));
        assert_eq!(authorization(&seed(), proof), expected);
    }

    #[test]
    fn audience_and_resource_are_sorted_in_among_the_others() {
        let mut both = seed();
        both.audiences = vec!["B".into(), "A".into()];
        both.resources = vec!["https://r.test/a b".into()];
        assert_eq!(
            body_of(&both, basic_of(&SECRET)),
            "audience=B&audience=A&grant_type=client_credentials&resource=https%3A%2F%2Fr.test%2Fa+b"
        );
    }

    #[test]
    fn the_json_form_is_one_object_with_lists_for_what_is_repeated() {
        let mut json = seed();
        json.request_format = RequestFormat::Json;
        json.audiences = vec!["B".into(), "A".into(), "C".into()];
        let request = TokenRequest::token(&json, Proof::Post(&SECRET));
        assert_eq!(request.content_type, "application/json");
        assert_eq!(
            request.body.expose(),
            r#"{"audience":["B","A","C"],"client_id":"YOUR-CLIENT-ID","client_secret":"YOUR-CLIENT-SECRET","grant_type":"client_credentials"}"#
        );
    }

    #[test]
    fn an_assertion_stands_in_the_body_with_its_type() {
        let assertion = Secret::new("a.b.c");
        assert_eq!(
            body_of(&seed(), Proof::Assertion(&assertion)),
            "client_assertion=a.b.c&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3A\
             jwt-bearer&client_id=YOUR-CLIENT-ID&grant_type=client_credentials"
        );
    }

    #[test]
    fn a_token_is_given_back_with_the_clients_proof() {
        let token = Secret::new("TOKEN");
        let request = TokenRequest::revocation(&seed(), Proof::Post(&SECRET), &token);
        assert_eq!(
            request.body.expose(),
            "client_id=YOUR-CLIENT-ID&client_secret=YOUR-CLIENT-SECRET&token=TOKEN&token_type_hint=access_token"
        );
    }
}
