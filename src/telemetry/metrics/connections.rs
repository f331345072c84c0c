//! The metrics of clients' connections, by listener.

use super::register;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Why a connection ended before its client wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Its request could not be taken: malformed, too large, or cut off by a deadline before its end.
    Refused,
    /// It took its answer too slowly.
    SlowReader,
    /// Its answer was not whole in time, though it took all there was.
    SlowAnswer,
    /// It was between two requests when there was no room for another client.
    GaveWay,
    /// It did not begin as its listener wants: no TLS, no PROXY header, or not in time.
    Entrance,
    /// It broke the rules of HTTP/2, or wanted too much of us by them.
    Http2,
    /// It said nothing at all in the time of its first head.
    Silent,
    /// It was between two requests for too long.
    Idle,
    /// It has had as many answers as a connection may.
    LastRequest,
}

impl Cut {
    const ALL: [Self; 9] = [
        Self::Refused,
        Self::SlowReader,
        Self::SlowAnswer,
        Self::GaveWay,
        Self::Entrance,
        Self::Http2,
        Self::Silent,
        Self::Idle,
        Self::LastRequest,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::SlowReader => "slow_reader",
            Self::SlowAnswer => "slow_answer",
            Self::GaveWay => "gave_way",
            Self::Entrance => "entrance",
            Self::Http2 => "http2",
            Self::Silent => "silent",
            Self::Idle => "idle",
            Self::LastRequest => "last_request",
        }
    }
}

/// All of them.
pub(super) struct ConnectionFamilies {
    open: IntGaugeVec,
    accepted: IntCounterVec,
    cut: IntCounterVec,
    waits: IntCounterVec,
    accept_errors: IntCounterVec,
}

/// Those of one listener.
#[derive(Debug, Clone)]
pub struct ConnectionMetrics {
    open: IntGauge,
    accepted: IntCounter,
    cut: Vec<IntCounter>,
    waits: IntCounter,
    accept_errors: IntCounter,
}

impl ConnectionFamilies {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        Ok(Self {
            open: register(
                registry,
                IntGaugeVec::new(Opts::new("porteur_connections_open", "Connections of clients."), &["listener"])?,
            )?,
            accepted: counter("porteur_connections_total", "Connections accepted.", &["listener"])?,
            cut: counter(
                "porteur_connections_cut_total",
                "Connections that porteur ended before their clients wanted, by reason.",
                &["listener", "reason"],
            )?,
            waits: counter(
                "porteur_accept_waits_total",
                "How often there was no room for another connection, and none was accepted until one ended.",
                &["listener"],
            )?,
            accept_errors: counter(
                "porteur_accept_errors_total",
                "How often the system could not give a connection, for want of descriptors or memory.",
                &["listener"],
            )?,
        })
    }

    pub(super) fn of(&self, listener: &str) -> ConnectionMetrics {
        let cut = |cut: &Cut| self.cut.with_label_values(&[listener, cut.label()]);
        ConnectionMetrics {
            open: self.open.with_label_values(&[listener]),
            accepted: self.accepted.with_label_values(&[listener]),
            cut: Cut::ALL.iter().map(cut).collect(),
            waits: self.waits.with_label_values(&[listener]),
            accept_errors: self.accept_errors.with_label_values(&[listener]),
        }
    }
}

impl ConnectionMetrics {
    /// A connection was accepted.
    pub fn opened(&self) {
        self.accepted.inc();
        self.open.inc();
    }

    /// It is gone.
    pub fn closed(&self) {
        self.open.dec();
    }

    /// It was ended by us.
    pub fn cut(&self, cut: Cut) {
        if let Some(counter) = self.cut.get(cut as usize) {
            counter.inc();
        }
    }

    /// There is no room for another one.
    pub fn full(&self) {
        self.waits.inc();
    }

    /// The system could not give one.
    pub fn accept_failed(&self) {
        self.accept_errors.inc();
    }
}
