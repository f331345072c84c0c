//! Which of a backend's addresses a request goes to, and when it goes to another one.

use http::StatusCode;
use std::time::Duration;

/// `extra_config.balance` of a backend (an extension).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Balance {
    /// `policy`.
    pub policy: Policy,
    /// `outlier`; `None`: no address is ejected.
    pub outlier: Option<Outlier>,
    /// `health`; `None`: addresses are not asked.
    pub health: Option<HealthCheck>,
    /// `retries`.
    pub retries: Retries,
}

impl Balance {
    /// What a backend has that says nothing.
    #[must_use]
    pub fn unless_written() -> Self {
        Self { outlier: Some(Outlier::default()), ..Self::default() }
    }
}

/// How an address is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// `round_robin`: in turn, as often as their weights say.
    #[default]
    RoundRobin,
    /// `least_request`: of two, the one with fewer requests under way.
    LeastRequest,
}

/// When an address is left out because requests to it fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlier {
    /// `consecutive_failures`, 5 unless set. At least 1.
    pub consecutive_failures: u32,
    /// `server_errors`: an answer with a status of 500 or more is a failure, too.
    pub server_errors: bool,
    /// `base_ejection_time`, 10 s unless set: how long it is left out the first time.
    pub base_ejection_time: Duration,
    /// `max_ejection_time`, 300 s unless set.
    pub max_ejection_time: Duration,
}

impl Default for Outlier {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            server_errors: false,
            base_ejection_time: Duration::from_secs(10),
            max_ejection_time: Duration::from_secs(300),
        }
    }
}

/// How addresses are asked whether they are well.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HealthCheck {
    /// `path`: what is asked for, with its query.
    pub path: String,
    /// `interval`, 10 s unless set: from one question to the next.
    pub interval: Duration,
    /// `timeout`, 2 s unless set: the longest wait for an answer.
    pub timeout: Duration,
    /// `healthy`, 2 unless set: good answers in a row after which an address is used again.
    pub healthy: u32,
    /// `unhealthy`, 3 unless set: bad ones after which it is not.
    pub unhealthy: u32,
    /// `status`: good ones, 200 unless set.
    pub statuses: Vec<StatusCode>,
}

/// How often requests are sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// `max_attempts`, 8 unless set: of one request, the first included.
    pub max_attempts: u8,
    /// `budget_percent`, 20 unless set: retries of a backend in 10 s, as a part of its requests in them.
    pub budget_percent: u32,
    /// `min_per_second`, 10 unless set: as many are allowed in any case.
    pub min_per_second: u32,
}

impl Default for Retries {
    fn default() -> Self {
        Self { max_attempts: 8, budget_percent: 20, min_per_second: 10 }
    }
}

/// `extra_config."qos/circuit-breaker"` of a backend, or `"qos/circuit-breaker/http"`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CircuitBreaker {
    /// `name`, for the log and metrics.
    pub name: Option<String>,
    /// `interval`: how often failures are forgotten; `None`: never but by a success.
    pub interval: Option<Duration>,
    /// `timeout`, 60 s for 0: how long nothing is sent.
    pub timeout: Duration,
    /// `max_errors`: more failures than this, one after the other, and nothing is sent.
    pub max_errors: u32,
    /// `valid_status_codes`, sorted: answers with other statuses are failures, and with these none. `None`, without `/http`: what is
    /// a failure depends on the encoding.
    pub valid_status_codes: Option<Vec<StatusCode>>,
    /// `log_status_change`.
    pub log_status_change: bool,
}
