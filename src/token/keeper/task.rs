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
use crate::token::server::{Asker, Server};
use crate::token::slot::{Standing, Token, TokenSlot};
use crate::token::table::Entry;
use log::{debug, error, info, warn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};

/// The first fetches of a crowd are spread over so much time.
const START_SPREAD: Duration = Duration::from_millis(500);
/// How often a waiting task looks at the clocks and, while the server refuses it, at the files it proves itself with.
const LOOK: Duration = Duration::from_secs(2);

/// What credentials share.
#[derive(Clone)]
pub(super) struct Limits {
    /// Places for fetches, to whichever server.
    pub everyone: Arc<Semaphore>,
    /// The server, with all that reach it the same way.
    pub server: Arc<Server>,
    /// Whether many credentials begin there, in whichever way.
    pub in_crowd: bool,
}

/// The life of one credential.
pub(super) struct Task<F> {
    pub credential: Arc<Credential>,
    pub slot: Arc<TokenSlot>,
    /// One fetch at a time; after a panic in it, what it remembers is still good.
    fetcher: Arc<Mutex<F>>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    counters: TokenCounters,
    generation: u64,
    told: Told,
}

/// What has been logged and need not be again.
#[derive(Clone, Default)]
struct Told {
    /// The token is gone.
    lost: bool,
    /// Oddities of the answer: an `expires_in` of nothing, scopes that were not granted.
    over: bool,
    not_granted: usize,
}

/// What came of an attempt.
enum Outcome {
    Granted(Fetched),
    Failed(FetchError),
    /// Nobody was asked.
    Spared {
        until: Instant,
    },
}

/// By hand: `F` need not be `Clone`.
impl<F> Clone for Task<F> {
    fn clone(&self) -> Self {
        Self {
            credential: self.credential.clone(),
            slot: self.slot.clone(),
            fetcher: self.fetcher.clone(),
            clock: self.clock.clone(),
            limits: self.limits.clone(),
            counters: self.counters.clone(),
            generation: self.generation,
            told: self.told.clone(),
        }
    }
}

impl<F: Fetch> Task<F> {
    /// The task of a credential; nothing happens before [`Self::run`].
    pub(super) fn new(
        entry: &Entry,
        fetcher: F,
        clock: Arc<dyn Clock>,
        limits: Limits,
        counters: TokenCounters,
    ) -> Self {
        Self {
            credential: entry.credential.clone(),
            slot: entry.slot.clone(),
            fetcher: Arc::new(Mutex::new(fetcher)),
            clock,
            limits,
            counters,
            generation: 0,
            told: Told::default(),
        }
    }

    /// Runs for ever.
    pub(super) async fn run(mut self) {
        let mut recoveries = self.limits.server.recoveries();
        let asker = self.limits.server.asker();
        if self.limits.in_crowd {
            tokio::time::sleep(START_SPREAD.mul_f64(random::fraction())).await;
        }
        let mut life = Lifecycle::new(self.credential.default_ttl, self.credential.timeout, self.clock.now());
        loop {
            let replaced = self.generation;
            match self.attempt(asker, &life).await {
                Outcome::Granted(fetched) => self.accept(&fetched, &mut life),
                Outcome::Failed(error) => self.suffer(error, &mut life),
                Outcome::Spared { until } => {
                    life.spared(until);
                    self.slot.report(Standing { next_at: life.due(), ..(*self.slot.standing()).clone() });
                }
            }
            self.slot.settle(replaced);
            self.wait(&mut life, &mut recoveries).await;
        }
    }

    /// Returns when it is time for the next fetch.
    async fn wait(&mut self, life: &mut Lifecycle, recoveries: &mut watch::Receiver<u64>) {
        loop {
            self.follow_orders(life);
            self.look_at_clocks(life);
            self.look_for_loss(life);
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
                    if life.trouble().is_some_and(|trouble| trouble.outage) {
                        life.asked(self.clock.now());
                    }
                }
            }
        }
    }

    /// Carries out what was ordered meanwhile.
    fn follow_orders(&self, life: &mut Lifecycle) {
        let now = self.clock.now();
        let name = &self.slot.name;
        if self.slot.take_purge() {
            // Once more, in case a fetch that was under way has published.
            self.slot.clear();
            life.purged(now);
            self.counters.forced(ForcedBy::Operator);
            info!("token of `{name}` purged by an operator");
        }
        if self.slot.take_refresh() {
            life.asked(now);
            self.counters.forced(ForcedBy::Operator);
            info!("token of `{name}` is renewed because an operator asks for it");
        }
        match self.slot.rejected() {
            None => {}
            Some(generation) if generation == self.generation && life.may_replace() => {
                life.rejected(now);
                self.counters.forced(ForcedBy::Upstream);
                info!("an upstream rejected the token of `{name}`: it is renewed");
            }
            // An older token has been replaced since; and a server that fails us is not asked more often for this.
            Some(_) => self.slot.settle(self.generation),
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

    /// The moment from which clients feel it.
    fn look_for_loss(&mut self, life: &Lifecycle) {
        if life.has_lost_its_token(self.clock.now().instant) && !self.told.lost {
            self.told.lost = true;
            error!("the token of `{}` has expired and there is no other for requests", self.slot.name);
        }
    }

    async fn attempt(&self, asker: Asker, life: &Lifecycle) -> Outcome {
        let now = || self.clock.now().instant;
        let admission = match self.limits.server.admit(asker, life.takes_word_for(now()), now).await {
            Ok(admission) => admission,
            Err(until) => {
                self.counters.spared();
                return Outcome::Spared { until };
            }
        };
        // A closed semaphore does not occur: it lives as long as the task.
        let _place = self.limits.everyone.acquire().await;
        let began = self.clock.now().instant;
        let fetcher = self.fetcher.clone();
        // A panic in the HTTP client is a failed fetch, not the end of this credential.
        let joined = tokio::task::spawn_blocking(move || lock(&fetcher).fetch()).await;
        let result = joined.unwrap_or(Err(FetchError::Panicked));
        let now = self.clock.now().instant;
        admission.tell(result.as_ref().err(), now);
        let failure = result.as_ref().err().map(|error| (error.label(), error.word()));
        self.counters.fetched(failure, now.saturating_duration_since(began));
        result.map_or_else(Outcome::Failed, Outcome::Granted)
    }

    async fn has_new_material(&self) -> bool {
        let fetcher = self.fetcher.clone();
        tokio::task::spawn_blocking(move || lock(&fetcher).has_new_material()).await.unwrap_or(false)
    }

    /// Gives the current token back. Blocks.
    ///
    /// # Errors
    /// Why that did not work.
    pub(super) fn revoke(&self, token: &Token) -> Result<(), FetchError> {
        lock(&self.fetcher).revoke(&token.access_token())
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
            return self.suffer(FetchError::BadToken, life);
        };
        let token = if self.slot.dpop.is_some() { token.bound_to_key(&grant.access_token) } else { token };
        let token = token.bound_to_certificate(fetched.certificate.clone()).for_scope(grant.scope.as_deref());
        self.generation = generation;
        self.slot.publish(token);
        self.told.lost = false;
        if same {
            self.counters.same();
        }
        self.warn_of_oddities(grant);
        let end = planned.expires_at.map(|end| end.saturating_duration_since(fetched.requested_at.instant));
        self.log_success(same, failures, end);
        self.report(life, None);
    }

    /// What works, but not as somebody meant it. Told when it begins.
    fn warn_of_oddities(&mut self, grant: &Grant) {
        let name = &self.slot.name;
        let over = grant.lifetime == Lifetime::Over;
        if over && !self.told.over {
            warn!(
                "the server says that the token of `{name}` is over when it comes: it is used until the next is here"
            );
        }
        // RFC 6749 §3.3: a server may grant less than was asked for, and then must say so. Unknown scopes are often dropped.
        let not_granted = grant.not_granted(&self.credential.scopes).count();
        if not_granted > self.told.not_granted {
            warn!("{not_granted} of the scopes of `{name}` were not granted; `porteur token` shows which");
        }
        (self.told.over, self.told.not_granted) = (over, not_granted);
    }

    /// Keeps what there is.
    fn suffer(&self, error: FetchError, life: &mut Lifecycle) {
        let now = self.clock.now();
        let setback = life.failed(&error, now, random::fraction());
        self.log_failure(&error, setback, now.instant);
        self.report(life, Some(error));
    }

    fn report(&self, life: &Lifecycle, error: Option<FetchError>) {
        let trouble = life.trouble();
        self.slot.report(Standing {
            failures: trouble.map_or(0, |trouble| trouble.failures),
            error,
            refused: trouble.is_some_and(|trouble| trouble.refused),
            attempted_at: Some(self.clock.now().wall),
            next_at: life.due(),
        });
    }

    /// One line when the state changes, not one for every refresh.
    fn log_success(&self, same: bool, failures: u32, left: Option<Duration>) {
        let name = &self.slot.name;
        let left = left.map_or_else(|| "without end".to_owned(), |left| format!("{} s", left.as_secs()));
        match (self.generation, failures) {
            _ if same && failures == 0 => debug!("the server gave the same token for `{name}`, lifetime {left}"),
            (1, _) => info!("token obtained for `{name}`, lifetime {left}"),
            (_, 0) => debug!("token refreshed for `{name}`, lifetime {left}"),
            (_, failures) => info!("token refreshed for `{name}`, failed attempts before: {failures}"),
        }
    }

    fn log_failure(&self, reason: &FetchError, setback: Setback, now: Instant) {
        let Setback { failures, is_new, wait } = setback;
        let name = &self.slot.name;
        let usable = self.slot.is_usable(now);
        if is_new {
            let left = if usable { "the current token stays in use" } else { "there is no usable token" };
            warn!("token fetch for `{name}` failed: {reason}; {left}, next attempt in {wait:.1?}");
        } else if !usable && failures.is_power_of_two() {
            error!("there is still no usable token for `{name}` after {failures} attempts: {reason}");
        } else {
            debug!("token fetch for `{name}` failed again: {reason}; next attempt in {wait:.1?}");
        }
    }
}

fn lock<F>(fetcher: &Mutex<F>) -> MutexGuard<'_, F> {
    fetcher.lock().unwrap_or_else(PoisonError::into_inner)
}
