//! Where a backend's targets come from: the hosts of the file, or the services that SRV records speak of. When one of them
//! changes, the list is put together anew, in the background; requests under way go on with the one they began with.

use crate::config::model::{Discovery, HealthCheck, Host};
use crate::snapshot::CompileError;
use crate::snapshot::addresses::{AddressBook, Addresses, Watcher};
use crate::snapshot::health::{CheckIdentity, Identity, States};
use crate::snapshot::services::{Instance, Service};
use crate::snapshot::targets::{Candidate, Target, Targets};
use crate::snapshot::transport::Transport;
use crate::snapshot::upstream::UpstreamHost;
use crate::telemetry::metrics::UpstreamMetrics;
use arc_swap::ArcSwap;
use log::warn;
use pingora_core::upstreams::peer::Peer;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The sources of a backend, and what they come to.
#[derive(Debug)]
pub struct Roster {
    sources: Box<[Source]>,
    current: ArcSwap<Targets>,
    health: Option<HealthCheck>,
    states: Arc<States>,
    metrics: UpstreamMetrics,
    /// Two changes at once: the list of the second must not be overtaken by that of the first.
    building: Mutex<()>,
}

/// One entry of `host`.
#[derive(Debug)]
enum Source {
    Host { host: Arc<UpstreamHost>, name: String, port: u16, addresses: Arc<Addresses> },
    Service { service: Arc<Service>, https: bool, transport: Arc<Transport>, hosts: ArcSwap<Vec<Named>> },
}

/// A host that a record of a service has named.
#[derive(Debug, Clone)]
struct Named {
    name: String,
    port: u16,
    host: Arc<UpstreamHost>,
}

impl Roster {
    /// The roster of a backend with these hosts.
    ///
    /// # Errors
    /// If a host's name cannot stand in a `Host` header.
    pub fn compile(
        hosts: &[Host],
        discovery: Discovery,
        health: Option<&HealthCheck>,
        transport: &Arc<Transport>,
        book: &mut AddressBook,
        metrics: UpstreamMetrics,
    ) -> Result<Arc<Self>, CompileError> {
        let source = |host| Source::compile(host, discovery, transport, book);
        let roster = Arc::new(Self {
            sources: hosts.iter().map(source).collect::<Result<_, _>>()?,
            current: ArcSwap::default(),
            health: health.cloned(),
            states: book.states.clone(),
            metrics,
            building: Mutex::new(()),
        });
        let itself: Weak<Self> = Arc::downgrade(&roster);
        roster.sources.iter().for_each(|source| source.watch(itself.clone()));
        roster.changed();
        Ok(roster)
    }

    /// The targets now.
    #[must_use]
    pub fn targets(&self) -> Arc<Targets> {
        self.current.load_full()
    }

    /// How targets are asked whether they are well.
    #[must_use]
    pub const fn health(&self) -> Option<&HealthCheck> {
        self.health.as_ref()
    }

    /// Whether a URL of this origin is at one of the hosts, with an address or without.
    #[must_use]
    pub fn has(&self, origin: &str) -> bool {
        self.sources.iter().any(|source| match source {
            Source::Host { host, .. } => host.is_at(origin),
            Source::Service { hosts, .. } => hosts.load().iter().any(|named| named.host.is_at(origin)),
        })
    }

    fn candidates(&self, index: usize, source: &Source) -> Vec<Candidate> {
        match source {
            Source::Host { host, name, port, addresses } => {
                let known = addresses.known();
                // A name with addresses of both families (`localhost` is one) often has a server on one of them only: turns are
                // taken within one, and the other is for when connections fail.
                self.of_host(index, host, (name, *port), &known, 0, 1)
            }
            Source::Service { service, https, transport, hosts } => {
                let known = service.known();
                let before = hosts.load();
                let named = known.iter().filter_map(|instance| named(instance, *https, transport, &before));
                let named: Arc<Vec<Named>> = Arc::new(named.collect());
                hosts.store(named.clone());
                let of_instance = |instance: &Instance| {
                    let is_it = |named: &&Named| named.name == instance.name && named.port == instance.port;
                    let host = &named.iter().find(is_it)?.host;
                    let at = (instance.name.as_str(), instance.port);
                    let rank = u32::from(instance.priority) * 2;
                    Some(self.of_host(index, host, at, &instance.addresses, rank, instance.weight))
                };
                known.iter().filter_map(of_instance).flatten().collect()
            }
        }
    }

    fn of_host(
        &self,
        index: usize,
        host: &Arc<UpstreamHost>,
        (name, port): (&str, u16),
        addresses: &[SocketAddr],
        rank: u32,
        weight: u16,
    ) -> Vec<Candidate> {
        let is_first = |address: &&SocketAddr| addresses.first().map(SocketAddr::is_ipv6) == Some(address.is_ipv6());
        let preferred = addresses.iter().filter(is_first).count();
        let candidate = |(place, address): (usize, &SocketAddr)| {
            let other_family = place >= preferred;
            Candidate {
                target: self.target(index, host, (name, port), *address),
                rank: rank + u32::from(other_family),
                place,
                weight,
                sharing: if other_family { addresses.len() - preferred } else { preferred },
            }
        };
        addresses.iter().enumerate().map(candidate).collect()
    }

    fn target(&self, index: usize, host: &Arc<UpstreamHost>, (name, port): (&str, u16), address: SocketAddr) -> Target {
        let identity = Identity { name: name.to_owned(), port, https: host.https, address };
        let check = self.health.as_ref().map(|check| {
            let identity = CheckIdentity {
                connection: host.peer(address, Duration::ZERO, Duration::ZERO, false).reuse_hash(),
                authority: host.name_and_port.clone(),
                check: check.clone(),
            };
            self.states.check(identity, || self.metrics.healthy(&host.name_and_port, address))
        });
        Target { host: host.clone(), index, address, state: self.states.address(identity, Instant::now()), check }
    }
}

impl Watcher for Roster {
    fn changed(&self) {
        let _building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        let of_source = |(index, source)| self.candidates(index, source);
        let candidates = self.sources.iter().enumerate().flat_map(of_source).collect();
        self.current.store(Arc::new(Targets::new(candidates)));
    }
}

impl Source {
    fn compile(
        host: &Host,
        discovery: Discovery,
        transport: &Arc<Transport>,
        book: &mut AddressBook,
    ) -> Result<Self, CompileError> {
        Ok(match discovery {
            Discovery::Static => Self::Host {
                host: Arc::new(UpstreamHost::compile(host, transport)?),
                name: host.name.clone(),
                port: host.port,
                addresses: book.entry(&host.name, host.port),
            },
            Discovery::Dns => Self::Service {
                service: book.service(&host.name),
                https: host.https,
                transport: transport.clone(),
                hosts: ArcSwap::default(),
            },
        })
    }

    fn watch(&self, watcher: Weak<Roster>) {
        match self {
            Self::Host { addresses, .. } => addresses.watch(watcher),
            Self::Service { service, .. } => service.watch(watcher),
        }
    }
}

/// The host of an instance: one that was named before, or a new one. It has the record's name in its `Host` header and in its
/// certificate, as in KrakenD.
fn named(instance: &Instance, https: bool, transport: &Arc<Transport>, before: &[Named]) -> Option<Named> {
    let same = |named: &&Named| named.name == instance.name && named.port == instance.port;
    if let Some(named) = before.iter().find(same) {
        return Some(named.clone());
    }
    let Instance { name, port, .. } = instance;
    let host = Host { https, name: name.clone(), port: *port, authority: format!("{name}:{port}") };
    match UpstreamHost::compile(&host, transport) {
        Ok(host) => Some(Named { name: name.clone(), port: *port, host: Arc::new(host) }),
        Err(problem) => {
            warn!("an SRV record names a host that cannot be asked: {problem}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::UpstreamTransport;
    use crate::telemetry::metrics::Metrics;

    fn host(name: &str) -> Host {
        Host { https: false, name: name.into(), port: 80, authority: name.into() }
    }

    fn roster(names: &[&str], discovery: Discovery, book: &mut AddressBook) -> Arc<Roster> {
        let transport = Arc::new(Transport::compile(&UpstreamTransport::default()).expect("nothing to read"));
        let hosts: Vec<Host> = names.iter().map(|name| host(name)).collect();
        let metrics = Metrics::new().expect("no name twice").upstreams.of("/");
        Roster::compile(&hosts, discovery, None, &transport, book, metrics).expect("valid names")
    }

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    fn turns(roster: &Roster, count: usize) -> Vec<String> {
        let targets = roster.targets();
        let of_turn = |turn| targets.get(targets.of_turn(turn)?).map(|target| target.address.ip().to_string());
        (0..count).filter_map(of_turn).collect()
    }

    #[test]
    fn hosts_and_the_addresses_of_a_name_take_turns() {
        let mut book = AddressBook::default();
        let roster = roster(&["127.0.0.1", "two.test"], Discovery::Static, &mut book);
        assert_eq!(turns(&roster, 2), ["127.0.0.1", "127.0.0.1"], "a name without address is passed over");
        book.entry("two.test", 80).publish(addresses(&["[::1]:80", "127.0.0.3:80", "127.0.0.2:80"]));
        assert_eq!(turns(&roster, 4), ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.1"]);
        let targets = roster.targets();
        let now = Instant::now();
        assert_eq!(targets.after(0, &[0], now), Some(1), "another host comes next");
        assert_eq!(targets.after(2, &[0, 1, 2], now), Some(3), "the other family comes last");
    }

    #[test]
    fn an_address_that_vanishes_is_not_asked_again() {
        let mut book = AddressBook::default();
        let roster = roster(&["two.test"], Discovery::Static, &mut book);
        book.entry("two.test", 80).publish(addresses(&["127.0.0.1:80", "127.0.0.2:80"]));
        let state = roster.targets().get(1).expect("a target").state.clone();
        state.fail();
        book.entry("two.test", 80).publish(addresses(&["127.0.0.2:80"]));
        assert_eq!(turns(&roster, 2), ["127.0.0.2", "127.0.0.2"]);
        assert_eq!(roster.targets().get(0).expect("a target").state.fail(), 2, "what is known of the other stays");
    }

    #[test]
    fn states_are_found_again_by_a_roster_of_another_snapshot() {
        let mut book = AddressBook::default();
        let first = roster(&["127.0.0.1", "127.0.0.2"], Discovery::Static, &mut book);
        first.targets().get(1).expect("a target").state.eject(Instant::now(), Duration::from_secs(60));
        let second = roster(&["127.0.0.2", "127.0.0.3"], Discovery::Static, &mut book);
        drop(first);
        let ejected: Vec<_> = second.targets().all().map(|target| target.state.is_ejected(Instant::now())).collect();
        assert_eq!(ejected, [true, false]);
    }

    #[test]
    fn records_of_a_service_are_hosts_by_priority_and_weight() {
        let mut book = AddressBook::default();
        let roster = roster(&["_api._tcp.test"], Discovery::Dns, &mut book);
        assert!(roster.targets().is_empty());
        let instance = |priority, weight, name: &str, port, address: &str| Instance {
            priority,
            weight,
            name: name.into(),
            port,
            addresses: addresses(&[&format!("{address}:{port}")]),
        };
        let backup = instance(20, 1, "c.test", 80, "127.0.0.3");
        let first = instance(10, 2, "a.test", 8001, "127.0.0.1");
        let both = vec![backup, first, instance(10, 1, "b.test", 8002, "127.0.0.2")];
        book.service("_api._tcp.test").publish(both);
        assert_eq!(turns(&roster, 3), ["127.0.0.1", "127.0.0.2", "127.0.0.1"]);
        let targets = roster.targets();
        let host = &targets.get(1).expect("a target").host;
        assert_eq!((host.authority.as_bytes(), &*host.origin), (&b"a.test:8001"[..], "http://a.test:8001"));
        assert!(roster.has("http://c.test") && !roster.has("http://_api._tcp.test"));
        let now = Instant::now();
        assert_eq!(targets.after(1, &[0, 1], now), Some(2), "the next priority, when none of the first is left");
    }
}
