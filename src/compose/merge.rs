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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_later_part_wins_and_nothing_below_the_top_is_merged_1_6() {
        let mut data = Map::new();
        for part in [json!({"a": {"x": 1}, "b": 1}), json!({}), json!({"a": {"y": 2}, "c": 3})] {
            merge(&mut data, part.as_object().cloned().unwrap());
        }
        assert_eq!(Value::Object(data), json!({"a": {"y": 2}, "b": 1, "c": 3}));
    }

    #[test]
    fn static_data_is_added_when_its_strategy_says_so() {
        // In turn: all answered, one or all failed, an answer that is in part by itself, and what should never be.
        let cases = [(false, true), (true, false), (false, false), (true, true)];
        for (strategy, expected) in [
            (StaticStrategy::Always, [true, true, true, true]),
            (StaticStrategy::Success, [true, false, true, false]),
            (StaticStrategy::Errored, [false, true, false, true]),
            (StaticStrategy::Complete, [true, false, false, false]),
            (StaticStrategy::Incomplete, [false, true, true, false]),
        ] {
            let found = cases.map(|(had_error, complete)| applies(strategy, had_error, complete));
            assert_eq!(found, expected, "{strategy:?}");
        }
    }
}
