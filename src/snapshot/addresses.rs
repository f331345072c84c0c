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
    current: ArcSwap<Known>,
    literal: bool,
}

/// Addresses with those of the preferred family first.
#[derive(Debug, Default)]
struct Known {
    all: Vec<SocketAddr>,
    /// How many of them take turns; the others are for when those fail.
    preferred: usize,
}

impl Addresses {
    fn new(name: &str, port: u16) -> Self {
        let literal: Option<IpAddr> = name.parse().ok();
        let known = Known::new(literal.map(|ip| SocketAddr::new(ip, port)).into_iter().collect());
        Self { name: name.to_owned(), port, current: ArcSwap::from_pointee(known), literal: literal.is_some() }
    }

    /// How many addresses are known now; none until a name was first resolved.
    #[must_use]
    pub fn count(&self) -> usize {
        self.current.load().all.len()
    }

    /// The address for a round of taking turns, and in it for a try (from 0): each try gets another one.
    #[must_use]
    pub fn pick(&self, round: usize, attempt: usize) -> Option<SocketAddr> {
        let known = self.current.load();
        let first = round.checked_rem(known.preferred)?;
        known.all.get((first + attempt).checked_rem(known.all.len())?).copied()
    }

    /// Whether the name is an address and needs no resolving.
    #[must_use]
    pub const fn is_literal(&self) -> bool {
        self.literal
    }

    /// Publishes what the resolver found. An empty answer is no news: the old addresses stay.
    pub fn publish(&self, found: Vec<SocketAddr>) {
        if !found.is_empty() {
            self.current.store(Arc::new(Known::new(found)));
        }
    }
}

impl Known {
    /// A name with addresses of both families (`localhost` is one) often has a server on one of them only, so turns are
    /// taken within a family: IPv4 where there is any, the other when a connection fails.
    fn new(mut found: Vec<SocketAddr>) -> Self {
        found.sort_by_key(SocketAddr::is_ipv6);
        found.dedup();
        let of_the_first =
            found.iter().take_while(|address| address.is_ipv6() == found.first().is_some_and(SocketAddr::is_ipv6));
        Self { preferred: of_the_first.count(), all: found }
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
        assert_eq!(literal.pick(7, 0), "[::1]:80".parse().ok());
        let name = book.entry("upstream.test", 80);
        assert_eq!((name.count(), name.pick(0, 0)), (0, None));
        assert_eq!(book.names().count(), 1);
        name.publish(vec!["127.0.0.1:80".parse().expect("an address")]);
        name.publish(Vec::new());
        assert_eq!(book.entry("upstream.test", 80).count(), 1);
    }

    #[test]
    fn turns_are_taken_within_a_family_and_tries_reach_the_other() {
        let addresses = ["[::1]:80", "127.0.0.1:80", "127.0.0.2:80"].map(|text| text.parse().expect("an address"));
        let mut book = AddressBook::default();
        let name = book.entry("upstream.test", 80);
        name.publish(addresses.into());
        let picked = |round, attempt| name.pick(round, attempt).expect("an address").ip().to_string();
        assert_eq!([picked(0, 0), picked(1, 0), picked(2, 0)], ["127.0.0.1", "127.0.0.2", "127.0.0.1"]);
        assert_eq!([picked(1, 1), picked(1, 2)], ["::1", "127.0.0.1"]);
    }
}
