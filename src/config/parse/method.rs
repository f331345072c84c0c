//! `method` of endpoints and backends.

use super::super::code;
use super::super::document::Node;
use super::super::model::Methods;
use super::super::read::{Context, quoted};
use super::super::suggest;
use http::Method;

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// The methods of an endpoint; GET unless set.
pub(super) fn methods(cx: &mut Context<'_>, node: Option<&Node>) -> Option<Methods> {
    let Some(node) = node else {
        return Some(Methods::Only(vec![Method::GET]));
    };
    let items = cx.strings(node)?;
    if items.is_empty() {
        cx.error(node, code::VALUE, "the list of methods is empty", "remove `method` for GET, or write `\"*\"`");
        return None;
    }
    let any = items.iter().any(|(text, _)| *text == "*");
    let mut methods = Vec::new();
    for (text, item) in items {
        if text == "*" {
            continue;
        }
        match endpoint_method(cx, text, item) {
            Some(method) if methods.contains(&method) => {
                cx.warning(item, code::LISTED_TWICE, format!("{} is listed twice", quoted(item)), "remove it");
            }
            Some(method) => methods.push(method),
            None => {}
        }
    }
    match (any, methods.is_empty()) {
        (true, _) => Some(Methods::Any),
        (false, false) => Some(Methods::Only(methods)),
        (false, true) => None,
    }
}

/// The method a backend is asked with; the client's unless set.
pub(super) fn backend_method(cx: &mut Context<'_>, node: Option<&Node>) -> Option<Method> {
    let node = node?;
    let text = cx.string(node)?;
    let method = method(cx, text, node)?;
    // An upstream may know others, but hardly one that only differs from a usual one by a slip.
    if !METHODS.contains(&method.as_str()) && suggest::closest(text, METHODS.iter().copied()).is_some() {
        let help = suggest::did_you_mean_or(text, METHODS);
        cx.error(node, code::VALUE, format!("{} is not a usual method", quoted(node)), help);
        return None;
    }
    Some(method)
}

/// The router has a tree for each of these; an endpoint with any other would never be found.
fn endpoint_method(cx: &mut Context<'_>, text: &str, node: &Node) -> Option<Method> {
    let method = method(cx, text, node)?;
    if METHODS.contains(&method.as_str()) {
        return Some(method);
    }
    let help = suggest::did_you_mean_or(text, METHODS);
    cx.error(node, code::VALUE, format!("no endpoint can have the method {}", quoted(node)), help);
    None
}

fn method(cx: &mut Context<'_>, text: &str, node: &Node) -> Option<Method> {
    let method = Method::from_bytes(text.to_ascii_uppercase().as_bytes()).ok();
    match method {
        Some(Method::CONNECT | Method::TRACE) => {
            let help = "porteur opens no tunnels, and TRACE shows credentials to whoever asks";
            cx.error(node, code::VALUE, format!("the method {} is refused", quoted(node)), help);
            None
        }
        Some(method) => Some(method),
        None => {
            let help = "write a method such as `GET`; an endpoint also takes a list or `\"*\"`";
            cx.error(node, code::VALUE, format!("{} is not a method", quoted(node)), help);
            None
        }
    }
}
