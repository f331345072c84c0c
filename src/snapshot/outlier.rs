//! When an address is left out because requests to it fail.
//!
//! As many failures in a row eject it: connections that are not taken, timeouts before an answer's head, answers that are no HTTP.
//! Each ejection of late makes the next one longer, by as much again, and jitter keeps those that failed together from coming
//! back together. At most half of a backend's addresses are left out: the others would have to carry everything, and what all of
//! them have in common is more likely a fault of the network's, or of ours.

use crate::config::model::Outlier;
use crate::snapshot::targets::{Target, Targets};
use std::time::{Duration, Instant};

/// By how much an ejection may be longer than it should, as a part of it.
const JITTER: f64 = 0.1;

/// Takes the failure of a request to a target in; `Some`, for how long, if that ejects it. `draw` is uniform in `0.0..1.0`.
pub fn fail(
    rule: &Outlier,
    target: &Target,
    among: &Targets,
    now: Instant,
    draw: impl FnOnce() -> f64,
) -> Option<Duration> {
    let failures = target.state.fail();
    if failures < rule.consecutive_failures || target.state.is_ejected(now) || !among.may_eject(now) {
        return None;
    }
    let time = time(rule, target.state.ejections(now, rule.base_ejection_time), draw());
    target.state.eject(now, time);
    Some(time)
}

/// How long an ejection lasts after `before` others.
fn time(rule: &Outlier, before: u32, draw: f64) -> Duration {
    let time = rule.base_ejection_time.saturating_mul(before.saturating_add(1));
    time.min(rule.max_ejection_time).mul_f64(1.0 + JITTER * draw).min(rule.max_ejection_time)
}

#[cfg(test)]
mod tests {
    use super::super::targets::tests::equal;
    use super::*;
    use proptest::prelude::*;

    fn ejected(targets: &Targets, now: Instant) -> usize {
        targets.all().filter(|target| target.state.is_ejected(now)).count()
    }

    fn failing(targets: &Targets, position: usize, now: Instant, times: usize) -> Vec<Duration> {
        let target = targets.get(position).expect("a target");
        (0..times).filter_map(|_| fail(&Outlier::default(), target, targets, now, || 0.0)).collect()
    }

    #[test]
    fn failures_in_a_row_eject_for_longer_each_time() {
        let start = Instant::now();
        let targets = equal(2, start);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(failing(&targets, 0, start, 4).is_empty());
        targets.get(0).expect("a target").state.succeed();
        assert!(failing(&targets, 0, start, 4).is_empty(), "a success begins the count anew");
        assert_eq!(failing(&targets, 0, start, 1), [Duration::from_secs(10)]);
        assert_eq!(ejected(&targets, at(9)), 1);
        assert_eq!(ejected(&targets, at(10)), 0);
        assert_eq!(failing(&targets, 0, at(11), 1), [Duration::from_secs(20)], "the first failure after it");
        targets.get(0).expect("a target").state.succeed();
        assert_eq!(failing(&targets, 0, at(200), 5), [Duration::from_secs(10)], "what is long ago does not count");
    }

    #[test]
    fn one_that_is_alone_is_never_ejected() {
        let now = Instant::now();
        let targets = equal(1, now);
        assert!(failing(&targets, 0, now, 100).is_empty());
        assert!(targets.is_well(0, now));
    }

    #[test]
    fn no_ejection_is_longer_than_the_longest() {
        let rule = Outlier::default();
        assert_eq!(time(&rule, 0, 1.0), Duration::from_secs(11));
        assert_eq!(time(&rule, 28, 0.0), Duration::from_secs(290));
        assert_eq!(time(&rule, 28, 1.0), Duration::from_secs(300));
        assert_eq!(time(&rule, u32::MAX, 0.5), Duration::from_secs(300));
    }

    proptest! {
        /// Whatever happens to whom, in whatever order and time, no more than half are out.
        #[test]
        fn never_ejects_more_than_half(
            count in 1..12_usize,
            events in proptest::collection::vec((0..12_usize, any::<bool>(), 0..40_u64), 0..300),
        ) {
            let mut now = Instant::now();
            let targets = equal(count, now);
            for (position, fails, seconds) in events {
                now += Duration::from_secs(seconds / 20);
                let Some(target) = targets.get(position) else { continue };
                if fails {
                    fail(&Outlier { consecutive_failures: 2, ..Outlier::default() }, target, &targets, now, || 0.5);
                } else {
                    target.state.succeed();
                }
                prop_assert!(ejected(&targets, now) * 2 <= count);
            }
        }
    }
}
