//! The functions that templates may use: those of Go's `text/template` and of sprig that configurations are written with.
//!
//! They are pure, but for `env` and `include`, which the evaluator answers. What they would do to a wrong argument silently
//! (Go's `%!d(string=x)`, sprig's `0` for a text that is no number) is an error.

mod format;
mod json;
mod lists;
mod logic;
mod numbers;
mod text;
mod unsupported;

pub(super) use lists::missing_field;
pub(super) use unsupported::is_unsupported;

use super::fault::Fault;
use super::value::{List, Map, Value};
use crate::config::suggest;

/// A function.
pub(super) struct Function {
    pub name: &'static str,
    /// How many arguments it takes at least.
    pub least: usize,
    /// And at most.
    pub most: usize,
    /// Whether it is asked about things that may be missing.
    pub takes_absent: bool,
    pub run: Run,
}

/// How it comes to its result.
pub(super) enum Run {
    Pure(fn(&[Value]) -> Outcome),
    /// Arguments after the first false one are not looked at.
    And,
    /// Arguments after the first true one are not looked at.
    Or,
    Env,
    Include,
}

pub(super) type Outcome = Result<Value, Fault>;

/// For [`Function::most`].
const MANY: usize = usize::MAX;

impl Function {
    const fn new(name: &'static str, least: usize, most: usize, run: fn(&[Value]) -> Outcome) -> Self {
        Self { name, least, most, takes_absent: false, run: Run::Pure(run) }
    }

    /// The same for things that may be missing.
    const fn of_absent(name: &'static str, least: usize, most: usize, run: fn(&[Value]) -> Outcome) -> Self {
        Self { takes_absent: true, ..Self::new(name, least, most, run) }
    }
}

/// Those that need more than their arguments.
const SPECIAL: &[Function] = &[
    Function { name: "and", least: 1, most: MANY, takes_absent: true, run: Run::And },
    Function { name: "or", least: 1, most: MANY, takes_absent: true, run: Run::Or },
    Function { name: "env", least: 1, most: 1, takes_absent: false, run: Run::Env },
    Function { name: "include", least: 1, most: 1, takes_absent: false, run: Run::Include },
];

/// Every function.
pub(super) fn all() -> impl Iterator<Item = &'static Function> {
    let groups = [
        SPECIAL,
        logic::FUNCTIONS,
        text::FUNCTIONS,
        lists::FUNCTIONS,
        numbers::FUNCTIONS,
        json::FUNCTIONS,
        format::FUNCTIONS,
    ];
    groups.into_iter().flatten()
}

/// The function of a name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    all().find(|function| function.name == name)
}

/// The function that a misspelt word may mean.
pub(super) fn closest(word: &str) -> Option<&'static Function> {
    find(suggest::closest(word, all().map(|function| function.name))?)
}

fn argument(arguments: &[Value], index: usize) -> Result<&Value, Fault> {
    arguments.get(index).ok_or_else(|| Fault::value("it has too few arguments"))
}

fn unfit(index: usize, expected: &str, found: &Value) -> Fault {
    Fault::value(format!("argument {} is {}, not {expected}", index + 1, found.kind()))
}

fn string(arguments: &[Value], index: usize) -> Result<&str, Fault> {
    match argument(arguments, index)? {
        Value::String(text) => Ok(text),
        other => Err(unfit(index, "a string", other).help("`toString` makes one of anything")),
    }
}

fn whole(arguments: &[Value], index: usize) -> Result<i64, Fault> {
    let value = argument(arguments, index)?;
    value.whole().ok_or_else(|| unfit(index, "a whole number", value))
}

/// A whole number that counts something.
fn count(arguments: &[Value], index: usize) -> Result<usize, Fault> {
    let number = whole(arguments, index)?;
    usize::try_from(number).map_err(|_| Fault::value(format!("argument {} is below zero", index + 1)))
}

fn list(arguments: &[Value], index: usize) -> Result<&List, Fault> {
    match argument(arguments, index)? {
        Value::List(list) => Ok(list),
        other => Err(unfit(index, "a list", other)),
    }
}

fn map(arguments: &[Value], index: usize) -> Result<&Map, Fault> {
    match argument(arguments, index)? {
        Value::Map(map) => Ok(map),
        other => Err(unfit(index, "a map", other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result of a function as text, or its message.
    pub(super) fn run(name: &str, arguments: &[Value]) -> Result<String, String> {
        let function = find(name).unwrap();
        let Run::Pure(run) = function.run else { panic!("{name} is special") };
        run(arguments).and_then(|value| value.text()).map(|text| text.to_string()).map_err(|fault| fault.message)
    }

    pub(super) fn strings(items: &[&str]) -> Value {
        Value::list(items.iter().map(|item| Value::string(*item)).collect()).unwrap()
    }

    #[test]
    fn every_function_has_a_name_of_its_own() {
        let mut names = std::collections::BTreeSet::new();
        for function in all() {
            assert!(names.insert(function.name), "{}", function.name);
            assert!(function.least <= function.most);
        }
    }
}
