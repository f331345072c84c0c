//! A template as a tree. Every part knows its place in the text.

use super::functions::Function;
use super::value::Value;
use crate::config::diagnostic::Span;

/// A template that can be called by its name.
pub(super) struct Template {
    /// Which text it is from.
    pub file: usize,
    /// What it holds.
    pub nodes: Vec<Node>,
}

/// A `define` or `block` of a text.
pub(super) struct Definition {
    /// Its name.
    pub name: String,
    /// Where that is written.
    pub span: Span,
    /// A `block`, which any `define` of its name replaces.
    pub is_default: bool,
    /// What it holds.
    pub template: Template,
}

/// A piece of a template.
pub(super) enum Node {
    /// Text between actions.
    Text(String, Span),
    /// `{{ pipeline }}`: printed, unless it sets a variable.
    Print(Pipeline),
    /// `{{ if }}`, `{{ with }}`, `{{ range }}`, each with its `else`.
    Branch(Branch),
    /// `{{ template "name" pipeline }}`.
    Call { name: String, span: Span, context: Option<Pipeline> },
    /// `{{ break }}`.
    Break,
    /// `{{ continue }}`.
    Continue,
}

/// What a [`Branch`] does with its pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    If,
    With,
    Range,
}

impl Keyword {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::If => "if",
            Self::With => "with",
            Self::Range => "range",
        }
    }
}

pub(super) struct Branch {
    pub keyword: Keyword,
    pub pipeline: Pipeline,
    pub then: Vec<Node>,
    pub otherwise: Vec<Node>,
}

/// `$x := command | command`.
pub(super) struct Pipeline {
    pub sets: Vec<String>,
    /// `=` rather than `:=`.
    pub is_assignment: bool,
    pub commands: Vec<Command>,
    pub span: Span,
}

/// A function with its arguments, or one value.
pub(super) struct Command {
    pub first: Operand,
    pub arguments: Vec<Operand>,
    pub span: Span,
}

/// A value and the fields that are taken from it: `.a.b`, `$x.a`, `(pipeline).a`.
pub(super) struct Operand {
    pub term: Term,
    pub fields: Vec<(String, Span)>,
    pub span: Span,
}

pub(super) enum Term {
    Dot,
    Constant(Value),
    /// With its `$`.
    Variable(String),
    Function(&'static Function),
    Pipeline(Pipeline),
}
