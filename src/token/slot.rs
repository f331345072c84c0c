//! Where the current token of a credential is published: written by the background service, read by every request.
//!
//! Reading is one atomic load; the value is the finished header, so that using it is one reference count. Nothing here
//! fetches: what requests and operators want of the background service is left in [`Orders`].

use crate::base::{ClientCertificate, Moment, Secret};
use crate::telemetry::metrics::{TokenReading, TokenState};
use crate::token::dpop::{self, DpopKey};
use crate::token::error::FetchError;
use crate::token::rejection::{Hope, Rejections};
use crate::token::schedule::Life;
use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use http::HeaderValue;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{Notify, Semaphore, watch};

/// How many requests may wait for the first token of one credential; those beyond are answered at once. A bound on
/// memory, not a tuning knob: past it an authorization server is down and clients should hear so.
const MOST_WAITERS: usize = 10_000;

/// A token in the form requests use.
#[derive(Clone)]
pub struct Token {
    /// The whole value of the header, marked sensitive: never in `Debug` output, never in an HPACK table.
    pub value: HeaderValue,
    /// How much of the value stands before the token itself.
    prefix: usize,
    /// Counts the different tokens of this slot, from 1.
    pub generation: u64,
    /// When it is refreshed and when it ends.
    pub life: Life,
    /// When it was asked for.
    pub obtained_at: Moment,
    /// `ath` of proofs (RFC 9449 §4.2), for a token that is bound to a key.
    pub hash: Option<Arc<str>>,
    /// The certificate that was shown when it was asked for: to the upstream, the same must be shown (RFC 8705 §3).
    pub certificate: Option<Arc<ClientCertificate>>,
    /// What was granted, if the server said.
    pub scope: Option<Arc<str>>,
}

impl Token {
    /// `scheme` and token as a header value; `None` if they cannot stand in one.
    #[must_use]
    pub fn new(scheme: &str, access_token: &Secret, generation: u64, life: Life, obtained_at: Moment) -> Option<Self> {
        let separator = if scheme.is_empty() { "" } else { " " };
        let text = Secret::new(format!("{scheme}{separator}{}", access_token.expose()));
        let mut value = HeaderValue::from_str(text.expose()).ok()?;
        value.set_sensitive(true);
        // The first clone of fresh `Bytes` allocates its reference count; let it be this one and not a request's.
        drop(value.clone());
        Some(Self {
            value,
            prefix: scheme.len() + separator.len(),
            generation,
            life,
            obtained_at,
            hash: None,
            certificate: None,
            scope: None,
        })
    }

    /// Adds what binds it to a key.
    #[must_use]
    pub fn bound_to_key(self, access_token: &Secret) -> Self {
        Self { hash: Some(dpop::hash(access_token).into()), ..self }
    }

    /// Adds the certificate that was shown for it.
    #[must_use]
    pub fn bound_to_certificate(self, certificate: Option<Arc<ClientCertificate>>) -> Self {
        Self { certificate, ..self }
    }

    /// Adds what was granted.
    #[must_use]
    pub fn for_scope(self, scope: Option<&str>) -> Self {
        Self { scope: scope.map(Into::into), ..self }
    }

    /// The token without its scheme. Not for anything but giving it back or comparing it.
    #[must_use]
    pub fn access_token(&self) -> Secret {
        let text = self.value.as_bytes().get(self.prefix..).unwrap_or_default();
        // It was made of text.
        Secret::new(String::from_utf8_lossy(text))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("generation", &self.generation).field("life", &self.life).finish_non_exhaustive()
    }
}

/// How the background service is doing, for people and for `Retry-After`.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// Fetches that failed since the last that did not.
    pub failures: u32,
    /// The last failure, if there has been none better since.
    pub error: Option<FetchError>,
    /// Whether the authorization server refuses this client, which only somebody can mend.
    pub refused: bool,
    /// When the last attempt ended.
    pub attempted_at: Option<SystemTime>,
    /// When the next one begins, if one is planned.
    pub next_at: Option<Instant>,
}

/// What the background service is asked for. Each is done once, however often it was asked for meanwhile.
#[derive(Debug, Default)]
pub struct Orders {
    refresh: AtomicBool,
    purge: AtomicBool,
    wake: Notify,
}

/// One credential's published token.
#[derive(Debug)]
pub struct TokenSlot {
    /// The credential's name in logs and metrics; see [`super::table`].
    pub name: String,
    /// Whether readiness waits for it.
    pub required: bool,
    /// The key that its tokens are bound to, if they are.
    pub dpop: Option<Arc<DpopKey>>,
    current: ArcSwapOption<Token>,
    standing: ArcSwap<Standing>,
    rejections: Rejections,
    orders: Orders,
    /// Becomes true with the first token and stays so.
    started: watch::Sender<bool>,
    waiters: Semaphore,
}

impl TokenSlot {
    /// An empty slot.
    #[must_use]
    pub fn new(name: String, required: bool) -> Self {
        Self {
            name,
            required,
            dpop: None,
            current: ArcSwapOption::empty(),
            standing: ArcSwap::default(),
            rejections: Rejections::new(Instant::now()),
            orders: Orders::default(),
            started: watch::Sender::new(false),
            waiters: Semaphore::new(MOST_WAITERS),
        }
    }

    /// The same with a key that its tokens are bound to.
    #[must_use]
    pub fn bound_to(self, key: DpopKey) -> Self {
        Self { dpop: Some(Arc::new(key)), ..self }
    }

    /// The current token, usable or not, for a moment: one atomic load.
    #[must_use]
    pub fn current(&self) -> Guard<Option<Arc<Token>>> {
        self.current.load()
    }

    /// The current token, usable or not, to be kept.
    #[must_use]
    pub fn token(&self) -> Option<Arc<Token>> {
        self.current.load_full()
    }

    /// Whether there is a token that may be sent at `now`.
    #[must_use]
    pub fn is_usable(&self, now: Instant) -> bool {
        self.current.load().as_ref().is_some_and(|token| token.life.is_usable(now))
    }

    /// How the background service is doing.
    #[must_use]
    pub fn standing(&self) -> Arc<Standing> {
        self.standing.load_full()
    }

    /// What a client is told to wait when there is no token: until the next fetch, and a moment for it.
    #[must_use]
    pub fn retry_after(&self, now: Instant) -> Duration {
        const USUAL: Duration = Duration::from_secs(5);
        const LONGEST: Duration = Duration::from_secs(300);
        let wait = self.standing.load().next_at.map_or(USUAL, |next| next.saturating_duration_since(now));
        Duration::from_secs(wait.as_secs() + 1).min(LONGEST)
    }

    /// The state in one word.
    #[must_use]
    pub fn state(&self, now: Instant) -> TokenState {
        let token = self.current();
        match token.as_ref() {
            None => TokenState::Absent,
            Some(token) if !token.life.is_usable(now) => TokenState::Expired,
            Some(_) if self.standing.load().failures > 0 => TokenState::Stale,
            Some(_) => TokenState::Fresh,
        }
    }

    /// The state for the metrics.
    #[must_use]
    pub fn reading(&self, now: Instant) -> TokenReading<'_> {
        let token = self.token();
        let token = token.as_deref();
        TokenReading {
            credential: &self.name,
            state: self.state(now),
            refused: self.standing.load().refused,
            generation: token.map_or(0, |token| token.generation),
            age: token.map(|token| now.saturating_duration_since(token.obtained_at.instant)),
            expires_in: token.map(|token| token.life.expires_at.map(|end| end.saturating_duration_since(now))),
        }
    }

    /// Publishes a token and lets waiting requests go on.
    pub fn publish(&self, token: Token) {
        self.current.store(Some(Arc::new(token)));
        self.started.send_replace(true);
    }

    /// Publishes the same token with another life.
    pub fn shorten(&self, life: Life) {
        // Whatever is there at that moment: an operator may be purging.
        self.current.rcu(|token| token.as_ref().map(|token| Arc::new(Token { life, ..Token::clone(token) })));
    }

    /// Forgets the token: requests go without until there is another.
    pub fn clear(&self) {
        self.current.store(None);
    }

    /// Tells how the background service is doing.
    pub fn report(&self, standing: Standing) {
        self.standing.store(Arc::new(standing));
    }

    /// Whether there has been a token yet.
    #[must_use]
    pub fn has_started(&self) -> bool {
        *self.started.borrow()
    }

    /// Waits for the very first token, for at most `wait`. A slot that had one before does not wait: its loss is an
    /// outage, and clients should hear of it at once.
    pub async fn started_within(&self, wait: Duration) -> bool {
        if self.has_started() {
            return true;
        }
        let Ok(_place) = self.waiters.try_acquire() else { return false };
        let mut started = self.started.subscribe();
        let first = started.wait_for(|&started| started);
        matches!(tokio::time::timeout(wait, first).await, Ok(Ok(_)))
    }

    fn generation(&self) -> u64 {
        self.current.load().as_ref().map_or(0, |token| token.generation)
    }

    /// A request's token was rejected: orders a refresh, unless there has been one. Waits for nothing.
    #[must_use]
    pub fn reject(&self, generation: u64, now: Instant) -> Hope {
        let hope = self.rejections.reject(generation, self.generation(), now);
        if let Hope::Ordered { by_us: true, .. } = hope {
            self.orders.wake.notify_one();
        }
        hope
    }

    /// Waits for what was hoped for; whether there is a newer token then. A bound on waiting requests holds here, too.
    pub async fn newer_within(&self, generation: u64, hope: Hope, wait: Duration) -> bool {
        match hope {
            Hope::Newer => true,
            Hope::Throttled => false,
            Hope::Ordered { settled, .. } => {
                let Ok(_place) = self.waiters.try_acquire() else { return false };
                tokio::time::timeout(wait, self.replaced(generation, settled)).await.unwrap_or(false)
            }
        }
    }

    /// Whether there is a newer token when the fetch that was ordered has ended; the end of another is not waited for.
    async fn replaced(&self, generation: u64, mut settled: watch::Receiver<u64>) -> bool {
        loop {
            // In this order: a token is published before the order is settled.
            let ordered = self.rejections.ordered();
            if self.generation() > generation {
                return true;
            }
            if ordered.is_none() || settled.changed().await.is_err() {
                return false;
            }
        }
    }

    /// Asks the background service for a fresh token.
    pub fn order_refresh(&self) {
        self.orders.refresh.store(true, Ordering::Release);
        self.orders.wake.notify_one();
    }

    /// Asks it to forget the current token first: it is not sent any more from here on.
    pub fn order_purge(&self) {
        self.orders.purge.store(true, Ordering::Release);
        self.clear();
        self.orders.wake.notify_one();
    }

    /// For the background service: waits until something is ordered.
    pub async fn ordered(&self) {
        self.orders.wake.notified().await;
    }

    /// For the background service: whether a refresh was ordered, which is now being done.
    #[must_use]
    pub fn take_refresh(&self) -> bool {
        self.orders.refresh.swap(false, Ordering::AcqRel)
    }

    /// For the background service: whether a purge was ordered, which is now being done.
    #[must_use]
    pub fn take_purge(&self) -> bool {
        self.orders.purge.swap(false, Ordering::AcqRel)
    }

    /// For the background service: the token whose replacement requests wait for.
    #[must_use]
    pub fn rejected(&self) -> Option<u64> {
        self.rejections.ordered()
    }

    /// For the background service: a fetch has ended, or will not be made. `replaced`: the youngest token that it was to
    /// replace.
    pub fn settle(&self, replaced: u64) {
        self.rejections.settle(replaced);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::answer::Lifetime;
    use crate::token::schedule::{Granted, Which};
    use crate::token::testing::slot;

    fn token(scheme: &str, generation: u64, life: Life) -> Token {
        Token::new(scheme, &Secret::new("abc"), generation, life, Moment::now()).expect("a header")
    }

    #[test]
    fn a_published_value_is_sensitive_and_is_not_used_past_its_margin() {
        let slot = slot();
        let now = Moment::now();
        assert!(!slot.is_usable(now.instant));
        let lifetime = Lifetime::Given(Duration::from_secs(100));
        let life = Life::of(&Granted { requested_at: now, lifetime, refresh_in: None, which: Which::Other }, 0.0);
        slot.publish(token("Bearer", 1, life));
        let published = slot.token().expect("a token");
        assert_eq!(published.value.as_bytes(), b"Bearer abc");
        assert!(published.value.is_sensitive());
        assert_eq!(published.access_token(), Secret::new("abc"));
        assert!(!format!("{slot:?}").contains("abc"));
        assert!(slot.is_usable(now.instant + Duration::from_secs(89)));
        assert!(!slot.is_usable(now.instant + Duration::from_secs(90)));
        slot.shorten(life.shortened(Duration::from_secs(60)));
        assert!(!slot.is_usable(now.instant + Duration::from_secs(30)));
        assert_eq!(slot.token().expect("the same").generation, 1);
    }

    #[test]
    fn an_empty_scheme_sends_the_token_alone() {
        let token = token("", 1, Life::ENDLESS);
        assert_eq!(token.value.as_bytes(), b"abc");
        assert_eq!(token.access_token(), Secret::new("abc"));
    }

    #[test]
    fn the_state_says_whether_there_is_a_token_and_whether_it_is_being_renewed() {
        let slot = slot();
        let now = Instant::now();
        assert_eq!(slot.state(now), TokenState::Absent);
        slot.publish(token("Bearer", 1, Life::ENDLESS));
        assert_eq!(slot.state(now), TokenState::Fresh);
        slot.report(Standing { failures: 1, next_at: Some(now + Duration::from_secs(7)), ..Standing::default() });
        assert_eq!(slot.state(now), TokenState::Stale);
        assert_eq!(slot.retry_after(now), Duration::from_secs(8));
        slot.publish(token("Bearer", 1, Life { unusable_at: Some(now), ..Life::ENDLESS }));
        assert_eq!(slot.state(now), TokenState::Expired);
    }

    #[tokio::test]
    async fn requests_wait_for_the_first_token_and_only_for_that() {
        let slot = Arc::new(slot());
        let waiting = tokio::spawn({
            let slot = slot.clone();
            async move { slot.started_within(Duration::from_secs(30)).await }
        });
        assert!(!slot.started_within(Duration::ZERO).await);
        slot.publish(token("Bearer", 1, Life::ENDLESS));
        assert!(waiting.await.expect("joined"));
        assert!(slot.started_within(Duration::ZERO).await);
    }
}
