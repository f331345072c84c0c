//! The hosts of one backend: whose turn it is, and the peer to connect to.

use crate::config::model::Host;
use crate::snapshot::CompileError;
use crate::snapshot::addresses::{AddressBook, Addresses};
use http::HeaderValue;
use pingora_core::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Longest wait for a TCP connection, within the endpoint's timeout.
const CONNECT: Duration = Duration::from_secs(1);
/// How long an idle upstream connection is kept: below the minute after which many servers close theirs, because a
/// request that meets a closing connection is lost.
const IDLE: Duration = Duration::from_secs(50);

/// The hosts of a backend, taken in turn.
#[derive(Debug)]
pub struct Upstream {
    hosts: Box<[UpstreamHost]>,
    turn: AtomicUsize,
}

/// One host with its prepared peer.
#[derive(Debug)]
pub struct UpstreamHost {
    /// Value of the `Host` header.
    pub authority: HeaderValue,
    addresses: Arc<Addresses>,
    /// Complete but for its address and its timeouts.
    peer: HttpPeer,
}

/// A host and one of its addresses, chosen for an attempt.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// The host.
    pub host: &'a UpstreamHost,
    /// Its position in the backend.
    pub index: usize,
    /// Where to connect.
    pub address: SocketAddr,
}

impl Upstream {
    /// Prepares the peers of a backend's hosts.
    ///
    /// # Errors
    /// If a host's name cannot stand in a `Host` header.
    pub fn compile(hosts: &[Host], addresses: &mut AddressBook) -> Result<Self, CompileError> {
        let hosts = hosts.iter().map(|host| UpstreamHost::compile(host, addresses)).collect::<Result<_, _>>()?;
        Ok(Self { hosts, turn: AtomicUsize::new(0) })
    }

    /// A number that decides which host a request begins with; the next request gets the next host.
    #[must_use]
    pub fn turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    /// The host at `index`, as [`Choice::index`] gave it.
    #[must_use]
    pub fn host(&self, index: usize) -> Option<&UpstreamHost> {
        self.hosts.get(index)
    }

    /// Host and address for the `attempt`-th try (from 0) of the request that has this turn: each try goes to the next
    /// host, and a host with several addresses uses them in turn. `None` if no host has an address.
    #[must_use]
    pub fn choose(&self, turn: usize, attempt: usize) -> Option<Choice<'_>> {
        let count = self.hosts.len();
        (attempt..attempt + count).find_map(|step| {
            let at = turn.wrapping_add(step);
            let index = at.checked_rem(count)?;
            let host = self.hosts.get(index)?;
            let address = host.addresses.pick(turn / count, step / count)?;
            Some(Choice { host, index, address })
        })
    }

    /// How many tries make sense: one for each address of each host.
    #[must_use]
    pub fn tries(&self) -> usize {
        self.hosts.iter().map(|host| host.addresses.count()).sum()
    }
}

impl UpstreamHost {
    fn compile(host: &Host, addresses: &mut AddressBook) -> Result<Self, CompileError> {
        let authority =
            HeaderValue::from_str(&host.authority).map_err(|_| CompileError::Header(host.authority.clone()))?;
        // The address is replaced for every request; the name is what the certificate must be for. It is never empty,
        // which would switch verification off (pingora-core/src/connectors/tls).
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let name = if host.https { host.name.clone() } else { String::new() };
        let mut peer = HttpPeer::new(nowhere, host.https, name);
        peer.options.idle_timeout = Some(IDLE);
        // Upgrades are not supported yet; a half-supported one would tie up connections.
        peer.options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
        Ok(Self { authority, addresses: addresses.entry(&host.name, host.port), peer })
    }

    /// The peer for one attempt, with what is left of the request's timeout. Pingora takes hop-by-hop headers out of a
    /// request that has any; from others it need not.
    #[must_use]
    pub fn peer(&self, address: SocketAddr, left: Duration, has_hop_by_hop: bool) -> Box<HttpPeer> {
        let mut peer = Box::new(self.peer.clone());
        peer._address = pingora_core::protocols::l4::socket::SocketAddr::Inet(address);
        let options = &mut peer.options;
        if !has_hop_by_hop {
            options.http_upstream_request_policy = HttpUpstreamRequestPolicy::preserve();
        }
        options.connection_timeout = Some(left.min(CONNECT));
        // With TLS: connecting and the handshake together.
        options.total_connection_timeout = Some(left);
        options.read_timeout = Some(left);
        options.write_timeout = Some(left);
        peer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(names: &[&str]) -> (Upstream, AddressBook) {
        let mut book = AddressBook::default();
        let hosts: Vec<Host> = names
            .iter()
            .map(|name| Host { https: false, name: (*name).into(), port: 80, authority: (*name).into() })
            .collect();
        (Upstream::compile(&hosts, &mut book).expect("valid names"), book)
    }

    fn chosen(upstream: &Upstream, turn: usize, attempt: usize) -> String {
        upstream.choose(turn, attempt).map_or_else(|| "none".into(), |choice| choice.address.ip().to_string())
    }

    #[test]
    fn hosts_take_turns_and_a_retry_goes_to_the_next() {
        let (upstream, _) = upstream(&["127.0.0.1", "127.0.0.2"]);
        assert_eq!((upstream.turn(), upstream.turn(), upstream.turn()), (0, 1, 2));
        assert_eq!([chosen(&upstream, 0, 0), chosen(&upstream, 1, 0)], ["127.0.0.1", "127.0.0.2"]);
        assert_eq!(chosen(&upstream, 0, 1), "127.0.0.2");
        assert_eq!(upstream.tries(), 2);
    }

    #[test]
    fn addresses_of_one_name_take_turns_too() {
        let (upstream, mut book) = upstream(&["upstream.test"]);
        assert_eq!(chosen(&upstream, 0, 0), "none");
        let addresses = ["127.0.0.1:80", "127.0.0.2:80"].map(|text| text.parse().expect("an address"));
        book.entry("upstream.test", 80).publish(addresses.into());
        assert_eq!([chosen(&upstream, 0, 0), chosen(&upstream, 1, 0)], ["127.0.0.1", "127.0.0.2"]);
        assert_eq!(chosen(&upstream, 0, 1), "127.0.0.2");
    }

    #[test]
    fn a_host_without_address_is_passed_over() {
        let (upstream, _) = upstream(&["unknown.test", "127.0.0.2"]);
        assert_eq!(chosen(&upstream, 0, 0), "127.0.0.2");
    }

    #[test]
    fn a_peer_never_waits_longer_than_the_request_has() {
        let (upstream, _) = upstream(&["127.0.0.1"]);
        let choice = upstream.choose(0, 0).expect("a host");
        let peer = choice.host.peer(choice.address, Duration::from_millis(300), true);
        assert_eq!(peer.options.connection_timeout, Some(Duration::from_millis(300)));
        assert_eq!(peer.options.read_timeout, Some(Duration::from_millis(300)));
        let peer = choice.host.peer(choice.address, Duration::from_secs(30), true);
        assert_eq!(peer.options.connection_timeout, Some(CONNECT));
    }
}
