//! `sd` and `sd_scheme` of a backend, `dns_cache_ttl` and `dns_resolver` of the service: how names become addresses.

use super::super::code;
use super::super::document::Node;
use super::super::model::{Discovery, Dns, Host, TokenPolicy};
use super::super::read::{Context, Object, quoted};
use super::host::service_name;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const LEAST_TTL: Duration = Duration::from_secs(1);
const DNS_PORT: u16 = 53;

/// Reads the keys of the service.
pub(super) fn dns(cx: &mut Context<'_>, root: &Object<'_>) -> Dns {
    let cache_ttl = root.duration(cx, "dns_cache_ttl").unwrap_or_else(|| Dns::default().cache_ttl);
    if let Some(node) = root.get("dns_cache_ttl").filter(|_| cache_ttl < LEAST_TTL) {
        let message = format!("{} is less than a second", quoted(node));
        cx.error(node, code::VALUE, message, "names are looked up again every `1s` at the most");
    }
    let servers = root.get("dns_resolver").and_then(|node| cx.strings(node)).unwrap_or_default();
    let servers = servers.into_iter().filter_map(|(text, node)| server(cx, text, node)).collect();
    Dns { cache_ttl, servers }
}

fn server(cx: &mut Context<'_>, text: &str, node: &Node) -> Option<SocketAddr> {
    let address = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, DNS_PORT)));
    if address.is_none() {
        let message = format!("{} is not the address of a DNS server", quoted(node));
        cx.error(
            node,
            code::VALUE,
            message,
            "write an IP address, with a port if it is not 53: `10.0.0.2` or `10.0.0.2:8600`",
        );
    }
    address
}

/// What a backend's hosts are.
pub(super) fn discovery(cx: &mut Context<'_>, object: &Object<'_>) -> Discovery {
    let Some(node) = object.get("sd") else { return Discovery::Static };
    match cx.string(node) {
        // What one look-up finds is shared by all backends that name the service in any case.
        Some("dns" | "dns-shared") => Discovery::Dns,
        Some("" | "static") | None => Discovery::Static,
        Some(_) => {
            let message = format!("unknown service discovery {}", quoted(node));
            cx.error(node, code::VALUE, message, "write `static`, `dns` or `dns-shared`");
            Discovery::Static
        }
    }
}

/// Whether hosts that are discovered are asked with TLS.
pub(super) fn scheme(cx: &mut Context<'_>, object: &Object<'_>, discovery: Discovery) -> bool {
    let Some(node) = object.get("sd_scheme") else { return false };
    match cx.string(node) {
        Some("https") if discovery == Discovery::Dns => true,
        Some("" | "http" | "https") | None => false,
        Some(_) => {
            let message = format!("unknown scheme {}", quoted(node));
            cx.error(node, code::VALUE, message, "write `http` or `https`");
            false
        }
    }
}

/// The names of services in `host`.
pub(super) fn services(cx: &mut Context<'_>, node: &Node, https: bool) -> Vec<Host> {
    const HELP: &str =
        "with `\"sd\": \"dns\"` a host is the name of an SRV record alone, such as `_api._tcp.example.com`";
    let mut services = Vec::new();
    for (text, item) in cx.strings(node).unwrap_or_default() {
        match service_name(text) {
            Some(name) => services.push(service(name, https)),
            None => cx.error(item, code::SERVICE, format!("{} is not the name of a service", quoted(item)), HELP),
        }
    }
    services
}

/// The same for those of the service, which have been read as hosts.
pub(super) fn inherited(cx: &mut Context<'_>, object: &Object<'_>, hosts: &[Host], https: bool) -> Option<Vec<Host>> {
    if let (Some(host), Some(node)) = (hosts.iter().find(|host| host.authority != host.name), object.get("sd")) {
        let message = format!("the service's host `{}` is not the name of a service: it has a port", host.authority);
        cx.error(node, code::SERVICE, message, "give the backend a `host` of its own, with names of SRV records");
        return None;
    }
    Some(hosts.iter().map(|host| service(host.name.clone(), https)).collect())
}

fn service(name: String, https: bool) -> Host {
    Host { https, authority: name.clone(), name, port: 0 }
}

/// Proofs name the host that they are for, and are prepared for those of the file.
pub(super) fn check_proofs(
    cx: &mut Context<'_>,
    object: &Object<'_>,
    discovery: Discovery,
    token: Option<&TokenPolicy>,
) {
    let wants_proofs = token.is_some_and(|token| token.credential.dpop);
    if let Some(node) = object.get("sd").filter(|_| wants_proofs && discovery == Discovery::Dns) {
        let message = "`dpop` contradicts service discovery: proofs are for hosts that are known from the file";
        cx.error(node, code::CONTRADICTION, message, "list the hosts, or carry a token without proofs");
    }
}
