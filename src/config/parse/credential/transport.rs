//! How the token endpoint is reached: `tls` and `proxy_url`.

use super::file::{self, Privacy};
use super::policy::word;
use crate::base::Secret;
use crate::base::certificate;
use crate::config::code;
use crate::config::keys::Level;
use crate::config::model::{ProxyUrl, TlsVersion, Transport};
use crate::config::read::{Context, Object, quoted};
use std::path::PathBuf;
use url::Url;

pub(super) fn transport(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Transport> {
    let proxy = proxy(cx, object);
    let Some(node) = object.get("tls") else {
        return Some(Transport { proxy: proxy?, ..Transport::default() });
    };
    let tls = Object::open(cx, node, Level::Namespace("auth/client-credentials.tls"))?;
    let ca_file = authorities(cx, &tls);
    let client_certificate = client_certificate(cx, &tls);
    let min_version = word(cx, &tls, "min_version", &[("TLS12", TlsVersion::Tls12), ("TLS13", TlsVersion::Tls13)]);
    Some(Transport {
        ca_file: ca_file.ok()?,
        client_certificate: client_certificate.ok()?,
        min_version: min_version?,
        proxy: proxy?,
    })
}

/// `Err(())`: the problem was reported.
fn authorities(cx: &mut Context<'_>, tls: &Object<'_>) -> Result<Option<PathBuf>, ()> {
    if tls.get("ca_file").is_none() {
        return Ok(None);
    }
    let file = file::named(cx, tls, "ca_file", Privacy::Public).ok_or(())?;
    if let Err(why) = certificate::certificates(file.content.expose().as_bytes()) {
        file::refuse(cx, &file, "ca_file", why, "it holds the certificates of the authorities to trust, in PEM");
        return Err(());
    }
    Ok(Some(file.path))
}

/// `ureq` would panic over a pair that does not fit when it first connects.
fn client_certificate(cx: &mut Context<'_>, tls: &Object<'_>) -> Result<Option<(PathBuf, PathBuf)>, ()> {
    const CERTIFICATE: &str = "client_certificate_file";
    const KEY: &str = "client_key_file";
    let lonely = match (tls.get(CERTIFICATE), tls.get(KEY)) {
        (None, None) => return Ok(None),
        (Some(node), None) => Some((node, CERTIFICATE, KEY)),
        (None, Some(node)) => Some((node, KEY, CERTIFICATE)),
        (Some(_), Some(_)) => None,
    };
    if let Some((node, there, missing)) = lonely {
        let message = format!("`{there}` needs a `{missing}`");
        cx.error(node, code::CONTRADICTION, message, "a client certificate is used with its private key");
        return Err(());
    }
    let chain = file::named(cx, tls, CERTIFICATE, Privacy::Public);
    let key = file::named(cx, tls, KEY, Privacy::Secret);
    let (chain, key) = chain.zip(key).ok_or(())?;
    file::pair(cx, (&chain, CERTIFICATE), (&key, KEY)).map(|_| Some((chain.path, key.path))).ok_or(())
}

fn proxy(cx: &mut Context<'_>, object: &Object<'_>) -> Option<ProxyUrl> {
    let Some(node) = object.get("proxy_url") else {
        return Some(ProxyUrl::None);
    };
    match cx.string(node)? {
        "" | "none" => return Some(ProxyUrl::None),
        "env" => return Some(ProxyUrl::Environment),
        text => {
            let url = Url::parse(text).ok().filter(Url::has_host);
            if url.is_some_and(|url| matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h")) {
                return Some(ProxyUrl::Url(Secret::new(text)));
            }
        }
    }
    let help = "write `http://host:port`, `https://host:port`, `socks5://host:port`, `socks5h://host:port` (it looks names up), or `env` for the environment's";
    cx.error(node, code::VALUE, format!("{} is not the address of a proxy", quoted(node)), help);
    None
}
