//! `tls` of the service and of listeners: which certificates clients see, and what they must speak.
//!
//! All that a handshake would fail over is an error here, at its place: files, pairs that do not fit, versions and cipher
//! suites that are not spoken.

mod certificates;
mod offer;

use super::super::code;
use super::super::diagnostic::Diagnostic;
use super::super::document::Node;
use super::super::keys::Level;
use super::super::model::{ClientAuthorities, Tls};
use super::super::read::{Context, Object, items};
use super::credential::file::{self, Privacy};
use crate::base::certificate;
use std::path::PathBuf;

/// Reads the block; `None` also when it is disabled.
pub(super) fn tls(cx: &mut Context<'_>, node: &Node) -> Option<Tls> {
    let object = Object::open(cx, node, Level::Namespace("tls"))?;
    if object.boolean(cx, "disabled") {
        return None;
    }
    let certificates = certificates::certificates(cx, &object);
    let versions = offer::versions(cx, &object);
    let cipher_suites = offer::cipher_suites(cx, &object, versions);
    let groups = offer::groups(cx, &object, versions);
    let prefer_server_cipher_suites = object.boolean(cx, "prefer_server_cipher_suites");
    let client_authorities = client_authorities(cx, &object);
    let (min_version, max_version) = versions?;
    Some(Tls {
        certificates: certificates?,
        min_version,
        max_version,
        cipher_suites: cipher_suites?,
        prefer_server_cipher_suites,
        groups: groups?,
        client_authorities: client_authorities.ok()?,
    })
}

/// `Err(())`: the problem was reported.
fn client_authorities(cx: &mut Context<'_>, object: &Object<'_>) -> Result<Option<ClientAuthorities>, ()> {
    let (enabled, alone) = (object.boolean(cx, "enable_mtls"), object.boolean(cx, "disable_system_ca_pool"));
    let files = authority_files(cx, object);
    if !enabled {
        for key in ["ca_certs", "disable_system_ca_pool"] {
            if let Some(member) = object.member(key) {
                let message = format!("`{key}` has no effect: clients are not asked for a certificate");
                cx.report_key(member, Diagnostic::warning(code::NO_EFFECT, None, message).help("set `enable_mtls`"));
            }
        }
        return files.map(|_| None).ok_or(());
    }
    let files = files.ok_or(())?;
    match (object.get("enable_mtls"), alone) {
        (Some(node), true) if files.is_empty() => {
            let message = "no client can connect: nobody vouches for clients";
            cx.error(node, code::CONTRADICTION, message, "name the authorities of your clients in `ca_certs`");
            return Err(());
        }
        (Some(node), false) => {
            let message = "every client with a certificate of any authority that this system trusts is let in";
            let help = "name the authorities of your clients in `ca_certs`, and set `disable_system_ca_pool`";
            cx.warning(node, code::BROAD_TRUST, message, help);
        }
        _ => {}
    }
    Ok(Some(ClientAuthorities { files, system: !alone }))
}

fn authority_files(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Vec<PathBuf>> {
    const KEY: &str = "ca_certs";
    let Some(node) = object.get(KEY) else { return Some(Vec::new()) };
    let files: Vec<_> = items(node).iter().map(|item| file::at(cx, item, KEY, Privacy::Public)).collect();
    let usable = files.into_iter().map(|file| {
        let file = file?;
        if let Err(why) = certificate::certificates(file.content.expose().as_bytes()) {
            file::refuse(
                cx,
                &file,
                KEY,
                why,
                "it holds the certificates of authorities that vouch for clients, in PEM",
            );
            return None;
        }
        Some(file.path)
    });
    // Each is judged before one that fails makes the list useless.
    usable.collect::<Vec<_>>().into_iter().collect()
}
