//! The values of the fields that decide where a message ends and whom it is for. All other values are only looked through
//! for bytes that no value may have.

use super::Fault;
use super::authority::Authority;
use super::bytes::next;

/// A value so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value {
    kind: Kind,
    place: Place,
}

/// What is read of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Nothing: any value is as good as another.
    Any,
    /// `Content-Length` (RFC 9110 §8.6): one number.
    Length(u64),
    /// `Transfer-Encoding` (RFC 9112 §6.1): so many bytes of `chunked`.
    Coding(usize),
    /// `Host` (RFC 9112 §3.2).
    Host(Authority),
}

/// Blanks around a value are none of it (RFC 9112 §5.1).
#[derive(Debug, Clone, Copy)]
enum Place {
    Before,
    Inside,
    After,
}

/// Longer bodies than this have no meaning, and readers that count with a sign would take the number for another. (Pingora
/// has such a place: `buf_to_content_length` in protocols/http/v1/common.rs.)
pub(super) const LONGEST_BODY: u64 = i64::MAX.unsigned_abs();

const CHUNKED: &[u8] = b"chunked";

impl Value {
    pub(super) const fn new(kind: Kind) -> Self {
        Self { kind, place: Place::Before }
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        if matches!(self.kind, Kind::Any) {
            return Ok(());
        }
        loop {
            if let (Kind::Host(authority), Place::Inside) = (&self.kind, self.place) {
                authority.skip(&mut bytes);
            }
            let Some(byte) = next(&mut bytes) else { return Ok(()) };
            let is_blank = byte == b' ' || byte == b'\t';
            self.place = match (self.place, is_blank) {
                (place @ (Place::Before | Place::After), true) => place,
                (Place::Inside, true) => Place::After,
                (Place::After, false) => return Err(self.kind.fault()),
                (Place::Before | Place::Inside, false) => {
                    self.kind = self.kind.push(byte).ok_or_else(|| self.kind.fault())?;
                    Place::Inside
                }
            };
        }
    }

    /// What the value says, at its end.
    pub(super) fn end(self) -> Result<Kind, Fault> {
        let complete = match (self.kind, self.place) {
            (Kind::Any, _) => true,
            (_, Place::Before) => false,
            (Kind::Length(_), _) => true,
            (Kind::Coding(read), _) => read == CHUNKED.len(),
            (Kind::Host(authority), _) => authority.is_complete(),
        };
        if complete { Ok(self.kind) } else { Err(self.kind.fault()) }
    }
}

impl Kind {
    fn push(self, byte: u8) -> Option<Self> {
        match self {
            Self::Any => Some(self),
            Self::Length(number) => {
                let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
                let number = number.checked_mul(10)?.checked_add(digit)?;
                (number <= LONGEST_BODY).then_some(Self::Length(number))
            }
            Self::Coding(read) => {
                (CHUNKED.get(read) == Some(&byte.to_ascii_lowercase())).then_some(Self::Coding(read + 1))
            }
            Self::Host(authority) => authority.push(byte).map(Self::Host),
        }
    }

    pub(super) const fn fault(self) -> Fault {
        match self {
            Self::Any => Fault::FieldValue,
            Self::Length(_) => Fault::ContentLength,
            Self::Coding(_) => Fault::TransferEncoding,
            Self::Host(_) => Fault::Host,
        }
    }
}
