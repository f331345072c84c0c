//! Runs a template over the settings: what it prints is the configuration.
//!
//! A template may loop and call itself, so every step, every level and every byte is counted: a start must not hang.

mod operand;

use super::bounded::Bounded;
use super::fault::{Fault, Problem};
use super::functions::Outcome;
use super::syntax::{Branch, Keyword, Node, Pipeline, Template};
use super::value::Value;
use crate::config::diagnostic::Span;
use crate::config::suggest;
use std::collections::HashMap;

/// How deep templates may call each other.
const MAX_CALLS: usize = 64;

/// How deep calls, blocks and parentheses may nest at one moment, for the sake of the stack.
const MAX_LEVELS: usize = 200;

/// Some seconds of a processor.
pub(super) const MAX_STEPS: usize = 10_000_000;

/// So many bytes or items that a function walks through or makes count as a step.
const PER_STEP: usize = 32;

/// What is outside of templates.
pub(super) trait Outside {
    /// The value of an environment variable, whose name may be told if the template has it written out.
    fn variable(&self, name: &str, is_written: bool) -> Value;

    /// The text of a partial.
    fn partial(&mut self, name: &str) -> Outcome;
}

/// Runs the template `main`.
pub(super) fn evaluate(
    templates: &HashMap<String, Template>,
    main: &Template,
    settings: &Value,
    outside: &mut dyn Outside,
    steps: usize,
) -> Result<String, Box<Problem>> {
    let variables = vec![("$", settings.clone())];
    let mut run =
        Run { templates, outside, out: Bounded::default(), variables, file: main.file, calls: 0, levels: 0, steps };
    run.nodes(&main.nodes, settings)?;
    Ok(run.out.into_string())
}

struct Run<'a> {
    templates: &'a HashMap<String, Template>,
    outside: &'a mut dyn Outside,
    out: Bounded,
    variables: Vec<(&'a str, Value)>,
    /// The text that is run.
    file: usize,
    calls: usize,
    levels: usize,
    /// How many are left.
    steps: usize,
}

/// What follows a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

impl<'a> Run<'a> {
    fn fail<T>(&self, fault: Fault, span: &Span) -> Result<T, Box<Problem>> {
        Err(fault.at(self.file, span))
    }

    /// Pays for work of this size.
    fn spend(&mut self, size: usize, span: &Span) -> Result<(), Box<Problem>> {
        let Some(left) = self.steps.checked_sub(1 + size / PER_STEP) else {
            let fault = Fault::limit("rendering takes more steps than it may");
            return self.fail(fault.help("look for a loop that runs more often than it should"), span);
        };
        self.steps = left;
        Ok(())
    }

    /// Goes down a level; the caller comes back up.
    fn enter(&mut self, span: &Span) -> Result<(), Box<Problem>> {
        self.levels += 1;
        if self.levels > MAX_LEVELS {
            return self.fail(Fault::limit(format!("templates nest deeper than {MAX_LEVELS} levels")), span);
        }
        Ok(())
    }

    fn nodes(&mut self, nodes: &'a [Node], dot: &Value) -> Result<Flow, Box<Problem>> {
        for node in nodes {
            let flow = match node {
                Node::Text(text, span) => self.text(text, span)?,
                Node::Print(pipeline) => self.print(pipeline, dot)?,
                Node::Branch(branch) => self.branch(branch, dot)?,
                Node::Call { name, span, context } => self.call(name, span, context.as_ref(), dot)?,
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn text(&mut self, text: &str, span: &Span) -> Result<Flow, Box<Problem>> {
        self.spend(text.len(), span)?;
        self.out.push_str(text).map(|()| Flow::Next).map_err(|fault| fault.at(self.file, span))
    }

    fn print(&mut self, pipeline: &'a Pipeline, dot: &Value) -> Result<Flow, Box<Problem>> {
        let value = self.pipeline(pipeline, dot)?;
        if !pipeline.sets.is_empty() {
            return Ok(Flow::Next);
        }
        self.spend(value.size(), &pipeline.span)?;
        match &value {
            Value::Absent(absence) => {
                let (file, span) = absence.place.clone().unwrap_or_else(|| (self.file, pipeline.span.clone()));
                Err(absence.fault.clone().at(file, &span))
            }
            Value::Nil => {
                let fault = Fault::value("the value is null, which has no text");
                self.fail(
                    fault.help("`toJson` writes `null`, and `default` another value in its place"),
                    &pipeline.span,
                )
            }
            value => {
                value.print(&mut self.out).map(|()| Flow::Next).map_err(|fault| fault.at(self.file, &pipeline.span))
            }
        }
    }

    /// The value, which is also that of the variables that it sets.
    fn pipeline(&mut self, pipeline: &'a Pipeline, dot: &Value) -> Result<Value, Box<Problem>> {
        let value = self.commands(pipeline, dot)?;
        for name in &pipeline.sets {
            self.set(name, value.clone(), pipeline.is_assignment);
        }
        Ok(value)
    }

    fn commands(&mut self, pipeline: &'a Pipeline, dot: &Value) -> Result<Value, Box<Problem>> {
        let mut last = None;
        for command in &pipeline.commands {
            last = Some(self.command(command, dot, last)?);
        }
        Ok(last.unwrap_or(Value::Nil))
    }

    fn set(&mut self, name: &'a str, value: Value, is_assignment: bool) {
        let known = self.variables.iter_mut().rev().find(|(known, _)| *known == name);
        match known.filter(|_| is_assignment) {
            Some((_, known)) => *known = value,
            None => self.variables.push((name, value)),
        }
    }

    fn branch(&mut self, branch: &'a Branch, dot: &Value) -> Result<Flow, Box<Problem>> {
        self.enter(&branch.pipeline.span)?;
        let scope = self.variables.len();
        let flow = if branch.keyword == Keyword::Range {
            self.range(branch, dot)?
        } else {
            let value = self.pipeline(&branch.pipeline, dot)?;
            let inner = if branch.keyword == Keyword::With { &value } else { dot };
            if value.is_true() { self.nodes(&branch.then, inner)? } else { self.nodes(&branch.otherwise, dot)? }
        };
        self.variables.truncate(scope);
        self.levels -= 1;
        Ok(flow)
    }

    fn range(&mut self, branch: &'a Branch, dot: &Value) -> Result<Flow, Box<Problem>> {
        let span = &branch.pipeline.span;
        let value = self.commands(&branch.pipeline, dot)?;
        let ended = match &value {
            Value::List(list) => {
                let pairs = list.items.iter().enumerate().map(|(index, item)| (Value::count(index), item.clone()));
                self.each(branch, pairs)?
            }
            Value::Map(map) => {
                let pairs = map.entries.iter().map(|(key, item)| (Value::String(key.clone()), item.clone()));
                self.each(branch, pairs)?
            }
            Value::Nil | Value::Absent(_) => None,
            value => {
                let Some(end) = value.whole() else {
                    let fault = Fault::value(format!("`range` cannot go through {}", value.kind()));
                    return self.fail(fault.help("it takes a list, a map or a whole number"), span);
                };
                self.each(branch, (0..end).map(|n| (Value::Int(n), Value::Int(n))))?
            }
        };
        if let Some(flow) = ended {
            return Ok(flow);
        }
        // As in Go, the variables stand for the whole when there is no item.
        for name in &branch.pipeline.sets {
            self.set(name, value.clone(), branch.pipeline.is_assignment);
        }
        self.nodes(&branch.otherwise, dot)
    }

    /// Nothing if there was nothing to go through.
    fn each(
        &mut self,
        branch: &'a Branch,
        pairs: impl Iterator<Item = (Value, Value)>,
    ) -> Result<Option<Flow>, Box<Problem>> {
        let scope = self.variables.len();
        let pipeline = &branch.pipeline;
        let mut ended = None;
        for (key, item) in pairs {
            ended = Some(Flow::Next);
            self.spend(0, &pipeline.span)?;
            match pipeline.sets.as_slice() {
                [] => {}
                [element] => self.set(element, item.clone(), pipeline.is_assignment),
                [index, element, ..] => {
                    self.set(index, key, pipeline.is_assignment);
                    self.set(element, item.clone(), pipeline.is_assignment);
                }
            }
            let flow = self.nodes(&branch.then, &item)?;
            self.variables.truncate(scope);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(ended)
    }

    /// A template sees what it is given, and no variable of its caller.
    fn call(
        &mut self,
        name: &str,
        span: &Span,
        context: Option<&'a Pipeline>,
        dot: &Value,
    ) -> Result<Flow, Box<Problem>> {
        self.spend(0, span)?;
        let given = context.map_or(Ok(Value::Nil), |context| self.commands(context, dot))?;
        let templates = self.templates;
        let Some(template) = templates.get(name) else {
            let help = suggest::did_you_mean(name, templates.keys().map(String::as_str));
            let help = if help.is_empty() {
                "`define` it, or put a file of this name in `FC_TEMPLATES`".to_owned()
            } else {
                help
            };
            return self.fail(Fault::value(format!("there is no template `{name}`")).help(help), span);
        };
        self.calls += 1;
        if self.calls > MAX_CALLS {
            let fault = Fault::limit(format!("templates call each other deeper than {MAX_CALLS}"));
            return self.fail(fault.help("a template that calls itself needs an `if` that ends it"), span);
        }
        self.enter(span)?;
        let variables = std::mem::replace(&mut self.variables, vec![("$", given.clone())]);
        let file = std::mem::replace(&mut self.file, template.file);
        self.nodes(&template.nodes, &given)?;
        self.variables = variables;
        self.file = file;
        self.calls -= 1;
        self.levels -= 1;
        Ok(Flow::Next)
    }
}
