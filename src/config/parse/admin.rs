//! `extra_config.admin` of the service: the admin listener, on loopback only.

use super::super::code;
use super::super::document::Node;
use super::super::keys::Level;
use super::super::model::Admin;
use super::super::read::{Context, Object, quoted};
use super::listeners::overlap;
use std::net::{IpAddr, SocketAddr};

const HELP: &str = "write an address such as `127.0.0.1:9901`";

/// Reads the namespace. Where the service listens must be free for it.
pub(super) fn admin(cx: &mut Context<'_>, node: Option<&Node>, service: (Option<IpAddr>, u16)) -> Option<Admin> {
    let object = Object::open(cx, node?, Level::Namespace("admin"))?;
    let Some(node) = object.get("listen") else {
        object.missing(cx, "listen", "`admin`", HELP);
        return None;
    };
    let text = cx.string(node)?;
    let Ok(listen) = text.parse::<SocketAddr>() else {
        cx.error(node, code::VALUE, format!("{} is not an IP address with a port", quoted(node)), HELP);
        return None;
    };
    if !listen.ip().is_loopback() {
        let message = format!("the admin listener must be on loopback, and {} is not", quoted(node));
        cx.error(node, code::VALUE, message, "write `127.0.0.1` or `[::1]`: the admin listener has no access control");
        return None;
    }
    if overlap((Some(listen.ip()), listen.port()), service) {
        let message = format!("the admin listener cannot have the service's port {}", listen.port());
        cx.error(node, code::VALUE, message, "choose another port for one of the two");
        return None;
    }
    Some(Admin { listen })
}
