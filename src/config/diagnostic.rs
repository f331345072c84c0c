//! One problem of a configuration: what is wrong, where, and what to do about it.
//!
//! It is data; drawing it for people is `render`'s work.

use std::ops::Range;

/// Byte range in the configuration text.
pub type Span = Range<usize>;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration runs, but part of it does not do what it seems to say.
    Warning,
    /// The configuration does not run.
    Error,
}

/// A problem with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Stable code such as `E012`; see [`crate::config::code`].
    pub code: &'static str,
    /// One sentence, lower case, no full stop; values in backticks. Never holds a secret.
    pub message: String,
    /// Where; `None` when the problem is the file itself.
    pub span: Option<Span>,
    /// What the underline says; may be empty.
    pub label: String,
    /// What to do; may be empty.
    pub help: String,
}
