//! What time it is, on both clocks: the one that never jumps and the one on the wall.
//!
//! Plans are made on the monotonic clock. The wall clock is looked at beside it, because the monotonic one stands still
//! while the machine sleeps (`CLOCK_MONOTONIC` on Linux) and tokens do not.

use std::time::{Duration, Instant, SystemTime};

/// One point in time, read off both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The clock that plans are made on.
    pub instant: Instant,
    /// The clock that people and certificates use.
    pub wall: SystemTime,
}

/// How the wall clock moved against the monotonic one between two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jump {
    /// The wall clock is ahead by so much: the machine slept, or the clock was set.
    Forward(Duration),
    /// The wall clock was set back.
    Backward(Duration),
}

impl Moment {
    /// Now, by the system's clocks.
    #[must_use]
    pub fn now() -> Self {
        Self { instant: Instant::now(), wall: SystemTime::now() }
    }

    /// How far the clocks have drifted apart since `earlier`; `None` while it is less than `tolerance`.
    #[must_use]
    pub fn jump_since(&self, earlier: &Self, tolerance: Duration) -> Option<Jump> {
        let passed = self.instant.saturating_duration_since(earlier.instant);
        let expected = earlier.wall.checked_add(passed)?;
        let jump = match self.wall.duration_since(expected) {
            Ok(ahead) => Jump::Forward(ahead),
            Err(behind) => Jump::Backward(behind.duration()),
        };
        let (Jump::Forward(by) | Jump::Backward(by)) = jump;
        (by >= tolerance).then_some(jump)
    }
}

/// Where the time comes from: the system's clocks, or a test's.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Moment;
}

/// The clocks of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_what_one_clock_has_that_the_other_has_not() {
        let start = Moment::now();
        let later = |instant: u64, wall: i64| Moment {
            instant: start.instant + Duration::from_secs(instant),
            wall: if wall < 0 {
                start.wall - Duration::from_secs(wall.unsigned_abs())
            } else {
                start.wall + Duration::from_secs(wall.unsigned_abs())
            },
        };
        let tolerance = Duration::from_secs(5);
        assert_eq!(later(10, 12).jump_since(&start, tolerance), None);
        assert_eq!(later(10, 3610).jump_since(&start, tolerance), Some(Jump::Forward(Duration::from_secs(3600))));
        assert_eq!(later(10, -50).jump_since(&start, tolerance), Some(Jump::Backward(Duration::from_secs(60))));
    }
}
