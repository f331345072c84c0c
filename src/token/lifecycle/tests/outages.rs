//! Tokens that live for little longer than their server is away at a time: how soon it is asked again, and what requests feel
//! of it. One credential at one server, under a clock of the test's.

use super::*;
use crate::token::server::{Asker, Server};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Away for eight seconds of every fourteen, from `phase` on.
fn is_away(at: Duration, phase: Duration) -> bool {
    (at + phase).as_secs_f64() % 14.0 < 8.0
}

/// Uniform in `0.0..1.0` (`SplitMix64`), the same for the same seed.
fn draws(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        f64::from(u32::try_from((mixed ^ (mixed >> 31)) >> 32).expect("32 bits")) / 4_294_967_296.0
    }
}

/// Some credentials that got their first tokens at the same moment, at one server.
struct Crowd {
    time: Time,
    server: Server,
    members: Vec<Member>,
    /// How long a try takes that fails.
    hangs: Duration,
}

struct Member {
    asker: Asker,
    machine: Lifecycle,
    /// When requests cannot use its token any more.
    usable_until: Instant,
}

/// What there was to see.
#[derive(Debug, Default)]
struct Seen {
    /// When the server was asked.
    tries: Vec<Duration>,
    /// For how long there was no token that requests could use, all credentials together.
    without: Duration,
}

impl Crowd {
    fn new(size: usize, lifetime: u64, hangs: Duration, draw: &mut impl FnMut() -> f64) -> Self {
        let time = Time::new();
        let server = Server::new(Arc::new(Semaphore::new(1)));
        let members = (0..size).map(|_| {
            let mut machine = machine(&time);
            let life = machine.granted(&lives(lifetime), time.now(), false, time.now(), draw());
            Member { asker: server.asker(), machine, usable_until: life.unusable_at.expect("an end") }
        });
        let members = members.collect();
        Self { time, server, members, hangs }
    }

    /// Lives on until `end`, one try after the other. `down`: whether the server is, so long after the beginning.
    async fn live(
        &mut self,
        end: Duration,
        lifetime: u64,
        down: impl Fn(Duration) -> bool,
        draw: &mut impl FnMut() -> f64,
    ) -> Seen {
        let (time, mut seen) = (&mut self.time, Seen::default());
        loop {
            let member = self.members.iter_mut().min_by_key(|member| member.machine.due()).expect("somebody");
            let Member { asker, machine, usable_until } = member;
            time.pass_until(machine.due().expect("planned"));
            if time.passed >= end {
                return seen;
            }
            let began = time.now();
            let admission = self.server.admit(*asker, machine.takes_word_for(began.instant), || began.instant).await;
            let admission = match admission {
                Ok(admission) => admission,
                Err(until) => {
                    machine.spared(until);
                    continue;
                }
            };
            seen.tries.push(time.passed);
            if down(time.passed) {
                time.pass(self.hangs);
                admission.tell(Some(&FetchError::Timeout), time.now().instant);
                machine.failed(&FetchError::Timeout, time.now(), draw());
            } else {
                admission.tell(None, time.now().instant);
                let life = machine.granted(&lives(lifetime), began, false, time.now(), draw());
                seen.without += began.instant.saturating_duration_since(*usable_until);
                *usable_until = life.unusable_at.expect("an end");
            }
        }
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn tokens_of_forty_seconds_outlive_a_server_that_is_there_for_six_seconds_of_every_fourteen() {
    for seed in 0..100 {
        for hangs in [0, 2000].map(Duration::from_millis) {
            let (mut draw, phase) = (draws(seed), Duration::from_millis(140 * seed));
            let mut alone = Crowd::new(1, 40, hangs, &mut draw);
            let seen = alone.live(HOUR, 40, |at| is_away(at, phase), &mut draw).await;
            assert_eq!(seen.without, Duration::ZERO, "seed {seed}, after {} tries", seen.tries.len());
        }
    }
}

#[tokio::test]
async fn a_crowd_at_a_server_that_is_away_at_times_keeps_its_tokens_too() {
    for seed in 0..20 {
        let (mut draw, phase) = (draws(seed), Duration::from_millis(700 * seed));
        let mut crowd = Crowd::new(20, 40, Duration::ZERO, &mut draw);
        let seen = crowd.live(HOUR, 40, |at| is_away(at, phase), &mut draw).await;
        assert_eq!(seen.without, Duration::ZERO, "seed {seed}");
    }
}

#[tokio::test]
async fn a_server_that_stays_away_hears_little_more_of_a_crowd_than_of_one() {
    for seed in 0..20 {
        let mut tries = Vec::new();
        for size in [1, 50] {
            let mut draw = draws(seed);
            let mut crowd = Crowd::new(size, 600, Duration::ZERO, &mut draw);
            tries.push(crowd.live(HOUR, 600, |_| true, &mut draw).await.tries.len());
        }
        // Some of each before it knows that the server is down.
        assert!(tries[1] <= tries[0] + 50 * 4, "seed {seed}: {tries:?}");
        // Fifty minutes without a token, in which tries are 2.6 s apart on average, and the minutes before.
        assert!(tries[0] <= 1350, "seed {seed}: {tries:?}");
    }
}

#[tokio::test]
async fn the_end_of_a_long_outage_is_noticed_in_seconds() {
    let back = Duration::from_secs(1800);
    for seed in 0..50 {
        let mut draw = draws(seed);
        let mut crowd = Crowd::new(3, 600, Duration::from_secs(2), &mut draw);
        let seen = crowd.live(HOUR, 600, |at| at < back, &mut draw).await;
        let first = seen.tries.iter().find(|at| **at >= back).expect("tried for ever");
        assert!(*first <= back + seconds(2) + WITHOUT_TOKEN, "seed {seed}: {first:?}");
    }
}

proptest! {
    #[test]
    fn a_quarter_of_what_is_left_of_a_token_never_passes_without_a_try(
        lifetime in 20_u64..1_000_000, seed in any::<u64>(), slow in 0.0..=1.0_f64,
    ) {
        let (mut time, mut draw) = (Time::new(), draws(seed));
        let mut machine = machine(&time);
        let life = machine.granted(&lives(lifetime), time.now(), false, time.now(), draw());
        let end = life.unusable_at.expect("an end");
        let mut tries = 0;
        loop {
            time.pass_until(machine.due().expect("for ever"));
            let Some(left) = end.checked_duration_since(time.now().instant).filter(|left| !left.is_zero()) else { break };
            tries += 1;
            let wait = machine.failed(&FetchError::Timeout, time.now(), draw().max(slow)).wait;
            prop_assert!(wait <= (left / 4).max(seconds(1)).min(seconds(60)), "{wait:?} with {left:?} left");
            prop_assert!(wait >= Duration::from_millis(200));
        }
        prop_assert!(tries >= 7, "{tries} of a token of {lifetime} s");
        for _ in 0..20 {
            prop_assert!(machine.failed(&FetchError::Timeout, time.now(), draw().max(slow)).wait <= seconds(5));
        }
    }
}

#[test]
fn what_answers_is_left_alone_when_there_is_no_token() {
    let time = Time::new();
    for error in [status(429, None), status(404, None), FetchError::NotJson] {
        let mut machine = machine(&time);
        let waits: Vec<u64> = (0..8).map(|_| machine.failed(&error, time.now(), 1.0).wait.as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60], "{error}");
    }
    let mut machine = machine(&time);
    let waits: Vec<u64> = (0..6).map(|_| machine.failed(&status(503, None), time.now(), 1.0).wait.as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 5, 5, 5]);
}

#[test]
fn a_server_that_asks_for_time_gets_it_beside_a_token_that_ends() {
    let mut time = Time::new();
    let mut machine = started(&time, 600);
    time.pass(seconds(560));
    for _ in 0..5 {
        machine.failed(&status(429, None), time.now(), 0.0);
    }
    // 30 s until the margin, and a try may take ten.
    assert_eq!(machine.failed(&status(429, None), time.now(), 1.0).wait, seconds(20), "once");
    let asks = FetchError::Status { status: 503, code: None, retry_after: Some(seconds(12)) };
    assert_eq!(machine.failed(&asks, time.now(), 0.0).wait, seconds(12));
}
