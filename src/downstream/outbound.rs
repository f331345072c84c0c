//! The way out: an answer's head waits for the beginning of its body, so that both leave in one write, and a client that
//! does not take its bytes is not waited for without end.

use crate::downstream::pace::Pace;
use crate::downstream::transport::Transport;
use std::io;
use std::task::{Context, Poll, ready};
use tokio::time::Instant;

/// Bytes that may wait for more; Pingora flushes at the end of an answer and where an answer is streamed. More than
/// fits goes out at once, together with what waits.
const HELD: usize = 4096;

/// Bytes on their way to a client.
pub(super) struct Outbound {
    held: Vec<u8>,
    /// How much of `held` is sent.
    sent: usize,
    /// The answer under way: that to so many-th request.
    answer: u64,
    pace: Pace,
    /// Its `write_timeout`.
    deadline: Option<Instant>,
    /// It was not whole by then, though the client took all there was.
    is_late: bool,
}

impl Outbound {
    pub(super) const fn new(pace: Pace) -> Self {
        Self { held: Vec::new(), sent: 0, answer: 0, pace, deadline: None, is_late: false }
    }

    /// What is written now is of this answer, which must be sent by `deadline`.
    pub(super) const fn begin(&mut self, answer: u64, deadline: Option<Instant>) {
        if self.answer != answer {
            (self.answer, self.deadline, self.is_late) = (answer, deadline, false);
            self.pace.restart();
        }
    }

    /// The answer has no end that could be waited for.
    pub(super) const fn never_ends(&mut self) {
        self.deadline = None;
    }

    /// Whether the answer was not whole by its deadline, though the client took all there was.
    pub(super) const fn is_late(&self) -> bool {
        self.is_late
    }

    pub(super) fn poll_write(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.pace.is_waiting() && self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            // A short answer that says so may still leave.
            (self.deadline, self.is_late) = (None, true);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the answer is too late")));
        }
        if self.held.len() + data.len() <= HELD {
            self.held.reserve_exact(if self.held.capacity() == 0 { HELD } else { 0 });
            self.held.extend_from_slice(data);
            return Poll::Ready(Ok(data.len()));
        }
        loop {
            let waiting = self.waiting().len();
            let sent = ready!(self.poll_send(transport, cx, data))?;
            if sent < waiting {
                self.sent += sent;
                continue;
            }
            self.clear();
            if sent > waiting {
                return Poll::Ready(Ok(sent - waiting));
            }
        }
    }

    pub(super) fn poll_flush(&mut self, transport: &mut Transport, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting().is_empty() {
            self.sent += ready!(self.poll_send(transport, cx, &[]))?;
        }
        self.clear();
        // Of TLS there may be records left.
        if transport.poll_flush(cx)?.is_pending() {
            ready!(self.pace.poll_exhausted(cx, self.deadline));
            return Poll::Ready(Err(too_slow()));
        }
        self.pace.moved(0);
        Poll::Ready(Ok(()))
    }

    fn waiting(&self) -> &[u8] {
        self.held.get(self.sent..).unwrap_or_default()
    }

    fn clear(&mut self) {
        self.held.clear();
        self.sent = 0;
    }

    fn poll_send(&mut self, transport: &mut Transport, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let waiting = self.held.get(self.sent..).unwrap_or_default();
        match transport.poll_write(cx, [waiting, data]) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(sent)) => {
                self.pace.moved(sent);
                Poll::Ready(Ok(sent))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                ready!(self.pace.poll_exhausted(cx, self.deadline));
                Poll::Ready(Err(too_slow()))
            }
        }
    }
}

/// The error of a client that takes its answer too slowly.
fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the client takes its answer too slowly")
}
