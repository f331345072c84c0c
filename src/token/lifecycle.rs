//! The state machine of one credential: what has happened, and so when to fetch next.
//!
//! Time and chance come from outside, and nothing here waits, fetches or publishes; [`super::keeper`] does that. The states
//! are few: there is a token or there is none ([`Life`]), and the last fetches worked or did not ([`Trouble`]). Everything
//! else follows.

use crate::base::Moment;
use crate::base::backoff::Backoff;
use crate::base::clock::Jump;
use crate::token::answer::{Grant, Lifetime};
use crate::token::error::{FetchError, Health};
use crate::token::jwt;
use crate::token::schedule::{self, Granted, Life, Which};
use crate::token::server;
use std::time::{Duration, Instant, SystemTime};

/// After a failure that may pass: transport, timeout, 5xx, an answer that is none. Unless the server asks us to slow down, our
/// [`patience`](Lifecycle::patience) lowers the bound.
const RETRY: Backoff =
    Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60), least: Duration::from_millis(200) };
/// The part of what is left of a token that may pass without a try, so that there are always several before it ends: fourteen
/// in its last minute at the least, 26 as a rule, once in its life, and one credential makes them for all of its server
/// ([`super::server`]). Doubling alone left tokens of 40 s dead for a tenth of the time beside a server that was there for six
/// seconds of every fourteen.
const PART_OF_LIFE: u32 = 4;
/// While requests fail for want of a token, the end of an outage is to be noticed so soon: a server that is down hears of one
/// of its credentials as often anyway.
const WITHOUT_TOKEN: Duration = server::SHARED_FOR;
/// After a refusal: the same request will be refused until somebody changes something, and servers lock clients out.
const REFUSED: Backoff =
    Backoff { first: Duration::from_secs(10), most: Duration::from_secs(300), least: Duration::from_secs(5) };
/// The wall clock has jumped when it moves so much against the monotonic one: more than NTP slews, less than tokens live.
const JUMP: Duration = Duration::from_secs(5);
/// The least between two fetches that an operator asks for.
const BY_HAND: Duration = Duration::from_secs(1);

/// The life of one credential's tokens.
#[derive(Debug)]
pub struct Lifecycle {
    /// `default_ttl`.
    default_ttl: Option<Duration>,
    /// How long one request of a fetch may take.
    a_try: Duration,
    life: Option<Life>,
    /// Whether the current token has ever had an end: the server named it, or it was assumed.
    has_end: bool,
    spacing: Duration,
    trouble: Option<Trouble>,
    /// When the one try before the current token's end is planned, or was.
    last_try: Option<Instant>,
    /// When to fetch; `None`: not by itself.
    due: Option<Instant>,
    /// When the last fetch ended.
    fetched_at: Option<Instant>,
    /// Both clocks at the last look.
    seen: Moment,
}

/// Fetches that failed since the last that did not.
#[derive(Debug, Clone, Copy)]
pub struct Trouble {
    /// All of them.
    pub failures: u32,
    /// Those of the same kind in a row, which the backoff counts: a refusal after an outage is the first refusal.
    of_a_kind: u32,
    /// The kind.
    pub label: &'static str,
    /// Whether the server refused us: then another secret is worth another try at once.
    pub refused: bool,
    /// Whether the server seemed to be down: then it is worth another try as soon as it is back.
    pub outage: bool,
}

/// What came of a fetch that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setback {
    /// How many in a row.
    pub failures: u32,
    /// Whether the one before was of another kind, or none.
    pub is_new: bool,
    /// Until the next attempt.
    pub wait: Duration,
}

impl Lifecycle {
    /// A credential without a token, whose first fetch is due now.
    #[must_use]
    pub fn new(default_ttl: Option<Duration>, a_try: Duration, now: Moment) -> Self {
        Self {
            default_ttl,
            a_try,
            life: None,
            has_end: false,
            spacing: Duration::ZERO,
            trouble: None,
            last_try: None,
            due: Some(now.instant),
            fetched_at: None,
            seen: now,
        }
    }

    /// When to fetch next; `None`: not until something happens.
    #[must_use]
    pub const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The fetches that failed since the last good one.
    #[must_use]
    pub const fn trouble(&self) -> Option<Trouble> {
        self.trouble
    }

    /// A grant came. `same`: it is the token that we had. Gives the life to publish it with.
    pub fn granted(&mut self, grant: &Grant, requested_at: Moment, same: bool, now: Moment, draw: f64) -> Life {
        let lifetime = match grant.lifetime {
            Lifetime::Missing => {
                assumed_lifetime(grant, self.default_ttl, requested_at.wall).map_or(Lifetime::Missing, Lifetime::Given)
            }
            known => known,
        };
        let which = match (same, self.has_end) {
            (false, _) => Which::Other,
            (true, false) => Which::Same,
            (true, true) => Which::SameEnding,
        };
        self.has_end = matches!(lifetime, Lifetime::Given(_)) || which == Which::SameEnding;
        let life = Life::of(&Granted { requested_at, lifetime, refresh_in: grant.refresh_in, which }, draw);
        self.spacing = match lifetime {
            Lifetime::Given(lifetime) => schedule::spacing(lifetime),
            _ => schedule::SPACING,
        };
        self.life = Some(life);
        self.trouble = None;
        self.fetched_at = Some(now.instant);
        // Not now: should the machine have slept between request and answer, the next look will notice.
        self.seen = requested_at;
        self.last_try = None;
        self.due = life.refresh_at;
        life
    }

    /// A fetch failed: what there is stays, and the next attempt is planned.
    pub fn failed(&mut self, error: &FetchError, now: Moment, draw: f64) -> Setback {
        let before = self.trouble.filter(|trouble| trouble.label == error.label());
        let trouble = Trouble {
            failures: self.trouble.map_or(0, |trouble| trouble.failures).saturating_add(1),
            of_a_kind: before.map_or(0, |trouble| trouble.of_a_kind).saturating_add(1),
            label: error.label(),
            refused: error.is_refusal(),
            outage: error.health() == Some(Health::Down),
        };
        let backoff = match error {
            _ if trouble.refused => REFUSED,
            FetchError::Status { status: 429, .. } => RETRY,
            // The bound is lowered rather than the wait, so that jitter stays.
            _ => Backoff { most: self.patience(now.instant, trouble.outage).min(RETRY.most), ..RETRY },
        };
        let wait = backoff.wait(trouble.of_a_kind, draw).max(error.retry_after().unwrap_or_default());
        let wait = self.before_the_end(wait, now.instant);
        self.trouble = Some(trouble);
        self.fetched_at = Some(now.instant);
        self.due = now.instant.checked_add(wait);
        Setback { failures: trouble.failures, is_new: before.is_none(), wait }
    }

    /// How long we can do without news of a server that fails us: no longer than a part of what is left of the token, but for
    /// the backoff's first second. Without a token it depends on whether the server is down: what answers is left alone.
    fn patience(&self, now: Instant, outage: bool) -> Duration {
        match self.life.filter(|life| life.is_usable(now)) {
            Some(life) => {
                let left = life.unusable_at.map(|end| end.saturating_duration_since(now));
                left.map_or(Duration::MAX, |left| (left / PART_OF_LIFE).max(RETRY.first))
            }
            None if outage => WITHOUT_TOKEN,
            None => Duration::MAX,
        }
    }

    /// While the last fetch failed: how long another credential's word may stand for a try of our own.
    #[must_use]
    pub fn takes_word_for(&self, now: Instant) -> Option<Duration> {
        self.trouble.map(|trouble| self.patience(now, trouble.outage))
    }

    /// Shortens a wait, once in a token's life, so that one more try comes before it becomes unusable: early enough for its
    /// whole timeout, or when half of what is left has passed.
    fn before_the_end(&mut self, wait: Duration, now: Instant) -> Duration {
        let was_made = self.last_try.is_some_and(|at| at <= now);
        let end = self.life.filter(|_| !was_made).and_then(|life| life.unusable_at);
        let Some(left) = end.and_then(|end| end.checked_duration_since(now)) else { return wait };
        let latest = left.saturating_sub(self.a_try).max(left / 2).max(RETRY.least);
        if latest < wait {
            self.last_try = now.checked_add(latest);
        }
        wait.min(latest)
    }

    /// The server was not asked, because it was found down a moment ago: come back then.
    pub const fn spared(&mut self, until: Instant) {
        self.due = Some(until);
    }

    /// Whether the current token has become unusable.
    #[must_use]
    pub fn has_lost_its_token(&self, now: Instant) -> bool {
        self.life.is_some_and(|life| !life.is_usable(now))
    }

    /// A look at both clocks. When the wall clock has jumped, a fetch is due as soon as the spacing allows; if it jumped
    /// ahead, the current token's life is shorter, and is given to be published anew.
    pub fn look(&mut self, now: Moment) -> Option<(Jump, Option<Life>)> {
        let jump = now.jump_since(&self.seen, JUMP);
        self.seen = now;
        let jump = jump?;
        let shorter = match jump {
            Jump::Forward(by) => self.life.map(|life| life.shortened(by)),
            Jump::Backward(_) => None,
        };
        if shorter.is_some() {
            self.life = shorter;
        }
        self.hurry(self.spacing, now.instant);
        Some((jump, shorter))
    }

    /// The upstream rejected the current token. Says whether that is worth a fetch now: while the authorization server
    /// itself refuses or fails us, its backoff counts, not the upstream's complaints.
    #[must_use]
    pub const fn may_replace(&self) -> bool {
        self.trouble.is_none()
    }

    /// The current token is to be replaced now: how often that may be is for [`super::rejection`] to say.
    pub const fn rejected(&mut self, now: Moment) {
        self.due = Some(now.instant);
    }

    /// Somebody asked for a fetch: an operator, or a file that holds another secret than the one that was refused.
    pub fn asked(&mut self, now: Moment) {
        self.hurry(BY_HAND, now.instant);
    }

    /// The current token is to be forgotten, and another to be had.
    pub fn purged(&mut self, now: Moment) {
        self.life = None;
        self.asked(now);
    }

    /// Brings the next fetch forward, but not closer than `spacing` to the last.
    fn hurry(&mut self, spacing: Duration, now: Instant) {
        let earliest = self.fetched_at.and_then(|last| last.checked_add(spacing)).map_or(now, |at| at.max(now));
        self.due = Some(self.due.map_or(earliest, |due| due.min(earliest)));
    }
}

/// What stands in for a lifetime that the answer does not tell: the token's own word if it is a JWT, else `default_ttl`. `at`:
/// when the token was asked for. `None`: it has no end.
#[must_use]
pub fn assumed_lifetime(grant: &Grant, default_ttl: Option<Duration>, at: SystemTime) -> Option<Duration> {
    jwt::lives_for(grant.access_token.expose(), at).or(default_ttl)
}

#[cfg(test)]
mod tests;
