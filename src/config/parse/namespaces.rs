//! The names in an `extra_config`: which of them porteur carries out here, and a word about each other one.

use super::super::code;
use super::super::diagnostic::{Diagnostic, Severity};
use super::super::document::{Member, Node, Value};
use super::super::keys::{self, Level, NAMESPACES, Namespace, Support};
use super::super::read::Context;
use super::super::suggest;

/// The built namespaces of one `extra_config`.
pub(super) struct Namespaces<'d>(Vec<(&'static str, &'d Node)>);

impl<'d> Namespaces<'d> {
    /// Reports every name that is not carried out at this level.
    pub(super) fn open(cx: &mut Context<'_>, node: Option<&'d Node>, level: Level) -> Self {
        let mut built: Vec<(&'static str, &'d Node)> = Vec::new();
        let members = node.and_then(|node| cx.members(node)).unwrap_or_default();
        for member in members {
            let Some(name) = check(cx, member, level) else {
                continue;
            };
            if built.iter().any(|(other, _)| *other == name) {
                let message = format!("`{name}` is written twice, under its old and its new name");
                cx.report_key(
                    member,
                    Diagnostic::error(code::DUPLICATE_KEY, None, message).help("keep one of the two"),
                );
            } else {
                built.push((name, &member.value));
            }
        }
        Self(built)
    }

    /// The value of a namespace.
    pub(super) fn get(&self, name: &str) -> Option<&'d Node> {
        self.0.iter().find(|(built, _)| *built == name).map(|(_, node)| *node)
    }
}

/// Whether the command line may let this namespace pass.
pub(super) fn may_be_allowed(name: &str) -> bool {
    !name.starts_with("auth/") && !name.starts_with("security/")
}

/// The short name, if the namespace is to be read.
fn check(cx: &mut Context<'_>, member: &Member, level: Level) -> Option<&'static str> {
    let written = member.key.as_str();
    if keys::is_comment(written) {
        return None;
    }
    let name = keys::modern_name(written).unwrap_or(written);
    cx.namespaces.insert(name.to_owned());
    if matches!(member.value.value, Value::Null | Value::Bool(false)) {
        if !may_be_allowed(name) && keys::namespace(name).is_some() {
            let message = format!("`{name}` is switched off, and requests pass without it");
            let problem = Diagnostic::warning(code::SWITCHED_OFF, None, message);
            cx.report_key(member, problem.help("remove it if this is meant"));
        }
        return None;
    }
    if name != written {
        let message = format!("`{written}` is an old name");
        let problem = Diagnostic::warning(code::LEGACY_NAME, None, message).help(format!("write `{name}`"));
        cx.report_key(member, problem);
    }
    let Some(row) = keys::namespace(name) else {
        let problem = unknown(cx, name, &member.name());
        cx.report_key(member, problem);
        return None;
    };
    // What is refused everywhere need not be moved first.
    if !row.levels.contains(&level) && !matches!(row.support, Support::Refused(_)) {
        let problem = misplaced(cx, row, level);
        cx.report_key(member, problem);
        return None;
    }
    match decide(cx, row) {
        None => Some(row.name),
        Some(problem) => {
            cx.report_key(member, problem);
            None
        }
    }
}

fn decide(cx: &Context<'_>, row: &Namespace) -> Option<Diagnostic> {
    let name = row.name;
    match row.support {
        Support::Supported | Support::Decoded | Support::Ignored(_) => None,
        Support::Observed(what) => {
            let message = format!("`{name}` is known but not built yet, and is ignored");
            Some(Diagnostic::warning(code::NOT_OBSERVED, None, message).label(what))
        }
        Support::NotYet { what, .. } => {
            let message = format!("`{name}` is known but not built yet");
            Some(unsupported(cx, name, &format!("`{name}`"), code::NOT_BUILT, message).label(what))
        }
        Support::Refused(reason) => {
            let message = format!("`{name}` is refused: {reason}");
            Some(unsupported(cx, name, &format!("`{name}`"), code::REFUSED, message))
        }
    }
}

fn unknown(cx: &Context<'_>, name: &str, shown: &str) -> Diagnostic {
    if name.starts_with("telemetry/") || name.starts_with("documentation/") {
        let message = format!("{shown} is not built, and is ignored");
        return Diagnostic::warning(code::NOT_OBSERVED, None, message);
    }
    let problem = unsupported(cx, name, shown, code::UNKNOWN_NAMESPACE, format!("unknown namespace {shown}"));
    match suggest::did_you_mean(name, NAMESPACES.iter().map(|row| row.name)) {
        help if help.is_empty() => problem,
        help => problem.help(help),
    }
}

fn misplaced(cx: &Context<'_>, row: &Namespace, level: Level) -> Diagnostic {
    let message = format!("`{}` does not belong on {}", row.name, level.phrase());
    if let Support::NotYet { .. } = row.support {
        let message =
            format!("`{}` does not belong on {}, and is not built yet where it does", row.name, level.phrase());
        let shown = format!("`{}`", row.name);
        return unsupported(cx, row.name, &shown, code::WRONG_LEVEL, message).label("would be ignored here");
    }
    let homes: Vec<_> = row.levels.iter().map(|level| level.phrase()).collect();
    let help = format!("move it into the `extra_config` of {}", homes.join(" or "));
    unsupported(cx, row.name, &format!("`{}`", row.name), code::WRONG_LEVEL, message)
        .label("would be ignored here")
        .help(help)
}

/// An error, or a warning when the command line lets this namespace pass.
fn unsupported(cx: &Context<'_>, name: &str, shown: &str, code: code::Code, message: String) -> Diagnostic {
    let allowed = may_be_allowed(name)
        && cx.options.allow_unsupported.iter().any(|allowed| keys::modern_name(allowed).unwrap_or(allowed) == name);
    if allowed {
        let message = format!("{shown} is ignored, as `--allow-unsupported` says");
        return Diagnostic::warning(code::ALLOWED, None, message);
    }
    let help = if may_be_allowed(name) {
        format!("remove it, or start with `--allow-unsupported {}` to go without it", shown.trim_matches('`'))
    } else {
        "remove it only if the service is safe without it".to_owned()
    };
    Diagnostic::new(Severity::Error, code, None, message).help(help)
}
