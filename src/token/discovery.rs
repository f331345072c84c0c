//! The metadata of an authorization server (RFC 8414, OpenID Connect Discovery 1.0): where its endpoints are, when the
//! configuration names only its issuer.

use crate::base::server_url::{self, UrlProblem};
use crate::token::answer;
use crate::token::client::HttpClient;
use crate::token::error::FetchError;
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// How long metadata is used before it is fetched again.
pub const FRESH: Duration = Duration::from_secs(24 * 3600);
/// How long old metadata is used after a failure to fetch it again.
pub const RETRY: Duration = Duration::from_secs(5 * 60);

/// What the engine needs of the metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// `token_endpoint`, or its alias for clients with a certificate (RFC 8705 §5).
    pub token_endpoint: Url,
    /// `revocation_endpoint`, likewise.
    pub revocation_endpoint: Option<Url>,
}

/// What to look for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// As written in the configuration, for the comparison.
    pub issuer: &'a str,
    /// The same as a URL.
    pub url: &'a Url,
    /// Whether endpoints without TLS are taken.
    pub insecure: bool,
    /// Whether the client shows a certificate.
    pub with_certificate: bool,
}

/// Fetches the metadata: where RFC 8414 puts it and, if nothing is there, where OpenID Connect does.
///
/// # Errors
/// [`FetchError::Discovery`] if it is in neither place, [`FetchError::Metadata`] if what is there is not to be trusted.
pub fn discover(client: &HttpClient, wanted: Wanted<'_>) -> Result<Metadata, FetchError> {
    let mut absent = FetchError::Metadata("the issuer is no base for an address");
    for url in places(wanted.url) {
        let answer = client.get(&url).map_err(|error| FetchError::Discovery(Box::new(error)))?;
        // A redirect is not followed: whoever serves it would choose where the secret goes.
        if answer.status != 200 {
            let (status, retry_after) = (answer.status, answer.retry_after);
            absent = FetchError::Discovery(Box::new(FetchError::Status { status, code: None, retry_after }));
            continue;
        }
        // Some sites answer any path with a page.
        match answer::object(&answer.body) {
            Ok(metadata) => return read(&metadata, wanted).map_err(FetchError::Metadata),
            Err(_) => absent = FetchError::Metadata("the metadata is not a JSON object"),
        }
    }
    Err(absent)
}

/// RFC 8414 §3.1 inserts the well-known part before the issuer's path, OpenID Connect appends it.
fn places(issuer: &Url) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    [format!("/.well-known/oauth-authorization-server{path}"), format!("{path}/.well-known/openid-configuration")]
        .into_iter()
        .map(|path| {
            let mut url = issuer.clone();
            url.set_path(&path);
            url
        })
        .collect()
}

fn read(metadata: &Value, wanted: Wanted<'_>) -> Result<Metadata, &'static str> {
    // RFC 8414 §3.3: a server that names another issuer is another server.
    if metadata.get("issuer").and_then(Value::as_str) != Some(wanted.issuer) {
        return Err("the metadata is another issuer's (a `/` at the end counts)");
    }
    let token_endpoint = endpoint(metadata, "token_endpoint", wanted)?;
    Ok(Metadata {
        token_endpoint: token_endpoint.ok_or("the metadata has no `token_endpoint`")?,
        revocation_endpoint: endpoint(metadata, "revocation_endpoint", wanted)?,
    })
}

fn endpoint(metadata: &Value, name: &str, wanted: Wanted<'_>) -> Result<Option<Url>, &'static str> {
    let aliases = metadata.get("mtls_endpoint_aliases").filter(|_| wanted.with_certificate);
    let alias = aliases.and_then(|aliases| aliases.get(name));
    let Some(text) = alias.or_else(|| metadata.get(name)).and_then(Value::as_str) else { return Ok(None) };
    let url = server_url::parse(text, wanted.insecure).map_err(|problem| match problem {
        UrlProblem::NotEncrypted => "the metadata names an endpoint that is not encrypted",
        _ => "the metadata names an endpoint that is no proper address",
    })?;
    // Encryption is not given up on the way, not even for this machine.
    if url.scheme() != wanted.url.scheme() && wanted.url.scheme() == "https" {
        return Err("the metadata names an endpoint that is not encrypted");
    }
    Ok(Some(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn the_well_known_part_goes_before_a_path_or_after_it() {
        let of = |issuer: &str| places(&url(issuer)).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            of("https://idp.test"),
            [
                "https://idp.test/.well-known/oauth-authorization-server",
                "https://idp.test/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            of("https://idp.test/realms/a/"),
            [
                "https://idp.test/.well-known/oauth-authorization-server/realms/a",
                "https://idp.test/realms/a/.well-known/openid-configuration"
            ]
        );
    }

    #[test]
    fn metadata_is_taken_from_its_own_issuer_only_and_names_encrypted_endpoints() {
        let issuer = url("https://idp.test");
        let read_with = |body: &str, with_certificate| {
            let wanted = Wanted { issuer: "https://idp.test", url: &issuer, insecure: false, with_certificate };
            read(&serde_json::from_str(body).expect("JSON"), wanted).map(|metadata| metadata.token_endpoint.to_string())
        };
        let good = r#"{"issuer":"https://idp.test","token_endpoint":"https://idp.test/t",
            "mtls_endpoint_aliases":{"token_endpoint":"https://mtls.idp.test/t"}}"#;
        assert_eq!(read_with(good, false).as_deref(), Ok("https://idp.test/t"));
        assert_eq!(read_with(good, true).as_deref(), Ok("https://mtls.idp.test/t"));
        for (body, why) in [
            (r#"{"token_endpoint":"https://idp.test/t"}"#, "another issuer's"),
            (r#"{"issuer":"https://idp.test/","token_endpoint":"https://idp.test/t"}"#, "another issuer's"),
            (r#"{"issuer":"https://idp.test"}"#, "no `token_endpoint`"),
            (r#"{"issuer":"https://idp.test","token_endpoint":7}"#, "no `token_endpoint`"),
            (r#"{"issuer":"https://idp.test","token_endpoint":"/t"}"#, "no proper address"),
            (r#"{"issuer":"https://idp.test","token_endpoint":"http://idp.test/t"}"#, "not encrypted"),
            (r#"{"issuer":"https://idp.test","token_endpoint":"http://127.0.0.1/t"}"#, "not encrypted"),
            (r#"{"issuer":"https://idp.test","token_endpoint":"file:///t"}"#, "no proper address"),
            (r#"{"issuer":"https://idp.test","token_endpoint":"https://u:p@idp.test/t"}"#, "no proper address"),
        ] {
            let error = read_with(body, false).expect_err(body);
            assert!(error.contains(why), "{body}: {error}");
        }
    }
}
