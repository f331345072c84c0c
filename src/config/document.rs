//! A configuration text as a tree of values, each with its place in the text. JSON and YAML give the same tree.
//!
//! It knows nothing of what the keys mean.

mod foreign;
mod json;
mod yaml;

use super::code;
use super::diagnostic::{Diagnostic, Diagnostics, Span};
use super::show::Show;
use super::survey;
use std::borrow::Cow;

/// How deep values may nest: far beyond any real file, far below what a stack bears.
const MAX_DEPTH: usize = 64;

/// The language of a configuration text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Strict JSON.
    Json,
    /// One YAML document.
    Yaml,
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// What it is.
    pub value: Value,
    /// Where it is, in bytes.
    pub span: Span,
    /// Where its content comes from.
    pub origin: Origin,
    /// How much of it may be shown, if it is a scalar.
    pub show: Show,
    /// Whether `${request.…}` and `${jwt.…}` may stand in it, which only a request can fill in.
    pub per_request: bool,
}

/// Where the content of a [`Node`] comes from, which decides what diagnostics may quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// The text itself.
    Text,
    /// A string with `${…}` filled in; this is how it was written.
    Interpolated(String),
    /// A string whose `${…}` could not be filled in, which is reported: nothing else about it is worth telling.
    Unfilled,
    /// The environment variable of this name, in place of a root key.
    Variable(String),
}

/// What a [`Node`] holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// `null`, or nothing in YAML.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, in the digits of the text.
    Number(String),
    /// A string.
    String(String),
    /// A list.
    Array(Vec<Node>),
    /// A map, in the order of the text; a key may be there twice.
    Object(Vec<Member>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// The key.
    pub key: String,
    /// Where the key is.
    pub key_span: Span,
    /// Its value.
    pub value: Node,
    /// Whether porteur looks at it: it is neither a comment nor somebody else's.
    pub read: bool,
    /// How many bytes of the key may be shown.
    pub shown: usize,
}

impl Member {
    /// A key with its value, about which nothing is known yet.
    pub(super) fn new(key: String, key_span: Span, value: Node) -> Self {
        Self { key, key_span, value, read: true, shown: 0 }
    }

    /// The key as messages show it, in backticks.
    pub(super) fn name(&self) -> String {
        match self.key.split_at_checked(self.shown) {
            Some((shown, "")) => format!("`{shown}`"),
            Some((shown, _)) if !shown.is_empty() => format!("`{shown}…`"),
            _ => "`***`".to_owned(),
        }
    }
}

impl Node {
    /// A value as it stands in the text.
    pub(super) fn new(value: Value, span: Span) -> Self {
        Self { value, span, origin: Origin::Text, show: Show::Never, per_request: false }
    }

    /// The place, unless the value is not from the text.
    pub(super) fn place(&self) -> Option<Span> {
        match self.origin {
            Origin::Variable(_) => None,
            _ => Some(self.span.clone()),
        }
    }

    /// What diagnostics call it: `a string`, `an object`.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        }
    }
}

/// Reads a text; `None` when it is not of the format. Duplicate keys are reported and kept.
pub(super) fn parse(text: &str, format: Format, diagnostics: &mut Diagnostics) -> Option<Node> {
    let root = match format {
        Format::Json => json(text),
        Format::Yaml => yaml::parse(text),
    };
    match root {
        Ok(mut root) => {
            survey::survey(&mut root, diagnostics);
            Some(root)
        }
        Err(mut problem) => {
            // A `{{` inside of a text has a hint of its own; elsewhere the text is no longer of its format.
            if text.contains("{{") && problem.help.is_empty() {
                "it looks like a template: set `FC_ENABLE=1` to have it rendered first".clone_into(&mut problem.help);
            }
            diagnostics.push(problem);
            None
        }
    }
}

/// Reads a JSON text that is no configuration.
pub(super) fn json(text: &str) -> Result<Node, Diagnostic> {
    json::parse(&without_mark(text))
}

/// Editors on Windows leave a byte order mark; blanks in its place keep all positions as they are.
fn without_mark(text: &str) -> Cow<'_, str> {
    match text.strip_prefix('\u{feff}') {
        Some(rest) => Cow::Owned(format!("   {rest}")),
        None => Cow::Borrowed(text),
    }
}

/// The error for a text that cannot be read at this place.
fn syntax(format: &str, span: Option<Span>, message: &str) -> Diagnostic {
    let mut message = message.trim().trim_end_matches('.').to_owned();
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    Diagnostic::error(code::SYNTAX, span, format!("this is not valid {format}: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, format: Format) -> (Option<Node>, Vec<Diagnostic>) {
        let mut diagnostics = Diagnostics::default();
        let node = parse(text, format, &mut diagnostics);
        (node, diagnostics.into_sorted())
    }

    #[test]
    fn a_duplicate_key_points_at_the_second_one() {
        for (text, format) in [
            ("{\"port\": 1,\n \"PORT\": 2}", Format::Json),
            ("port: 1\nPort: 2\n", Format::Yaml),
            ("a: 1\na: 2\n", Format::Yaml),
        ] {
            let (node, problems) = parsed(text, format);
            assert!(node.is_some());
            let [problem] = problems.as_slice() else { panic!("{problems:?}") };
            assert_eq!(problem.code, code::DUPLICATE_KEY);
            assert!(problem.span.as_ref().is_some_and(|span| text[..span.start].contains('\n')), "{text}");
        }
    }

    #[test]
    fn a_byte_order_mark_moves_nothing() {
        for (text, format) in [("\u{feff}{\"port\": 1}", Format::Json), ("\u{feff}port: 1\n", Format::Yaml)] {
            let (node, problems) = parsed(text, format);
            assert!(problems.is_empty(), "{problems:?}");
            let Some(Node { value: Value::Object(members), .. }) = node else { panic!("no object") };
            assert_eq!(text[members[0].value.span.clone()], *"1");
            assert_eq!(members[0].value.value, Value::Number("1".into()));
        }
    }

    #[test]
    fn a_template_that_was_not_rendered_is_told_from_a_broken_text() {
        for (text, hinted) in [("{\"port\": {{ .port }} }", true), ("{\"port\": }", false)] {
            let (_, problems) = parsed(text, Format::Json);
            assert_eq!(problems[0].help.contains("FC_ENABLE"), hinted, "{text}");
        }
    }

    #[test]
    fn endless_nesting_ends() {
        for (text, format) in [
            ("[".repeat(100_000), Format::Json),
            (format!("{}{}", "[".repeat(100), "]".repeat(100)), Format::Json),
            ("[".repeat(100_000), Format::Yaml),
        ] {
            let (node, problems) = parsed(&text, format);
            assert!(node.is_none());
            assert_eq!(problems[0].code, code::SYNTAX);
        }
    }
}
