//! Keeps tokens fresh: one task for each credential, which fetches at start, refreshes before expiry and retries for ever.
//!
//! The tasks own the fetching. Requests only read what they publish, so a request that gives up cancels nothing and a
//! thousand waiting requests cause one fetch.

use crate::base::backoff::Backoff;
use crate::base::random;
use crate::config::model::Credential;
use crate::telemetry::metrics::TokenMetrics;
use crate::token::answer::{FetchError, Grant};
use crate::token::client::TokenClient;
use crate::token::request::Style;
use crate::token::schedule::Life;
use crate::token::slot::{Token, TokenSlot};
use crate::token::table::{Entry, TokenTable};
use log::{debug, error, info, warn};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Token requests under way at once: in all, and to one authorization server. They matter at start-up, and when a server
/// answers so slowly that its refreshes pile up.
const MOST_FETCHES: usize = 32;
const MOST_FETCHES_PER_SERVER: usize = 4;

/// Credentials of one server beyond which the first fetches are spread over [`START_SPREAD`].
const CROWD: usize = 8;
const START_SPREAD: Duration = Duration::from_millis(500);

/// After a failure that may pass: transport, timeout, 5xx, an answer that is none.
const RETRY: Backoff =
    Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60), least: Duration::from_millis(200) };
/// After a refusal: the same request will be refused until somebody changes something, and servers lock clients out.
const REFUSED: Backoff =
    Backoff { first: Duration::from_secs(10), most: Duration::from_secs(300), least: Duration::from_secs(5) };

/// The background work for all credentials of a table.
pub struct Keeper {
    tasks: Vec<Task>,
}

impl Keeper {
    /// Prepares the tasks; nothing is fetched before [`Self::run`].
    #[must_use]
    pub fn new(table: &TokenTable, metrics: &TokenMetrics) -> Self {
        let everyone = Arc::new(Semaphore::new(MOST_FETCHES));
        let mut servers: HashMap<String, (Arc<Semaphore>, usize)> = HashMap::new();
        for entry in table.entries() {
            let (_, count) = servers
                .entry(entry.credential.token_url.origin().ascii_serialization())
                .or_insert_with(|| (Arc::new(Semaphore::new(MOST_FETCHES_PER_SERVER)), 0));
            *count += 1;
        }
        let tasks = table.entries().filter_map(|entry| {
            let (server, count) = servers.get(&entry.credential.token_url.origin().ascii_serialization())?;
            let limits = Limits { everyone: everyone.clone(), server: server.clone() };
            Some(Task::new(entry, limits, *count > CROWD, metrics.clone()))
        });
        Self { tasks: tasks.collect() }
    }

    /// Runs until it is dropped, or until no credential will ever need another token.
    pub async fn run(&self) {
        let mut running = JoinSet::new();
        for task in &self.tasks {
            running.spawn(task.clone().run());
        }
        // One by one: if a task panicked, which is a fault, the others go on.
        while let Some(ended) = running.join_next().await {
            if let Err(fault) = ended {
                error!("a credential is no longer refreshed: {fault}");
            }
        }
    }
}

/// Bounds on concurrent fetches.
#[derive(Clone)]
struct Limits {
    everyone: Arc<Semaphore>,
    server: Arc<Semaphore>,
}

/// The life of one credential.
#[derive(Clone)]
struct Task {
    credential: Arc<Credential>,
    slot: Arc<TokenSlot>,
    client: Arc<TokenClient>,
    limits: Limits,
    in_crowd: bool,
    metrics: TokenMetrics,
    /// The way of authenticating that worked last.
    style: Style,
    /// Fetches that failed since the last that did not.
    failures: u32,
    /// Failures of the same kind in a row, which the backoff counts: a refusal after an outage is the first refusal.
    of_a_kind: u32,
    /// The label of the last failure; each new one is logged.
    last: &'static str,
}

/// A grant and what is needed to use it.
struct Fetched {
    grant: Grant,
    style: Style,
    requested_at: Instant,
}

impl Task {
    fn new(entry: &Entry, limits: Limits, in_crowd: bool, metrics: TokenMetrics) -> Self {
        Self {
            client: Arc::new(TokenClient::new(&entry.credential)),
            style: Style::first(entry.credential.client_auth),
            credential: entry.credential.clone(),
            slot: entry.slot.clone(),
            limits,
            in_crowd,
            metrics,
            failures: 0,
            of_a_kind: 0,
            last: "",
        }
    }

    async fn run(mut self) {
        if self.in_crowd {
            tokio::time::sleep(START_SPREAD.mul_f64(random::fraction())).await;
        }
        loop {
            let next = match self.fetch().await {
                Ok(fetched) => self.accept(&fetched),
                Err(error) => Some(self.refuse(&error)),
            };
            match next {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                // A token without end: there is nothing left to do.
                None => return,
            }
        }
    }

    async fn fetch(&self) -> Result<Fetched, FetchError> {
        // Closed semaphores do not occur: both live as long as the task.
        let _server = self.limits.server.acquire().await;
        let _everyone = self.limits.everyone.acquire().await;
        let (client, credential, style) = (self.client.clone(), self.credential.clone(), self.style);
        // A panic in the HTTP client is a failed fetch, not the end of this credential.
        let fetched = tokio::task::spawn_blocking(move || fetch(&client, &credential, style)).await;
        let result = fetched.unwrap_or(Err(FetchError::Panicked));
        self.metrics.fetched(&self.slot.name, result.as_ref().map_or_else(FetchError::label, |_| "ok"));
        result
    }

    /// Publishes a grant and says when to fetch the next.
    fn accept(&mut self, fetched: &Fetched) -> Option<Instant> {
        self.style = fetched.style;
        let lifetime = fetched.grant.expires_in.or(self.credential.default_ttl);
        let life =
            lifetime.map_or(Life::ENDLESS, |lifetime| Life::of(fetched.requested_at, lifetime, random::fraction()));
        let generation = self.slot.token().map_or(0, |token| token.generation) + 1;
        let scheme = self.credential.scheme.as_deref().unwrap_or("Bearer");
        let Some(token) = Token::new(scheme, &fetched.grant.access_token, generation, life) else {
            return Some(self.refuse(&FetchError::BadToken));
        };
        self.slot.publish(token);
        self.report_success(generation, lifetime);
        self.failures = 0;
        life.refresh_at
    }

    /// Keeps what there is and says when to try again.
    fn refuse(&mut self, reason: &FetchError) -> Instant {
        self.failures = self.failures.saturating_add(1);
        let backoff = if reason.is_refusal() { REFUSED } else { RETRY };
        let is_new = self.failures == 1 || self.last != reason.label();
        self.of_a_kind = if is_new { 1 } else { self.of_a_kind.saturating_add(1) };
        self.last = reason.label();
        let now = Instant::now();
        let unusable_at = self.slot.token().and_then(|token| token.life.unusable_at);
        let wait = backoff.wait(self.of_a_kind, random::fraction());
        let wait = before_the_end(wait, unusable_at, now, self.credential.timeout);
        self.report_failure(reason, is_new, now, wait);
        now + wait
    }

    /// One line when the state changes, not one for every refresh.
    fn report_success(&self, generation: u64, lifetime: Option<Duration>) {
        let name = &self.slot.name;
        match (generation, self.failures) {
            (1, _) => info!("token obtained for `{name}`, lifetime {}", seconds(lifetime)),
            (_, 0) => debug!("token refreshed for `{name}`, lifetime {}", seconds(lifetime)),
            (_, failures) => info!("token refreshed for `{name}` after {failures} failed attempts"),
        }
    }

    fn report_failure(&self, reason: &FetchError, is_new: bool, now: Instant, wait: Duration) {
        let name = &self.slot.name;
        if is_new {
            let left =
                if self.slot.is_usable(now) { "the current token stays in use" } else { "there is no usable token" };
            warn!("token fetch for `{name}` failed: {reason}; {left}, next attempt in {wait:.1?}");
        } else if self.slot.has_started() && !self.slot.is_usable(now) && self.failures.is_power_of_two() {
            error!("token of `{name}` has expired and {} attempts to renew it failed: {reason}", self.failures);
        } else {
            debug!("token fetch for `{name}` failed again: {reason}; next attempt in {wait:.1?}");
        }
    }
}

/// One attempt, or two where the configuration leaves it to us how the client authenticates and the server did not know
/// it the first way.
fn fetch(client: &TokenClient, credential: &Credential, style: Style) -> Result<Fetched, FetchError> {
    let ask = |style| {
        let requested_at = Instant::now();
        client.fetch(credential, style).map(|grant| Fetched { grant, style, requested_at })
    };
    match (ask(style), style.fallback(credential.client_auth)) {
        // If the server knows the client neither way, the refusal to report is that of the way that is tried first again.
        (Err(refusal), Some(other)) if refusal.is_client_unknown() => {
            ask(other).map_err(|error| if error.is_client_unknown() { refusal } else { error })
        }
        (result, _) => result,
    }
}

/// Shortens a wait so that one more try fits in before the current token becomes unusable.
fn before_the_end(wait: Duration, unusable_at: Option<Instant>, now: Instant, a_try: Duration) -> Duration {
    let Some(left) = unusable_at.and_then(|end| end.checked_duration_since(now)) else { return wait };
    let latest = left.saturating_sub(a_try);
    if latest > RETRY.least { wait.min(latest) } else { wait }
}

fn seconds(lifetime: Option<Duration>) -> String {
    lifetime.map_or_else(|| "without end".to_owned(), |lifetime| format!("{} s", lifetime.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::ClientAuth;

    #[test]
    fn a_retry_comes_before_the_token_ends_when_there_is_time_for_it() {
        let now = Instant::now();
        let (a_minute, a_try) = (Duration::from_secs(60), Duration::from_secs(10));
        let wait = |left: u64| before_the_end(a_minute, Some(now + Duration::from_secs(left)), now, a_try).as_secs();
        assert_eq!(wait(300), 60);
        assert_eq!(wait(40), 30);
        assert_eq!(wait(5), 60);
        assert_eq!(before_the_end(a_minute, None, now, a_try), a_minute);
    }

    #[test]
    fn only_auto_falls_back_and_only_from_basic() {
        assert_eq!(Style::Basic.fallback(ClientAuth::Auto), Some(Style::Post));
        assert_eq!(Style::Post.fallback(ClientAuth::Auto), None);
        assert_eq!(Style::Basic.fallback(ClientAuth::Basic), None);
    }
}
