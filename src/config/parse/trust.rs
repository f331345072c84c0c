//! The keys of `extra_config.router` about trusted proxies.

use super::super::code;
use super::super::document::Node;
use super::super::model::Trust;
use super::super::read::{Context, Object, items, quoted};
use super::listeners::network;
use http::HeaderName;

/// Reads them. In KrakenD `forwarded_by_client_ip` switches the rest on; here whoever lists proxies means them, unless it is
/// false.
pub(super) fn trust(cx: &mut Context<'_>, router: &Object<'_>) -> Trust {
    let default = Trust::default();
    let switch = router.get("forwarded_by_client_ip").and_then(|node| Some((node, cx.boolean(node)?)));
    let listed = router.get("trusted_proxies");
    let proxies: Vec<_> = match listed {
        Some(node) if cx.strings(node).is_some() => items(node).iter().filter_map(|item| network(cx, item)).collect(),
        _ => Vec::new(),
    };
    let named = router.get("remote_ip_headers");
    let headers = named.map(|node| headers(cx, node)).filter(|names| !names.is_empty());
    let is_off = switch.is_some_and(|(_, on)| !on);
    let nobody = listed.is_none() || is_off;
    for (key, node) in
        [("remote_ip_headers", named), ("forwarded_by_client_ip", switch.filter(|(_, on)| *on).map(|(node, _)| node))]
    {
        if let Some(node) = node.filter(|_| nobody) {
            let message = format!("`{key}` has no effect: no proxy is trusted");
            cx.warning(node, code::NO_EFFECT, message, "list the proxies in front in `trusted_proxies`");
        }
    }
    if let Some(node) = listed.filter(|_| is_off) {
        let message = "`trusted_proxies` has no effect: `forwarded_by_client_ip` is false";
        cx.warning(node, code::NO_EFFECT, message, "remove one of the two");
    }
    Trust { proxies: if is_off { Vec::new() } else { proxies }, headers: headers.unwrap_or(default.headers) }
}

fn headers(cx: &mut Context<'_>, node: &Node) -> Vec<HeaderName> {
    let names = cx.strings(node).unwrap_or_default();
    let name = |(text, item): (&str, &Node)| {
        let name = HeaderName::from_bytes(text.as_bytes()).ok();
        if name.is_none() {
            let message = format!("{} is not a header name", quoted(item));
            cx.error(item, code::VALUE, message, "write a name such as `X-Forwarded-For`");
        }
        name
    };
    names.into_iter().filter_map(name).collect()
}
