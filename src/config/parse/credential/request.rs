//! What a token request holds beside the grant: `audience`, `resource`, `request_format`, `request_headers`.

use super::policy::word;
use crate::base::Secret;
use crate::config::code;
use crate::config::document::{Member, Value};
use crate::config::model::RequestFormat;
use crate::config::read::{Context, Object, quoted};
use http::{HeaderName, HeaderValue};
use std::collections::BTreeMap;
use url::Url;

/// Headers that the request has anyway, or that would change how it is read.
const OURS: &[&str] = &[
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "dpop",
    "expect",
    "host",
    "transfer-encoding",
    "upgrade",
];

pub(super) fn audiences(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Vec<String>> {
    let items = object.get("audience").map_or(Some(Vec::new()), |node| cx.strings(node))?;
    Some(items.into_iter().filter(|(text, _)| !text.is_empty()).map(|(text, _)| text.to_owned()).collect())
}

/// RFC 8707 §2: absolute URIs without a fragment.
pub(super) fn resources(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Vec<String>> {
    let items = object.get("resource").map_or(Some(Vec::new()), |node| cx.strings(node))?;
    let mut fine = true;
    for (text, node) in items.iter().filter(|(text, _)| !text.is_empty()) {
        let (why, help) = match Url::parse(text) {
            Err(_) => {
                ("is not an absolute URI", "write an address such as `https://api.example.com`, or use `audience`")
            }
            Ok(url) if url.fragment().is_some() => ("has a fragment", "remove the `#` and what follows it"),
            Ok(_) => continue,
        };
        cx.error(node, code::VALUE, format!("the resource {} {why}", quoted(node)), help);
        fine = false;
    }
    let texts = items.into_iter().filter(|(text, _)| !text.is_empty()).map(|(text, _)| text.to_owned());
    fine.then(|| texts.collect())
}

pub(super) fn format(cx: &mut Context<'_>, object: &Object<'_>) -> Option<RequestFormat> {
    word(cx, object, "request_format", &[("form", RequestFormat::Form), ("json", RequestFormat::Json)])
}

/// A value may be a key to some gateway: none is shown.
pub(super) fn headers(cx: &mut Context<'_>, object: &Object<'_>) -> Option<BTreeMap<String, Secret>> {
    let Some(node) = object.get("request_headers") else {
        return Some(BTreeMap::new());
    };
    let mut headers = BTreeMap::new();
    let mut fine = true;
    let members = cx.members(node)?;
    for member in members.iter().filter(|member| member.value.value != Value::Null) {
        let value = cx.string(&member.value);
        let name = HeaderName::from_bytes(member.key.as_bytes());
        // The same spelling twice was reported before anything was read.
        let again = |name: &HeaderName| headers.contains_key(name.as_str()) && is_only(members, &member.key);
        let problem = match (&name, value) {
            (Err(_), _) => Some(("is not a header name", "write a name such as `X-Api-Key`")),
            (Ok(name), _) if OURS.contains(&name.as_str()) => {
                Some(("is a header that the request has already", "remove it"))
            }
            (Ok(name), _) if again(name) => {
                Some(("is written twice in two spellings", "keep one; names of headers are without regard to case"))
            }
            (Ok(_), Some(value)) if HeaderValue::from_str(value).is_err() => {
                Some(("has a value that cannot stand in a header", "remove line ends and other control characters"))
            }
            _ => None,
        };
        if let Some((why, help)) = problem {
            cx.error(&member.value, code::VALUE, format!("{} {why}", member.name()), help);
        }
        match (name, value, problem) {
            (Ok(name), Some(value), None) => drop(headers.insert(name.as_str().to_owned(), Secret::new(value))),
            _ => fine = false,
        }
    }
    fine.then_some(headers)
}

/// Whether no other member has this very key.
fn is_only(members: &[Member], key: &str) -> bool {
    members.iter().filter(|member| member.key == key).count() == 1
}
