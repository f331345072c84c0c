//! Services that are found by SRV records (RFC 2782): published by the resolver, read when a backend's targets are put together.

use crate::snapshot::addresses::{Watcher, Watchers, in_order};
use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

/// A record of a service, with the addresses of the host that it names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// Those with the lowest are asked first.
    pub priority: u16,
    /// How often it is asked among those of its priority.
    pub weight: u16,
    /// The host, without a dot at its end.
    pub name: String,
    /// Its port.
    pub port: u16,
    /// Its addresses.
    pub addresses: Vec<SocketAddr>,
}

/// What is known of one service.
#[derive(Debug)]
pub struct Service {
    /// The name of its records.
    pub name: String,
    current: ArcSwap<Vec<Instance>>,
    watchers: Watchers,
}

impl Service {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), current: ArcSwap::default(), watchers: Watchers::default() }
    }

    /// What is known now; nothing until it was first resolved.
    #[must_use]
    pub fn known(&self) -> Arc<Vec<Instance>> {
        self.current.load_full()
    }

    /// Publishes what the resolver found. An empty answer is no news, and neither is a host without addresses that had some.
    pub fn publish(&self, mut found: Vec<Instance>) {
        let known = self.known();
        for instance in &mut found {
            in_order(&mut instance.addresses);
            let same = |other: &&Instance| other.name == instance.name && other.port == instance.port;
            if let Some(before) = known.iter().find(same).filter(|_| instance.addresses.is_empty()) {
                instance.addresses.clone_from(&before.addresses);
            }
        }
        found.sort_unstable();
        found.dedup();
        if found.iter().any(|instance| !instance.addresses.is_empty()) && *known != found {
            self.current.store(Arc::new(found));
            self.watchers.tell();
        }
    }

    /// Tells whoever watches of each change.
    pub fn watch(&self, watcher: Weak<dyn Watcher>) {
        self.watchers.add(watcher);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(name: &str, addresses: &[&str]) -> Instance {
        let addresses = addresses.iter().map(|text| text.parse().expect("an address")).collect();
        Instance { priority: 1, weight: 1, name: name.into(), port: 80, addresses }
    }

    #[test]
    fn what_is_not_found_again_stays_as_it_was() {
        let service = Service::new("_api._tcp.test");
        service.publish(vec![instance("a.test", &[])]);
        assert!(service.known().is_empty(), "nothing to connect to");
        let both = vec![instance("a.test", &["127.0.0.1:80"]), instance("b.test", &["127.0.0.2:80"])];
        service.publish(both.clone());
        service.publish(Vec::new());
        service.publish(vec![instance("a.test", &[]), instance("b.test", &["127.0.0.2:80"])]);
        assert_eq!(*service.known(), both);
        service.publish(vec![instance("b.test", &["127.0.0.2:80"])]);
        assert_eq!(service.known().len(), 1, "a host that is no longer named is gone");
    }
}
