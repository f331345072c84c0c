//! Addresses of upstream names: published by the resolver in the background, read when a backend's targets are put together.
//!
//! Pingora would resolve a name inside `HttpPeer::new`, blocking a worker and panicking when there is no answer
//! (`pingora-core/src/upstreams/peer.rs`, `HttpPeer::new`), so peers are only ever built from the addresses kept here.

use crate::snapshot::breaker::Breakers;
use crate::snapshot::health::States;
use crate::snapshot::services::Service;
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The current addresses of one name and port.
#[derive(Debug)]
pub struct Addresses {
    /// The name, or the text of an address.
    pub name: String,
    /// The port.
    pub port: u16,
    current: ArcSwap<Vec<SocketAddr>>,
    literal: bool,
    watchers: Watchers,
}

impl Addresses {
    fn new(name: &str, port: u16) -> Self {
        let literal: Option<IpAddr> = name.parse().ok();
        let known: Vec<SocketAddr> = literal.map(|ip| SocketAddr::new(ip, port)).into_iter().collect();
        Self {
            name: name.to_owned(),
            port,
            current: ArcSwap::from_pointee(known),
            literal: literal.is_some(),
            watchers: Watchers::default(),
        }
    }

    /// What is known now, IPv4 first; nothing until a name was first resolved.
    #[must_use]
    pub fn known(&self) -> Arc<Vec<SocketAddr>> {
        self.current.load_full()
    }

    /// Whether the name is an address and needs no resolving.
    #[must_use]
    pub const fn is_literal(&self) -> bool {
        self.literal
    }

    /// Publishes what the resolver found. An empty answer is no news: the old addresses stay.
    pub fn publish(&self, mut found: Vec<SocketAddr>) {
        in_order(&mut found);
        if !found.is_empty() && **self.current.load() != found {
            self.current.store(Arc::new(found));
            self.watchers.tell();
        }
    }

    /// Tells whoever watches of each change.
    pub fn watch(&self, watcher: Weak<dyn Watcher>) {
        self.watchers.add(watcher);
    }
}

/// IPv4 first, in one order whatever that of the answer is, so that a name server that turns its answers round changes nothing.
pub fn in_order(addresses: &mut Vec<SocketAddr>) {
    addresses.sort_unstable();
    addresses.dedup();
}

/// Somebody who has put addresses together, and does so again when they change.
pub trait Watcher: Send + Sync {
    /// They have changed.
    fn changed(&self);
}

/// Those who are told. One that is gone is forgotten.
#[derive(Default)]
pub(super) struct Watchers(Mutex<Vec<Weak<dyn Watcher>>>);

impl Watchers {
    pub(super) fn add(&self, watcher: Weak<dyn Watcher>) {
        let mut watchers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.retain(|watcher| watcher.strong_count() > 0);
        watchers.push(watcher);
    }

    pub(super) fn tell(&self) {
        let watchers = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        watchers.iter().filter_map(Weak::upgrade).for_each(|watcher| watcher.changed());
    }
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watchers")
    }
}

/// One [`Addresses`] for each name and port of the configuration, and what is known of them. It outlives Snapshots, and what it
/// holds is found again by identity.
#[derive(Debug, Default)]
pub struct AddressBook {
    entries: BTreeMap<(String, u16), Arc<Addresses>>,
    services: BTreeMap<String, Arc<Service>>,
    /// How addresses are.
    pub states: Arc<States>,
    /// The circuit breakers of backends.
    pub breakers: Breakers,
}

impl AddressBook {
    /// The entry of a name and port, made on first use.
    pub fn entry(&mut self, name: &str, port: u16) -> Arc<Addresses> {
        self.entries.entry((name.to_owned(), port)).or_insert_with(|| Arc::new(Addresses::new(name, port))).clone()
    }

    /// The entry of a service, made on first use.
    pub fn service(&mut self, name: &str) -> Arc<Service> {
        self.services.entry(name.to_owned()).or_insert_with(|| Arc::new(Service::new(name))).clone()
    }

    /// The entries that need a resolver.
    pub fn names(&self) -> impl Iterator<Item = &Arc<Addresses>> {
        self.entries.values().filter(|addresses| !addresses.is_literal())
    }

    /// The services.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.services.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    #[test]
    fn literal_addresses_are_known_at_once_and_names_when_they_are_published() {
        let mut book = AddressBook::default();
        assert_eq!(*book.entry("::1", 80).known(), addresses(&["[::1]:80"]));
        let name = book.entry("upstream.test", 80);
        assert_eq!(*name.known(), addresses(&[]));
        assert_eq!(book.names().count(), 1);
        name.publish(addresses(&["127.0.0.1:80"]));
        name.publish(Vec::new());
        assert_eq!(*book.entry("upstream.test", 80).known(), addresses(&["127.0.0.1:80"]));
    }

    #[test]
    fn who_watches_is_told_of_changes_and_not_of_another_order() {
        struct Count(AtomicUsize);
        impl Watcher for Count {
            fn changed(&self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let name = Addresses::new("upstream.test", 80);
        let watcher: Weak<Count> = Arc::downgrade(&count);
        name.watch(watcher);
        name.publish(addresses(&["127.0.0.2:80", "127.0.0.1:80"]));
        name.publish(addresses(&["127.0.0.1:80", "127.0.0.2:80", "127.0.0.1:80"]));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        name.publish(addresses(&["127.0.0.3:80"]));
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
        drop(count);
        name.publish(addresses(&["127.0.0.4:80"]));
    }
}
