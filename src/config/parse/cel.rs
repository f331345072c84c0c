//! `validation/cel`: a list of expressions.

use super::super::code;
use super::super::document::Node;
use super::super::keys::Level;
use super::super::model::{Condition, ConditionError, Variable};
use super::super::read::{Context, Object, quoted_part};
use super::super::suggest;

/// Reads the namespace; nothing without it. An expression that is wrong is an error: KrakenD would let every request pass it.
pub(super) fn conditions(cx: &mut Context<'_>, node: Option<&Node>) -> Vec<Condition> {
    let entries = node.and_then(|node| cx.list(node)).unwrap_or_default();
    entries.iter().filter_map(|entry| condition(cx, entry)).collect()
}

fn condition(cx: &mut Context<'_>, node: &Node) -> Option<Condition> {
    let object = Object::open(cx, node, Level::Namespace("validation/cel"))?;
    let Some(node) = object.get("check_expr") else {
        object.missing(cx, "check_expr", "a condition", "add `\"check_expr\": \"req_method == 'GET'\"`, for one");
        return None;
    };
    let text = cx.string(node)?;
    match Condition::parse(text) {
        Ok(condition) => Some(condition),
        Err(problem) => {
            report(cx, node, &problem);
            None
        }
    }
}

fn report(cx: &mut Context<'_>, node: &Node, problem: &ConditionError) {
    let code = if *problem == ConditionError::Token { code::NOT_BUILT } else { code::CEL };
    let message = match problem {
        ConditionError::Variable(name) | ConditionError::Function(name) => {
            format!("{problem}: {}", quoted_part(node, name))
        }
        _ => problem.to_string(),
    };
    cx.error(node, code, message, help(problem));
}

fn help(problem: &ConditionError) -> String {
    let fixed = match problem {
        ConditionError::Variable(name) => {
            let known: Vec<_> = Variable::ALL.iter().map(|(name, _)| *name).collect();
            return suggest::did_you_mean_or(name, &known);
        }
        ConditionError::Long | ConditionError::Deep => "split it into several: all of them must hold",
        ConditionError::Syntax { .. } => "strings stand in quotes; `&&`, `||` and `!` are and, or and not",
        ConditionError::Function(_) => "the functions are those of the CEL standard, without extensions",
        ConditionError::Message => "compare with a list or a map",
        ConditionError::Pattern => "patterns are Go's: no look-around, no back-references",
        ConditionError::Mixed => "split it into one with `req_…` and one with `resp_…`",
        ConditionError::Token => {
            "it is what `auth/validator` finds in the client's token; remove the expression to go without it"
        }
    };
    fixed.to_owned()
}
