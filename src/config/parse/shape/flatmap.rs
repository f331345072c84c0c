//! `flatmap_filter`: a list of operations, of a backend or of an endpoint.

use super::path;
use crate::config::code;
use crate::config::document::Node;
use crate::config::keys::{FLATMAP_TYPES, Level};
use crate::config::model::FlatmapOperation;
use crate::config::read::{Context, Object, quoted};
use crate::config::suggest;

/// Where the keys of one operation are in the table.
const LEVEL: Level = Level::Namespace("proxy.flatmap_filter");

/// Reads the list. An operation that is wrong is reported and left out.
pub(in crate::config::parse) fn flatmap(cx: &mut Context<'_>, node: &Node) -> Vec<FlatmapOperation> {
    let items = cx.list(node).unwrap_or_default();
    items.iter().filter_map(|item| operation(cx, item)).collect()
}

fn operation(cx: &mut Context<'_>, node: &Node) -> Option<FlatmapOperation> {
    let object = Object::open(cx, node, LEVEL)?;
    let (kind, args) = (object.get("type"), object.get("args"));
    for (key, found, help) in
        [("type", kind, "add `\"type\": \"move\"`, `append` or `del`"), ("args", args, "add a list of paths")]
    {
        if found.is_none() {
            object.missing(cx, key, "an operation", help);
        }
    }
    let (kind, args) = (kind?, args?);
    let word = cx.string(kind)?;
    let paths = paths(cx, args)?;
    match (word, paths.as_slice()) {
        ("move", [from, to]) => {
            check_move(cx, from, to);
            Some(FlatmapOperation::Move(path(from.0), path(to.0)))
        }
        ("append", [from, to]) => {
            if path(to.0).iter().any(|step| step == "*") {
                let message = format!("{} does not say which list is appended to", quoted(to.1));
                cx.error(to.1, code::FLATMAP, message, "write a path without `*`");
                return None;
            }
            Some(FlatmapOperation::Append(path(from.0), path(to.0)))
        }
        ("del", [_, ..]) => Some(FlatmapOperation::Delete(paths.iter().map(|(text, _)| path(text)).collect())),
        ("move" | "append", _) => {
            let message = format!("`{word}` takes two paths, and this is {}", paths.len());
            cx.error(args, code::FLATMAP, message, "write the path it is taken from, then the one it goes to");
            None
        }
        ("del", _) => {
            cx.error(args, code::FLATMAP, "`del` takes at least one path", "write what is to be deleted");
            None
        }
        _ => {
            let message = format!("{} is no operation of `flatmap_filter`", quoted(kind));
            cx.error(kind, code::FLATMAP, message, suggest::did_you_mean_or(word, FLATMAP_TYPES));
            None
        }
    }
}

/// Dotted paths with their places; `None` when one of them is wrong.
fn paths<'d>(cx: &mut Context<'_>, node: &'d Node) -> Option<Vec<(&'d str, &'d Node)>> {
    let texts = cx.strings(node)?;
    let written = crate::config::read::items(node).len();
    let mut fine = texts.len() == written;
    for (_, node) in texts.iter().filter(|(text, _)| text.is_empty()) {
        cx.error(node, code::FLATMAP, "a path is empty", "write the names on the way, with dots between them");
        fine = false;
    }
    fine.then_some(texts)
}

/// A move leaves the value where it was but for what comes after the way to it, unless it goes up.
fn check_move(cx: &mut Context<'_>, from: &(&str, &Node), to: &(&str, &Node)) {
    let (from_path, to_path) = (path(from.0), path(to.0));
    let way = from_path.len() - 1;
    if from_path.last().is_some_and(|step| step == "*") {
        let message = format!("{} moves nothing: its last step must be a name", quoted(from.1));
        cx.warning(from.1, code::POINTLESS, message, "write one operation for each name");
    } else if to_path.len() >= from_path.len() && to_path.get(..way) != from_path.get(..way) {
        let message =
            format!("the beginning of {} has no effect: the value stays where {} is", quoted(to.1), quoted(from.1));
        cx.warning(to.1, code::POINTLESS, message, "move it up first, to a shorter path, and then down");
    }
}
