//! What a configuration that is right lets happen, and its author may not have meant. `porteur check` tells of it; `run` does
//! not, lest its log is full of it at each start.
//!
//! A lint looks at the [`Model`], where every default is filled in, and points at the [`Node`] it comes from. Only what can
//! be done better with keys that are built is worth one.

mod clients;
mod limits;
mod tokens;

use super::document::{Member, Node, Value};
use super::keys;
use super::model::{Answer, Backend, Endpoint, Listener, Model, Shadow, TokenPolicy};
use super::read::{Context, Object, items};

/// Reports what there is to say about a configuration without errors.
pub(super) fn lint(cx: &mut Context<'_>, document: &Node, model: &Model) {
    let routes = routes(cx, document, model);
    let asks = |listener: &Listener| listener.tls.as_ref().is_some_and(|tls| tls.client_authorities.is_some());
    let exposed =
        model.listeners.iter().any(|listener| !(listener.ip.is_some_and(|ip| ip.is_loopback()) || asks(listener)));
    for route in &routes {
        if exposed {
            clients::unguarded(cx, route);
        }
        clients::wildcard_headers(cx, route);
        clients::wildcard_query(cx, route);
        limits::any_call(cx, route);
        limits::long_timeout(cx, route);
        tokens::in_the_clear(cx, route);
    }
    tokens::shared(cx, &routes);
}

/// An endpoint with one of its backends, as they were understood and as they are written.
struct Route<'d> {
    endpoint: &'d Endpoint,
    backend: &'d Backend,
    /// The root, the entry of `endpoints` and the entry of `backend`.
    written: [Object<'d>; 3],
    /// What its requests carry, and the key that says so.
    token: Option<(&'d TokenPolicy, &'d Member)>,
}

impl<'d> Route<'d> {
    /// The value of a key that the backend may take from the endpoint, and the endpoint from the service.
    fn inherited(&self, key: &str) -> Option<&'d Node> {
        self.written.iter().rev().find_map(|object| object.get(key))
    }

    /// The value of a key of the endpoint.
    fn of_endpoint(&self, key: &str) -> Option<&'d Node> {
        let [_, endpoint, _] = &self.written;
        endpoint.get(key)
    }
}

/// Without errors each entry became one of the Model, in the same order.
fn routes<'d>(cx: &mut Context<'_>, document: &'d Node, model: &'d Model) -> Vec<Route<'d>> {
    let Some(root) = Object::again(document) else { return Vec::new() };
    let mut routes = Vec::new();
    for (node, endpoint) in root.get("endpoints").map(items).unwrap_or_default().iter().zip(&model.endpoints) {
        let Some(written) = Object::again(node) else { continue };
        let entries = written.get("backend").map(items).unwrap_or_default();
        let (mut parts, mut shadows) = (endpoint.answer.backends().iter(), shadows(endpoint).iter());
        for node in entries {
            let Some(entry) = Object::again(node) else { continue };
            let shadow = is_shadow(cx, &entry);
            let backend = if shadow { shadows.next().map(|shadow| &shadow.backend) } else { parts.next() };
            let Some(backend) = backend else { continue };
            let token = backend.token.as_ref().zip(namespace(&entry, "auth/client-credentials"));
            routes.push(Route { endpoint, backend, written: [root.clone(), written.clone(), entry], token });
        }
    }
    routes
}

fn shadows(endpoint: &Endpoint) -> &[Shadow] {
    match &endpoint.answer {
        Answer::Composed(composition) => &composition.shadows,
        Answer::NoOp(_) => &[],
    }
}

fn is_shadow(cx: &mut Context<'_>, backend: &Object<'_>) -> bool {
    let proxy = namespace(backend, "proxy").and_then(|member| Object::again(&member.value));
    proxy.is_some_and(|proxy| proxy.boolean(cx, "shadow"))
}

/// A namespace of a backend, under whichever of its names.
fn namespace<'d>(backend: &Object<'d>, name: &str) -> Option<&'d Member> {
    let Value::Object(members) = &backend.get("extra_config")?.value else { return None };
    members.iter().find(|member| {
        let written = keys::modern_name(&member.key).unwrap_or(&member.key);
        written == name && !matches!(member.value.value, Value::Null | Value::Bool(false))
    })
}

/// The `*` of a list, or of a text in its place.
fn star(node: &Node) -> Option<&Node> {
    items(node).iter().find(|item| matches!(&item.value, Value::String(text) if text == "*"))
}
