//! Reading a [`Document`](super::document) object key by key: types, as loosely as KrakenD takes them, and what each key's row
//! in the table says. Every problem is gathered; a value that cannot be used is `None`.

use super::code::{self, Code};
use super::diagnostic::{Diagnostic, Diagnostics, Span};
use super::document::{Member, Node, Origin, Value};
use super::keys::{self, Key, Level, Support};
use super::{Options, suggest};
use crate::base::duration;
use std::str::FromStr;
use std::time::Duration;

/// What every reading function needs.
pub(super) struct Context<'a> {
    /// Problems so far.
    pub diagnostics: Diagnostics,
    /// What the command line asks for.
    pub options: &'a Options,
}

impl Context<'_> {
    /// Reports a problem at a value. One from an environment variable has no place in the file: its name is told instead.
    pub fn report(&mut self, node: &Node, mut problem: Diagnostic) {
        if let Origin::Variable(name) = &node.origin {
            problem.code = if problem.code.starts_with('E') {
                code::OVERRIDE
            } else {
                problem.code
            };
            problem.message = format!("the environment variable `{name}`: {}", problem.message);
        }
        problem.span = node.place();
        self.diagnostics.push(problem);
    }

    /// Reports a problem at a key.
    pub fn report_key(&mut self, member: &Member, mut problem: Diagnostic) {
        if member.value.place().is_none() {
            return self.report(&member.value, problem);
        }
        problem.span = Some(member.key_span.clone());
        self.diagnostics.push(problem);
    }

    /// An error at a value.
    pub fn error(
        &mut self,
        node: &Node,
        code: Code,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.report(node, Diagnostic::error(code, None, message).help(help));
    }

    /// A warning at a value.
    pub fn warning(
        &mut self,
        node: &Node,
        code: Code,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.report(node, Diagnostic::warning(code, None, message).help(help));
    }

    fn wrong_type(&mut self, node: &Node, expected: &str) {
        let message = format!("expected {expected}, found {}", found(node));
        self.report(
            node,
            Diagnostic::error(code::TYPE, None, message).label(format!("expected {expected}")),
        );
    }

    /// A string; a number counts by its digits.
    pub fn string<'d>(&mut self, node: &'d Node) -> Option<&'d str> {
        match &node.value {
            Value::String(text) | Value::Number(text) => Some(text),
            _ => {
                self.wrong_type(node, "a string");
                None
            }
        }
    }

    /// A boolean, or `"true"` or `"false"`.
    pub fn boolean(&mut self, node: &Node) -> Option<bool> {
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
        self.wrong_type(node, "a boolean");
        None
    }

    /// A whole number, or a string of its digits.
    pub fn integer<T: FromStr>(&mut self, node: &Node, expected: &str) -> Option<T> {
        let (Value::Number(text) | Value::String(text)) = &node.value else {
            self.wrong_type(node, expected);
            return None;
        };
        let value = text.trim().parse().ok();
        if value.is_none() {
            let message = format!("expected {expected}, found {}", quoted(node));
            self.report(
                node,
                Diagnostic::error(code::TYPE, None, message).label(format!("expected {expected}")),
            );
        }
        value
    }

    /// A duration; a bare number counts nanoseconds, as KrakenD's.
    pub fn duration(&mut self, node: &Node) -> Option<Duration> {
        match &node.value {
            Value::String(text) => match duration::parse(text.trim()) {
                Ok(duration) => Some(duration),
                Err(problem) => {
                    let message = format!("{} is not a duration: {problem}", quoted(node));
                    self.error(
                        node,
                        code::DURATION,
                        message,
                        "write it like `300ms`, `2s` or `1h30m`",
                    );
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
        let Some(nanos) = text
            .parse::<i64>()
            .ok()
            .and_then(|nanos| u64::try_from(nanos).ok())
        else {
            let message = format!("{} is not a duration", quoted(node));
            self.error(
                node,
                code::DURATION,
                message,
                "write it like `300ms`, `2s` or `1h30m`",
            );
            return None;
        };
        if nanos != 0 {
            let message = format!("a duration without unit counts nanoseconds: this is {nanos}ns");
            self.warning(
                node,
                code::NANOSECONDS,
                message,
                format!("write `{nanos}ns`, or the unit that is meant"),
            );
        }
        Some(Duration::from_nanos(nanos))
    }

    /// A list of strings with their places; one string counts as a list of it. Items of another type are reported and left out.
    pub fn strings<'d>(&mut self, node: &'d Node) -> Option<Vec<(&'d str, &'d Node)>> {
        match &node.value {
            Value::Array(items) => Some(
                items
                    .iter()
                    .filter_map(|item| self.string(item).map(|text| (text, item)))
                    .collect(),
            ),
            Value::String(text) => Some(vec![(text, node)]),
            _ => {
                self.wrong_type(node, "a list of strings");
                None
            }
        }
    }

    /// A list; a single object counts as a list of it.
    pub fn list<'d>(&mut self, node: &'d Node) -> Option<&'d [Node]> {
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
    pub fn members<'d>(&mut self, node: &'d Node) -> Option<&'d [Member]> {
        match &node.value {
            Value::Object(members) => Some(members),
            _ => {
                self.wrong_type(node, "an object");
                None
            }
        }
    }
}

/// What stands in the text, in backticks and cut to a length people read. Never what a `${…}` was filled with.
pub(super) fn quoted(node: &Node) -> String {
    let text = match (&node.origin, &node.value) {
        (Origin::Variable(_), _) => return "its value".to_owned(),
        (Origin::Interpolated(written), _) => written,
        (Origin::Text, Value::String(text) | Value::Number(text)) => text,
        _ => return node.kind().to_owned(),
    };
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("`{}…`", text.get(..end).unwrap_or_default()),
        None => format!("`{text}`"),
    }
}

/// A part of a value in backticks; the whole as written when the part may come from a `${…}`.
pub(super) fn quoted_part(node: &Node, part: &str) -> String {
    match node.origin {
        Origin::Text => format!("`{part}`"),
        _ => quoted(node),
    }
}

fn found(node: &Node) -> &'static str {
    match &node.value {
        Value::String(text) if text.is_empty() => "an empty string",
        _ => node.kind(),
    }
}

/// An object whose keys were checked against the table.
pub(super) struct Object<'d> {
    members: &'d [Member],
    /// Where to point when something is missing from it.
    pub head: Span,
}

impl<'d> Object<'d> {
    /// Checks all keys of an object: unknown ones, and those porteur does not carry out.
    pub fn open(cx: &mut Context<'_>, node: &'d Node, level: Level) -> Option<Self> {
        let members = cx.members(node)?;
        for member in members {
            check(cx, member, level);
        }
        Some(Self {
            members,
            head: head(node, members),
        })
    }

    /// The member of a key: the exact spelling first, else any case. `null` counts as absent.
    pub fn member(&self, key: &str) -> Option<&'d Member> {
        let exact = self.members.iter().find(|member| member.key == key);
        let found = exact.or_else(|| {
            self.members
                .iter()
                .find(|member| member.key.eq_ignore_ascii_case(key))
        });
        found.filter(|member| member.value.value != Value::Null)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&'d Node> {
        self.member(key).map(|member| &member.value)
    }

    /// A string.
    pub fn string(&self, cx: &mut Context<'_>, key: &str) -> Option<&'d str> {
        self.get(key).and_then(|node| cx.string(node))
    }

    /// A boolean, `false` unless set.
    pub fn boolean(&self, cx: &mut Context<'_>, key: &str) -> bool {
        self.get(key)
            .and_then(|node| cx.boolean(node))
            .unwrap_or(false)
    }

    /// A duration, `None` also for 0: KrakenD's "not set".
    pub fn duration(&self, cx: &mut Context<'_>, key: &str) -> Option<Duration> {
        self.get(key)
            .and_then(|node| cx.duration(node))
            .filter(|duration| !duration.is_zero())
    }

    /// Reports a missing key where the object begins.
    pub fn missing(&self, cx: &mut Context<'_>, key: &str, whose: &str, help: &str) {
        let message = format!("{whose} has no `{key}`");
        cx.diagnostics
            .push(Diagnostic::error(code::MISSING, Some(self.head.clone()), message).help(help));
    }
}

/// The brace in JSON, the first key in YAML.
fn head(node: &Node, members: &[Member]) -> Span {
    match members.iter().find(|member| member.value.place().is_some()) {
        Some(first) if first.key_span.start <= node.span.start => first.key_span.clone(),
        _ => node.span.start..node.span.end.min(node.span.start + 1),
    }
}

fn check(cx: &mut Context<'_>, member: &Member, level: Level) {
    match level.key(&member.key) {
        Some(key) => check_support(cx, member, key),
        None if keys::is_comment(&member.key) => {}
        None => unknown(cx, member, level),
    }
}

fn check_support(cx: &mut Context<'_>, member: &Member, key: &Key) {
    let name = key.name;
    let problem = match key.support {
        Support::Supported | Support::Ignored(_) => return,
        Support::NotYet { fine, .. } if asks_for_nothing(&member.value, fine) => return,
        Support::Observed(_) | Support::Refused(_) if asks_for_nothing(&member.value, &[]) => {
            return;
        }
        Support::NotYet { what, .. } => Diagnostic::error(
            code::NOT_BUILT,
            None,
            format!("`{name}` is known but not built yet"),
        )
        .label(what)
        .help("porteur does not do this yet; remove the key to go without it"),
        Support::Refused(reason) => {
            Diagnostic::error(code::REFUSED, None, format!("`{name}` is refused"))
                .label("remove it")
                .help(reason)
        }
        Support::Observed(reason) => {
            Diagnostic::warning(code::NO_EFFECT, None, format!("`{name}` has no effect"))
                .help(reason)
        }
    };
    cx.report_key(member, problem);
}

/// Values that switch nothing on.
fn asks_for_nothing(node: &Node, fine: &[&str]) -> bool {
    match &node.value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Number(text) | Value::String(text) => {
            ["", "0", "0s", "false"].contains(&text.as_str())
                || fine.iter().any(|fine| fine.eq_ignore_ascii_case(text))
        }
    }
}

fn unknown(cx: &mut Context<'_>, member: &Member, level: Level) {
    let message = match level {
        Level::Namespace(_) => format!("unknown key `{}` in {}", member.key, level.phrase()),
        _ => format!("unknown key `{}` on {}", member.key, level.phrase()),
    };
    let known = level.keys().iter().map(|key| key.name);
    let help = match suggest::did_you_mean(&member.key, known) {
        help if help.is_empty() => belongs_elsewhere(&member.key, level),
        help => help,
    };
    let problem = match level {
        Level::Namespace(_) => Diagnostic::error(code::UNKNOWN_KEY, None, message),
        _ => Diagnostic::warning(code::IGNORED_KEY, None, message).label("has no effect"),
    };
    cx.report_key(member, problem.help(help));
}

fn belongs_elsewhere(key: &str, here: Level) -> String {
    let levels = [
        Level::Endpoint,
        Level::Backend,
        Level::Root,
        Level::Namespace("auth/client-credentials"),
    ];
    match levels
        .into_iter()
        .find(|level| *level != here && level.key(key).is_some())
    {
        Some(Level::Namespace(name)) => {
            format!("`{key}` belongs into `{name}` in the `extra_config` of a backend")
        }
        Some(level) => format!("`{key}` belongs to {}", level.phrase()),
        None if keys::namespace(key).is_some() => format!("`{key}` belongs into `extra_config`"),
        None => "a name that begins with `@` or `#` is a comment".to_owned(),
    }
}
