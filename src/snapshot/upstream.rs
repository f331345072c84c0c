//! The hosts of one backend: whose turn it is, and the peer to connect to.

use crate::config::model::Host;
use crate::snapshot::CompileError;
use crate::snapshot::addresses::{AddressBook, Addresses};
use crate::snapshot::transport::Transport;
use http::HeaderValue;
use pingora_core::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

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
    /// Scheme and authority.
    pub origin: String,
    /// Whether the connection is TLS.
    pub https: bool,
    /// The authority alone.
    pub name_and_port: String,
    addresses: Arc<Addresses>,
    transport: Arc<Transport>,
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
    /// Where to go on looking if that fails.
    pub next_step: usize,
}

impl Upstream {
    /// Prepares the peers of a backend's hosts.
    ///
    /// # Errors
    /// If a host's name cannot stand in a `Host` header.
    pub fn compile(
        hosts: &[Host],
        transport: &Arc<Transport>,
        addresses: &mut AddressBook,
    ) -> Result<Self, CompileError> {
        let compile = |host| UpstreamHost::compile(host, transport, addresses);
        let hosts = hosts.iter().map(compile).collect::<Result<_, _>>()?;
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

    /// The hosts, in the order of the file.
    pub fn hosts(&self) -> impl Iterator<Item = &UpstreamHost> {
        self.hosts.iter()
    }

    /// The host at `index` with an address of its own, for a request that is for this host and no other.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<Choice<'_>> {
        let host = self.hosts.get(index)?;
        Some(Choice { host, index, address: host.addresses.pick(0, 0)?, next_step: 0 })
    }

    /// The first host with an address at `step` (from 0) or after it, for the request that has this turn. Steps go around
    /// the hosts and then around their further addresses; `None` when each address of each host has been passed, or
    /// there is none.
    #[must_use]
    pub fn choose(&self, turn: usize, step: usize) -> Option<Choice<'_>> {
        let count = self.hosts.len();
        (step..self.steps()).find_map(|step| {
            let at = turn.wrapping_add(step);
            let index = at.checked_rem(count)?;
            let host = self.hosts.get(index)?;
            let around = step / count;
            let address = (around < host.addresses.count()).then(|| host.addresses.pick(turn / count, around))??;
            Some(Choice { host, index, address, next_step: step + 1 })
        })
    }

    /// Once around the hosts for each address of the one that has the most.
    fn steps(&self) -> usize {
        self.hosts.len() * self.hosts.iter().map(|host| host.addresses.count()).max().unwrap_or_default()
    }
}

impl UpstreamHost {
    fn compile(host: &Host, transport: &Arc<Transport>, addresses: &mut AddressBook) -> Result<Self, CompileError> {
        let authority =
            HeaderValue::from_str(&host.authority).map_err(|_| CompileError::Header(host.authority.clone()))?;
        // The address is replaced for every request.
        let peer = transport.peer(SocketAddr::from(([0, 0, 0, 0], 0)), host.https, &host.name);
        Ok(Self {
            authority,
            origin: host.origin(),
            https: host.https,
            name_and_port: host.authority.clone(),
            addresses: addresses.entry(&host.name, host.port),
            transport: transport.clone(),
            peer,
        })
    }

    /// Whether a URL of this origin (RFC 6454 §6.2) is at this host.
    #[must_use]
    pub fn is_at(&self, origin: &str) -> bool {
        url::Url::parse(&self.origin).is_ok_and(|own| own.origin().ascii_serialization() == origin)
    }

    /// The peer for one attempt: connecting may take what is `left` of the endpoint's `timeout`, and each wait for the
    /// upstream after that the whole of it. (Pingora applies one read timeout to the head and to each piece of the body,
    /// so an attempt after a failed one may in all take longer to its head than the timeout, up to twice.) Pingora takes hop-by-hop headers out of a
    /// request that has any; from others it need not.
    #[must_use]
    pub fn peer(&self, address: SocketAddr, left: Duration, timeout: Duration, has_hop_by_hop: bool) -> Box<HttpPeer> {
        let mut peer = Box::new(self.peer.clone());
        peer._address = pingora_core::protocols::l4::socket::SocketAddr::Inet(address);
        let options = &mut peer.options;
        if !has_hop_by_hop {
            options.http_upstream_request_policy = HttpUpstreamRequestPolicy::preserve();
        }
        options.connection_timeout = Some(left.min(self.transport.connect));
        // With TLS: connecting and the handshake together.
        options.total_connection_timeout = Some(left);
        options.read_timeout = Some(self.transport.head.map_or(timeout, |head| timeout.min(head)));
        options.write_timeout = Some(timeout);
        peer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::UpstreamTransport;

    fn upstream(names: &[&str]) -> (Upstream, AddressBook) {
        let mut book = AddressBook::default();
        let hosts: Vec<Host> = names
            .iter()
            .map(|name| Host { https: false, name: (*name).into(), port: 80, authority: (*name).into() })
            .collect();
        let transport = Transport::compile(&UpstreamTransport::default()).expect("nothing to read");
        (Upstream::compile(&hosts, &Arc::new(transport), &mut book).expect("valid names"), book)
    }

    fn chosen(upstream: &Upstream, turn: usize, step: usize) -> String {
        upstream.choose(turn, step).map_or_else(|| "none".into(), |choice| choice.address.ip().to_string())
    }

    #[test]
    fn hosts_take_turns_and_a_retry_goes_to_the_next() {
        let (upstream, _) = upstream(&["127.0.0.1", "127.0.0.2"]);
        assert_eq!((upstream.turn(), upstream.turn(), upstream.turn()), (0, 1, 2));
        assert_eq!([chosen(&upstream, 0, 0), chosen(&upstream, 1, 0)], ["127.0.0.1", "127.0.0.2"]);
        assert_eq!(chosen(&upstream, 0, 1), "127.0.0.2");
        assert_eq!(chosen(&upstream, 0, 2), "none");
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
    fn every_address_of_every_host_is_tried_once() {
        let (upstream, mut book) = upstream(&["127.0.0.1", "two.test", "unknown.test"]);
        book.entry("two.test", 80)
            .publish(["127.0.0.2:80", "127.0.0.3:80"].map(|text| text.parse().expect("an address")).into());
        for turn in 0..6 {
            let (mut step, mut tried) = (0, Vec::new());
            while let Some(choice) = upstream.choose(turn, step) {
                tried.push(choice.address.ip().to_string());
                step = choice.next_step;
            }
            tried.sort();
            assert_eq!(tried, ["127.0.0.1", "127.0.0.2", "127.0.0.3"], "turn {turn}");
        }
    }

    #[test]
    fn a_host_without_address_is_passed_over() {
        let (upstream, _) = upstream(&["unknown.test", "127.0.0.2"]);
        assert_eq!(chosen(&upstream, 0, 0), "127.0.0.2");
    }

    #[test]
    fn connecting_takes_no_longer_than_the_request_has() {
        let (upstream, _) = upstream(&["127.0.0.1"]);
        let choice = upstream.choose(0, 0).expect("a host");
        let peer = choice.host.peer(choice.address, Duration::from_millis(300), Duration::from_secs(2), true);
        assert_eq!(peer.options.connection_timeout, Some(Duration::from_millis(300)));
        assert_eq!(peer.options.total_connection_timeout, Some(Duration::from_millis(300)));
        assert_eq!(peer.options.read_timeout, Some(Duration::from_secs(2)));
        let peer = choice.host.peer(choice.address, Duration::from_secs(30), Duration::from_secs(30), true);
        assert_eq!(peer.options.connection_timeout, Some(Duration::from_secs(1)));
        assert_eq!(peer.options.write_timeout, Some(Duration::from_secs(30)));
    }
}
