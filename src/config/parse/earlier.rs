//! `respN_field`: what a backend of a sequential endpoint may use of the answers before it.

use super::super::model::EarlierField;
use super::super::read::Earlier;

/// Why a name means no earlier field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotEarlier {
    /// All backends are asked at once.
    AtOnce,
    /// It is of this backend, or of one behind it.
    Later,
}

impl NotEarlier {
    /// What is wrong.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::AtOnce => "is an earlier backend's, but the backends are asked at once",
            Self::Later => "is no earlier backend's",
        }
    }

    /// What to do about it.
    pub(super) fn help(self) -> &'static str {
        match self {
            Self::AtOnce => "set `\"sequential\": true` in the endpoint's `proxy` namespace",
            Self::Later => "backends are counted from 0, and a backend can use those before it",
        }
    }
}

/// The index of a field, which is noted if it is new; `None`: the name is none of a field, as KrakenD reads it.
pub(super) fn index(name: &str, earlier: &mut Earlier) -> Option<Result<usize, NotEarlier>> {
    let field = field(name)?;
    if !earlier.sequential {
        return Some(Err(NotEarlier::AtOnce));
    }
    if field.backend >= earlier.backend {
        return Some(Err(NotEarlier::Later));
    }
    let known = earlier.fields.iter().position(|other| *other == field);
    Some(Ok(known.unwrap_or_else(|| {
        earlier.fields.push(field);
        earlier.fields.len() - 1
    })))
}

fn field(name: &str) -> Option<EarlierField> {
    let (backend, path) = name.strip_prefix("resp")?.split_once('_')?;
    let backend = backend.parse().ok().filter(|_| backend.bytes().all(|b| b.is_ascii_digit()))?;
    (!path.is_empty()).then(|| EarlierField { backend, path: path.split('.').map(str::to_owned).collect() })
}
