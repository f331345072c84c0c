//! Who a request comes from: the other end of its connection or, where that is a trusted proxy, whom the proxy names.
//!
//! Proxies append to `X-Forwarded-For`, so it is read from its end for as long as trusted proxies have written it; what
//! stands before that anybody may have written. Of a header that cannot be read as far as that, what could be read counts:
//! another header is not asked instead, which only the client may have sent.

use crate::config::model::Trust;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who sent a request, as far as it can be believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sender {
    /// The client.
    pub client: Option<IpAddr>,
    /// Whether the client's connection is TLS.
    pub secure: bool,
    /// The proxy that it came by.
    pub proxy: Option<Proxy>,
}

/// A trusted proxy at the other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proxy {
    /// Its address.
    pub address: IpAddr,
    /// How many entries at the end of `X-Forwarded-For` are believed: those that trusted proxies have written.
    pub believed: usize,
}

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Who sent a request over a connection from `peer` that is TLS or not.
#[must_use]
pub fn sender(trust: &Trust, peer: Option<IpAddr>, is_tls: bool, headers: &HeaderMap) -> Sender {
    let Some(address) = peer.filter(|peer| trust.trusts(*peer)) else {
        return Sender { client: peer, secure: is_tls, proxy: None };
    };
    let named = trust.headers.iter().find(|name| headers.contains_key(*name));
    let (client, entries) = named.and_then(|name| walk(trust, headers, name)).unwrap_or((address, 0));
    let believed = if named == Some(&Trust::FORWARDED_FOR) { entries } else { 0 };
    let secure = match only(headers, &FORWARDED_PROTO).map(HeaderValue::as_bytes) {
        Some(proto) if proto.eq_ignore_ascii_case(b"https") => true,
        Some(proto) if proto.eq_ignore_ascii_case(b"http") => false,
        _ => is_tls,
    };
    Sender { client: Some(client), secure, proxy: Some(Proxy { address, believed }) }
}

/// The first address from the end that is no trusted proxy, or the last one that can be read; and how many entries that is.
fn walk(trust: &Trust, headers: &HeaderMap, name: &HeaderName) -> Option<(IpAddr, usize)> {
    let read = if Trust::is_forwarded(name) { forwarded } else { plain };
    let mut reached = None;
    for (index, entry) in entries(headers, name).enumerate() {
        let Some(address) = read(entry) else { break };
        reached = Some((address, index + 1));
        if !trust.trusts(address) {
            break;
        }
    }
    reached
}

/// The entries of a list from its end, over all of its lines (RFC 9110 §5.3).
pub fn entries<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> + use<'h> {
    let has_quotes = Trust::is_forwarded(name);
    let lines = headers.get_all(name).iter().rev();
    let entries = lines.flat_map(move |line| from_end(line.as_bytes(), has_quotes).map(<[u8]>::trim_ascii));
    entries.filter(|entry| !entry.is_empty())
}

/// The entries of one line from its end. A comma in quotes separates nothing (RFC 7239 §4). Quotes are paired from the end, too: one
/// that a client has opened and not closed is of no matter to what proxies wrote after it.
fn from_end(line: &[u8], has_quotes: bool) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let mut quoted = false;
        let is_comma = |at: usize, byte: u8| {
            let escaped = || at.checked_sub(1).and_then(|before| line.get(before)) == Some(&b'\\');
            if has_quotes && byte == b'"' && !(quoted && escaped()) {
                quoted = !quoted;
            }
            byte == b',' && !quoted
        };
        let comma = last(line, is_comma);
        rest = comma.and_then(|comma| line.get(..comma));
        line.get(comma.map_or(0, |comma| comma + 1)..)
    })
}

fn last(line: &[u8], mut wanted: impl FnMut(usize, u8) -> bool) -> Option<usize> {
    line.iter().enumerate().rev().find_map(|(at, byte)| wanted(at, *byte).then_some(at))
}

/// The value of a header that is there once, and is no list.
#[must_use]
pub fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().filter(|line| !line.as_bytes().contains(&b','))?;
    lines.next().is_none().then_some(line)
}

/// An address and nothing else: no port, no brackets.
fn plain(entry: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(entry).ok()?.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// What `for` says in an element of `Forwarded` (RFC 7239 §4).
fn forwarded(element: &[u8]) -> Option<IpAddr> {
    let mut node = None;
    for pair in std::str::from_utf8(element).ok()?.split(';') {
        let (name, value) = pair.trim_matches([' ', '\t']).split_once('=')?;
        let value = unquoted(value)?;
        if name.eq_ignore_ascii_case("for") && node.replace(value).is_some() {
            return None;
        }
    }
    of_node(node?)
}

/// A token, or what stands in a quoted string. None that we want has a quotation mark of its own.
fn unquoted(value: &str) -> Option<&str> {
    let inner = value.strip_prefix('"').map_or(Some(value), |rest| rest.strip_suffix('"'))?;
    (!inner.contains(['"', '\\'])).then_some(inner)
}

/// RFC 7239 §6: an address, in brackets if it is one of IPv6, with a port or none. `unknown` and `_hidden` are no addresses.
fn of_node(node: &str) -> Option<IpAddr> {
    if let Some(bracketed) = node.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        let address = address.parse::<Ipv6Addr>().ok()?;
        return (port.is_empty() || port.starts_with(':')).then(|| IpAddr::from(address).to_canonical());
    }
    let address = node.split_once(':').map_or(node, |(address, _)| address);
    address.parse::<Ipv4Addr>().ok().map(IpAddr::from)
}

#[cfg(test)]
mod tests;
