//! The certificates of a `tls` block: `public_key` with `private_key`, and the pairs of `keys`.

use crate::base::x509;
use crate::config::code;
use crate::config::keys::Level;
use crate::config::model::CertificateFiles;
use crate::config::parse::credential::file::{self, Named, Privacy};
use crate::config::read::{Context, Object, quoted};
use rustls::pki_types::{CertificateDer, UnixTime};

const CERTIFICATE: &str = "public_key";
const KEY: &str = "private_key";
const HELP: &str = "a `public_key` is the file of a certificate, and its `private_key` the file of the key";

/// In the order of the file, the pair beside `keys` first.
pub(super) fn certificates(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Vec<CertificateFiles>> {
    let entries = object.get("keys").map(|node| cx.list(node));
    let first = object.get(CERTIFICATE).is_some() || object.get(KEY).is_some();
    let mut found = Vec::new();
    if first {
        found.push(pair(cx, object, "`tls`"));
    }
    for entry in entries.flatten().unwrap_or_default() {
        let object = Object::open(cx, entry, Level::Namespace("tls.keys"));
        found.push(object.and_then(|object| pair(cx, &object, "an entry of `keys`")));
    }
    if found.is_empty() {
        object.missing(cx, CERTIFICATE, "`tls`", HELP);
        return None;
    }
    found.into_iter().collect()
}

fn pair(cx: &mut Context<'_>, object: &Object<'_>, whose: &str) -> Option<CertificateFiles> {
    for key in [CERTIFICATE, KEY] {
        if object.get(key).is_none() {
            object.missing(cx, key, whose, HELP);
        }
    }
    let chain = file::named(cx, object, CERTIFICATE, Privacy::Public);
    let key = file::named(cx, object, KEY, Privacy::Secret);
    let (chain, key) = chain.zip(key)?;
    let certificate = file::pair(cx, (&chain, CERTIFICATE), (&key, KEY))?;
    if let Some(own) = certificate.chain.first() {
        warn_of_dates(cx, &chain, own);
    }
    Some(CertificateFiles { certificate: chain.path, private_key: key.path })
}

/// A certificate out of its time is served as it is: it may be renewed in its place, and clients say what they think of it.
fn warn_of_dates(cx: &mut Context<'_>, file: &Named<'_>, certificate: &CertificateDer<'_>) {
    let Some(fields) = x509::read(certificate) else { return };
    let now = i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX);
    let message = match () {
        () if now > fields.not_after => format!("the certificate {} has expired", quoted(file.node)),
        () if now < fields.not_before => format!("the certificate {} is not valid yet", quoted(file.node)),
        () => return,
    };
    cx.warning(
        file.node,
        code::OUT_OF_DATE,
        message,
        "renew it: no client accepts it; the new file is read as soon as it is there",
    );
}
