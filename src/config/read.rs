//! Reading values of a [`Document`](super::document), as loosely as KrakenD takes their types. Every problem is gathered; a
//! value that cannot be used is `None`.

mod object;

pub(super) use object::Object;

use super::Options;
use super::code::{self, Code};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::document::{Member, Node, Origin, Value};
use super::model::EarlierField;
use super::model::HttpCache;
use super::show;
use crate::base::duration;
use std::collections::HashSet;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// What every reading function needs.
pub(super) struct Context<'a> {
    /// Problems so far.
    pub diagnostics: Diagnostics,
    /// What the command line asks for.
    pub options: &'a Options,
    /// Whether answers of the endpoint that is being read pass as they are.
    pub no_op: bool,
    /// What the backend that is being read may use of others of its endpoint.
    pub earlier: Earlier,
    /// The short name of every namespace that is written anywhere.
    pub namespaces: HashSet<String>,
    /// The name of every named credential that a backend uses.
    pub credentials: HashSet<String>,
    /// The size of the cache that backends share, once one of them has said it.
    pub shared_cache: Option<HttpCache>,
    /// Where relative paths start: the folder of the configuration file.
    pub folder: &'a Path,
}

/// Earlier backends of the endpoint that is being read.
#[derive(Default)]
pub(super) struct Earlier {
    /// Whether the backends are asked one after the other.
    pub sequential: bool,
    /// The position of the backend that is being read.
    pub backend: usize,
    /// What is used of those before it.
    pub fields: Vec<EarlierField>,
}

impl Context<'_> {
    /// Reports a problem at a value. One from an environment variable has no place in the file: its name is told instead.
    pub(super) fn report(&mut self, node: &Node, mut problem: Diagnostic) {
        if node.origin == Origin::Unfilled {
            return;
        }
        if let Origin::Variable(name) = &node.origin {
            problem.code = if problem.code.starts_with('E') { code::OVERRIDE } else { problem.code };
            problem.message = format!("the environment variable `{name}`: {}", problem.message);
            if problem.help.contains("remove") {
                problem.help = format!("unset `{name}`");
            }
        }
        problem.span = node.place();
        self.diagnostics.push(problem);
    }

    /// Reports a problem at a key.
    pub(super) fn report_key(&mut self, member: &Member, mut problem: Diagnostic) {
        if member.value.place().is_none() {
            return self.report(&member.value, problem);
        }
        problem.span = Some(member.key_span.clone());
        self.diagnostics.push(problem);
    }

    /// An error at a value.
    pub(super) fn error(&mut self, node: &Node, code: Code, message: impl Into<String>, help: impl Into<String>) {
        self.report(node, Diagnostic::error(code, None, message).help(help));
    }

    /// A warning at a value.
    pub(super) fn warning(&mut self, node: &Node, code: Code, message: impl Into<String>, help: impl Into<String>) {
        self.report(node, Diagnostic::warning(code, None, message).help(help));
    }

    fn wrong_type(&mut self, node: &Node, expected: &str) {
        let message = format!("expected {expected}, found {}", found(node));
        self.report(node, Diagnostic::error(code::TYPE, None, message).label(format!("expected {expected}")));
    }

    /// A string; a number counts by its digits.
    pub(super) fn string<'d>(&mut self, node: &'d Node) -> Option<&'d str> {
        match &node.value {
            Value::String(text) | Value::Number(text) => Some(text),
            _ => {
                self.wrong_type(node, "a string");
                None
            }
        }
    }

    /// A boolean, or `"true"` or `"false"`.
    pub(super) fn boolean(&mut self, node: &Node) -> Option<bool> {
        match &node.value {
            Value::Bool(value) => return Some(*value),
            Value::String(text) if text.eq_ignore_ascii_case("true") || text == "1" => {
                return Some(true);
            }
            Value::String(text) if text.eq_ignore_ascii_case("false") || text == "0" => {
                return Some(false);
            }
            _ => {}
        }
        if let Value::Number(text) = &node.value
            && matches!(text.as_str(), "0" | "1")
        {
            return Some(text == "1");
        }
        let words = ["yes", "no", "on", "off", "y", "n"];
        let help = match &node.value {
            // YAML 1.1 took these for booleans; YAML 1.2 and JSON do not.
            Value::String(text) if words.iter().any(|word| text.eq_ignore_ascii_case(word)) => {
                "write `true` or `false`"
            }
            _ => "",
        };
        let message = format!("expected a boolean, found {}", found(node));
        let problem = Diagnostic::error(code::TYPE, None, message).label("expected a boolean");
        self.report(node, problem.help(help));
        None
    }

    /// A whole number, or a string of its digits.
    pub(super) fn integer<T: FromStr>(&mut self, node: &Node, expected: &str) -> Option<T> {
        let (Value::Number(text) | Value::String(text)) = &node.value else {
            self.wrong_type(node, expected);
            return None;
        };
        let value = text.trim().parse().ok();
        if value.is_none() {
            let message = format!("expected {expected}, found {}", quoted(node));
            self.report(node, Diagnostic::error(code::TYPE, None, message).label(format!("expected {expected}")));
        }
        value
    }

    /// A duration; a bare number counts nanoseconds, as KrakenD's.
    pub(super) fn duration(&mut self, node: &Node) -> Option<Duration> {
        match &node.value {
            Value::String(text) => match duration::parse(text.trim()) {
                Ok(duration) => Some(duration),
                Err(problem) => {
                    let message = format!("{} is not a duration: {problem}", quoted(node));
                    self.error(node, code::DURATION, message, "write it like `300ms`, `2s` or `1h30m`");
                    None
                }
            },
            Value::Number(text) => self.nanoseconds(node, text),
            _ => {
                self.wrong_type(node, "a duration such as `2s`");
                None
            }
        }
    }

    fn nanoseconds(&mut self, node: &Node, text: &str) -> Option<Duration> {
        let Some(nanos) = text.parse::<i64>().ok().and_then(|nanos| u64::try_from(nanos).ok()) else {
            let message = format!("{} is not a duration", quoted(node));
            self.error(node, code::DURATION, message, "write it like `300ms`, `2s` or `1h30m`");
            return None;
        };
        if nanos != 0 {
            let message = format!("a duration without unit counts nanoseconds: this is {nanos}ns");
            self.warning(node, code::NANOSECONDS, message, format!("write `{nanos}ns`, or the unit that is meant"));
        }
        Some(Duration::from_nanos(nanos))
    }

    /// A list of strings with their places; one string counts as a list of it. Items of another type are reported and left out.
    pub(super) fn strings<'d>(&mut self, node: &'d Node) -> Option<Vec<(&'d str, &'d Node)>> {
        match &node.value {
            Value::Array(items) => {
                Some(items.iter().filter_map(|item| self.string(item).map(|text| (text, item))).collect())
            }
            Value::String(text) => Some(vec![(text, node)]),
            _ => {
                self.wrong_type(node, "a list of strings");
                None
            }
        }
    }

    /// A list; a single object counts as a list of it.
    pub(super) fn list<'d>(&mut self, node: &'d Node) -> Option<&'d [Node]> {
        match &node.value {
            Value::Array(items) => Some(items),
            Value::Object(_) => Some(std::slice::from_ref(node)),
            _ => {
                self.wrong_type(node, "a list");
                None
            }
        }
    }

    /// An object's members as they are.
    pub(super) fn members<'d>(&mut self, node: &'d Node) -> Option<&'d [Member]> {
        if let Value::Object(members) = &node.value {
            return Some(members);
        }
        self.wrong_type(node, "an object");
        None
    }
}

/// The items of a list; anything else counts as a list of it.
pub(super) fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::Array(items) => items,
        _ => std::slice::from_ref(node),
    }
}

/// What stands in the text, in backticks: as much of it as its key lets be shown, never what a `${…}` was filled with.
pub(super) fn quoted(node: &Node) -> String {
    match (&node.origin, &node.value) {
        (Origin::Variable(_) | Origin::Unfilled, _) => "its value".to_owned(),
        (_, Value::String(_) | Value::Number(_)) => format!("`{}`", as_shown(node)),
        _ => node.kind().to_owned(),
    }
}

/// As much of a scalar as its key lets be shown, as it was written.
pub(super) fn as_shown(node: &Node) -> String {
    match (&node.origin, &node.value) {
        (Origin::Interpolated(written), _) => show::in_words(&show::value(node.show, written)),
        (Origin::Text, Value::String(text) | Value::Number(text)) => show::in_words(&show::value(node.show, text)),
        _ => String::new(),
    }
}

/// Whether a text from the file may be shown as a whole.
pub(super) fn is_shown(node: &Node, text: &str) -> bool {
    node.origin == Origin::Text && show::value(node.show, text) == text
}

/// A part of a value in backticks; the whole as it is shown when the part is hidden or may come from a `${…}`.
pub(super) fn quoted_part(node: &Node, part: &str) -> String {
    match &node.value {
        Value::String(text) if node.origin == Origin::Text && show::value(node.show, text).contains(part) => {
            format!("`{part}`")
        }
        _ => quoted(node),
    }
}

fn found(node: &Node) -> &'static str {
    match &node.value {
        Value::String(text) if text.is_empty() => "an empty string",
        _ => node.kind(),
    }
}
