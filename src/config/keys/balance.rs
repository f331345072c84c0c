//! Keys that say which upstream address a request goes to: `balance` and the circuit breakers.

use super::Kind::{Boolean, Duration, Integer, List, Object, String};
use super::{Key, Kind, supported};

/// Words of `policy`.
pub const POLICIES: &[&str] = &["round_robin", "least_request"];

pub(super) const BALANCE: &[Key] = &[
    supported("policy", Kind::Word(POLICIES), "how an address is chosen; round_robin unless set"),
    supported("outlier", Object, "when an address is left out because requests to it fail"),
    supported("health", Object, "how addresses are asked whether they are well; they are not unless it is set"),
    supported("retries", Object, "how often requests are sent again"),
];

pub(super) const OUTLIER: &[Key] = &[
    supported("consecutive_failures", Integer, "failures in a row that eject an address, 5 unless set; 0: none is"),
    supported("server_errors", Boolean, "answers with a status of 500 or more are failures, too"),
    supported(
        "base_ejection_time",
        Duration,
        "how long the first ejection lasts, 10s unless set; each next one longer",
    ),
    supported("max_ejection_time", Duration, "the longest ejection, 300s unless set"),
];

pub(super) const HEALTH: &[Key] = &[
    supported("path", String, "path to ask for"),
    supported("interval", Duration, "time from one question to the next, 10s unless set"),
    supported("timeout", Duration, "the longest wait for an answer, 2s unless set"),
    supported("healthy", Integer, "good answers in a row after which an address is used again, 2 unless set"),
    supported("unhealthy", Integer, "bad ones after which it is not, 3 unless set"),
    supported("status", List, "statuses of good answers, 200 unless set"),
];

pub(super) const RETRIES: &[Key] = &[
    supported("max_attempts", Integer, "attempts of one request, the first included: 1 to 16, 8 unless set"),
    supported("budget_percent", Integer, "retries as a part of the requests of the last 10s, 20 unless set"),
    supported("min_per_second", Integer, "retries that are allowed however few requests there are, 10 unless set"),
];

pub(super) const CIRCUIT_BREAKER: &[Key] = &[INTERVAL, TIMEOUT, MAX_ERRORS, NAME, LOG_STATUS_CHANGE];

pub(super) const CIRCUIT_BREAKER_HTTP: &[Key] = &[
    INTERVAL,
    TIMEOUT,
    MAX_ERRORS,
    supported("valid_status_codes", List, "statuses of answers that are no failures; answers with any other are"),
    NAME,
    LOG_STATUS_CHANGE,
];

const INTERVAL: Key = supported("interval", Integer, "seconds after which failures are forgotten; 0: never");
const TIMEOUT: Key = supported("timeout", Integer, "seconds that nothing is sent, 60 for 0; then one request tries");
const MAX_ERRORS: Key =
    supported("max_errors", Integer, "failures in a row that are still borne; one more, and nothing is sent");
const NAME: Key = supported("name", String, "its name in the log and in metrics; the url_pattern unless set");
const LOG_STATUS_CHANGE: Key = supported("log_status_change", Boolean, "each change of its state is logged");
