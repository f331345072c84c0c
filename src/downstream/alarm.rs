//! A timer for waits that are many and nearly always short. It is set at the first of them, and again only where it would ring
//! too late or has rung too early, so that a wait that ends in time costs next to nothing.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, Sleep, sleep_until};

/// The timer.
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    pub(super) const fn new() -> Self {
        Self(None)
    }

    /// Ready at `end`, which may be another one at each call.
    pub(super) fn poll_at(&mut self, cx: &mut Context<'_>, end: Instant) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(end)));
        loop {
            if timer.deadline() > end {
                timer.as_mut().reset(end);
            }
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= end {
                return Poll::Ready(());
            }
            timer.as_mut().reset(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn it_rings_at_the_end_it_is_asked_for_whichever_it_was_set_for_before() {
        let (mut alarm, start) = (Alarm::new(), Instant::now());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        for seconds in [60, 10, 30] {
            let end = start + Duration::from_secs(seconds);
            assert!(alarm.poll_at(&mut cx, end).is_pending(), "{seconds}");
        }
        poll_fn(|cx| alarm.poll_at(cx, start + Duration::from_secs(30))).await;
        assert_eq!(start.elapsed().as_secs(), 30);
        poll_fn(|cx| alarm.poll_at(cx, start + Duration::from_secs(40))).await;
        assert_eq!(start.elapsed().as_secs(), 40);
    }
}
