//! An authorization server as all credentials that reach it the same way see it: how many may ask it at once, and what they
//! know together when it is down.
//!
//! Once a server has failed several in a row, those that it failed find out one at a time whether it still does, and the
//! others wait for the outcome. A credential whose last fetch did not fail asks as ever: its neighbours' troubles may be
//! their own. As soon as the server answers one of them, all that wait out a backoff try again.

use crate::token::error::{FetchError, Health};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// Failures in a row, of whichever credentials, after which the server counts as down.
const DOWN_AFTER: u32 = 5;
/// How long the outcome of one credential's attempt stands for the others'.
const SHARED_FOR: Duration = Duration::from_secs(5);

/// What is shared.
#[derive(Debug)]
pub struct Server {
    /// Places for requests, which all have that reach the server, in whichever way.
    places: Arc<Semaphore>,
    /// Held by whoever finds out whether a server is still down.
    probe: Semaphore,
    record: Mutex<Record>,
    /// Counts how often it came up again.
    recovered: watch::Sender<u64>,
}

/// Failures in a row, and when the last one was.
#[derive(Debug, Default)]
struct Record {
    failures: u32,
    last: Option<Instant>,
}

/// The right to send the requests of one fetch.
#[derive(Debug)]
pub struct Admission<'a> {
    server: &'a Server,
    _place: Option<SemaphorePermit<'a>>,
    _probe: Option<SemaphorePermit<'a>>,
}

impl Server {
    /// A server of which nothing is known yet.
    #[must_use]
    pub fn new(places: Arc<Semaphore>) -> Self {
        Self { places, probe: Semaphore::new(1), record: Mutex::default(), recovered: watch::Sender::new(0) }
    }

    /// Waits for a place. `troubled`: the last fetch of this credential failed.
    ///
    /// # Errors
    /// When to come back, if the server was found down a moment ago.
    pub async fn admit(&self, troubled: bool, now: impl Fn() -> Instant) -> Result<Admission<'_>, Instant> {
        // Before a place is taken: whoever waits for the outcome of another's attempt must not keep out those that are well.
        let probe = if troubled && self.is_down() { self.probe.acquire().await.ok() } else { None };
        // It came up while we waited: nobody need go alone any more.
        let probe = probe.filter(|_| self.is_down());
        if let (true, Some(until)) = (troubled, self.known_to_be_down_until(now())) {
            return Err(until);
        }
        // A closed semaphore does not occur: both live as long as this.
        Ok(Admission { server: self, _place: self.places.acquire().await.ok(), _probe: probe })
    }

    /// To be told when it comes up again.
    #[must_use]
    pub fn recoveries(&self) -> watch::Receiver<u64> {
        self.recovered.subscribe()
    }

    fn is_down(&self) -> bool {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).failures >= DOWN_AFTER
    }

    fn known_to_be_down_until(&self, now: Instant) -> Option<Instant> {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        let until = record.last.filter(|_| record.failures >= DOWN_AFTER)?.checked_add(SHARED_FOR)?;
        (now < until).then_some(until)
    }
}

impl Admission<'_> {
    /// What came of it; `None`: a token.
    pub fn tell(self, failure: Option<&FetchError>, now: Instant) {
        let mut record = self.server.record.lock().unwrap_or_else(PoisonError::into_inner);
        match failure.map(FetchError::health) {
            // Nobody was asked.
            Some(None) => return,
            Some(Some(Health::Down)) => {
                record.failures = record.failures.saturating_add(1);
                record.last = Some(now);
                return;
            }
            Some(Some(Health::Up)) | None => {}
        }
        let was_down = record.failures >= DOWN_AFTER;
        *record = Record::default();
        drop(record);
        if was_down {
            self.server.recovered.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSAL: FetchError = FetchError::Status { status: 401, code: None, retry_after: None };

    fn server() -> Server {
        Server::new(Arc::new(Semaphore::new(4)))
    }

    async fn fail(server: &Server, error: &FetchError, now: Instant) {
        server.admit(false, || now).await.expect("a place").tell(Some(error), now);
    }

    #[tokio::test]
    async fn a_server_that_is_down_is_asked_by_one_of_those_it_failed() {
        let server = server();
        let start = Instant::now();
        let at = |seconds| move || start + Duration::from_secs(seconds);
        for _ in 0..DOWN_AFTER {
            fail(&server, &FetchError::Timeout, start).await;
        }
        assert_eq!(server.admit(true, at(1)).await.expect_err("shared"), start + SHARED_FOR);
        assert!(server.admit(false, at(1)).await.is_ok(), "whose last fetch worked asks as ever");
        let probe = server.admit(true, at(6)).await.expect("old news");
        let second = tokio::time::timeout(Duration::from_millis(1), server.admit(true, at(6))).await;
        assert!(second.is_err(), "one at a time");
        assert!(server.admit(false, at(6)).await.is_ok(), "who waits for the outcome has no place");
        let recoveries = server.recoveries();
        probe.tell(None, start);
        assert!(recoveries.has_changed().expect("alive"));
        let together = [server.admit(true, at(6)).await, server.admit(true, at(6)).await];
        assert!(together.iter().all(Result::is_ok));
    }

    #[tokio::test]
    async fn those_that_waited_for_the_outcome_go_together_when_the_server_is_back() {
        let server = server();
        let start = Instant::now();
        let later = || start + SHARED_FOR;
        for _ in 0..DOWN_AFTER {
            fail(&server, &FetchError::Timeout, start).await;
        }
        let probe = server.admit(true, later).await.expect("old news");
        let (mut one, mut other) = (Box::pin(server.admit(true, later)), Box::pin(server.admit(true, later)));
        for waiting in [&mut one, &mut other] {
            assert!(tokio::time::timeout(Duration::from_millis(1), waiting).await.is_err());
        }
        probe.tell(None, later());
        let one = one.await.expect("a place");
        let other = tokio::time::timeout(Duration::from_secs(5), other).await;
        assert!(other.is_ok_and(|other| other.is_ok()), "while the first is still at it");
        drop(one);
    }

    #[tokio::test]
    async fn a_refusal_says_that_the_server_is_up() {
        let server = server();
        let now = Instant::now();
        for error in std::iter::repeat_n(&FetchError::Timeout, 4).chain([&REFUSAL, &FetchError::Timeout]) {
            fail(&server, error, now).await;
        }
        assert!(server.admit(true, || now).await.is_ok());
    }

    #[tokio::test]
    async fn metadata_that_cannot_be_had_is_an_outage_and_a_missing_file_is_nothing() {
        let server = server();
        let now = Instant::now();
        let down = FetchError::Status { status: 503, code: None, retry_after: None };
        for _ in 0..DOWN_AFTER {
            fail(&server, &FetchError::Discovery(Box::new(down.clone())), now).await;
            fail(&server, &FetchError::Material("gone".into()), now).await;
        }
        assert!(server.admit(true, || now).await.is_err());
    }
}
