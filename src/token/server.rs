//! An authorization server as all credentials that reach it the same way see it: how many may ask it at once, and what they
//! know together when it is down.
//!
//! Once a server has failed several in a row, those that it failed find out one at a time whether it still does, and the
//! others take the outcome for theirs, as long as their tokens let them. Nobody is held up by what it found out itself: for
//! that it has a backoff. A credential whose last fetch did not fail asks as ever: its neighbours' troubles may be their own. As
//! soon as the server answers one of them, all that wait out a backoff try again.

use crate::token::error::{FetchError, Health};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// Failures in a row, of whichever credentials, after which the server counts as down.
const DOWN_AFTER: u32 = 5;
/// How long the outcome of one credential's attempt stands for the others' at the most.
pub(super) const SHARED_FOR: Duration = Duration::from_secs(5);

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
    /// Counts those that ask it.
    askers: AtomicUsize,
}

/// Failures in a row, and when and whose the last one was.
#[derive(Debug, Default)]
struct Record {
    failures: u32,
    last: Option<(Instant, Asker)>,
}

/// One of the credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker(usize);

/// The right to send the requests of one fetch.
#[derive(Debug)]
pub struct Admission<'a> {
    server: &'a Server,
    asker: Asker,
    _place: Option<SemaphorePermit<'a>>,
    _probe: Option<SemaphorePermit<'a>>,
}

impl Server {
    /// A server of which nothing is known yet.
    #[must_use]
    pub fn new(places: Arc<Semaphore>) -> Self {
        Self {
            places,
            probe: Semaphore::new(1),
            record: Mutex::default(),
            recovered: watch::Sender::new(0),
            askers: AtomicUsize::new(0),
        }
    }

    /// Another credential that will ask.
    #[must_use]
    pub fn asker(&self) -> Asker {
        Asker(self.askers.fetch_add(1, Ordering::Relaxed))
    }

    /// Waits for a place. `takes_word_for`: if the last fetch of this credential failed, for how long it lets another's stand for
    /// its own.
    ///
    /// # Errors
    /// When to come back, if another found the server down a moment ago.
    pub async fn admit(
        &self,
        asker: Asker,
        takes_word_for: Option<Duration>,
        now: impl Fn() -> Instant,
    ) -> Result<Admission<'_>, Instant> {
        // Before a place is taken: whoever waits for the outcome of another's attempt must not keep out those that are well.
        let probes = takes_word_for.is_some() && self.is_down();
        let probe = if probes { self.probe.acquire().await.ok() } else { None };
        // It came up while we waited: nobody need go alone any more.
        let probe = probe.filter(|_| self.is_down());
        if let Some(until) =
            takes_word_for.and_then(|time| self.known_to_be_down_until(asker, time)).filter(|until| now() < *until)
        {
            return Err(until);
        }
        // A closed semaphore does not occur: both live as long as this.
        Ok(Admission { server: self, asker, _place: self.places.acquire().await.ok(), _probe: probe })
    }

    /// To be told when it comes up again.
    #[must_use]
    pub fn recoveries(&self) -> watch::Receiver<u64> {
        self.recovered.subscribe()
    }

    fn is_down(&self) -> bool {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).failures >= DOWN_AFTER
    }

    fn known_to_be_down_until(&self, asker: Asker, takes_word_for: Duration) -> Option<Instant> {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, whose) = record.last.filter(|_| record.failures >= DOWN_AFTER)?;
        if whose == asker { None } else { last.checked_add(takes_word_for.min(SHARED_FOR)) }
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
                record.last = Some((now, self.asker));
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

    /// Of credentials whose tokens live on.
    const TROUBLED: Option<Duration> = Some(Duration::MAX);

    async fn fail(server: &Server, asker: Asker, error: &FetchError, now: Instant) {
        server.admit(asker, None, || now).await.expect("a place").tell(Some(error), now);
    }

    /// The one that found out, and another.
    async fn down(server: &Server, at: Instant) -> (Asker, Asker) {
        let (one, other) = (server.asker(), server.asker());
        for _ in 0..DOWN_AFTER {
            fail(server, one, &FetchError::Timeout, at).await;
        }
        (one, other)
    }

    #[tokio::test]
    async fn a_server_that_is_down_is_asked_by_one_of_those_it_failed() {
        let server = server();
        let start = Instant::now();
        let at = |seconds| move || start + Duration::from_secs(seconds);
        let (_, other) = down(&server, start).await;
        let third = server.asker();
        assert_eq!(server.admit(other, TROUBLED, at(1)).await.expect_err("shared"), start + SHARED_FOR);
        assert!(server.admit(other, None, at(1)).await.is_ok(), "whose last fetch worked asks as ever");
        let probe = server.admit(other, TROUBLED, at(6)).await.expect("old news");
        let second = tokio::time::timeout(Duration::from_millis(1), server.admit(third, TROUBLED, at(6))).await;
        assert!(second.is_err(), "one at a time");
        assert!(server.admit(third, None, at(6)).await.is_ok(), "who waits for the outcome has no place");
        let recoveries = server.recoveries();
        probe.tell(None, start);
        assert!(recoveries.has_changed().expect("alive"));
        let together = [server.admit(other, TROUBLED, at(6)).await, server.admit(third, TROUBLED, at(6)).await];
        assert!(together.iter().all(Result::is_ok));
    }

    #[tokio::test]
    async fn who_found_it_down_and_who_is_in_a_hurry_ask_sooner() {
        let server = server();
        let start = Instant::now();
        let (one, other) = down(&server, start).await;
        let at = |millis| move || start + Duration::from_millis(millis);
        assert!(server.admit(one, TROUBLED, at(200)).await.is_ok(), "after a backoff of its own");
        let hurry = Some(Duration::from_secs(2));
        assert_eq!(server.admit(other, hurry, at(200)).await.expect_err("not yet"), at(2000)());
        let probe = server.admit(other, hurry, at(2000)).await.expect("its token ends soon");
        probe.tell(Some(&FetchError::Timeout), at(2000)());
        assert_eq!(server.admit(one, TROUBLED, at(2100)).await.expect_err("another's word"), at(7000)());
    }

    #[tokio::test]
    async fn those_that_waited_for_the_outcome_go_together_when_the_server_is_back() {
        let server = server();
        let start = Instant::now();
        let later = || start + SHARED_FOR;
        let (one, other) = down(&server, start).await;
        let probe = server.admit(server.asker(), TROUBLED, later).await.expect("old news");
        let mut one = Box::pin(server.admit(one, TROUBLED, later));
        let mut other = Box::pin(server.admit(other, TROUBLED, later));
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
        let (one, other) = (server.asker(), server.asker());
        for error in std::iter::repeat_n(&FetchError::Timeout, 4).chain([&REFUSAL, &FetchError::Timeout]) {
            fail(&server, one, error, now).await;
        }
        assert!(server.admit(other, TROUBLED, || now).await.is_ok());
    }

    #[tokio::test]
    async fn metadata_that_cannot_be_had_is_an_outage_and_a_missing_file_is_nothing() {
        let server = server();
        let now = Instant::now();
        let (one, other) = (server.asker(), server.asker());
        let down = FetchError::Status { status: 503, code: None, retry_after: None };
        for _ in 0..DOWN_AFTER {
            fail(&server, one, &FetchError::Discovery(Box::new(down.clone())), now).await;
            fail(&server, one, &FetchError::Material("gone".into()), now).await;
        }
        assert!(server.admit(other, TROUBLED, || now).await.is_err());
    }
}
