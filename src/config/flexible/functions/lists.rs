//! Lists and maps: making them, and looking into them.

use super::{Function, MANY, Outcome, argument, count, list, map, string, unfit, whole};
use crate::config::flexible::fault::Fault;
use crate::config::flexible::value::{Map, Value};
use crate::config::suggest;
use std::collections::BTreeMap;
use std::rc::Rc;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::of_absent("list", 0, MANY, |a| Value::list(a.to_vec())),
    Function::of_absent("dict", 0, MANY, dict),
    Function::new("get", 2, 2, |a| {
        let (map, key) = (map(a, 0)?, string(a, 1)?);
        Ok(map.entries.get(key).cloned().unwrap_or_else(|| Value::absent(missing_key(), true)))
    }),
    Function::new("hasKey", 2, 2, |a| Ok(Value::Bool(map(a, 0)?.entries.contains_key(string(a, 1)?)))),
    Function::new("keys", 1, MANY, keys),
    Function::new("first", 1, 1, |a| Ok(list(a, 0)?.items.first().cloned().unwrap_or(Value::Nil))),
    Function::new("last", 1, 1, |a| Ok(list(a, 0)?.items.last().cloned().unwrap_or(Value::Nil))),
    Function::new("len", 1, 1, |a| match argument(a, 0)? {
        Value::String(text) => Ok(Value::count(text.len())),
        Value::List(list) => Ok(Value::count(list.items.len())),
        Value::Map(map) => Ok(Value::count(map.entries.len())),
        other => Err(unfit(0, "something with a length", other)),
    }),
    Function::new("index", 1, MANY, |a| {
        let mut value = argument(a, 0)?.clone();
        for at in 1..a.len() {
            value = indexed(&value, a, at)?;
        }
        Ok(value)
    }),
    Function::new("slice", 1, 3, slice),
    Function::new("until", 1, 1, until),
];

/// Longer lists of numbers are a mistake.
const LONGEST: i64 = 100_000;

/// What is told about `.name` that is not there. Keys that stand in a template are names, and so is one close to them.
pub(in crate::config::flexible) fn missing_field(map: &Map, name: &str, owner: &str) -> Fault {
    let suggestion = if map.entries.is_empty() {
        "it is empty: does `FC_SETTINGS` name the folder of the settings?".to_owned()
    } else {
        suggest::did_you_mean(name, map.entries.keys().map(|key| &**key))
    };
    let fault = Fault::value(format!("{owner} has no key `{name}`"));
    match suggestion.as_str() {
        "" => fault.help(GIVE_A_DEFAULT),
        suggestion => fault.help(format!("{suggestion} {GIVE_A_DEFAULT}")),
    }
}

const GIVE_A_DEFAULT: &str = "A key that may be missing goes through `default`: `{{ … | default \"…\" }}`";

/// A key that is looked up may be a secret, and so may those around it.
fn missing_key() -> Fault {
    Fault::value("the map has no such key").help(GIVE_A_DEFAULT)
}

/// The last key may be without value, which then is an empty text.
fn dict(arguments: &[Value]) -> Outcome {
    let mut entries = BTreeMap::new();
    for pair in arguments.chunks(2) {
        if let [key, rest @ ..] = pair {
            entries.insert(key.text()?, rest.first().cloned().unwrap_or_else(|| Value::string("")));
        }
    }
    Value::map(entries)
}

/// Sorted, where sprig has them in any order.
fn keys(arguments: &[Value]) -> Outcome {
    let mut keys: Vec<Rc<str>> = Vec::new();
    for index in 0..arguments.len() {
        keys.extend(map(arguments, index)?.entries.keys().cloned());
    }
    Value::list(keys.into_iter().map(Value::String).collect())
}

fn indexed(value: &Value, arguments: &[Value], at: usize) -> Outcome {
    let range = |length: usize| {
        Fault::value(format!("argument {} is out of range: there are {length}", at + 1)).help("the first one is 0")
    };
    match value {
        Value::Map(map) => {
            let key = string(arguments, at)?;
            Ok(map.entries.get(key).cloned().unwrap_or_else(|| Value::absent(missing_key(), false)))
        }
        Value::List(list) => list.items.get(count(arguments, at)?).cloned().ok_or_else(|| range(list.items.len())),
        Value::String(text) => {
            let byte = text.as_bytes().get(count(arguments, at)?);
            byte.map(|byte| Value::Int(i64::from(*byte))).ok_or_else(|| range(text.len()))
        }
        other => Err(Fault::value(format!("{} has nothing to look up", other.kind()))),
    }
}

fn slice(arguments: &[Value]) -> Outcome {
    let length = match argument(arguments, 0)? {
        Value::List(list) => list.items.len(),
        Value::String(text) => text.len(),
        other => return Err(unfit(0, "a list or a string", other)),
    };
    let start = if arguments.len() > 1 { count(arguments, 1)? } else { 0 };
    let end = if arguments.len() > 2 { count(arguments, 2)? } else { length };
    let range = || Fault::value(format!("the part is out of range: there are {length}")).help("the first one is 0");
    match argument(arguments, 0)? {
        Value::List(list) => Value::list(list.items.get(start..end).ok_or_else(range)?.to_vec()),
        _ => Ok(Value::string(string(arguments, 0)?.get(start..end).ok_or_else(range)?)),
    }
}

/// From 0 up to the number, or down to it.
fn until(arguments: &[Value]) -> Outcome {
    let end = whole(arguments, 0)?;
    if !(-LONGEST..=LONGEST).contains(&end) {
        return Err(Fault::limit(format!("it makes no more than {LONGEST} numbers")));
    }
    let numbers = (0..end.abs()).map(|n| Value::Int(n * end.signum()));
    Value::list(numbers.collect())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{run, strings};
    use super::*;

    fn sample() -> Value {
        dict(&[Value::string("port"), Value::Int(80), Value::string("host"), strings(&["a", "b"])]).unwrap()
    }

    #[test]
    fn lists_and_maps_are_made_and_read() {
        let port = || Value::string("port");
        for (name, arguments, expected) in [
            ("dict", vec![Value::string("a")], "map[a:]"),
            ("list", vec![Value::Int(1), Value::string("x")], "[1 x]"),
            ("get", vec![sample(), port()], "80"),
            ("hasKey", vec![sample(), port()], "true"),
            ("hasKey", vec![sample(), Value::string("prot")], "false"),
            ("keys", vec![sample()], "[host port]"),
            ("first", vec![strings(&["a", "b"])], "a"),
            ("last", vec![strings(&["a", "b"])], "b"),
            ("len", vec![Value::string("é")], "2"),
            ("len", vec![sample()], "2"),
            ("index", vec![sample(), Value::string("host"), Value::Int(1)], "b"),
            ("index", vec![Value::string("A"), Value::Int(0)], "65"),
            ("slice", vec![strings(&["a", "b", "c"]), Value::Int(1)], "[b c]"),
            ("slice", vec![Value::string("abc"), Value::Int(0), Value::Int(2)], "ab"),
            ("until", vec![Value::Int(3)], "[0 1 2]"),
            ("until", vec![Value::Int(-2)], "[0 -1]"),
        ] {
            assert_eq!(run(name, &arguments).as_deref(), Ok(expected), "{name}");
        }
    }

    #[test]
    fn what_is_not_there_is_said() {
        assert_eq!(run("index", &[sample(), Value::string("prot")]).unwrap_err(), "the map has no such key");
        assert_eq!(
            run("index", &[strings(&["a"]), Value::Int(1)]).unwrap_err(),
            "argument 2 is out of range: there are 1"
        );
        for (name, arguments) in [
            ("index", vec![strings(&["a"]), Value::Int(-1)]),
            ("index", vec![Value::Nil, Value::Int(0)]),
            ("slice", vec![Value::string("é"), Value::Int(1)]),
            ("slice", vec![Value::string("abc"), Value::Int(2), Value::Int(1)]),
            ("until", vec![Value::Int(i64::MIN)]),
            ("len", vec![Value::Int(1)]),
        ] {
            assert!(run(name, &arguments).is_err(), "{name}");
        }
    }
}
