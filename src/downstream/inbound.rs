//! The way in of HTTP/1: bytes are followed before Pingora has them, and end where they are no longer a request, or no
//! longer come in time.

use crate::downstream::alarm::Alarm;
use crate::downstream::edge::Edge;
use crate::downstream::framing::{Framing, Violation};
use crate::downstream::pace::Pace;
use crate::downstream::refusal::Refusal;
use crate::downstream::turn::{Stage, Turn};
use crate::telemetry::metrics::Cut;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use tokio::time::Instant;

/// What a client sends on a connection of HTTP/1.
///
/// Requests are counted from 1, and whatever is kept here of one says of which it is: several may be on their way.
pub(super) struct Inbound {
    framing: Framing,
    /// Requests that are through with: answered, and their bodies read to the end.
    finished: AtomicU64,
    /// The answer whose head goes out, or has gone, counted as the finished ones are.
    head_out: u64,
    turn: Turn,
    /// Where nothing more is taken.
    refused: Option<Refused>,
    /// The end of the wait for a head.
    alarm: Alarm,
    /// That of the body of the last request whose head is complete.
    pace: Pace,
}

/// A request that is not taken, or not to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused {
    request: u64,
    pub why: Refusal,
    /// Somebody is at work on it: its head had passed.
    pub in_body: bool,
}

impl Inbound {
    pub(super) fn new(edge: &Edge) -> Self {
        Self {
            framing: Framing::new(edge.head_limits()),
            finished: AtomicU64::new(0),
            head_out: 0,
            turn: Turn::first(),
            refused: None,
            alarm: Alarm::new(),
            pace: edge.receive_pace(),
        }
    }

    /// Follows bytes that have come, and says how many of them may pass.
    pub(super) fn take(&mut self, bytes: &[u8], edge: &Edge) -> usize {
        let heads = self.framing.requests();
        if self.framing.is_in_body()
            && self.turn.request() == heads
            && self.read_end(edge).is_some_and(|end| Instant::now() >= end)
        {
            // Whoever sends without a pause is never waited for.
            self.refuse(heads, Refusal::SlowBody, true);
            return 0;
        }
        let followed = self.framing.follow(bytes);
        self.update_turn();
        if self.framing.requests() != heads {
            self.pace.restart();
        }
        self.pace.moved(bytes.len());
        match followed {
            Ok(()) => bytes.len(),
            Err(refused) => {
                // A head that is refused is not counted.
                let request = self.framing.requests() + u64::from(!refused.in_body);
                self.refuse(request, Refusal::Violation(refused.violation), refused.in_body);
                refused.passed
            }
        }
    }

    /// Nothing comes. Ready when that is the client's fault; then there is a refusal, unless it has not sent anything.
    pub(super) fn poll_overdue(&mut self, cx: &mut Context<'_>, edge: &Edge) -> Poll<()> {
        self.update_turn();
        let request = self.turn.request();
        match self.turn.stage() {
            // Of those behind it nothing is due.
            Stage::UnderWay if self.framing.requests() > request || !self.framing.is_in_body() => Poll::Pending,
            Stage::UnderWay => {
                ready!(self.pace.poll_exhausted(cx, self.read_end(edge)));
                self.refuse(request, Refusal::SlowBody, true);
                Poll::Ready(())
            }
            Stage::Awaited => {
                let is_new = request == 1;
                let (end, cut) = if is_new {
                    (self.head_end(edge), Cut::Silent)
                } else {
                    (self.turn.since() + edge.limits.idle_timeout, Cut::Idle)
                };
                ready!(self.alarm.poll_at(cx, end));
                edge.connections.metrics().cut(cut);
                Poll::Ready(())
            }
            Stage::Head => {
                ready!(self.alarm.poll_at(cx, self.head_end(edge)));
                self.refuse(request, Refusal::SlowHead, false);
                Poll::Ready(())
            }
        }
    }

    /// When the request whose turn it is must be here as a whole.
    fn read_end(&self, edge: &Edge) -> Option<Instant> {
        edge.limits.read_timeout.map(|timeout| self.turn.began() + timeout)
    }

    /// When its head must.
    fn head_end(&self, edge: &Edge) -> Instant {
        let end = self.turn.began() + edge.limits.head_timeout;
        self.read_end(edge).map_or(end, |whole| whole.min(end))
    }

    /// What has its turn by what has come and what is through with.
    fn update_turn(&mut self) {
        let request = self.finished() + 1;
        let stage = match self.framing.is_between_requests() {
            _ if self.is_answering() => Stage::UnderWay,
            true => Stage::Awaited,
            false => Stage::Head,
        };
        self.turn.come_to(request, stage);
    }

    /// Where nothing more is taken.
    pub(super) const fn refused(&self) -> Option<Refused> {
        self.refused
    }

    /// Whether those before it are through with.
    pub(super) fn is_its_turn(&self, refused: Refused) -> bool {
        refused.request == self.finished() + 1
    }

    /// Why the request under way was not taken to its end.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        let under_way = |refused: &Refused| refused.in_body && refused.request == self.finished() + 1;
        self.refused.filter(under_way).map(|refused| refused.why)
    }

    const fn refuse(&mut self, request: u64, why: Refusal, in_body: bool) {
        self.refused = Some(Refused { request, why, in_body });
    }

    /// Whether a request is under way that came before.
    fn is_answering(&self) -> bool {
        self.framing.requests() > self.finished()
    }

    /// Whether nothing is under way at all.
    pub(super) fn is_idle(&self) -> bool {
        self.framing.is_between_requests() && !self.is_answering()
    }

    /// Which answer is being written, and since when the request for it is complete but for its body.
    pub(super) fn answering(&mut self) -> (u64, Instant) {
        self.update_turn();
        (self.turn.request(), self.turn.since())
    }

    /// Since the head under way began.
    pub(super) fn age(&mut self) -> std::time::Duration {
        self.update_turn();
        self.turn.began().elapsed()
    }

    /// How many heads were complete.
    pub(super) const fn heads(&self) -> u64 {
        self.framing.requests()
    }

    /// How many requests are through with.
    pub(super) fn finished(&self) -> u64 {
        self.finished.load(Ordering::Relaxed)
    }

    /// A request is through with.
    pub(super) fn finish_one(&self) {
        self.finished.fetch_add(1, Ordering::Relaxed);
    }

    /// Looks at what goes out, which begins a write of Pingora's: after a `101` the connection is no longer HTTP/1. Only the
    /// head of an answer says so, and whatever a body begins with is no head. (Interim answers are heads before the last.)
    /// Says whether this is it.
    ///
    /// # Errors
    /// A request for the switch was not the last thing that came.
    pub(super) fn see_answer(&mut self, bytes: &[u8]) -> Result<bool, Violation> {
        let answer = self.finished() + 1;
        let is_switch = bytes.starts_with(b"HTTP/1.1 101 ");
        if self.head_out == answer || (bytes.starts_with(b"HTTP/1.1 1") && !is_switch) {
            return Ok(false);
        }
        self.head_out = answer;
        if is_switch {
            self.framing.tunnel().inspect_err(|violation| self.refuse(answer, Refusal::Violation(*violation), true))?;
        }
        Ok(is_switch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::Limits;
    use crate::downstream::connections::Connections;
    use crate::telemetry::metrics::Metrics;
    use std::future::poll_fn;
    use std::time::Duration;
    use tokio::time::{advance, timeout};

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";

    fn edge(limits: Limits) -> Edge {
        let metrics = Metrics::new().expect("metrics");
        Edge {
            limits,
            connections: Connections::new(1, metrics.connections("test")),
            unrouted: metrics.endpoint("-"),
            metrics: std::sync::Arc::new(metrics),
            lines: None,
            return_error_msg: false,
        }
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// How long it is until the client is given up, in seconds, if it sends these bytes every so many seconds.
    async fn given_up(inbound: &mut Inbound, edge: &Edge, every: u64, bytes: &[u8]) -> u64 {
        let start = Instant::now();
        for byte in bytes.chunks(1).chain(std::iter::repeat(&b""[..])) {
            let overdue = poll_fn(|cx| inbound.poll_overdue(cx, edge));
            if timeout(seconds(every), overdue).await.is_ok() {
                break;
            }
            inbound.take(byte, edge);
        }
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn empty_lines_do_not_stretch_the_time_between_requests() {
        let edge = edge(Limits::default());
        let mut inbound = Inbound::new(&edge);
        inbound.take(GET, &edge);
        inbound.finish_one();
        assert_eq!(given_up(&mut inbound, &edge, 59, b"\r\n\r\n").await, 60);
        assert_eq!(inbound.refused(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_whole_time_however_long_that_is_and_no_more() {
        let edge = edge(Limits { head_timeout: seconds(120), ..Limits::default() });
        let mut inbound = Inbound::new(&edge);
        for _ in 0..2 {
            assert_eq!(given_up(&mut inbound, &edge, 70, b"GET").await, 120);
            inbound = Inbound::new(&edge);
            inbound.take(GET, &edge);
            inbound.finish_one();
            inbound.take(b"G", &edge);
        }
        assert_eq!(given_up(&mut inbound, &edge, 70, b"ET").await, 120);
        assert_eq!(inbound.refused().map(|refused| refused.why), Some(Refusal::SlowHead));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_a_request_runs_from_its_turn_on() {
        let edge = edge(Limits { read_timeout: Some(seconds(30)), ..Limits::default() });
        for (second, longest) in [(&GET[..9], 10), (POST, 5)] {
            let mut inbound = Inbound::new(&edge);
            inbound.take(&[GET, second].concat(), &edge);
            let overdue = poll_fn(|cx| inbound.poll_overdue(cx, &edge));
            assert!(timeout(seconds(3600), overdue).await.is_err(), "the first one is under way");
            assert_eq!(inbound.answering().0, 1);
            inbound.finish_one();
            assert_eq!(inbound.answering().0, 2);
            assert_eq!(given_up(&mut inbound, &edge, 600, b"").await, longest);
            assert!(inbound.refused().is_some_and(|refused| inbound.is_its_turn(refused)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_a_whole_request_runs_from_its_first_byte_on() {
        let edge = edge(Limits { read_timeout: Some(seconds(12)), ..Limits::default() });
        let mut inbound = Inbound::new(&edge);
        inbound.take(&POST[..9], &edge);
        advance(seconds(8)).await;
        inbound.take(&[&POST[9..], &[b'x'; 5_000]].concat(), &edge);
        assert_eq!(given_up(&mut inbound, &edge, 600, b"").await, 4);
        assert_eq!(inbound.refusal(), Some(Refusal::SlowBody));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_of_one_request_only() {
        let edge = edge(Limits::default());
        let mut inbound = Inbound::new(&edge);
        let chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz";
        inbound.take(&[GET, chunked].concat(), &edge);
        let refused = inbound.refused().expect("it is refused");
        assert_eq!((inbound.is_its_turn(refused), inbound.refusal()), (false, None));
        inbound.finish_one();
        assert_eq!((inbound.is_its_turn(refused), inbound.refusal()), (true, Some(refused.why)));
        inbound.finish_one();
        assert_eq!(inbound.refusal(), None);
    }
}
