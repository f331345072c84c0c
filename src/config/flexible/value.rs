//! What templates compute with: the values of JSON, plus what is not there.
//!
//! Truth and printing follow Go's `text/template` and `fmt`. Numbers of settings keep the digits they are written in, where
//! Go prints a large one as `1e+06`.

use super::bounded::Bounded;
use super::fault::Fault;
use crate::config::diagnostic::Span;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How deep lists and maps may nest: walks over them are recursive.
const MAX_DEPTH: usize = 64;

/// A value. Copies share what is large.
#[derive(Clone)]
pub(super) enum Value {
    /// JSON's `null` and the word `nil`.
    Nil,
    /// What was looked for and is not there. Conditions take it for false, `default` for empty; to print it is an error.
    Absent(Rc<Absence>),
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A number of the settings, as written.
    Number(Rc<str>),
    String(Rc<str>),
    List(Rc<List>),
    /// Sorted by key, as Go walks through maps in templates.
    Map(Rc<Map>),
}

/// What is told about something that is not there, if somebody needs it.
pub(super) struct Absence {
    /// The template and the place that asked, once it is known.
    pub place: Option<(usize, Span)>,
    /// What is missing.
    pub fault: Fault,
    /// Where Go has an empty text in its place, comparisons take it for one.
    pub is_text: bool,
}

/// A list.
pub(super) struct List {
    pub items: Vec<Value>,
    depth: usize,
}

/// A map.
pub(super) struct Map {
    pub entries: BTreeMap<Rc<str>, Value>,
    depth: usize,
}

impl Value {
    pub(super) fn string(text: impl Into<Rc<str>>) -> Self {
        Self::String(text.into())
    }

    /// A length or an index.
    pub(super) fn count(n: usize) -> Self {
        Self::Int(i64::try_from(n).unwrap_or(i64::MAX))
    }

    pub(super) fn list(items: Vec<Self>) -> Result<Self, Fault> {
        let depth = deeper(items.iter())?;
        Ok(Self::List(Rc::new(List { items, depth })))
    }

    pub(super) fn map(entries: BTreeMap<Rc<str>, Self>) -> Result<Self, Fault> {
        let depth = deeper(entries.values())?;
        Ok(Self::Map(Rc::new(Map { entries, depth })))
    }

    /// Something that is not there; who asked for it adds the place.
    pub(super) fn absent(fault: Fault, is_text: bool) -> Self {
        Self::Absent(Rc::new(Absence { place: None, fault, is_text }))
    }

    fn depth(&self) -> usize {
        match self {
            Self::List(list) => list.depth,
            Self::Map(map) => map.depth,
            _ => 0,
        }
    }

    /// Whether a condition holds: anything but nothing, `false`, zero and what is empty.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil | Self::Absent(_) => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Number(_) => self.float() != Some(0.0),
            Self::String(text) => !text.is_empty(),
            Self::List(list) => !list.items.is_empty(),
            Self::Map(map) => !map.entries.is_empty(),
        }
    }

    /// What messages call it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "null",
            Self::Absent(_) => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Float(_) | Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// The number, if it is one without fraction.
    pub(super) fn whole(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Float(value) => whole(*value),
            Self::Number(text) => text.parse().ok().or_else(|| whole(text.parse().ok()?)),
            _ => None,
        }
    }

    /// The number, if it is one.
    #[expect(clippy::cast_precision_loss, reason = "as Go converts it")]
    pub(super) fn float(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            Self::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// How many bytes or items a function may have to walk through.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::String(text) | Self::Number(text) => text.len(),
            Self::List(list) => list.items.len(),
            Self::Map(map) => map.entries.len(),
            _ => 0,
        }
    }

    /// How many bytes it newly takes, more or less: nothing if it is shared.
    pub(super) fn weight(&self) -> usize {
        const ITEM: usize = 16;
        match self {
            Self::String(text) if Rc::strong_count(text) == 1 => text.len(),
            Self::List(list) if Rc::strong_count(list) == 1 => ITEM.saturating_mul(list.items.len()),
            Self::Map(map) if Rc::strong_count(map) == 1 => ITEM.saturating_mul(map.entries.len()),
            _ => 0,
        }
    }

    /// Its text, as `{{ . }}` prints it.
    pub(super) fn text(&self) -> Result<Rc<str>, Fault> {
        if let Self::String(text) | Self::Number(text) = self {
            return Ok(text.clone());
        }
        let mut out = Bounded::default();
        self.print(&mut out)?;
        Ok(out.into_string().into())
    }

    /// Prints it as Go's `%v` does.
    pub(super) fn print(&self, out: &mut Bounded) -> Result<(), Fault> {
        match self {
            // Go has `<nil>` inside of lists and maps, and nothing that a configuration could want.
            Self::Nil => out.push_str("<nil>"),
            Self::Absent(absence) => Err(absence.fault.clone()),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => out.push_str(&value.to_string()),
            Self::Float(value) => out.push_str(&shortest(*value)),
            Self::Number(text) | Self::String(text) => out.push_str(text),
            Self::List(list) => {
                out.push('[')?;
                for (index, item) in list.items.iter().enumerate() {
                    if index > 0 {
                        out.push(' ')?;
                    }
                    item.print(out)?;
                }
                out.push(']')
            }
            Self::Map(map) => {
                out.push_str("map[")?;
                for (index, (key, value)) in map.entries.iter().enumerate() {
                    if index > 0 {
                        out.push(' ')?;
                    }
                    out.push_str(key)?;
                    out.push(':')?;
                    value.print(out)?;
                }
                out.push(']')
            }
        }
    }
}

fn deeper<'v>(mut values: impl Iterator<Item = &'v Value>) -> Result<usize, Fault> {
    let depth = values.try_fold(0, |depth: usize, value| (value.depth() < MAX_DEPTH).then(|| depth.max(value.depth())));
    depth.map(|depth| depth + 1).ok_or_else(|| Fault::limit(format!("lists and maps nest deeper than {MAX_DEPTH}")))
}

/// Every integer up to here is a float, too.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

#[expect(clippy::cast_possible_truncation, reason = "it has no fraction and is in range")]
fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() <= LARGEST_EXACT).then_some(value as i64)
}

/// Go's `%v` of a float: `%g` with as few digits as tell it apart, and an exponent below 1e-4 and from 1e6 on.
fn shortest(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => with_exponent(digits, exponent),
        _ => value.to_string(),
    }
}

/// At least two digits of exponent, as C and Go write it.
fn with_exponent(digits: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_print_as_gos_do() {
        let map = |entries: Vec<(&str, Value)>| {
            Value::map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect()).unwrap()
        };
        for (value, text) in [
            (Value::Float(1_000_000.0), "1e+06"),
            (Value::Float(123_456.5), "123456.5"),
            (Value::Float(1.0), "1"),
            (Value::Float(-0.000_01), "-1e-05"),
            (Value::Float(0.0001), "0.0001"),
            (Value::Float(1.5e300), "1.5e+300"),
            (Value::Number("1000000".into()), "1000000"),
            (Value::Number("1.50".into()), "1.50"),
            (Value::list(vec![Value::string("a"), Value::Nil, Value::Int(-1)]).unwrap(), "[a <nil> -1]"),
            (map(vec![("b", Value::Bool(true)), ("a", Value::list(Vec::new()).unwrap())]), "map[a:[] b:true]"),
        ] {
            assert_eq!(&*value.text().unwrap(), text);
        }
    }

    #[test]
    fn whole_numbers_are_whole_however_they_are_written() {
        for (text, whole) in
            [("8080", Some(8080)), ("1e3", Some(1000)), ("2.0", Some(2)), ("2.5", None), ("1e99", None)]
        {
            assert_eq!(Value::Number(text.into()).whole(), whole, "{text}");
        }
        assert!(!Value::Number("0.0".into()).is_true());
    }

    #[test]
    fn endless_nesting_ends() {
        let mut value = Value::Nil;
        let fault = loop {
            match Value::list(vec![value]) {
                Ok(deeper) => value = deeper,
                Err(fault) => break fault,
            }
        };
        assert_eq!(fault.code, "E043");
    }
}
