//! `extra_config.listeners` of the service: where clients connect beside the service's own port. Also `proxy_protocol`, which
//! both may have.

use super::super::code;
use super::super::document::Node;
use super::super::keys::Level;
use super::super::model::{Admin, Listener, ProxyProtocol};
use super::super::read::{Context, Object, items, quoted};
use super::tls::tls;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

const HELP: &str = "write an address and a port such as `10.0.0.1:8443`, or `:8443` for all addresses";

/// Reads the namespace. `taken` is where the service itself listens.
pub(super) fn listeners(
    cx: &mut Context<'_>,
    node: Option<&Node>,
    main: Listener,
    admin: Option<&Admin>,
) -> Vec<Listener> {
    let mut found = vec![main];
    for entry in node.and_then(|node| cx.list(node)).unwrap_or_default() {
        let Some((listener, node)) = listener(cx, entry) else { continue };
        let admin = admin.map(|admin| (Some(admin.listen.ip()), admin.listen.port()));
        let mut taken = found.iter().map(|other| (other.ip, other.port)).chain(admin);
        if taken.any(|other| overlap(other, (listener.ip, listener.port))) {
            let message = format!("{} is taken: another listener has this address", quoted(node));
            cx.error(node, code::LISTENER, message, "choose another port");
        } else {
            found.push(listener);
        }
    }
    found
}

fn listener<'d>(cx: &mut Context<'_>, node: &'d Node) -> Option<(Listener, &'d Node)> {
    let object = Object::open(cx, node, Level::Namespace("listeners"))?;
    let written = object.get("listen");
    if written.is_none() {
        object.missing(cx, "listen", "a listener", HELP);
    }
    let address = written.and_then(|node| Some((address(cx, node)?, node)));
    let tls = object.get("tls").and_then(|node| tls(cx, node));
    let use_h2c = object.get("use_h2c").and_then(|node| cx.boolean(node));
    let proxy_protocol = object.get("proxy_protocol").and_then(|node| proxy_protocol(cx, node));
    let ((ip, port), node) = address?;
    Some((Listener { ip, port, tls, use_h2c, proxy_protocol }, node))
}

fn address(cx: &mut Context<'_>, node: &Node) -> Option<(Option<IpAddr>, u16)> {
    let text = cx.string(node)?;
    let everywhere = text.strip_prefix(':').and_then(|port| port.parse().ok()).map(|port| (None, port));
    let one = || text.parse::<SocketAddr>().ok().map(|address| (Some(address.ip()), address.port()));
    let found = everywhere.or_else(one);
    if found.is_none() {
        cx.error(node, code::LISTENER, format!("{} is not an IP address with a port", quoted(node)), HELP);
    }
    found
}

/// Whether two listeners cannot both have what they ask for. No address stands for all of them.
pub(super) fn overlap(one: (Option<IpAddr>, u16), other: (Option<IpAddr>, u16)) -> bool {
    one.1 == other.1 && one.1 != 0 && (covers(one.0, other.0) || covers(other.0, one.0))
}

/// `::` takes IPv4 too, and `0.0.0.0` nothing else.
fn covers(one: Option<IpAddr>, other: Option<IpAddr>) -> bool {
    match one.map(|ip| ip.to_canonical()) {
        None => true,
        Some(IpAddr::V6(ip)) if ip.is_unspecified() => true,
        Some(IpAddr::V4(ip)) if ip.is_unspecified() => other.is_some_and(|ip| ip.to_canonical().is_ipv4()),
        ip => ip == other.map(|ip| ip.to_canonical()),
    }
}

/// Reads the block. `None`: it is wrong, which is reported.
pub(super) fn proxy_protocol(cx: &mut Context<'_>, node: &Node) -> Option<ProxyProtocol> {
    const HELP: &str = "name the load balancers that connect here: `\"trusted\": [\"10.0.0.0/8\"]`";
    let object = Object::open(cx, node, Level::Namespace("proxy_protocol"))?;
    let Some(list) = object.get("trusted") else {
        object.missing(cx, "trusted", "`proxy_protocol`", HELP);
        return None;
    };
    cx.strings(list)?;
    let networks: Vec<_> = items(list).iter().map(|item| network(cx, item)).collect();
    if networks.is_empty() {
        cx.error(list, code::NETWORK, "nobody may connect: `trusted` is empty", HELP);
        return None;
    }
    networks.into_iter().collect::<Option<_>>().map(|trusted| ProxyProtocol { trusted })
}

/// A network, or an address for one of its own.
pub(super) fn network(cx: &mut Context<'_>, node: &Node) -> Option<IpNet> {
    let text = cx.string(node)?;
    let found = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    match found {
        Some(network) if network.prefix_len() == 0 => {
            let message = format!("{} is everybody: each peer can claim to be any client", quoted(node));
            cx.warning(node, code::BROAD_TRUST, message, "name the load balancers that connect here");
        }
        // Peers are compared as what they are (`ProxyProtocol::trusts`).
        Some(IpNet::V6(network)) if network.addr().to_ipv4_mapped().is_some() => {
            let message = format!("{} is IPv4 in the form of IPv6, and no peer has such an address", quoted(node));
            cx.error(node, code::NETWORK, message, "write the IPv4 network itself, such as `10.0.0.0/8`");
            return None;
        }
        Some(_) => {}
        None => {
            let message = format!("{} is not a network", quoted(node));
            cx.error(node, code::NETWORK, message, "write it like `10.0.0.0/8`, `fd00::/8` or `192.0.2.7`");
        }
    }
    found
}
