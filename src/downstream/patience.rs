//! How long a request may wait for the head of its answer.
//!
//! Pingora bounds each read from an upstream, not all of them together, so that an upstream which says a byte now and then
//! would never be late. What it does all that time is read from the client, to see whether that leaves; so the client's stream
//! is where the wait can be ended. It is not read while a pipelined request waits behind the one under way: then only Pingora's
//! own bounds hold.

use crate::downstream::alarm::Alarm;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// There is no end.
const NONE: u64 = 0;
/// It was reached.
const OVER: u64 = u64::MAX;

/// The end of the wait, on one connection.
pub(super) struct Patience {
    /// What times are counted from.
    epoch: Instant,
    /// Nanoseconds, [`NONE`] or [`OVER`].
    by: AtomicU64,
    alarm: Alarm,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { epoch: Instant::now(), by: AtomicU64::new(NONE), alarm: Alarm::new() }
    }

    /// Sets the end; `None`: there is nothing to wait for.
    pub(super) fn set(&self, by: Option<Instant>) {
        let nanos =
            |by: Instant| u64::try_from(by.saturating_duration_since(self.epoch).as_nanos()).unwrap_or(OVER - 1);
        self.by.store(by.map_or(NONE, |by| nanos(by).clamp(NONE + 1, OVER - 1)), Ordering::Relaxed);
    }

    /// Whether the end was reached.
    pub(super) fn is_over(&self) -> bool {
        self.by.load(Ordering::Relaxed) == OVER
    }

    /// Ready when the end is reached.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let end = match self.by.load(Ordering::Relaxed) {
            NONE => return Poll::Pending,
            OVER => return Poll::Ready(()),
            nanos => self.epoch + Duration::from_nanos(nanos),
        };
        ready!(self.alarm.poll_at(cx, end));
        self.by.store(OVER, Ordering::Relaxed);
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    const SECOND: Duration = Duration::from_secs(1);

    async fn is_over_within(patience: &mut Patience, time: Duration) -> bool {
        tokio::time::timeout(time, poll_fn(|cx| patience.poll_over(cx))).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_end_there_is_none() {
        let mut patience = Patience::new();
        assert!(!is_over_within(&mut patience, 1000 * SECOND).await && !patience.is_over());
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_comes_once_and_stays() {
        let mut patience = Patience::new();
        patience.set(Some(Instant::now() + SECOND));
        assert!(is_over_within(&mut patience, 2 * SECOND).await && patience.is_over());
        assert!(is_over_within(&mut patience, SECOND).await);
        patience.set(None);
        assert!(!patience.is_over() && !is_over_within(&mut patience, SECOND).await);
    }

    #[tokio::test(start_paused = true)]
    async fn another_end_replaces_the_first() {
        let mut patience = Patience::new();
        for (end, wait, over) in [(5, 1, false), (9, 6, false), (4, 3, false), (1, 2, true)] {
            patience.set(Some(Instant::now() + end * SECOND));
            assert_eq!(is_over_within(&mut patience, wait * SECOND).await, over, "{end}");
        }
    }
}
