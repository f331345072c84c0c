//! One problem of a configuration: what is wrong, where, and what to do about it; and the list they are gathered in.
//!
//! It is data; drawing it for people is `report`'s work.

use crate::config::code::Code;
use std::collections::HashSet;
use std::ops::Range;

/// Byte range in the configuration text.
pub type Span = Range<usize>;

/// The start of the character that this byte belongs to; the end of the text when it is beyond.
pub(super) fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration runs, but part of it does not do what it seems to say.
    Warning,
    /// The configuration does not run.
    Error,
}

/// A problem with its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Stable code such as `E012`; see [`crate::config::code`].
    pub code: &'static str,
    /// One sentence, lower case, no full stop; values in backticks. Never holds a secret.
    pub message: String,
    /// Where; `None` when the problem is the file itself.
    pub span: Option<Span>,
    /// In which file of its report: 0 is the configuration, others are what it is rendered from.
    pub file: u32,
    /// What the underline says; may be empty.
    pub label: String,
    /// What to do; may be empty.
    pub help: String,
}

impl Diagnostic {
    /// A problem that keeps the configuration from running.
    pub(super) fn error(code: Code, span: Option<Span>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, span, message)
    }

    /// A problem the configuration runs with.
    pub(super) fn warning(code: Code, span: Option<Span>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, span, message)
    }

    pub(super) fn new(severity: Severity, code: Code, span: Option<Span>, message: impl Into<String>) -> Self {
        Self { severity, code, message: message.into(), span, file: 0, label: String::new(), help: String::new() }
    }

    /// Says what the underline means.
    #[must_use]
    pub(super) fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    /// Says what to do.
    #[must_use]
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: help.into(), ..self }
    }

    /// Says that it is about another file.
    #[must_use]
    pub(super) fn in_file(self, file: usize) -> Self {
        Self { file: u32::try_from(file).unwrap_or(u32::MAX), ..self }
    }
}

/// Every problem found so far: reading goes on after each, so that all are told at once.
#[derive(Debug, Default)]
pub(super) struct Diagnostics {
    list: Vec<Diagnostic>,
    /// Where each line but the first starts, so that a message can name another place.
    line_starts: Vec<usize>,
}

impl Diagnostics {
    /// An empty list for a text.
    pub(super) fn new(text: &str) -> Self {
        let line_starts = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Self { list: Vec::new(), line_starts }
    }

    /// Adds a problem.
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// Whether anything keeps the configuration from running.
    pub(super) fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// The line a byte is on, from 1.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset) + 1
    }

    /// The problems in the order of the file, those without a place first. What YAML's aliases repeat is told once.
    pub(super) fn into_sorted(mut self) -> Vec<Diagnostic> {
        let mut seen = HashSet::new();
        self.list.retain(|diagnostic| seen.insert(diagnostic.clone()));
        self.list.sort_by_key(|d| d.span.as_ref().map(|span| span.start));
        self.list
    }
}
