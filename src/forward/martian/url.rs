//! The URL of an upstream request: where it goes and what for, as Go's `net/url` reads and writes it.

use super::text::Buffer;
use crate::config::model::martian::{Authority, PortChange, UrlParts};
use percent_encoding::percent_decode;
use regex::bytes::Regex;
use std::borrow::Cow;

/// Scheme, host and port of an upstream request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination<'a> {
    /// Whether the connection is TLS.
    pub https: bool,
    /// A DNS name or an IP address, IPv6 without brackets.
    pub host: Cow<'a, str>,
    /// The port if it is written; else the scheme's own.
    pub written_port: Option<u16>,
    /// Whether a modifier sends the request somewhere else than to the chosen host.
    pub is_elsewhere: bool,
}

impl<'a> Destination<'a> {
    /// The chosen host, by what stands in its `Host` header.
    #[must_use]
    pub fn new(https: bool, authority: &'a str) -> Self {
        let (host, port) = match authority.strip_prefix('[').and_then(|literal| literal.split_once(']')) {
            Some((address, port)) => (address, port.strip_prefix(':')),
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let written_port = port.and_then(|port| port.parse().ok());
        Self { https, host: Cow::Borrowed(host), written_port, is_elsewhere: false }
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.written_port.unwrap_or(if self.https { 443 } else { 80 })
    }

    /// Scheme, name and port: whose resources it serves (RFC 6454 §4).
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}:{}", if self.https { "https" } else { "http" }, self.host, self.port())
    }

    /// Name and port as they stand in a URL.
    pub(super) fn write_authority(&self, buffer: &mut Buffer) {
        let literal = self.host.contains(':');
        buffer.extend_from_slice(if literal { b"[" } else { b"" });
        buffer.extend_from_slice(self.host.as_bytes());
        buffer.extend_from_slice(if literal { b"]" } else { b"" });
        if let Some(port) = self.written_port {
            buffer.push(b':');
            buffer.extend_from_slice(itoa::Buffer::new().format(port).as_bytes());
        }
    }

    /// The same, on its own feet.
    #[must_use]
    pub fn detached(&self) -> Destination<'static> {
        Destination {
            https: self.https,
            host: Cow::Owned(self.host.clone().into_owned()),
            written_port: self.written_port,
            is_elsewhere: self.is_elsewhere,
        }
    }

    /// `scheme` of `url.Modifier`.
    pub(super) fn set_https(&mut self, https: bool) {
        self.is_elsewhere |= self.https != https;
        self.https = https;
    }

    /// `host` of `url.Modifier`.
    pub(super) fn set_host(&mut self, host: &Authority) {
        self.is_elsewhere |= self.host != host.name || self.written_port != host.port;
        self.host = Cow::Owned(host.name.clone());
        self.written_port = host.port;
    }

    /// `port.Modifier`.
    pub(super) fn set_port(&mut self, change: PortChange) {
        let before = self.port();
        self.written_port = match change {
            PortChange::To(port) => Some(port),
            PortChange::Default => Some(if self.https { 443 } else { 80 }),
            PortChange::Remove => None,
        };
        self.is_elsewhere |= self.port() != before;
    }
}

/// A whole URL.
pub(super) struct Url<'a> {
    pub destination: &'a Destination<'a>,
    pub path: &'a str,
    pub query: Option<&'a str>,
}

impl Url<'_> {
    /// The text of it.
    pub(super) fn text(&self) -> Buffer {
        let mut buffer = Buffer::new();
        buffer.extend_from_slice(if self.destination.https { b"https://" } else { b"http://" });
        self.destination.write_authority(&mut buffer);
        buffer.extend_from_slice(self.path.as_bytes());
        if let Some(query) = self.query {
            buffer.push(b'?');
            buffer.extend_from_slice(query.as_bytes());
        }
        buffer
    }

    /// Whether the text of it has a match.
    pub(super) fn matches(&self, regex: &Regex) -> bool {
        regex.is_match(&self.text())
    }

    /// Whether it has these parts.
    pub(super) fn has(&self, parts: &UrlParts) -> bool {
        let host = |pattern: &String| {
            let mut authority = Buffer::new();
            self.destination.write_authority(&mut authority);
            host_matches(&authority, pattern.as_bytes())
        };
        parts.https.is_none_or(|https| https == self.destination.https)
            && parts.host.as_ref().is_none_or(host)
            && parts.path.as_ref().is_none_or(|path| percent_decode(self.path.as_bytes()).eq(path.bytes()))
            && parts.query.as_ref().is_none_or(|query| self.query.unwrap_or_default() == query)
    }
}

/// Label by label; `*` stands for any one.
fn host_matches(host: &[u8], pattern: &[u8]) -> bool {
    let (mut labels, mut wanted) = (host.split(|byte| *byte == b'.'), pattern.split(|byte| *byte == b'.'));
    loop {
        match (labels.next(), wanted.next()) {
            (None, None) => return true,
            (Some(label), Some(wanted)) if wanted == b"*" || label.eq_ignore_ascii_case(wanted) => {}
            _ => return false,
        }
    }
}

/// The parameters of a query, decoded. Go leaves out those with a `;` (`net/url`, `parseQuery`).
pub(super) fn pairs(query: Option<&str>) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let written = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !pair.contains(';'));
    written.flat_map(|pair| form_urlencoded::parse(pair.as_bytes()))
}

/// A name or a value in a query, as Go's `url.QueryEscape` writes it.
pub(super) fn write_query(buffer: &mut Buffer, text: &[u8]) {
    for byte in text {
        match byte {
            b' ' => buffer.push(b'+'),
            byte if is_unreserved(*byte) => buffer.push(*byte),
            byte => write_escape(buffer, *byte),
        }
    }
}

/// A part of a path that is not to become several.
pub(super) fn write_segment(buffer: &mut Buffer, text: &[u8]) {
    for byte in text {
        if is_unreserved(*byte) { buffer.push(*byte) } else { write_escape(buffer, *byte) }
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn write_escape(buffer: &mut Buffer, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
    buffer.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
}
