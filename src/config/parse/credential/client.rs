//! `client_auth` and what it needs: `client_id` and `client_secret`, as keys or in `endpoint_params`.

use super::super::code;
use super::super::keys::CLIENT_AUTH;
use super::super::model::ClientAuth;
use super::super::read::{Context, Object, quoted};
use super::super::suggest;
use super::endpoint_params::{Params, warn_blanks};
use crate::base::Secret;

/// Who the client is and how it proves it.
pub(super) struct Client {
    pub id: String,
    pub secret: Secret,
    pub auth: ClientAuth,
}

/// Reads the three keys. Takes `client_id` out of `params` where it would be sent twice.
pub(super) fn client(cx: &mut Context<'_>, object: &Object<'_>, params: &mut Params) -> Option<Client> {
    let wanted = wanted(cx, object)?;
    let (id_param, secret_param) = (params.contains("client_id"), params.contains("client_secret"));
    let auth = match (wanted, id_param, secret_param) {
        (ClientAuth::Auto, true, true) => ClientAuth::InParams,
        (auth, ..) => auth,
    };
    if auth != ClientAuth::InParams && !may_hold(cx, object, auth, id_param, secret_param) {
        return None;
    }
    let id = match object.get("client_id") {
        None if auth == ClientAuth::InParams => params.first("client_id"),
        None if auth == ClientAuth::None && id_param => params.remove("client_id"),
        _ => not_empty(cx, object, "client_id"),
    };
    if let (Some(id), Some(sent), Some(node)) = (&id, params.first("client_id"), object.get("endpoint_params"))
        && *id != sent
    {
        let message = "the `client_id` in `endpoint_params` is not the `client_id` beside them";
        cx.error(node, code::ENDPOINT_PARAMS, message, "keep one of the two");
        return None;
    }
    let secret = match auth {
        // The parameters hold it, or nobody asks for it.
        ClientAuth::InParams | ClientAuth::None => {
            Some(object.string(cx, "client_secret").unwrap_or_default().to_owned())
        }
        _ => not_empty(cx, object, "client_secret"),
    };
    Some(Client { id: id?, secret: Secret::new(secret?), auth })
}

fn wanted(cx: &mut Context<'_>, object: &Object<'_>) -> Option<ClientAuth> {
    let Some(node) = object.get("client_auth") else {
        return Some(ClientAuth::Auto);
    };
    let text = cx.string(node)?;
    match text {
        "auto" => return Some(ClientAuth::Auto),
        "client_secret_basic" => return Some(ClientAuth::Basic),
        "client_secret_post" => return Some(ClientAuth::Post),
        "none" => return Some(ClientAuth::None),
        _ if CLIENT_AUTH.contains(&text) => {
            let message = format!("the client_auth {} is not built yet", quoted(node));
            cx.error(node, code::NOT_BUILT, message, "use `client_secret_basic` or `client_secret_post`");
        }
        _ => {
            let message = format!("unknown client_auth {}", quoted(node));
            let help = suggest::did_you_mean_or(text, CLIENT_AUTH);
            cx.error(node, code::VALUE, message, help);
        }
    }
    None
}

/// RFC 6749 §2.3 allows one method of authentication in each request; what `endpoint_params` hold is always in the body.
fn may_hold(cx: &mut Context<'_>, object: &Object<'_>, auth: ClientAuth, id: bool, secret: bool) -> bool {
    let id_twice = match auth {
        ClientAuth::Auto | ClientAuth::Post => true,
        ClientAuth::None => object.get("client_id").is_some(),
        ClientAuth::Basic | ClientAuth::InParams => false,
    };
    let (message, help) = match (auth, id && id_twice, secret) {
        (_, false, false) => return true,
        (ClientAuth::Auto, ..) => (
            "`endpoint_params` hold only one of `client_id` and `client_secret`",
            "write both there for the form Auth0 wants, or neither",
        ),
        (ClientAuth::None, _, true) => {
            ("`endpoint_params` hold a `client_secret`, but `client_auth` is `none`", "remove one of the two")
        }
        _ => (
            "`endpoint_params` and `client_auth` would both send the client's credentials",
            "remove `client_id` and `client_secret` from `endpoint_params`, or remove `client_auth`",
        ),
    };
    if let Some(node) = object.get("endpoint_params") {
        cx.error(node, code::ENDPOINT_PARAMS, message, help);
    }
    false
}

/// A required text. Neither it nor where it came from is quoted: it may be the secret.
fn not_empty(cx: &mut Context<'_>, object: &Object<'_>, key: &str) -> Option<String> {
    let Some(node) = object.get(key) else {
        let help = format!("add `\"{key}\": \"${{env:NAME}}\"`");
        object.missing(cx, key, "`auth/client-credentials`", &help);
        return None;
    };
    let text = cx.string(node)?;
    if text.trim().is_empty() {
        let help = match key {
            "client_secret" => "give the secret, or set `\"client_auth\": \"none\"` for a public client",
            _ => "give the name the authorization server knows this client by",
        };
        cx.error(node, code::EMPTY_CREDENTIAL, format!("the `{key}` is empty"), help);
        return None;
    }
    warn_blanks(cx, node, key, text);
    Some(text.to_owned())
}
