//! The circuit breaker of a backend: after too many failures in a row nothing is sent to it for a while, then one request tries.
//!
//! The states and when they change are those of gobreaker, which KrakenD uses. Closed, every failure in a row counts, and what was
//! counted is forgotten each interval; one more than `max_errors` opens it. Open, nothing passes until the timeout is over. Then it
//! is half-open: one request passes, and its outcome closes or opens it. Outcomes of requests from before the last change count
//! for nothing.
//!
//! While it is closed, and its interval lasts, a request costs one load; a success stores only what there is to forget. Anything
//! else takes a lock for as long as it takes to compare a few numbers.

use crate::config::model::CircuitBreaker;
use crate::telemetry::metrics::BreakerGauge;
use http::StatusCode;
use log::warn;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The breaker of one backend.
#[derive(Debug)]
pub struct Breaker {
    name: String,
    rule: CircuitBreaker,
    gauge: BreakerGauge,
    born: Instant,
    /// In the upper bits the millisecond until which it is closed for sure, in the lower its generation.
    gate: AtomicU64,
    /// Failures in a row.
    failures: AtomicU32,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    generation: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Until its interval is over, if it has one.
    Closed {
        until: Option<u64>,
    },
    Open {
        until: u64,
    },
    HalfOpen {
        is_tried: bool,
    },
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed { .. } => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half-open",
        })
    }
}

/// Bits of the gate that hold the generation.
const GENERATION: u32 = 20;
const GENERATIONS: u64 = 1 << GENERATION;
/// The gate of a breaker that is closed without end.
const ENDLESS: u64 = u64::MAX >> GENERATION;

/// When it is worth another try while a request is trying.
const SOON: Duration = Duration::from_secs(1);

/// A request that has passed. Its outcome is told, or it is dropped, and then there was none: the client left, or it never was
/// about the backend.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    breaker: Arc<Breaker>,
    generation: u64,
    /// Whether its outcome decides what becomes of a half-open breaker.
    is_trial: bool,
    is_told: bool,
}

impl Breaker {
    fn new(name: String, rule: CircuitBreaker, gauge: BreakerGauge, now: Instant) -> Self {
        gauge.set(false);
        let breaker = Self {
            name,
            rule,
            gauge,
            born: now,
            gate: AtomicU64::new(0),
            failures: AtomicU32::new(0),
            inner: Mutex::new(Inner { state: State::HalfOpen { is_tried: false }, generation: 0 }),
        };
        breaker.enter(&mut breaker.lock(), breaker.closed(0));
        breaker
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.born).as_millis()).unwrap_or(ENDLESS).min(ENDLESS)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a request pass.
    ///
    /// # Errors
    /// After how long it is worth another try.
    pub fn admit(self: &Arc<Self>, now: Instant) -> Result<Permit, Duration> {
        let at = self.millis(now);
        let gate = self.gate.load(Ordering::Acquire);
        if at < gate >> GENERATION {
            return Ok(self.permit(gate % GENERATIONS, false));
        }
        let mut inner = self.lock();
        self.advance(&mut inner, at);
        match &mut inner.state {
            State::Closed { .. } => Ok(self.permit(inner.generation, false)),
            State::Open { until } => Err(Duration::from_millis(until.saturating_sub(at))),
            State::HalfOpen { is_tried: true } => Err(SOON),
            State::HalfOpen { is_tried } => {
                *is_tried = true;
                Ok(self.permit(inner.generation, true))
            }
        }
    }

    /// How long a request that comes now would have to wait.
    #[must_use]
    pub fn retry_after(&self, now: Instant) -> Duration {
        match self.lock().state {
            State::Open { until } => Duration::from_millis(until.saturating_sub(self.millis(now))),
            State::Closed { .. } | State::HalfOpen { .. } => SOON,
        }
    }

    fn permit(self: &Arc<Self>, generation: u64, is_trial: bool) -> Permit {
        Permit { breaker: self.clone(), generation: generation % GENERATIONS, is_trial, is_told: false }
    }

    /// What time alone changes.
    fn advance(&self, inner: &mut Inner, at: u64) {
        match inner.state {
            State::Closed { until: Some(until) } if at >= until => self.enter(inner, self.closed(at)),
            State::Open { until } if at >= until => self.enter(inner, State::HalfOpen { is_tried: false }),
            _ => {}
        }
    }

    fn closed(&self, at: u64) -> State {
        let millis = |interval: Duration| u64::try_from(interval.as_millis()).unwrap_or(ENDLESS);
        State::Closed { until: self.rule.interval.map(|interval| at.saturating_add(millis(interval)).min(ENDLESS)) }
    }

    /// Begins a state, and with it a generation: nothing that was counted counts any more.
    fn enter(&self, inner: &mut Inner, state: State) {
        let (before, after) = (inner.state.to_string(), state.to_string());
        if self.rule.log_status_change && before != after && inner.generation > 0 {
            warn!("circuit breaker `{}` went from {before} to {after}", self.name);
        }
        inner.generation += 1;
        inner.state = state;
        self.failures.store(0, Ordering::Relaxed);
        self.gauge.set(!matches!(state, State::Closed { .. }));
        let until = match state {
            State::Closed { until } => until.unwrap_or(ENDLESS),
            State::Open { .. } | State::HalfOpen { .. } => 0,
        };
        self.gate.store((until << GENERATION) | (inner.generation % GENERATIONS), Ordering::Release);
    }

    fn succeeded(&self, permit: &Permit, now: Instant) {
        let at = self.millis(now);
        let gate = self.gate.load(Ordering::Acquire);
        if at < gate >> GENERATION {
            if gate % GENERATIONS == permit.generation && self.failures.load(Ordering::Relaxed) != 0 {
                self.failures.store(0, Ordering::Relaxed);
            }
            return;
        }
        let mut inner = self.lock();
        self.advance(&mut inner, at);
        if inner.generation % GENERATIONS == permit.generation && matches!(inner.state, State::HalfOpen { .. }) {
            self.enter(&mut inner, self.closed(at));
        }
    }

    fn failed(&self, permit: &Permit, now: Instant) {
        let at = self.millis(now);
        let mut inner = self.lock();
        self.advance(&mut inner, at);
        if inner.generation % GENERATIONS != permit.generation {
            return;
        }
        let timeout = u64::try_from(self.rule.timeout.as_millis()).unwrap_or(ENDLESS);
        let open = State::Open { until: at.saturating_add(timeout).min(ENDLESS) };
        match inner.state {
            State::Closed { .. } => {
                let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                if failures > self.rule.max_errors {
                    self.enter(&mut inner, open);
                }
            }
            State::HalfOpen { .. } => self.enter(&mut inner, open),
            State::Open { .. } => {}
        }
    }

    /// The one that tried had no outcome: another may try.
    fn abandoned(&self, permit: &Permit) {
        let mut inner = self.lock();
        if inner.generation % GENERATIONS == permit.generation
            && let State::HalfOpen { is_tried } = &mut inner.state
        {
            *is_tried = false;
        }
    }
}

impl Permit {
    /// The backend has answered with this status, which is a failure only where its breaker has a list that it is not in.
    pub fn answered(self, status: StatusCode, now: Instant) {
        let valid = self.breaker.rule.valid_status_codes.as_ref();
        if valid.is_none_or(|valid| valid.binary_search(&status).is_ok()) { self.succeed(now) } else { self.fail(now) }
    }

    /// Whether the status of an answer says all, and nothing that becomes of the answer then.
    #[must_use]
    pub fn is_by_status(&self) -> bool {
        self.breaker.rule.valid_status_codes.is_some()
    }

    /// The backend has answered.
    pub fn succeed(mut self, now: Instant) {
        self.is_told = true;
        self.breaker.succeeded(&self, now);
    }

    /// The backend has failed.
    pub fn fail(mut self, now: Instant) {
        self.is_told = true;
        self.breaker.failed(&self, now);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.is_trial && !self.is_told {
            self.breaker.abandoned(self);
        }
    }
}

/// All breakers that anybody uses. They outlive Snapshots: the same backend of the same endpoint finds its own again.
#[derive(Debug, Default)]
pub struct Breakers(BTreeMap<(String, CircuitBreaker), Weak<Breaker>>);

impl Breakers {
    /// The breaker of a backend. `identity` says which one it is; one whose rule has changed is a new one.
    pub fn entry(
        &mut self,
        identity: String,
        name: &str,
        rule: &CircuitBreaker,
        gauge: impl FnOnce() -> BreakerGauge,
    ) -> Arc<Breaker> {
        let key = (identity, rule.clone());
        if let Some(breaker) = self.0.get(&key).and_then(Weak::upgrade) {
            return breaker;
        }
        self.0.retain(|_, breaker| breaker.strong_count() > 0);
        let breaker = Arc::new(Breaker::new(name.to_owned(), rule.clone(), gauge(), Instant::now()));
        self.0.insert(key, Arc::downgrade(&breaker));
        breaker
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(interval: u64, timeout: u64, max_errors: u32) -> CircuitBreaker {
        let seconds = |seconds| Some(Duration::from_secs(seconds)).filter(|duration| !duration.is_zero());
        CircuitBreaker {
            name: None,
            interval: seconds(interval),
            timeout: Duration::from_secs(timeout),
            max_errors,
            valid_status_codes: None,
            log_status_change: true,
        }
    }

    fn breaker(interval: u64, timeout: u64, max_errors: u32, now: Instant) -> Arc<Breaker> {
        Arc::new(Breaker::new("b".into(), rule(interval, timeout, max_errors), BreakerGauge::unseen(), now))
    }

    fn fail(breaker: &Arc<Breaker>, now: Instant, times: usize) {
        (0..times).for_each(|_| breaker.admit(now).expect("closed").fail(now));
    }

    #[test]
    fn it_opens_after_one_failure_in_a_row_more_than_are_borne() {
        let start = Instant::now();
        let breaker = breaker(0, 10, 2, start);
        fail(&breaker, start, 2);
        breaker.admit(start).expect("closed").succeed(start);
        fail(&breaker, start, 3);
        assert_eq!(breaker.admit(start + Duration::from_secs(4)).map(drop), Err(Duration::from_secs(6)));
        assert_eq!(breaker.retry_after(start + Duration::from_secs(4)), Duration::from_secs(6));
    }

    #[test]
    fn failures_are_forgotten_each_interval() {
        let start = Instant::now();
        let breaker = breaker(60, 10, 1, start);
        fail(&breaker, start + Duration::from_secs(59), 1);
        fail(&breaker, start + Duration::from_secs(60), 1);
        assert!(breaker.admit(start + Duration::from_secs(61)).is_ok());
        fail(&breaker, start + Duration::from_secs(61), 1);
        assert!(breaker.admit(start + Duration::from_secs(61)).is_err());
    }

    #[test]
    fn one_request_tries_and_decides() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let breaker = breaker(0, 10, 0, start);
        let early = breaker.admit(start).expect("closed");
        fail(&breaker, start, 1);
        let trial = breaker.admit(at(10)).expect("half-open");
        assert_eq!(breaker.admit(at(10)).map(drop), Err(SOON));
        early.fail(at(10));
        drop(trial);
        let trial = breaker.admit(at(10)).expect("the first one left without an outcome");
        trial.fail(at(11));
        assert_eq!(breaker.admit(at(12)).map(drop), Err(Duration::from_secs(9)));
        breaker.admit(at(21)).expect("half-open").succeed(at(21));
        assert!(breaker.admit(at(21)).is_ok() && breaker.admit(at(21)).is_ok());
    }

    #[test]
    fn a_list_says_which_statuses_are_no_failures() {
        let start = Instant::now();
        let listed =
            CircuitBreaker { valid_status_codes: Some(vec![StatusCode::OK, StatusCode::NOT_FOUND]), ..rule(0, 10, 0) };
        for (rule, status, opens) in [
            (rule(0, 10, 0), 500, false),
            (listed.clone(), 200, false),
            (listed.clone(), 404, false),
            (listed.clone(), 201, true),
            (listed, 500, true),
        ] {
            let breaker = Arc::new(Breaker::new("b".into(), rule, BreakerGauge::unseen(), start));
            let permit = breaker.admit(start).expect("closed");
            permit.answered(StatusCode::from_u16(status).expect("a status"), start);
            assert_eq!(breaker.admit(start).is_err(), opens, "{status}");
        }
    }

    #[test]
    fn a_breaker_is_found_again_by_what_it_is_for() {
        let mut breakers = Breakers::default();
        let entry = |breakers: &mut Breakers, identity: &str, max_errors| {
            breakers.entry(identity.into(), "b", &rule(60, 10, max_errors), BreakerGauge::unseen)
        };
        let first = entry(&mut breakers, "GET /a", 0);
        fail(&first, Instant::now(), 1);
        assert!(entry(&mut breakers, "GET /a", 0).admit(Instant::now()).is_err());
        assert!(entry(&mut breakers, "GET /b", 0).admit(Instant::now()).is_ok());
        assert!(entry(&mut breakers, "GET /a", 1).admit(Instant::now()).is_ok(), "another rule");
    }

    /// gobreaker, written down plainly.
    struct Plain {
        interval: u64,
        timeout: u64,
        max_errors: u32,
        generation: u64,
        failures: u32,
        state: PlainState,
    }

    #[derive(Clone, Copy)]
    enum PlainState {
        Closed(u64),
        Open(u64),
        HalfOpen(bool),
    }

    impl Plain {
        fn enter(&mut self, state: PlainState) {
            (self.state, self.failures) = (state, 0);
            self.generation += 1;
        }

        fn closed(&self, at: u64) -> PlainState {
            PlainState::Closed(if self.interval == 0 { u64::MAX } else { at + self.interval })
        }

        fn advance(&mut self, at: u64) {
            match self.state {
                PlainState::Closed(until) if at >= until => self.enter(self.closed(at)),
                PlainState::Open(until) if at >= until => self.enter(PlainState::HalfOpen(false)),
                _ => {}
            }
        }

        fn admit(&mut self, at: u64) -> Option<u64> {
            self.advance(at);
            match &mut self.state {
                PlainState::Open(_) | PlainState::HalfOpen(true) => return None,
                PlainState::HalfOpen(tried) => *tried = true,
                PlainState::Closed(_) => {}
            }
            Some(self.generation)
        }

        fn outcome(&mut self, generation: u64, is_good: bool, at: u64) {
            self.advance(at);
            if generation != self.generation {
                return;
            }
            match (self.state, is_good) {
                (PlainState::Closed(_), true) => self.failures = 0,
                (PlainState::Closed(_), false) => {
                    self.failures += 1;
                    if self.failures > self.max_errors {
                        self.enter(PlainState::Open(at + self.timeout));
                    }
                }
                (PlainState::HalfOpen(_), true) => self.enter(self.closed(at)),
                (PlainState::HalfOpen(_), false) => self.enter(PlainState::Open(at + self.timeout)),
                (PlainState::Open(_), _) => {}
            }
        }
    }

    proptest! {
        /// Requests that overlap, answered in any order.
        #[test]
        fn it_behaves_as_the_plain_one(
            interval in 0..20_u64,
            timeout in 1..10_u64,
            max_errors in 0..4_u32,
            events in proptest::collection::vec((0..4_u8, 0..3_u64, any::<prop::sample::Index>()), 1..200),
        ) {
            let start = Instant::now();
            let breaker = breaker(interval, timeout, max_errors, start);
            let state = PlainState::HalfOpen(false);
            let mut plain = Plain { interval, timeout, max_errors, generation: 0, failures: 0, state };
            plain.enter(plain.closed(0));
            let (mut at, mut under_way) = (0, Vec::new());
            for (event, seconds, which) in events {
                at += seconds;
                let now = start + Duration::from_secs(at);
                if event < 2 || under_way.is_empty() {
                    let (real, expected) = (breaker.admit(now), plain.admit(at));
                    prop_assert_eq!(real.is_ok(), expected.is_some(), "at {}", at);
                    under_way.extend(real.ok().zip(expected));
                } else {
                    let (permit, generation) = under_way.swap_remove(which.index(under_way.len()));
                    plain.outcome(generation, event == 2, at);
                    if event == 2 { permit.succeed(now) } else { permit.fail(now) }
                }
            }
            under_way.clear();
        }
    }
}
