//! How addresses are: whether requests to them fail, how many are under way, whether they answer health checks.
//!
//! One state for each name, port, scheme and address, shared by all backends that use it and carried over a reload by that
//! identity. What follows from it for one backend is [`balance`](super::balance)'s and [`outlier`](super::outlier)'s.

use crate::config::model::HealthCheck;
use crate::telemetry::metrics::HealthGauge;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// What makes an address one that is known already.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The name of the host.
    pub name: String,
    /// Its port.
    pub port: u16,
    /// Whether it is asked with TLS.
    pub https: bool,
    /// Where it is.
    pub address: SocketAddr,
}

/// What requests have met at one address. Times count from the moment it was made, in milliseconds.
#[derive(Debug)]
pub struct AddressState {
    born: Instant,
    failures: AtomicU32,
    /// When an ejection ends; 0: there is none.
    ejected_until: AtomicU64,
    ejections: AtomicU32,
    in_flight: AtomicU32,
    wants_http1: AtomicBool,
}

impl AddressState {
    /// That of an address that was never asked.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            born: now,
            failures: AtomicU32::new(0),
            ejected_until: AtomicU64::new(0),
            ejections: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
            wants_http1: AtomicBool::new(false),
        }
    }

    fn stamp(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether it is left out.
    #[must_use]
    pub fn is_ejected(&self, now: Instant) -> bool {
        let until = self.ejected_until.load(Ordering::Relaxed);
        until != 0 && self.stamp(now) < until
    }

    /// Leaves it out for as long.
    pub fn eject(&self, now: Instant, time: Duration) {
        self.ejections.fetch_add(1, Ordering::Relaxed);
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.ejected_until.store(self.stamp(now).saturating_add(time.max(1)), Ordering::Relaxed);
    }

    /// How often it has been left out of late: for each `base` that has passed since, once less.
    #[must_use]
    pub fn ejections(&self, now: Instant, base: Duration) -> u32 {
        let since = self.stamp(now).saturating_sub(self.ejected_until.load(Ordering::Relaxed));
        let base = u64::try_from(base.as_millis()).unwrap_or(u64::MAX).max(1);
        let forgotten = u32::try_from(since / base).unwrap_or(u32::MAX);
        let left = self.ejections.load(Ordering::Relaxed).saturating_sub(forgotten);
        if forgotten > 0 {
            self.ejections.store(left, Ordering::Relaxed);
        }
        left
    }

    /// A request has failed: how many have, one after the other. An ejection does not begin the count anew, so that the first
    /// failure after one ejects again.
    pub fn fail(&self) -> u32 {
        self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// A request has got its answer. It writes only where there is something to forget.
    pub fn succeed(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// Whether it is asked by HTTP/1.1 where both versions would do.
    #[must_use]
    pub fn wants_http1(&self) -> bool {
        self.wants_http1.load(Ordering::Relaxed)
    }

    /// It speaks HTTP/2, but not for requests. Pingora knows such peers, too, and does not heed it while it has a connection of
    /// HTTP/2 (`pingora-core/src/connectors/http/mod.rs`, `get_http_session`).
    pub fn prefer_http1(&self) {
        self.wants_http1.store(true, Ordering::Relaxed);
    }

    /// Requests under way, of the backends that count them.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// One more.
    pub fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What makes two health checks the same: how and where is asked, by whose name, and what is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CheckIdentity {
    /// Pingora's hash of the connection.
    pub connection: u64,
    /// Value of the `Host` header.
    pub authority: String,
    /// The check.
    pub check: HealthCheck,
}

/// What health checks of one address have come to.
#[derive(Debug)]
pub struct CheckState {
    down: AtomicBool,
    /// Answers in a row that speak against the state.
    streak: AtomicU32,
    gauge: HealthGauge,
}

impl CheckState {
    /// Well until it is found otherwise.
    #[must_use]
    pub fn new(gauge: HealthGauge) -> Self {
        gauge.set(true);
        Self { down: AtomicBool::new(false), streak: AtomicU32::new(0), gauge }
    }

    /// Whether it is well.
    #[must_use]
    pub fn is_up(&self) -> bool {
        !self.down.load(Ordering::Relaxed)
    }

    /// Takes an answer in; `Some` when the state has changed by it, with the new one. Asked by one task alone.
    pub fn observe(&self, is_good: bool, check: &HealthCheck) -> Option<bool> {
        if is_good == self.is_up() {
            self.streak.store(0, Ordering::Relaxed);
            return None;
        }
        let streak = self.streak.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if streak < if is_good { check.healthy } else { check.unhealthy } {
            return None;
        }
        self.streak.store(0, Ordering::Relaxed);
        self.down.store(!is_good, Ordering::Relaxed);
        self.gauge.set(is_good);
        Some(is_good)
    }
}

/// All states that anybody uses.
#[derive(Debug, Default)]
pub struct States {
    addresses: Mutex<BTreeMap<Identity, Weak<AddressState>>>,
    checks: Mutex<BTreeMap<CheckIdentity, Weak<CheckState>>>,
}

impl States {
    /// The state of an address.
    pub fn address(&self, identity: Identity, now: Instant) -> Arc<AddressState> {
        of(&self.addresses, identity, || AddressState::new(now))
    }

    /// The state of a health check.
    pub fn check(&self, identity: CheckIdentity, gauge: impl FnOnce() -> HealthGauge) -> Arc<CheckState> {
        of(&self.checks, identity, || CheckState::new(gauge()))
    }
}

/// What is there, or a new one. What nobody uses any more is forgotten.
fn of<K: Ord, V>(map: &Mutex<BTreeMap<K, Weak<V>>>, key: K, new: impl FnOnce() -> V) -> Arc<V> {
    let mut map = map.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = map.get(&key).and_then(Weak::upgrade) {
        return found;
    }
    map.retain(|_, state| state.strong_count() > 0);
    let made = Arc::new(new());
    map.insert(key, Arc::downgrade(&made));
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(port: u16) -> Identity {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Identity { name: "upstream.test".into(), port, https: false, address }
    }

    #[test]
    fn a_state_lives_as_long_as_somebody_uses_it() {
        let (states, now) = (States::default(), Instant::now());
        let first = states.address(identity(1), now);
        first.fail();
        assert_eq!(states.address(identity(1), now).fail(), 2, "found by its identity");
        assert_eq!(states.address(Identity { https: true, ..identity(1) }, now).fail(), 1);
        drop(first);
        assert_eq!(states.address(identity(1), now).fail(), 1);
        assert_eq!(states.addresses.lock().expect("not poisoned").len(), 1);
    }

    #[test]
    fn ejections_end_and_are_forgotten_one_by_one() {
        let start = Instant::now();
        let state = AddressState::new(start);
        let at = |seconds| start + Duration::from_secs(seconds);
        let base = Duration::from_secs(10);
        state.eject(at(0), base);
        state.eject(at(12), base);
        assert!(state.is_ejected(at(21)) && !state.is_ejected(at(22)));
        assert_eq!(state.ejections(at(31), base), 2);
        assert_eq!(state.ejections(at(33), base), 1);
        assert_eq!(state.ejections(at(60), base), 0);
    }

    #[test]
    fn a_check_changes_its_mind_after_as_many_answers_in_a_row() {
        let check = HealthCheck {
            path: "/".into(),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            healthy: 2,
            unhealthy: 3,
            statuses: Vec::new(),
        };
        let state = CheckState::new(HealthGauge::unseen());
        let told: Vec<_> = [false, false, true, false, false, false, true, false, true, true, true]
            .into_iter()
            .map(|is_good| state.observe(is_good, &check))
            .collect();
        let none = None;
        let expected = [none, none, none, none, none, Some(false), none, none, none, Some(true), none];
        assert_eq!(told, expected);
    }
}
