//! `body.Modifier` and `static.Modifier`: contents that stand in for others.

use super::fields::{self, Reader, fixed, header_value};
use crate::config::code;
use crate::config::document::{Member, Value};
use crate::config::keys::is_comment;
use crate::config::model::martian::{Action, Body, StaticFiles};
use crate::config::read::{Context, Object, quoted};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderValue;
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

/// `body.Modifier`. Without `contentType` the header becomes empty, without `body` the body, both as in KrakenD.
pub(super) fn body(cx: &mut Context<'_>, reader: &Reader<'_>, object: &Object<'_>) -> Option<Action> {
    let content_type = header_value(cx, reader, object, "contentType");
    let content = match object.get("body") {
        None => Bytes::new(),
        Some(node) => {
            let text = fixed(cx, node)?;
            // Go takes no notice of line ends in it.
            let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
            let Ok(content) = STANDARD.decode(text) else {
                let help = "encode it: `printf '%s' '{}' | base64`";
                cx.error(node, code::VALUE, "the `body` is not valid Base64", help);
                return None;
            };
            content.into()
        }
    };
    let length = HeaderValue::from(content.len());
    // Their first clones allocate; let it be these.
    drop((content.clone(), length.clone()));
    Some(Action::Body(Box::new(Body { content_type: content_type?, content, length })))
}

/// `static.Modifier`.
pub(super) fn static_files(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Action> {
    let root = root(cx, object);
    let mut explicit = HashMap::new();
    let mut whole = true;
    let members = object.get("explicitPaths").map(|node| cx.members(node));
    for member in members.unwrap_or(Some(&[]))? {
        if is_comment(&member.key) || member.value.value == Value::Null {
            continue;
        }
        match below_root(cx, member) {
            Some(path) => drop(explicit.insert(member.key.clone(), path)),
            None => whole = false,
        }
    }
    let root = root?;
    whole.then(|| Action::Static(Box::new(StaticFiles { root, explicit })))
}

/// The folder, which must be there: without it every request would be a 404.
fn root(cx: &mut Context<'_>, object: &Object<'_>) -> Option<PathBuf> {
    let (text, node) = fields::name(cx, object, "rootPath")?;
    let path = cx.folder.join(text);
    if !path.is_dir() {
        let message = format!("the `rootPath` {} is no folder that can be opened", quoted(node));
        let help = "it is relative to the folder of the configuration file unless it begins with `/`";
        cx.error(node, code::FILE, message, help);
        return None;
    }
    Some(path)
}

/// A file for one path of requests.
fn below_root(cx: &mut Context<'_>, member: &Member) -> Option<PathBuf> {
    let text = fixed(cx, &member.value)?;
    let path = Path::new(text.trim_start_matches('/'));
    let stays = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !stays {
        let message = format!("the file for {} is outside of `rootPath`", member.name());
        cx.error(&member.value, code::FILE, message, "write a path below `rootPath`, without `..`");
        return None;
    }
    Some(path.to_owned())
}
