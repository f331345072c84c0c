//! `client_auth` and what it needs: who the client is, and how it proves it.

use super::HERE;
use super::file::{self, Privacy};
use super::params::{Params, warn_blanks};
use super::policy::word;
use crate::base::Secret;
use crate::base::jws::{Algorithm, KeyError, SigningKey};
use crate::config::code;
use crate::config::document::{Node, Value};
use crate::config::keys::CLIENT_AUTH;
use crate::config::model::{Assertion, BasicEncoding, ClientAuth, SecretMethod, SecretSource};
use crate::config::read::{Context, Object, items, quoted};
use crate::config::suggest;

/// Who the client is and how it proves it.
pub(super) struct Client {
    pub id: String,
    pub auth: ClientAuth,
}

/// The words of `client_auth`, with what the configuration says beside them taken into account.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Secret(SecretMethod),
    SecretJwt,
    PrivateKeyJwt,
    AssertionFile,
    Certificate,
    InParams,
    None,
}

impl Method {
    /// Keys that only some methods have a use for; in another they would be a secret or a key for nothing.
    const fn uses(self, key: Extra) -> bool {
        match key {
            Extra::Secret => matches!(self, Self::Secret(_) | Self::SecretJwt | Self::InParams),
            Extra::Encoding => matches!(self, Self::Secret(SecretMethod::Auto | SecretMethod::Basic)),
            Extra::PrivateKey => matches!(self, Self::PrivateKeyJwt),
            Extra::Signed => matches!(self, Self::PrivateKeyJwt | Self::SecretJwt),
            Extra::File => matches!(self, Self::AssertionFile),
        }
    }
}

#[derive(Clone, Copy)]
enum Extra {
    Secret,
    Encoding,
    PrivateKey,
    Signed,
    File,
}

const EXTRAS: [(&str, Extra); 8] = [
    ("client_secret", Extra::Secret),
    ("client_secret_file", Extra::Secret),
    ("basic_encoding", Extra::Encoding),
    ("private_key_file", Extra::PrivateKey),
    ("key_id", Extra::PrivateKey),
    ("signing_algorithm", Extra::Signed),
    ("assertion_audience", Extra::Signed),
    ("client_assertion_file", Extra::File),
];

/// Reads the keys. Takes `client_id` out of `params` where it would be sent twice.
pub(super) fn client(cx: &mut Context<'_>, object: &Object<'_>, params: &mut Params) -> Option<Client> {
    let method = method(cx, object, params)?;
    if method != Method::InParams && !may_hold(cx, object, method, params) {
        return None;
    }
    let fits = check_extras(cx, object, method);
    let id = match object.get("client_id") {
        None if method == Method::InParams => params.first("client_id"),
        None if method == Method::None && params.contains("client_id") => params.remove("client_id"),
        _ => not_empty(cx, object, "client_id"),
    };
    check_twins(cx, object, params, id.as_deref())?;
    let auth = match method {
        Method::Secret(method) => {
            let encodings = [("rfc6749", BasicEncoding::Rfc6749), ("raw", BasicEncoding::Raw)];
            let (secrets, encoding) = (secrets(cx, object), word(cx, object, "basic_encoding", &encodings));
            secrets.zip(encoding).map(|(secrets, encoding)| ClientAuth::Secret { secrets, method, encoding })
        }
        Method::SecretJwt => secret_assertion(cx, object),
        Method::PrivateKeyJwt => key_assertion(cx, object),
        Method::AssertionFile => assertion_file(cx, object),
        Method::Certificate => Some(ClientAuth::Certificate),
        Method::InParams => Some(ClientAuth::InParams),
        Method::None => Some(ClientAuth::None),
    };
    Some(Client { id: id?, auth: fits.and(auth)? })
}

fn method(cx: &mut Context<'_>, object: &Object<'_>, params: &Params) -> Option<Method> {
    let written = object.get("client_auth");
    let text = written.map_or(Some("auto"), |node| cx.string(node))?;
    let has = |key: &str| object.get(key).is_some();
    let auto = Method::Secret(SecretMethod::Auto);
    Some(match text {
        "auto" if params.contains("client_id") && params.contains("client_secret") => Method::InParams,
        // A key or an assertion is for one thing only.
        "auto" if has("private_key_file") && !has("client_secret") && !has("client_secret_file") => {
            Method::PrivateKeyJwt
        }
        "auto" | "private_key_jwt" if has("client_assertion_file") && !has("client_secret") => Method::AssertionFile,
        "auto" => auto,
        "client_secret_basic" => Method::Secret(SecretMethod::Basic),
        "client_secret_post" => Method::Secret(SecretMethod::Post),
        "client_secret_jwt" => Method::SecretJwt,
        "private_key_jwt" => Method::PrivateKeyJwt,
        "tls_client_auth" | "self_signed_tls_client_auth" => Method::Certificate,
        "none" => Method::None,
        _ => {
            if let Some(node) = written {
                let help = suggest::did_you_mean_or(text, CLIENT_AUTH);
                cx.error(node, code::VALUE, format!("unknown client_auth {}", quoted(node)), help);
            }
            return None;
        }
    })
}

/// `None` when a key contradicts the method, which is reported.
fn check_extras(cx: &mut Context<'_>, object: &Object<'_>, method: Method) -> Option<()> {
    let mut fits = Some(());
    for (key, extra) in EXTRAS {
        if let Some(node) = object.get(key).filter(|_| !method.uses(extra)) {
            let message = format!("`{key}` contradicts the way this client authenticates");
            let help = format!("remove `{key}`, or set `client_auth` to the method that uses it");
            cx.error(node, code::CONTRADICTION, message, help);
            fits = None;
        }
    }
    fits
}

/// RFC 6749 §2.3 allows one method of authentication in each request; what `endpoint_params` hold is always in the body.
fn may_hold(cx: &mut Context<'_>, object: &Object<'_>, method: Method, params: &Params) -> bool {
    let (id, secret) = (params.contains("client_id"), params.contains("client_secret"));
    let id_twice = match method {
        Method::Secret(SecretMethod::Basic) | Method::InParams => false,
        Method::None => object.get("client_id").is_some(),
        _ => true,
    };
    let (message, help) = match (method, id && id_twice, secret) {
        (_, false, false) => return true,
        (Method::Secret(SecretMethod::Auto), ..) => (
            "`endpoint_params` hold only one of `client_id` and `client_secret`",
            "write both there for the form Auth0 wants, or neither",
        ),
        (Method::None, _, true) => {
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

/// What is written twice must be the same. Neither is quoted: one of them is a secret.
fn check_twins(cx: &mut Context<'_>, object: &Object<'_>, params: &Params, id: Option<&str>) -> Option<()> {
    let secret = object.get("client_secret").and_then(|node| match &node.value {
        Value::String(text) if !text.is_empty() => Some(text.as_str()),
        _ => None,
    });
    for (key, beside) in [("client_id", id), ("client_secret", secret)] {
        let differs = params.first(key).is_some_and(|sent| beside.is_some_and(|beside| beside != sent));
        if let Some(node) = object.get("endpoint_params").filter(|_| differs) {
            let message = format!("the `{key}` in `endpoint_params` is not the `{key}` beside them");
            cx.error(node, code::ENDPOINT_PARAMS, message, "keep one of the two");
            return None;
        }
    }
    Some(())
}

/// One secret, or two of which either may be the valid one while it is being changed.
fn secrets(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Vec<SecretSource>> {
    let Some(node) = object.get("client_secret") else {
        if object.get("client_secret_file").is_none() {
            return not_empty(cx, object, "client_secret").map(|_| Vec::new());
        }
        let file = file::named(cx, object, "client_secret_file", Privacy::Secret)?;
        check_text(cx, file.node, "client_secret", file.content.expose())?;
        return Some(vec![SecretSource::File(file.path)]);
    };
    if let Some(twice) = object.get("client_secret_file") {
        let message = "`client_secret_file` contradicts `client_secret`";
        cx.error(twice, code::CONTRADICTION, message, "keep one of the two");
        return None;
    }
    let items = items(node);
    if !(1..=2).contains(&items.len()) {
        let message = "`client_secret` is one secret, or a list of two while one takes the other's place";
        cx.error(node, code::VALUE, message, "keep the one that is valid and the one that will be");
        return None;
    }
    let read: Vec<_> = items.iter().map(|item| secret(cx, item)).collect();
    read.into_iter().collect()
}

fn secret(cx: &mut Context<'_>, node: &Node) -> Option<SecretSource> {
    let text = cx.string(node)?;
    check_text(cx, node, "client_secret", text)?;
    Some(match file::referred(cx, node) {
        Some(path) => {
            file::warn_readable(cx, node, &path, "client_secret");
            SecretSource::File(path)
        }
        None => SecretSource::Text(Secret::new(text)),
    })
}

fn secret_assertion(cx: &mut Context<'_>, object: &Object<'_>) -> Option<ClientAuth> {
    let algorithm = algorithm(cx, object, Algorithm::is_symmetric, "a secret signs with HS256, HS384 or HS512");
    let audience = object.string(cx, "assertion_audience").filter(|text| !text.is_empty()).map(str::to_owned);
    let secrets = secrets(cx, object)?;
    let algorithm = algorithm.ok()?.unwrap_or(Algorithm::Hs256);
    warn_short(cx, object, &secrets, algorithm);
    Some(ClientAuth::Assertion(Assertion::Secret { secrets, algorithm, audience }))
}

/// RFC 7518 §3.2: a key is at least as long as the hash. A secret in a file may be replaced and is not judged.
fn warn_short(cx: &mut Context<'_>, object: &Object<'_>, secrets: &[SecretSource], algorithm: Algorithm) {
    let least = match algorithm {
        Algorithm::Hs512 => 64,
        Algorithm::Hs384 => 48,
        _ => 32,
    };
    let is_short = |source: &SecretSource| matches!(source, SecretSource::Text(text) if text.expose().len() < least);
    if let Some(node) = object.get("client_secret").filter(|_| secrets.iter().any(is_short)) {
        let message = format!("the `client_secret` is shorter than the {least} bytes that {} wants", algorithm.name());
        cx.warning(node, code::SHORT_SECRET, message, "have the server make a longer one");
    }
}

fn key_assertion(cx: &mut Context<'_>, object: &Object<'_>) -> Option<ClientAuth> {
    const HELP: &str = "a private key signs with RS256, PS256, ES256, ES384, EdDSA or Ed25519";
    let algorithm = algorithm(cx, object, |algorithm| !algorithm.is_symmetric(), HELP);
    let audience = object.string(cx, "assertion_audience").filter(|text| !text.is_empty()).map(str::to_owned);
    let key_id = object.string(cx, "key_id").map(str::to_owned);
    if object.get("private_key_file").is_none() {
        let message = "`private_key_jwt` needs a `private_key_file` or a `client_assertion_file`";
        match object.get("client_auth") {
            Some(node) => cx.error(node, code::CONTRADICTION, message, "add the path of the key, in PEM"),
            None => object.missing(cx, "private_key_file", HERE, "add the path of the key, in PEM"),
        }
        return None;
    }
    let file = file::named(cx, object, "private_key_file", Privacy::Secret)?;
    let algorithm = algorithm.ok()?;
    if let Err(why) = SigningKey::from_pem(file.content.expose().as_bytes(), algorithm) {
        let help = match why {
            KeyError::OtherKind { .. } => "set `signing_algorithm` to one that this key signs, or name another key",
            _ => "it holds an unencrypted private key in PEM",
        };
        file::refuse(cx, &file, "private_key_file", why, help);
        return None;
    }
    Some(ClientAuth::Assertion(Assertion::PrivateKey { file: file.path, key_id, algorithm, audience }))
}

fn assertion_file(cx: &mut Context<'_>, object: &Object<'_>) -> Option<ClientAuth> {
    let file = file::named(cx, object, "client_assertion_file", Privacy::Secret)?;
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let is_part = |part: &str| !part.is_empty() && part.chars().all(is_letter);
    let parts: Vec<_> = file.content.expose().trim_ascii().split('.').collect();
    if parts.len() != 3 || !parts.into_iter().all(is_part) {
        let help = "the platform writes a signed assertion (a JWT) into it, and nothing else";
        file::refuse(cx, &file, "client_assertion_file", "it holds no signed assertion", help);
        return None;
    }
    Some(ClientAuth::Assertion(Assertion::File(file.path)))
}

/// `Err(())`: the problem was reported.
fn algorithm(
    cx: &mut Context<'_>,
    object: &Object<'_>,
    fits: impl Fn(Algorithm) -> bool,
    help: &str,
) -> Result<Option<Algorithm>, ()> {
    let Some(node) = object.get("signing_algorithm") else { return Ok(None) };
    let text = cx.string(node).ok_or(())?;
    let found = Algorithm::named(text);
    if found.is_none() {
        let names = Algorithm::ALL.map(Algorithm::name);
        let help = suggest::did_you_mean_or(text, &names);
        cx.error(node, code::VALUE, format!("unknown signing_algorithm {}", quoted(node)), help);
        return Err(());
    }
    if found.is_some_and(|algorithm| !fits(algorithm)) {
        cx.error(node, code::VALUE, format!("{} does not sign for this client", quoted(node)), help);
        return Err(());
    }
    Ok(found)
}

/// A required text. Neither it nor where it came from is quoted: it may be the secret.
fn not_empty(cx: &mut Context<'_>, object: &Object<'_>, key: &str) -> Option<String> {
    let Some(node) = object.get(key) else {
        let help = format!("add `\"{key}\": \"${{env:NAME}}\"`");
        object.missing(cx, key, HERE, &help);
        return None;
    };
    let text = cx.string(node)?;
    check_text(cx, node, key, text)?;
    Some(text.to_owned())
}

fn check_text(cx: &mut Context<'_>, node: &Node, key: &str, text: &str) -> Option<()> {
    if text.trim().is_empty() {
        let help = match key {
            "client_secret" => "give the secret, or set `\"client_auth\": \"none\"` for a public client",
            _ => "give the name the authorization server knows this client by",
        };
        cx.error(node, code::EMPTY_CREDENTIAL, format!("the `{key}` is empty"), help);
        return None;
    }
    warn_blanks(cx, node, key, text);
    Some(())
}
