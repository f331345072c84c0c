//! The metrics of the token engine, each by credential. Names of credentials come from the configuration.

use super::register;
use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
};
use std::time::Duration;

/// Upper bounds of the histograms in seconds: a token request takes longer than a proxied one, and ends after its timeout.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The state of a credential's token in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// There is one, and nothing is wrong.
    Fresh,
    /// There is one, and the last attempt to renew it failed.
    Stale,
    /// There is one that must not be sent any more.
    Expired,
    /// There is none.
    Absent,
}

impl TokenState {
    const ALL: [Self; 4] = [Self::Fresh, Self::Stale, Self::Expired, Self::Absent];

    /// The name in metrics and on the admin listener.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Expired => "expired",
            Self::Absent => "absent",
        }
    }

    /// Whether there is a token that may be sent.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Fresh | Self::Stale)
    }
}

/// The state of one credential's token at the time of asking.
#[derive(Debug, Clone, Copy)]
pub struct TokenReading<'a> {
    /// The credential's name.
    pub credential: &'a str,
    /// How its token is.
    pub state: TokenState,
    /// Whether the authorization server refuses this client.
    pub refused: bool,
    /// How many different tokens there have been.
    pub generation: u64,
    /// Since the current one was asked for.
    pub age: Option<Duration>,
    /// Until the current one ends; `Some(None)`: it does not.
    pub expires_in: Option<Option<Duration>>,
}

/// Who wanted a token before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForcedBy {
    /// An upstream rejected the current one.
    Upstream,
    /// Somebody asked on the admin listener.
    Operator,
}

/// What became of a request whose token was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayResult {
    /// Sent once more with a newer token.
    Sent,
    /// It could not be repeated: its method, its body, or its time.
    Unrepeatable,
    /// No newer token came in time.
    NoNewToken,
    /// There was a forced refresh a short while ago.
    Throttled,
    /// The token was new already.
    SecondTime,
}

impl ReplayResult {
    const ALL: [Self; 5] = [Self::Sent, Self::Unrepeatable, Self::NoNewToken, Self::Throttled, Self::SecondTime];

    const fn label(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Unrepeatable => "unrepeatable",
            Self::NoNewToken => "no_new_token",
            Self::Throttled => "throttled",
            Self::SecondTime => "second_time",
        }
    }
}

/// What happened to a request without a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingAction {
    /// Answered.
    Reject,
    /// Sent without.
    Pass,
}

/// All of them.
#[derive(Debug, Clone)]
pub struct TokenMetrics {
    fetches: IntCounterVec,
    errors: IntCounterVec,
    spared: IntCounterVec,
    nonces: IntCounterVec,
    fetch_seconds: HistogramVec,
    same: IntCounterVec,
    forced: IntCounterVec,
    replays: IntCounterVec,
    missing: IntCounterVec,
    first_wait: HistogramVec,
    usable: IntGaugeVec,
    state: IntGaugeVec,
    refused: IntGaugeVec,
    age: GaugeVec,
    expires_in: GaugeVec,
    generation: IntGaugeVec,
}

impl TokenMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            register(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
        };
        let seconds =
            |name: &str, help: &str| register(registry, GaugeVec::new(Opts::new(name, help), &["credential"])?);
        let histogram = |name: &str, help: &str| {
            let options = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
            register(registry, HistogramVec::new(options, &["credential"])?)
        };
        let one = &["credential"];
        Ok(Self {
            fetches: counter(
                "porteur_token_fetches_total",
                "Token fetches by credential and result.",
                &["credential", "result"],
            )?,
            errors: counter(
                "porteur_token_fetch_errors_total",
                "Failed token fetches by what went wrong: an OAuth error code, the kind of the status, or the result.",
                &["credential", "error"],
            )?,
            spared: counter(
                "porteur_token_fetches_spared_total",
                "Fetches not made because the server had been found down a moment before.",
                one,
            )?,
            nonces: counter(
                "porteur_token_nonce_replays_total",
                "Requests that were sent once more with the nonce that the upstream wants in DPoP proofs.",
                one,
            )?,
            fetch_seconds: histogram("porteur_token_fetch_duration_seconds", "How long token fetches took.")?,
            same: counter(
                "porteur_token_same_total",
                "Fetches that gave the very token that was in use: the server keeps it until it dies.",
                one,
            )?,
            forced: counter(
                "porteur_token_forced_refreshes_total",
                "Refreshes before their time, by who wanted them.",
                &["credential", "reason"],
            )?,
            replays: counter(
                "porteur_token_rejections_total",
                "Requests whose token the upstream rejected, by what became of them.",
                &["credential", "result"],
            )?,
            missing: counter(
                "porteur_token_missing_total",
                "Requests for which there was no token, by what happened to them.",
                &["credential", "action"],
            )?,
            first_wait: histogram("porteur_token_first_wait_seconds", "How long requests waited for the first token.")?,
            usable: gauge("porteur_token_usable", "1 while the credential has a token that may be sent.", one)?,
            state: gauge(
                "porteur_token_state",
                "1 for the state that the credential's token is in: fresh, stale, expired or absent.",
                &["credential", "state"],
            )?,
            refused: gauge(
                "porteur_token_client_refused",
                "1 while the authorization server refuses this client, or what it proves itself with cannot be read.",
                one,
            )?,
            age: seconds("porteur_token_age_seconds", "Time since the current token was asked for.")?,
            expires_in: seconds("porteur_token_expires_in_seconds", "Time until the current token ends; +Inf: never.")?,
            generation: gauge(
                "porteur_token_generation",
                "Which token since the start is in use, from 1; 0: none.",
                one,
            )?,
        })
    }

    /// The handles of the background service for one credential.
    #[must_use]
    pub fn of(&self, credential: &str) -> TokenCounters {
        TokenCounters {
            fetches: self.fetches.clone(),
            errors: self.errors.clone(),
            spared: self.spared.with_label_values(&[credential]),
            fetch_seconds: self.fetch_seconds.with_label_values(&[credential]),
            same: self.same.with_label_values(&[credential]),
            by_upstream: self.forced.with_label_values(&[credential, "upstream"]),
            by_operator: self.forced.with_label_values(&[credential, "operator"]),
            credential: credential.to_owned(),
        }
    }

    /// The handles of requests for one credential.
    #[must_use]
    pub fn for_requests(&self, credential: &str) -> RequestTokenMetrics {
        RequestTokenMetrics {
            replays: ReplayResult::ALL.map(|result| self.replays.with_label_values(&[credential, result.label()])),
            nonces: self.nonces.with_label_values(&[credential]),
            rejected: self.missing.with_label_values(&[credential, "reject"]),
            passed: self.missing.with_label_values(&[credential, "pass"]),
            first_wait: self.first_wait.with_label_values(&[credential]),
        }
    }

    pub(super) fn observe(&self, token: &TokenReading<'_>) {
        let labels = &[token.credential];
        self.usable.with_label_values(labels).set(token.state.is_usable().into());
        for state in TokenState::ALL {
            let gauge = self.state.with_label_values(&[token.credential, state.label()]);
            gauge.set((state == token.state).into());
        }
        self.refused.with_label_values(labels).set(token.refused.into());
        self.generation.with_label_values(labels).set(token.generation.try_into().unwrap_or(i64::MAX));
        if let (Some(age), Some(left)) = (token.age, token.expires_in) {
            self.age.with_label_values(labels).set(age.as_secs_f64());
            self.expires_in.with_label_values(labels).set(left.map_or(f64::INFINITY, |left| left.as_secs_f64()));
        } else {
            // What was last known of a token that is gone would be taken for the truth. It fails where there was none yet.
            let _ = self.age.remove_label_values(labels);
            let _ = self.expires_in.remove_label_values(labels);
        }
    }
}

/// What the background service counts for one credential.
#[derive(Debug, Clone)]
pub struct TokenCounters {
    credential: String,
    fetches: IntCounterVec,
    errors: IntCounterVec,
    spared: IntCounter,
    fetch_seconds: Histogram,
    same: IntCounter,
    by_upstream: IntCounter,
    by_operator: IntCounter,
}

impl TokenCounters {
    /// Counts one fetch; a failure by its label and its word.
    pub fn fetched(&self, failure: Option<(&str, &str)>, took: Duration) {
        let result = failure.map_or("ok", |(label, _)| label);
        self.fetches.with_label_values(&[self.credential.as_str(), result]).inc();
        if let Some((_, word)) = failure {
            self.errors.with_label_values(&[self.credential.as_str(), word]).inc();
        }
        self.fetch_seconds.observe(took.as_secs_f64());
    }

    /// Counts a fetch that was not made, because the server had been found down a moment before.
    pub fn spared(&self) {
        self.spared.inc();
    }

    /// Counts a fetch that gave the token we had.
    pub fn same(&self) {
        self.same.inc();
    }

    /// Counts a refresh before its time.
    pub fn forced(&self, by: ForcedBy) {
        match by {
            ForcedBy::Upstream => self.by_upstream.inc(),
            ForcedBy::Operator => self.by_operator.inc(),
        }
    }
}

/// What requests count for one credential: handles, resolved when the configuration is compiled.
#[derive(Debug)]
pub struct RequestTokenMetrics {
    replays: [IntCounter; ReplayResult::ALL.len()],
    nonces: IntCounter,
    rejected: IntCounter,
    passed: IntCounter,
    first_wait: Histogram,
}

impl RequestTokenMetrics {
    /// Counts a request whose token was rejected.
    pub fn rejection(&self, result: ReplayResult) {
        if let Some(counter) = self.replays.get(result as usize) {
            counter.inc();
        }
    }

    /// Counts a request that is sent once more with a nonce.
    pub fn nonce(&self) {
        self.nonces.inc();
    }

    /// Counts a request for which there was no token.
    pub fn missing(&self, action: MissingAction) {
        match action {
            MissingAction::Reject => self.rejected.inc(),
            MissingAction::Pass => self.passed.inc(),
        }
    }

    /// Notes how long a request waited for the first token.
    pub fn waited(&self, wait: Duration) {
        self.first_wait.observe(wait.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_has_its_own_counter() {
        for (index, result) in ReplayResult::ALL.into_iter().enumerate() {
            assert_eq!(result as usize, index, "{result:?}");
        }
    }
}
