//! How often a client may do what it may do now and then: so many times at once, and some more with each second.

use tokio::time::Instant;

/// What is left of it.
#[derive(Debug)]
pub(super) struct Allowance {
    left: u32,
    most: u32,
    per_second: u32,
    counted: Instant,
}

impl Allowance {
    pub(super) const fn new(most: u32, per_second: u32, now: Instant) -> Self {
        Self { left: most, most, per_second, counted: now }
    }

    /// Once more. False if that is too often.
    pub(super) fn spend(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.counted).as_secs();
        if seconds > 0 {
            self.earn(u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(self.per_second));
            self.counted = now;
        }
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(0);
        left.is_some()
    }

    /// The client has earned so many more.
    pub(super) const fn earn(&mut self, times: u32) {
        let left = self.left.saturating_add(times);
        self.left = if left < self.most { left } else { self.most };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn spent(allowance: &mut Allowance, now: Instant) -> usize {
        (0..100).take_while(|_| allowance.spend(now)).count()
    }

    #[test]
    fn so_many_at_once_and_some_more_with_each_second() {
        let now = Instant::now();
        let mut allowance = Allowance::new(10, 2, now);
        assert_eq!(spent(&mut allowance, now), 10);
        assert_eq!(spent(&mut allowance, now + Duration::from_secs(3)), 6);
        assert_eq!(spent(&mut allowance, now + Duration::from_secs(1_000_000)), 10, "no more is saved up");
    }

    #[test]
    fn what_is_earned_is_there_at_once() {
        let now = Instant::now();
        let mut allowance = Allowance::new(10, 2, now);
        assert_eq!(spent(&mut allowance, now), 10);
        allowance.earn(3);
        assert_eq!(spent(&mut allowance, now), 3);
    }
}
