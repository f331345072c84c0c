//! How long a client may keep us waiting in one direction: at first for a grace, and then as long as it earns time with
//! bytes at a minimum rate. No more than [`MOST`] can be saved up: bytes that a socket's buffer took at once earn much, and
//! a client that then stalls must not live on them.
//!
//! The clock is looked at only where there is a wait, so a client that keeps up costs nothing.

use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// The longest wait, however fast a client was before. It is nginx's default for both directions.
const MOST: Duration = Duration::from_secs(60);

/// One direction of a connection.
pub(super) struct Pace {
    rate: Option<NonZeroU32>,
    grace: Duration,
    /// The time that may still be spent.
    left: Duration,
    /// Bytes that have not been turned into time yet.
    bytes: u64,
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    /// `rate` in bytes per second; `None`: each byte earns as much as there is to have.
    pub(super) const fn new(rate: Option<NonZeroU32>, grace: Duration) -> Self {
        Self { rate, grace, left: grace, bytes: 0, since: None, timer: None }
    }

    /// Another message begins.
    pub(super) const fn restart(&mut self) {
        (self.left, self.bytes, self.since) = (self.grace, 0, None);
    }

    /// Bytes have moved.
    pub(super) fn moved(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if let Some(since) = self.since.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
    }

    /// Whether nothing moves, as far as is known.
    pub(super) const fn is_waiting(&self) -> bool {
        self.since.is_some()
    }

    /// Nothing moves. Ready when that has been so for too long, or when it is `deadline`.
    pub(super) fn poll_exhausted(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        if self.since.is_none() {
            self.left = self.earned();
            let now = Instant::now();
            self.since = Some(now);
            let end = deadline.map_or(now + self.left, |deadline| deadline.min(now + self.left));
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(end),
                None => self.timer = Some(Box::pin(sleep_until(end))),
            }
        }
        self.timer.as_mut().map_or(Poll::Pending, |timer| timer.as_mut().poll(cx))
    }

    fn earned(&mut self) -> Duration {
        let bytes = std::mem::take(&mut self.bytes);
        let Some(rate) = self.rate else { return MOST };
        let millis = bytes.saturating_mul(1000) / u64::from(rate.get());
        self.left.saturating_add(Duration::from_millis(millis)).min(MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    async fn exhausted(pace: &mut Pace) -> Duration {
        let started = Instant::now();
        poll_fn(|cx| pace.poll_exhausted(cx, None)).await;
        started.elapsed()
    }

    fn pace() -> Pace {
        Pace::new(NonZeroU32::new(100), Duration::from_secs(5))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_nothing_has_the_grace() {
        assert_eq!(exhausted(&mut pace()).await.as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_moved_buys_time_and_waiting_spends_it() {
        let mut pace = pace();
        pace.moved(1_000);
        let waiting = poll_fn(|cx| pace.poll_exhausted(cx, None));
        assert!(
            tokio::time::timeout(Duration::from_secs(12), waiting).await.is_err(),
            "10 s are earned, and the grace"
        );
        pace.moved(0);
        assert_eq!(exhausted(&mut pace).await.as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn no_credit_lasts_for_ever() {
        let mut pace = pace();
        pace.moved(10_000_000);
        assert_eq!(exhausted(&mut pace).await, MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_does_not_outlast_its_bytes() {
        let (mut pace, started) = (pace(), Instant::now());
        loop {
            let waiting = poll_fn(|cx| pace.poll_exhausted(cx, None));
            if tokio::time::timeout(Duration::from_secs(1), waiting).await.is_ok() {
                break;
            }
            pace.moved(1);
        }
        assert!(started.elapsed() < Duration::from_secs(7), "one byte a second is less than a hundred");
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_comes_first() {
        let started = Instant::now();
        let deadline = started + Duration::from_secs(2);
        let mut pace = pace();
        poll_fn(|cx| pace.poll_exhausted(cx, Some(deadline))).await;
        assert_eq!(started.elapsed().as_secs(), 2);
    }
}
