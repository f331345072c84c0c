//! The chunked coding (RFC 9112 §7.1) up to and with the line of the last chunk; trailers follow it.
//!
//! A size is hex digits and nothing else: no sign, no `0x`, no blanks, and not none, which Pingora takes for the last chunk.
//! Extensions mean nothing to anybody here, so they may be there, in bounds (§7.1.1).

use super::Fault;
use super::bytes::{is_value, take};
use super::value::LONGEST_BODY;

/// Chunks so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunks {
    part: Part,
    size: u64,
    /// Bytes of the line with the size.
    line: usize,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Size,
    Extension,
    LineFeed,
    Data,
    DataEnd,
    DataLineFeed,
    Complete,
}

/// As many as 64 bits have.
const MOST_DIGITS: usize = 16;

/// The longest line with its size and its extensions, without CRLF.
const LONGEST_LINE: usize = 254;

impl Chunks {
    pub(super) const fn new() -> Self {
        Self { part: Part::Size, size: 0, line: 0 }
    }

    /// Follows the chunks; true when the last one's line is complete. On an error, the first wrong byte is not taken.
    pub(super) fn follow(&mut self, input: &mut &[u8]) -> Result<bool, Fault> {
        loop {
            match self.part {
                Part::Data => self.skip(input),
                Part::Complete => return Ok(true),
                _ => {}
            }
            let Some((&byte, rest)) = input.split_first() else { return Ok(false) };
            self.part = match (self.part, byte) {
                (Part::Size, b';') if self.line > 0 => {
                    self.line += 1;
                    Part::Extension
                }
                (Part::Size | Part::Extension, b'\r') if self.line > 0 => Part::LineFeed,
                (Part::Size, _) => self.digit(byte)?,
                (Part::Extension, _) if is_value(byte) => self.count(LONGEST_LINE)?,
                (Part::LineFeed, b'\n') if self.size == 0 => Part::Complete,
                (Part::LineFeed, b'\n') => Part::Data,
                (Part::DataEnd, b'\r') => Part::DataLineFeed,
                (Part::DataLineFeed, b'\n') => {
                    *self = Self::new();
                    Part::Size
                }
                _ => return Err(self.fault()),
            };
            *input = rest;
        }
    }

    fn digit(&mut self, byte: u8) -> Result<Part, Fault> {
        let digit = (byte as char).to_digit(16).ok_or(Fault::ChunkSize)?;
        self.size = self.size << 4 | u64::from(digit);
        if self.size > LONGEST_BODY { Err(Fault::ChunkSize) } else { self.count(MOST_DIGITS) }
    }

    /// One more byte of the line.
    const fn count(&mut self, most: usize) -> Result<Part, Fault> {
        self.line += 1;
        if self.line > most { Err(self.fault()) } else { Ok(self.part) }
    }

    fn skip(&mut self, input: &mut &[u8]) {
        skip(&mut self.size, input);
        if self.size == 0 {
            self.part = Part::DataEnd;
        }
    }

    const fn fault(&self) -> Fault {
        match self.part {
            Part::Size => Fault::ChunkSize,
            Part::Extension => Fault::ChunkExtension,
            Part::LineFeed => Fault::LineEnd,
            _ => Fault::ChunkEnd,
        }
    }
}

/// Passes over as many of so many bytes as are there.
pub(super) fn skip(left: &mut u64, input: &mut &[u8]) {
    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    take(input, here);
    *left = left.saturating_sub(here as u64);
}
