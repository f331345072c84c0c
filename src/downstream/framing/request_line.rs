//! The request line (RFC 9112 §3): one method, one target, one of two versions, and one space between them.
//!
//! The target must be of a form that a server is asked in (§3.2): `/…`, `http://…`, `https://…`, or `*` with OPTIONS. What it
//! names is the router's question.

use super::authority::Authority;
use super::bytes::{TARGET, TOKEN, run};
use super::{Fault, Violation};

/// A request line so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestLine {
    part: Part,
    /// The last eight bytes of the method. No byte of a token is zero, so a longer one is never taken for a shorter.
    method: u64,
    method_length: usize,
    target_length: usize,
    minor: u8,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Method,
    TargetStart,
    /// So many bytes of `http://` or `https://`, as [`scheme`] counts them.
    Scheme(u8),
    Authority(Authority),
    /// What follows an authority, or stands alone.
    Path,
    Asterisk,
    /// So many bytes of the version.
    Version(usize),
    LineEnd,
    LineFeed,
    Complete,
}

/// More than any registered method has.
const LONGEST_METHOD: usize = 32;

const CONNECT: u64 = word(b"CONNECT");
const OPTIONS: u64 = word(b"OPTIONS");

const fn word(mut text: &[u8]) -> u64 {
    let mut word = 0;
    while let [first, rest @ ..] = text {
        word = word << 8 | *first as u64;
        text = rest;
    }
    word
}

impl RequestLine {
    pub(super) const fn new() -> Self {
        Self { part: Part::Method, method: 0, method_length: 0, target_length: 0, minor: 0 }
    }

    /// Whether the version is HTTP/1.1, once the line is complete.
    pub(super) const fn is_http_11(&self) -> bool {
        self.minor == 1
    }

    /// Whether what comes next belongs to the target, or ends it.
    pub(super) const fn is_in_target(&self) -> bool {
        matches!(self.part, Part::TargetStart | Part::Scheme(_) | Part::Authority(_) | Part::Path | Part::Asterisk)
    }

    /// Follows the line; true when it is complete.
    pub(super) fn follow(&mut self, input: &mut &[u8], longest_target: usize) -> Result<bool, Violation> {
        loop {
            match self.part {
                Part::Method => self.read_method(run(input, TOKEN))?,
                Part::Path => self.count_target(run(input, TARGET).len(), longest_target)?,
                Part::Version(0) => self.read_usual_end(input),
                _ => {}
            }
            if matches!(self.part, Part::Complete) {
                return Ok(true);
            }
            let Some((&byte, rest)) = input.split_first() else { return Ok(false) };
            let part = self.part_after(byte)?;
            if self.is_in_target() && byte != b' ' {
                self.count_target(1, longest_target)?;
            }
            (self.part, *input) = (part, rest);
        }
    }

    fn read_method(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        self.method_length = self.method_length.saturating_add(bytes.len());
        if self.method_length > LONGEST_METHOD {
            return Err(Fault::Method.into());
        }
        self.method = bytes.iter().fold(self.method, |word, byte| word << 8 | u64::from(*byte));
        Ok(())
    }

    /// What comes after nearly every target, if it is there as a whole. Saves a third of the time for a short request.
    fn read_usual_end(&mut self, input: &mut &[u8]) {
        if let Some(rest) = input.strip_prefix(b"HTTP/1.1\r\n") {
            (self.minor, self.part, *input) = (1, Part::Complete, rest);
        }
    }

    const fn count_target(&mut self, bytes: usize, longest: usize) -> Result<(), Violation> {
        self.target_length = self.target_length.saturating_add(bytes);
        if self.target_length > longest { Err(Violation::UriTooLong) } else { Ok(()) }
    }

    fn part_after(&mut self, byte: u8) -> Result<Part, Violation> {
        match (self.part, byte) {
            (Part::Method, b' ') if self.method == CONNECT => return Err(Violation::Connect),
            (Part::Method, b' ') if self.method_length > 0 => return Ok(Part::TargetStart),
            (Part::Method, _) => return Err(Fault::Method.into()),
            (Part::Version(7), b'0' | b'1') => self.minor = byte - b'0',
            _ => {}
        }
        let part = match (self.part, byte) {
            (Part::TargetStart, b'/') => Some(Part::Path),
            (Part::TargetStart, b'*') if self.method == OPTIONS => Some(Part::Asterisk),
            (Part::TargetStart, _) => scheme(0, byte),
            (Part::Scheme(read), _) => scheme(read, byte),
            (Part::Authority(authority), b'/' | b'?') if authority.is_complete() => Some(Part::Path),
            (Part::Authority(authority), b' ') if authority.is_complete() => Some(Part::Version(0)),
            (Part::Authority(authority), _) => authority.push(byte).map(Part::Authority),
            (Part::Path | Part::Asterisk, b' ') => Some(Part::Version(0)),
            (Part::Version(read), _) => version(read, byte),
            (Part::LineEnd, b'\r') => Some(Part::LineFeed),
            (Part::LineFeed, b'\n') => Some(Part::Complete),
            _ => None,
        };
        part.ok_or_else(|| self.fault().into())
    }

    const fn fault(&self) -> Fault {
        match self.part {
            Part::Method => Fault::Method,
            Part::Version(_) => Fault::Version,
            Part::LineEnd | Part::LineFeed | Part::Complete => Fault::LineEnd,
            _ => Fault::Target,
        }
    }
}

/// One more byte of `http://` or `https://`, in any case; the count runs from 0 to 7, with 4 before the `s`.
fn scheme(read: u8, byte: u8) -> Option<Part> {
    Some(match (read, byte.to_ascii_lowercase()) {
        (0, b'h') | (1 | 2, b't') | (3, b'p') | (4, b's') | (6, b'/') => Part::Scheme(read + 1),
        (4 | 5, b':') => Part::Scheme(6),
        (7, b'/') => Part::Authority(Authority::Start),
        _ => return None,
    })
}

fn version(read: usize, byte: u8) -> Option<Part> {
    match (b"HTTP/1.".get(read), byte) {
        (Some(expected), _) => (*expected == byte).then_some(Part::Version(read + 1)),
        (None, b'0' | b'1') => Some(Part::LineEnd),
        _ => None,
    }
}
