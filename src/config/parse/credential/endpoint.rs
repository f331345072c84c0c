//! Where tokens are asked for, and given back: `token_url`, `issuer`, `revocation_url`.

use super::HERE;
use crate::base::server_url::{self, UrlProblem};
use crate::config::code;
use crate::config::model::{Revocation, TokenEndpoint};
use crate::config::read::{Context, Object, quoted};
use url::Url;

/// `token_url` or `issuer`, exactly one of the two.
pub(super) fn token_endpoint(cx: &mut Context<'_>, object: &Object<'_>) -> Option<TokenEndpoint> {
    let insecure = object.boolean(cx, "allow_insecure_token_url");
    match (object.get("token_url"), object.get("issuer")) {
        (Some(_), Some(node)) => {
            let message = "`issuer` contradicts `token_url`: the issuer's metadata names its token endpoint";
            cx.error(node, code::CONTRADICTION, message, "keep one of the two");
            None
        }
        (Some(node), None) => {
            let text = cx.string(node)?.to_owned();
            url(cx, object, "token_url", insecure).map(|url| TokenEndpoint::Url { text, url })
        }
        (None, Some(node)) => {
            let text = cx.string(node)?.to_owned();
            let url = url(cx, object, "issuer", insecure)?;
            let problem = match url.query() {
                Some(_) => Some(("has a query", "remove the `?` and what follows it")),
                None if url.path().contains("/.well-known/") => {
                    Some(("is the address of its metadata", "remove `/.well-known/` and what follows it"))
                }
                None => None,
            };
            if let Some((why, help)) = problem {
                cx.error(node, code::TOKEN_URL, format!("the issuer {why}"), help);
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
        (true, None, Some(TokenEndpoint::Url { .. })) => {
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
    match server_url::parse(cx.string(node)?, insecure) {
        Ok(url) => Some(url),
        Err(problem) => {
            cx.error(node, code::TOKEN_URL, format!("the {key} {problem}: {}", quoted(node)), help(problem));
            None
        }
    }
}

const fn help(problem: UrlProblem) -> &'static str {
    match problem {
        UrlProblem::NotUrl | UrlProblem::Scheme | UrlProblem::NoHost => {
            "write a whole address such as `https://idp.example.com/oauth2/token`"
        }
        UrlProblem::UserInfo => "use `client_id` and `client_secret`",
        UrlProblem::Fragment => "remove the `#` and what follows it",
        UrlProblem::NotEncrypted => {
            "use `https`, or a numeric loopback address such as `http://127.0.0.1`; \
             `\"allow_insecure_token_url\": true` sends the secret in the clear"
        }
    }
}
