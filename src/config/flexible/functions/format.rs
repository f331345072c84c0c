//! `print`, `println` and `printf` with the verbs that configurations need. What Go marks in the text with `%!`, such as a verb
//! that does not fit its argument, is an error.

use super::text::quoted;
use super::{Function, MANY, Outcome, string};
use crate::config::flexible::bounded::Bounded;
use crate::config::flexible::fault::Fault;
use crate::config::flexible::value::Value;
use std::str::Chars;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("print", 0, MANY, print),
    Function::new("println", 0, MANY, println),
    Function::new("printf", 1, MANY, printf),
];

/// More is a slip.
const WIDEST: usize = 1_000;

/// A blank stands between two values neither of which is a string.
fn print(arguments: &[Value]) -> Outcome {
    let mut out = Bounded::default();
    let mut after_string = true;
    for value in arguments {
        let is_string = matches!(value, Value::String(_));
        if !after_string && !is_string {
            out.push(' ')?;
        }
        value.print(&mut out)?;
        after_string = is_string;
    }
    Ok(Value::string(out.into_string()))
}

fn println(arguments: &[Value]) -> Outcome {
    let mut out = Bounded::default();
    for (index, value) in arguments.iter().enumerate() {
        if index > 0 {
            out.push(' ')?;
        }
        value.print(&mut out)?;
    }
    out.push('\n')?;
    Ok(Value::string(out.into_string()))
}

fn printf(arguments: &[Value]) -> Outcome {
    let mut out = Bounded::default();
    let mut rest = string(arguments, 0)?.chars();
    let mut next = 1;
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c)?;
            continue;
        }
        let verb = Verb::read(&mut rest)?;
        if verb.letter == '%' {
            out.push('%')?;
            continue;
        }
        let value =
            arguments.get(next).ok_or_else(|| Fault::value("the format has more verbs than there are arguments"))?;
        verb.write(value, next, &mut out)?;
        next += 1;
    }
    if next < arguments.len() {
        return Err(Fault::value("there are more arguments than the format has verbs"));
    }
    Ok(Value::string(out.into_string()))
}

/// `%[flags][width][.precision]letter`.
struct Verb {
    letter: char,
    left: bool,
    zeros: bool,
    width: usize,
    precision: Option<usize>,
}

impl Verb {
    fn read(rest: &mut Chars<'_>) -> Result<Self, Fault> {
        let mut verb = Self { letter: ' ', left: false, zeros: false, width: 0, precision: None };
        while let Some(flag @ ('-' | '0')) = rest.clone().next() {
            verb.left |= flag == '-';
            verb.zeros |= flag == '0';
            rest.next();
        }
        verb.width = digits(rest).unwrap_or(0);
        if rest.clone().next() == Some('.') {
            rest.next();
            verb.precision = Some(digits(rest).unwrap_or(0));
        }
        verb.letter = rest.next().unwrap_or(' ');
        if !"sdvqft%".contains(verb.letter) {
            let fault = Fault::value("the format has a verb that is not supported");
            return Err(
                fault.help("one of `%s`, `%d`, `%v`, `%q`, `%f`, `%t`, `%%`, with `-`, `0`, a width and a precision")
            );
        }
        if verb.width.max(verb.precision.unwrap_or(0)) > WIDEST {
            return Err(Fault::limit(format!("the format is wider than {WIDEST}")));
        }
        Ok(verb)
    }

    fn write(&self, value: &Value, index: usize, out: &mut Bounded) -> Result<(), Fault> {
        let text = self.text(value, index)?;
        let padding = self.width.saturating_sub(text.chars().count());
        let is_number = value.float().is_some() && matches!(self.letter, 'd' | 'f' | 'v');
        if self.left {
            out.push_str(&text)?;
            return out.fill(' ', padding);
        }
        if !(self.zeros && is_number) {
            out.fill(' ', padding)?;
            return out.push_str(&text);
        }
        let (sign, digits) = if let Some(digits) = text.strip_prefix('-') { ("-", digits) } else { ("", &*text) };
        out.push_str(sign)?;
        out.fill('0', padding)?;
        out.push_str(digits)
    }

    fn text(&self, value: &Value, index: usize) -> Result<String, Fault> {
        let unfit = |expected: &str| {
            let message =
                format!("`%{}` takes {expected}, and argument {} is {}", self.letter, index + 1, value.kind());
            Fault::value(message).help("`%v` takes everything")
        };
        let mut out = Bounded::default();
        match (self.letter, value) {
            ('s', Value::String(text)) => match self.precision {
                Some(length) => text.chars().take(length).try_for_each(|c| out.push(c))?,
                None => out.push_str(text)?,
            },
            ('q', Value::String(text)) => quoted(text, &mut out)?,
            ('s' | 'q', _) => return Err(unfit("a string")),
            ('t', Value::Bool(_)) | ('v', _) => value.print(&mut out)?,
            ('t', _) => return Err(unfit("a boolean")),
            ('d', _) => out.push_str(&value.whole().ok_or_else(|| unfit("a whole number"))?.to_string())?,
            _ => {
                let number = value.float().ok_or_else(|| unfit("a number"))?;
                out.push_str(&format!("{number:.*}", self.precision.unwrap_or(6)))?;
            }
        }
        Ok(out.into_string())
    }
}

fn digits(rest: &mut Chars<'_>) -> Option<usize> {
    let written = rest.as_str();
    let length = written.find(|c: char| !c.is_ascii_digit()).unwrap_or(written.len());
    let (number, after) = written.split_at_checked(length)?;
    *rest = after.chars();
    // What does not fit is too wide.
    (length > 0).then(|| number.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;

    #[test]
    fn verbs_are_filled_in() {
        let text = |text: &str| Value::string(text);
        for (arguments, expected) in [
            (vec![text("%s:%d"), text("up"), Value::Number("8080".into())], "up:8080"),
            (vec![text("%v %v %v"), Value::Float(1.5), text("x"), Value::Bool(true)], "1.5 x true"),
            (vec![text("%q"), text("a\"b")], "\"a\\\"b\""),
            (vec![text("%.2f|%f"), Value::Number("1.005".into()), Value::Int(2)], "1.00|2.000000"),
            (vec![text("%t 100%%"), Value::Bool(false)], "false 100%"),
            (
                vec![text("%03d|%-4s|%4s|%05d"), Value::Int(7), text("ab"), text("cd"), Value::Int(-42)],
                "007|ab  |  cd|-0042",
            ),
            (vec![text("%.2s"), text("éab")], "éa"),
        ] {
            assert_eq!(run("printf", &arguments).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_go_marks_in_the_text_is_an_error() {
        let text = |text: &str| Value::string(text);
        for arguments in [
            vec![text("%d"), text("x")],
            vec![text("%d"), Value::Float(1.5)],
            vec![text("%s"), Value::Int(1)],
            vec![text("%s")],
            vec![text("x"), text("y")],
            vec![text("%x"), Value::Int(1)],
            vec![text("%")],
            vec![text("%99999999999999999999d"), Value::Int(1)],
        ] {
            assert!(run("printf", &arguments).is_err());
        }
    }

    #[test]
    fn print_puts_blanks_between_what_is_no_string() {
        let arguments = [Value::Int(1), Value::Int(2), Value::string("a"), Value::Int(3), Value::Bool(true)];
        assert_eq!(run("print", &arguments).as_deref(), Ok("1 2a3 true"));
        assert_eq!(run("println", &arguments).as_deref(), Ok("1 2 a 3 true\n"));
    }
}
