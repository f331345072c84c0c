//! Where the current token of a credential is published: written by the background service, read by every request.
//!
//! Reading is one atomic load; the value is the finished header, so that using it is one reference count. Nothing here
//! fetches.

use crate::telemetry::metrics::TokenReading;
use crate::token::key::TokenKey;
use crate::token::schedule::Life;
use arc_swap::ArcSwapOption;
use http::HeaderValue;
use std::fmt;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};

/// How many requests may wait for the first token of one credential; those beyond are answered at once. A bound on
/// memory, not a tuning knob: past it an authorization server is down and clients should hear so.
const MOST_WAITERS: usize = 10_000;

/// A token in the form requests use.
pub struct Token {
    /// The whole value of the header, marked sensitive: never in `Debug` output, never in an HPACK table.
    value: HeaderValue,
    /// Counts the different tokens of this slot, from 1.
    pub generation: u64,
    /// When it is refreshed and when it ends.
    pub life: Life,
}

impl Token {
    /// `scheme` and token as a header value; `None` if they cannot stand in one.
    #[must_use]
    pub fn new(scheme: &str, access_token: &str, generation: u64, life: Life) -> Option<Self> {
        let separator = if scheme.is_empty() { "" } else { " " };
        let mut value = HeaderValue::from_str(&format!("{scheme}{separator}{access_token}")).ok()?;
        value.set_sensitive(true);
        // The first clone of fresh `Bytes` allocates its reference count; let it be this one and not a request's.
        drop(value.clone());
        Some(Self { value, generation, life })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("generation", &self.generation).field("life", &self.life).finish_non_exhaustive()
    }
}

/// One credential's published token.
#[derive(Debug)]
pub struct TokenSlot {
    /// Whose it is.
    pub key: TokenKey,
    /// The credential's name in logs and metrics; see [`super::table`].
    pub name: String,
    /// Whether readiness waits for it.
    pub required: bool,
    current: ArcSwapOption<Token>,
    /// Becomes true with the first token and stays so.
    started: watch::Sender<bool>,
    waiters: Semaphore,
}

impl TokenSlot {
    /// An empty slot.
    #[must_use]
    pub fn new(key: TokenKey, name: String, required: bool) -> Self {
        Self {
            key,
            name,
            required,
            current: ArcSwapOption::empty(),
            started: watch::Sender::new(false),
            waiters: Semaphore::new(MOST_WAITERS),
        }
    }

    /// The header value to send, if there is a token that may be used at `now`.
    #[must_use]
    pub fn header(&self, now: Instant) -> Option<HeaderValue> {
        let current = self.current.load();
        let token = current.as_ref()?;
        token.life.is_usable(now).then(|| token.value.clone())
    }

    /// Whether [`Self::header`] would give a value, without making one.
    #[must_use]
    pub fn is_usable(&self, now: Instant) -> bool {
        self.current.load().as_ref().is_some_and(|token| token.life.is_usable(now))
    }

    /// The current token, used or not; for metrics and the background service.
    #[must_use]
    pub fn token(&self) -> Option<std::sync::Arc<Token>> {
        self.current.load_full()
    }

    /// The state for the metrics.
    #[must_use]
    pub fn reading(&self, now: Instant) -> TokenReading<'_> {
        let token = self.token();
        TokenReading {
            credential: &self.name,
            usable: self.is_usable(now),
            generation: token.as_ref().map_or(0, |token| token.generation),
            expires_in: token.and_then(|token| token.life.expires_at).map(|end| end.saturating_duration_since(now)),
        }
    }

    /// Publishes a token and lets waiting requests go on.
    pub fn publish(&self, token: Token) {
        self.current.store(Some(std::sync::Arc::new(token)));
        self.started.send_replace(true);
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::testing::slot;
    use std::sync::Arc;

    #[test]
    fn a_published_value_is_sensitive_and_is_not_used_past_its_margin() {
        let slot = slot();
        let now = Instant::now();
        assert!(slot.header(now).is_none());
        let life = Life::of(now, Duration::from_secs(100), 0.0);
        slot.publish(Token::new("Bearer", "abc", 1, life).expect("a header"));
        let value = slot.header(now).expect("a value");
        assert_eq!(value.as_bytes(), b"Bearer abc");
        assert!(value.is_sensitive());
        assert!(!format!("{slot:?}").contains("abc"));
        assert!(slot.is_usable(now + Duration::from_secs(89)));
        assert!(slot.header(now + Duration::from_secs(90)).is_none());
    }

    #[test]
    fn an_empty_scheme_sends_the_token_alone() {
        let token = Token::new("", "abc", 1, Life::ENDLESS).expect("a header");
        assert_eq!(token.value.as_bytes(), b"abc");
    }

    #[tokio::test]
    async fn requests_wait_for_the_first_token_and_only_for_that() {
        let slot = Arc::new(slot());
        let waiting = tokio::spawn({
            let slot = slot.clone();
            async move { slot.started_within(Duration::from_secs(30)).await }
        });
        assert!(!slot.started_within(Duration::ZERO).await);
        slot.publish(Token::new("Bearer", "abc", 1, Life::ENDLESS).expect("a header"));
        assert!(waiting.await.expect("joined"));
        assert!(slot.started_within(Duration::ZERO).await);
    }
}
