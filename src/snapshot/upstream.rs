//! The hosts of one backend: whose turn it is, whether a request may be sent again, and the peer to connect to.

use crate::base::random;
use crate::config::model::{Backend, Balance, Host};
use crate::snapshot::CompileError;
use crate::snapshot::addresses::AddressBook;
use crate::snapshot::balance::Round;
use crate::snapshot::budget::Budget;
use crate::snapshot::outlier;
use crate::snapshot::roster::Roster;
use crate::snapshot::targets::{Target, Targets};
use crate::snapshot::transport::Transport;
use crate::telemetry::metrics::{UpstreamMetrics, UpstreamsMetrics};
use http::{HeaderValue, StatusCode};
use log::warn;
use pingora_core::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The hosts of a backend, and how requests are spread over them.
#[derive(Debug)]
pub struct Upstream {
    /// Where they come from.
    pub roster: Arc<Roster>,
    balance: Balance,
    budget: Budget,
    metrics: UpstreamMetrics,
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
    /// How it is connected to.
    pub transport: Arc<Transport>,
    /// Complete but for its address and its timeouts.
    peer: HttpPeer,
}

impl Upstream {
    /// Prepares the hosts of a backend of `endpoint`.
    ///
    /// # Errors
    /// If a host's name cannot stand in a `Host` header.
    pub fn compile(
        endpoint: &str,
        backend: &Backend,
        transport: &Arc<Transport>,
        addresses: &mut AddressBook,
        metrics: &UpstreamsMetrics,
    ) -> Result<Self, CompileError> {
        let (balance, metrics) = (backend.balance.clone(), metrics.of(endpoint));
        let (hosts, health) = (&backend.hosts, balance.health.as_ref());
        let roster = Roster::compile(hosts, backend.discovery, health, transport, addresses, metrics.clone())?;
        let budget = Budget::new(&balance.retries, Instant::now());
        Ok(Self { roster, balance, budget, metrics, turn: AtomicUsize::new(0) })
    }

    /// The round of a request that has come now; the next request begins its own with the next target.
    #[must_use]
    pub fn round(&self, now: Instant) -> Round {
        self.budget.deposit(now);
        Round::new(self.roster.targets(), self.balance.policy, self.turn.fetch_add(1, Ordering::Relaxed))
    }

    /// The round of a request that is for this origin and no other; `None`: for none of the targets. It is made for a request that
    /// has had its turn.
    #[must_use]
    pub fn round_at(&self, origin: Option<&str>) -> Round {
        let is_at = |target: &Target| origin.is_some_and(|origin| target.host.is_at(origin));
        let turn = self.turn.load(Ordering::Relaxed);
        Round::among(&self.roster.targets(), self.balance.policy, turn, Instant::now(), is_at)
    }

    /// A target has answered with this status.
    pub fn answered(&self, target: &Target, among: &Targets, status: StatusCode) {
        match &self.balance.outlier {
            Some(rule) if rule.server_errors && status.is_server_error() => self.failed(target, among),
            Some(_) => target.state.succeed(),
            None => {}
        }
    }

    /// A target has taken no connection, or has not answered, or not in HTTP.
    pub fn failed(&self, target: &Target, among: &Targets) {
        let Some(rule) = &self.balance.outlier else { return };
        let ejected = outlier::fail(rule, target, among, Instant::now(), random::fraction);
        if let Some(time) = ejected {
            self.metrics.ejected();
            let Target { host, address, .. } = target;
            warn!(
                "upstream {} at {address} is left out for {:.1} s: requests to it fail",
                host.origin,
                time.as_secs_f64()
            );
        }
    }

    /// Whether a request may be sent again, which is then counted.
    pub fn retries(&self, round: &mut Round, now: Instant) -> bool {
        if round.retries().saturating_add(1) >= self.balance.retries.max_attempts {
            self.metrics.exhausted();
            return false;
        }
        if !self.budget.withdraw(now) {
            self.metrics.over_budget();
            return false;
        }
        self.metrics.retried();
        round.retry();
        true
    }
}

impl UpstreamHost {
    pub(super) fn compile(host: &Host, transport: &Arc<Transport>) -> Result<Self, CompileError> {
        let authority =
            HeaderValue::from_str(&host.authority).map_err(|_| CompileError::Header(host.authority.clone()))?;
        // The address is replaced for every request.
        let peer = transport.peer(SocketAddr::from(([0, 0, 0, 0], 0)), host.https, &host.name);
        Ok(Self {
            authority,
            origin: host.origin(),
            https: host.https,
            name_and_port: host.authority.clone(),
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

    #[test]
    fn connecting_takes_no_longer_than_the_request_has() {
        let transport = Transport::compile(&UpstreamTransport::default()).expect("nothing to read");
        let host = Host { https: false, name: "127.0.0.1".into(), port: 80, authority: "127.0.0.1".into() };
        let host = UpstreamHost::compile(&host, &Arc::new(transport)).expect("a valid name");
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let peer = host.peer(address, Duration::from_millis(300), Duration::from_secs(2), true);
        assert_eq!(peer.options.connection_timeout, Some(Duration::from_millis(300)));
        assert_eq!(peer.options.total_connection_timeout, Some(Duration::from_millis(300)));
        assert_eq!(peer.options.read_timeout, Some(Duration::from_secs(2)));
        let peer = host.peer(address, Duration::from_secs(30), Duration::from_secs(30), true);
        assert_eq!(peer.options.connection_timeout, Some(Duration::from_secs(1)));
        assert_eq!(peer.options.write_timeout, Some(Duration::from_secs(30)));
    }
}
