//! A connection of HTTP/2, seen from outside: which streams are under way, and what of it takes too long or comes too often.
//!
//! Frames are read and written by the `h2` crate, which bounds much of what a client can do wrong and tells nobody. Here only
//! the beginnings of frames are looked at, for what that crate leaves open: a head or a frame that never ends, streams that are
//! reset as soon as we have begun to work on them, frames about the connection without end, and connections that should make
//! room for others. What ends a connection for its client's faults is counted, whoever ends it.

mod allowance;
mod frames;
mod streams;

use crate::downstream::alarm::Alarm;
use crate::downstream::connections::Presence;
use crate::downstream::edge::Edge;
use crate::downstream::pace::Pace;
use crate::telemetry::metrics::Cut;
use frames::{CONTINUATION, DATA, ENHANCE_YOUR_CALM, Frames, GOAWAY, NO_ERROR, goaway};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use streams::Streams;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a client may still open streams that was asked to leave: it needs a moment to have read that. Then it is gone as
/// soon as it has its answers.
const STAY: Duration = Duration::from_secs(5);

/// Why we end a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parting {
    /// Nothing is under way, and it is time, or others need the place.
    Leave,
    /// The client wants too much of us, or keeps us waiting.
    Calm,
}

/// The connection.
pub(super) struct Http2 {
    edge: Arc<Edge>,
    came: Frames,
    went: Frames,
    streams: Streams,
    /// When the frame or block under way began; at first, the connection.
    began: Instant,
    alarm: Alarm,
    /// Of the frame under way, if it is DATA.
    pace: Pace,
    /// The end of a client's stay that was asked to leave.
    leaves_by: Option<Instant>,
    /// True when the client is to be asked to open no more streams. Pingora does it (RFC 9113 §6.8), and goes on as before for
    /// as long as the client does not say that it has read so.
    ending: watch::Sender<bool>,
    /// Why it ends is known: the client has left, or was told to, or has been counted.
    is_explained: bool,
}

impl Http2 {
    pub(super) fn new(edge: &Arc<Edge>) -> Self {
        let now = Instant::now();
        Self {
            edge: edge.clone(),
            came: Frames::of_client(),
            went: Frames::of_server(),
            streams: Streams::new(now),
            began: now,
            alarm: Alarm::new(),
            pace: edge.receive_pace(),
            leaves_by: None,
            ending: watch::Sender::new(false),
            is_explained: false,
        }
    }

    /// The sender of what tells Pingora to end this connection gracefully.
    pub(super) fn ending(&self) -> watch::Sender<bool> {
        self.ending.clone()
    }

    /// Follows bytes that have come; none is the end of them.
    pub(super) fn take(&mut self, bytes: &[u8], presence: &Presence) -> Result<(), Parting> {
        if bytes.is_empty() {
            self.leave();
            return Ok(());
        }
        let now = Instant::now();
        let is_fresh = self.came.is_between() || self.came.under_way() == Some(DATA);
        if is_fresh && !self.streams.is_in_block() {
            self.began = now;
        }
        let opened = self.streams.opened();
        let Self { came, streams, began, pace, .. } = self;
        came.follow(bytes, |frame| {
            if frame.kind != CONTINUATION {
                *began = now;
            }
            pace.restart();
            streams.came(frame, now);
        });
        self.pace.moved(bytes.len());
        if !self.is_idle() {
            presence.is_busy();
        }
        self.judge(self.streams.opened() != opened, now)
    }

    fn judge(&self, is_more: bool, now: Instant) -> Result<(), Parting> {
        if is_more && self.is_last() {
            self.ending.send_if_modified(|ending| !std::mem::replace(ending, true));
        }
        let should_be_gone = self.leaves_by.is_some_and(|by| now >= by);
        if self.streams.is_flood() || (is_more && should_be_gone) {
            return Err(Parting::Calm);
        }
        if should_be_gone && self.is_idle() { Err(Parting::Leave) } else { Ok(()) }
    }

    /// Whether no more streams should be opened.
    fn is_last(&self) -> bool {
        let most = self.edge.limits.requests_per_connection;
        most.is_some_and(|most| self.streams.opened() >= u64::from(most.get())) || self.edge.connections.are_scarce()
    }

    /// Follows bytes that have left.
    pub(super) fn sent(&mut self, bytes: &[u8], cx: &Context<'_>) {
        let (now, was_idle) = (Instant::now(), self.is_idle());
        let mut complains = false;
        let Self { went, streams, .. } = self;
        went.follow(bytes, |frame| {
            streams.went(frame, now);
            complains |= frame.kind == GOAWAY && frame.code != NO_ERROR;
        });
        if complains {
            // What the library says when a client has broken the rules is the only thing that it says.
            self.cut();
        }
        if !was_idle && self.is_idle() {
            // Nobody reads now, and what follows from being idle is looked at there.
            cx.waker().wake_by_ref();
        }
    }

    /// Nothing comes. Ready when the connection is to end for it.
    pub(super) fn poll_parting(&mut self, cx: &mut Context<'_>, presence: &Presence) -> Poll<Parting> {
        if self.leaves_by.is_none() && *self.ending.borrow() {
            self.leaves_by = Some(Instant::now() + STAY);
        }
        if self.is_idle() {
            if presence.is_to_leave(cx) {
                return Poll::Ready(Parting::Leave);
            }
            let Some(by) = self.leaves_by else { return Poll::Pending };
            ready!(self.alarm.poll_at(cx, by));
            return Poll::Ready(Parting::Leave);
        }
        if self.is_in_head() {
            ready!(self.alarm.poll_at(cx, self.began + self.edge.limits.head_timeout));
            return Poll::Ready(Parting::Calm);
        }
        if self.came.under_way() == Some(DATA) {
            ready!(self.pace.poll_exhausted(cx, None));
            return Poll::Ready(Parting::Calm);
        }
        Poll::Pending
    }

    /// The end of the connection by our own doing: what tells the client why; nothing in the middle of another frame.
    pub(super) fn part(&mut self, parting: Parting) -> Option<[u8; 17]> {
        let code = match parting {
            Parting::Leave => NO_ERROR,
            Parting::Calm => {
                self.cut();
                ENHANCE_YOUR_CALM
            }
        };
        self.leave();
        self.went.is_between().then(|| goaway(self.streams.last(), code))
    }

    /// The connection ends, and that is nothing to be counted here.
    pub(super) const fn leave(&mut self) {
        self.is_explained = true;
    }

    fn cut(&mut self) {
        if !std::mem::replace(&mut self.is_explained, true) {
            self.edge.connections.metrics().cut(Cut::Http2);
        }
    }

    fn is_idle(&self) -> bool {
        self.streams.are_none() && self.came.has_begun() && self.came.is_between() && !self.streams.is_in_block()
    }

    /// Whether the next thing to come is short and due: the preface, the rest of a header block, of any frame but DATA.
    fn is_in_head(&self) -> bool {
        let in_frame = !self.came.is_between() && self.came.under_way() != Some(DATA);
        self.streams.is_in_block() || !self.came.has_begun() || in_frame
    }
}

impl Drop for Http2 {
    /// After too many malformed requests Pingora drops the connection without a word (v2/server.rs, `account_malformed_stream`).
    fn drop(&mut self) {
        if !self.streams.are_none() {
            self.cut();
        }
    }
}
