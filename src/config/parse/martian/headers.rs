//! `header.…` and `stash.Modifier`.

use super::Known;
use super::fields::{self, Reader, fixed, header_value, required};
use crate::base::hop_by_hop::is_hop_by_hop;
use crate::config::code;
use crate::config::document::Node;
use crate::config::model::martian::{Action, Condition, Name, Text};
use crate::config::parse::host;
use crate::config::read::{Context, Object, quoted};
use http::{HeaderName, HeaderValue, header};

/// Names that frame messages: with another value of these, or without one, two readers of a message can disagree where it
/// ends, or a client waits for the answer to its `Expect`.
const FRAMING: &[&str] = &["content-length", "transfer-encoding", "expect"];

/// `header.Modifier`.
pub(super) fn set(cx: &mut Context<'_>, known: &Known<'_, '_>) -> Option<Action> {
    let name = target(cx, known, "name");
    let value = header_value(cx, known.reader, known.object, "value");
    let (name, value) = (name?, value?);
    check_host(cx, known, &name, &value)?;
    Some(Action::SetHeader(name, value))
}

/// A fixed `Host` must be one; an empty one stands for the URL's.
fn check_host(cx: &mut Context<'_>, known: &Known<'_, '_>, name: &Name, value: &Text<HeaderValue>) -> Option<()> {
    let Text::Fixed(value) = value else { return Some(()) };
    let text = value.to_str().ok();
    let is_host = text.is_some_and(|text| text.is_empty() || host::authority(text).is_some());
    match known.object.get("value") {
        Some(node) if name.name == header::HOST && known.sides.request && !is_host => {
            let message = format!("the `value` {} is no host", quoted(node));
            cx.error(node, code::VALUE, message, "write `name` or `name:port`");
            None
        }
        _ => Some(()),
    }
}

/// `header.Append`.
pub(super) fn append(cx: &mut Context<'_>, known: &Known<'_, '_>) -> Option<Action> {
    let name = target(cx, known, "name");
    let value = header_value(cx, known.reader, known.object, "value");
    let name = name?;
    if let (Some(node), true, true) = (known.object.get("name"), name.name == header::HOST, known.sides.request) {
        let message = "`header.Append` cannot add a second `Host`: every such request would fail";
        cx.error(node, code::FRAMING, message, "use `header.Modifier` to replace it");
        return None;
    }
    Some(Action::AppendHeader(name, value?))
}

/// `header.Blacklist`.
pub(super) fn remove(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Action> {
    let node = required(cx, object, "names")?;
    let mut names = Vec::new();
    let mut whole = true;
    for (_, item) in cx.strings(node)? {
        match header_name(cx, item) {
            Some(name) if FRAMING.contains(&name.as_str()) => {
                refuse(cx, item);
                whole = false;
            }
            Some(name) if is_hop_by_hop(&name) => {
                let message = format!("{} is about one connection alone and never goes on", quoted(item));
                cx.warning(item, code::NO_EFFECT, message, "remove it");
            }
            Some(name) => names.push(name),
            None => whole = false,
        }
    }
    whole.then(|| Action::RemoveHeaders(names.into()))
}

/// `header.Copy`.
pub(super) fn copy(cx: &mut Context<'_>, known: &Known<'_, '_>) -> Option<Action> {
    let from = source(cx, known.object, "from");
    let to = target(cx, known, "to");
    Some(Action::CopyHeader(from?, to?))
}

/// `header.Id`.
pub(super) fn identify(cx: &mut Context<'_>, known: &Known<'_, '_>) -> Option<Action> {
    if known.object.get("header").is_none() {
        return Some(Action::Identify(HeaderName::from_static("x-krakend-id").into()));
    }
    target(cx, known, "header").map(Action::Identify)
}

/// `stash.Modifier`.
pub(super) fn stash(cx: &mut Context<'_>, known: &Known<'_, '_>) -> Option<Action> {
    target(cx, known, "headerName").map(Action::Stash)
}

/// `header.Filter`. Without a value it asks for an empty one, as KrakenD's code does: its documentation says that the
/// header need only be there (krakend-martian#28).
pub(super) fn filter(cx: &mut Context<'_>, reader: &Reader<'_>, object: &Object<'_>) -> Option<Condition> {
    let name = source(cx, object, "name");
    let value = fields::value(cx, reader, object, "value");
    Some(Condition::Header(name?, Some(value?)))
}

/// `header.Verifier`: without a value, the header need only be there.
pub(super) fn verifier(cx: &mut Context<'_>, reader: &Reader<'_>, object: &Object<'_>) -> Option<Condition> {
    let name = source(cx, object, "name");
    let value = fields::asked(cx, reader, object, "value");
    Some(Condition::Header(name?, value.ok()?))
}

/// `header.RegexFilter`.
pub(super) fn regex_filter(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Condition> {
    let name = source(cx, object, "header");
    let regex = fields::regex(cx, object);
    Some(Condition::RequestHeader(name?, regex?))
}

/// A header that is only read.
fn source(cx: &mut Context<'_>, object: &Object<'_>, key: &str) -> Option<HeaderName> {
    let node = required(cx, object, key)?;
    header_name(cx, node)
}

/// A header that is written.
fn target(cx: &mut Context<'_>, known: &Known<'_, '_>, key: &str) -> Option<Name> {
    let node = required(cx, known.object, key)?;
    let name = header_name(cx, node)?;
    if FRAMING.contains(&name.as_str()) || is_hop_by_hop(&name) {
        refuse(cx, node);
        return None;
    }
    if known.sides.request && known.reader.token == Some(&name) {
        let message =
            format!("what stands in {} has no effect on requests: porteur puts its token there", quoted(node));
        cx.warning(
            node,
            code::TOKEN_HEADER,
            message,
            "remove the modifier, or let `auth/client-credentials` use another `header`",
        );
    }
    Some(name.into())
}

fn refuse(cx: &mut Context<'_>, node: &Node) {
    let message = format!("a modifier cannot change {}: HTTP itself uses it", quoted(node));
    cx.error(node, code::FRAMING, message, "remove it; porteur frames messages and keeps connections itself");
}

fn header_name(cx: &mut Context<'_>, node: &Node) -> Option<HeaderName> {
    let text = fixed(cx, node)?;
    let name = HeaderName::from_bytes(text.as_bytes()).ok();
    if name.is_none() {
        cx.error(
            node,
            code::VALUE,
            format!("{} is not a header name", quoted(node)),
            "write a name such as `X-Api-Key`",
        );
    }
    name
}
