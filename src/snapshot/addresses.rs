//! Addresses of upstream names: published by the resolver in the background, read by every request.
//!
//! Pingora would resolve a name inside `HttpPeer::new`, blocking a worker and panicking when there is no answer
//! (`pingora-core/src/upstreams/peer.rs`, `HttpPeer::new`), so peers are only ever built from the addresses kept here.

use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The current addresses of one name and port.
#[derive(Debug)]
pub struct Addresses {
    /// The name, or the text of an address.
    pub name: String,
    /// The port.
    pub port: u16,
    current: ArcSwap<Vec<SocketAddr>>,
    literal: bool,
}

impl Addresses {
    fn new(name: &str, port: u16) -> Self {
        let literal: Option<IpAddr> = name.parse().ok();
        let current = literal.map(|ip| SocketAddr::new(ip, port)).into_iter().collect();
        Self { name: name.to_owned(), port, current: ArcSwap::from_pointee(current), literal: literal.is_some() }
    }

    /// The addresses known now; empty until a name was first resolved.
    #[must_use]
    pub fn current(&self) -> arc_swap::Guard<Arc<Vec<SocketAddr>>> {
        self.current.load()
    }

    /// Whether the name is an address and needs no resolving.
    #[must_use]
    pub const fn is_literal(&self) -> bool {
        self.literal
    }

    /// Publishes what the resolver found. An empty answer is no news: the old addresses stay.
    pub fn publish(&self, found: Vec<SocketAddr>) {
        if !found.is_empty() {
            self.current.store(Arc::new(found));
        }
    }
}

/// One [`Addresses`] for each name and port of the configuration.
#[derive(Debug, Default)]
pub struct AddressBook {
    entries: BTreeMap<(String, u16), Arc<Addresses>>,
}

impl AddressBook {
    /// The entry of a name and port, made on first use.
    pub fn entry(&mut self, name: &str, port: u16) -> Arc<Addresses> {
        self.entries.entry((name.to_owned(), port)).or_insert_with(|| Arc::new(Addresses::new(name, port))).clone()
    }

    /// The entries that need a resolver.
    pub fn names(&self) -> impl Iterator<Item = &Arc<Addresses>> {
        self.entries.values().filter(|addresses| !addresses.is_literal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_addresses_are_known_at_once_and_names_when_they_are_published() {
        let mut book = AddressBook::default();
        let literal = book.entry("::1", 80);
        assert_eq!(**literal.current(), ["[::1]:80".parse().expect("an address")]);
        let name = book.entry("upstream.test", 80);
        assert!(name.current().is_empty());
        assert_eq!(book.names().count(), 1);
        name.publish(vec!["127.0.0.1:80".parse().expect("an address")]);
        name.publish(Vec::new());
        assert_eq!(book.entry("upstream.test", 80).current().len(), 1);
    }
}
