//! The state machine under a clock of the test's: examples, and properties that hold for any server and any clock.

#![expect(clippy::float_cmp, reason = "the seconds are computed from whole milliseconds")]

mod outages;

use super::*;
use crate::base::Secret;
use crate::token::answer::TokenType;
use crate::token::error::FetchError;
use proptest::prelude::*;
use std::time::{SystemTime, UNIX_EPOCH};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A clock that is turned by hand.
#[derive(Clone, Copy)]
struct Time {
    start: Instant,
    passed: Duration,
    wall: SystemTime,
}

impl Time {
    fn new() -> Self {
        Self { start: Instant::now(), passed: Duration::ZERO, wall: UNIX_EPOCH + seconds(1_700_000_000) }
    }

    fn now(&self) -> Moment {
        Moment { instant: self.start + self.passed, wall: self.wall }
    }

    fn pass(&mut self, by: Duration) {
        self.passed += by;
        self.wall += by;
    }

    fn pass_until(&mut self, at: Instant) {
        self.pass(at.saturating_duration_since(self.now().instant));
    }

    fn since_start(&self, at: Option<Instant>) -> f64 {
        at.expect("planned").duration_since(self.start).as_secs_f64()
    }
}

fn grant(lifetime: Lifetime) -> Grant {
    Grant {
        access_token: Secret::new("opaque"),
        token_type: TokenType::Bearer,
        lifetime,
        refresh_in: None,
        scope: None,
    }
}

fn lives(lifetime: u64) -> Grant {
    grant(Lifetime::Given(seconds(lifetime)))
}

fn machine(time: &Time) -> Lifecycle {
    Lifecycle::new(Some(seconds(300)), seconds(10), time.now())
}

fn started(time: &Time, lifetime: u64) -> Lifecycle {
    let mut machine = machine(time);
    machine.granted(&lives(lifetime), time.now(), false, time.now(), 0.0);
    machine
}

fn status(status: u16, code: Option<&'static str>) -> FetchError {
    FetchError::Status { status, code, retry_after: None }
}

#[test]
fn the_first_fetch_is_due_at_once_and_the_next_before_the_token_ends() {
    let time = Time::new();
    assert_eq!(machine(&time).due(), Some(time.now().instant));
    assert_eq!(time.since_start(started(&time, 3600).due()), 2880.0);
}

#[test]
fn without_expires_in_a_jwt_says_how_long_it_lives_then_the_default() {
    let time = Time::new();
    let due = |grant: &Grant, default_ttl| {
        let mut machine = Lifecycle::new(default_ttl, seconds(10), time.now());
        machine.granted(grant, time.now(), false, time.now(), 0.0);
        machine.due()
    };
    let opaque = grant(Lifetime::Missing);
    assert_eq!(time.since_start(due(&opaque, Some(seconds(300)))), 240.0);
    assert_eq!(due(&opaque, None), None, "`never` is never");
    let claims = crate::base::jws::base64url(br#"{"exp":1700003600}"#);
    let jwt = Grant { access_token: Secret::new(format!("e30.{claims}.c2ln")), ..opaque };
    assert_eq!(time.since_start(due(&jwt, None)), 2880.0, "an hour, however `never` is meant");
}

#[test]
fn transient_failures_back_off_to_a_minute_and_never_stop() {
    let time = Time::new();
    let mut machine = started(&time, 3600);
    let waits: Vec<u64> =
        (0..9).map(|_| machine.failed(&FetchError::Timeout, time.now(), 1.0).wait.as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    assert!(machine.due().is_some());
    assert_eq!(machine.failed(&FetchError::Timeout, time.now(), 0.0).wait, Duration::from_millis(200));
}

#[test]
fn refusals_back_off_from_ten_seconds_to_five_minutes() {
    let time = Time::new();
    for error in [
        status(401, None),
        status(403, None),
        status(400, Some("invalid_client")),
        status(400, Some("unauthorized_client")),
        status(400, Some("invalid_scope")),
        status(400, Some("invalid_target")),
        FetchError::ErrorMember("invalid_client"),
        FetchError::Material("the `client_secret` cannot be read".into()),
    ] {
        let mut machine = machine(&time);
        let waits: Vec<u64> = (0..7).map(|_| machine.failed(&error, time.now(), 1.0).wait.as_secs()).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300], "{error}");
        assert!(machine.trouble().is_some_and(|trouble| trouble.refused));
    }
    for error in [
        FetchError::Transport("connection refused".into()),
        status(500, None),
        status(502, None),
        status(429, None),
        status(404, None),
        status(400, Some("temporarily_unavailable")),
        FetchError::Empty,
        FetchError::NotJson,
        FetchError::NoToken,
        FetchError::Panicked,
    ] {
        assert_eq!(machine(&time).failed(&error, time.now(), 1.0).wait, seconds(1), "{error}");
    }
}

#[test]
fn a_refusal_after_an_outage_is_the_first_refusal() {
    let time = Time::new();
    let mut machine = machine(&time);
    for _ in 0..6 {
        machine.failed(&FetchError::Timeout, time.now(), 1.0);
    }
    let setback = machine.failed(&status(401, None), time.now(), 1.0);
    assert_eq!(setback, Setback { failures: 7, is_new: true, wait: seconds(10) });
}

#[test]
fn retry_after_is_honoured_and_yet_one_try_comes_near_the_end() {
    let mut time = Time::new();
    let asleep = FetchError::Status { status: 503, code: None, retry_after: Some(seconds(900)) };
    assert_eq!(machine(&time).failed(&asleep, time.now(), 0.0).wait, seconds(900));
    // With 690 s to go until the margin: a try of ten seconds must fit in.
    let mut machine = started(&time, 3600);
    time.pass(seconds(2900));
    assert_eq!(machine.failed(&asleep, time.now(), 0.0).wait, seconds(680));
    time.pass(seconds(680));
    assert_eq!(machine.failed(&asleep, time.now(), 0.0).wait, seconds(900), "once");
}

#[test]
fn a_wall_clock_that_jumps_makes_a_refresh_due_and_a_forward_jump_ends_the_token_earlier() {
    let mut time = Time::new();
    let mut machine = started(&time, 3600);
    time.pass(seconds(100));
    assert_eq!(machine.look(time.now()), None, "both clocks went on alike");
    time.wall += seconds(1800);
    let (jump, shorter) = machine.look(time.now()).expect("a jump");
    assert_eq!(jump, Jump::Forward(seconds(1800)));
    assert_eq!(time.since_start(shorter.expect("shorter").unusable_at), 3590.0 - 1800.0);
    assert_eq!(time.since_start(machine.due()), 100.0);
    let mut machine = started(&time, 3600);
    time.pass(seconds(3));
    time.wall -= seconds(600);
    let (jump, shorter) = machine.look(time.now()).expect("a jump");
    assert_eq!((jump, shorter), (Jump::Backward(seconds(600)), None));
    assert_eq!(time.since_start(machine.due()), 110.0, "ten seconds after the last fetch");
}

#[test]
fn an_upstream_cannot_hurry_a_server_that_refuses_us() {
    let time = Time::new();
    let mut machine = started(&time, 3600);
    assert!(machine.may_replace());
    machine.failed(&status(401, None), time.now(), 1.0);
    assert!(!machine.may_replace());
}

#[test]
fn an_operator_can_hurry_once_a_second() {
    let mut time = Time::new();
    let mut machine = started(&time, 3600);
    machine.asked(time.now());
    assert_eq!(time.since_start(machine.due()), 1.0);
    time.pass(seconds(50));
    machine.granted(&lives(3600), time.now(), false, time.now(), 0.0);
    time.pass(seconds(50));
    machine.purged(time.now());
    assert_eq!(time.since_start(machine.due()), 100.0);
}

#[test]
fn a_token_of_seconds_gets_its_last_try_too_and_only_one() {
    let mut time = Time::new();
    let asleep = FetchError::Status { status: 503, code: None, retry_after: Some(seconds(30)) };
    let mut machine = started(&time, 12);
    time.pass(seconds(6));
    // Unusable at 10: four seconds are less than a request may take.
    assert_eq!(machine.failed(&asleep, time.now(), 0.0).wait, seconds(2));
    time.pass(seconds(2));
    assert_eq!(machine.failed(&asleep, time.now(), 0.0).wait, seconds(30));
    assert!(!machine.has_lost_its_token(time.now().instant));
    time.pass(seconds(2));
    assert!(machine.has_lost_its_token(time.now().instant));
}

#[test]
fn a_try_before_the_end_that_was_not_made_is_planned_again() {
    let mut time = Time::new();
    let mut machine = started(&time, 3600);
    let asleep = FetchError::Status { status: 503, code: None, retry_after: Some(seconds(900)) };
    time.pass(seconds(3300));
    assert_eq!(machine.failed(&asleep, time.now(), 0.0).wait, seconds(280));
    // An operator asks meanwhile, in vain.
    time.pass(seconds(10));
    assert_eq!(machine.failed(&asleep, time.now(), 0.0).wait, seconds(270));
    time.pass(seconds(270));
    assert_eq!(machine.failed(&asleep, time.now(), 0.0).wait, seconds(900));
}

#[test]
fn a_machine_that_slept_between_request_and_answer_notices_at_the_next_look() {
    let mut time = Time::new();
    let mut machine = machine(&time);
    let requested_at = time.now();
    time.pass(seconds(1));
    time.wall += seconds(3000);
    machine.granted(&lives(3600), requested_at, false, time.now(), 0.0);
    let (jump, shorter) = machine.look(time.now()).expect("a jump");
    assert_eq!(jump, Jump::Forward(seconds(3000)));
    assert_eq!(time.since_start(shorter.expect("shorter").expires_at), 600.0);
}

#[test]
fn who_is_spared_comes_back_when_told_with_the_same_trouble() {
    let time = Time::new();
    let mut machine = machine(&time);
    machine.failed(&FetchError::Timeout, time.now(), 1.0);
    machine.spared(time.now().instant + seconds(5));
    assert_eq!(time.since_start(machine.due()), 5.0);
    assert_eq!(machine.trouble().map(|trouble| trouble.failures), Some(1));
}

/// A server that gives the same token until it dies: ever shorter steps, then one a second, until there is another.
#[test]
fn the_same_token_is_asked_for_until_it_is_another_and_used_to_its_end() {
    let mut time = Time::new();
    let mut machine = machine(&time);
    let dies_at = time.now().instant + seconds(100);
    let mut life = machine.granted(&lives(100), time.now(), false, time.now(), 0.0);
    let mut gaps = Vec::new();
    loop {
        let before = time.passed;
        time.pass_until(machine.due().expect("planned"));
        gaps.push(time.passed.saturating_sub(before).as_secs());
        let left = dies_at.saturating_duration_since(time.now().instant);
        if left.is_zero() {
            break;
        }
        assert!(life.is_usable(time.now().instant), "usable while it lives");
        let left = Lifetime::Given(seconds(left.as_secs().max(1)));
        life = machine.granted(&grant(left), time.now(), true, time.now(), 0.0);
    }
    assert!(gaps.iter().all(|gap| *gap >= 1), "{gaps:?}");
    assert!(gaps.len() < 12, "{gaps:?}");
    let late = time.now().instant.saturating_duration_since(dies_at);
    assert!(late <= seconds(1), "the next token is there a second after the end at the latest: {late:?}");
}

/// What may happen to a credential between two fetches.
#[derive(Debug, Clone)]
enum Event {
    Granted(Lifetime, Option<Duration>, bool),
    Failed(bool, Option<Duration>),
    WallJumps(i64),
}

fn event() -> impl Strategy<Value = Event> {
    let lifetime = prop_oneof![
        8 => (0_u64..100_000_000).prop_map(|millis| Lifetime::Given(Duration::from_millis(millis))),
        2 => (0_u64..40_000).prop_map(|millis| Lifetime::Given(Duration::from_millis(millis))),
        1 => Just(Lifetime::Given(Duration::from_secs(1_000_000_000))),
        1 => Just(Lifetime::Over),
        1 => Just(Lifetime::Missing),
    ];
    let hint = proptest::option::of((0_u64..10_000).prop_map(Duration::from_secs));
    prop_oneof![
        6 => (lifetime, hint.clone(), any::<bool>()).prop_map(|(life, hint, same)| Event::Granted(life, hint, same)),
        2 => (any::<bool>(), hint).prop_map(|(refused, wait)| Event::Failed(refused, wait)),
        1 => (-100_000_i64..100_000).prop_map(Event::WallJumps),
    ]
}

proptest! {
    #[test]
    fn never_after_expiry_and_never_more_often_than_the_spacing(
        events in proptest::collection::vec((event(), 0.0..1.0_f64), 1..60),
    ) {
        let mut time = Time::new();
        let mut machine = machine(&time);
        // When the last fetch that worked began, and the spacing of what it gave.
        let mut last: Option<(Instant, Duration)> = None;
        for (event, draw) in events {
            if let Event::WallJumps(by) = event {
                let by_seconds = seconds(by.unsigned_abs());
                time.wall = if by < 0 { time.wall - by_seconds } else { time.wall + by_seconds };
                machine.look(time.now());
            }
            let due = machine.due().expect("with a default lifetime there is always a next fetch");
            time.pass_until(due);
            let now = time.now();
            if let (Some((began, spacing)), None) = (last, machine.trouble()) {
                prop_assert!(now.instant.duration_since(began) >= spacing, "{:?} < {spacing:?}", now.instant - began);
            }
            // A server takes a while, in which the lifetime runs already.
            time.pass(Duration::from_millis(50));
            match event {
                Event::Granted(lifetime, refresh_in, same) => {
                    let granted = Grant { refresh_in, ..grant(lifetime) };
                    let life = machine.granted(&granted, now, same, time.now(), draw);
                    let lifetime = match lifetime {
                        Lifetime::Given(lifetime) => lifetime,
                        Lifetime::Over => Duration::ZERO,
                        Lifetime::Missing => seconds(300),
                    };
                    let spacing = schedule::spacing(lifetime);
                    let (refresh, end) = (life.refresh_at.expect("bounded"), life.expires_at.expect("bounded"));
                    prop_assert!(refresh <= end, "refreshed after its end");
                    prop_assert!(same || life.unusable_at.expect("bounded") <= end);
                    prop_assert!(lifetime < seconds(2) || same || refresh < life.unusable_at.expect("bounded"));
                    last = Some((now.instant, spacing));
                }
                Event::Failed(refused, retry_after) => {
                    let status = if refused { 401 } else { 503 };
                    let setback = machine.failed(
                        &FetchError::Status { status, code: None, retry_after }, time.now(), draw,
                    );
                    let least = if refused { seconds(5) } else { Duration::from_millis(200) };
                    let until = machine.due().expect("for ever").duration_since(time.now().instant);
                    prop_assert_eq!(until, setback.wait);
                    let capped = machine.life.is_some();
                    prop_assert!(setback.wait >= least || (capped && setback.wait >= RETRY.least));
                    prop_assert!(setback.wait <= seconds(10_000));
                }
                Event::WallJumps(_) => {}
            }
        }
    }
}
