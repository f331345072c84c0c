//! Field lines up to and with the empty line (RFC 9112 §5), in a head and as trailers.

use super::authority::Authority;
use super::bytes::{TOKEN, run, value_run};
use super::value::{Kind, Value};
use super::{Fault, Violation};

/// Field lines so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    part: Part,
    section: Section,
    name: Name,
    value: Value,
    count: usize,
    pub(super) found: Found,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Head,
    Trailers,
}

/// What the lines say of the message.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found {
    pub(super) host: bool,
    pub(super) length: Option<u64>,
    pub(super) chunked: bool,
    pub(super) upgrade: bool,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    LineStart,
    Name,
    Value,
    LineFeed,
    LastLineFeed,
    Complete,
}

impl Fields {
    pub(super) const fn new(section: Section) -> Self {
        let found = Found { host: false, length: None, chunked: false, upgrade: false };
        Self { part: Part::LineStart, section, name: Name::EMPTY, value: Value::new(Kind::Any), count: 0, found }
    }

    /// Follows the lines; true when the empty line is complete.
    pub(super) fn follow(&mut self, input: &mut &[u8], most: usize) -> Result<bool, Violation> {
        loop {
            match self.part {
                Part::Name => self.read_name(input)?,
                Part::Value => {
                    self.value.push(value_run(input))?;
                    // Both at once, as they nearly always come.
                    if let Some(rest) = input.strip_prefix(b"\r\n") {
                        self.end_line()?;
                        (self.part, *input) = (Part::LineStart, rest);
                    }
                }
                Part::Complete => return Ok(true),
                _ => {}
            }
            let Some((&byte, rest)) = input.split_first() else { return Ok(false) };
            self.part = match (self.part, byte) {
                (Part::LineStart, b'\r') => Part::LastLineFeed,
                // The byte is looked at once more, as the name's first.
                (Part::LineStart, _) => {
                    self.begin_line(byte, most)?;
                    continue;
                }
                (Part::Name, b':') => Part::Value,
                (Part::Value, b'\r') => Part::LineFeed,
                (Part::LineFeed, b'\n') => {
                    self.end_line()?;
                    Part::LineStart
                }
                (Part::LastLineFeed, b'\n') => Part::Complete,
                _ => return Err(self.fault(byte).into()),
            };
            *input = rest;
        }
    }

    fn begin_line(&mut self, byte: u8, most: usize) -> Result<(), Violation> {
        match byte {
            b' ' | b'\t' => return Err(Fault::Folded.into()),
            b'\n' => return Err(Fault::LineEnd.into()),
            _ => {}
        }
        if self.count >= most {
            return Err(Violation::TooManyFields);
        }
        self.count += 1;
        (self.name.length, self.part) = (0, Part::Name);
        Ok(())
    }

    /// Reads the name, and knows the field when the colon is there.
    fn read_name(&mut self, input: &mut &[u8]) -> Result<(), Fault> {
        let bytes = run(input, TOKEN);
        if input.first() == Some(&b':') {
            let kind = self.kind_of_field(bytes)?;
            self.value = Value::new(kind);
        } else {
            self.name.push(bytes);
        }
        Ok(())
    }

    fn kind_of_field(&mut self, last: &[u8]) -> Result<Kind, Fault> {
        let name = self.name.with(last);
        let (kind, repeated) = match name.len() {
            0 => return Err(Fault::FieldName),
            4 if name.eq_ignore_ascii_case(b"host") => (Kind::Host(Authority::Start), self.found.host),
            14 if name.eq_ignore_ascii_case(b"content-length") => (Kind::Length(0), self.found.length.is_some()),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => (Kind::Coding(0), self.found.chunked),
            7 => {
                self.found.upgrade |= name.eq_ignore_ascii_case(b"upgrade");
                return Ok(Kind::Any);
            }
            _ => return Ok(Kind::Any),
        };
        match (kind, self.section) {
            // RFC 9110 §6.5.1: what frames or routes a message comes too late here.
            (_, Section::Trailers) => Err(Fault::Trailer),
            (_, Section::Head) if repeated => Err(kind.fault()),
            (_, Section::Head) => Ok(kind),
        }
    }

    fn end_line(&mut self) -> Result<(), Fault> {
        match self.value.end()? {
            Kind::Any => {}
            Kind::Host(_) => self.found.host = true,
            Kind::Length(length) => self.found.length = Some(length),
            Kind::Coding(_) => self.found.chunked = true,
        }
        Ok(())
    }

    const fn fault(&self, byte: u8) -> Fault {
        match (self.part, byte) {
            (_, b'\n') | (Part::LineFeed | Part::LastLineFeed, _) => Fault::LineEnd,
            (Part::Value, _) => Fault::FieldValue,
            _ => Fault::FieldName,
        }
    }
}

/// The part of a name that came with earlier bytes. Only a name that is split is ever copied.
#[derive(Debug, Clone, Copy)]
struct Name {
    bytes: [u8; ROOM],
    length: usize,
}

/// `transfer-encoding` and one byte more, so that no name is taken for the one it begins with.
const ROOM: usize = 18;

impl Name {
    const EMPTY: Self = Self { bytes: [0; ROOM], length: 0 };

    /// Of a name that is too long to be known, the length alone is kept.
    fn push(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(bytes);
        }
        self.length = end;
    }

    /// The whole name, given its last bytes. One that is too long to be known is given in part.
    fn with<'a>(&'a mut self, last: &'a [u8]) -> &'a [u8] {
        if self.length == 0 {
            return last;
        }
        self.push(last);
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}
