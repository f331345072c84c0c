//! `static`: data that an endpoint adds to its answer.

use crate::config::code;
use crate::config::document::{Node, Value};
use crate::config::keys::{Level, STATIC_STRATEGIES};
use crate::config::model::{StaticData, StaticStrategy};
use crate::config::read::{Context, Object, quoted};
use crate::config::suggest;
use serde_json::{Number, Value as Json};
use std::ops::BitAnd;

/// Reads the object.
pub(in crate::config::parse) fn static_data(cx: &mut Context<'_>, node: &Node) -> Option<StaticData> {
    let object = Object::open(cx, node, Level::Namespace("proxy.static"))?;
    let strategy = object.get("strategy").map_or(Some(StaticStrategy::Always), |node| strategy(cx, node));
    let Some(data) = object.get("data") else {
        object.missing(cx, "data", "`static`", "add the data that goes into the answer: `\"data\": {…}`");
        return None;
    };
    cx.members(data)?;
    let data = is_json(cx, data).then(|| data.to_json());
    let Some(Json::Object(data)) = data else { return None };
    Some(StaticData { data, strategy: strategy? })
}

fn strategy(cx: &mut Context<'_>, node: &Node) -> Option<StaticStrategy> {
    match cx.string(node)? {
        "always" => Some(StaticStrategy::Always),
        "success" => Some(StaticStrategy::Success),
        "errored" => Some(StaticStrategy::Errored),
        "complete" => Some(StaticStrategy::Complete),
        "incomplete" => Some(StaticStrategy::Incomplete),
        other => {
            let message = format!("{} is no strategy of `static`", quoted(node));
            cx.error(node, code::VALUE, message, suggest::did_you_mean_or(other, STATIC_STRATEGIES));
            None
        }
    }
}

/// Whether JSON can hold it: YAML has numbers that JSON has not, such as `.inf`.
fn is_json(cx: &mut Context<'_>, node: &Node) -> bool {
    match &node.value {
        Value::Array(items) => items.iter().map(|item| is_json(cx, item)).fold(true, BitAnd::bitand),
        Value::Object(members) => members.iter().map(|member| is_json(cx, &member.value)).fold(true, BitAnd::bitand),
        Value::Number(text) if text.parse::<Number>().is_err() => {
            let message = format!("{} is no number that JSON can hold", quoted(node));
            cx.error(node, code::VALUE, message, "write it in decimal digits, or as text");
            false
        }
        _ => true,
    }
}
