//! Values that may take parts of the client's request: `${request.header.NAME}`, `${request.query.NAME}` and
//! `${request.param.NAME}` (an extension; a value without them is what KrakenD takes it for).

use super::fields::Reader;
use crate::config::code;
use crate::config::document::{Node, Origin};
use crate::config::interpolate::is_per_request;
use crate::config::model::martian::{Part, Text};
use crate::config::parse::earlier::{self, NotEarlier};
use crate::config::read::{Context, is_shown, quoted};
use crate::config::suggest;
use http::HeaderName;

/// Reads a value. `None` when something is wrong with it, which is reported.
pub(super) fn read(cx: &mut Context<'_>, reader: &Reader<'_>, node: &Node) -> Option<Text<String>> {
    let text = cx.string(node)?;
    if node.origin == Origin::Unfilled {
        return None;
    }
    let mut parts = Vec::new();
    let (mut literal, mut rest) = (String::new(), text);
    let mut whole = true;
    while let Some((before, after)) = rest.split_once("${") {
        literal.push_str(before);
        if !is_per_request(after) {
            // It came out of a variable or a file, where it means nothing.
            literal.push_str("${");
            rest = after;
            continue;
        }
        let (reference, tail) = after.split_once('}').unwrap_or((after, ""));
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        match part(cx, reader, node, reference) {
            Some(part) => parts.push(part),
            None => whole = false,
        }
        rest = tail;
    }
    literal.push_str(rest);
    if parts.is_empty() && whole {
        return Some(Text::Fixed(literal));
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    whole.then(|| Text::Filled(parts.into()))
}

/// What a reference without its braces names.
fn part(cx: &mut Context<'_>, reader: &Reader<'_>, node: &Node, reference: &str) -> Option<Part> {
    let mut names = reference.splitn(3, '.');
    let (root, kind, name) = (names.next()?, names.next().unwrap_or_default(), names.next().unwrap_or_default());
    if root == "jwt" {
        let message = format!("claims of a token in {} are not built yet", quoted(node));
        let help = "`${request.header.…}`, `${request.query.…}` and `${request.param.…}` are";
        cx.error(node, code::NOT_BUILT, message, help);
        return None;
    }
    match kind {
        "header" => match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => return Some(Part::Header(name)),
            Err(_) => cx.error(
                node,
                code::PER_REQUEST,
                format!("a `${{request.header.…}}` in {} names no header", quoted(node)),
                "write a name such as `${request.header.Accept-Language}`",
            ),
        },
        "query" if !name.is_empty() => return Some(Part::Query(name.to_owned())),
        "param" => return param(cx, reader, node, name),
        _ => cx.error(
            node,
            code::PER_REQUEST,
            format!("a `${{request.…}}` in {} names no part of a request", quoted(node)),
            "write `${request.header.NAME}`, `${request.query.NAME}` or `${request.param.NAME}`",
        ),
    }
    None
}

fn refuse(cx: &mut Context<'_>, node: &Node, not: NotEarlier) {
    let message = format!("a `${{request.param.respN_…}}` in {} {}", quoted(node), not.why());
    cx.error(node, code::PER_REQUEST, message, not.help());
}

fn param(cx: &mut Context<'_>, reader: &Reader<'_>, node: &Node, name: &str) -> Option<Part> {
    let (path, place) = reader.endpoint?;
    if let Some(index) = path.params.iter().position(|param| param == name) {
        return Some(Part::Param(index));
    }
    if let Some(index) = earlier::index(name, &mut cx.earlier) {
        return index.map(Part::Earlier).map_err(|not| refuse(cx, node, not)).ok();
    }
    let message = format!("a `${{request.param.…}}` in {} is not declared by the endpoint", quoted(node));
    let shown = is_shown(place, &path.text);
    let help = match suggest::closest(name, path.params.iter().map(String::as_str)) {
        _ if path.params.is_empty() => "the endpoint declares no placeholder".to_owned(),
        _ if !shown => String::new(),
        Some(found) => format!("did you mean `${{request.param.{found}}}`?"),
        None => format!("the endpoint declares {}", path.params.join(", ")),
    };
    cx.error(node, code::PER_REQUEST, message, help);
    None
}
