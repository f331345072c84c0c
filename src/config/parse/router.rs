//! `extra_config.router` of the service.

use super::super::code;
use super::super::document::Node;
use super::super::keys::Level;
use super::super::model::Router;
use super::super::read::{Context, Object, quoted};
use super::error_body::error_body;
use super::path::UNSAFE;
use super::payload;
use super::trust::trust;
use percent_encoding::utf8_percent_encode;

/// Reads the namespace.
pub(super) fn router(cx: &mut Context<'_>, node: Option<&Node>) -> Router {
    let defaults = Router::default();
    let Some(object) = node.and_then(|node| Object::open(cx, node, Level::Namespace("router"))) else {
        return defaults;
    };
    Router {
        disable_redirect_trailing_slash: object.boolean(cx, "disable_redirect_trailing_slash"),
        disable_redirect_fixed_path: object.boolean(cx, "disable_redirect_fixed_path"),
        disable_handle_method_not_allowed: object.boolean(cx, "disable_handle_method_not_allowed"),
        disable_health: object.boolean(cx, "disable_health"),
        health_path: object.get("health_path").and_then(|node| health_path(cx, node)).unwrap_or(defaults.health_path),
        return_error_msg: object.boolean(cx, "return_error_msg"),
        disable_access_log: object.boolean(cx, "disable_access_log"),
        logger_skip_paths: object.get("logger_skip_paths").map(|node| skip_paths(cx, node)).unwrap_or_default(),
        remove_extra_slash: object.boolean(cx, "remove_extra_slash"),
        auto_options: object.boolean(cx, "auto_options"),
        disable_path_decoding: object.boolean(cx, "disable_path_decoding"),
        trust: trust(cx, &object),
        max_payload: payload::of_service(cx, &object),
        use_h2c: object.boolean(cx, "use_h2c"),
        error_body: object.get("error_body").and_then(|node| error_body(cx, node)).unwrap_or_default(),
    }
}

/// They are compared with the paths of requests, not with those of endpoints.
fn skip_paths(cx: &mut Context<'_>, node: &Node) -> Vec<String> {
    let items = cx.strings(node).unwrap_or_default();
    for (text, item) in &items {
        if !text.starts_with('/') || text.contains(['{', '*', '?', ' ']) {
            let message = format!("no request has the path {}", quoted(item));
            let help = "write paths as clients ask for them, such as `/__health`, without placeholders or query";
            cx.warning(item, code::NO_EFFECT, message, help);
        }
    }
    items.into_iter().map(|(text, _)| utf8_percent_encode(text, UNSAFE).to_string()).collect()
}

fn health_path(cx: &mut Context<'_>, node: &Node) -> Option<String> {
    let text = cx.string(node)?;
    let clean = |c: char| c.is_ascii_graphic() && !matches!(c, '{' | '}' | '*' | '?' | '#' | '%');
    if text.is_empty() || text == "/" || !text.chars().all(clean) {
        let message = format!("the health_path {} is not a plain path", quoted(node));
        cx.error(node, code::VALUE, message, "write a path such as `/__health`, without placeholders or query");
        return None;
    }
    Some(if text.starts_with('/') { text.to_owned() } else { format!("/{text}") })
}
