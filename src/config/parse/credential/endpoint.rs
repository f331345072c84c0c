//! Where tokens are asked for, and given back: `token_url`, `issuer`, `revocation_url`.

use super::HERE;
use crate::config::code;
use crate::config::model::{Revocation, TokenEndpoint};
use crate::config::read::{Context, Object, quoted};
use std::net::IpAddr;
use url::{Host, Url};

/// `token_url` or `issuer`, exactly one of the two.
pub(super) fn token_endpoint(cx: &mut Context<'_>, object: &Object<'_>) -> Option<TokenEndpoint> {
    let insecure = object.boolean(cx, "allow_insecure_token_url");
    match (object.get("token_url"), object.get("issuer")) {
        (Some(_), Some(node)) => {
            let message = "`issuer` contradicts `token_url`: the issuer's metadata names its token endpoint";
            cx.error(node, code::CONTRADICTION, message, "keep one of the two");
            None
        }
        (Some(_), None) => url(cx, object, "token_url", insecure).map(TokenEndpoint::Url),
        (None, Some(node)) => {
            let text = cx.string(node)?.to_owned();
            let url = url(cx, object, "issuer", insecure)?;
            if url.query().is_some() {
                cx.error(node, code::TOKEN_URL, "the issuer has a query", "remove the `?` and what follows it");
                return None;
            }
            Some(TokenEndpoint::Issuer { text, url, insecure })
        }
        (None, None) => {
            let help = "add the address of the authorization server's token endpoint, or its `issuer`";
            object.missing(cx, "token_url", HERE, help);
            None
        }
    }
}

/// `Err(())`: the problem was reported.
pub(super) fn revocation(
    cx: &mut Context<'_>,
    object: &Object<'_>,
    endpoint: Option<&TokenEndpoint>,
) -> Result<Option<Revocation>, ()> {
    let wanted = object.boolean(cx, "revoke_on_shutdown");
    let insecure = object.boolean(cx, "allow_insecure_token_url");
    let written = object.get("revocation_url").map(|_| url(cx, object, "revocation_url", insecure).ok_or(()));
    let written = written.transpose()?;
    match (wanted, written, endpoint) {
        (false, None, _) => Ok(None),
        (false, Some(_), _) => {
            if let Some(node) = object.get("revocation_url") {
                let message = "`revocation_url` has no effect without `revoke_on_shutdown`";
                cx.error(node, code::CONTRADICTION, message, "add `\"revoke_on_shutdown\": true`, or remove it");
            }
            Err(())
        }
        (true, Some(url), _) => Ok(Some(Revocation::Url(url))),
        (true, None, Some(TokenEndpoint::Issuer { .. })) => Ok(Some(Revocation::Discovered)),
        // Without an endpoint there is a problem already.
        (true, None, None) => Err(()),
        (true, None, Some(TokenEndpoint::Url(_))) => {
            if let Some(node) = object.get("revoke_on_shutdown") {
                let help = "add `\"revocation_url\": \"https://…\"`, or name the server by its `issuer`";
                cx.error(node, code::CONTRADICTION, "`revoke_on_shutdown` needs a `revocation_url`", help);
            }
            Err(())
        }
    }
}

fn url(cx: &mut Context<'_>, object: &Object<'_>, key: &str, insecure: bool) -> Option<Url> {
    let node = object.get(key)?;
    let text = cx.string(node)?;
    match check(text, insecure) {
        Ok(url) => Some(url),
        Err((why, help)) => {
            cx.error(node, code::TOKEN_URL, format!("the {key} {why}: {}", quoted(node)), help);
            None
        }
    }
}

fn check(text: &str, insecure: bool) -> Result<Url, (&'static str, &'static str)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_urls_are_encrypted_or_numeric_loopback() {
        for text in
            ["https://idp.example.com/token?x=1", "http://127.0.0.1:9/t", "http://127.8.8.8/t", "http://[::1]/t"]
        {
            assert!(check(text, false).is_ok(), "{text}");
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
            assert_eq!(check(text, false).unwrap_err().0, why, "{text}");
        }
        assert!(check("http://idp.example.com/t", true).is_ok());
    }
}
