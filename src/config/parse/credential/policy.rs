//! How a backend uses a token: header and scheme, what happens without one, and when the upstream rejects it.

use crate::base::hop_by_hop::is_hop_by_hop;
use crate::config::code;
use crate::config::document::Node;
use crate::config::model::{OnMissing, Replay};
use crate::config::read::{Context, Object, items, quoted};
use http::{HeaderName, StatusCode, header};
use std::time::Duration;

/// Names that steer the message itself and, like those that steer the connection, never reach the upstream as written.
static TAKEN: [HeaderName; 3] = [header::HOST, header::CONTENT_LENGTH, header::EXPECT];

pub(super) fn positive(cx: &mut Context<'_>, node: &Node) -> Option<Duration> {
    let duration = cx.duration(node)?;
    if duration.is_zero() {
        cx.error(node, code::VALUE, "the duration must be longer than 0", "remove the key for its default");
        return None;
    }
    Some(duration)
}

pub(super) fn token_header(cx: &mut Context<'_>, node: &Node) -> Option<HeaderName> {
    const HELP: &str = "write a name such as `Authorization` or `X-Api-Token`";
    let text = cx.string(node)?;
    let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
        cx.error(node, code::VALUE, format!("{} is not a header name", quoted(node)), HELP);
        return None;
    };
    if TAKEN.contains(&name) || is_hop_by_hop(&name) {
        let message = format!("the token cannot go into {}: HTTP itself uses it", quoted(node));
        cx.error(node, code::VALUE, message, HELP);
        return None;
    }
    Some(name)
}

pub(super) fn scheme(cx: &mut Context<'_>, node: &Node) -> Option<String> {
    let text = cx.string(node)?;
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        let message = format!("the scheme is one visible ASCII word, not {}", quoted(node));
        cx.error(node, code::VALUE, message, "write a word such as `Bearer`, or `\"\"` for the token alone");
        return None;
    }
    Some(text.to_owned())
}

pub(super) fn on_missing(cx: &mut Context<'_>, object: &Object<'_>) -> Option<OnMissing> {
    word(cx, object, "on_missing", &[("reject", OnMissing::Reject), ("pass", OnMissing::Pass)])
}

pub(super) fn replay(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Replay> {
    let words = [("idempotent", Replay::Idempotent), ("never", Replay::Never), ("always", Replay::Always)];
    word(cx, object, "replay", &words)
}

/// One of these words; the first is the default.
pub(super) fn word<T: Copy>(cx: &mut Context<'_>, object: &Object<'_>, key: &str, words: &[(&str, T)]) -> Option<T> {
    let Some(node) = object.get(key) else {
        return words.first().map(|(_, value)| *value);
    };
    let text = cx.string(node)?;
    let found = words.iter().find(|(word, _)| *word == text);
    if found.is_none() {
        let message = format!("unknown {key} {}", quoted(node));
        let names: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        cx.error(node, code::VALUE, message, format!("write {}", names.join(" or ")));
    }
    found.map(|(_, value)| *value)
}

/// A status of failure.
pub(super) fn failure_status(cx: &mut Context<'_>, node: &Node, help: &str) -> Option<StatusCode> {
    let expected = "a status from 400 to 599";
    let status: u16 = cx.integer(node, expected)?;
    let found = StatusCode::from_u16(status).ok().filter(|_| (400..=599).contains(&status));
    if found.is_none() {
        cx.error(node, code::VALUE, format!("expected {expected}, found {}", quoted(node)), help);
    }
    found
}

/// Keys that another one leaves without a use.
pub(super) fn warn_unused(
    cx: &mut Context<'_>,
    object: &Object<'_>,
    on_missing: OnMissing,
    refresh_on_status: Option<&[StatusCode]>,
    dpop: bool,
) {
    let passes = on_missing == OnMissing::Pass;
    // With proofs, a request may be sent once more for a nonce, too.
    let never = refresh_on_status.is_some_and(<[_]>::is_empty) && !dpop;
    for (key, unused, why) in [
        ("reject_status", passes, "requests without a token pass"),
        ("replay", never, "no status means that the token is rejected"),
    ] {
        if let Some(node) = object.get(key).filter(|_| unused) {
            cx.warning(node, code::NO_EFFECT, format!("`{key}` has no effect: {why}"), format!("remove `{key}`"));
        }
    }
}

/// An empty list: never.
pub(super) fn refresh_on_status(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Vec<StatusCode>> {
    let Some(node) = object.get("refresh_on_status") else {
        return Some(vec![StatusCode::UNAUTHORIZED]);
    };
    let read: Vec<_> = items(node).iter().map(|item| failure_status(cx, item, "401 is usual")).collect();
    read.into_iter().collect()
}
