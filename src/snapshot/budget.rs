//! How many requests of a backend may be sent again: a part of those of the last seconds, and a few in any case.
//!
//! Retries help where one request of many fails. Where many do, they only add to what the upstream cannot carry, so past the
//! budget there are none. Counting is a relaxed addition for each request; nobody ever waits.

use crate::config::model::Retries;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// How far back requests and retries count, in seconds.
const WINDOW: u8 = 10;

/// The budget of one backend.
#[derive(Debug)]
pub struct Budget {
    born: Instant,
    percent: u64,
    floor: u64,
    requests: [Count; WINDOW as usize],
    retries: [Count; WINDOW as usize],
}

/// What was counted in one second: the second in the upper half, the number in the lower.
#[derive(Debug, Default)]
struct Count(AtomicU64);

const HALF: u32 = 32;
const LOWER: u64 = u32::MAX as u64;

impl Count {
    fn add(&self, second: u64) {
        let seen = self.0.load(Ordering::Relaxed);
        if seen >> HALF == second {
            self.0.fetch_add(1, Ordering::Relaxed);
        } else if self.0.compare_exchange(seen, (second << HALF) | 1, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            // Another thread has begun the second.
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn take_back(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    fn within(&self, second: u64) -> u64 {
        let seen = self.0.load(Ordering::Relaxed);
        if (seen >> HALF) + u64::from(WINDOW) > second { seen & LOWER } else { 0 }
    }
}

impl Budget {
    /// The budget that a configuration gives.
    #[must_use]
    pub fn new(retries: &Retries, now: Instant) -> Self {
        Self {
            born: now,
            percent: retries.budget_percent.into(),
            floor: u64::from(retries.min_per_second) * u64::from(WINDOW),
            requests: Default::default(),
            retries: Default::default(),
        }
    }

    /// Seconds from 1: a count of 0 was never used.
    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.born).as_secs().saturating_add(1) & LOWER
    }

    /// A request has come.
    pub fn deposit(&self, now: Instant) {
        let second = self.second(now);
        if let Some(count) = self.requests.get(slot(second)) {
            count.add(second);
        }
    }

    /// Whether one may be sent again, which is then counted.
    #[must_use]
    pub fn withdraw(&self, now: Instant) -> bool {
        let second = self.second(now);
        let sum = |counts: &[Count]| counts.iter().map(|count| count.within(second)).sum::<u64>();
        let Some(count) = self.retries.get(slot(second)) else { return false };
        // Counted before it is allowed, so that two threads at once do not both take what is left for one.
        count.add(second);
        let allowed = self.floor.max(sum(&self.requests) * self.percent / 100);
        if sum(&self.retries) > allowed {
            count.take_back();
            return false;
        }
        true
    }
}

fn slot(second: u64) -> usize {
    usize::try_from(second % u64::from(WINDOW)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn budget(percent: u32, per_second: u32, now: Instant) -> Budget {
        Budget::new(&Retries { budget_percent: percent, min_per_second: per_second, ..Retries::default() }, now)
    }

    fn granted(budget: &Budget, now: Instant, asked: usize) -> usize {
        (0..asked).filter(|_| budget.withdraw(now)).count()
    }

    #[test]
    fn a_part_of_the_requests_may_be_sent_again() {
        let start = Instant::now();
        let budget = budget(20, 0, start);
        assert_eq!(granted(&budget, start, 5), 0);
        (0..1000).for_each(|_| budget.deposit(start));
        assert_eq!(granted(&budget, start, 500), 200);
        let later = start + Duration::from_secs(9);
        assert_eq!(granted(&budget, later, 500), 0);
        (0..100).for_each(|_| budget.deposit(later));
        assert_eq!(granted(&budget, later, 500), 20);
        let after = start + Duration::from_secs(11);
        assert_eq!(granted(&budget, after, 500), 0, "the requests that are left allow what was taken already");
        assert_eq!(granted(&budget, start + Duration::from_secs(100), 500), 0);
    }

    #[test]
    fn a_few_may_be_in_any_case() {
        let start = Instant::now();
        let budget = budget(20, 10, start);
        assert_eq!(granted(&budget, start, 500), 100);
        assert_eq!(granted(&budget, start + Duration::from_secs(10), 500), 100);
    }

    #[test]
    fn threads_together_take_no_more_than_there_is() {
        let start = Instant::now();
        let budget = budget(20, 0, start);
        (0..20_000).for_each(|_| budget.deposit(start));
        let taken = std::thread::scope(|scope| {
            let take = || granted(&budget, start, 10_000);
            let threads = [scope.spawn(take), scope.spawn(take)];
            threads.map(|thread| thread.join().expect("no panic")).iter().sum::<usize>()
        });
        assert!((3_000..=4_000).contains(&taken), "{taken}");
    }

    proptest! {
        /// Compared with a plain list of what has happened.
        #[test]
        fn never_more_than_the_window_allows(
            percent in 0..100_u32,
            per_second in 0..3_u32,
            events in proptest::collection::vec((any::<bool>(), 0..900_u64), 1..400),
        ) {
            let start = Instant::now();
            let budget = budget(percent, per_second, start);
            let (mut at, mut requests, mut retries) = (0, Vec::new(), Vec::new());
            for (is_request, millis) in events {
                at += millis;
                let now = start + Duration::from_millis(at);
                let recent = |all: &[u64]| all.iter().filter(|second| **second + u64::from(WINDOW) > at / 1000).count() as u64;
                if is_request {
                    budget.deposit(now);
                    requests.push(at / 1000);
                } else {
                    let allowed = (u64::from(per_second) * u64::from(WINDOW)).max(recent(&requests) * u64::from(percent) / 100);
                    let granted = budget.withdraw(now);
                    prop_assert_eq!(granted, recent(&retries) < allowed);
                    retries.extend(granted.then_some(at / 1000));
                }
            }
        }
    }
}
