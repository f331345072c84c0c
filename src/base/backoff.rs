//! Exponential backoff with full jitter: how long to wait after the n-th failure in a row.
//!
//! Full jitter (a uniform draw below the doubling bound) spreads a fleet that failed together; a floor keeps a lucky
//! draw from becoming a hot loop. It never gives up.

use std::time::Duration;

/// The shape of one backoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Bound of the first wait; it doubles with each failure.
    pub first: Duration,
    /// The bound never exceeds this.
    pub most: Duration,
    /// No wait is shorter than this.
    pub least: Duration,
}

impl Backoff {
    /// The wait after `failures` (1 or more) in a row; `draw` is uniform in `0.0..1.0`.
    #[must_use]
    pub fn wait(&self, failures: u32, draw: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let bound = self.first.saturating_mul(1 << doublings).min(self.most);
        self.least + bound.saturating_sub(self.least).mul_f64(draw.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff =
        Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60), least: Duration::from_millis(200) };

    #[test]
    fn the_bound_doubles_up_to_the_most() {
        let bounds: Vec<u64> = (1..=8).map(|n| BACKOFF.wait(n, 1.0).as_secs()).collect();
        assert_eq!(bounds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(BACKOFF.wait(u32::MAX, 1.0), Duration::from_secs(60));
    }

    #[test]
    fn a_draw_of_nothing_still_waits_the_least() {
        assert_eq!(BACKOFF.wait(5, 0.0), Duration::from_millis(200));
    }
}
