//! `cookie.…`.

use super::fields::{self, Reader, optional, sensitive};
use crate::config::code;
use crate::config::document::Node;
use crate::config::model::martian::{Action, Condition, Cookie, CookieHeaders, Part, Text};
use crate::config::read::{Context, Object, quoted};
use chrono::DateTime;
use http::HeaderName;
use std::fmt::Write;
use std::time::SystemTime;

/// `cookie.Modifier`.
pub(super) fn modifier(cx: &mut Context<'_>, reader: &Reader<'_>, object: &Object<'_>) -> Option<Action> {
    let name = cookie_name(cx, object);
    let attributes = attributes(cx, object);
    let text = fields::value(cx, reader, object, "value")?;
    let stands = match &text {
        Text::Fixed(text) => Cookie::may_be_value(text.as_bytes()),
        Text::Filled(parts) => parts.iter().all(|part| match part {
            Part::Literal(text) => Cookie::may_be_value(text.as_bytes()),
            _ => true,
        }),
    };
    if let (false, Some(node)) = (stands, object.get("value")) {
        let help = "remove `\"`, `;`, `\\` and what is not ASCII; KrakenD would leave them out";
        cx.error(node, code::VALUE, format!("the `value` {} cannot stand in a cookie", quoted(node)), help);
        return None;
    }
    let (name, attributes) = (name?, attributes?);
    let value = match text {
        Text::Filled(parts) => Text::Filled(parts),
        Text::Fixed(text) => {
            let cookie = Cookie::pair(&name, &text);
            let set_cookie = sensitive(&format!("{cookie}{attributes}"))?;
            Text::Fixed(CookieHeaders { cookie: sensitive(&cookie)?, set_cookie })
        }
    };
    Some(Action::Cookie(Box::new(Cookie { name, value, attributes })))
}

/// `cookie.Filter`.
pub(super) fn filter(cx: &mut Context<'_>, reader: &Reader<'_>, object: &Object<'_>) -> Option<Condition> {
    let name = cookie_name(cx, object);
    let value = fields::asked(cx, reader, object, "value");
    Some(Condition::Cookie(name?, value.ok()?))
}

/// A token of HTTP, as names of headers are.
fn cookie_name(cx: &mut Context<'_>, object: &Object<'_>) -> Option<String> {
    let (text, node) = fields::name(cx, object, "name")?;
    if HeaderName::from_bytes(text.as_bytes()).is_err() {
        cx.error(
            node,
            code::VALUE,
            format!("{} is no name of a cookie", quoted(node)),
            "use letters, digits, `-` and `_`",
        );
        return None;
    }
    Some(text.to_owned())
}

/// What follows the value, in the order Go's `http.Cookie.String` writes it.
fn attributes(cx: &mut Context<'_>, object: &Object<'_>) -> Option<String> {
    let path = optional(cx, object, "path");
    let domain = optional(cx, object, "domain");
    let expires = object.get("expires").map(|node| expires(cx, node));
    let max_age: Option<Option<i64>> = object.get("maxAge").map(|node| cx.integer(node, "a whole number of seconds"));
    let http_only = object.boolean(cx, "httpOnly");
    let secure = object.boolean(cx, "secure");
    let mut text = String::new();
    for (label, read) in [("Path", path), ("Domain", domain)] {
        let Some((value, node)) = read.ok()? else { continue };
        if !value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b';') {
            cx.error(
                node,
                code::VALUE,
                format!("{} cannot stand in a cookie", quoted(node)),
                "remove `;` and what is not ASCII",
            );
            return None;
        }
        // RFC 6265 §5.2.3: a leading dot means nothing, and Go leaves it out.
        let value = if label == "Domain" { value.strip_prefix('.').unwrap_or(value) } else { value };
        write!(text, "; {label}={value}").ok()?;
    }
    if let Some(expires) = expires {
        write!(text, "; Expires={}", expires?).ok()?;
    }
    match max_age {
        Some(None) => return None,
        Some(Some(seconds)) if seconds != 0 => write!(text, "; Max-Age={}", seconds.max(0)).ok()?,
        _ => {}
    }
    text.push_str(if http_only { "; HttpOnly" } else { "" });
    text.push_str(if secure { "; Secure" } else { "" });
    Some(text)
}

/// The date as HTTP writes it. Years before 1970 are no expiry that anybody writes.
fn expires(cx: &mut Context<'_>, node: &Node) -> Option<String> {
    let text = fields::fixed(cx, node)?;
    let date = DateTime::parse_from_rfc3339(text).ok().map(SystemTime::from);
    let date = date.filter(|date| (SystemTime::UNIX_EPOCH..latest()).contains(date));
    if date.is_none() {
        let message = format!("{} is no date", quoted(node));
        cx.error(node, code::VALUE, message, "write it like `2030-01-31T12:00:00Z` (RFC 3339)");
    }
    date.map(httpdate::fmt_http_date)
}

/// The end of the year 9999, beyond which HTTP has no dates.
fn latest() -> SystemTime {
    SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(253_402_300_800)
}
