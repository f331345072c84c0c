//! Counts requests under way, so that a drain can end as soon as the last one has its answer.

use crate::telemetry::metrics::Metrics;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The count; clones share it.
#[derive(Clone)]
pub struct InFlight {
    metrics: Arc<Metrics>,
    most: i64,
    draining: Arc<AtomicBool>,
}

/// One request; the count goes down when it is dropped, however the request ends.
pub struct Guard(prometheus::IntGauge);

impl Guard {
    /// One more in this gauge.
    pub(super) fn new(gauge: &prometheus::IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl InFlight {
    /// Counts in the gauge of `metrics`. More than `most` are refused.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, most: usize) -> Self {
        Self { metrics, most: i64::try_from(most).unwrap_or(i64::MAX), draining: Arc::default() }
    }

    /// A request begins.
    #[must_use]
    pub fn enter(&self) -> Guard {
        Guard::new(&self.metrics.in_flight)
    }

    /// Whether there are more than there may be, the one that asks among them.
    #[must_use]
    pub fn is_too_many(&self) -> bool {
        self.metrics.in_flight.get() > self.most
    }

    /// Requests under way.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.metrics.in_flight.get()
    }

    /// From here on answers close their connections.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether [`Self::drain`] was called.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.dec();
    }
}
