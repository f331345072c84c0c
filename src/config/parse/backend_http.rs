//! `extra_config."backend/http"`: what the client learns of a backend's error statuses.

use super::super::code;
use super::super::document::Node;
use super::super::keys::Level;
use super::super::model::ErrorStatus;
use super::super::read::{Context, Object};

/// Reads the namespace. When both keys are there, details win, as in KrakenD.
pub(super) fn error_status(cx: &mut Context<'_>, node: Option<&Node>) -> ErrorStatus {
    let Some(node) = node else { return ErrorStatus::Hidden };
    if cx.no_op {
        let message = "`backend/http` has no effect: no-op passes answers as they are";
        cx.warning(node, code::NO_EFFECT, message, "remove it");
    }
    let Some(object) = Object::open(cx, node, Level::Namespace("backend/http")) else { return ErrorStatus::Hidden };
    let code = object.boolean(cx, "return_error_code");
    match object.string(cx, "return_error_details").filter(|name| !name.is_empty()) {
        Some(name) => ErrorStatus::Details(name.to_owned()),
        None if code => ErrorStatus::Code,
        None => ErrorStatus::Hidden,
    }
}
