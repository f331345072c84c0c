//! `scope`: the sides a modifier runs on.

use crate::config::code;
use crate::config::diagnostic::Diagnostic;
use crate::config::document::{Member, Node};
use crate::config::model::martian::Sides;
use crate::config::read::{Context, Object, quoted};
use crate::config::suggest;

/// The sides a modifier runs on: those its scope names, all it can run on (`able`) when it has none, and never those
/// that what is around it (`outer`) does not run on.
pub(super) fn sides(cx: &mut Context<'_>, member: &Member, object: &Object<'_>, able: Sides, outer: Sides) -> Sides {
    let node = object.get("scope");
    let (own, clean) = node.map_or((able, true), |node| named(cx, member, node, able));
    let sides = own.and(outer);
    if sides == Sides::NONE && clean && outer != Sides::NONE {
        let message = format!("the modifier {} never runs", member.name());
        let around = own != Sides::NONE;
        let help = if around { "what is around it runs on another side" } else { "name `request` or `response`" };
        let problem = Diagnostic::warning(code::NEVER_RUNS, None, message).help(help);
        match node {
            Some(node) => cx.report(node, problem),
            None => cx.report_key(member, problem),
        }
    }
    sides
}

/// The sides that a scope names, and whether they are all that it should.
fn named(cx: &mut Context<'_>, member: &Member, node: &Node, able: Sides) -> (Sides, bool) {
    let Some(words) = cx.strings(node) else { return (Sides::NONE, false) };
    let (mut sides, mut clean) = (Sides::NONE, true);
    for (word, item) in words {
        let (asked, can) = match word {
            "request" => (&mut sides.request, able.request),
            "response" => (&mut sides.response, able.response),
            _ => {
                let message = format!("{} is no side of a scope", quoted(item));
                cx.error(item, code::SCOPE, message, suggest::did_you_mean_or(word, &["request", "response"]));
                clean = false;
                continue;
            }
        };
        *asked = true;
        if !can {
            let message = format!("the modifier {} cannot run on a {word}", member.name());
            let other = if able.request { "request" } else { "response" };
            cx.error(item, code::SCOPE, message, format!("write `[\"{other}\"]`, or no scope"));
            clean = false;
        }
    }
    (sides, clean)
}
