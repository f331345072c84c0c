//! `error_body` of `extra_config.router`: any JSON in place of the router's texts.

use super::super::document::Node;
use super::super::keys::Level;
use super::super::model::ErrorBody;
use super::super::read::{Context, Object};
use bytes::Bytes;

/// Reads the object.
pub(super) fn error_body(cx: &mut Context<'_>, node: &Node) -> Option<ErrorBody> {
    let object = Object::open(cx, node, Level::Namespace("router.error_body"))?;
    let body = |key: &str| object.get(key).map(text);
    Some(ErrorBody { not_found: body("404"), method_not_allowed: body("405") })
}

/// As Go writes it: keys in order, and nothing that HTML would read as its own.
fn text(node: &Node) -> Bytes {
    let mut text = node.to_json().to_string();
    for (letter, escape) in [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026")] {
        text = text.replace(letter, escape);
    }
    text.into()
}
