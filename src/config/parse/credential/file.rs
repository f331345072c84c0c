//! Files that a credential names: found, read and judged when the configuration is loaded, so that a wrong path is an error
//! with a place and not a failed token request. What they hold is read again later; here only the path is kept.

use crate::base::certificate::CertificateError;
use crate::base::{ClientCertificate, Secret, files};
use crate::config::code;
use crate::config::document::{Node, Origin};
use crate::config::read::{Context, Object, quoted};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::config::parse) enum Privacy {
    /// Anybody.
    Public,
    /// Only those who need it: others are warned of.
    Secret,
}

const RELATIVE: &str = "the path is relative to the folder of the configuration file unless it begins with `/`";

/// A file with its content, read as it is for each fetch: what would fail then is an error here.
pub(in crate::config::parse) struct Named<'d> {
    pub path: PathBuf,
    pub content: Secret,
    pub node: &'d Node,
}

/// The file that a key names. `None` also when it cannot be read, which is reported.
pub(in crate::config::parse) fn named<'d>(
    cx: &mut Context<'_>,
    object: &Object<'d>,
    key: &str,
    privacy: Privacy,
) -> Option<Named<'d>> {
    at(cx, object.get(key)?, key, privacy)
}

/// The file that a value of a key names.
pub(in crate::config::parse) fn at<'d>(
    cx: &mut Context<'_>,
    node: &'d Node,
    key: &str,
    privacy: Privacy,
) -> Option<Named<'d>> {
    let text = cx.string(node)?;
    if text.is_empty() {
        cx.error(node, code::FILE, format!("the `{key}` is empty"), "write the path of the file");
        return None;
    }
    let path = cx.folder.join(text);
    match files::read_secret(&path) {
        Ok(content) => {
            if privacy == Privacy::Secret {
                warn_readable(cx, node, &path, key);
            }
            Some(Named { path, content, node })
        }
        Err(why) => {
            let message = format!("the `{key}` {} cannot be read: {why}", quoted(node));
            let help = match privacy {
                _ if why == files::NOT_TEXT => "it holds text: PEM, or the secret alone".to_owned(),
                Privacy::Public => RELATIVE.to_owned(),
                Privacy::Secret => format!("{RELATIVE}; it is a path, and what the file holds does not stand here"),
            };
            cx.error(node, code::FILE, message, help);
            None
        }
    }
}

/// Says that a file is not what it should be.
pub(in crate::config::parse) fn refuse(
    cx: &mut Context<'_>,
    file: &Named<'_>,
    key: &str,
    why: impl std::fmt::Display,
    help: &str,
) {
    cx.error(file.node, code::FILE, format!("the `{key}` {} cannot be used: {why}", quoted(file.node)), help);
}

/// The certificate and the private key in two files that belong together.
pub(in crate::config::parse) fn pair(
    cx: &mut Context<'_>,
    (chain, chain_key): (&Named<'_>, &str),
    (key, key_key): (&Named<'_>, &str),
) -> Option<ClientCertificate> {
    let why = match ClientCertificate::read(chain.content.expose().as_bytes(), key.content.expose().as_bytes()) {
        Ok(certificate) => return Some(certificate),
        Err(why) => why,
    };
    let (file, name, help) = match why {
        CertificateError::NoKey | CertificateError::UnusableKey => {
            (key, key_key, "it holds an unencrypted private key in PEM")
        }
        CertificateError::Mismatch => (
            key,
            key_key,
            "use the private key that this certificate was made for; the client's own certificate comes first",
        ),
        CertificateError::NoCertificate | CertificateError::Malformed => {
            (chain, chain_key, "it holds the client's certificate first, then its issuers, in PEM")
        }
    };
    refuse(cx, file, name, why, help);
    None
}

/// A secret for everybody is none.
pub(super) fn warn_readable(cx: &mut Context<'_>, node: &Node, path: &Path, key: &str) {
    const OTHERS_READ: u32 = 0o004;
    let mode = std::fs::metadata(path).map(|metadata| metadata.permissions().mode());
    if mode.is_ok_and(|mode| mode & OTHERS_READ != 0) {
        let message = format!("the file of `{key}` can be read by every user of this machine");
        cx.warning(
            node,
            code::READABLE_SECRET,
            message,
            "take the permission away: `chmod o-r`, or `defaultMode: 0440` of a volume in Kubernetes",
        );
    }
}

/// The path of a text that is a lone `${file:…}`: such a secret can be read again when the file changes.
pub(super) fn referred(cx: &Context<'_>, node: &Node) -> Option<PathBuf> {
    let Origin::Interpolated(written) = &node.origin else { return None };
    let path = written.strip_prefix("${file:")?.strip_suffix('}')?;
    (!path.contains('}')).then(|| cx.folder.join(path))
}
