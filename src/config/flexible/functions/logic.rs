//! Conditions: comparisons as in `text/template`, emptiness as in sprig.

use super::{Function, MANY, Outcome, argument, unfit};
use crate::config::flexible::fault::Fault;
use crate::config::flexible::value::Value;
use std::cmp::Ordering;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::of_absent("not", 1, 1, |a| Ok(Value::Bool(!argument(a, 0)?.is_true()))),
    Function::of_absent("eq", 2, MANY, equal),
    Function::of_absent("ne", 2, 2, |a| Ok(Value::Bool(!equal_to(argument(a, 0)?, argument(a, 1)?)?))),
    Function::new("lt", 2, 2, |a| ordered(a, Ordering::is_lt)),
    Function::new("le", 2, 2, |a| ordered(a, Ordering::is_le)),
    Function::new("gt", 2, 2, |a| ordered(a, Ordering::is_gt)),
    Function::new("ge", 2, 2, |a| ordered(a, Ordering::is_ge)),
    Function::of_absent("default", 1, 2, |a| {
        let given = a.get(1).filter(|given| given.is_true());
        given.map_or_else(|| argument(a, 0), Ok).cloned()
    }),
    Function::of_absent("coalesce", 1, MANY, |a| {
        Ok(a.iter()
            .find(|value| value.is_true())
            .or_else(|| a.last().filter(|last| is_absent(last)))
            .cloned()
            .unwrap_or(Value::Nil))
    }),
    Function::of_absent("ternary", 3, 3, |a| match argument(a, 2)? {
        Value::Bool(condition) => argument(a, usize::from(!condition)).cloned(),
        other => Err(unfit(2, "a boolean", other)),
    }),
    Function::of_absent("empty", 1, 1, |a| Ok(Value::Bool(!argument(a, 0)?.is_true()))),
];

fn is_absent(value: &Value) -> bool {
    matches!(value, Value::Absent(_))
}

/// Whether the first is equal to any of the others.
fn equal(arguments: &[Value]) -> Outcome {
    let first = argument(arguments, 0)?;
    for other in arguments.iter().skip(1) {
        if equal_to(first, other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

/// Nothing is equal to nothing else. Go does not compare the numbers of settings, which are floats there, with `1`.
fn equal_to(a: &Value, b: &Value) -> Result<bool, Fault> {
    let (a, b) = (present(a), present(b));
    match (&a, &b) {
        (Value::Nil, Value::Nil) => Ok(true),
        (Value::Nil, _) | (_, Value::Nil) => Ok(false),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::String(a), Value::String(b)) => Ok(a == b),
        _ => numbers(&a, &b).map(Ordering::is_eq).ok_or_else(|| incomparable(&a, &b)),
    }
}

/// What stands for something that is not there.
fn present(value: &Value) -> Value {
    match value {
        Value::Absent(absence) if absence.is_text => Value::string(""),
        Value::Absent(_) => Value::Nil,
        value => value.clone(),
    }
}

fn ordered(arguments: &[Value], holds: fn(Ordering) -> bool) -> Outcome {
    let (a, b) = (argument(arguments, 0)?, argument(arguments, 1)?);
    let order = match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => numbers(a, b),
    };
    order.map(|order| Value::Bool(holds(order))).ok_or_else(|| incomparable(a, b))
}

fn numbers(a: &Value, b: &Value) -> Option<Ordering> {
    match (a.whole(), b.whole()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.float()?.partial_cmp(&b.float()?),
    }
}

fn incomparable(a: &Value, b: &Value) -> Fault {
    Fault::value(format!("{} and {} cannot be compared", a.kind(), b.kind())).help("compare two numbers or two strings")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{run, strings};
    use super::*;

    fn number(text: &str) -> Value {
        Value::Number(text.into())
    }

    fn absent(is_text: bool) -> Value {
        Value::absent(Fault::value("missing"), is_text)
    }

    #[test]
    fn values_are_equal_to_their_like() {
        for (arguments, expected) in [
            (vec![Value::string("a"), Value::string("b"), Value::string("a")], "true"),
            (vec![Value::string("a"), Value::string("b")], "false"),
            (vec![number("8080"), Value::Int(8080)], "true"),
            (vec![number("0.5"), Value::Float(0.5)], "true"),
            (vec![Value::Nil, absent(false)], "true"),
            (vec![absent(false), Value::string("")], "false"),
            (vec![absent(true), Value::string("")], "true"),
            (vec![Value::Bool(true), Value::Bool(true)], "true"),
        ] {
            assert_eq!(run("eq", &arguments).as_deref(), Ok(expected));
        }
        let message = run("eq", &[Value::string("1"), Value::Int(1)]).unwrap_err();
        assert_eq!(message, "a string and a number cannot be compared");
        assert!(run("eq", &[strings(&[]), strings(&[])]).is_err());
    }

    #[test]
    fn order_is_of_numbers_or_of_strings() {
        for (name, expected) in [("lt", "true"), ("le", "true"), ("gt", "false"), ("ge", "false")] {
            assert_eq!(run(name, &[Value::Int(9), number("10")]).as_deref(), Ok(expected), "{name}");
        }
        assert_eq!(run("lt", &[Value::string("9"), Value::string("10")]).as_deref(), Ok("false"));
        assert!(run("lt", &[Value::Nil, Value::Int(1)]).is_err());
        assert!(run("lt", &[Value::Bool(false), Value::Bool(true)]).is_err());
    }

    #[test]
    fn what_is_empty_gives_way() {
        let x = || Value::string("x");
        for empty in [
            Value::Nil,
            absent(false),
            Value::Bool(false),
            Value::Int(0),
            number("0.0"),
            Value::string(""),
            strings(&[]),
        ] {
            assert_eq!(run("default", &[x(), empty.clone()]).as_deref(), Ok("x"));
            assert_eq!(run("coalesce", &[empty.clone(), x()]).as_deref(), Ok("x"));
            assert_eq!(run("empty", &[empty]).as_deref(), Ok("true"));
        }
        assert_eq!(run("default", &[x()]).as_deref(), Ok("x"));
        assert_eq!(run("default", &[x(), Value::string("y")]).as_deref(), Ok("y"));
        assert_eq!(run("ternary", &[x(), Value::string("y"), Value::Bool(false)]).as_deref(), Ok("y"));
        assert!(run("ternary", &[x(), x(), x()]).is_err());
    }
}
