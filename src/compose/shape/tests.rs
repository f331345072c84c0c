//! Rules of shaping, one by one, and all together against a plain description of them.

use super::super::merge::merge;
use super::*;
use crate::config::model::FlatmapOperation;
use proptest::prelude::*;
use serde_json::json;

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => panic!("no object"),
    }
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "data is written where it is used")]
fn shaped(decoding: &Decoding, data: Value, expected: Value) {
    assert_eq!(Value::Object(apply(decoding, object(data))), expected);
}

fn allow(names: &[&str]) -> Decoding {
    Decoding { filter: Filter::Allow(Fields::allowed(names.iter().copied())), ..Decoding::default() }
}

fn deny(names: &[&str]) -> Decoding {
    Decoding { filter: Filter::Deny(Fields::denied(names.iter().copied())), ..Decoding::default() }
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn mapping(names: &[(&str, &str)]) -> Vec<(String, String)> {
    names.iter().map(|(old, new)| ((*old).to_owned(), (*new).to_owned())).collect()
}

#[test]
fn target_is_an_object_on_a_path_or_nothing_1_6() {
    let data = json!({"a": {"b": {"c": 1}, "list": [{"d": 2}]}, "e": 3});
    for (path, expected) in [
        (&[][..], data.clone()),
        (&["a", "b"], json!({"c": 1})),
        (&["a", "b", "c"], json!({})),
        (&["a", "list"], json!({})),
        (&["a", "list", "0"], json!({})),
        (&["x"], json!({})),
        (&["e"], json!({})),
    ] {
        shaped(&Decoding { target: strings(path), ..Decoding::default() }, data.clone(), expected);
    }
}

#[test]
fn allow_keeps_what_is_named_and_the_way_to_it() {
    let data = json!({"a": {"b": 1, "c": {"d": 2, "e": 3}}, "f": [1], "g": null});
    for (names, expected) in [
        (&["a"][..], json!({"a": {"b": 1, "c": {"d": 2, "e": 3}}})),
        (&["a.b", "g"], json!({"a": {"b": 1}, "g": null})),
        (&["a.c.e"], json!({"a": {"c": {"e": 3}}})),
        (&["f"], json!({"f": [1]})),
        (&["a.x", "a.c.x", "x"], json!({})),
        (&["a.b.x"], json!({})),
    ] {
        shaped(&allow(names), data.clone(), expected);
    }
}

#[test]
fn allow_does_not_look_into_lists_which_go_as_a_whole() {
    shaped(&allow(&["a.b"]), json!({"a": [{"b": 1}], "b": 2}), json!({}));
    shaped(&allow(&["a"]), json!({"a": [{"b": 1}]}), json!({"a": [{"b": 1}]}));
}

#[test]
fn allow_drops_an_object_that_came_empty() {
    shaped(&allow(&["a.b", "c"]), json!({"a": {}, "c": {}}), json!({"c": {}}));
}

#[test]
fn deny_drops_what_is_named_and_leaves_what_was_around_it() {
    let data = json!({"a": {"b": 1, "c": {"d": 2}}, "f": [{"g": 1}], "h": 1});
    for (names, expected) in [
        (&["a", "h"][..], json!({"f": [{"g": 1}]})),
        (&["a.b"], json!({"a": {"c": {"d": 2}}, "f": [{"g": 1}], "h": 1})),
        (&["a.c.d", "a.b"], json!({"a": {"c": {}}, "f": [{"g": 1}], "h": 1})),
        (&["f.g", "h.x", "x"], data.clone()),
    ] {
        shaped(&deny(names), data.clone(), expected);
    }
}

#[test]
fn mapping_renames_top_level_fields_all_at_once() {
    let data = json!({"a": 1, "b": 2, "c": {"a": 3}});
    for (names, expected) in [
        (&[("a", "x")][..], json!({"x": 1, "b": 2, "c": {"a": 3}})),
        (&[("a", "b"), ("b", "a")], json!({"a": 2, "b": 1, "c": {"a": 3}})),
        (&[("a", "b")], json!({"b": 1, "c": {"a": 3}})),
        (&[("c.a", "x"), ("x", "a")], data.clone()),
    ] {
        shaped(&Decoding { mapping: mapping(names), ..Decoding::default() }, data.clone(), expected);
    }
}

#[test]
fn group_goes_around_whatever_is_left_1_6() {
    let decoding = Decoding { group: Some("g".into()), ..allow(&["a"]) };
    shaped(&decoding, json!({"a": 1, "b": 2}), json!({"g": {"a": 1}}));
    shaped(&decoding, json!({}), json!({"g": {}}));
}

#[test]
fn the_order_is_target_filter_mapping_group_1_6() {
    let decoding = Decoding {
        target: strings(&["t"]),
        mapping: mapping(&[("a", "b"), ("t", "x")]),
        group: Some("g".into()),
        ..allow(&["a", "b"])
    };
    shaped(&decoding, json!({"t": {"a": 1, "c": 2, "t": 3}, "a": 4}), json!({"g": {"b": 1}}));
}

#[test]
fn a_flatmap_stands_between_target_and_group() {
    let operation = FlatmapOperation::Move(strings(&["a"]), strings(&["b", "c"]));
    let filter = Filter::Flatmap(vec![operation]);
    let decoding = Decoding { target: strings(&["t"]), filter, group: Some("g".into()), ..Decoding::default() };
    shaped(&decoding, json!({"t": {"a": 1}}), json!({"g": {"b": {"c": 1}}}));
}

/// The rules as sentences over paths: slow, and without trees.
fn described(way: &[&str], names: &[String], is_allow: bool, data: &Map<String, Value>) -> Map<String, Value> {
    let mut left = Map::new();
    for (key, value) in data {
        let way = [way, &[key.as_str()]].concat();
        let here = way.join(".");
        let is_named = names.contains(&here);
        let within = names.iter().any(|name| name.starts_with(&format!("{here}.")));
        match value {
            _ if is_named && is_allow => drop(left.insert(key.clone(), value.clone())),
            _ if is_named => {}
            Value::Object(inner) if within => {
                let inner = described(&way, names, is_allow, inner);
                if !(is_allow && inner.is_empty()) {
                    left.insert(key.clone(), Value::Object(inner));
                }
            }
            _ if is_allow => {}
            _ => drop(left.insert(key.clone(), value.clone())),
        }
    }
    left
}

/// Names none of which is the beginning of another: what then counts has tests of its own.
fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-c](\\.[a-c]){0,3}", 0..5).prop_map(|mut names| {
        let all = names.clone();
        names.retain(|name| !all.iter().any(|other| name.starts_with(&format!("{other}."))));
        names
    })
}

fn texts(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

fn data() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop_oneof![Just(json!(1)), Just(json!(null)), Just(json!([{"a": 1}])), Just(json!({}))];
    let value = leaf.prop_recursive(4, 40, 3, |inner| {
        prop::collection::btree_map("[a-c]", inner, 0..4).prop_map(|members| json!(members))
    });
    prop::collection::btree_map("[a-c]", value, 0..4).prop_map(|members| members.into_iter().collect())
}

proptest! {
    #[test]
    fn parts_are_shaped_and_merged_as_the_rules_say(
        first in data(), second in data(), allowed in names(), denied in names(),
        new in "[x-z]", group in prop::option::of("[a-z]"),
    ) {
        let one = Decoding { mapping: mapping(&[("a", &new)]), ..allow(&texts(&allowed)) };
        let two = Decoding { group: group.clone(), ..deny(&texts(&denied)) };
        let mut merged = apply(&one, first.clone());
        merge(&mut merged, apply(&two, second.clone()));

        let mut expected = Map::new();
        for (key, value) in described(&[], &allowed, true, &first) {
            expected.insert(if key == "a" { new.clone() } else { key }, value);
        }
        let rest = described(&[], &denied, false, &second);
        match group {
            Some(name) => drop(expected.insert(name, Value::Object(rest))),
            None => expected.extend(rest),
        }
        prop_assert_eq!(merged, expected);
    }
}
