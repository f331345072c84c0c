//! Whole numbers. As in sprig, a text that is a number counts as one; one that is none is an error, not 0.

use super::{Function, MANY, Outcome, argument};
use crate::config::flexible::fault::Fault;
use crate::config::flexible::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("int", 1, 1, |a| integer(a, 0).map(Value::Int)),
    Function::new("add", 1, MANY, |a| fold(a, i64::checked_add)),
    Function::new("sub", 2, 2, |a| fold(a, i64::checked_sub)),
    Function::new("mul", 1, MANY, |a| fold(a, i64::checked_mul)),
    Function::new("div", 2, 2, |a| fold(a, i64::checked_div)),
    Function::new("mod", 2, 2, |a| fold(a, i64::checked_rem)),
    Function::new("max", 1, MANY, |a| fold(a, |a, b| Some(a.max(b)))),
    Function::new("min", 1, MANY, |a| fold(a, |a, b| Some(a.min(b)))),
];

/// Go wraps around, and panics when it divides by zero.
fn fold(arguments: &[Value], step: fn(i64, i64) -> Option<i64>) -> Outcome {
    let mut result = integer(arguments, 0)?;
    for index in 1..arguments.len() {
        let next = integer(arguments, index)?;
        result = step(result, next).ok_or_else(|| Fault::value("the result is no number of 64 bits"))?;
    }
    Ok(Value::Int(result))
}

/// Fractions are cut off.
#[expect(clippy::cast_possible_truncation, reason = "it saturates, as far as any port or duration goes")]
fn integer(arguments: &[Value], index: usize) -> Result<i64, Fault> {
    let value = argument(arguments, index)?;
    let number = match value {
        Value::Nil => Some(0),
        Value::Bool(value) => Some(i64::from(*value)),
        Value::String(text) => text.trim().parse().ok(),
        value => value.whole().or_else(|| value.float().map(|value| value as i64)),
    };
    number.ok_or_else(|| Fault::value(format!("argument {} is {} that is no whole number", index + 1, value.kind())))
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;

    #[test]
    fn numbers_are_computed_with() {
        let n = Value::Int;
        let number = |text: &str| Value::Number(text.into());
        for (name, arguments, expected) in [
            ("int", vec![Value::string("8080")], "8080"),
            ("int", vec![number("2.9")], "2"),
            ("int", vec![Value::Bool(true)], "1"),
            ("add", vec![n(1), number("2"), n(3)], "6"),
            ("sub", vec![n(1), n(2)], "-1"),
            ("mul", vec![n(3), n(2)], "6"),
            ("div", vec![n(7), n(2)], "3"),
            ("mod", vec![n(7), n(2)], "1"),
            ("max", vec![n(7), n(2), n(9)], "9"),
            ("min", vec![n(7), n(2)], "2"),
        ] {
            assert_eq!(run(name, &arguments).as_deref(), Ok(expected), "{name}");
        }
        assert!(run("div", &[n(1), n(0)]).is_err());
        assert!(run("mod", &[n(1), n(0)]).is_err());
        assert!(run("add", &[n(i64::MAX), n(1)]).is_err());
        assert_eq!(
            run("int", &[Value::string("hunter2")]).unwrap_err(),
            "argument 1 is a string that is no whole number"
        );
    }
}
