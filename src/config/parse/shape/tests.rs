//! Backends, operations and static data as files write them.

use super::*;
use crate::config::Options;
use crate::config::diagnostic::{Diagnostic, Diagnostics};
use crate::config::document::{Format, parse};
use crate::config::keys::Level;
use crate::config::model::{FlatmapOperation, StaticData, StaticStrategy};
use crate::config::read::Earlier;
use serde_json::json;
use std::collections::HashSet;
use std::path::Path;

fn read<T>(text: &str, no_op: bool, read: impl FnOnce(&mut Context<'_>, &Node) -> T) -> (T, Vec<Diagnostic>) {
    let mut diagnostics = Diagnostics::default();
    let node = parse(text, Format::Json, &mut diagnostics).unwrap();
    let options = Options::default();
    let mut cx = Context {
        diagnostics: Diagnostics::default(),
        options: &options,
        no_op,
        earlier: Earlier::default(),
        shared_cache: None,
        namespaces: HashSet::new(),
        credentials: HashSet::new(),
        folder: Path::new("."),
    };
    let value = read(&mut cx, &node);
    (value, cx.diagnostics.into_sorted())
}

fn backend(text: &str, no_op: bool) -> (Decoding, Vec<Diagnostic>) {
    read(text, no_op, |cx, node| {
        let object = Object::open(cx, node, Level::Backend).unwrap();
        let flatmap = object.get("#flatmap");
        decoding(cx, &object, flatmap)
    })
}

#[track_caller]
fn one(problems: &[Diagnostic], code: &str, words: &str) {
    let [problem] = problems else { panic!("{problems:?}") };
    assert_eq!(problem.code, code, "{problem:?}");
    let text = format!("{} {} {}", problem.message, problem.label, problem.help);
    assert!(text.contains(words), "{text}");
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_backend_says_how_its_answer_is_shaped() {
    let text = r#"{"encoding": "safejson", "is_collection": "true", "target": "data.item", "allow": ["a", "b.c"], "deny": [],
        "mapping": {"a": "x", "@b": "y"}, "group": "g"}"#;
    let (decoding, problems) = backend(text, false);
    assert!(problems.is_empty(), "{problems:?}");
    let expected = Decoding {
        encoding: Encoding::SafeJson,
        is_collection: true,
        target: strings(&["data", "item"]),
        filter: Filter::Allow(Fields::allowed(["a", "b.c"])),
        mapping: vec![("a".into(), "x".into()), ("@b".into(), "y".into())],
        group: Some("g".into()),
    };
    assert_eq!(decoding, expected);
    let (decoding, problems) = backend(r#"{"target": "", "group": "", "mapping": {}, "deny": "a"}"#, false);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(decoding, Decoding { filter: Filter::Deny(Fields::denied(["a"])), ..Decoding::default() });
    assert_eq!(backend("{}", false), (Decoding::default(), vec![]));
}

#[test]
fn encodings_have_their_names() {
    for (text, encoding) in [
        ("json", Encoding::Json),
        ("fast-json", Encoding::Json),
        ("", Encoding::Json),
        ("safejson", Encoding::SafeJson),
        ("string", Encoding::String),
        ("xml", Encoding::Xml),
    ] {
        let (decoding, problems) = backend(&format!(r#"{{"encoding": "{text}"}}"#), false);
        assert_eq!((decoding.encoding, problems), (encoding, vec![]));
    }
    for (text, code, words) in [
        ("rss", code::NOT_BUILT, "not built yet"),
        ("yaml", code::NOT_BUILT, "not built yet"),
        ("jsn", code::VALUE, "did you mean `json`?"),
        ("no-op", code::POINTLESS, "adds nothing"),
    ] {
        one(&backend(&format!(r#"{{"encoding": "{text}"}}"#), false).1, code, words);
    }
}

#[test]
fn output_encodings_have_their_names() {
    let output = |text: &str| read(&format!("\"{text}\""), false, output_encoding);
    for (text, encoding) in [
        ("json", Some(OutputEncoding::Json)),
        ("fast-json", Some(OutputEncoding::Json)),
        ("json-collection", Some(OutputEncoding::JsonCollection)),
        ("string", Some(OutputEncoding::String)),
        ("xml", Some(OutputEncoding::Xml)),
        ("yaml", Some(OutputEncoding::Yaml)),
        ("negotiate", Some(OutputEncoding::Negotiate)),
        ("no-op", Some(OutputEncoding::NoOp)),
        ("", None),
    ] {
        assert_eq!(output(text), (encoding, vec![]));
    }
    for (text, code, words) in
        [("yaml-decoder", code::NOT_BUILT, "not built yet"), ("jsn", code::VALUE, "did you mean `json`?")]
    {
        let (encoding, problems) = output(text);
        assert_eq!(encoding, None);
        one(&problems, code, words);
    }
}

#[test]
fn an_overruled_filter_is_warned_of() {
    let (decoding, problems) = backend(r#"{"allow": ["a"], "deny": ["b"]}"#, false);
    assert_eq!(decoding.filter, Filter::Allow(Fields::allowed(["a"])));
    one(&problems, code::OVERRULED, "`deny` has no effect beside `allow`");
    let text =
        r##"{"#flatmap": [{"type": "del", "args": ["x"]}], "target": "t", "allow": ["a"], "mapping": {"a": "b"}}"##;
    let (decoding, problems) = backend(text, false);
    let filter = Filter::Flatmap(vec![FlatmapOperation::Delete(vec![strings(&["x"])])]);
    assert_eq!(decoding, Decoding { target: strings(&["t"]), filter, ..Decoding::default() });
    let overruled: Vec<_> = problems.iter().map(|problem| (problem.code, &*problem.message)).collect();
    let expected = ["`allow` has no effect beside `flatmap_filter`", "`mapping` has no effect beside `flatmap_filter`"];
    assert_eq!(overruled, expected.map(|message| (code::OVERRULED, message)));
    let (decoding, problems) = backend(r##"{"#flatmap": [], "allow": ["a"]}"##, false);
    assert_eq!((decoding.filter, problems), (Filter::Allow(Fields::allowed(["a"])), vec![]));
}

#[test]
fn a_mapping_is_read_with_its_oddities() {
    let mapping = |text: &str| {
        let (decoding, problems) = backend(&format!(r#"{{"mapping": {text}}}"#), false);
        (decoding.mapping, problems)
    };
    let (names, problems) = mapping(r#"{"a": "b.c"}"#);
    assert_eq!(names, [("a".to_owned(), "b".to_owned())]);
    one(&problems, code::POINTLESS, "before its first dot");
    let (names, problems) = mapping(r#"{"a": "a"}"#);
    assert!(names.is_empty());
    one(&problems, code::POINTLESS, "its own name");
    one(&mapping(r#"{"a": ""}"#).1, code::VALUE, "empty");
    one(&mapping(r#"{"a": ".b"}"#).1, code::VALUE, "empty");
    one(&mapping(r#"{"a": ["b"]}"#).1, code::TYPE, "expected a string");
    one(&mapping(r#"["a"]"#).1, code::TYPE, "expected an object");
}

#[test]
fn where_answers_pass_nothing_is_shaped() {
    let text = r##"{"encoding": "no-op", "group": "g", "#flatmap": [{"type": "dle"}]}"##;
    let (decoding, problems) = backend(text, true);
    assert_eq!(decoding, Decoding { encoding: Encoding::NoOp, ..Decoding::default() });
    assert!(problems.iter().all(|problem| problem.code == code::NO_EFFECT) && problems.len() == 2, "{problems:?}");
    one(&backend(r#"{"encoding": "rss"}"#, true).1, code::NO_EFFECT, "no-op rules");
}

#[test]
fn operations_are_read_in_order() {
    let text = r#"[{"type": "move", "args": ["a.*.b", "a.*.c"]}, {"type": "append", "args": ["x.*", "y"]},
        {"@comment": "z", "type": "del", "args": ["a", "b.c"]}]"#;
    let (operations, problems) = read(text, false, flatmap);
    assert!(problems.is_empty(), "{problems:?}");
    let expected = [
        FlatmapOperation::Move(strings(&["a", "*", "b"]), strings(&["a", "*", "c"])),
        FlatmapOperation::Append(strings(&["x", "*"]), strings(&["y"])),
        FlatmapOperation::Delete(vec![strings(&["a"]), strings(&["b", "c"])]),
    ];
    assert_eq!(operations, expected);
}

#[test]
fn a_wrong_operation_is_reported_and_left_out() {
    for (text, code, words) in [
        (r#"{"type": "mvoe", "args": ["a", "b"]}"#, code::FLATMAP, "did you mean `move`?"),
        (r#"{"type": "move", "args": ["a"]}"#, code::FLATMAP, "takes two paths, and this is 1"),
        (r#"{"type": "append", "args": ["a", "b", "c"]}"#, code::FLATMAP, "takes two paths, and this is 3"),
        (r#"{"type": "append", "args": ["a", "b.*.c"]}"#, code::FLATMAP, "without `*`"),
        (r#"{"type": "del", "args": []}"#, code::FLATMAP, "at least one path"),
        (r#"{"type": "del", "args": [""]}"#, code::FLATMAP, "a path is empty"),
        (r#"{"type": "del", "args": [["a"]]}"#, code::TYPE, "expected a string"),
        (r#"{"type": "del"}"#, code::MISSING, "`args`"),
        (r#"{"args": ["a"]}"#, code::MISSING, "`type`"),
        (r#"["move"]"#, code::TYPE, "expected an object"),
    ] {
        let (operations, problems) = read(text, false, flatmap);
        assert!(operations.is_empty(), "{text}");
        one(&problems, code, words);
    }
    let (operations, problems) = read(r#"[{"type": "del", "args": ["a"], "agrs": 1}]"#, false, flatmap);
    assert_eq!(operations.len(), 1);
    one(&problems, code::UNKNOWN_KEY, "did you mean `args`?");
}

#[test]
fn a_move_that_does_not_do_what_it_looks_like_is_warned_of() {
    for (args, words) in [
        (r#""a.b", "x.c""#, "the beginning of"),
        (r#""a.b", "x.y.z""#, "the beginning of"),
        (r#""a.*", "b""#, "moves nothing"),
    ] {
        let (operations, problems) = read(&format!(r#"{{"type": "move", "args": [{args}]}}"#), false, flatmap);
        assert_eq!(operations.len(), 1);
        one(&problems, code::POINTLESS, words);
    }
}

#[test]
fn static_data_is_read_with_its_strategy() {
    let text = r#"{"data": {"a": [1.10, null, "x", {"b": true}], "_c": 12345678901234567890}, "strategy": "errored"}"#;
    let (data, problems) = read(text, false, static_data);
    assert!(problems.is_empty(), "{problems:?}");
    let StaticData { data, strategy } = data.unwrap();
    assert_eq!(strategy, StaticStrategy::Errored);
    let written = serde_json::to_string(&data).unwrap();
    assert_eq!(written, r#"{"_c":12345678901234567890,"a":[1.10,null,"x",{"b":true}]}"#);
    let (data, _) = read(r#"{"data": {}}"#, false, static_data);
    assert_eq!(
        data,
        Some(StaticData { data: json!({}).as_object().cloned().unwrap(), strategy: StaticStrategy::Always })
    );
}

#[test]
fn wrong_static_data_is_reported() {
    for (text, code, words) in [
        (r#"{"strategy": "always"}"#, code::MISSING, "`data`"),
        (r#"{"data": []}"#, code::TYPE, "expected an object"),
        (r#"{"data": {}, "strategy": "erored"}"#, code::VALUE, "did you mean `errored`?"),
        (r#"{"data": {}, "strategies": "always"}"#, code::UNKNOWN_KEY, "did you mean `strategy`?"),
        ("[]", code::TYPE, "expected an object"),
    ] {
        one(&read(text, false, static_data).1, code, words);
    }
}
