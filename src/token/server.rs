//! An authorization server as all of its credentials see it: how many may ask it at once, and what they know together when
//! it is down.
//!
//! While a server fails everybody, one credential at a time finds out whether it still does; the others take that answer for
//! theirs. As soon as one gets a token, all that wait out a backoff try again. Refusals do not count: they are about one
//! client.

use crate::token::error::FetchError;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// Token requests under way at once to one server. It matters at start-up, and when a server answers so slowly that its
/// refreshes pile up.
const MOST_FETCHES: usize = 4;
/// Failures in a row, of whichever credentials, after which the server counts as down.
const DOWN_AFTER: u32 = 5;
/// How long the answer of one credential's attempt stands for the others'.
const SHARED_FOR: Duration = Duration::from_secs(5);

/// What is shared.
#[derive(Debug)]
pub struct Server {
    places: Semaphore,
    /// Held by whoever asks a server that is down.
    probe: Semaphore,
    health: Mutex<Health>,
    /// Counts how often it came up again.
    recovered: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Health {
    failures: u32,
    last: Option<(FetchError, Instant)>,
}

/// The right to send one request. Whatever came of it must be [told](Server::tell).
#[derive(Debug)]
pub struct Admission<'a> {
    _place: Option<SemaphorePermit<'a>>,
    _probe: Option<SemaphorePermit<'a>>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            places: Semaphore::new(MOST_FETCHES),
            probe: Semaphore::new(1),
            health: Mutex::default(),
            recovered: watch::Sender::new(0),
        }
    }
}

impl Server {
    /// Waits for a place.
    ///
    /// # Errors
    /// What another credential has just been answered, while the server is down.
    pub async fn admit(&self, now: impl Fn() -> Instant) -> Result<Admission<'_>, FetchError> {
        // A closed semaphore does not occur: both live as long as this.
        let place = self.places.acquire().await.ok();
        if !self.is_down() {
            return Ok(Admission { _place: place, _probe: None });
        }
        let probe = self.probe.acquire().await.ok();
        match self.shared(now()) {
            Some(error) => Err(error),
            None => Ok(Admission { _place: place, _probe: probe }),
        }
    }

    /// What came of a request; `None`: a token.
    pub fn tell(&self, failure: Option<&FetchError>, now: Instant) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = failure.filter(|error| error.is_outage()) {
            health.failures = health.failures.saturating_add(1);
            health.last = Some((error.clone(), now));
            return;
        }
        let was_down = health.failures >= DOWN_AFTER;
        *health = Health::default();
        drop(health);
        if was_down {
            self.recovered.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    /// To be told when it comes up again.
    #[must_use]
    pub fn recoveries(&self) -> watch::Receiver<u64> {
        self.recovered.subscribe()
    }

    fn is_down(&self) -> bool {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).failures >= DOWN_AFTER
    }

    /// The last failure, while it stands for everybody's.
    fn shared(&self, now: Instant) -> Option<FetchError> {
        let health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let (error, at) = health.last.as_ref().filter(|_| health.failures >= DOWN_AFTER)?;
        (now.saturating_duration_since(*at) < SHARED_FOR).then(|| error.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_is_down_is_asked_by_one_and_answers_for_all() {
        let server = Server::default();
        let start = Instant::now();
        let at = |seconds| move || start + Duration::from_secs(seconds);
        for _ in 0..DOWN_AFTER {
            drop(server.admit(at(0)).await.expect("not known to be down"));
            server.tell(Some(&FetchError::Timeout), start);
        }
        assert_eq!(server.admit(at(1)).await.expect_err("shared"), FetchError::Timeout);
        let probe = server.admit(at(6)).await.expect("old news");
        let second = tokio::time::timeout(Duration::from_millis(1), server.admit(at(6))).await;
        assert!(second.is_err(), "one at a time");
        let recoveries = server.recoveries();
        server.tell(None, start);
        drop(probe);
        assert!(recoveries.has_changed().expect("alive"));
        let together = [server.admit(at(6)).await, server.admit(at(6)).await];
        assert!(together.iter().all(Result::is_ok));
    }

    #[tokio::test]
    async fn a_refusal_says_that_the_server_is_up() {
        let server = Server::default();
        let now = Instant::now();
        let refusal = FetchError::Status { status: 401, code: None, retry_after: None };
        for _ in 0..DOWN_AFTER - 1 {
            server.tell(Some(&FetchError::Timeout), now);
        }
        server.tell(Some(&refusal), now);
        server.tell(Some(&FetchError::Timeout), now);
        assert!(server.admit(|| now).await.is_ok());
    }
}
