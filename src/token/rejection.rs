//! What happens when an upstream rejects the token of a request: many requests, one refresh, and no more of them than a
//! throttle lets through.
//!
//! Requests compare generations: whose token is older than the current one needs no refresh. The first request with the
//! current token orders one from the background task; those that come meanwhile wait for the same. An upstream that answers
//! 401 for reasons of its own thus costs the authorization server [`BURST`] fetches, then one each [`PERIOD`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// One forced refresh in so much time.
pub const PERIOD: Duration = Duration::from_secs(10);
/// So many may come at once after a quiet time.
pub const BURST: u64 = 2;

/// The rejections of one credential's tokens. Nothing here locks, but for those who wait.
#[derive(Debug)]
pub struct Rejections {
    /// The generation whose replacement is ordered; 0: none.
    ordered: AtomicU64,
    /// Counts fetches that ended, well or not: whoever waits looks again.
    settled: watch::Sender<u64>,
    throttle: Throttle,
}

/// What a request with a rejected token can hope for.
#[derive(Debug)]
pub enum Hope {
    /// There is a newer token already.
    Newer,
    /// A refresh has been ordered: by this request, if so it says.
    Ordered {
        /// To be told when the fetch has ended.
        settled: watch::Receiver<u64>,
        /// Whether the background task must be woken.
        by_us: bool,
    },
    /// There was a refresh a short while ago: another would not help.
    Throttled,
}

impl Rejections {
    /// None so far.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { ordered: AtomicU64::new(0), settled: watch::Sender::new(0), throttle: Throttle::new(now) }
    }

    /// A token of this generation was rejected, while `current` is the one in use.
    #[must_use]
    pub fn reject(&self, generation: u64, current: u64, now: Instant) -> Hope {
        if current > generation {
            return Hope::Newer;
        }
        // The way of an upstream that rejects everything: two loads.
        if self.ordered() != Some(generation) && !self.throttle.would_pass(now) {
            return Hope::Throttled;
        }
        // Subscribed before the order is looked at again: an end of the fetch in between is seen.
        let settled = self.settled.subscribe();
        // An order for an older token, about to be settled, gives way.
        let newer = |ordered: u64| (ordered < generation).then_some(generation);
        match self.ordered.fetch_update(Ordering::AcqRel, Ordering::Acquire, newer) {
            Err(_) => Hope::Ordered { settled, by_us: false },
            Ok(_) if self.throttle.pass(now) => Hope::Ordered { settled, by_us: true },
            Ok(_) => {
                self.settle(generation);
                Hope::Throttled
            }
        }
    }

    /// The generation whose replacement is ordered; `None`: no order.
    #[must_use]
    pub fn ordered(&self) -> Option<u64> {
        Some(self.ordered.load(Ordering::Acquire)).filter(|generation| *generation != 0)
    }

    /// A fetch has ended, or will not be made: those who wait look at what there is. An order for the replacement of a token
    /// younger than `replaced` stays: it came after that fetch.
    pub fn settle(&self, replaced: u64) {
        let served = |ordered: u64| (ordered <= replaced).then_some(0);
        // `Err` is an order that stays.
        let _ = self.ordered.fetch_update(Ordering::AcqRel, Ordering::Acquire, served);
        self.settled.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// A bucket of [`BURST`] drops that gains one each [`PERIOD`], as one number: the time by which it will be full again
/// (GCRA, ITU-T I.371).
#[derive(Debug)]
struct Throttle {
    start: Instant,
    /// Nanoseconds after `start`.
    full_at: AtomicU64,
}

impl Throttle {
    const fn new(start: Instant) -> Self {
        Self { start, full_at: AtomicU64::new(0) }
    }

    fn nanos(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX)
    }

    /// The bucket after one more drop is taken; `None` if it is empty.
    fn after(full_at: u64, now: u64) -> Option<u64> {
        #[expect(clippy::cast_possible_truncation, reason = "ten seconds")]
        const PERIOD_NANOS: u64 = PERIOD.as_nanos() as u64;
        let next = full_at.max(now).saturating_add(PERIOD_NANOS);
        (next.saturating_sub(now) <= PERIOD_NANOS * BURST).then_some(next)
    }

    fn would_pass(&self, now: Instant) -> bool {
        Self::after(self.full_at.load(Ordering::Relaxed), self.nanos(now)).is_some()
    }

    fn pass(&self, now: Instant) -> bool {
        let now = self.nanos(now);
        self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| Self::after(full_at, now)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_token_needs_no_refresh() {
        let now = Instant::now();
        assert!(matches!(Rejections::new(now).reject(1, 2, now), Hope::Newer));
    }

    #[test]
    fn a_thousand_rejections_order_one_refresh() {
        let now = Instant::now();
        let rejections = Rejections::new(now);
        let orders = |count: usize| {
            let hopes = (0..count).map(|_| rejections.reject(1, 1, now));
            hopes.filter(|hope| matches!(hope, Hope::Ordered { by_us: true, .. })).count()
        };
        assert_eq!(orders(1000), 1);
        rejections.settle(1);
        assert_eq!(orders(1000), 1, "it did not help, and a second burst has one more");
        rejections.settle(1);
        assert!(matches!(rejections.reject(1, 1, now), Hope::Throttled));
    }

    #[test]
    fn an_upstream_that_always_rejects_cannot_amplify() {
        let start = Instant::now();
        let rejections = Rejections::new(start);
        let (mut orders, mut generation) = (0_u64, 1);
        // Ten requests each millisecond for ten minutes; every fetch gives a new token at once, which is rejected, too.
        for millis in 0..600_000 {
            let now = start + Duration::from_millis(millis);
            for _ in 0..10 {
                if let Hope::Ordered { by_us: true, .. } = rejections.reject(generation, generation, now) {
                    orders += 1;
                    rejections.settle(generation);
                    generation += 1;
                }
            }
        }
        assert_eq!(orders, BURST + 600 / PERIOD.as_secs() - 1);
    }

    #[tokio::test]
    async fn whoever_waits_is_told_of_the_end() {
        let now = Instant::now();
        let rejections = Rejections::new(now);
        let Hope::Ordered { mut settled, .. } = rejections.reject(1, 1, now) else { panic!("not ordered") };
        assert!(!settled.has_changed().expect("alive"));
        rejections.settle(1);
        settled.changed().await.expect("alive");
        assert_eq!(rejections.ordered(), None);
    }

    #[test]
    fn a_rejection_of_the_new_token_is_not_swept_away_with_those_of_the_old() {
        let now = Instant::now();
        let rejections = Rejections::new(now);
        // The new token is published and rejected before the task gets to tell of the end of its fetch.
        assert!(matches!(rejections.reject(2, 2, now), Hope::Ordered { by_us: true, .. }));
        rejections.settle(1);
        assert_eq!(rejections.ordered(), Some(2));
    }
}
