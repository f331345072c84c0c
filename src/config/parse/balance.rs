//! `extra_config.balance` of a backend: how an address is chosen, when one is left out, when a request is sent again.

use super::super::code;
use super::super::document::Node;
use super::super::keys::{Level, POLICIES};
use super::super::model::{Balance, HealthCheck, Outlier, Policy, Retries};
use super::super::read::{Context, Object, items, quoted};
use super::super::suggest;
use http::StatusCode;
use http::uri::PathAndQuery;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Health checks more often than this would be traffic of their own.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

/// Reads the namespace. Something wrong in it is reported, and then counts as not written.
pub(super) fn balance(cx: &mut Context<'_>, node: Option<&Node>) -> Balance {
    let mut balance = Balance::unless_written();
    let Some(object) = node.and_then(|node| Object::open(cx, node, Level::Namespace("balance"))) else {
        return balance;
    };
    balance.policy = object.get("policy").and_then(|node| policy(cx, node)).unwrap_or_default();
    if let Some(node) = object.get("outlier") {
        balance.outlier = outlier(cx, node);
    }
    balance.health = object.get("health").and_then(|node| health(cx, node));
    balance.retries = object.get("retries").map(|node| retries(cx, node)).unwrap_or_default();
    balance
}

fn policy(cx: &mut Context<'_>, node: &Node) -> Option<Policy> {
    match cx.string(node)? {
        "round_robin" => Some(Policy::RoundRobin),
        "least_request" => Some(Policy::LeastRequest),
        text => {
            let help = suggest::did_you_mean(text, POLICIES.iter().copied());
            let help = if help.is_empty() { "write `round_robin` or `least_request`".to_owned() } else { help };
            cx.error(node, code::VALUE, format!("unknown policy {}", quoted(node)), help);
            None
        }
    }
}

fn outlier(cx: &mut Context<'_>, node: &Node) -> Option<Outlier> {
    let default = Outlier::default();
    let object = Object::open(cx, node, Level::Namespace("balance.outlier"))?;
    let failures = number(cx, &object, "consecutive_failures", 0..=1_000_000).unwrap_or(default.consecutive_failures);
    let outlier = Outlier {
        consecutive_failures: failures,
        server_errors: object.boolean(cx, "server_errors"),
        base_ejection_time: object.duration(cx, "base_ejection_time").unwrap_or(default.base_ejection_time),
        max_ejection_time: object.duration(cx, "max_ejection_time").unwrap_or(default.max_ejection_time),
    };
    if let Some(node) = object.get("max_ejection_time").or_else(|| object.get("base_ejection_time"))
        && outlier.max_ejection_time < outlier.base_ejection_time
    {
        let message = "`max_ejection_time` is shorter than `base_ejection_time`";
        cx.error(
            node,
            code::VALUE,
            message,
            "the first ejection lasts `base_ejection_time`, none longer than the other",
        );
    }
    (failures > 0).then_some(outlier)
}

fn health(cx: &mut Context<'_>, node: &Node) -> Option<HealthCheck> {
    let object = Object::open(cx, node, Level::Namespace("balance.health"))?;
    let path = path(cx, &object);
    let interval = object.duration(cx, "interval").unwrap_or(Duration::from_secs(10));
    if let Some(node) = object.get("interval").filter(|_| interval < LEAST_INTERVAL) {
        cx.error(node, code::VALUE, "`interval` is shorter than 100ms", "a few seconds are usual");
    }
    let timeout = object.duration(cx, "timeout").unwrap_or(Duration::from_secs(2));
    let healthy = number(cx, &object, "healthy", 1..=1000).unwrap_or(2);
    let unhealthy = number(cx, &object, "unhealthy", 1..=1000).unwrap_or(3);
    let statuses = object.get("status").map_or_else(|| vec![StatusCode::OK], |node| statuses(cx, node, "status", 200));
    Some(HealthCheck { path: path?, interval, timeout, healthy, unhealthy, statuses })
}

fn path(cx: &mut Context<'_>, object: &Object<'_>) -> Option<String> {
    const HELP: &str = "write a path such as `/health`";
    let Some(node) = object.get("path") else {
        object.missing(cx, "path", "`health`", HELP);
        return None;
    };
    let text = cx.string(node)?;
    if text.starts_with('/') && text.parse::<PathAndQuery>().is_ok() {
        return Some(text.to_owned());
    }
    cx.error(node, code::VALUE, format!("{} is not a path", quoted(node)), HELP);
    None
}

/// At least one good status, or nothing would ever be well.
pub(super) fn statuses(cx: &mut Context<'_>, node: &Node, key: &str, least: u16) -> Vec<StatusCode> {
    let expected = format!("a status from {least} to 599");
    let mut statuses = Vec::new();
    for item in items(node) {
        let Some(number) = cx.integer::<u16>(item, &expected) else { continue };
        match StatusCode::from_u16(number).ok().filter(|_| (least..600).contains(&number)) {
            Some(status) => statuses.push(status),
            None => cx.error(item, code::VALUE, format!("{} is not a status", quoted(item)), "200 is usual"),
        }
    }
    if items(node).is_empty() {
        let message = format!("`{key}` lists no status");
        cx.error(node, code::VALUE, message, "list the statuses of good answers: `[200]`");
    }
    statuses
}

fn retries(cx: &mut Context<'_>, node: &Node) -> Retries {
    let default = Retries::default();
    let Some(object) = Object::open(cx, node, Level::Namespace("balance.retries")) else { return default };
    let attempts = number(cx, &object, "max_attempts", 1..=16);
    Retries {
        max_attempts: attempts.and_then(|attempts| u8::try_from(attempts).ok()).unwrap_or(default.max_attempts),
        budget_percent: number(cx, &object, "budget_percent", 0..=1000).unwrap_or(default.budget_percent),
        min_per_second: number(cx, &object, "min_per_second", 0..=1_000_000).unwrap_or(default.min_per_second),
    }
}

/// A whole number of a key, within these bounds.
pub(super) fn number(cx: &mut Context<'_>, object: &Object<'_>, key: &str, bounds: RangeInclusive<u32>) -> Option<u32> {
    let node = object.get(key)?;
    let expected = format!("a whole number from {} to {}", bounds.start(), bounds.end());
    let number: u32 = cx.integer(node, &expected)?;
    if !bounds.contains(&number) {
        cx.error(node, code::VALUE, format!("expected {expected}, found {}", quoted(node)), "");
        return None;
    }
    Some(number)
}
