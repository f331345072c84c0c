//! Which request of a connection has its turn, and since when.
//!
//! A client may send requests before it has the answers to those before them (RFC 9112 §9.3.2). They wait for as long as those
//! answers take, partly unread, so none of their time runs before their turn, and whatever is wrong with them is said then.

use tokio::time::Instant;

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing of it is here.
    Awaited,
    /// A part of its head is.
    Head,
    /// Its head is complete: somebody is at work on it.
    UnderWay,
}

/// The first request that is not through with.
#[derive(Debug)]
pub(super) struct Turn {
    request: u64,
    stage: Stage,
    began: Instant,
    since: Instant,
}

impl Turn {
    /// That of the first request on a new connection.
    pub(super) fn first() -> Self {
        let now = Instant::now();
        Self { request: 1, stage: Stage::Awaited, began: now, since: now }
    }

    /// It is the turn of this request, which has come so far.
    pub(super) fn come_to(&mut self, request: u64, stage: Stage) {
        if (self.request, self.stage) == (request, stage) {
            return;
        }
        let now = Instant::now();
        let is_another = self.request != request;
        // The time of the first one has run since the connection was there.
        if is_another || (self.stage == Stage::Awaited && request > 1) {
            self.began = now;
        }
        (self.request, self.stage, self.since) = (request, stage, now);
    }

    /// The request, counted from 1.
    pub(super) const fn request(&self) -> u64 {
        self.request
    }

    pub(super) const fn stage(&self) -> Stage {
        self.stage
    }

    /// When its first byte was here and it was its turn; on a new connection, when that began.
    pub(super) const fn began(&self) -> Instant {
        self.began
    }

    /// When it came to its stage.
    pub(super) const fn since(&self) -> Instant {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::advance;

    const SECOND: Duration = Duration::from_secs(1);

    async fn seconds_of(turn: &mut Turn, request: u64, stage: Stage) -> (u64, u64) {
        turn.come_to(request, stage);
        advance(SECOND).await;
        (turn.began().elapsed().as_secs(), turn.since().elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_begins_with_its_first_byte_and_the_first_with_its_connection() {
        let mut turn = Turn::first();
        assert_eq!(seconds_of(&mut turn, 1, Stage::Awaited).await, (1, 1));
        assert_eq!(seconds_of(&mut turn, 1, Stage::Head).await, (2, 1));
        assert_eq!(seconds_of(&mut turn, 1, Stage::UnderWay).await, (3, 1));
        assert_eq!(seconds_of(&mut turn, 2, Stage::Awaited).await, (1, 1));
        assert_eq!(seconds_of(&mut turn, 2, Stage::Head).await, (1, 1));
        assert_eq!(seconds_of(&mut turn, 2, Stage::UnderWay).await, (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_came_before_its_turn_begins_with_it() {
        let mut turn = Turn::first();
        turn.come_to(1, Stage::UnderWay);
        advance(SECOND).await;
        assert_eq!(seconds_of(&mut turn, 2, Stage::UnderWay).await, (1, 1));
        assert_eq!(seconds_of(&mut turn, 2, Stage::UnderWay).await, (2, 2), "the same again changes nothing");
    }
}
