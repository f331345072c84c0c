//! Where tokens go that others could use.

use super::Route;
use crate::config::code;
use crate::config::diagnostic::Diagnostic;
use crate::config::document::{Node, Value};
use crate::config::model::{Credential, Host};
use crate::config::read::{Context, items, quoted};
use std::collections::HashSet;
use std::net::IpAddr;

/// Whoever sees a token can use it, unless it is bound to a key of the gateway's.
pub(super) fn in_the_clear(cx: &mut Context<'_>, route: &Route<'_>) {
    if route.token.is_none_or(|(policy, _)| is_bound(&policy.credential)) {
        return;
    }
    let [root, _, backend] = &route.written;
    let own = backend.get("host").filter(|node| !is_empty(node));
    let Some(node) = own.or_else(|| root.get("host")) else { return };
    for (item, host) in items(node).iter().zip(&route.backend.hosts) {
        if !host.https && !is_loopback(host) {
            let message = format!("a token goes to {} unencrypted: whoever sees the traffic can use it", quoted(item));
            cx.warning(item, code::TOKEN_IN_THE_CLEAR, message, "use `https`");
        }
    }
}

/// A token that several services take can be used by each of them at the others.
pub(super) fn shared(cx: &mut Context<'_>, routes: &[Route<'_>]) {
    let services = services(routes);
    for service in &services {
        let others = services.iter().filter(|other| *other.credential == *service.credential);
        let Some(first) = others.map(|other| other.first).min().filter(|first| *first != service.first) else {
            continue;
        };
        let key = |route: usize| routes.get(route).and_then(|route| route.token).map(|(_, key)| key);
        let (Some(first), Some(key)) = (key(first), key(service.first)) else { continue };
        let line = cx.diagnostics.line_of(first.key_span.start);
        let message =
            format!("the token of line {line} goes to other hosts here, and each of them can use it at the others");
        let problem = Diagnostic::warning(code::SHARED_TOKEN, None, message)
            .help("give each a token of its own: say in `audience`, `resource` or `scopes` what it is for");
        cx.report_key(key, problem);
    }
}

/// Hosts that take one token. Those of one backend are one service, and backends that have a host in common are, too.
struct Service<'d> {
    credential: &'d Credential,
    /// The first route that leads to it.
    first: usize,
    hosts: HashSet<&'d Host>,
}

fn services<'d>(routes: &[Route<'d>]) -> Vec<Service<'d>> {
    let mut services: Vec<Service<'d>> = Vec::new();
    for (index, route) in routes.iter().enumerate() {
        let Some((policy, _)) = route.token.filter(|(policy, _)| !is_bound(&policy.credential)) else { continue };
        let hosts = route.backend.hosts.iter().collect();
        let mut service = Service { credential: &policy.credential, first: index, hosts };
        let is_same = |other: &mut Service<'_>| {
            *other.credential == *service.credential && !other.hosts.is_disjoint(&service.hosts)
        };
        for known in services.extract_if(.., is_same).collect::<Vec<_>>() {
            service.first = service.first.min(known.first);
            service.hosts.extend(known.hosts);
        }
        services.push(service);
    }
    services
}

const fn is_bound(credential: &Credential) -> bool {
    credential.dpop || credential.certificate_bound
}

fn is_loopback(host: &Host) -> bool {
    let name = host.name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn is_empty(node: &Node) -> bool {
    matches!(&node.value, Value::Array(items) if items.is_empty())
}
