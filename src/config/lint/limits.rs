//! Limits that are missing where one can be set.

use super::{Route, star};
use crate::config::code;
use crate::config::model::Methods;
use crate::config::read::{Context, quoted};
use std::time::Duration;

/// Longer than people wait; what takes longer had better be asked for again.
const LONG: Duration = Duration::from_secs(60);

/// A token for reading orders deletes invoices if the authorization server was generous with it.
pub(super) fn any_call(cx: &mut Context<'_>, route: &Route<'_>) {
    let unlimited = route.endpoint.methods == Methods::Any && route.backend.url_pattern.tail;
    if route.token.is_none() || !unlimited {
        return;
    }
    let Some(node) = route.of_endpoint("method").and_then(star) else { return };
    let message = "clients can call every path below the `url_pattern` as you, with every method";
    cx.warning(
        node,
        code::UNLIMITED_CALLS,
        message,
        "list the methods, or write an endpoint for each path that is meant",
    );
}

/// Each request that hangs holds a client and a connection for so long.
pub(super) fn long_timeout(cx: &mut Context<'_>, route: &Route<'_>) {
    if route.backend.timeout.unwrap_or(route.endpoint.timeout) <= LONG {
        return;
    }
    let Some(node) = route.inherited("timeout") else { return };
    let message =
        format!("with a timeout of {}, an upstream that hangs holds clients and connections as long", quoted(node));
    let help = "write the longest wait that is meant, 60s at the most";
    cx.warning(node, code::LONG_TIMEOUT, message, help);
}
