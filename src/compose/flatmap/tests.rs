//! What each operation does to objects and lists.

#![expect(clippy::needless_pass_by_value, reason = "data is written where it is used")]

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn path(text: &str) -> Vec<String> {
    text.split('.').map(str::to_owned).collect()
}

fn moved(from: &str, to: &str) -> FlatmapOperation {
    FlatmapOperation::Move(path(from), path(to))
}

fn appended(from: &str, to: &str) -> FlatmapOperation {
    FlatmapOperation::Append(path(from), path(to))
}

fn deleted(paths: &[&str]) -> FlatmapOperation {
    FlatmapOperation::Delete(paths.iter().map(|text| path(text)).collect())
}

#[track_caller]
fn gives(operations: &[FlatmapOperation], data: Value, expected: Value) {
    let Value::Object(data) = data else { panic!("no object") };
    assert_eq!(Value::Object(apply(operations, data)), expected);
}

#[test]
fn a_move_between_paths_of_one_length_renames_in_place() {
    gives(&[moved("a", "b")], json!({"a": 1}), json!({"b": 1}));
    gives(&[moved("b.a", "b.c")], json!({"a": 1, "b": {"a": 2}}), json!({"a": 1, "b": {"c": 2}}));
    let lists = json!({"a": [{"b": [{"c": 1, "d": 2}, {"c": 3}]}, {"b": []}, {}]});
    gives(
        &[moved("a.*.b.*.c", "a.*.b.*.x")],
        lists,
        json!({"a": [{"b": [{"x": 1, "d": 2}, {"x": 3}]}, {"b": []}, {}]}),
    );
    let objects = json!({"b": {"first": {"c": {"d": 1}}, "last": {"m": 2, "c": 3}}});
    gives(&[moved("b.*.c", "b.*.x")], objects, json!({"b": {"first": {"x": {"d": 1}}, "last": {"m": 2, "x": 3}}}));
}

#[test]
fn a_move_to_a_longer_path_pushes_down_from_where_the_value_was() {
    gives(
        &[moved("items", "data.items")],
        json!({"data": {"a": 1}, "items": [2]}),
        json!({"data": {"a": 1, "items": [2]}}),
    );
    gives(&[moved("b.a", "b.c.d.e")], json!({"b": {"a": 1}}), json!({"b": {"c": {"d": {"e": 1}}}}));
    let lists = json!({"a": [{"c": 1}, {"c": {"d": 2}, "m": 3}]});
    gives(
        &[moved("a.*.c", "a.*.c.b.x")],
        lists,
        json!({"a": [{"c": {"b": {"x": 1}}}, {"c": {"b": {"x": {"d": 2}}}, "m": 3}]}),
    );
    // The beginning of the longer path is not looked at.
    gives(&[moved("a.b", "x.y.z")], json!({"a": {"b": 1}}), json!({"a": {"y": {"z": 1}}}));
}

#[test]
fn a_move_to_a_shorter_path_pulls_up() {
    gives(&[moved("b.b", "c")], json!({"b": {"a": 1, "b": {"x": 2}}}), json!({"b": {"a": 1}, "c": {"x": 2}}));
    gives(
        &[moved("a.*.b.c", "a.*.d")],
        json!({"a": [{"b": {"c": 1, "x": 0}}, {"b": {"c": 2, "x": 0}}]}),
        json!({"a": [{"b": {"x": 0}, "d": 1}, {"b": {"x": 0}, "d": 2}]}),
    );
    // As far as the path goes.
    gives(&[moved("a.b.c", "x.y")], json!({"a": {"b": {"c": 1, "d": 2}}}), json!({"a": {"b": {"d": 2}}, "y": 1}));
}

#[test]
fn what_a_move_finds_in_its_place_is_replaced_and_in_a_list_it_is_one_more() {
    gives(&[moved("a", "b")], json!({"a": 1, "b": 2}), json!({"b": 1}));
    gives(&[moved("b", "a")], json!({"a": 1, "b": 2}), json!({"a": 2}));
    gives(&[moved("a.b", "b")], json!({"a": {"b": 1, "c": 0}, "b": 2}), json!({"a": {"c": 0}, "b": 1}));
    gives(&[moved("a.b.c", "a.0")], json!({"a": [7, 8]}), json!({"a": [7, 8]}));
    gives(&[moved("x", "a.0")], json!({"a": [7], "x": 1}), json!({"a": [7, 1]}));
    gives(&[moved("x", "a.b")], json!({"a": "text", "x": 1}), json!({"a": {"b": 1}}));
}

#[test]
fn what_is_not_there_is_not_moved() {
    let data = json!({"a": {"b": 1}, "c": [1, 2]});
    for (from, to) in [("x", "y"), ("a.x", "y"), ("c.*.x", "c.*.y"), ("a.b.c", "d"), ("*", "d"), ("c.7", "d")] {
        gives(&[moved(from, to)], data.clone(), data.clone());
    }
}

#[test]
fn del_takes_several_paths_and_goes_through_lists() {
    gives(
        &[deleted(&["a.*.b", "c", "x.y"])],
        json!({"a": [{"b": 1, "d": 2}, {"b": 3, "d": 4}], "c": 5}),
        json!({"a": [{"d": 2}, {"d": 4}]}),
    );
    gives(&[deleted(&["a.1"])], json!({"a": [1, 2, 3]}), json!({"a": [1, 3]}));
}

#[test]
fn what_is_emptied_is_null_and_what_came_empty_stays() {
    gives(
        &[deleted(&["a.b", "c.*"])],
        json!({"a": {"b": 1}, "c": [1], "d": {}, "e": []}),
        json!({"a": null, "c": null, "d": {}, "e": []}),
    );
    gives(&[moved("a.b", "c")], json!({"a": {"b": 1}}), json!({"a": null, "c": 1}));
    gives(&[deleted(&["*"])], json!({"a": 1}), json!({}));
}

#[test]
fn items_of_a_list_keep_their_names() {
    gives(&[deleted(&["a.0"]), deleted(&["a.1"])], json!({"a": ["x", "y", "z"]}), json!({"a": ["z"]}));
    gives(&[deleted(&["a.0"]), deleted(&["a.0"])], json!({"a": ["x", "y", "z"]}), json!({"a": ["y", "z"]}));
}

#[test]
fn append_puts_the_first_list_behind_the_second() {
    gives(&[appended("b", "a")], json!({"a": [1, 2], "b": [10, 20]}), json!({"a": [1, 2, 10, 20]}));
    gives(
        &[appended("x.b", "a")],
        json!({"a": [], "x": {"b": [{"c": 1}], "d": 0}}),
        json!({"a": [{"c": 1}], "x": {"d": 0}}),
    );
    gives(
        &[appended("x.*.b", "a")],
        json!({"a": [0], "x": [{"b": 1, "c": 2}, {"b": 3}, {"c": 4}]}),
        json!({"a": [0, 1, 3, null], "x": [{"c": 2}, null, {"c": 4}]}),
    );
    gives(&[deleted(&["a.0"]), appended("b", "a")], json!({"a": [1, 2, 3], "b": [4]}), json!({"a": [2, 3, 4]}));
    for data in [json!({"a": [1], "b": 2}), json!({"a": 1, "b": [2]}), json!({"b": [2]}), json!({"a": [1]})] {
        gives(&[appended("b", "a")], data.clone(), data);
    }
}

fn any_path(steps: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::sample::select(steps), 1..5).prop_map(|steps| strings(&steps))
}

fn strings(steps: &[&str]) -> Vec<String> {
    steps.iter().map(|step| (*step).to_owned()).collect()
}

fn any_operation() -> impl Strategy<Value = FlatmapOperation> {
    const NAMES: &[&str] = &["a", "b", "0", "1"];
    const STEPS: &[&str] = &["a", "b", "0", "1", "*"];
    prop_oneof![
        (any_path(STEPS), any_path(STEPS)).prop_map(|(from, to)| FlatmapOperation::Move(from, to)),
        (any_path(STEPS), any_path(NAMES)).prop_map(|(from, to)| FlatmapOperation::Append(from, to)),
        prop::collection::vec(any_path(STEPS), 1..3).prop_map(FlatmapOperation::Delete),
    ]
}

fn any_data() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(json!(1)), Just(json!(null)), Just(json!({})), Just(json!([]))];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::btree_map("[ab]", inner, 0..3).prop_map(|members| json!(members)),
        ]
    })
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.values().map(leaves).sum(),
        Value::Array(items) => items.iter().map(leaves).sum(),
        Value::Number(_) => 1,
        _ => 0,
    }
}

proptest! {
    #[test]
    fn no_operation_makes_values_up(operation in any_operation(), data in any_data()) {
        let data = Map::from_iter([("a".to_owned(), data)]);
        let before = leaves(&Value::Object(data.clone()));
        prop_assert!(leaves(&Value::Object(apply(&[operation], data))) <= before);
    }

    #[test]
    fn no_operations_make_it_panic(operations in prop::collection::vec(any_operation(), 0..5), data in any_data()) {
        let _ = apply(&operations, Map::from_iter([("a".to_owned(), data)]));
    }

    #[test]
    fn without_operations_nothing_changes(data in any_data()) {
        let data = Map::from_iter([("a".to_owned(), data)]);
        prop_assert_eq!(apply(&[], data.clone()), data);
    }
}

/// Each item was once searched for from the start of its list: 100,000 took half a minute.
#[test]
fn pulling_values_up_takes_one_look_at_each_item() {
    let items = |value: Value| Map::from_iter([("items".to_owned(), Value::Array(vec![value; 50_000]))]);
    let path = |text: &str| text.split('.').map(str::to_owned).collect();
    let operation = FlatmapOperation::Move(path("items.*.a.b"), path("items.*.b"));
    let data = apply(&[operation], items(json!({ "a": { "b": 1 } })));
    assert_eq!(data["items"][49_999]["b"], json!(1));
}
