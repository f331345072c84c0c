//! The life of one credential's tokens, acted out: waits, fetches, publishes, reports.
//!
//! What to do when is [`Lifecycle`]'s to say, and how to ask is [`Fetch`]'s.

use crate::base::clock::Jump;
use crate::base::{Clock, random};
use crate::config::model::Credential;
use crate::telemetry::metrics::{ForcedBy, TokenCounters};
use crate::token::answer::{Grant, Lifetime};
use crate::token::error::FetchError;
use crate::token::exchange::{Fetch, Fetched};
use crate::token::lifecycle::{Lifecycle, Setback};
use crate::token::server::Server;
use crate::token::slot::{Standing, Token, TokenSlot};
use crate::token::table::Entry;
use log::{debug, error, info, warn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Token requests under way at once, to all servers together.
pub(super) const MOST_FETCHES: usize = 32;
/// The first fetches of a crowd are spread over so much time.
const START_SPREAD: Duration = Duration::from_millis(500);
/// How often a waiting task looks at the clocks and, while the server refuses it, at the files it proves itself with.
const LOOK: Duration = Duration::from_secs(2);

/// The life of one credential.
pub(super) struct Task<F> {
    pub credential: Arc<Credential>,
    pub slot: Arc<TokenSlot>,
    /// One fetch at a time; after a panic in it, what it remembers is still good.
    fetcher: Arc<Mutex<F>>,
    clock: Arc<dyn Clock>,
    /// Places that all credentials share.
    pub everyone: Arc<Semaphore>,
    server: Arc<Server>,
    /// Whether many credentials begin at the same server.
    pub in_crowd: bool,
    counters: TokenCounters,
    generation: u64,
}

/// By hand: `F` need not be `Clone`.
impl<F> Clone for Task<F> {
    fn clone(&self) -> Self {
        Self {
            credential: self.credential.clone(),
            slot: self.slot.clone(),
            fetcher: self.fetcher.clone(),
            clock: self.clock.clone(),
            everyone: self.everyone.clone(),
            server: self.server.clone(),
            in_crowd: self.in_crowd,
            counters: self.counters.clone(),
            generation: self.generation,
        }
    }
}

impl<F: Fetch> Task<F> {
    /// The task of a credential; nothing happens before [`Self::run`].
    pub(super) fn new(
        entry: &Entry,
        fetcher: F,
        clock: Arc<dyn Clock>,
        server: Arc<Server>,
        counters: TokenCounters,
    ) -> Self {
        Self {
            credential: entry.credential.clone(),
            slot: entry.slot.clone(),
            fetcher: Arc::new(Mutex::new(fetcher)),
            clock,
            everyone: Arc::new(Semaphore::new(MOST_FETCHES)),
            server,
            in_crowd: false,
            counters,
            generation: 0,
        }
    }

    /// Runs for ever.
    pub(super) async fn run(mut self) {
        if self.in_crowd {
            tokio::time::sleep(START_SPREAD.mul_f64(random::fraction())).await;
        }
        let mut life = Lifecycle::new(self.credential.default_ttl, self.credential.timeout, self.clock.now());
        loop {
            let replaced = self.generation;
            match self.fetch().await {
                Ok(fetched) => self.accept(&fetched, &mut life),
                Err(error) => self.suffer(&error, &mut life),
            }
            self.report(&life);
            self.slot.settle(replaced);
            self.wait(&mut life).await;
        }
    }

    /// Returns when it is time for the next fetch.
    async fn wait(&self, life: &mut Lifecycle) {
        let mut recoveries = self.server.recoveries();
        loop {
            self.follow_orders(life);
            self.look_at_clocks(life);
            let now = self.clock.now().instant;
            if life.due().is_some_and(|due| due <= now) {
                return;
            }
            let until = life.due().map_or(now + LOOK, |due| due.min(now + LOOK));
            tokio::select! {
                () = tokio::time::sleep_until(until.into()) => {
                    // Whoever has put the right secret in place should not wait for a backoff.
                    if life.trouble().is_some_and(|trouble| trouble.refused) && self.has_new_material().await {
                        life.asked(self.clock.now());
                    }
                }
                () = self.slot.ordered() => {}
                // The server is there again: no need to wait out a backoff that outlived its reason.
                Ok(()) = recoveries.changed() => {
                    if life.trouble().is_some_and(|trouble| !trouble.refused) {
                        life.asked(self.clock.now());
                    }
                }
            }
        }
    }

    /// Carries out what was ordered meanwhile.
    fn follow_orders(&self, life: &mut Lifecycle) {
        let now = self.clock.now();
        if self.slot.take_purge() {
            // Once more, in case a fetch that was under way has published.
            self.slot.clear();
            life.purged(now);
            self.counters.forced(ForcedBy::Operator);
            info!("token of `{}` purged by an operator", self.slot.name);
        }
        if self.slot.take_refresh() {
            life.asked(now);
            self.counters.forced(ForcedBy::Operator);
        }
        if self.slot.is_rejected() {
            if life.may_replace() {
                life.rejected(now);
                self.counters.forced(ForcedBy::Upstream);
            } else {
                self.slot.settle(self.generation);
            }
        }
    }

    fn look_at_clocks(&self, life: &mut Lifecycle) {
        let Some((jump, shorter)) = life.look(self.clock.now()) else { return };
        let name = &self.slot.name;
        match jump {
            Jump::Forward(by) => info!("the wall clock is ahead by {by:.0?}: the token of `{name}` is renewed"),
            Jump::Backward(by) => info!("the wall clock was set back by {by:.0?}: the token of `{name}` is renewed"),
        }
        if let Some(shorter) = shorter {
            self.slot.shorten(shorter);
        }
    }

    /// Whoever does the asking. Blocks while a fetch is under way.
    pub(super) fn fetcher(&self) -> MutexGuard<'_, F> {
        self.fetcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self) -> Result<Fetched, FetchError> {
        let admission = self.server.admit(|| self.clock.now().instant).await;
        let _admission = admission.inspect_err(|_| self.counters.spared())?;
        // A closed semaphore does not occur: it lives as long as the task.
        let _place = self.everyone.acquire().await;
        let began = self.clock.now().instant;
        let task = self.clone();
        // A panic in the HTTP client is a failed fetch, not the end of this credential.
        let fetched = tokio::task::spawn_blocking(move || task.fetcher().fetch()).await;
        let result = fetched.unwrap_or(Err(FetchError::Panicked));
        let now = self.clock.now().instant;
        self.server.tell(result.as_ref().err(), now);
        let took = now.saturating_duration_since(began);
        self.counters.fetched(result.as_ref().map_or_else(FetchError::label, |_| "ok"), took);
        result
    }

    async fn has_new_material(&self) -> bool {
        let task = self.clone();
        tokio::task::spawn_blocking(move || task.fetcher().has_new_material()).await.unwrap_or(false)
    }

    /// Publishes a grant.
    fn accept(&mut self, fetched: &Fetched, life: &mut Lifecycle) {
        let grant = &fetched.grant;
        let now = self.clock.now();
        let before = self.slot.token();
        let same = before.as_ref().is_some_and(|token| token.access_token() == grant.access_token);
        let failures = life.trouble().map_or(0, |trouble| trouble.failures);
        let generation = if same { self.generation } else { self.generation + 1 };
        let planned = life.granted(grant, fetched.requested_at, same, now, random::fraction());
        let scheme = self.credential.scheme.as_deref().unwrap_or_else(|| grant.token_type.scheme());
        let obtained_at = before.filter(|_| same).map_or(fetched.requested_at, |token| token.obtained_at);
        let Some(token) = Token::new(scheme, &grant.access_token, generation, planned, obtained_at) else {
            return self.suffer(&FetchError::BadToken, life);
        };
        let token = if self.slot.dpop.is_some() { token.bound_to_key(&grant.access_token) } else { token };
        self.generation = generation;
        let token = token.bound_to_certificate(fetched.certificate.clone()).for_scope(grant.scope.as_deref());
        self.slot.publish(token);
        if same {
            self.counters.same();
        } else if generation == 1 {
            self.warn_of_oddities(grant);
        }
        self.log_success(failures, planned.expires_at.map(|end| end.saturating_duration_since(now.instant)));
    }

    /// What works, but not as somebody meant it. Told once.
    fn warn_of_oddities(&self, grant: &Grant) {
        let name = &self.slot.name;
        if grant.lifetime == Lifetime::Over {
            warn!(
                "the server says that the token of `{name}` is over when it comes: it is used until the next one is here"
            );
        }
        // RFC 6749 §3.3: a server may grant less than was asked for, and then must say so. Unknown scopes are often dropped.
        if let Some(granted) = &grant.scope {
            let granted: Vec<&str> = granted.split(' ').collect();
            let missing = self.credential.scopes.iter().filter(|scope| !granted.contains(&scope.as_str())).count();
            if missing > 0 {
                warn!("{missing} of the scopes of `{name}` were not granted; `porteur token` shows which");
            }
        }
    }

    /// Keeps what there is.
    fn suffer(&self, error: &FetchError, life: &mut Lifecycle) {
        let now = self.clock.now();
        let setback = life.failed(error, now, random::fraction());
        self.log_failure(error, setback, now.instant);
    }

    fn report(&self, life: &Lifecycle) {
        let trouble = life.trouble();
        self.slot.report(Standing {
            failures: trouble.map_or(0, |trouble| trouble.failures),
            error: trouble.map(|trouble| trouble.label),
            refused: trouble.is_some_and(|trouble| trouble.refused),
            fetched_at: Some(self.clock.now().wall),
            next_at: life.due(),
        });
    }

    /// One line when the state changes, not one for every refresh.
    fn log_success(&self, failures: u32, left: Option<Duration>) {
        let name = &self.slot.name;
        let left = left.map_or_else(|| "without end".to_owned(), |left| format!("{} s", left.as_secs()));
        match (self.generation, failures) {
            (1, _) => info!("token obtained for `{name}`, lifetime {left}"),
            (_, 0) => debug!("token refreshed for `{name}`, lifetime {left}"),
            (_, failures) => info!("token refreshed for `{name}` after {failures} failed attempts"),
        }
    }

    fn log_failure(&self, reason: &FetchError, setback: Setback, now: Instant) {
        let Setback { failures, is_new, wait } = setback;
        let name = &self.slot.name;
        if is_new {
            let left =
                if self.slot.is_usable(now) { "the current token stays in use" } else { "there is no usable token" };
            warn!("token fetch for `{name}` failed: {reason}; {left}, next attempt in {wait:.1?}");
        } else if self.slot.has_started() && !self.slot.is_usable(now) && failures.is_power_of_two() {
            error!("token of `{name}` has expired and {failures} attempts to renew it failed: {reason}");
        } else {
            debug!("token fetch for `{name}` failed again: {reason}; next attempt in {wait:.1?}");
        }
    }
}
