//! KrakenD's allow-lists: `input_headers` and `input_query_strings`.

use super::super::code;
use super::super::document::Node;
use super::super::model::AllowList;
use super::super::read::{Context, quoted};
use http::HeaderName;

/// A list of header names, or `"*"`.
pub(super) fn headers(cx: &mut Context<'_>, node: Option<&Node>) -> AllowList<HeaderName> {
    list(cx, node, |cx, text, item| {
        let name = HeaderName::from_bytes(text.as_bytes()).ok();
        if name.is_none() {
            let message = format!("{} is not a header name", quoted(item));
            let help = "a header name has letters, digits and `-`, such as `X-Request-Id`";
            cx.error(item, code::VALUE, message, help);
        }
        name
    })
}

/// A list of query parameters, or `"*"`.
pub(super) fn query_strings(cx: &mut Context<'_>, node: Option<&Node>) -> AllowList<String> {
    list(cx, node, |cx, text, item| {
        if text.is_empty() {
            cx.error(item, code::VALUE, "the name of a query parameter is empty", "remove the entry");
            return None;
        }
        Some(text.to_owned())
    })
}

fn list<T: PartialEq>(
    cx: &mut Context<'_>,
    node: Option<&Node>,
    mut read: impl FnMut(&mut Context<'_>, &str, &Node) -> Option<T>,
) -> AllowList<T> {
    let items = node.and_then(|node| cx.strings(node)).unwrap_or_default();
    let all = items.iter().any(|(text, _)| *text == "*");
    let mut names = Vec::new();
    for (text, item) in items {
        if text == "*" {
            continue;
        }
        match read(cx, text, item) {
            Some(name) if !names.contains(&name) => names.push(name),
            _ => {}
        }
    }
    if all { AllowList::All } else { AllowList::Only(names) }
}
