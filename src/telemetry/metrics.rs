//! Prometheus metrics. Label values are bounded: endpoints and credentials of the configuration, known statuses.
//!
//! The request path uses handles resolved when the Snapshot is compiled; a request adds to plain atomics.

mod connections;
mod tls;
mod tokens;
mod upstreams;

pub use connections::{ConnectionMetrics, Cut};
pub use tls::{HandshakeResult, ProxyHeaderResult, TlsMetrics};
pub use tokens::{
    ForcedBy, MissingAction, ReplayResult, RequestTokenMetrics, TokenCounters, TokenMetrics, TokenReading, TokenState,
};

pub use upstreams::{BreakerGauge, HealthGauge, UpstreamMetrics, UpstreamsMetrics};

use crate::base::Failure;
use connections::ConnectionFamilies;
use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry, TextEncoder,
};
use std::sync::OnceLock;
use std::time::Duration;

/// Upper bounds of the latency histogram in seconds.
const BUCKETS: [f64; 14] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Statuses with a label of their own; any other is `other`, so that an upstream cannot invent labels.
const STATUSES: [u16; 46] = [
    101, 200, 201, 202, 203, 204, 205, 206, 207, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406,
    408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 425, 429, 431, 499, 500, 501, 502, 503, 504, 511,
];

/// All metrics of one gateway, with a registry of its own so that several can live in one process.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    failures: Vec<IntCounter>,
    log_dropped: IntCounter,
    verifications: IntCounter,
    connections: ConnectionFamilies,
    /// Requests under way.
    pub in_flight: IntGauge,
    /// Metrics of client connections before their first request.
    pub tls: TlsMetrics,
    /// Tunnels of the WebSocket protocol that are open.
    pub websockets: IntGauge,
    /// Backends whose certificates are not checked.
    pub insecure_upstreams: IntGauge,
    /// Metrics of upstreams.
    pub upstreams: UpstreamsMetrics,
    /// Token metrics.
    pub tokens: TokenMetrics,
}

impl Metrics {
    /// Registers everything.
    ///
    /// # Errors
    /// If two metrics had the same name, which is a fault of this file.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let failures = register(
            &registry,
            IntCounterVec::new(
                Opts::new(
                    "porteur_failures_total",
                    "Requests that porteur itself answered, or that got a part of their answer, by reason.",
                ),
                &["failure"],
            )?,
        )?;
        let build = register(
            &registry,
            GaugeVec::new(Opts::new("porteur_build_info", "Version of the running binary; always 1."), &["version"])?,
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        let started = register(
            &registry,
            Gauge::new("porteur_start_time_seconds", "When the process started, in seconds since 1970.")?,
        )?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        started.set(now.as_secs_f64());
        Ok(Self {
            requests: register(
                &registry,
                IntCounterVec::new(
                    Opts::new("porteur_requests_total", "Requests by endpoint and status of the answer."),
                    &["endpoint", "status"],
                )?,
            )?,
            durations: register(
                &registry,
                HistogramVec::new(
                    HistogramOpts::new(
                        "porteur_request_duration_seconds",
                        "Time from the request's head to the end of the answer, by endpoint.",
                    )
                    .buckets(BUCKETS.to_vec()),
                    &["endpoint"],
                )?,
            )?,
            failures: Failure::ALL.iter().map(|failure| failures.with_label_values(&[failure.label()])).collect(),
            log_dropped: register(
                &registry,
                IntCounter::new(
                    "porteur_log_lines_dropped_total",
                    "Log and access lines lost because the writer was behind.",
                )?,
            )?,
            verifications: register(
                &registry,
                IntCounter::new(
                    "porteur_martian_failed_verifications_total",
                    "Verifiers of modifier/martian that did not find what they claim.",
                )?,
            )?,
            in_flight: register(&registry, IntGauge::new("porteur_requests_in_flight", "Requests under way.")?)?,
            connections: ConnectionFamilies::new(&registry)?,
            tls: TlsMetrics::new(&registry)?,
            websockets: register(&registry, IntGauge::new("porteur_websockets_open", "WebSockets that are open.")?)?,
            insecure_upstreams: register(
                &registry,
                IntGauge::new("porteur_insecure_upstreams", "Backends whose certificates are not checked.")?,
            )?,
            upstreams: UpstreamsMetrics::new(&registry)?,
            tokens: TokenMetrics::new(&registry)?,
            registry,
        })
    }

    /// Handles for one endpoint. Endpoints with the same path share them.
    #[must_use]
    pub fn endpoint(&self, endpoint: &str) -> EndpointMetrics {
        EndpointMetrics {
            endpoint: endpoint.to_owned(),
            requests: self.requests.clone(),
            statuses: std::iter::repeat_with(OnceLock::new).take(STATUSES.len() + 1).collect(),
            duration: self.durations.with_label_values(&[endpoint]),
        }
    }

    /// Handles for the connections of one listener.
    #[must_use]
    pub fn connections(&self, listener: &str) -> ConnectionMetrics {
        self.connections.of(listener)
    }

    /// The counter of verifiers that did not find what they claim.
    #[must_use]
    pub fn verifications(&self) -> IntCounter {
        self.verifications.clone()
    }

    /// Counts an answer of porteur's own.
    pub fn failed(&self, failure: Failure) {
        if let Some(counter) = self.failures.get(failure.index()) {
            counter.inc();
        }
    }

    /// The text exposition format, with what is only known at the time of asking brought up to date.
    #[must_use]
    pub fn render<'a>(&self, tokens: impl Iterator<Item = TokenReading<'a>>, dropped: u64) -> Vec<u8> {
        self.log_dropped.inc_by(dropped.saturating_sub(self.log_dropped.get()));
        tokens.for_each(|token| self.tokens.observe(&token));
        let mut text = Vec::new();
        // Writing to memory fails only for a metric without values, and then the rest is still worth having.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        text
    }
}

fn register<C: prometheus::core::Collector + Clone + 'static>(registry: &Registry, metric: C) -> prometheus::Result<C> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

/// The handles of one endpoint.
#[derive(Debug)]
pub struct EndpointMetrics {
    endpoint: String,
    requests: IntCounterVec,
    /// One for each of [`STATUSES`], the last for all others; made on first use, so that statuses never seen are absent.
    statuses: Vec<OnceLock<IntCounter>>,
    duration: Histogram,
}

impl EndpointMetrics {
    /// Counts one answered request.
    pub fn answered(&self, status: u16, took: Duration) {
        let index = STATUSES.binary_search(&status);
        if let Some(counter) = self.statuses.get(index.unwrap_or(STATUSES.len())) {
            counter.get_or_init(|| self.counter(index.is_ok().then_some(status))).inc();
        }
        self.duration.observe(took.as_secs_f64());
    }

    fn counter(&self, status: Option<u16>) -> IntCounter {
        let status = status.map_or_else(|| "other".to_owned(), |status| status.to_string());
        self.requests.with_label_values(&[self.endpoint.as_str(), &status])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_sorted_for_the_search() {
        assert!(STATUSES.is_sorted());
    }

    #[test]
    fn the_exposition_names_endpoint_status_and_token_state() {
        let metrics = Metrics::new().expect("no name twice");
        let endpoint = metrics.endpoint("/a/{b}");
        endpoint.answered(200, Duration::from_millis(3));
        endpoint.answered(299, Duration::from_millis(3));
        metrics.failed(Failure::NoRoute);
        let token = TokenReading {
            credential: "client@idp.test",
            state: TokenState::Absent,
            refused: false,
            generation: 0,
            age: None,
            expires_in: None,
        };
        let text = String::from_utf8(metrics.render([token].into_iter(), 7)).expect("text");
        for line in [
            r#"porteur_requests_total{endpoint="/a/{b}",status="200"} 1"#,
            r#"porteur_requests_total{endpoint="/a/{b}",status="other"} 1"#,
            r#"porteur_failures_total{failure="no_route"} 1"#,
            r#"porteur_token_usable{credential="client@idp.test"} 0"#,
            r#"porteur_token_state{credential="client@idp.test",state="absent"} 1"#,
            "porteur_log_lines_dropped_total 7",
        ] {
            assert!(text.contains(line), "{line} not in\n{text}");
        }
    }
}
