//! How upstreams are: ejections, retries, health checks, circuit breakers. Their labels are endpoints and hosts; addresses stand
//! only beside hosts that are asked how they are, and no more of them than can be looked at.

use super::register;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Addresses that have a value of their own at one time. Of a service with more, the others are checked all the same.
const MOST_ADDRESSES: usize = 1024;

/// The metrics of all upstreams.
#[derive(Debug, Clone)]
pub struct UpstreamsMetrics {
    retries: IntCounterVec,
    ejections: IntCounterVec,
    open: IntGaugeVec,
    healthy: IntGaugeVec,
    addresses: Arc<AtomicUsize>,
}

impl UpstreamsMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// If two metrics had the same name.
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter =
            |name, help, labels: &[&str]| register(registry, IntCounterVec::new(Opts::new(name, help), labels)?);
        let gauge = |name, help, labels: &[&str]| register(registry, IntGaugeVec::new(Opts::new(name, help), labels)?);
        Ok(Self {
            retries: counter(
                "porteur_retries_total",
                "Requests that were sent again, or were not because of the budget or of the attempts made already.",
                &["endpoint", "outcome"],
            )?,
            ejections: counter(
                "porteur_upstream_ejections_total",
                "Addresses left out because requests to them failed, by endpoint of the request that was one too many.",
                &["endpoint"],
            )?,
            open: gauge(
                "porteur_circuit_breaker_open",
                "Circuit breakers that let no request pass, or one that tries.",
                &["endpoint", "name"],
            )?,
            healthy: gauge(
                "porteur_upstream_healthy",
                "1 for an address that answers its health checks, 0 for one that does not.",
                &["host", "address"],
            )?,
            addresses: Arc::default(),
        })
    }

    /// Handles for one endpoint.
    #[must_use]
    pub fn of(&self, endpoint: &str) -> UpstreamMetrics {
        let retries = |outcome| self.retries.with_label_values(&[endpoint, outcome]);
        UpstreamMetrics {
            sent: retries("sent"),
            over_budget: retries("over_budget"),
            exhausted: retries("exhausted"),
            ejections: self.ejections.with_label_values(&[endpoint]),
            all: self.clone(),
        }
    }

    /// The state of a circuit breaker.
    #[must_use]
    pub fn breaker(&self, endpoint: &str, name: &str) -> BreakerGauge {
        BreakerGauge { open: Some(self.open.with_label_values(&[endpoint, name])), is_open: AtomicBool::new(false) }
    }
}

/// The handles of one endpoint.
#[derive(Debug, Clone)]
pub struct UpstreamMetrics {
    sent: IntCounter,
    over_budget: IntCounter,
    exhausted: IntCounter,
    ejections: IntCounter,
    all: UpstreamsMetrics,
}

impl UpstreamMetrics {
    /// A request is sent again.
    pub fn retried(&self) {
        self.sent.inc();
    }

    /// One is not, because too many others are.
    pub fn over_budget(&self) {
        self.over_budget.inc();
    }

    /// One is not, because it has been often enough.
    pub fn exhausted(&self) {
        self.exhausted.inc();
    }

    /// An address was left out.
    pub fn ejected(&self) {
        self.ejections.inc();
    }

    /// Whether an address answers its health checks.
    #[must_use]
    pub fn healthy(&self, host: &str, address: SocketAddr) -> HealthGauge {
        if self.all.addresses.fetch_add(1, Ordering::Relaxed) >= MOST_ADDRESSES {
            self.all.addresses.fetch_sub(1, Ordering::Relaxed);
            return HealthGauge::unseen();
        }
        let labels = [host.to_owned(), address.to_string()];
        let value = self.all.healthy.with_label_values(&labels);
        HealthGauge(Some(Seen { value, labels, all: self.all.clone() }))
    }
}

/// The state of a circuit breaker, as it is shown: several may have the same labels, so those that are open are counted.
#[derive(Debug)]
pub struct BreakerGauge {
    open: Option<IntGauge>,
    is_open: AtomicBool,
}

impl BreakerGauge {
    /// One that nobody sees.
    #[must_use]
    pub const fn unseen() -> Self {
        Self { open: None, is_open: AtomicBool::new(false) }
    }

    /// Whether it is open.
    pub fn set(&self, is_open: bool) {
        if self.is_open.swap(is_open, Ordering::Relaxed) != is_open
            && let Some(gauge) = &self.open
        {
            gauge.add(if is_open { 1 } else { -1 });
        }
    }
}

impl Drop for BreakerGauge {
    fn drop(&mut self) {
        self.set(false);
    }
}

/// Whether an address is well, as it is shown. Gone with the address.
#[derive(Debug)]
pub struct HealthGauge(Option<Seen>);

#[derive(Debug)]
struct Seen {
    value: IntGauge,
    labels: [String; 2],
    all: UpstreamsMetrics,
}

impl HealthGauge {
    /// One that nobody sees.
    #[must_use]
    pub const fn unseen() -> Self {
        Self(None)
    }

    /// Whether it is well.
    pub fn set(&self, is_up: bool) {
        if let Some(seen) = &self.0 {
            seen.value.set(is_up.into());
        }
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        let _ = self.all.healthy.remove_label_values(&self.labels);
        self.all.addresses.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breakers_with_the_same_labels_are_counted_while_they_are_open() {
        let metrics = UpstreamsMetrics::new(&Registry::new()).expect("no name twice");
        let open = || metrics.open.with_label_values(&["/", "b"]).get();
        let [one, two] = [(); 2].map(|()| metrics.breaker("/", "b"));
        one.set(true);
        one.set(true);
        two.set(false);
        assert_eq!(open(), 1);
        two.set(true);
        assert_eq!(open(), 2);
        drop(two);
        one.set(false);
        assert_eq!(open(), 0);
    }

    #[test]
    fn addresses_are_shown_while_they_are_there_and_not_without_bound() {
        let registry = Registry::new();
        let metrics = UpstreamsMetrics::new(&registry).expect("no name twice").of("/");
        let shown = || {
            let families = registry.gather();
            let family = families.iter().find(|family| family.name() == "porteur_upstream_healthy");
            family.map_or(0, |family| family.get_metric().len())
        };
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let gauges: Vec<_> = (0..1500).map(|port| metrics.healthy("a", address(port))).collect();
        for gauge in &gauges {
            gauge.set(true);
        }
        assert_eq!(shown(), MOST_ADDRESSES);
        drop(gauges);
        assert_eq!(shown(), 0);
        let _one = metrics.healthy("a", address(1));
        assert_eq!(shown(), 1);
    }
}
