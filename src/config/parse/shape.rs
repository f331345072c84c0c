//! How answers are decoded, shaped and encoded: keys of a backend and of an endpoint, and `flatmap_filter` and `static` of the
//! `proxy` namespace.

mod flatmap;
mod static_data;

pub(super) use flatmap::flatmap;
pub(super) use static_data::static_data;

use super::super::code;
use super::super::document::Node;
use super::super::keys::{ENCODINGS, OUTPUT_ENCODINGS};
use super::super::model::{Decoding, Encoding, Fields, Filter, OutputEncoding};
use super::super::read::{Context, Object, quoted};
use super::super::suggest;

/// What a backend says about its answer. `operations` is its `flatmap_filter`.
pub(super) fn decoding(cx: &mut Context<'_>, object: &Object<'_>, operations: Option<&Node>) -> Decoding {
    let encoding = encoding(cx, object);
    if cx.no_op {
        if let Some(node) = operations {
            let message = "`flatmap_filter` has no effect: no-op passes answers as they are";
            cx.warning(node, code::NO_EFFECT, message, "remove it");
        }
        return Decoding { encoding: Encoding::NoOp, ..Decoding::default() };
    }
    let filter = filter(cx, object, operations);
    let mapping = mapping(cx, object);
    let mapping = if matches!(filter, Filter::Flatmap(_)) { Vec::new() } else { mapping };
    Decoding {
        encoding,
        is_collection: object.boolean(cx, "is_collection"),
        target: text(cx, object, "target").map(path).unwrap_or_default(),
        filter,
        mapping,
        group: text(cx, object, "group").map(str::to_owned),
    }
}

/// Reads an `output_encoding`, of an endpoint or of the service. `None`: it is not set, or reported.
pub(super) fn output_encoding(cx: &mut Context<'_>, node: &Node) -> Option<OutputEncoding> {
    let text = cx.string(node)?;
    match text {
        "" => {}
        "json" | "fast-json" => return Some(OutputEncoding::Json),
        "json-collection" => return Some(OutputEncoding::JsonCollection),
        "string" => return Some(OutputEncoding::String),
        "xml" => return Some(OutputEncoding::Xml),
        "yaml" => return Some(OutputEncoding::Yaml),
        "negotiate" => return Some(OutputEncoding::Negotiate),
        "no-op" => return Some(OutputEncoding::NoOp),
        _ if OUTPUT_ENCODINGS.contains(&text) => {
            let message = format!("{} as output_encoding is not built yet", quoted(node));
            cx.error(
                node,
                code::NOT_BUILT,
                message,
                "one of json, json-collection, string, xml, yaml, negotiate, no-op",
            );
        }
        _ => {
            let message = format!("{} is no output_encoding", quoted(node));
            cx.error(node, code::VALUE, message, suggest::did_you_mean_or(text, OUTPUT_ENCODINGS));
        }
    }
    None
}

fn encoding(cx: &mut Context<'_>, object: &Object<'_>) -> Encoding {
    let Some(node) = object.get("encoding") else {
        return Encoding::default();
    };
    let Some(text) = cx.string(node) else {
        return Encoding::default();
    };
    if cx.no_op && text != "no-op" && ENCODINGS.contains(&text) {
        let message = format!("the encoding {} has no effect: the endpoint's no-op rules over it", quoted(node));
        cx.warning(node, code::NO_EFFECT, message, "remove `encoding`, or write `no-op`");
        return Encoding::NoOp;
    }
    match text {
        "" | "json" | "fast-json" => return Encoding::Json,
        "safejson" => return Encoding::SafeJson,
        "string" => return Encoding::String,
        "xml" => return Encoding::Xml,
        "no-op" => {
            if !cx.no_op {
                let message = "a backend with the encoding `no-op` adds nothing to an answer that is decoded";
                cx.warning(node, code::POINTLESS, message, "set the endpoint's `output_encoding` to `no-op`, too");
            }
            return Encoding::NoOp;
        }
        _ if ENCODINGS.contains(&text) => {
            let message = format!("{} as encoding is not built yet", quoted(node));
            cx.error(node, code::NOT_BUILT, message, "one of json, safejson, string, xml, no-op");
        }
        _ => {
            let help = suggest::did_you_mean_or(text, ENCODINGS);
            cx.error(node, code::VALUE, format!("unknown encoding {}", quoted(node)), help);
        }
    }
    Encoding::default()
}

/// `flatmap_filter` rules over all other keys, `allow` over `deny`.
fn filter(cx: &mut Context<'_>, object: &Object<'_>, operations: Option<&Node>) -> Filter {
    let allow = names(cx, object, "allow");
    let deny = names(cx, object, "deny");
    let operations = operations.map(|node| flatmap(cx, node)).unwrap_or_default();
    if !operations.is_empty() {
        for key in ["allow", "deny", "mapping"] {
            overruled(cx, object, key, "flatmap_filter");
        }
        return Filter::Flatmap(operations);
    }
    match (allow, deny) {
        (allow, deny) if !allow.is_empty() => {
            if !deny.is_empty() {
                overruled(cx, object, "deny", "allow");
            }
            Filter::Allow(Fields::allowed(allow))
        }
        (_, deny) if !deny.is_empty() => Filter::Deny(Fields::denied(deny)),
        _ => Filter::None,
    }
}

fn overruled(cx: &mut Context<'_>, object: &Object<'_>, key: &str, by: &str) {
    if let Some(node) = object.get(key) {
        cx.warning(node, code::OVERRULED, format!("`{key}` has no effect beside `{by}`"), "remove one of the two");
    }
}

fn names<'d>(cx: &mut Context<'_>, object: &Object<'d>, key: &str) -> Vec<&'d str> {
    let list = object.get(key).and_then(|node| cx.strings(node)).unwrap_or_default();
    list.into_iter().map(|(name, _)| name).collect()
}

/// Text that is not empty.
fn text<'d>(cx: &mut Context<'_>, object: &Object<'d>, key: &str) -> Option<&'d str> {
    object.string(cx, key).filter(|text| !text.is_empty())
}

fn path(text: &str) -> Vec<String> {
    text.split('.').map(str::to_owned).collect()
}

/// Of a new name, only what is before its first dot counts.
fn mapping(cx: &mut Context<'_>, object: &Object<'_>) -> Vec<(String, String)> {
    let members = object.get("mapping").and_then(|node| cx.members(node)).unwrap_or_default();
    let mut mapping = Vec::new();
    for member in members {
        let node = &member.value;
        let Some(written) = cx.string(node) else { continue };
        let new = written.split('.').next().unwrap_or_default();
        if new.is_empty() {
            let message = format!("the new name {} is empty", quoted(node));
            cx.error(node, code::VALUE, message, "write the name that the field gets");
            continue;
        }
        if new != written {
            let message = format!("of the new name {} only what is before its first dot counts", quoted(node));
            cx.warning(
                node,
                code::POINTLESS,
                message,
                "to put fields into an object, use `group`, or `flatmap_filter`",
            );
        }
        if new == member.key {
            let message = "a field that is mapped to its own name stays as it is, where KrakenD drops it";
            cx.warning(node, code::POINTLESS, message, "remove the entry, or write it into `deny`");
            continue;
        }
        mapping.push((member.key.clone(), new.to_owned()));
    }
    mapping
}

#[cfg(test)]
mod tests;
