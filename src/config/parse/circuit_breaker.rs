//! `qos/circuit-breaker`: when nothing more is sent to a backend for a while.

use super::super::document::Node;
use super::super::keys::Level;
use super::super::model::CircuitBreaker;
use super::super::read::{Context, Object};
use super::balance::number;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A day is longer than anybody waits.
const SECONDS: RangeInclusive<u32> = 0..=86_400;

/// What KrakenD's state machine takes 0 for.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Reads the namespace. KrakenD's schema wants the three numbers; without one it would take 0, which for `max_errors` means that a
/// single failure is enough.
pub(super) fn circuit_breaker(cx: &mut Context<'_>, node: Option<&Node>) -> Option<CircuitBreaker> {
    let object = Object::open(cx, node?, Level::Namespace("qos/circuit-breaker"))?;
    let interval = required(cx, &object, "interval", SECONDS, "`\"interval\": 60`");
    let timeout = required(cx, &object, "timeout", SECONDS, "`\"timeout\": 10`");
    let max_errors = required(cx, &object, "max_errors", 0..=1_000_000, "`\"max_errors\": 3`");
    let name = object.string(cx, "name").filter(|name| !name.is_empty()).map(str::to_owned);
    let log_status_change = object.boolean(cx, "log_status_change");
    let seconds = |seconds: u32| Some(Duration::from_secs(seconds.into())).filter(|duration| !duration.is_zero());
    Some(CircuitBreaker {
        name,
        interval: seconds(interval?),
        timeout: seconds(timeout?).unwrap_or(TIMEOUT),
        max_errors: max_errors?,
        log_status_change,
    })
}

fn required(
    cx: &mut Context<'_>,
    object: &Object<'_>,
    key: &str,
    bounds: RangeInclusive<u32>,
    example: &str,
) -> Option<u32> {
    if object.get(key).is_none() {
        object.missing(cx, key, "`qos/circuit-breaker`", &format!("add {example}"));
        return None;
    }
    number(cx, object, key, bounds)
}
