//! The data of several backends, and static data, in one map.

use crate::config::model::StaticStrategy;
use serde_json::{Map, Value};

/// Adds a part in the order of arrival. It is a shallow union: of two fields with one name the later wins.
pub fn merge(into: &mut Map<String, Value>, part: Map<String, Value>) {
    if into.is_empty() {
        *into = part;
    } else {
        into.extend(part);
    }
}

/// Whether static data is to be added.
///
/// `had_error`: a backend failed, even if others answered. `complete`: there is an answer, and every backend has its part in it.
/// Static data makes an answer of status 200 out of a failure, but never a complete one.
pub fn applies(strategy: StaticStrategy, had_error: bool, complete: bool) -> bool {
    match strategy {
        StaticStrategy::Always => true,
        StaticStrategy::Success => !had_error,
        StaticStrategy::Errored => had_error,
        StaticStrategy::Complete => !had_error && complete,
        StaticStrategy::Incomplete => !complete,
    }
}
