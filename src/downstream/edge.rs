//! What all connections of one kind share: their limits, their number and where they are counted.

use crate::config::model::Limits;
use crate::downstream::connections::Connections;
use crate::downstream::framing::HeadLimits;
use crate::downstream::pace::Pace;
use crate::downstream::refusal::Refusal;
use crate::telemetry::access::AccessRecord;
use crate::telemetry::lines::Lines;
use crate::telemetry::metrics::{EndpointMetrics, Metrics};
use http::{Method, Uri, Version};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Where the bytes of clients are checked against.
pub struct Edge {
    /// What clients may take.
    pub limits: Limits,
    /// How many there are.
    pub connections: Arc<Connections>,
    /// Where refusals are counted.
    pub metrics: Arc<Metrics>,
    /// The same by status: they are for no endpoint.
    pub unrouted: EndpointMetrics,
    /// Where the access lines of refused requests go; `None`: nowhere.
    pub lines: Option<Lines>,
    /// `router.return_error_msg`.
    pub return_error_msg: bool,
}

impl Edge {
    pub(super) const fn head_limits(&self) -> HeadLimits {
        HeadLimits::of(&self.limits)
    }

    pub(super) const fn receive_pace(&self) -> Pace {
        Pace::new(self.limits.receive_rate, Limits::GRACE)
    }

    pub(super) const fn send_pace(&self) -> Pace {
        Pace::new(self.limits.send_rate, Limits::GRACE)
    }

    /// When an answer must be whole whose request has been here since then.
    pub(super) fn answer_end(&self, since: Instant) -> Option<Instant> {
        self.limits.write_timeout.map(|timeout| since + timeout)
    }

    /// Counts and logs a request that nobody else will: its head was refused. Nothing of it is known for certain, so the
    /// line has no method and no path.
    pub(super) fn refused(&self, refusal: Refusal, client: IpAddr, took: Duration) {
        let failure = refusal.failure();
        self.metrics.failed(failure);
        self.unrouted.answered(failure.status(), took);
        let Some(lines) = &self.lines else { return };
        lines.access(AccessRecord {
            at: SystemTime::now(),
            client: Some(client),
            method: Method::from_bytes(b"-").unwrap_or_default(),
            uri: Uri::from_static("-"),
            version: Version::HTTP_11,
            endpoint: None,
            status: failure.status(),
            failure: Some(failure),
            cause: refusal.cause(),
            upstream: None,
            attempts: 0,
            replayed: "",
            took,
            upstream_took: None,
            received: 0,
            sent: 0,
        });
    }
}
