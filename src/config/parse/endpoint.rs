//! An entry of `endpoints`.

use super::super::code;
use super::super::diagnostic::Diagnostic;
use super::super::document::{Node, Value};
use super::super::keys::{Level, OUTPUT_ENCODINGS};
use super::super::model::{Endpoint, EndpointPath, Host, Methods, TokenPolicy};
use super::super::read::{Context, Object, items, quoted};
use super::super::suggest;
use super::backend::backend;
use super::credential::Named;
use super::lists::{headers, query_strings};
use super::method::methods;
use super::namespaces::Namespaces;
use super::path::endpoint_path;
use std::time::Duration;

/// What the service says for endpoints that do not say it themselves.
pub(super) struct Service<'d> {
    pub timeout: Duration,
    /// `None`: there is no `host` at the root.
    pub hosts: Option<Vec<Host>>,
    pub encoding: Encoding,
    /// `auth/credentials`.
    pub credentials: Named<'d>,
}

/// What an `output_encoding` comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Not written: KrakenD takes `json`.
    Unset,
    /// `no-op`.
    NoOp,
    /// Something else, already reported.
    Reported,
}

/// An endpoint as far as it could be read.
pub(super) struct Entry<'d> {
    /// Method and path, for the comparison with the others.
    pub route: Option<Route<'d>>,
    /// All of it.
    pub endpoint: Option<Endpoint>,
}

/// What a request is matched with, and where that is written.
pub(in super::super) struct Route<'d> {
    /// The path.
    pub path: EndpointPath,
    /// The methods.
    pub methods: Methods,
    /// Where the path is written.
    pub node: &'d Node,
}

/// Reads one entry.
pub(super) fn endpoint<'d>(cx: &mut Context<'_>, node: &'d Node, service: &Service<'_>) -> Entry<'d> {
    let Some(object) = Object::open(cx, node, Level::Endpoint) else {
        return Entry { route: None, endpoint: None };
    };
    let route = route(cx, &object);
    let no_op = check_encoding(cx, &object, service) == Encoding::NoOp;
    object.duration(cx, "cache_ttl");
    Namespaces::open(cx, object.get("extra_config"), Level::Endpoint);
    let timeout = object.duration(cx, "timeout").unwrap_or(service.timeout);
    let input_headers = headers(cx, object.get("input_headers"));
    let input_query_strings = query_strings(cx, object.get("input_query_strings"));
    let declared = route.as_ref().map(|route| (&route.path, route.node));
    cx.no_op = no_op;
    let mut read = backends(cx, &object).iter().map(|node| backend(cx, node, declared, service)).collect::<Vec<_>>();
    cx.no_op = false;
    // That there are several is reported; each was read for its own problems.
    let backend = if read.len() == 1 { read.pop().flatten() } else { None };
    let token = backend.as_ref().and_then(|backend| backend.token.as_ref());
    warn_replaced(cx, object.get("input_headers"), token);
    let endpoint = route.as_ref().zip(backend).map(|(route, backend)| Endpoint {
        path: route.path.clone(),
        methods: route.methods.clone(),
        timeout,
        input_headers,
        input_query_strings,
        backend,
    });
    Entry { route, endpoint }
}

/// Path and methods. A wrong method leaves none, and its error; the path still counts for the backend.
fn route<'d>(cx: &mut Context<'_>, object: &Object<'d>) -> Option<Route<'d>> {
    let methods = methods(cx, object.get("method")).unwrap_or(Methods::Only(Vec::new()));
    let Some(node) = object.get("endpoint") else {
        object.missing(cx, "endpoint", "an endpoint", "add its path: `\"endpoint\": \"/path\"`");
        return None;
    };
    let path = endpoint_path(cx, node)?;
    Some(Route { path, methods, node })
}

/// Reads an `output_encoding`, of an endpoint or of the service.
pub(super) fn encoding(cx: &mut Context<'_>, node: &Node) -> Encoding {
    let Some(text) = cx.string(node) else {
        return Encoding::Reported;
    };
    match text {
        "" => return Encoding::Unset,
        "no-op" => return Encoding::NoOp,
        _ if OUTPUT_ENCODINGS.contains(&text) => {
            let message = format!("{} as output_encoding is not built yet", quoted(node));
            cx.error(
                node,
                code::NOT_BUILT,
                message,
                "set `\"output_encoding\": \"no-op\"` to pass answers as they are",
            );
        }
        _ => {
            let message = format!("{} is no output_encoding", quoted(node));
            let help = suggest::did_you_mean_or(text, OUTPUT_ENCODINGS);
            cx.error(node, code::VALUE, message, help);
        }
    }
    Encoding::Reported
}

fn check_encoding(cx: &mut Context<'_>, object: &Object<'_>, service: &Service<'_>) -> Encoding {
    let own = object.get("output_encoding").map_or(Encoding::Unset, |node| encoding(cx, node));
    let effective = if own == Encoding::Unset { service.encoding } else { own };
    if effective != Encoding::Unset {
        return effective;
    }
    let message = "without an `output_encoding` KrakenD decodes and encodes JSON, which is not built yet";
    let span = object.member("endpoint").map_or_else(|| object.head.clone(), |member| member.key_span.clone());
    cx.diagnostics.push(
        Diagnostic::error(code::NOT_BUILT, Some(span), message)
            .label("this endpoint has none")
            .help("set `\"output_encoding\": \"no-op\"` here or at the root to pass answers as they are"),
    );
    Encoding::Reported
}

fn backends<'d>(cx: &mut Context<'_>, object: &Object<'d>) -> &'d [Node] {
    let help = "add `\"backend\": [{ \"host\": [\"http://name:port\"], \"url_pattern\": \"/path\" }]`";
    let Some(node) = object.get("backend") else {
        object.missing(cx, "backend", "an endpoint", help);
        return &[];
    };
    let entries = cx.list(node).unwrap_or_default();
    match entries {
        [] if matches!(node.value, Value::Array(_)) => {
            cx.error(node, code::BACKENDS, "an endpoint needs a backend", help);
        }
        [] | [_] => {}
        [_, second, ..] if cx.no_op => {
            let message = "can not use NoOp encoding with more than one backends connected to the same endpoint";
            let help = "keep one backend, or write one endpoint for each";
            cx.error(second, code::BACKENDS, message, help);
        }
        [_, second, ..] => {
            let help = "write one endpoint for each backend";
            cx.error(second, code::BACKENDS, "merging the answers of several backends is not built yet", help);
        }
    }
    entries
}

/// Headers of the client that never go on as it sent them; whoever lists one expects something else.
fn warn_replaced(cx: &mut Context<'_>, list: Option<&Node>, token: Option<&TokenPolicy>) {
    let Some(node) = list else { return };
    for item in items(node) {
        let Value::String(text) = &item.value else { continue };
        let name = text.to_ascii_lowercase();
        let why = match name.as_str() {
            "authorization" if token.is_some() => "`auth/client-credentials` sends its token, never the client's",
            name if token.is_some_and(|token| token.header == name) => "`auth/client-credentials` puts its token there",
            "host" => "the backend gets its own",
            "connection" | "upgrade" | "transfer-encoding" => "it is about one connection alone",
            "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-proto" => "porteur writes it itself",
            _ => continue,
        };
        let message = format!("the client's {} never goes on as it is: {why}", quoted(item));
        cx.warning(item, code::REPLACED_HEADER, message, "remove it from `input_headers`");
    }
}
