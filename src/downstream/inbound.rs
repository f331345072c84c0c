//! The way in of HTTP/1: bytes are followed before Pingora has them, and end where they are no longer a request, or no
//! longer come in time.

use crate::downstream::edge::Edge;
use crate::downstream::framing::{Framing, Violation};
use crate::downstream::pace::Pace;
use crate::downstream::refusal::Refusal;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, Sleep, sleep_until};

/// What a client sends on a connection of HTTP/1.
pub(super) struct Inbound {
    framing: Framing,
    /// Requests that are through with: answered, or given up.
    finished: AtomicU64,
    /// The answer whose head goes out, or has gone, counted as the finished ones are.
    head_out: u64,
    /// Why nothing more is taken.
    refusal: Option<Refusal>,
    /// Somebody is at work on the refused request: its head had passed.
    in_body: bool,
    /// The end of the head under way; on a new connection, of the first.
    head_by: Option<Pin<Box<Sleep>>>,
    pace: Pace,
    /// `read_timeout` of the request under way.
    deadline: Option<Instant>,
    /// When the head under way began.
    began: Instant,
}

impl Inbound {
    pub(super) fn new(edge: &Edge) -> Self {
        Self {
            framing: Framing::new(edge.head_limits()),
            finished: AtomicU64::new(0),
            head_out: 0,
            refusal: None,
            in_body: false,
            head_by: None,
            pace: edge.receive_pace(),
            deadline: None,
            began: Instant::now(),
        }
    }

    /// Follows bytes that have come, and says how many of them may pass.
    pub(super) fn take(&mut self, bytes: &[u8], edge: &Edge) -> usize {
        let (heads, was_idle) = (self.framing.requests(), self.framing.is_between_requests());
        let followed = self.framing.follow(bytes);
        if self.framing.requests() != heads {
            self.head_by = None;
            self.pace.restart();
            self.deadline = edge.limits.read_timeout.map(|timeout| Instant::now() + timeout);
        } else if was_idle && self.framing.is_in_head() && heads > 0 {
            // The deadline of the first head runs since the connection was there.
            self.began = Instant::now();
        }
        self.pace.moved(bytes.len());
        match followed {
            Ok(()) => bytes.len(),
            Err(refused) => {
                self.refuse(Refusal::Violation(refused.violation), refused.in_body);
                refused.passed
            }
        }
    }

    /// Nothing comes. Ready when that is the client's fault; then there is a refusal, unless it has not sent anything.
    pub(super) fn poll_overdue(&mut self, cx: &mut Context<'_>, edge: &Edge) -> Poll<()> {
        if self.framing.is_in_body() {
            ready!(self.pace.poll_exhausted(cx, self.deadline));
            self.refuse(Refusal::SlowBody, true);
            return Poll::Ready(());
        }
        let is_new = self.framing.requests() == 0;
        if !self.framing.is_in_head() && !is_new {
            return Poll::Pending;
        }
        let end = self.began + edge.limits.head_timeout;
        let timer = self.head_by.get_or_insert_with(|| Box::pin(sleep_until(end)));
        ready!(timer.as_mut().poll(cx));
        if self.framing.is_in_head() {
            self.refuse(Refusal::SlowHead, false);
        }
        Poll::Ready(())
    }

    /// Why nothing more is taken.
    pub(super) const fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// Whether the refusal is of a request that nobody else knows of.
    pub(super) const fn is_refused_in_head(&self) -> bool {
        self.refusal.is_some() && !self.in_body
    }

    const fn refuse(&mut self, refusal: Refusal, in_body: bool) {
        (self.refusal, self.in_body) = (Some(refusal), in_body);
    }

    /// Whether a request is under way that came before.
    pub(super) fn is_answering(&self) -> bool {
        self.framing.requests() > self.finished()
    }

    /// Whether nothing is under way at all.
    pub(super) fn is_idle(&self) -> bool {
        self.framing.is_between_requests() && !self.is_answering()
    }

    /// Whether the client still owes a part of a request's body.
    pub(super) const fn is_in_body(&self) -> bool {
        self.framing.is_in_body() || self.in_body
    }

    /// Since the head under way began.
    pub(super) fn age(&self) -> std::time::Duration {
        self.began.elapsed()
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
            self.framing.tunnel().inspect_err(|violation| self.refuse(Refusal::Violation(*violation), true))?;
        }
        Ok(is_switch)
    }
}
