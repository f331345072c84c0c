//! `host`: scheme, name and port of upstreams, as strict as KrakenD's sanitizer, with IPv6 literals on top.

use super::super::code;
use super::super::document::Node;
use super::super::model::Host;
use super::super::read::{Context, quoted};
use std::net::Ipv6Addr;

const FORM: &str = "write `http://name:port` or `https://name:port`, without path";

/// Every host of a list that is valid.
pub(super) fn hosts(cx: &mut Context<'_>, node: &Node) -> Vec<Host> {
    let mut hosts = Vec::new();
    for (text, item) in cx.strings(node).unwrap_or_default() {
        match parse(text) {
            Ok(host) => hosts.push(host),
            Err(problem) => report(cx, item, &problem),
        }
    }
    hosts
}

fn report(cx: &mut Context<'_>, item: &Node, problem: &Problem) {
    // With user-info in it, the host holds a password: then the place must do.
    let host = if *problem == Problem::UserInfo { "the host".to_owned() } else { format!("the host {}", quoted(item)) };
    let (why, help) = match problem {
        Problem::Empty => ("is empty", FORM),
        Problem::Scheme => ("has a scheme other than `http` or `https`", FORM),
        Problem::UserInfo => ("holds a user name or password", "remove everything up to the `@`"),
        Problem::Path => ("has a path", "move the path to `url_pattern`"),
        Problem::Name => ("has no valid name", FORM),
        Problem::Port => ("has no valid port", "a port is a number from 1 to 65535"),
    };
    cx.error(item, code::HOST, format!("{host} {why}"), help);
}

#[derive(Debug, PartialEq, Eq)]
enum Problem {
    Empty,
    Scheme,
    UserInfo,
    Path,
    Name,
    Port,
}

fn parse(text: &str) -> Result<Host, Problem> {
    let (https, rest) = scheme(text)?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains('@') {
        return Err(Problem::UserInfo);
    }
    if rest.contains(['/', '?', '#']) {
        return Err(Problem::Path);
    }
    if rest.is_empty() {
        return Err(Problem::Empty);
    }
    let (name, port) = split_port(rest)?;
    let name = name.to_ascii_lowercase();
    let bracketed = if rest.starts_with('[') { format!("[{name}]") } else { name.clone() };
    let authority = match port {
        Some(port) => format!("{bracketed}:{port}"),
        None => bracketed,
    };
    let port = port.unwrap_or(if https { 443 } else { 80 });
    Ok(Host { https, name, port, authority })
}

fn scheme(text: &str) -> Result<(bool, &str), Problem> {
    match text.split_once("://") {
        None => Ok((false, text)),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => Ok((false, rest)),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => Ok((true, rest)),
        // RFC 6455 §3: what a WebSocket handshake is sent to is an HTTP server.
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ws") => Ok((false, rest)),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("wss") => Ok((true, rest)),
        Some((_, rest)) if rest.contains('@') => Err(Problem::UserInfo),
        Some(_) => Err(Problem::Scheme),
    }
}

fn split_port(rest: &str) -> Result<(&str, Option<u16>), Problem> {
    let (name, port) = if let Some(literal) = rest.strip_prefix('[') {
        let (name, after) = literal.split_once(']').ok_or(Problem::Name)?;
        name.parse::<Ipv6Addr>().map_err(|_| Problem::Name)?;
        match after.strip_prefix(':') {
            Some(port) => (name, Some(port)),
            None if after.is_empty() => (name, None),
            None => return Err(Problem::Name),
        }
    } else {
        match rest.split_once(':') {
            Some((name, port)) => (plain(name)?, Some(port)),
            None => (plain(rest)?, None),
        }
    };
    let port = match port {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|port| *port != 0).ok_or(Problem::Port)?)
        }
        Some(_) => return Err(Problem::Port),
        None => None,
    };
    Ok((name, port))
}

/// Name and port as they stand in a URL or a `Host` header.
pub(super) fn authority(text: &str) -> Option<(String, Option<u16>)> {
    split_port(text).ok().map(|(name, port)| (name.to_ascii_lowercase(), port))
}

/// The name of a service: no scheme, no port, no address.
pub(super) fn service_name(text: &str) -> Option<String> {
    let name = plain(text).ok().filter(|name| !name.is_empty())?;
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    (!is_address).then(|| name.to_ascii_lowercase())
}

fn plain(name: &str) -> Result<&str, Problem> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let labels = name.strip_suffix('.').unwrap_or(name).split('.');
    let sane =
        name.len() <= 253 && name.bytes().all(fits) && labels.into_iter().all(|l| !l.is_empty() && l.len() <= 63);
    if sane { Ok(name) } else { Err(Problem::Name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_every_form() {
        for (text, https, name, port, authority) in [
            ("api.example.com", false, "api.example.com", 80, "api.example.com"),
            ("http://API.example.com/", false, "api.example.com", 80, "api.example.com"),
            ("https://a_b:8443", true, "a_b", 8443, "a_b:8443"),
            ("https://a:443", true, "a", 443, "a:443"),
            ("https://10.0.0.1", true, "10.0.0.1", 443, "10.0.0.1"),
            ("ws://a:8080", false, "a", 8080, "a:8080"),
            ("WSS://a", true, "a", 443, "a"),
            ("http://[::1]:9000", false, "::1", 9000, "[::1]:9000"),
            ("[2001:DB8::1]", false, "2001:db8::1", 80, "[2001:db8::1]"),
        ] {
            let host = Host { https, name: name.into(), port, authority: authority.into() };
            assert_eq!(parse(text), Ok(host), "{text}");
        }
    }

    #[test]
    fn hosts_that_are_none() {
        for (text, problem) in [
            ("", Problem::Empty),
            ("http://", Problem::Empty),
            ("ftp://a", Problem::Scheme),
            ("lb://a", Problem::Scheme),
            ("http://u:p@a", Problem::UserInfo),
            ("redis://u:p@a", Problem::UserInfo),
            ("http://a/v1", Problem::Path),
            ("http://a//", Problem::Path),
            ("http://a?b", Problem::Path),
            ("http://a b", Problem::Name),
            ("http://a..b", Problem::Name),
            ("http://é", Problem::Name),
            ("http://:80", Problem::Name),
            ("http://[::1", Problem::Name),
            ("::1", Problem::Name),
            ("http://a:", Problem::Port),
            ("http://a:0", Problem::Port),
            ("http://a:65536", Problem::Port),
            ("http://a:8o", Problem::Port),
            ("http://a:+80", Problem::Port),
        ] {
            assert_eq!(parse(text), Err(problem), "{text}");
        }
    }
}
