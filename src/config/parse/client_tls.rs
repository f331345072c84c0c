//! `client_tls`: whom upstreams must be certified by, and which certificate they are shown.
//!
//! What Pingora's TLS cannot be told for one connection (the newest version, cipher suites, curves, several certificates) is an
//! error and never passed over: who writes it relies on it.

use super::super::code;
use super::super::document::Node;
use super::super::keys::Level;
use super::super::model::{ClientTls, TlsVersion};
use super::super::read::{Context, Object, items, quoted};
use super::credential::file::{self, Privacy};
use super::tls_version::{VERSIONS, Written, version};
use crate::base::{ClientCertificate, certificate};
use rustls::pki_types::CertificateDer;
use std::sync::Arc;

/// The level of `client_tls` at the root.
pub(super) const OF_SERVICE: Level = Level::Namespace("client_tls");
/// The level of `client_tls` in `backend/http/client`.
pub(super) const OF_BACKEND: Level = Level::Namespace("backend/http/client.client_tls");

/// Reads the object. `None`: it is wrong, which is reported.
pub(super) fn client_tls(cx: &mut Context<'_>, node: &Node, level: Level) -> Option<ClientTls> {
    let object = Object::open(cx, node, level)?;
    let insecure = object.boolean(cx, "allow_insecure_connections");
    if insecure && let Some(node) = object.get("allow_insecure_connections") {
        warn_insecure(cx, node);
    }
    let only_these = object.boolean(cx, "disable_system_ca_pool");
    let authorities = authorities(cx, &object);
    let client_certificate = client_certificate(cx, &object, level);
    let min_version = min_version(cx, &object);
    check_max_version(cx, &object);
    if let Some(node) = object.get("disable_system_ca_pool")
        && only_these
        && !insecure
        && authorities.as_ref().is_some_and(Vec::is_empty)
    {
        let message = "without the system's authorities and without `ca_certs` no upstream can be certified";
        cx.error(node, code::CLIENT_TLS, message, "name the authorities to believe in `ca_certs`");
    }
    Some(ClientTls {
        insecure,
        authorities: authorities?,
        only_these,
        min_version: min_version?,
        client_certificate: client_certificate.ok()?,
    })
}

/// Says aloud what is given up.
pub(super) fn warn_insecure(cx: &mut Context<'_>, node: &Node) {
    let message = "certificates of upstreams are NOT checked: whoever is on the way can read and change every request, \
                   tokens included";
    let help = "name the authority of the upstream in `ca_certs` instead";
    cx.warning(node, code::INSECURE_UPSTREAMS, message, help);
}

fn authorities(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Vec<CertificateDer<'static>>> {
    const KEY: &str = "ca_certs";
    let Some(node) = object.get(KEY) else { return Some(Vec::new()) };
    cx.strings(node)?;
    let mut found = Some(Vec::new());
    for item in items(node) {
        let read = file::at(cx, item, KEY, Privacy::Public).and_then(|file| {
            let read = certificate::certificates(file.content.expose().as_bytes());
            let help = "it holds the certificates of the authorities to believe, in PEM";
            read.inspect_err(|why| file::refuse(cx, &file, KEY, why, help)).ok()
        });
        found = found.zip(read).map(|(mut all, more)| {
            all.extend(more);
            all
        });
    }
    found
}

/// Go sends the one of several certificates that fits what the upstream asks for; Pingora has room for one. `Err(())`: the
/// problem was reported.
fn client_certificate(
    cx: &mut Context<'_>,
    object: &Object<'_>,
    level: Level,
) -> Result<Option<Arc<ClientCertificate>>, ()> {
    const CERTIFICATE: &str = "certificate";
    const KEY: &str = "private_key";
    let Some(node) = object.get("client_certs") else { return Ok(None) };
    let entry = match cx.list(node).ok_or(())? {
        [] => return Ok(None),
        [entry] => entry,
        [_, second, ..] => {
            let message = "only one certificate can be shown to an upstream";
            let help = "keep one here; a backend may have another in `backend/http/client`";
            cx.error(second, code::CLIENT_TLS, message, help);
            return Err(());
        }
    };
    let level =
        if level == OF_SERVICE { "client_tls.client_certs" } else { "backend/http/client.client_tls.client_certs" };
    let entry = Object::open(cx, entry, Level::Namespace(level)).ok_or(())?;
    for key in [CERTIFICATE, KEY] {
        if entry.get(key).is_none() {
            let help = "it is a `certificate` with its `private_key`, both PEM files";
            entry.missing(cx, key, "a client certificate", help);
        }
    }
    let chain = file::named(cx, &entry, CERTIFICATE, Privacy::Public);
    let key = file::named(cx, &entry, KEY, Privacy::Secret);
    let (chain, key) = chain.zip(key).ok_or(())?;
    let pair = file::pair(cx, (&chain, CERTIFICATE), (&key, KEY)).ok_or(())?;
    Ok(Some(Arc::new(pair)))
}

fn min_version(cx: &mut Context<'_>, object: &Object<'_>) -> Option<TlsVersion> {
    let Some(node) = object.get("min_version") else { return Some(TlsVersion::default()) };
    Some(match version(cx, node)? {
        Written::Nothing => TlsVersion::default(),
        Written::Spoken(version) => version,
        Written::Old => {
            let message = format!("{} is allowed here, and never spoken: porteur speaks TLS 1.2 and 1.3", quoted(node));
            cx.warning(node, code::TLS_FLOOR, message, VERSIONS);
            TlsVersion::Tls12
        }
    })
}

/// Both versions are always offered (`pingora-core/src/connectors/tls/rustls/mod.rs`); an upstream takes the newest it can.
fn check_max_version(cx: &mut Context<'_>, object: &Object<'_>) {
    let Some(node) = object.get("max_version") else { return };
    if let Some(Written::Old | Written::Spoken(TlsVersion::Tls12)) = version(cx, node) {
        let message = "TLS 1.3 cannot be kept from an upstream that speaks it";
        cx.error(node, code::CLIENT_TLS, message, "remove it, or write `TLS13`");
    }
}
