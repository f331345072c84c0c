//! `url.…`, `querystring.…` and `port.…`.

use super::fields::{self, Maybe, Reader, Reported, optional};
use crate::config::code;
use crate::config::diagnostic::Diagnostic;
use crate::config::document::{Node, Value};
use crate::config::model::martian::{Action, Authority, Condition, Part, PortChange, Text, UrlChange, UrlParts};
use crate::config::parse::host;
use crate::config::read::{Context, Object, quoted};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// What Go encodes in a path (`net/url`, `encodePath`): a `%` too, for the path is not encoded as it stands.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');
/// What can stand in no query; all else is as it is written.
const QUERY: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'|');

/// `url.Modifier`.
pub(super) fn modifier(cx: &mut Context<'_>, reader: &Reader<'_>, object: &Object<'_>) -> Option<Action> {
    let https = scheme(cx, object);
    let host = optional(cx, object, "host").and_then(|host| match host {
        Some((text, node)) => authority(cx, text, node).map(Some),
        None => Ok(None),
    });
    let path = fields::asked(cx, reader, object, "path").map(|path| path.map(|path| encoded(rooted(path), PATH)));
    let query = fields::asked(cx, reader, object, "query").map(|query| query.map(|query| encoded(query, QUERY)));
    Some(Action::Url(Box::new(UrlChange {
        https: https.ok()?,
        host: host.ok()?,
        path: path.ok()?,
        query: query.ok()?,
    })))
}

/// Go adds the slash that a path must begin with.
fn rooted(path: Text<String>) -> Text<String> {
    match path {
        Text::Fixed(path) if path.starts_with('/') => Text::Fixed(path),
        Text::Fixed(path) => Text::Fixed(format!("/{path}")),
        Text::Filled(parts) => match parts.first() {
            Some(Part::Literal(first)) if first.starts_with('/') => Text::Filled(parts),
            _ => Text::Filled(std::iter::once(Part::Literal("/".to_owned())).chain(parts).collect()),
        },
    }
}

fn encoded(text: Text<String>, set: &'static AsciiSet) -> Text<String> {
    let encode = |text: &str| utf8_percent_encode(text, set).to_string();
    match text {
        Text::Fixed(text) => Text::Fixed(encode(&text)),
        Text::Filled(parts) => Text::Filled(
            parts
                .into_iter()
                .map(|part| match part {
                    Part::Literal(text) => Part::Literal(encode(&text)),
                    part => part,
                })
                .collect(),
        ),
    }
}

/// `http` or `https`, or no word about it.
fn scheme(cx: &mut Context<'_>, object: &Object<'_>) -> Maybe<bool> {
    let Some((text, node)) = optional(cx, object, "scheme")? else { return Ok(None) };
    match text {
        "http" => Ok(Some(false)),
        "https" => Ok(Some(true)),
        _ => {
            let message = format!("{} is no scheme of an upstream", quoted(node));
            cx.error(node, code::VALUE, message, "write `http` or `https`");
            Err(Reported)
        }
    }
}

fn authority(cx: &mut Context<'_>, text: &str, node: &Node) -> Result<Authority, Reported> {
    let Some((name, port)) = host::authority(text) else {
        let message = format!("the host {} has no valid name or port", quoted(node));
        cx.error(node, code::HOST, message, "write `name` or `name:port`; the scheme is a key of its own");
        return Err(Reported);
    };
    Ok(Authority { name, port })
}

/// `url.Filter` and `url.Verifier`.
pub(super) fn filter(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Condition> {
    let https = scheme(cx, object);
    let [host, path, query] = ["host", "path", "query"].map(|key| optional(cx, object, key));
    let text = |read: Option<(&str, &Node)>| read.map(|(text, _)| text.to_owned());
    let host = text(host.ok()?).map(|host| host.to_ascii_lowercase());
    Some(Condition::Url(UrlParts { https: https.ok()?, host, path: text(path.ok()?), query: text(query.ok()?) }))
}

/// `querystring.Modifier`.
pub(super) fn query(cx: &mut Context<'_>, reader: &Reader<'_>, object: &Object<'_>) -> Option<Action> {
    let name = fields::name(cx, object, "name");
    let value = fields::value(cx, reader, object, "value");
    Some(Action::Query(name?.0.to_owned(), value?))
}

/// `querystring.Filter` and `querystring.Verifier`.
pub(super) fn query_filter(cx: &mut Context<'_>, reader: &Reader<'_>, object: &Object<'_>) -> Option<Condition> {
    let name = fields::name(cx, object, "name");
    let value = fields::asked(cx, reader, object, "value");
    Some(Condition::Query(name?.0.to_owned(), value.ok()?))
}

/// `port.Modifier`: exactly one of its keys says something.
pub(super) fn port(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Action> {
    let to = object.get("port").filter(|node| node.value != Value::Number("0".to_owned()));
    let default = object.boolean(cx, "defaultForScheme");
    let remove = object.boolean(cx, "remove");
    match (to, default, remove) {
        (Some(node), false, false) => port_number(cx, node).map(|port| Action::Port(PortChange::To(port))),
        (None, true, false) => Some(Action::Port(PortChange::Default)),
        (None, false, true) => Some(Action::Port(PortChange::Remove)),
        _ => {
            let message = "`port.Modifier` needs exactly one of `port`, `defaultForScheme` and `remove`";
            let problem = Diagnostic::error(code::VALUE, Some(object.head.clone()), message);
            cx.diagnostics.push(problem.help("keep the one that is meant"));
            None
        }
    }
}

/// A number of a port.
pub(super) fn port_number(cx: &mut Context<'_>, node: &Node) -> Option<u16> {
    const EXPECTED: &str = "a port from 1 to 65535";
    let port: u16 = cx.integer(node, EXPECTED)?;
    if port == 0 {
        cx.error(node, code::VALUE, format!("expected {EXPECTED}, found {}", quoted(node)), "write the port");
        return None;
    }
    Some(port)
}
