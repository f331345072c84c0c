//! `extra_config."security/http"` of the service: which hosts are served, what is redirected, which headers answers have.

use super::super::code;
use super::super::document::{Node, Value};
use super::super::keys::Level;
use super::super::model::{AllowList, AllowedHosts, Security};
use super::super::read::{Context, Object, quoted};
use super::lists::headers;
use super::patterns::patterns;
use http::{HeaderName, HeaderValue};

/// Headers for the answers, by the spelling they have on the wire.
type Headers = Vec<(&'static str, HeaderValue)>;

/// Reads the namespace.
pub(super) fn security(cx: &mut Context<'_>, node: Option<&Node>, speaks_tls: bool) -> Option<Security> {
    let object = Object::open(cx, node?, Level::Namespace("security/http"))?;
    let development = object.boolean(cx, "is_development");
    let (hosts, host_headers) = (allowed_hosts(cx, &object), host_headers(cx, &object));
    let ssl_redirect = object.boolean(cx, "ssl_redirect") && !development;
    let ssl_host = object.get("ssl_host").and_then(|node| host(cx, node));
    let ssl_proxy_headers = ssl_proxy_headers(cx, &object);
    if ssl_redirect && ssl_proxy_headers.is_empty() && !speaks_tls {
        warn_every_request(cx, &object);
    }
    let (mut headers, mut ssl_headers) = (answer_headers(cx, &object), Headers::new());
    let forced = object.boolean(cx, "force_sts_header");
    if let Some(value) = strict_transport_security(cx, &object).filter(|_| !development) {
        let list = if forced { &mut headers } else { &mut ssl_headers };
        list.push(("Strict-Transport-Security", value));
    }
    let hosts = if development { AllowedHosts::Any } else { hosts? };
    Some(Security { hosts, host_headers, ssl_redirect, ssl_host, ssl_proxy_headers, headers, ssl_headers })
}

fn allowed_hosts(cx: &mut Context<'_>, object: &Object<'_>) -> Option<AllowedHosts> {
    let are_patterns = object.boolean(cx, "allowed_hosts_are_regex");
    let Some(list) = object.get("allowed_hosts") else { return Some(AllowedHosts::Any) };
    let items = cx.strings(list)?;
    if items.is_empty() {
        return Some(AllowedHosts::Any);
    }
    if are_patterns {
        return patterns(cx, list, true).map(AllowedHosts::Patterns);
    }
    let names: Option<Vec<_>> = items.iter().map(|(_, item)| host(cx, item)).collect();
    names.map(AllowedHosts::Names)
}

/// A host as it stands in `Host`.
fn host(cx: &mut Context<'_>, node: &Node) -> Option<String> {
    let text = cx.string(node)?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    if !text.is_empty() && text.bytes().all(fits) {
        return Some(text.to_owned());
    }
    let help = if text.contains('*') {
        "for all names of a domain set `allowed_hosts_are_regex` and write `[a-z0-9-]+\\.example\\.com`"
    } else {
        "write a name such as `api.example.com`, with the port if clients send one: `api.example.com:8443`"
    };
    cx.error(node, code::ALLOWED_HOST, format!("{} is not a host", quoted(node)), help);
    None
}

fn host_headers(cx: &mut Context<'_>, object: &Object<'_>) -> Vec<HeaderName> {
    let Some(node) = object.get("host_proxy_headers") else { return Vec::new() };
    let AllowList::Only(names) = headers(cx, Some(node)) else {
        let help = "name the header in which the proxy in front puts the host";
        cx.error(node, code::VALUE, "`*` is not a header name", help);
        return Vec::new();
    };
    if !names.is_empty() {
        let message = "any client can send these headers, and choose the host it is judged by";
        let help = "keep them only behind a proxy that replaces what clients send";
        cx.warning(node, code::CLIENTS_WORD, message, help);
    }
    names
}

/// A client that claims TLS without having it goes without the redirect, which is its own loss: no warning for that.
fn ssl_proxy_headers(cx: &mut Context<'_>, object: &Object<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let members = object.get("ssl_proxy_headers").and_then(|node| cx.members(node)).unwrap_or_default();
    let mut marks = Vec::new();
    for member in members.iter().filter(|member| member.value.value != Value::Null) {
        let Ok(name) = HeaderName::from_bytes(member.key.as_bytes()) else {
            let message = format!("{} is not a header name", member.name());
            cx.error(&member.value, code::VALUE, message, "write a name such as `X-Forwarded-Proto`");
            continue;
        };
        if let Some(value) = header_value(cx, &member.value) {
            marks.push((name, value));
        }
    }
    marks
}

fn warn_every_request(cx: &mut Context<'_>, object: &Object<'_>) {
    let Some(node) = object.get("ssl_redirect") else { return };
    let message = "without `ssl_proxy_headers` every request is redirected: no listener speaks TLS";
    let help =
        "add `tls`, or behind a proxy that ends TLS `\"ssl_proxy_headers\": { \"X-Forwarded-Proto\": \"https\" }`";
    cx.warning(node, code::EVERY_REQUEST, message, help);
}

fn answer_headers(cx: &mut Context<'_>, object: &Object<'_>) -> Headers {
    let mut headers = Headers::new();
    let frame = text(cx, object, "custom_frame_options_value");
    let deny = object.boolean(cx, "frame_deny").then_some(HeaderValue::from_static("DENY"));
    headers.extend(frame.or(deny).map(|value| ("X-Frame-Options", value)));
    if object.boolean(cx, "content_type_nosniff") {
        headers.push(("X-Content-Type-Options", HeaderValue::from_static("nosniff")));
    }
    if object.boolean(cx, "browser_xss_filter") {
        headers.push(("X-XSS-Protection", HeaderValue::from_static("1; mode=block")));
    }
    headers.extend(content_security_policy(cx, object).map(|value| ("Content-Security-Policy", value)));
    headers.extend(text(cx, object, "referrer_policy").map(|value| ("Referrer-Policy", value)));
    headers
}

/// KrakenD puts a fresh nonce in place of `$NONCE`, which no document behind it can know.
fn content_security_policy(cx: &mut Context<'_>, object: &Object<'_>) -> Option<HeaderValue> {
    let node = object.get("content_security_policy")?;
    if cx.string(node)?.contains("$NONCE") {
        let message = "a nonce in `content_security_policy` fits no document: no upstream learns it";
        cx.error(node, code::VALUE, message, "remove `$NONCE`, or let the upstream send the header");
        return None;
    }
    text(cx, object, "content_security_policy")
}

fn strict_transport_security(cx: &mut Context<'_>, object: &Object<'_>) -> Option<HeaderValue> {
    let subdomains = object.boolean(cx, "sts_include_subdomains");
    let seconds: u64 = object.get("sts_seconds").and_then(|node| cx.integer(node, "a number of seconds"))?;
    let value = format!("max-age={seconds}{}", if subdomains { "; includeSubDomains" } else { "" });
    // Zero seconds: no header.
    HeaderValue::try_from(value).ok().filter(|_| seconds > 0)
}

/// The value of a header; an empty text is none.
fn text(cx: &mut Context<'_>, object: &Object<'_>, key: &str) -> Option<HeaderValue> {
    let node = object.get(key)?;
    header_value(cx, node).filter(|value| !value.is_empty())
}

fn header_value(cx: &mut Context<'_>, node: &Node) -> Option<HeaderValue> {
    let value = HeaderValue::from_str(cx.string(node)?).ok();
    if value.is_none() {
        // Not quoted: it would break the line.
        let message = "this text cannot be the value of a header";
        cx.error(node, code::HEADER_VALUE, message, "remove line ends and other control characters");
    }
    value
}
