//! The task of one credential under tokio's paused time, with a stand-in for the authorization server.

use super::*;
use crate::base::{Moment, Secret};
use crate::telemetry::metrics::{Metrics, TokenState};
use crate::token::answer::{Grant, Lifetime, TokenType};
use crate::token::error::FetchError;
use crate::token::exchange::{Fetch, Fetched};
use crate::token::rejection::Hope;
use crate::token::slot::TokenSlot;
use crate::token::table::Entry;
use crate::token::testing::{credential, slot};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::SystemTime;

/// Time as tokio has it, which stands still until nobody has anything to do and then goes to the next timer.
struct PausedClock {
    start: Instant,
    wall: SystemTime,
    ahead: Mutex<Duration>,
}

impl PausedClock {
    fn new() -> Arc<Self> {
        Arc::new(Self { start: virtual_now(), wall: SystemTime::now(), ahead: Mutex::default() })
    }
}

fn virtual_now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Clock for PausedClock {
    fn now(&self) -> Moment {
        let instant = virtual_now();
        let passed = instant.saturating_duration_since(self.start);
        Moment { instant, wall: self.wall + passed + *self.ahead.lock().expect("no panic") }
    }
}

/// What the stand-in does, one for each fetch; the last for ever.
#[derive(Clone)]
enum Reply {
    Token(&'static str, u64),
    Fails(FetchError),
    Panics,
}

struct Script {
    replies: Mutex<VecDeque<Reply>>,
    /// When each fetch was made.
    fetches: Mutex<Vec<Instant>>,
    new_material: Mutex<bool>,
    clock: Arc<PausedClock>,
}

struct FakeServer(Arc<Script>);

impl Fetch for FakeServer {
    fn fetch(&mut self) -> Result<Fetched, FetchError> {
        let now = self.0.clock.now();
        self.0.fetches.lock().expect("no panic").push(now.instant);
        let mut replies = self.0.replies.lock().expect("no panic");
        let reply = if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() };
        drop(replies);
        match reply.expect("a reply") {
            Reply::Token(token, lifetime) => Ok(Fetched {
                grant: Grant {
                    access_token: Secret::new(token),
                    token_type: TokenType::Bearer,
                    lifetime: Lifetime::Given(Duration::from_secs(lifetime)),
                    refresh_in: None,
                    scope: None,
                },
                requested_at: now,
                certificate: None,
                method: "none",
            }),
            Reply::Fails(error) => Err(error),
            Reply::Panics => panic!("the client has a bug"),
        }
    }

    fn has_new_material(&self) -> bool {
        std::mem::take(&mut self.0.new_material.lock().expect("no panic"))
    }

    fn revoke(&mut self, _: &Secret) -> Result<(), FetchError> {
        Ok(())
    }
}

struct World {
    script: Arc<Script>,
    slot: Arc<TokenSlot>,
    server: Arc<Server>,
    clock: Arc<PausedClock>,
}

impl World {
    /// Starts the task. Dropping the runtime ends it.
    fn start(replies: &[Reply]) -> Self {
        let clock = PausedClock::new();
        let script = Arc::new(Script {
            replies: Mutex::new(replies.iter().cloned().collect()),
            fetches: Mutex::default(),
            new_material: Mutex::default(),
            clock: clock.clone(),
        });
        let slot = Arc::new(slot());
        let entry = Entry { credential: Arc::new(credential()), slot: slot.clone() };
        let server = Arc::new(Server::new(Arc::new(Semaphore::new(1))));
        let limits = Limits { everyone: Arc::new(Semaphore::new(1)), server: server.clone(), in_crowd: false };
        let counters = Metrics::new().expect("no name twice").tokens.of("x");
        tokio::spawn(Task::new(&entry, FakeServer(script.clone()), clock.clone(), limits, counters).run());
        Self { script, slot, server, clock }
    }

    /// Lets so much time pass.
    async fn pass(&self, seconds: f64) {
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    }

    /// Waits for the n-th fetch (from 1) to have been carried out, and says when it began, in seconds.
    async fn fetched(&self, count: usize) -> f64 {
        for _ in 0..100_000 {
            let at = self.script.fetches.lock().expect("no panic").get(count - 1).copied();
            if let Some(at) = at.filter(|at| self.slot.standing().attempted_at.is_some() && *at <= virtual_now()) {
                // What follows the fetch itself happens without time passing, but not at once.
                self.pass(0.001).await;
                return at.duration_since(self.clock.start).as_secs_f64();
            }
            self.pass(0.05).await;
        }
        panic!("there was no fetch {count}");
    }

    fn count(&self) -> usize {
        self.script.fetches.lock().expect("no panic").len()
    }

    fn value(&self) -> Option<String> {
        self.slot.token().map(|token| String::from_utf8_lossy(token.value.as_bytes()).into_owned())
    }
}

fn refused() -> Reply {
    Reply::Fails(FetchError::Status { status: 401, code: Some("invalid_client"), retry_after: None })
}

#[tokio::test(start_paused = true)]
async fn a_token_is_replaced_before_it_ends() {
    let world = World::start(&[Reply::Token("one", 100), Reply::Token("two", 100)]);
    world.fetched(1).await;
    assert_eq!(world.value().as_deref(), Some("Bearer one"));
    let second = world.fetched(2).await;
    assert!((40.0..=51.0).contains(&second), "{second}");
    assert_eq!(world.value().as_deref(), Some("Bearer two"));
    assert_eq!(world.slot.token().expect("a token").generation, 2);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_fetch_is_a_failed_fetch() {
    let world = World::start(&[Reply::Panics, Reply::Token("one", 100)]);
    world.fetched(2).await;
    assert_eq!(world.value().as_deref(), Some("Bearer one"));
}

#[tokio::test(start_paused = true)]
async fn a_valid_token_outlives_every_failure_and_an_expired_one_is_not_used() {
    let world = World::start(&[Reply::Token("one", 100), Reply::Fails(FetchError::Timeout)]);
    world.fetched(2).await;
    assert_eq!(world.slot.state(virtual_now()), TokenState::Stale);
    assert_eq!(world.slot.standing().error, Some(FetchError::Timeout));
    world.pass(85.0 - virtual_now().duration_since(world.clock.start).as_secs_f64()).await;
    assert!(world.slot.is_usable(virtual_now()));
    world.pass(10.0).await;
    assert_eq!(world.slot.state(virtual_now()), TokenState::Expired);
    let before = world.count();
    world.pass(600.0).await;
    assert!(world.count() > before, "it is tried for ever");
}

#[tokio::test(start_paused = true)]
async fn the_same_token_again_is_no_new_generation() {
    let world = World::start(&[Reply::Token("one", 100), Reply::Token("one", 50), Reply::Token("two", 100)]);
    world.fetched(2).await;
    assert_eq!(world.slot.token().expect("a token").generation, 1);
    world.fetched(3).await;
    assert_eq!(world.slot.token().expect("a token").generation, 2);
}

#[tokio::test(start_paused = true)]
async fn another_secret_is_tried_at_once_while_the_server_refuses() {
    let world = World::start(&[refused(), Reply::Token("one", 100)]);
    world.fetched(1).await;
    world.pass(0.5).await;
    assert!(world.slot.standing().refused);
    *world.script.new_material.lock().expect("no panic") = true;
    let second = world.fetched(2).await;
    assert!(second <= 2.5, "{second}: the backoff would be five seconds at least");
    assert_eq!(world.value().as_deref(), Some("Bearer one"));
    assert!(!world.slot.standing().refused);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_went_on_without_us_makes_a_refresh() {
    let world = World::start(&[Reply::Token("one", 3600), Reply::Token("two", 3600)]);
    world.fetched(1).await;
    world.pass(20.0).await;
    *world.clock.ahead.lock().expect("no panic") = Duration::from_secs(3600);
    let second = world.fetched(2).await;
    assert!(second <= 23.0, "{second}");
    assert_eq!(world.value().as_deref(), Some("Bearer two"));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_rejections_cause_one_fetch_and_all_get_the_new_token() {
    let world = World::start(&[Reply::Token("one", 3600), Reply::Token("two", 3600)]);
    world.fetched(1).await;
    let hopes: Vec<Hope> = (0..1000).map(|_| world.slot.reject(1, virtual_now())).collect();
    let waiting = hopes.into_iter().map(|hope| {
        let slot = world.slot.clone();
        tokio::spawn(async move { slot.newer_within(1, hope, Duration::from_secs(2)).await })
    });
    let waiting: Vec<_> = waiting.collect();
    for waiting in waiting {
        assert!(waiting.await.expect("joined"));
    }
    assert_eq!(world.count(), 2);
    assert!(matches!(world.slot.reject(1, virtual_now()), Hope::Newer));
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_always_rejects_costs_the_server_a_bounded_number_of_fetches() {
    let tokens = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"];
    let world = World::start(&tokens.map(|token| Reply::Token(token, 36_000)));
    world.fetched(1).await;
    for _ in 0..6000 {
        // A hundred requests a second for a minute, each with the token of its time.
        let generation = world.slot.token().expect("a token").generation;
        let hope = world.slot.reject(generation, virtual_now());
        drop(hope);
        world.pass(0.01).await;
    }
    assert_eq!(world.count(), 1 + 2 + 5, "the first, two at once, then one each ten seconds");
}

#[tokio::test(start_paused = true)]
async fn rejections_do_not_shorten_the_backoff_of_a_server_that_refuses() {
    let world = World::start(&[Reply::Token("one", 3600), refused()]);
    world.fetched(1).await;
    world.slot.order_refresh();
    world.fetched(2).await;
    let before = world.count();
    for _ in 0..40 {
        let hope = world.slot.reject(1, virtual_now());
        assert!(!world.slot.newer_within(1, hope, Duration::from_secs(2)).await);
        world.pass(0.1).await;
    }
    assert!(world.count() <= before + 1, "only the backoff's own attempt");
    assert_eq!(world.value().as_deref(), Some("Bearer one"), "and the token stays");
}

#[tokio::test(start_paused = true)]
async fn a_purged_token_is_gone_at_once_and_replaced() {
    let world = World::start(&[Reply::Token("one", 3600), Reply::Token("one", 3600)]);
    world.fetched(1).await;
    world.pass(5.0).await;
    world.slot.order_purge();
    assert!(!world.slot.is_usable(virtual_now()));
    world.fetched(2).await;
    assert_eq!(world.slot.token().expect("a token").generation, 2, "even if the server gives the same one");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_back_and_asks_for_patience_gets_it() {
    let down = Reply::Fails(FetchError::Status { status: 503, code: None, retry_after: None });
    let busy = Duration::from_secs(300);
    let busy = Reply::Fails(FetchError::Status { status: 429, code: None, retry_after: Some(busy) });
    let mut replies = vec![down; 5];
    replies.extend([busy, Reply::Token("one", 3600)]);
    let world = World::start(&replies);
    let sixth = world.fetched(6).await;
    let seventh = world.fetched(7).await;
    assert!(seventh - sixth >= 300.0, "{sixth} {seventh}");
    assert_eq!(world.value().as_deref(), Some("Bearer one"));
}

#[tokio::test(start_paused = true)]
async fn clients_are_told_when_a_spared_credential_asks_again() {
    let down = Reply::Fails(FetchError::Status { status: 503, code: None, retry_after: None });
    let world = World::start(&[down]);
    world.fetched(6).await;
    let other = world.server.asker();
    let before = world.count();
    // Tokio's timers fire with the millisecond after their time, and the attempt itself comes a moment after that.
    let moment = Duration::from_millis(2);
    for _ in 0..200 {
        let admission = world.server.admit(other, None, virtual_now).await.expect("its last fetch worked");
        admission.tell(Some(&FetchError::Timeout), virtual_now());
        let planned = world.slot.standing().next_at.expect("planned");
        assert!(planned + moment >= virtual_now(), "the plan is never in the past");
        world.pass(0.25).await;
    }
    assert_eq!(world.count(), before, "the other's word stands for its own");
}
