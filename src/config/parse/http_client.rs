//! How upstreams are connected to: the service's keys, and `extra_config."backend/http/client"` over them.

use super::super::code;
use super::super::document::Node;
use super::super::keys::Level;
use super::super::model::{Endpoint, Host, HttpVersion, TokenPolicy, UpstreamTransport};
use super::super::read::{Context, Object, quoted};
use super::client_tls::{self, client_tls};
use std::time::Duration;

/// What the service says of all backends. Something wrong in it is reported, and then counts as not written.
pub(super) fn of_service(cx: &mut Context<'_>, root: &Object<'_>) -> UpstreamTransport {
    let default = UpstreamTransport::default();
    let mut tls =
        root.get("client_tls").and_then(|node| client_tls(cx, node, client_tls::OF_SERVICE)).unwrap_or_default();
    if root.boolean(cx, "allow_insecure_connections")
        && let Some(node) = root.get("allow_insecure_connections")
    {
        client_tls::warn_insecure(cx, node);
        tls.insecure = true;
    }
    UpstreamTransport {
        tls,
        dialer_timeout: root.duration(cx, "dialer_timeout").unwrap_or(default.dialer_timeout),
        dialer_keep_alive: keep_alive(cx, root).unwrap_or(default.dialer_keep_alive),
        response_header_timeout: root.duration(cx, "response_header_timeout"),
        idle_connection_timeout: root
            .duration(cx, "idle_connection_timeout")
            .unwrap_or(default.idle_connection_timeout),
        disable_keep_alives: root.boolean(cx, "disable_keep_alives"),
        ..default
    }
}

/// Linux counts the pauses between probes in seconds, and takes 1 to 32767 of them (`MAX_TCP_KEEPIDLE`); with another number no
/// upstream could be connected to, for Pingora lets that be an error (`pingora-core/src/connectors/l4.rs`, `connect`). Go rounds
/// up, too, and goes on without probes where the system refuses.
fn keep_alive(cx: &mut Context<'_>, root: &Object<'_>) -> Option<Duration> {
    const LEAST: Duration = Duration::from_secs(1);
    const MOST: Duration = Duration::from_secs(32_767);
    const KEY: &str = "dialer_keep_alive";
    let wanted = root.duration(cx, KEY)?;
    let nearest = wanted.clamp(LEAST, MOST);
    if let Some(node) = root.get(KEY).filter(|_| nearest != wanted) {
        let message = format!("{} is taken as {} s", quoted(node), nearest.as_secs());
        cx.warning(node, code::NEAREST, message, "write a time from `1s` to `32767s`; 15s is usual");
    }
    Some(nearest)
}

/// In KrakenD all connections of the process have one transport, those to the authorization server, too. Here a credential says
/// itself whom it believes, and shows no certificate that is meant for upstreams.
pub(super) fn warn_of_tokens(cx: &mut Context<'_>, root: &Object<'_>, endpoints: &[Endpoint]) {
    let mut tokens = endpoints.iter().flat_map(Endpoint::backends).filter_map(|backend| backend.token.as_ref());
    let is_plain = |token: &TokenPolicy| {
        let transport = &token.credential.transport;
        transport.ca_file.is_none() && transport.client_certificate.is_none()
    };
    if tokens.any(is_plain)
        && let Some(node) = root.get("client_tls").or_else(|| root.get("allow_insecure_connections"))
    {
        let message =
            "this is for backends: requests for tokens check certificates by the system's authorities and show none";
        let help = "say what the authorization server needs in `tls` of `auth/client-credentials`";
        cx.warning(node, code::NOT_FOR_TOKENS, message, help);
    }
}

/// What a backend says of its own hosts.
pub(super) struct HttpClient {
    /// How they are connected to.
    pub transport: UpstreamTransport,
    /// `no_redirect`.
    pub no_redirect: bool,
}

/// Reads the namespace of a backend with these hosts.
pub(super) fn of_backend(
    cx: &mut Context<'_>,
    node: Option<&Node>,
    service: &UpstreamTransport,
    hosts: Option<&[Host]>,
) -> HttpClient {
    let mut client = HttpClient { transport: service.clone(), no_redirect: false };
    let Some(node) = node else { return client };
    let Some(object) = Object::open(cx, node, Level::Namespace("backend/http/client")) else { return client };
    let transport = &mut client.transport;
    if let Some(node) = object.get("client_tls") {
        warn_without_tls(cx, node, hosts);
        transport.tls = client_tls(cx, node, client_tls::OF_BACKEND).unwrap_or_default();
    }
    if let Some(version) = object.get("http_version").and_then(|node| http_version(cx, node)) {
        transport.http_version = version;
    }
    if let Some(node) = object.get("max_h2_streams") {
        transport.max_h2_streams = streams(cx, node).unwrap_or(transport.max_h2_streams);
    }
    transport.h2_ping_interval = object.duration(cx, "h2_ping_interval");
    if let Some(timeout) = object.duration(cx, "dialer_timeout") {
        transport.dialer_timeout = timeout;
    }
    for key in ["max_h2_streams", "h2_ping_interval"] {
        if let Some(node) = object.get(key).filter(|_| transport.http_version == HttpVersion::Http1) {
            let message = format!("`{key}` has no effect on HTTP/1.1");
            cx.warning(node, code::NO_EFFECT, message, "add `\"http_version\": \"2\"`, or remove it");
        }
    }
    client.no_redirect = object.boolean(cx, "no_redirect");
    client
}

fn warn_without_tls(cx: &mut Context<'_>, node: &Node, hosts: Option<&[Host]>) {
    if hosts.is_some_and(|hosts| hosts.iter().all(|host| !host.https)) {
        let message = "`client_tls` has no effect: none of the hosts of this backend is asked with TLS";
        cx.warning(node, code::NO_EFFECT, message, "write `https://` before the hosts, or remove it");
    }
}

fn http_version(cx: &mut Context<'_>, node: &Node) -> Option<HttpVersion> {
    match cx.string(node)? {
        "1.1" => Some(HttpVersion::Http1),
        "2" => Some(HttpVersion::Http2),
        "auto" => Some(HttpVersion::Auto),
        _ => {
            let message = format!("unknown http_version {}", quoted(node));
            cx.error(node, code::VALUE, message, "write `1.1`, `2` or `auto`");
            None
        }
    }
}

/// More than a server grants does no harm: what it grants counts.
fn streams(cx: &mut Context<'_>, node: &Node) -> Option<usize> {
    let expected = "a number from 1 to 10000";
    let streams: usize = cx.integer(node, expected)?;
    if !(1..=10_000).contains(&streams) {
        cx.error(node, code::VALUE, format!("expected {expected}, found {}", quoted(node)), "100 is usual");
        return None;
    }
    Some(streams)
}
