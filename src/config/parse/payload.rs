//! `max_payload`: the longest body of a request, of the service in `router` and of an endpoint in its `proxy`, as in KrakenD EE.

use super::super::code;
use super::super::document::{Node, Value};
use super::super::model::Endpoint;
use super::super::read::{Context, Object};

const EXPECTED: &str = "a number of bytes";

/// What `router` says; 0 stands for any length.
pub(super) fn of_service(cx: &mut Context<'_>, router: &Object<'_>) -> Option<usize> {
    cx.integer(router.get("max_payload")?, EXPECTED)
}

/// What holds for an endpoint with this `proxy`: its own limit, or the service's where that is written and smaller. KrakenD asks
/// both, one after the other.
pub(super) fn of_endpoint(cx: &mut Context<'_>, service: Option<usize>, proxy: Option<&Node>) -> Option<usize> {
    let limit = |written: usize| (written > 0).then_some(written);
    let written = proxy.and_then(member).and_then(|node| cx.integer(node, EXPECTED).zip(Some(node)));
    let Some((own, node)) = written else {
        return service.map_or(Some(Endpoint::MAX_PAYLOAD), limit);
    };
    match (limit(own), service.and_then(limit)) {
        (own, Some(service)) if own.is_none_or(|own| own > service) => {
            let message = format!("`max_payload` has no effect: the service takes no more than {service} bytes");
            cx.warning(node, code::NO_EFFECT, message, "write a smaller number, or a larger one in `router`");
            Some(service)
        }
        (own, _) => own,
    }
}

/// The rest of the namespace is read with the backends, which is also where it is told if it is no object.
fn member(proxy: &Node) -> Option<&Node> {
    let Value::Object(members) = &proxy.value else { return None };
    members.iter().find(|member| member.key.eq_ignore_ascii_case("max_payload")).map(|member| &member.value)
}
