//! What is wrong with a template: what a function knows of it, and the same with its place.

use crate::config::code::{self, Code};
use crate::config::diagnostic::Span;

/// What is wrong, without a place. Never holds a value: settings and variables are full of secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Its code.
    pub code: Code,
    /// One sentence.
    pub message: String,
    /// What to do; may be empty.
    pub help: String,
}

impl Fault {
    /// The template is not written as templates are.
    pub(super) fn syntax(message: impl Into<String>) -> Self {
        Self::new(code::TEMPLATE_SYNTAX, message)
    }

    /// The template asks for something that its values do not give.
    pub(super) fn value(message: impl Into<String>) -> Self {
        Self::new(code::TEMPLATE_VALUE, message)
    }

    /// A bound that keeps a template from taking the machine.
    pub(super) fn limit(message: impl Into<String>) -> Self {
        Self::new(code::TEMPLATE_LIMIT, message)
    }

    /// A folder or a file of the flexible configuration cannot be used.
    pub(super) fn file(message: impl Into<String>) -> Self {
        Self::new(code::FLEXIBLE_FILE, message)
    }

    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: String::new() }
    }

    /// Says what to do.
    #[must_use]
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: help.into(), ..self }
    }

    /// The same at a place.
    #[expect(clippy::unnecessary_box_returns, reason = "it is the error of functions that call themselves")]
    pub(super) fn at(self, file: usize, span: &Span) -> Box<Problem> {
        Box::new(Problem { file, span: span.clone(), fault: self })
    }
}

/// A fault with its place. It travels boxed: results are returned from deep recursion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// Which of the templates.
    pub file: usize,
    /// Where in it.
    pub span: Span,
    /// What.
    pub fault: Fault,
}
