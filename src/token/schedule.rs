//! When a token is refreshed and when it stops being used: pure arithmetic on instants that the caller supplies.
//!
//! A token is renewed well before it dies, spread by jitter so that a fleet started together does not return together,
//! and it is taken out of use a little before the authorization server would call it expired: what leaves here must
//! still be valid when the upstream looks at it.

use crate::base::Moment;
use crate::token::answer::Lifetime;
use std::time::{Duration, Instant, SystemTime};

/// Lifetimes outside these bounds are taken as the bound: shorter could not be used, longer is never worth trusting.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Refresh this long before expiry at least, where the lifetime allows (Spring Security, Duende).
const LEAD: Duration = Duration::from_secs(60);
/// Refresh no more than this before expiry, however long the token lives.
const LONGEST_LEAD: Duration = Duration::from_secs(30 * 60);
/// The most that jitter brings a refresh forward.
const LONGEST_JITTER: Duration = Duration::from_secs(5 * 60);
/// The least between two fetches of one credential; see [`spacing`].
pub(super) const SPACING: Duration = Duration::from_secs(10);
const SHORT_SPACING: Duration = Duration::from_secs(1);
const SHORT_LIFE: Duration = Duration::from_secs(20);
/// How much longer than announced a token is used that the server repeats until it dies: what is left is rounded down to whole
/// seconds, and the next token takes a moment. Should it be dead already, the upstream says so and the request is repeated.
const GRACE: Duration = Duration::from_secs(1);
/// How long a token is used that was over when it came: until the next one is here, and no longer.
const OVERDUE: Duration = Duration::from_secs(20);

/// The instants that matter in the life of one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// Fetch the next one now; `None`: never.
    pub refresh_at: Option<Instant>,
    /// Do not send it from here on; `None`: never.
    pub unusable_at: Option<Instant>,
    /// The authorization server's own end of it; `None`: never.
    pub expires_at: Option<Instant>,
}

/// What is known of a token when its life is planned.
#[derive(Debug, Clone, Copy)]
pub struct Granted {
    /// Before the request was sent: time on the network shortens a life, it never lengthens it.
    pub requested_at: Moment,
    /// What the answer says, or what stands in for it; [`Lifetime::Missing`] if nothing does: without end.
    pub lifetime: Lifetime,
    /// When the server would like to be asked again.
    pub refresh_in: Option<Duration>,
    /// Which token it is.
    pub which: Which,
}

/// Which token an answer brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Another than the one we had.
    Other,
    /// The very one we had: the server gives it until it dies.
    Same,
    /// The same, and the server has named an end for it before.
    SameEnding,
}

impl Life {
    /// The life of a token that never expires.
    pub const ENDLESS: Self = Self { refresh_at: None, unusable_at: None, expires_at: None };

    /// Plans the life of a token. `draw` is uniform in `0.0..1.0`.
    #[must_use]
    pub fn of(granted: &Granted, draw: f64) -> Self {
        let start = granted.requested_at.instant;
        let (refresh, unusable, expires) = match granted.lifetime {
            Lifetime::Missing => return Self::ENDLESS,
            Lifetime::Over if granted.which == Which::SameEnding => (SHORT_SPACING, SHORT_SPACING + GRACE, SHORTEST),
            // The server says that it is over; others say so and mean nothing by it (KrakenD: for ever).
            Lifetime::Over => (SPACING, OVERDUE, OVERDUE),
            Lifetime::Given(lifetime) => {
                let lifetime = lifetime.clamp(SHORTEST, LONGEST);
                // Asking early did not help, and the upstream takes it to its end.
                let unusable = match granted.which {
                    Which::Other => lifetime.saturating_sub(margin(lifetime)),
                    Which::Same | Which::SameEnding => lifetime + GRACE,
                };
                (refresh_after(lifetime, unusable, granted, draw), unusable, lifetime)
            }
        };
        Self {
            refresh_at: start.checked_add(refresh),
            unusable_at: start.checked_add(unusable),
            expires_at: start.checked_add(expires),
        }
    }

    /// Whether the token may still be sent.
    #[must_use]
    pub fn is_usable(&self, now: Instant) -> bool {
        self.unusable_at.is_none_or(|end| now < end)
    }

    /// The same life after the wall clock has jumped ahead: the authorization server's clock went on meanwhile.
    #[must_use]
    pub fn shortened(&self, by: Duration) -> Self {
        let earlier = |at: Option<Instant>| at.map(|at| at.checked_sub(by).unwrap_or(at));
        Self {
            refresh_at: self.refresh_at,
            unusable_at: earlier(self.unusable_at),
            expires_at: earlier(self.expires_at),
        }
    }

    /// The end on the wall clock, for people.
    #[must_use]
    pub fn ends(&self, now: Moment) -> Option<SystemTime> {
        let end = self.expires_at?;
        match end.checked_duration_since(now.instant) {
            Some(left) => now.wall.checked_add(left),
            None => now.wall.checked_sub(now.instant.saturating_duration_since(end)),
        }
    }
}

/// The server's hint, if it leaves time for a refresh; else our own point. Never below the spacing: a server that hands out
/// short or dying tokens must not be hammered. That bound comes before everything else, so that a token that lives for a
/// second only is replaced when it has ended.
fn refresh_after(lifetime: Duration, unusable: Duration, granted: &Granted, draw: f64) -> Duration {
    let hint = granted.refresh_in.filter(|hint| *hint < unusable);
    let early = hint.unwrap_or_else(|| refresh_point(lifetime));
    early.saturating_sub(jitter(lifetime, draw)).max(spacing(lifetime))
}

/// 80 % of the life, or a minute before its end if that is earlier, but never in its first half.
fn refresh_point(lifetime: Duration) -> Duration {
    let early = lifetime.mul_f64(0.8).min(lifetime.saturating_sub(LEAD)).max(lifetime / 2);
    early.max(lifetime.saturating_sub(LONGEST_LEAD))
}

/// Up to a tenth of the life, five minutes at the most.
fn jitter(lifetime: Duration, draw: f64) -> Duration {
    (lifetime / 10).min(LONGEST_JITTER).mul_f64(draw.clamp(0.0, 1.0))
}

/// How long before its end a token is taken out of use: a tenth of its life within 2 s to 10 s, which covers the clock
/// drift users report (1 s to 3 s) and the upstream's own work. Tokens of a few seconds give up a quarter.
fn margin(lifetime: Duration) -> Duration {
    (lifetime / 10).clamp(Duration::from_secs(2), Duration::from_secs(10)).min(lifetime / 4)
}

/// The least time between two fetches of a token with this lifetime.
#[must_use]
pub fn spacing(lifetime: Duration) -> Duration {
    if lifetime < SHORT_LIFE { SHORT_SPACING } else { SPACING }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::float_cmp, reason = "the seconds are computed from whole milliseconds")]

    use super::*;

    fn plan(seconds: u64, draw: f64) -> (f64, f64, f64) {
        after(&granted(Lifetime::Given(Duration::from_secs(seconds))), draw)
    }

    fn granted(lifetime: Lifetime) -> Granted {
        Granted { requested_at: Moment::now(), lifetime, refresh_in: None, which: Which::Other }
    }

    fn after(granted: &Granted, draw: f64) -> (f64, f64, f64) {
        let life = Life::of(granted, draw);
        let start = granted.requested_at.instant;
        let after = |at: Option<Instant>| at.expect("bounded").duration_since(start).as_secs_f64();
        (after(life.refresh_at), after(life.unusable_at), after(life.expires_at))
    }

    #[test]
    fn long_tokens_refresh_at_four_fifths_and_half_an_hour_before_the_end_at_most() {
        assert_eq!(plan(3600, 0.0), (2880.0, 3590.0, 3600.0));
        assert_eq!(plan(86_400, 0.0).0, 86_400.0 - 1800.0);
    }

    #[test]
    fn short_tokens_keep_a_minute_but_never_refresh_in_their_first_half() {
        assert_eq!(plan(200, 0.0).0, 140.0);
        assert_eq!(plan(100, 0.0).0, 50.0);
        assert_eq!(plan(30, 0.0), (15.0, 27.0, 30.0));
    }

    #[test]
    fn jitter_only_brings_a_refresh_forward_and_never_below_the_spacing() {
        assert_eq!(plan(3600, 1.0).0, 2880.0 - 300.0);
        assert_eq!(plan(30, 1.0).0, 12.0);
        assert_eq!(plan(20, 1.0).0, 10.0);
    }

    #[test]
    fn a_token_of_seconds_is_refreshed_before_it_becomes_unusable() {
        for seconds in 2..30 {
            for draw in [0.0, 0.5, 1.0] {
                let (refresh, unusable, expires) = plan(seconds, draw);
                assert!(refresh < unusable && unusable < expires, "{seconds} s: {refresh} {unusable} {expires}");
            }
        }
    }

    #[test]
    fn a_token_that_is_over_when_it_comes_is_used_until_the_next_one_is_here() {
        assert_eq!(after(&granted(Lifetime::Over), 1.0), (10.0, 20.0, 20.0));
    }

    #[test]
    fn the_servers_hint_is_followed_where_it_leaves_time() {
        let hinted = |seconds| {
            let refresh_in = Some(Duration::from_secs(seconds));
            after(&Granted { refresh_in, ..granted(Lifetime::Given(Duration::from_secs(3600))) }, 0.0).0
        };
        assert_eq!(hinted(1800), 1800.0);
        assert_eq!(hinted(1), 10.0);
        assert_eq!(hinted(3595), 2880.0);
    }

    #[test]
    fn the_same_token_again_is_used_to_its_end_and_asked_for_ever_more_often() {
        let again = |lifetime| after(&Granted { which: Which::SameEnding, ..granted(lifetime) }, 0.0);
        let left = |seconds| again(Lifetime::Given(Duration::from_secs(seconds)));
        assert_eq!(left(60), (30.0, 61.0, 60.0));
        assert_eq!(left(20), (10.0, 21.0, 20.0));
        assert_eq!(left(8), (4.0, 9.0, 8.0));
        assert_eq!(left(1), (1.0, 2.0, 1.0));
        assert_eq!(again(Lifetime::Over), (1.0, 2.0, 1.0), "its last second, rounded down");
        let never = Granted { which: Which::Same, ..granted(Lifetime::Over) };
        assert_eq!(after(&never, 0.0), (10.0, 20.0, 20.0), "this server always says so");
    }

    #[test]
    fn after_a_jump_of_the_wall_clock_a_token_ends_earlier() {
        let granted = granted(Lifetime::Given(Duration::from_secs(100)));
        let life = Life::of(&granted, 0.0).shortened(Duration::from_secs(60));
        let later = |seconds| granted.requested_at.instant + Duration::from_secs(seconds);
        assert!(life.is_usable(later(29)) && !life.is_usable(later(30)));
        let now = granted.requested_at;
        assert_eq!(life.ends(now), Some(now.wall + Duration::from_secs(40)));
    }

    #[test]
    fn absurd_lifetimes_are_clamped() {
        assert_eq!(after(&granted(Lifetime::Given(Duration::from_millis(1))), 0.0).2, 1.0);
        assert_eq!(plan(u64::MAX, 0.0).2, 7.0 * 24.0 * 3600.0);
        assert!(Life::ENDLESS.is_usable(Instant::now()));
    }
}
