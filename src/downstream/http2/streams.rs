//! The streams of a connection that are under way, and what its client does more often than anybody needs.

use super::allowance::Allowance;
use super::frames::{CONTINUATION, DATA, Frame, GOAWAY, HEADERS, REFUSED_STREAM, RST_STREAM};
use tokio::time::Instant;

/// Streams that a client may reset before they are answered; each answer permits one more. A browser that leaves a page resets
/// what it had asked for, a hundred at most.
const RESETS: (u32, u32) = (200, 10);

/// Frames about the connection (PING, SETTINGS, `WINDOW_UPDATE`, PRIORITY, unknown ones), and streams that we had to refuse. None
/// costs much, and some have to be answered.
const CONTROLS: (u32, u32) = (1000, 100);

/// So many more for each frame of an answer: libraries open their windows, and measure the way, as bytes come.
const CONTROLS_PER_FRAME: u32 = 10;

/// What is under way.
pub(super) struct Streams {
    open: Vec<u32>,
    last: u32,
    opened: u64,
    /// A header block has begun and not ended.
    in_block: bool,
    /// What comes after it is no longer taken: we have said so by GOAWAY.
    bound: u32,
    resets: Allowance,
    controls: Allowance,
    is_flood: bool,
}

impl Streams {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            open: Vec::new(),
            last: 0,
            opened: 0,
            in_block: false,
            bound: u32::MAX,
            resets: Allowance::new(RESETS.0, RESETS.1, now),
            controls: Allowance::new(CONTROLS.0, CONTROLS.1, now),
            is_flood: false,
        }
    }

    /// Whether no stream is under way.
    pub(super) const fn are_none(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether a header block is under way. No other frame may come in it (RFC 9113 §4.3).
    pub(super) const fn is_in_block(&self) -> bool {
        self.in_block
    }

    /// How many there were.
    pub(super) const fn opened(&self) -> u64 {
        self.opened
    }

    /// The last one.
    pub(super) const fn last(&self) -> u32 {
        self.last
    }

    /// Whether the client has done something too often.
    pub(super) const fn is_flood(&self) -> bool {
        self.is_flood
    }

    /// A frame of the client's.
    pub(super) fn came(&mut self, frame: Frame, now: Instant) {
        match frame.kind {
            HEADERS => {
                self.in_block = !frame.ends_block();
                // Another block of a stream is its trailers.
                if frame.stream > self.last && frame.stream <= self.bound {
                    self.last = frame.stream;
                    self.opened += 1;
                    self.open.push(frame.stream);
                }
            }
            CONTINUATION => self.in_block = !frame.ends_block(),
            DATA => {}
            RST_STREAM if self.close(frame.stream) => self.is_flood |= !self.resets.spend(now),
            _ => self.is_flood |= !self.controls.spend(now),
        }
    }

    /// A frame of ours.
    pub(super) fn went(&mut self, frame: Frame, now: Instant) {
        match frame.kind {
            HEADERS | DATA => {
                self.controls.earn(CONTROLS_PER_FRAME);
                if frame.ends_stream() && self.close(frame.stream) {
                    self.resets.earn(1);
                }
            }
            RST_STREAM => {
                self.close(frame.stream);
                if frame.code == REFUSED_STREAM {
                    self.is_flood |= !self.controls.spend(now);
                }
            }
            GOAWAY => {
                self.bound = frame.last;
                self.open.retain(|stream| *stream <= frame.last);
            }
            _ => {}
        }
    }

    /// Whether it was open.
    fn close(&mut self, stream: u32) -> bool {
        let found = self.open.iter().position(|open| *open == stream);
        found.map(|at| self.open.swap_remove(at)).is_some()
    }
}
