//! The root of the file: the service and its defaults.

use super::super::code;
use super::super::conflicts;
use super::super::diagnostic::Diagnostic;
use super::super::document::{Node, Value};
use super::super::keys::{self, Level};
use super::super::model::{Endpoint, Listener, Model, OutputEncoding, Router};
use super::super::read::{Context, Object, quoted};
use super::super::suggest;
use super::credential::Named;
use super::endpoint::{self, Service, is_unset};
use super::host::hosts;
use super::namespaces::{Namespaces, may_be_allowed};
use super::shape::output_encoding;
use super::{admin, bot_detector, discovery, http_client, limits, listeners, router, security_http, tls};
use std::net::IpAddr;
use std::time::Duration;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);
const DEFAULT_SHUTDOWN: Duration = Duration::from_secs(30);
const DEFAULT_PORT: u16 = 8080;

/// Reads the whole file.
pub(in super::super) fn model(cx: &mut Context<'_>, document: &Node) -> Option<Model> {
    let root = Object::open(cx, document, Level::Root)?;
    version(cx, &root);
    let namespaces = Namespaces::open(cx, root.get("extra_config"), Level::Root);
    let settings = router::router(cx, namespaces.get("router"));
    let service = service(cx, &root, &namespaces, &settings);
    let bots = bot_detector::bot_rules(cx, namespaces.get("security/bot-detector"));
    let endpoints = endpoints(cx, &root, &service, &settings);
    service.credentials.check_unused(cx);
    http_client::warn_of_tokens(cx, &root, &endpoints);
    let main = main_listener(cx, &root, &namespaces);
    let (listen_ip, port) = (main.ip, main.port);
    let admin = admin::admin(cx, namespaces.get("admin"), (listen_ip, port));
    let limits = limits::limits(cx, &root, namespaces.get("limits"));
    let use_h2c = root.boolean(cx, "use_h2c") || settings.use_h2c;
    let listeners = listeners::listeners(cx, namespaces.get("listeners"), main, admin.as_ref());
    let speaks_tls = listeners.iter().any(|listener| listener.tls.is_some());
    let security = security_http::security(cx, namespaces.get("security/http"), speaks_tls);
    warn_unused_options(cx);
    Some(Model {
        name: root.string(cx, "name").map(str::to_owned),
        listen_ip,
        port,
        listeners,
        use_h2c,
        max_shutdown_wait_time: root.duration(cx, "max_shutdown_wait_time").unwrap_or(DEFAULT_SHUTDOWN),
        debug_endpoint: root.boolean(cx, "debug_endpoint") || cx.options.debug,
        echo_endpoint: root.boolean(cx, "echo_endpoint"),
        dns: discovery::dns(cx, &root),
        security,
        bots,
        admin,
        limits,
        router: settings,
        endpoints,
    })
}

/// What endpoints take from the service.
fn service<'d>(cx: &mut Context<'_>, root: &Object<'d>, namespaces: &Namespaces<'d>, settings: &Router) -> Service<'d> {
    Service {
        credentials: Named::open(cx, namespaces.get("auth/credentials")),
        timeout: root.duration(cx, "timeout").unwrap_or(DEFAULT_TIMEOUT),
        hosts: root.get("host").filter(|node| !is_empty(node)).map(|node| hosts(cx, node)),
        encoding: encoding(cx, root),
        cache_ttl: root.duration(cx, "cache_ttl").unwrap_or_default(),
        disable_rest: root.boolean(cx, "disable_rest"),
        transport: http_client::of_service(cx, root),
        max_payload: settings.max_payload,
    }
}

/// Where the service itself listens.
fn main_listener(cx: &mut Context<'_>, root: &Object<'_>, namespaces: &Namespaces<'_>) -> Listener {
    let ip = root.get("listen_ip").and_then(|node| listen_ip(cx, node));
    let port = port(cx, root);
    let tls = root.get("tls").and_then(|node| tls::tls(cx, node));
    let proxy_protocol = namespaces.get("proxy_protocol").and_then(|node| listeners::proxy_protocol(cx, node));
    Listener { ip, port, tls, use_h2c: None, proxy_protocol }
}

fn endpoints<'d>(cx: &mut Context<'_>, root: &Object<'d>, service: &Service<'d>, settings: &Router) -> Vec<Endpoint> {
    let nodes = root.get("endpoints").and_then(|node| cx.list(node)).unwrap_or_default();
    let entries: Vec<_> = nodes.iter().map(|node| endpoint::endpoint(cx, node, service)).collect();
    let routes: Vec<_> = entries.iter().filter_map(|entry| entry.route.as_ref()).collect();
    conflicts::report(cx, &routes, settings);
    entries.into_iter().filter_map(|entry| entry.endpoint).collect()
}

/// Reports namespaces the command line may not let pass: the service would run without its protection.
pub(in super::super) fn check_options(cx: &mut Context<'_>) {
    for written in &cx.options.allow_unsupported {
        let name = keys::modern_name(written).unwrap_or(written);
        if !may_be_allowed(name) {
            let message = format!("`--allow-unsupported {written}` is refused");
            let help = "a service must not start without the authentication or protection its file asks for";
            cx.diagnostics.push(Diagnostic::error(code::OPTION, None, message).help(help));
        }
    }
}

/// A name that is written nowhere is misspelt, or its time is over.
fn warn_unused_options(cx: &mut Context<'_>) {
    for written in &cx.options.allow_unsupported {
        let name = keys::modern_name(written).unwrap_or(written);
        if may_be_allowed(name) && !cx.namespaces.contains(name) {
            let message =
                format!("`--allow-unsupported {written}` has nothing to allow: the file has no such namespace");
            let help = suggest::did_you_mean(name, cx.namespaces.iter().map(String::as_str));
            cx.diagnostics.push(Diagnostic::warning(code::UNUSED_OPTION, None, message).help(help));
        }
    }
}

fn version(cx: &mut Context<'_>, root: &Object<'_>) {
    let Some(node) = root.get("version") else {
        let message = "unsupported version: 0 (want: 3)";
        let problem = Diagnostic::error(code::VERSION, Some(root.head.clone()), message);
        cx.diagnostics.push(problem.label("there is no `version`").help("add `\"version\": 3`"));
        return;
    };
    let Some(version) = cx.integer::<u64>(node, "the number 3") else {
        return;
    };
    if version != 3 {
        let help = match version {
            2 => "migrate the file with KrakenD's `krakend-config-migrator`, then write `\"version\": 3`",
            _ => "write `\"version\": 3`",
        };
        cx.error(node, code::VERSION, format!("unsupported version: {version} (want: 3)"), help);
    }
}

fn port(cx: &mut Context<'_>, root: &Object<'_>) -> u16 {
    let expected = "a port from 0 to 65535";
    let Some(node) = root.get("port") else {
        return cx.options.port.unwrap_or(DEFAULT_PORT);
    };
    let kubernetes = matches!(&node.value, Value::String(text) if text.starts_with("tcp://"));
    if kubernetes && node.place().is_none() {
        // A Kubernetes service named `krakend` puts its address into every container's environment under this name.
        let help = "Kubernetes sets it for a service named `krakend`: set `enableServiceLinks: false` for the pod";
        cx.error(node, code::VALUE, format!("expected {expected}, found an address"), help);
    } else if let Some(port) = cx.integer(node, expected) {
        return cx.options.port.unwrap_or(port);
    }
    DEFAULT_PORT
}

/// The encoding of endpoints that have none: JSON unless written.
fn encoding(cx: &mut Context<'_>, root: &Object<'_>) -> Option<OutputEncoding> {
    let written = root.get("output_encoding").filter(|node| !is_unset(node));
    written.map_or(Some(OutputEncoding::Json), |node| output_encoding(cx, node))
}

fn is_empty(node: &Node) -> bool {
    matches!(&node.value, Value::Array(items) if items.is_empty())
}

fn listen_ip(cx: &mut Context<'_>, node: &Node) -> Option<IpAddr> {
    let text = cx.string(node)?;
    if text.is_empty() {
        return None;
    }
    let address = text.parse().ok();
    if address.is_none() {
        let message = format!("{} is not an IP address", quoted(node));
        cx.error(node, code::VALUE, message, "write an address such as `127.0.0.1` or `::1`; a name is not enough");
    }
    address
}
