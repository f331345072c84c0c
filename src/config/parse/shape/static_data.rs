//! `static`: data that an endpoint adds to its answer.

use crate::config::code;
use crate::config::document::{Member, Node, Value};
use crate::config::keys::{Level, STATIC_STRATEGIES};
use crate::config::model::{StaticData, StaticStrategy};
use crate::config::read::{Context, Object, quoted};
use crate::config::suggest;
use serde_json::{Map, Number, Value as Json};

/// Reads the object.
pub(in crate::config::parse) fn static_data(cx: &mut Context<'_>, node: &Node) -> Option<StaticData> {
    let object = Object::open(cx, node, Level::Namespace("proxy.static"))?;
    let strategy = object.get("strategy").map_or(Some(StaticStrategy::Always), |node| strategy(cx, node));
    let Some(data) = object.get("data") else {
        object.missing(cx, "data", "`static`", "add the data that goes into the answer: `\"data\": {…}`");
        return None;
    };
    let data = cx.members(data).and_then(|members| fields(cx, members));
    Some(StaticData { data: data?, strategy: strategy? })
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

fn fields(cx: &mut Context<'_>, members: &[Member]) -> Option<Map<String, Json>> {
    let read: Vec<_> = members.iter().map(|member| Some((member.key.clone(), value(cx, &member.value)?))).collect();
    read.into_iter().collect()
}

fn value(cx: &mut Context<'_>, node: &Node) -> Option<Json> {
    match &node.value {
        Value::Null => Some(Json::Null),
        Value::Bool(value) => Some(Json::Bool(*value)),
        Value::String(text) => Some(Json::String(text.clone())),
        Value::Number(text) => {
            let number: Option<Number> = text.parse().ok();
            if number.is_none() {
                let message = format!("{} is no number that JSON can hold", quoted(node));
                cx.error(node, code::VALUE, message, "write it in decimal digits, or as text");
            }
            number.map(Json::Number)
        }
        Value::Array(items) => {
            let read: Vec<_> = items.iter().map(|item| value(cx, item)).collect();
            read.into_iter().collect::<Option<_>>().map(Json::Array)
        }
        Value::Object(members) => fields(cx, members).map(Json::Object),
    }
}
