//! Reading an object key by key, after what each key's row in the table says.

use super::super::code;
use super::super::diagnostic::{Diagnostic, Span};
use super::super::document::{Member, Node, Value};
use super::super::keys::{self, Key, Level, Support};
use super::super::suggest;
use super::Context;
use std::time::Duration;

/// An object whose keys were checked against the table.
#[derive(Clone)]
pub(in super::super) struct Object<'d> {
    members: &'d [Member],
    /// Where to point when something is missing from it.
    pub head: Span,
}

impl<'d> Object<'d> {
    /// Checks all keys of an object: unknown ones, and those porteur does not carry out.
    pub(crate) fn open(cx: &mut Context<'_>, node: &'d Node, level: Level) -> Option<Self> {
        let members = cx.members(node)?;
        for member in members {
            check(cx, member, level);
        }
        Some(Self { members, head: head(node, members) })
    }

    /// An object that was opened before: what there is to report about its keys was reported.
    pub(crate) fn again(node: &'d Node) -> Option<Self> {
        match &node.value {
            Value::Object(members) => Some(Self { members, head: head(node, members) }),
            _ => None,
        }
    }

    /// The member of a key: the exact spelling first, else any case. `null` counts as absent.
    pub(crate) fn member(&self, key: &str) -> Option<&'d Member> {
        let exact = self.members.iter().find(|member| member.key == key);
        let found = exact.or_else(|| self.members.iter().find(|member| member.key.eq_ignore_ascii_case(key)));
        found.filter(|member| member.value.value != Value::Null)
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&'d Node> {
        self.member(key).map(|member| &member.value)
    }

    /// A string.
    pub(crate) fn string(&self, cx: &mut Context<'_>, key: &str) -> Option<&'d str> {
        self.get(key).and_then(|node| cx.string(node))
    }

    /// A boolean, `false` unless set.
    pub(crate) fn boolean(&self, cx: &mut Context<'_>, key: &str) -> bool {
        self.get(key).and_then(|node| cx.boolean(node)).unwrap_or(false)
    }

    /// A duration, `None` also for 0: KrakenD's "not set".
    pub(crate) fn duration(&self, cx: &mut Context<'_>, key: &str) -> Option<Duration> {
        self.get(key).and_then(|node| cx.duration(node)).filter(|duration| !duration.is_zero())
    }

    /// Reports a missing key where the object begins.
    pub(crate) fn missing(&self, cx: &mut Context<'_>, key: &str, whose: &str, help: &str) {
        let message = format!("{whose} has no `{key}`");
        cx.diagnostics.push(Diagnostic::error(code::MISSING, Some(self.head.clone()), message).help(help));
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
        Support::Decoded if !cx.no_op => return,
        Support::Observed(_) | Support::Refused(_) | Support::Decoded if asks_for_nothing(&member.value, &[]) => return,
        Support::Decoded => {
            let message = format!("`{name}` has no effect: no-op passes answers as they are");
            Diagnostic::warning(code::NO_EFFECT, None, message).help("remove it")
        }
        Support::NotYet { what, .. } => {
            Diagnostic::error(code::NOT_BUILT, None, format!("`{name}` is known but not built yet"))
                .label(what)
                .help("porteur does not do this yet; remove the key to go without it")
        }
        Support::Refused(reason) => {
            Diagnostic::error(code::REFUSED, None, format!("`{name}` is refused")).label("remove it").help(reason)
        }
        Support::Observed(reason) => {
            Diagnostic::warning(code::NO_EFFECT, None, format!("`{name}` has no effect")).help(reason)
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
        // Without such a switch an empty object switches nothing on; with one it does.
        Value::Object(members) if fine.is_empty() => members.is_empty(),
        Value::Object(members) => members.iter().any(|member| {
            let on = match &member.value.value {
                Value::Bool(on) => *on,
                Value::String(text) => text.eq_ignore_ascii_case("true"),
                _ => false,
            };
            on && fine.iter().any(|switch| switch.eq_ignore_ascii_case(&member.key))
        }),
        Value::Number(text) | Value::String(text) => {
            ["", "0", "0s", "false"].contains(&text.as_str()) || fine.iter().any(|fine| fine.eq_ignore_ascii_case(text))
        }
    }
}

fn unknown(cx: &mut Context<'_>, member: &Member, level: Level) {
    let message = match level {
        Level::Namespace(_) => format!("unknown key {} in {}", member.name(), level.phrase()),
        _ => format!("unknown key {} on {}", member.name(), level.phrase()),
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

/// So many keys can be listed in a help line.
const FEW: usize = 6;

fn belongs_elsewhere(key: &str, here: Level) -> String {
    let levels = [Level::Endpoint, Level::Backend, Level::Root, Level::Namespace("auth/client-credentials")];
    match levels.into_iter().find(|level| *level != here && level.key(key).is_some()) {
        Some(Level::Namespace(name)) => {
            format!("`{key}` belongs into `{name}` in the `extra_config` of a backend")
        }
        Some(level) => format!("`{key}` belongs to {}", level.phrase()),
        None if keys::namespace(key).is_some() => format!("`{key}` belongs into `extra_config`"),
        None if here.keys().len() <= FEW => {
            let names: Vec<_> = here.keys().iter().map(|key| format!("`{}`", key.name)).collect();
            format!("the keys here are {}", names.join(", "))
        }
        None => "a name that begins with `@` or `#` is a comment".to_owned(),
    }
}
