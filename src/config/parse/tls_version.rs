//! Versions of TLS as KrakenD writes them, towards clients and towards upstreams.

use super::super::code;
use super::super::document::Node;
use super::super::model::TlsVersion;
use super::super::read::{Context, quoted};

/// What to write instead of what is not spoken.
pub(super) const VERSIONS: &str = "write `TLS12` or `TLS13`";

/// What is written where a version belongs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Written {
    /// Nothing, which KrakenD takes for its default.
    Nothing,
    /// A version older than any that is spoken.
    Old,
    /// One that is spoken.
    Spoken(TlsVersion),
}

/// Reads a version; `None`: it is none, which is reported.
pub(super) fn version(cx: &mut Context<'_>, node: &Node) -> Option<Written> {
    match cx.string(node)? {
        "" => Some(Written::Nothing),
        "SSL3.0" | "TLS10" | "TLS11" => Some(Written::Old),
        "TLS12" => Some(Written::Spoken(TlsVersion::Tls12)),
        "TLS13" => Some(Written::Spoken(TlsVersion::Tls13)),
        _ => {
            cx.error(node, code::TLS_VERSION, format!("{} is no version of TLS", quoted(node)), VERSIONS);
            None
        }
    }
}
