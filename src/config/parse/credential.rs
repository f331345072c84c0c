//! `auth/client-credentials` of a backend: whose token its requests carry, and how.

use super::super::code;
use super::super::document::{Node, Value};
use super::super::keys::Level;
use super::super::model::{Credential, OnMissing, TokenPolicy};
use super::super::read::{Context, Object, quoted};
use super::client_auth::client;
use super::endpoint_params::Params;
use http::{HeaderName, StatusCode, header};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

const TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_TOKEN_WAIT: Duration = Duration::from_secs(5);
const DEFAULT_TTL: Duration = Duration::from_secs(300);

/// Names that steer the connection or the message itself, and never reach the upstream as written.
const TAKEN: &[&str] = &[
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "upgrade",
    "expect",
];

/// Reads the namespace; `None` also when it is disabled.
pub(super) fn token_policy(cx: &mut Context<'_>, node: Option<&Node>) -> Option<TokenPolicy> {
    let object = Object::open(cx, node?, Level::Namespace("auth/client-credentials"))?;
    if object.boolean(cx, "is_disabled") {
        return None;
    }
    let credential = credential(cx, &object);
    let header = match object.get("header") {
        Some(node) => token_header(cx, node),
        None => Some(header::AUTHORIZATION),
    };
    let on_missing = on_missing(cx, &object);
    let reject_status = match object.get("reject_status") {
        Some(node) => reject_status(cx, node),
        None => Some(StatusCode::SERVICE_UNAVAILABLE),
    };
    let wait = object.get("first_token_wait").map(|node| cx.duration(node));
    let required = object.get("required").map(|node| cx.boolean(node));
    Some(TokenPolicy {
        credential: Arc::new(credential?),
        header: header?,
        on_missing: on_missing?,
        reject_status: reject_status?,
        first_token_wait: wait.flatten().unwrap_or(FIRST_TOKEN_WAIT),
        required: required.flatten().unwrap_or(true),
    })
}

fn credential(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Credential> {
    let scopes = scopes(cx, object);
    let mut params = Params::read(cx, object, !scopes.is_empty());
    let client = client(cx, object, &mut params);
    let token_url = token_url(cx, object);
    let timeout = object.get("timeout").map_or(Some(TIMEOUT), |node| positive(cx, node));
    let default_ttl = default_ttl(cx, object);
    let scheme = object.get("scheme").map(|node| scheme(cx, node));
    let client = client?;
    Some(Credential {
        client_id: client.id,
        client_secret: client.secret,
        token_url: token_url?,
        scopes,
        endpoint_params: params.0,
        client_auth: client.auth,
        timeout: timeout?,
        default_ttl: default_ttl.ok()?,
        scheme: scheme.flatten(),
    })
}

/// RFC 6749 parts scopes by blanks, KrakenD by commas: nobody has either inside one.
fn scopes(cx: &mut Context<'_>, object: &Object<'_>) -> Vec<String> {
    let items = object.get("scopes").and_then(|node| cx.strings(node)).unwrap_or_default();
    let parts = items.iter().flat_map(|(text, _)| text.split(|c: char| c == ',' || c.is_whitespace()));
    parts.filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

fn token_url(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Url> {
    let insecure = object.boolean(cx, "allow_insecure_token_url");
    let Some(node) = object.get("token_url") else {
        let help = "add the address of the authorization server's token endpoint";
        object.missing(cx, "token_url", "`auth/client-credentials`", help);
        return None;
    };
    let text = cx.string(node)?;
    match check_token_url(text, insecure) {
        Ok(url) => Some(url),
        Err((why, help)) => {
            cx.error(node, code::TOKEN_URL, format!("the token_url {why}: {}", quoted(node)), help);
            None
        }
    }
}

fn check_token_url(text: &str, insecure: bool) -> Result<Url, (&'static str, &'static str)> {
    const FORM: &str = "write a whole address such as `https://idp.example.com/oauth2/token`";
    let url = Url::parse(text).map_err(|_| ("is not a URL", FORM))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(("has a scheme other than `https`", FORM));
    }
    let Some(host) = url.host() else {
        return Err(("has no host", FORM));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(("holds a user name or password", "use `client_id` and `client_secret`"));
    }
    if url.fragment().is_some() {
        return Err(("has a fragment", "remove the `#` and what follows it"));
    }
    if url.scheme() == "http" && !insecure && !is_loopback(&host) {
        let help = "use `https`, or a numeric loopback address such as `http://127.0.0.1`; \
                    `\"allow_insecure_token_url\": true` sends the secret in the clear";
        return Err(("is not encrypted", help));
    }
    Ok(url)
}

/// Only numbers count: a name may lead anywhere.
fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(_) => false,
        Host::Ipv4(address) => IpAddr::V4(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::V6(*address).is_loopback(),
    }
}

fn positive(cx: &mut Context<'_>, node: &Node) -> Option<Duration> {
    let duration = cx.duration(node)?;
    if duration.is_zero() {
        cx.error(node, code::VALUE, "the duration must be longer than 0", "remove the key for its default");
        return None;
    }
    Some(duration)
}

/// `Ok(None)` is `"never"`; the error was reported.
fn default_ttl(cx: &mut Context<'_>, object: &Object<'_>) -> Result<Option<Duration>, ()> {
    match object.get("default_ttl") {
        None => Ok(Some(DEFAULT_TTL)),
        Some(Node { value: Value::String(text), .. }) if text == "never" => Ok(None),
        Some(node) => positive(cx, node).map(Some).ok_or(()),
    }
}

fn token_header(cx: &mut Context<'_>, node: &Node) -> Option<HeaderName> {
    let text = cx.string(node)?;
    let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
        let message = format!("{} is not a header name", quoted(node));
        cx.error(node, code::VALUE, message, "write a name such as `Authorization` or `X-Api-Token`");
        return None;
    };
    if TAKEN.contains(&name.as_str()) {
        let message = format!("the token cannot go into {}: HTTP itself uses it", quoted(node));
        cx.error(node, code::VALUE, message, "write a name such as `Authorization` or `X-Api-Token`");
        return None;
    }
    Some(name)
}

fn scheme(cx: &mut Context<'_>, node: &Node) -> Option<String> {
    let text = cx.string(node)?;
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        let message = format!("the scheme is one visible ASCII word, not {}", quoted(node));
        cx.error(node, code::VALUE, message, "write a word such as `Bearer`, or `\"\"` for the token alone");
        return None;
    }
    Some(text.to_owned())
}

fn on_missing(cx: &mut Context<'_>, object: &Object<'_>) -> Option<OnMissing> {
    let Some(node) = object.get("on_missing") else {
        return Some(OnMissing::Reject);
    };
    match cx.string(node)? {
        "reject" => Some(OnMissing::Reject),
        "pass" => Some(OnMissing::Pass),
        _ => {
            let message = format!("unknown on_missing {}", quoted(node));
            cx.error(node, code::VALUE, message, "write `reject` or `pass`");
            None
        }
    }
}

fn reject_status(cx: &mut Context<'_>, node: &Node) -> Option<StatusCode> {
    let expected = "a status from 400 to 599";
    let status: u16 = cx.integer(node, expected)?;
    let found = StatusCode::from_u16(status).ok().filter(|_| (400..=599).contains(&status));
    if found.is_none() {
        cx.error(node, code::VALUE, format!("expected {expected}, found {}", quoted(node)), "503 is usual");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_urls_are_encrypted_or_numeric_loopback() {
        for text in
            ["https://idp.example.com/token?x=1", "http://127.0.0.1:9/t", "http://127.8.8.8/t", "http://[::1]/t"]
        {
            assert!(check_token_url(text, false).is_ok(), "{text}");
        }
        for (text, why) in [
            ("http://idp.example.com/t", "is not encrypted"),
            ("http://localhost/t", "is not encrypted"),
            ("http://127.0.0.1.example.com/t", "is not encrypted"),
            ("http://[::ffff:127.0.0.1]/t", "is not encrypted"),
            ("ftp://a/t", "has a scheme other than `https`"),
            ("/token", "is not a URL"),
            ("https://", "is not a URL"),
            ("https://u:p@a/t", "holds a user name or password"),
            ("https://a/t#x", "has a fragment"),
        ] {
            assert_eq!(check_token_url(text, false).unwrap_err().0, why, "{text}");
        }
        assert!(check_token_url("http://idp.example.com/t", true).is_ok());
    }
}
