//! `auth/client-credentials` of a backend: whose token its requests carry, and how.

mod client;
mod endpoint;
pub(super) mod file;
mod named;
mod params;
mod policy;
mod request;
mod transport;

pub(super) use named::Named;

use crate::base::duration;
use crate::config::code;
use crate::config::document::{Node, Value};
use crate::config::keys::Level;
use crate::config::model::{ClientAuth, Credential, ProxyUrl, Revocation, TokenEndpoint, TokenPolicy};
use crate::config::read::{Context, Object, quoted};
use client::client;
use http::{StatusCode, header};
use params::Params;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_TOKEN_WAIT: Duration = Duration::from_secs(5);
const DEFAULT_TTL: Duration = Duration::from_secs(300);

/// How this namespace is called in messages.
const HERE: &str = "`auth/client-credentials`";

/// Reads the namespace; `None` also when it is disabled.
pub(super) fn token_policy(cx: &mut Context<'_>, node: Option<&Node>, named: &Named<'_>) -> Option<TokenPolicy> {
    let (node, name) = named.resolve(cx, node?)?;
    read(cx, &node, name)
}

fn read(cx: &mut Context<'_>, node: &Node, name: Option<String>) -> Option<TokenPolicy> {
    let object = Object::open(cx, node, Level::Namespace("auth/client-credentials"))?;
    if object.boolean(cx, "is_disabled") {
        return None;
    }
    let credential = credential(cx, &object);
    let header = match object.get("header") {
        Some(node) => policy::token_header(cx, node),
        None => Some(header::AUTHORIZATION),
    };
    let on_missing = policy::on_missing(cx, &object);
    let reject_status = match object.get("reject_status") {
        Some(node) => policy::failure_status(cx, node, "503 is usual"),
        None => Some(StatusCode::SERVICE_UNAVAILABLE),
    };
    let wait = object.get("first_token_wait").map(|node| cx.duration(node));
    let required = object.get("required").map(|node| cx.boolean(node));
    let refresh_on_status = policy::refresh_on_status(cx, &object);
    let replay = policy::replay(cx, &object);
    let (credential, header) = (credential?, header?);
    check_dpop(cx, &object, &credential)?;
    let on_missing = on_missing?;
    policy::warn_unused(cx, &object, on_missing, refresh_on_status.as_deref(), credential.dpop);
    Some(TokenPolicy {
        credential: Arc::new(credential),
        name,
        header,
        on_missing,
        reject_status: reject_status?,
        first_token_wait: wait.flatten().unwrap_or(FIRST_TOKEN_WAIT),
        required: required.flatten().unwrap_or(true),
        refresh_on_status: refresh_on_status?,
        replay: replay?,
    })
}

/// Every part is read before any is missed, so that all problems are told at once.
fn credential(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Credential> {
    let scopes = scopes(cx, object);
    let (audiences, resources) = (request::audiences(cx, object), request::resources(cx, object));
    let taken = params::Taken {
        scope: !scopes.is_empty(),
        audience: audiences.as_ref().is_none_or(|list| !list.is_empty()),
        resource: resources.as_ref().is_none_or(|list| !list.is_empty()),
    };
    let mut params = Params::read(cx, object, &taken);
    let client = client(cx, object, &mut params);
    let endpoint = endpoint::token_endpoint(cx, object);
    let revocation = endpoint::revocation(cx, object, endpoint.as_ref());
    let transport = transport::transport(cx, object);
    let request_format = request::format(cx, object);
    let request_headers = request::headers(cx, object);
    let timeout = object.get("timeout").map_or(Some(TIMEOUT), |node| policy::positive(cx, node));
    let default_ttl = default_ttl(cx, object);
    let scheme = object.get("scheme").map(|node| policy::scheme(cx, node));
    let (dpop, bound) = (object.boolean(cx, "dpop"), object.boolean(cx, "certificate_bound"));
    let (client, transport) = (client?, transport?);
    check_certificate(cx, object, &client.auth, transport.client_certificate.is_some(), bound)?;
    let revocation = revocation.ok()?;
    let sent_to = endpoint.iter().map(TokenEndpoint::url).chain(revocation.iter().filter_map(Revocation::url));
    check_proxy(cx, object, sent_to, &transport.proxy)?;
    Some(Credential {
        client_id: client.id,
        endpoint: endpoint?,
        scopes,
        audiences: audiences?,
        resources: resources?,
        endpoint_params: params.0,
        request_format: request_format?,
        request_headers: request_headers?,
        client_auth: client.auth,
        transport,
        dpop,
        certificate_bound: bound,
        timeout: timeout?,
        default_ttl: default_ttl.ok()?,
        scheme: scheme.flatten(),
        revocation,
    })
}

/// RFC 6749 parts scopes by blanks, KrakenD by commas: nobody has either inside one.
fn scopes(cx: &mut Context<'_>, object: &Object<'_>) -> Vec<String> {
    let items = object.get("scopes").and_then(|node| cx.strings(node)).unwrap_or_default();
    let parts = items.iter().flat_map(|(text, _)| text.split(|c: char| c == ',' || c.is_whitespace()));
    parts.filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

/// `Ok(None)` is `"never"`; the error was reported.
fn default_ttl(cx: &mut Context<'_>, object: &Object<'_>) -> Result<Option<Duration>, ()> {
    match object.get("default_ttl") {
        None => Ok(Some(DEFAULT_TTL)),
        Some(Node { value: Value::String(text), .. }) if text == "never" => Ok(None),
        Some(node @ Node { value: Value::String(text), .. }) if duration::parse(text.trim()).is_err() => {
            let message = format!("{} is not a duration", quoted(node));
            cx.error(node, code::DURATION, message, "write it like `300s` or `1h`, or write `never`");
            Err(())
        }
        Some(node) => policy::positive(cx, node).map(Some).ok_or(()),
    }
}

/// RFC 9449 §7.1: such a token goes into `Authorization` with the scheme `DPoP`, and nowhere else.
fn check_dpop(cx: &mut Context<'_>, object: &Object<'_>, credential: &Credential) -> Option<()> {
    let mut fine = Some(());
    for key in ["header", "scheme"].into_iter().filter(|_| credential.dpop) {
        if let Some(node) = object.get(key) {
            let message = format!("`{key}` contradicts `dpop`: such a token goes into `Authorization` as `DPoP`");
            cx.error(node, code::CONTRADICTION, message, format!("remove `{key}`"));
            fine = None;
        }
    }
    fine
}

/// What needs a client certificate must have one.
fn check_certificate(
    cx: &mut Context<'_>,
    object: &Object<'_>,
    auth: &ClientAuth,
    has_certificate: bool,
    bound: bool,
) -> Option<()> {
    let key = match (auth, bound) {
        _ if has_certificate => return Some(()),
        (ClientAuth::Certificate, _) => "client_auth",
        (_, true) => "certificate_bound",
        _ => return Some(()),
    };
    if let Some(node) = object.get(key) {
        let message = format!("`{key}` needs a client certificate, and `tls` has none");
        let help = "add `\"tls\": { \"client_certificate_file\": \"…\", \"client_key_file\": \"…\" }`";
        cx.error(node, code::CONTRADICTION, message, help);
    }
    None
}

/// The proxy's `CONNECT` is for encrypted traffic; without TLS a proxy would read the secret.
fn check_proxy<'u>(
    cx: &mut Context<'_>,
    object: &Object<'_>,
    mut sent_to: impl Iterator<Item = &'u Url>,
    proxy: &ProxyUrl,
) -> Option<()> {
    if *proxy == ProxyUrl::None || sent_to.all(|url| url.scheme() == "https") {
        return Some(());
    }
    if let Some(node) = object.get("proxy_url") {
        let message = format!("{} would read the secret: the server's address is not encrypted", quoted(node));
        cx.error(node, code::CONTRADICTION, message, "use `https` addresses, or no proxy");
    }
    None
}
