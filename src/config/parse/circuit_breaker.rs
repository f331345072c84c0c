//! `qos/circuit-breaker` and, of KrakenD EE, `qos/circuit-breaker/http`: when nothing more is sent to a backend for a while.

use super::super::code;
use super::super::document::Node;
use super::super::keys::Level;
use super::super::model::CircuitBreaker;
use super::super::read::{Context, Object};
use super::balance::{number, statuses};
use super::namespaces::Namespaces;
use http::StatusCode;
use std::ops::RangeInclusive;
use std::time::Duration;

const PLAIN: &str = "qos/circuit-breaker";
const BY_STATUS: &str = "qos/circuit-breaker/http";

/// A day is longer than anybody waits.
const SECONDS: RangeInclusive<u32> = 0..=86_400;

/// What KrakenD's state machine takes 0 for.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Reads the one of the two that a backend has. KrakenD takes both, though its documentation says not to.
pub(super) fn circuit_breaker(cx: &mut Context<'_>, namespaces: &Namespaces<'_>) -> Option<CircuitBreaker> {
    let (plain, by_status) = (namespaces.get(PLAIN), namespaces.get(BY_STATUS));
    if let (Some(_), Some(node)) = (plain, by_status) {
        let message = format!("the backend has two circuit breakers, `{PLAIN}` and `{BY_STATUS}`");
        cx.error(node, code::TWO_BREAKERS, message, "keep one of the two: each would hide failures from the other");
    }
    let plain = plain.and_then(|node| read(cx, node, PLAIN));
    by_status.map_or(plain, |node| read(cx, node, BY_STATUS))
}

/// KrakenD's schema wants all but name and log; without a number it would take 0, which for `max_errors` means that a single
/// failure is enough.
fn read(cx: &mut Context<'_>, node: &Node, namespace: &'static str) -> Option<CircuitBreaker> {
    let object = Object::open(cx, node, Level::Namespace(namespace))?;
    let mut required = |key, bounds, example| {
        let is_there = is_there(cx, &object, namespace, key, example);
        is_there.then(|| number(cx, &object, key, bounds)).flatten()
    };
    let interval = required("interval", SECONDS, "`\"interval\": 60`");
    let timeout = required("timeout", SECONDS, "`\"timeout\": 10`");
    let max_errors = required("max_errors", 0..=1_000_000, "`\"max_errors\": 3`");
    let valid_status_codes = (namespace == BY_STATUS).then(|| valid_status_codes(cx, &object));
    let name = object.string(cx, "name").filter(|name| !name.is_empty()).map(str::to_owned);
    let log_status_change = object.boolean(cx, "log_status_change");
    let seconds = |seconds: u32| Some(Duration::from_secs(seconds.into())).filter(|duration| !duration.is_zero());
    Some(CircuitBreaker {
        name,
        interval: seconds(interval?),
        timeout: seconds(timeout?).unwrap_or(TIMEOUT),
        max_errors: max_errors?,
        valid_status_codes,
        log_status_change,
    })
}

fn valid_status_codes(cx: &mut Context<'_>, object: &Object<'_>) -> Vec<StatusCode> {
    const KEY: &str = "valid_status_codes";
    if !is_there(cx, object, BY_STATUS, KEY, "the statuses that are no failures: `\"valid_status_codes\": [200, 404]`")
    {
        return Vec::new();
    }
    let mut listed = object.get(KEY).map(|node| statuses(cx, node, KEY, 100)).unwrap_or_default();
    listed.sort_unstable();
    listed.dedup();
    listed
}

fn is_there(cx: &mut Context<'_>, object: &Object<'_>, namespace: &str, key: &str, example: &str) -> bool {
    let is_there = object.get(key).is_some();
    if !is_there {
        object.missing(cx, key, &format!("`{namespace}`"), &format!("add {example}"));
    }
    is_there
}
