//! What clients are offered: versions, cipher suites and groups for the key exchange.
//!
//! Everything that the TLS library has is safe today, so nothing unsafe can be written here; what KrakenD knows beyond that is
//! told apart from what nobody knows.

use crate::config::code;
use crate::config::document::Node;
use crate::config::model::TlsVersion;
use crate::config::parse::tls_version::{VERSIONS, Written, version};
use crate::config::read::{Context, Object, items, quoted};
use rustls::crypto::aws_lc_rs;
use rustls::{CipherSuite, NamedGroup, ProtocolVersion};

/// The oldest and the newest.
type Versions = (TlsVersion, TlsVersion);

/// Both are 1.3 unless set, as in KrakenD.
pub(super) fn versions(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Versions> {
    let (min, max) = (object.get("min_version"), object.get("max_version"));
    let oldest = min.map_or(Some(TlsVersion::Tls13), |node| oldest(cx, node));
    let newest = max.map_or(Some(TlsVersion::Tls13), |node| newest(cx, node));
    let (oldest, newest) = oldest.zip(newest)?;
    if oldest <= newest {
        return Some((oldest, newest));
    }
    let message = "`max_version` is older than `min_version`";
    if let Some(node) = max {
        let help = if min.is_some() {
            "write the older one as `min_version`"
        } else {
            "add `\"min_version\": \"TLS12\"`: it is TLS13 unless set"
        };
        cx.error(node, code::TLS_VERSION, message, help);
    }
    None
}

fn oldest(cx: &mut Context<'_>, node: &Node) -> Option<TlsVersion> {
    Some(match version(cx, node)? {
        Written::Nothing => TlsVersion::Tls13,
        Written::Spoken(version) => version,
        Written::Old => {
            let message = format!("{} is not spoken: the oldest version is TLS 1.2", quoted(node));
            cx.warning(node, code::TLS_RAISED, message, VERSIONS);
            TlsVersion::Tls12
        }
    })
}

fn newest(cx: &mut Context<'_>, node: &Node) -> Option<TlsVersion> {
    match version(cx, node)? {
        Written::Nothing => Some(TlsVersion::Tls13),
        Written::Spoken(version) => Some(version),
        Written::Old => {
            let message = format!("{} is not spoken: the versions are TLS 1.2 and 1.3", quoted(node));
            cx.error(node, code::TLS_VERSION, message, VERSIONS);
            None
        }
    }
}

/// Go takes the suites of TLS 1.2 from the list and has always all of 1.3; here those of 1.3 can be chosen, too.
pub(super) fn cipher_suites(
    cx: &mut Context<'_>,
    object: &Object<'_>,
    versions: Option<Versions>,
) -> Option<Vec<CipherSuite>> {
    let Some(node) = object.get("cipher_suites") else { return Some(Vec::new()) };
    let chosen = numbers(cx, node, "the number of a cipher suite", |cx, item, number| {
        let suite = CipherSuite::from(number);
        if aws_lc_rs::ALL_CIPHER_SUITES.iter().any(|offered| offered.suite() == suite) {
            return Some(Some(suite));
        }
        let (message, help) = match suite.as_str() {
            Some(name) => (
                format!("{} ({name}) is not offered", quoted(item)),
                "remove it: it lacks forward secrecy or authenticated encryption, or is not built",
            ),
            None => (format!("{} is no cipher suite", quoted(item)), SUITES),
        };
        cx.error(item, code::CIPHER_SUITE, message, help);
        None
    })?;
    if let Some((oldest, _)) = versions.filter(|_| !chosen.is_empty()) {
        check_versions(cx, node, &chosen, oldest)?;
    }
    Some(chosen)
}

const SUITES: &str =
    "the numbers are 4865, 4866 and 4867 for TLS 1.3, and 49195, 49196, 49199, 49200, 52392 and 52393 for 1.2";

/// A version without a suite of its own would be one that no client gets.
fn check_versions(cx: &mut Context<'_>, node: &Node, chosen: &[CipherSuite], oldest: TlsVersion) -> Option<()> {
    let of_1_2 = |suite: &CipherSuite| {
        let mut all = aws_lc_rs::ALL_CIPHER_SUITES.iter();
        all.any(|offered| offered.suite() == *suite && offered.version().version == ProtocolVersion::TLSv1_2)
    };
    let has_1_2 = chosen.iter().any(of_1_2);
    match oldest {
        TlsVersion::Tls12 if !has_1_2 => {
            let message = "there is no cipher suite for TLS 1.2, which `min_version` allows";
            cx.error(node, code::CIPHER_SUITE, message, "add 49195 and 49199, or write `\"min_version\": \"TLS13\"`");
            None
        }
        TlsVersion::Tls13 if has_1_2 => {
            let message = "cipher suites of TLS 1.2 have no effect: `min_version` is TLS13";
            cx.warning(node, code::NO_EFFECT, message, "remove them, or write `\"min_version\": \"TLS12\"`");
            Some(())
        }
        _ => Some(()),
    }
}

/// Groups for the key exchange, KrakenD's curves among them.
pub(super) fn groups(cx: &mut Context<'_>, object: &Object<'_>, versions: Option<Versions>) -> Option<Vec<NamedGroup>> {
    let Some(node) = object.get("curve_preferences") else { return Some(Vec::new()) };
    let mut left_out = false;
    let groups = numbers(cx, node, "the number of a curve", |cx, item, number| {
        let group = NamedGroup::from(number);
        // Those of the library's other groups are drafts without a classical part.
        if GROUPS.contains(&group) {
            return Some(Some(group));
        }
        if group == NamedGroup::secp521r1 {
            left_out = true;
            let message = "curve 25 (P-521) is not offered, and is left out";
            cx.warning(item, code::TLS_RAISED, message, "remove it: clients that have it have one of the others, too");
            return Some(None);
        }
        let message = format!("{} is no curve that is offered", quoted(item));
        cx.error(
            item,
            code::CIPHER_SUITE,
            message,
            "the numbers are 23 (P-256), 24 (P-384), 29 (X25519) and 4588 (X25519MLKEM768)",
        );
        None
    })?;
    if groups.is_empty() && left_out {
        cx.error(node, code::CIPHER_SUITE, "no curve is left", "add 29 and 23");
        return None;
    }
    let only_1_3 = groups.iter().all(|group| *group == NamedGroup::X25519MLKEM768) && !groups.is_empty();
    if only_1_3 && versions.is_some_and(|(oldest, _)| oldest == TlsVersion::Tls12) {
        let message = "there is no curve for TLS 1.2, which `min_version` allows";
        cx.error(node, code::CIPHER_SUITE, message, "add 29, or write `\"min_version\": \"TLS13\"`");
        return None;
    }
    Some(groups)
}

const GROUPS: [NamedGroup; 4] =
    [NamedGroup::X25519MLKEM768, NamedGroup::X25519, NamedGroup::secp256r1, NamedGroup::secp384r1];

/// A list of numbers, each once. `None` of an entry: it was reported; `Some(None)`: it is left out.
fn numbers<T: PartialEq>(
    cx: &mut Context<'_>,
    node: &Node,
    expected: &str,
    mut read: impl FnMut(&mut Context<'_>, &Node, u16) -> Option<Option<T>>,
) -> Option<Vec<T>> {
    let mut chosen = Some(Vec::new());
    for item in items(node) {
        let entry = cx.integer(item, expected).and_then(|number| read(cx, item, number));
        match (entry, &mut chosen) {
            (Some(Some(entry)), Some(list)) if !list.contains(&entry) => list.push(entry),
            (Some(_), _) => {}
            (None, _) => chosen = None,
        }
    }
    chosen
}
