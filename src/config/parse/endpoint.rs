//! An entry of `endpoints`.

use super::super::code;
use super::super::document::{Node, Value};
use super::super::keys::Level;
use super::super::model::{Answer, Endpoint, EndpointPath, Host, Methods, OutputEncoding, UpstreamTransport};
use super::super::read::{Context, Object, items, quoted};
use super::bot_detector::bot_rules;
use super::cel::conditions;
use super::composition::{self, Scope};
use super::credential::Named;
use super::json_schema::json_schema;
use super::lists::{headers, query_strings};
use super::method::methods;
use super::namespaces::Namespaces;
use super::path::endpoint_path;
use super::payload;
use super::shape::output_encoding;
use super::websocket::{self, websocket};
use std::time::Duration;

/// What the service says for endpoints that do not say it themselves.
pub(super) struct Service<'d> {
    pub timeout: Duration,
    /// `None`: there is no `host` at the root.
    pub hosts: Option<Vec<Host>>,
    /// `output_encoding`; `None`: it is wrong.
    pub encoding: Option<OutputEncoding>,
    /// `cache_ttl`.
    pub cache_ttl: Duration,
    /// Whether a placeholder may be a part of a segment.
    pub disable_rest: bool,
    /// `auth/credentials`.
    pub credentials: Named<'d>,
    /// How upstreams are connected to.
    pub transport: UpstreamTransport,
    /// `max_payload` of `router`.
    pub max_payload: Option<usize>,
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
pub(super) fn endpoint<'d>(cx: &mut Context<'_>, node: &'d Node, service: &Service<'d>) -> Entry<'d> {
    let Some(object) = Object::open(cx, node, Level::Endpoint) else {
        return Entry { route: None, endpoint: None };
    };
    let route = route(cx, &object, service);
    let namespaces = Namespaces::open(cx, object.get("extra_config"), Level::Endpoint);
    let bots = bot_rules(cx, namespaces.get("security/bot-detector"));
    let conditions = conditions(cx, namespaces.get("validation/cel"));
    let json_schema = json_schema(cx, namespaces.get("validation/json-schema"));
    let timeout = object.duration(cx, "timeout").unwrap_or(service.timeout);
    let max_payload = payload::of_endpoint(cx, service.max_payload, namespaces.get("proxy"));
    let mut input_headers = headers(cx, object.get("input_headers"));
    let websocket = websocket(cx, namespaces.get("websocket"), &mut input_headers);
    let input_query_strings = query_strings(cx, object.get("input_query_strings"));
    let scope = Scope {
        object: &object,
        declared: route.as_ref().map(|route| (&route.path, route.node)),
        output: encoding(cx, &object, service),
        timeout,
        proxy: namespaces.get("proxy"),
        service,
    };
    let answer = composition::answer(cx, &scope);
    warn_replaced(cx, object.get("input_headers"), answer.as_ref());
    let endpoint = route.as_ref().zip(answer).map(|(route, answer)| Endpoint {
        path: route.path.clone(),
        methods: route.methods.clone(),
        timeout,
        max_payload,
        input_headers,
        input_query_strings,
        websocket,
        answer,
        bots,
        json_schema,
        conditions,
    });
    if let Some((node, endpoint)) = namespaces.get("websocket").zip(endpoint.as_ref()) {
        websocket::check(cx, node, endpoint);
    }
    Entry { route, endpoint }
}

/// Path and methods. A wrong method leaves none, and its error; the path still counts for the backend.
fn route<'d>(cx: &mut Context<'_>, object: &Object<'d>, service: &Service<'_>) -> Option<Route<'d>> {
    let methods = methods(cx, object.get("method")).unwrap_or(Methods::Only(Vec::new()));
    let Some(node) = object.get("endpoint") else {
        object.missing(cx, "endpoint", "an endpoint", "add its path: `\"endpoint\": \"/path\"`");
        return None;
    };
    let path = endpoint_path(cx, node, service.disable_rest)?;
    Some(Route { path, methods, node })
}

/// The endpoint's own encoding, else the service's, else JSON, as in KrakenD; `None`: it is wrong, which is reported.
fn encoding(cx: &mut Context<'_>, object: &Object<'_>, service: &Service<'_>) -> Option<OutputEncoding> {
    let written = object.get("output_encoding").filter(|node| !is_unset(node));
    written.map_or(service.encoding, |node| output_encoding(cx, node))
}

/// KrakenD takes an empty text for none.
pub(super) fn is_unset(node: &Node) -> bool {
    matches!(&node.value, Value::String(text) if text.is_empty())
}

/// Headers of the client that never go on as it sent them; whoever lists one expects something else.
fn warn_replaced(cx: &mut Context<'_>, list: Option<&Node>, answer: Option<&Answer>) {
    let Some(node) = list else { return };
    // Where one of several backends carries no token, the header may be meant for it.
    let token = answer.map(Answer::backends).unwrap_or_default();
    let token = token.iter().map(|backend| backend.token.as_ref()).reduce(Option::and).flatten();
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
