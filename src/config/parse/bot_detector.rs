//! `extra_config."security/bot-detector"` of the service and of endpoints.

use super::super::code;
use super::super::diagnostic::Diagnostic;
use super::super::document::Node;
use super::super::keys::Level;
use super::super::model::BotRules;
use super::super::read::{Context, Object};
use super::patterns::patterns;
use regex::bytes::RegexSet;

/// Reads the namespace.
pub(super) fn bot_rules(cx: &mut Context<'_>, node: Option<&Node>) -> Option<BotRules> {
    let object = Object::open(cx, node?, Level::Namespace("security/bot-detector"))?;
    let patterns = object.get("patterns").map_or_else(|| Some(RegexSet::empty()), |list| patterns(cx, list, false));
    let (allow, deny) = (user_agents(cx, &object, "allow"), user_agents(cx, &object, "deny"));
    let empty_user_agent_is_bot = object.boolean(cx, "empty_user_agent_is_bot");
    let rules = BotRules { allow, deny, patterns: patterns?, empty_user_agent_is_bot };
    if rules.deny.is_empty() && rules.patterns.is_empty() && !rules.empty_user_agent_is_bot {
        let message = "`security/bot-detector` refuses nobody: it has neither `deny` nor `patterns`";
        let problem = Diagnostic::warning(code::SWITCHED_OFF, Some(object.head.clone()), message);
        cx.diagnostics.push(problem.help("name bots in `deny`, or describe them in `patterns`"));
    }
    Some(rules)
}

fn user_agents(cx: &mut Context<'_>, object: &Object<'_>, key: &str) -> Vec<String> {
    let items = object.get(key).and_then(|node| cx.strings(node)).unwrap_or_default();
    items.into_iter().map(|(text, _)| text.to_owned()).collect()
}
