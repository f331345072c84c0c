//! Where the frames of HTTP/2 begin in a stream of bytes (RFC 9113 §4.1). What is in them is passed over, but for the codes of
//! `RST_STREAM` and GOAWAY.

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const GOAWAY: u8 = 7;
pub(super) const CONTINUATION: u8 = 9;

/// Error codes (RFC 9113 §7).
pub(super) const NO_ERROR: u32 = 0;
pub(super) const REFUSED_STREAM: u32 = 7;
pub(super) const ENHANCE_YOUR_CALM: u32 = 11;

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// Length, type, flags and stream.
const HEAD: usize = 9;
/// The same with the code of a `RST_STREAM` (RFC 9113 §6.4).
const RESET_HEAD: usize = HEAD + 4;
/// The same with the last stream and the code of a GOAWAY (RFC 9113 §6.8).
const GOAWAY_HEAD: usize = HEAD + 8;
/// The bit before a stream's number is reserved.
const STREAM: u32 = 0x7fff_ffff;
/// The connection preface, which comes before a client's frames (RFC 9113 §3.4).
const PREFACE: usize = 24;

/// The beginning of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub kind: u8,
    flags: u8,
    pub stream: u32,
    /// The last stream of a GOAWAY; 0 in other frames.
    pub last: u32,
    /// The code of a GOAWAY or a `RST_STREAM`; 0 in other frames.
    pub code: u32,
}

impl Frame {
    pub(super) const fn ends_stream(self) -> bool {
        self.flags & END_STREAM != 0
    }

    pub(super) const fn ends_block(self) -> bool {
        self.flags & END_HEADERS != 0
    }
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Frames {
    head: [u8; GOAWAY_HEAD],
    filled: usize,
    /// Bytes until the next frame begins.
    left: usize,
    kind: Option<u8>,
    has_begun: bool,
}

impl Frames {
    /// What a client sends.
    pub(super) const fn of_client() -> Self {
        Self { head: [0; GOAWAY_HEAD], filled: 0, left: PREFACE, kind: None, has_begun: false }
    }

    /// What a server sends.
    pub(super) const fn of_server() -> Self {
        Self { head: [0; GOAWAY_HEAD], filled: 0, left: 0, kind: None, has_begun: false }
    }

    /// Tells of each frame that begins in these bytes.
    pub(super) fn follow(&mut self, mut bytes: &[u8], mut begins: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let passed = self.left.min(bytes.len());
                self.left -= passed;
                self.has_begun |= self.left == 0 && self.kind.is_some();
                bytes = bytes.get(passed..).unwrap_or_default();
                continue;
            }
            let needed = self.needed();
            let room = self.head.get_mut(self.filled..needed).unwrap_or_default();
            let (taken, rest) = bytes.split_at(room.len().min(bytes.len()));
            room.iter_mut().zip(taken).for_each(|(to, from)| *to = *from);
            self.filled += taken.len();
            bytes = rest;
            if self.filled == self.needed() {
                begins(self.begin());
            }
        }
    }

    /// Whether the last frame that began is complete, or none has begun.
    pub(super) const fn is_between(&self) -> bool {
        self.filled == 0 && self.left == 0
    }

    /// The kind of the frame under way, if its head is known.
    pub(super) const fn under_way(&self) -> Option<u8> {
        if self.left > 0 { self.kind } else { None }
    }

    /// Whether any frame has come to its end.
    pub(super) const fn has_begun(&self) -> bool {
        self.has_begun
    }

    const fn needed(&self) -> usize {
        match self.head[3] {
            GOAWAY if self.filled >= HEAD => GOAWAY_HEAD,
            RST_STREAM if self.filled >= HEAD => RESET_HEAD,
            _ => HEAD,
        }
    }

    fn begin(&mut self) -> Frame {
        let [_, _, _, kind, flags, ..] = self.head;
        let frame = Frame {
            kind,
            flags,
            stream: self.number(5) & STREAM,
            last: if kind == GOAWAY { self.number(HEAD) & STREAM } else { 0 },
            code: if self.filled > HEAD { self.number(self.filled - 4) } else { 0 },
        };
        // The length has three bytes.
        let length = (self.number(0) >> 8) as usize;
        self.left = length.saturating_sub(self.filled - HEAD);
        self.has_begun |= self.left == 0;
        (self.filled, self.kind) = (0, Some(kind));
        frame
    }

    fn number(&self, at: usize) -> u32 {
        let bytes = self.head.get(at..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }
}

/// A GOAWAY.
pub(super) fn goaway(last_stream: u32, code: u32) -> [u8; GOAWAY_HEAD] {
    let mut frame = [0, 0, 8, GOAWAY, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let payload = last_stream.to_be_bytes().into_iter().chain(code.to_be_bytes());
    frame.iter_mut().skip(HEAD).zip(payload).for_each(|(to, from)| *to = from);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
        bytes.extend([0, 0, 3, HEADERS, 5, 0x80, 0, 0, 1, 7, 7, 7]);
        bytes.extend([0, 0, 4, RST_STREAM, 0, 0, 0, 0, 1, 0, 0, 0, 8]);
        bytes.extend(goaway(1, 11));
        bytes.extend([0, 0, 2, DATA, 1, 0, 0, 0, 3, 9, 9]);
        for size in 1..bytes.len() {
            let (mut frames, mut found) = (Frames::of_client(), Vec::new());
            for piece in bytes.chunks(size) {
                frames.follow(piece, |frame| found.push((frame.kind, frame.stream, frame.code, frame.ends_stream())));
            }
            let expected = [
                (4, 0, 0, false),
                (HEADERS, 1, 0, true),
                (RST_STREAM, 1, 8, false),
                (GOAWAY, 0, 11, false),
                (DATA, 3, 0, true),
            ];
            assert_eq!(found, expected, "{size}");
            assert!(frames.is_between() && frames.has_begun());
        }
    }

    #[test]
    fn a_frame_is_under_way_until_its_last_byte() {
        let mut frames = Frames::of_server();
        assert!(frames.is_between() && !frames.has_begun());
        frames.follow(&[0, 0, 2, DATA], |_| unreachable!());
        assert!(!frames.is_between() && frames.under_way().is_none());
        frames.follow(&[0, 0, 0, 0, 1, 9], |_| {});
        assert_eq!(frames.under_way(), Some(DATA));
        frames.follow(&[9], |_| {});
        assert!(frames.is_between() && frames.under_way().is_none());
    }
}
