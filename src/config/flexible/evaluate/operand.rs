//! Values of operands and results of functions.

use super::super::fault::{Fault, Problem};
use super::super::functions::{self, Function};
use super::super::syntax::{Command, Operand, Term};
use super::super::value::{Absence, Value};
use super::Run;
use crate::config::diagnostic::Span;
use std::rc::Rc;

impl<'a> Run<'a> {
    /// A function with its arguments, the last of which may come through a pipe, or a value.
    pub(super) fn command(
        &mut self,
        command: &'a Command,
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, Box<Problem>> {
        let Term::Function(function) = command.first.term else {
            return self.operand(&command.first, dot);
        };
        self.spend(0, &command.span)?;
        let given = command.arguments.len() + usize::from(last.is_some());
        if given < function.least || given > function.most {
            return self.fail(wrong_count(function, given), &command.span);
        }
        match function.run {
            functions::Run::And => self.first_that(false, &command.arguments, dot, last),
            functions::Run::Or => self.first_that(true, &command.arguments, dot, last),
            _ => {
                let mut arguments = Vec::with_capacity(given);
                for argument in &command.arguments {
                    arguments.push(self.operand(argument, dot)?);
                }
                arguments.extend(last);
                let is_written = command.arguments.first().is_some_and(|first| matches!(first.term, Term::Constant(_)));
                self.function(function, &arguments, is_written, &command.span)
            }
        }
    }

    /// The first argument whose truth is this, or the last.
    fn first_that(
        &mut self,
        truth: bool,
        arguments: &'a [Operand],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, Box<Problem>> {
        let mut value = Value::Nil;
        for argument in arguments {
            value = self.operand(argument, dot)?;
            if value.is_true() == truth {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    /// `is_written` says that the first argument stands in the template, and so may be named.
    fn function(
        &mut self,
        function: &Function,
        arguments: &[Value],
        is_written: bool,
        span: &Span,
    ) -> Result<Value, Box<Problem>> {
        if !function.takes_absent {
            self.are_present(arguments, span)?;
        }
        let size = arguments.iter().map(Value::size).sum();
        self.spend(size, span)?;
        let outcome = match (&function.run, arguments.first()) {
            (functions::Run::Pure(run), _) => run(arguments),
            (functions::Run::Env, Some(Value::String(name))) => Ok(self.outside.variable(name, is_written)),
            (functions::Run::Include, Some(Value::String(name))) => self.outside.partial(name),
            (_, Some(other)) => Err(Fault::value(format!("argument 1 is {}, not a string", other.kind()))),
            (_, None) => Err(wrong_count(function, 0)),
        };
        let named = |fault: Fault| Fault { message: format!("`{}`: {}", function.name, fault.message), ..fault };
        let value = outcome.map_err(|fault| named(fault).at(self.file, span))?;
        self.spend(value.weight(), span)?;
        Ok(self.placed(value, span))
    }

    /// What a function did not find was asked for here.
    fn placed(&self, value: Value, span: &Span) -> Value {
        match value {
            Value::Absent(absence) if absence.place.is_none() => {
                let place = Some((self.file, span.clone()));
                Value::Absent(Rc::new(Absence { place, fault: absence.fault.clone(), is_text: absence.is_text }))
            }
            value => value,
        }
    }

    /// A function that works on its arguments is a use of them, just as printing is.
    fn are_present(&self, arguments: &[Value], span: &Span) -> Result<(), Box<Problem>> {
        for argument in arguments {
            if let Value::Absent(absence) = argument {
                let (file, place) = absence.place.clone().unwrap_or_else(|| (self.file, span.clone()));
                return Err(absence.fault.clone().at(file, &place));
            }
        }
        Ok(())
    }

    fn operand(&mut self, operand: &'a Operand, dot: &Value) -> Result<Value, Box<Problem>> {
        self.spend(0, &operand.span)?;
        let value = match &operand.term {
            Term::Dot => dot.clone(),
            Term::Constant(value) => value.clone(),
            Term::Variable(name) => self.variable(name),
            Term::Function(function) => {
                if function.least > 0 {
                    return self.fail(wrong_count(function, 0), &operand.span);
                }
                self.function(function, &[], false, &operand.span)?
            }
            Term::Pipeline(pipeline) => {
                self.enter(&operand.span)?;
                let value = self.pipeline(pipeline, dot)?;
                self.levels -= 1;
                value
            }
        };
        self.fields(operand, value)
    }

    /// The parser knows that it is there.
    fn variable(&self, name: &str) -> Value {
        let known = self.variables.iter().rev().find(|(known, _)| *known == name);
        known.map_or(Value::Nil, |(_, value)| value.clone())
    }

    fn fields(&self, operand: &Operand, mut value: Value) -> Result<Value, Box<Problem>> {
        for (index, (name, span)) in operand.fields.iter().enumerate() {
            value = match &value {
                Value::Map(map) => map.entries.get(name.as_str()).cloned().unwrap_or_else(|| {
                    let fault = functions::missing_field(map, name, &owner(operand, index));
                    self.placed(Value::absent(fault, false), span)
                }),
                // What is missing from something missing is missing, too.
                Value::Absent(_) => value,
                other => {
                    let message = format!("{} is {}, which has no keys", owner(operand, index), other.kind());
                    return self.fail(Fault::value(message), span);
                }
            };
        }
        Ok(value)
    }
}

/// How the template writes what the field at `index` is taken from.
fn owner(operand: &Operand, index: usize) -> String {
    let start = match &operand.term {
        Term::Variable(name) => name.as_str(),
        Term::Pipeline(_) => "(…)",
        _ => "",
    };
    let names = operand.fields.iter().take(index).flat_map(|(name, _)| [".", name]);
    let written: String = std::iter::once(start).chain(names).collect();
    format!("`{}`", if written.is_empty() { "." } else { &written })
}

fn wrong_count(function: &Function, given: usize) -> Fault {
    let expected = match (function.least, function.most) {
        (least, most) if least == most => format!("{least}"),
        (least, usize::MAX) => format!("{least} or more"),
        (least, most) => format!("{least} to {most}"),
    };
    Fault::value(format!("`{}` takes {expected} arguments, not {given}", function.name))
}
