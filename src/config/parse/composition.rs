//! Where the answer of an endpoint comes from: its `backend` list, and the keys that say how the list becomes one answer.

use super::super::code;
use super::super::document::{Node, Value};
use super::super::model::{Answer, Backend, Composition, EndpointPath, OutputEncoding, Sequential, Shadow};
use super::super::read::{Context, Earlier, Object};
use super::backend::backend;
use super::endpoint::Service;
use super::proxy::{EndpointProxy, Role};
use std::time::Duration;

/// What an endpoint says of its answer.
pub(super) struct Scope<'a, 'd> {
    /// The endpoint's object.
    pub object: &'a Object<'d>,
    /// Its path, if that is valid, and where it is written.
    pub declared: Option<(&'a EndpointPath, &'a Node)>,
    /// Its `output_encoding`; `None`: it is wrong, which is reported.
    pub output: Option<OutputEncoding>,
    /// Its `timeout`.
    pub timeout: Duration,
    /// Its `proxy` namespace.
    pub proxy: Option<&'d Node>,
    /// The service.
    pub service: &'a Service<'d>,
}

/// Reads every backend, each for its own problems. `None`: there is a problem.
pub(super) fn answer(cx: &mut Context<'_>, scope: &Scope<'_, '_>) -> Option<Answer> {
    cx.no_op = scope.output == Some(OutputEncoding::NoOp);
    let answer = read(cx, scope);
    cx.no_op = false;
    cx.earlier = Earlier::default();
    answer
}

fn read(cx: &mut Context<'_>, scope: &Scope<'_, '_>) -> Option<Answer> {
    let proxy = EndpointProxy::read(cx, scope.proxy);
    let concurrent_calls = concurrent_calls(cx, scope.object);
    let cache_ttl = scope.object.duration(cx, "cache_ttl").unwrap_or(scope.service.cache_ttl);
    cx.earlier.sequential = proxy.sequential;
    let nodes = entries(cx, scope.object);
    let mut backends: Vec<Option<Backend>> = Vec::new();
    let mut shadows: Vec<Option<Shadow>> = Vec::new();
    for node in nodes {
        cx.earlier.backend = backends.len();
        match backend(cx, node, scope.declared, scope.service) {
            Some((backend, Role::Part)) => backends.push(Some(backend)),
            Some((backend, Role::Shadow(timeout))) => {
                let timeout = timeout.or(backend.timeout).unwrap_or(scope.timeout);
                shadows.push(Some(Shadow { backend, timeout }));
            }
            None => backends.push(None),
        }
    }
    if let ([_], Some(node)) = (&*backends, scope.proxy.filter(|_| !proxy.flatmap.is_empty())) {
        let message = "`flatmap_filter` of an endpoint has no effect on a single backend";
        cx.warning(node, code::NO_EFFECT, message, "move it into the `proxy` of the backend");
    }
    if backends.is_empty() && !shadows.is_empty() {
        let help = "add a backend without `shadow`, whose answer is the endpoint's";
        cx.error(scope.object.get("backend")?, code::BACKENDS, "every backend is a shadow", help);
    }
    let mut backends = backends.into_iter().collect::<Option<Vec<_>>>()?;
    let shadows = shadows.into_iter().collect::<Option<Vec<_>>>()?;
    match scope.output? {
        OutputEncoding::NoOp if concurrent_calls == 1 && backends.len() == 1 => {
            backends.pop().map(|backend| Answer::NoOp(Box::new(backend)))
        }
        OutputEncoding::NoOp => None,
        _ if backends.is_empty() => None,
        output => Some(Answer::Composed(Box::new(Composition {
            flatmap: if backends.len() > 1 { proxy.flatmap } else { Vec::new() },
            backends,
            shadows,
            output,
            concurrent_calls,
            static_data: proxy.static_data,
            cache_ttl,
            sequential: proxy.sequential.then(|| Sequential { fields: std::mem::take(&mut cx.earlier.fields) }),
        }))),
    }
}

fn concurrent_calls(cx: &mut Context<'_>, object: &Object<'_>) -> u8 {
    let Some(node) = object.get("concurrent_calls") else { return 1 };
    let calls = cx.integer::<u8>(node, "a number from 1 to 255").unwrap_or(1).max(1);
    if calls > 1 && cx.no_op {
        let message = "`concurrent_calls` in no-op is not built yet";
        cx.error(node, code::NOT_BUILT, message, "remove it, or use another `output_encoding`");
    }
    calls
}

/// The entries of `backend`; that there are none, or too many for no-op, is reported.
fn entries<'d>(cx: &mut Context<'_>, object: &Object<'d>) -> &'d [Node] {
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
        [_, second, ..] if cx.no_op => {
            let message = "can not use NoOp encoding with more than one backends connected to the same endpoint";
            let help = "keep one backend, or write one endpoint for each";
            cx.error(second, code::BACKENDS, message, help);
        }
        _ => {}
    }
    entries
}
