//! What clients can do with a token that is not theirs.

use super::{Route, star};
use crate::config::code;
use crate::config::diagnostic::Diagnostic;
use crate::config::model::AllowList;
use crate::config::read::Context;

/// No guard is built yet, so the addresses that the service listens on and the certificates it asks for are all there is.
pub(super) fn unguarded(cx: &mut Context<'_>, route: &Route<'_>) {
    let Some((_, key)) = route.token else { return };
    let message = "anyone who reaches this port can call the upstream as you: nobody guards this endpoint";
    let problem = Diagnostic::warning(code::UNGUARDED, None, message)
        .label("its requests carry a token")
        .help("set `\"listen_ip\": \"127.0.0.1\"`, and let something in front of it ask who is there");
    cx.report_key(key, problem);
}

/// Headers speak for whoever sends them; beside a token that is the gateway.
pub(super) fn wildcard_headers(cx: &mut Context<'_>, route: &Route<'_>) {
    if !all(&route.endpoint.input_headers, route.backend.input_headers.as_ref()) {
        return;
    }
    let Some(node) = route.of_endpoint("input_headers").and_then(star) else { return };
    let message = "every header of the client goes on, cookies and credentials for others included";
    cx.warning(node, code::WILDCARD_HEADERS, message, "list the headers that the upstream needs");
}

/// Without a token the client could as well ask the upstream itself.
pub(super) fn wildcard_query(cx: &mut Context<'_>, route: &Route<'_>) {
    if route.token.is_none() || !all(&route.endpoint.input_query_strings, route.backend.input_query_strings.as_ref()) {
        return;
    }
    let Some(node) = route.of_endpoint("input_query_strings").and_then(star) else { return };
    let message = "every query parameter of the client goes on, in a request that is made as you";
    cx.warning(node, code::WILDCARD_QUERY, message, "list the parameters that the upstream needs");
}

/// Whether neither list keeps anything back.
fn all<T>(endpoint: &AllowList<T>, backend: Option<&AllowList<T>>) -> bool {
    matches!((endpoint, backend), (AllowList::All, None | Some(AllowList::All)))
}
