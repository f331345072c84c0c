//! The one table of every KrakenD key and namespace we know: where it may stand, what it holds, whether we build it.
//!
//! Checks, suggestions and what diagnostics may show all come from these rows.

mod backend;
mod balance;
mod differs;
mod endpoint;
mod inside;
mod listener;
pub mod martian;
mod namespaces;
mod service;
mod transport;

pub use backend::ENCODINGS;
pub use balance::POLICIES;
pub use inside::{CLIENT_AUTH, FLATMAP_TYPES, STATIC_STRATEGIES};
pub use namespaces::{LEGACY, NAMESPACES};
pub use service::OUTPUT_ENCODINGS;

use std::collections::HashSet;
use std::sync::LazyLock;

/// Where a key or a namespace may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The service: the root of the file.
    Root,
    /// An entry of `endpoints`.
    Endpoint,
    /// An entry of `backend`.
    Backend,
    /// Inside a namespace that we build.
    Namespace(&'static str),
}

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A duration in Go's syntax.
    Duration,
    /// A list of texts; one text counts as a list of it.
    Strings,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of objects.
    List,
    /// An object.
    Object,
    /// Anything.
    Any,
}

/// Whether porteur does what a key or namespace says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Yes.
    Supported,
    /// An error until it is built. `fine`: values that ask for nothing and may stay.
    NotYet {
        /// What it would do, in a few words.
        what: &'static str,
        /// Values that ask for what porteur does anyway; of an object, the switch that turns it off.
        fine: &'static [&'static str],
    },
    /// Yes, and a warning where answers pass as they are: there KrakenD ignores it too.
    Decoded,
    /// An error for ever.
    Refused(&'static str),
    /// A warning: the rest works without it.
    Observed(&'static str),
    /// Accepted in silence: nothing is lost.
    Ignored(&'static str),
}

/// A key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As KrakenD spells it.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether porteur does what it says.
    pub support: Support,
    /// One line for people.
    pub doc: &'static str,
}

/// A name of `extra_config`.
#[derive(Debug, Clone, Copy)]
pub struct Namespace {
    /// The short name.
    pub name: &'static str,
    /// Where it may stand.
    pub levels: &'static [Level],
    /// Whether porteur does what it says.
    pub support: Support,
    /// One line for people.
    pub doc: &'static str,
}

impl Level {
    /// What diagnostics call it.
    pub fn phrase(self) -> String {
        match self {
            Self::Root => "the service".to_owned(),
            Self::Endpoint => "an endpoint".to_owned(),
            Self::Backend => "a backend".to_owned(),
            Self::Namespace(name) => match name.split_once('.') {
                Some((namespace, key)) => format!("`{key}` of `{namespace}`"),
                None => format!("`{name}`"),
            },
        }
    }

    /// The keys that may stand here.
    pub fn keys(self) -> &'static [Key] {
        match self {
            Self::Root => service::KEYS,
            Self::Endpoint => endpoint::KEYS,
            Self::Backend => backend::KEYS,
            Self::Namespace(name) => inside::keys(name),
        }
    }

    /// The row of a key, matched as KrakenD does: without regard to case.
    pub fn key(self, name: &str) -> Option<&'static Key> {
        self.keys().iter().find(|key| key.name.eq_ignore_ascii_case(name))
    }

    /// The level of a key's value, or of each entry of it, if that has keys of its own: `tls` of `auth/client-credentials` is
    /// the level `auth/client-credentials.tls`.
    pub fn below(self, key: &Key) -> Option<Self> {
        let Self::Namespace(namespace) = self else {
            return match (self, key.name) {
                (Self::Root, "endpoints") => Some(Self::Endpoint),
                (Self::Endpoint, "backend") => Some(Self::Backend),
                (Self::Root, "tls") => Some(Self::Namespace("tls")),
                (Self::Root, "client_tls") => Some(Self::Namespace("client_tls")),
                _ => None,
            };
        };
        // Listeners have the blocks of the service.
        match (namespace, key.name) {
            ("listeners", "tls") => return Some(Self::Namespace("tls")),
            ("listeners", "proxy_protocol") => return Some(Self::Namespace("proxy_protocol")),
            _ => {}
        }
        let is_inside =
            |name: &str| name.strip_prefix(namespace).and_then(|rest| rest.strip_prefix('.')) == Some(key.name);
        LEVELS.into_iter().find(|level| matches!(level, Self::Namespace(name) if is_inside(name)))
    }
}

impl Support {
    /// Whether porteur does it.
    pub fn is_built(self) -> bool {
        matches!(self, Self::Supported | Self::Decoded)
    }

    /// In a word, what becomes of it when it is not built.
    pub fn verdict(self) -> &'static str {
        match self {
            Self::Supported | Self::Decoded => "supported",
            Self::NotYet { .. } => "not built yet",
            Self::Refused(_) => "refused",
            Self::Observed(_) => "no effect",
            Self::Ignored(_) => "ignored",
        }
    }
}

/// Levels that are no namespace of their own.
const LEVELS: [Level; 17] = [
    Level::Root,
    Level::Endpoint,
    Level::Backend,
    Level::Namespace("router.error_body"),
    Level::Namespace("proxy.flatmap_filter"),
    Level::Namespace("proxy.static"),
    Level::Namespace("auth/client-credentials.tls"),
    Level::Namespace("tls"),
    Level::Namespace("tls.keys"),
    Level::Namespace("balance.outlier"),
    Level::Namespace("balance.health"),
    Level::Namespace("balance.retries"),
    Level::Namespace("client_tls"),
    Level::Namespace("client_tls.client_certs"),
    Level::Namespace("backend/http/client.client_tls"),
    Level::Namespace("backend/http/client.client_tls.client_certs"),
    Level::Namespace(martian::PRIORITY_ENTRY),
];

/// Every level that has keys, but for the namespaces whose keys people choose.
pub fn levels() -> impl Iterator<Item = Level> {
    let built = NAMESPACES.iter().filter(|row| row.support.is_built()).map(|row| Level::Namespace(row.name));
    LEVELS.into_iter().chain(built).filter(|level| !level.keys().is_empty())
}

/// The row of a namespace by its short name.
pub fn namespace(name: &str) -> Option<&'static Namespace> {
    NAMESPACES.iter().find(|row| row.name == name)
}

/// The short name for a legacy one, with dots or underscores in its host.
pub fn modern_name(name: &str) -> Option<&'static str> {
    let path = name.strip_prefix("github.com/").or_else(|| name.strip_prefix("github_com/"))?;
    LEGACY.iter().find(|(legacy, _)| *legacy == path).map(|(_, modern)| *modern)
}

/// Whether a name is a key or a namespace of KrakenD or porteur, wherever it belongs.
pub fn is_known(name: &str) -> bool {
    static KNOWN: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let built = NAMESPACES.iter().filter(|row| row.support == Support::Supported);
        let levels = built.map(|row| Level::Namespace(row.name)).chain(LEVELS);
        let modifiers = martian::MODIFIERS.iter();
        let levels = levels.chain(modifiers.clone().map(|row| Level::Namespace(row.level)));
        let keys = levels.flat_map(Level::keys).map(|key| key.name.to_ascii_lowercase());
        keys.chain(modifiers.map(|row| row.name.to_ascii_lowercase()))
            .chain(NAMESPACES.iter().map(|row| row.name.to_owned()))
            .collect()
    });
    KNOWN.contains(&name.to_ascii_lowercase()) || modern_name(name).is_some()
}

/// Names that KrakenD's own schema leaves to people: comments.
pub fn is_comment(name: &str) -> bool {
    name.starts_with(['@', '$', '_', '#'])
}

const fn supported(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, support: Support::Supported, doc }
}

const fn not_yet(name: &'static str, kind: Kind, what: &'static str) -> Key {
    unless(name, kind, what, &[])
}

const fn unless(name: &'static str, kind: Kind, what: &'static str, fine: &'static [&'static str]) -> Key {
    Key { name, kind, support: Support::NotYet { what, fine }, doc: what }
}

const fn decoded(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, support: Support::Decoded, doc }
}

const fn refused(name: &'static str, kind: Kind, reason: &'static str) -> Key {
    Key { name, kind, support: Support::Refused(reason), doc: reason }
}

const fn observed(name: &'static str, kind: Kind, reason: &'static str) -> Key {
    Key { name, kind, support: Support::Observed(reason), doc: reason }
}

const fn ignored(name: &'static str, kind: Kind, reason: &'static str) -> Key {
    Key { name, kind, support: Support::Ignored(reason), doc: reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_there_twice() {
        let built = NAMESPACES.iter().filter(|row| row.support == Support::Supported);
        let levels = built.map(|row| Level::Namespace(row.name));
        for level in LEVELS.into_iter().chain(levels) {
            let keys = level.keys();
            // The keys of the first two are names that people choose; modifiers have a table of their own.
            let other = ["auth/credentials", "validation/json-schema", "modifier/martian"].map(Level::Namespace);
            assert_eq!(keys.is_empty(), other.contains(&level), "{level:?}");
            for (index, key) in keys.iter().enumerate() {
                assert!(!keys[..index].iter().any(|other| other.name == key.name), "{} twice", key.name);
                assert!(!key.doc.is_empty() && !key.doc.ends_with('.'), "{}", key.name);
            }
        }
        for (index, row) in NAMESPACES.iter().enumerate() {
            assert!(!NAMESPACES[..index].iter().any(|other| other.name == row.name), "{} twice", row.name);
            assert!(!row.levels.is_empty(), "{}", row.name);
        }
    }

    #[test]
    fn every_legacy_name_leads_to_a_known_namespace() {
        for (legacy, modern) in LEGACY {
            assert!(namespace(modern).is_some(), "{modern}");
            assert_eq!(modern_name(&format!("github.com/{legacy}")), Some(*modern));
            assert_eq!(modern_name(&format!("github_com/{legacy}")), Some(*modern));
        }
        assert_eq!(modern_name("devopsfaith/krakend-martian"), None);
    }
}
