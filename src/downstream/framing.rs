//! Follows what a client sends on an HTTP/1 connection, byte for byte and in any pieces, and says where it is no longer what
//! RFC 9112 calls a request.
//!
//! Two parsers that understand a message differently are how requests are smuggled: where one sees a body, the next one sees
//! a request. So what could be understood in two ways is refused here, before Pingora's parser, which is more lenient, has
//! seen it. Where the RFC leaves a choice, the choice is to refuse:
//!
//! | subject | passes | RFC 9112 |
//! |---|---|---|
//! | empty lines before a request | two | §2.2 |
//! | ends of lines | CRLF; no CR and no LF elsewhere in a head, in chunk lines, in trailers | §2.2 |
//! | version | HTTP/1.1 and HTTP/1.0; so an HTTP/2 preface does not | §2.3 |
//! | request line | single spaces; a target of visible ASCII but `#"<>`, in origin, absolute (http, https) or asterisk form | §3, §3.2 |
//! | CONNECT | never: there is no tunnel here | §3.2.3 |
//! | `Host` | one, with a host in it (see `authority`); none only in HTTP/1.0 | §3.2 |
//! | field lines | `token:` and a value without control bytes; none folded | §5.1, §5.2 |
//! | `Transfer-Encoding` | one line, `chunked`, in HTTP/1.1, without `Content-Length`. Anything else is 400: an unknown coding may be 501, but then the answer would tell who got how far | §6.1 |
//! | `Content-Length` | one line, one number below 2^63 | §6.2 |
//! | chunks | see `chunks` | §7.1 |
//! | trailers | field lines in the bounds of a head's, none that frames or routes | §7.1.2 |
//!
//! What a field or a target means beyond that is not looked at. Nothing is kept of the bytes but a few words of state, nothing
//! is allocated, and the bytes of bodies are skipped, not read.

mod authority;
mod bytes;
mod chunks;
mod fields;
mod parsed;
mod request_line;
mod value;

use crate::config::model::Limits;
use chunks::Chunks;
use fields::{Fields, Found, Section};
pub use parsed::ParsedHead;
use request_line::RequestLine;

/// How large a head may be. Trailers are held to the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes, from the method to the empty line.
    pub bytes: usize,
    /// Field lines.
    pub fields: usize,
    /// Bytes of the target.
    pub target: usize,
}

impl HeadLimits {
    /// Those of the configuration.
    #[must_use]
    pub const fn of(limits: &Limits) -> Self {
        Self { bytes: limits.head_size, fields: limits.headers, target: limits.uri_length }
    }
}

/// Follows one connection.
#[derive(Debug)]
pub struct Framing {
    limits: HeadLimits,
    state: State,
    /// Bytes of the head, or of the trailers, so far.
    section: usize,
    is_http_11: bool,
    /// The last complete request asks for another protocol, and nothing came after it.
    may_switch: bool,
    requests: u64,
}

#[derive(Debug)]
enum State {
    /// Between requests, after so many empty lines.
    Between(u8),
    EmptyLine(u8),
    RequestLine(RequestLine),
    Fields(Fields),
    /// A body with so many bytes to come.
    Length(u64),
    Chunks(Chunks),
    Trailers(Fields),
    Tunnel,
    Refused(Violation),
}

/// Bytes that may not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub violation: Violation,
    /// So many of the bytes before may pass: complete requests, and of the one that is refused at most a part of its body.
    pub passed: usize,
    /// The head of the request that is refused has passed already: somebody is at work on it.
    pub in_body: bool,
}

/// Why bytes may not pass. There is no going on after one: where the next request would begin is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// It is not a request, or one that could be understood in two ways.
    #[error(transparent)]
    BadRequest(#[from] Fault),
    /// CONNECT.
    #[error("CONNECT is not served")]
    Connect,
    /// The target is longer than the limit.
    #[error("the target is too long")]
    UriTooLong,
    /// The head, or the trailers, are longer than the limit.
    #[error("the head is too large")]
    HeadTooLarge,
    /// There are more field lines than the limit.
    #[error("the head has too many fields")]
    TooManyFields,
}

/// What makes a request a bad one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// More empty lines before a request than are passed over.
    #[error("too many empty lines")]
    EmptyLines,
    /// The method is no token, or longer than any.
    #[error("the method is none")]
    Method,
    /// The target has none of its forms.
    #[error("the target is malformed")]
    Target,
    /// Neither HTTP/1.1 nor HTTP/1.0.
    #[error("the version is not served")]
    Version,
    /// A line that ends in something else than CRLF.
    #[error("a line does not end in CRLF")]
    LineEnd,
    /// A field line without a name, without a colon, or with something between them.
    #[error("a field name is malformed")]
    FieldName,
    /// A line that continues the one before.
    #[error("a field line is folded")]
    Folded,
    /// A control byte in a value.
    #[error("a field value has a control byte")]
    FieldValue,
    /// `Content-Length` that is not one number, once.
    #[error("Content-Length is not one number")]
    ContentLength,
    /// `Transfer-Encoding` that is not `chunked`, once.
    #[error("Transfer-Encoding is not chunked")]
    TransferEncoding,
    /// `Transfer-Encoding` in HTTP/1.0, where there is none.
    #[error("Transfer-Encoding in HTTP/1.0")]
    CodingInHttp10,
    /// Both.
    #[error("Content-Length beside Transfer-Encoding")]
    LengthAndCoding,
    /// HTTP/1.1 without `Host`.
    #[error("Host is missing")]
    HostMissing,
    /// `Host` that is not one host, once.
    #[error("Host is not one host")]
    Host,
    /// A chunk's size is no number.
    #[error("a chunk has no size")]
    ChunkSize,
    /// A chunk's extensions are too long, or hold control bytes.
    #[error("a chunk extension is malformed")]
    ChunkExtension,
    /// A chunk is not as long as its size.
    #[error("a chunk does not end in CRLF")]
    ChunkEnd,
    /// A trailer that frames or routes.
    #[error("a trailer that only a head may have")]
    Trailer,
    /// Bytes came after a request for another protocol, before the answer that grants it.
    #[error("bytes before the protocol was switched")]
    Premature,
}

impl Violation {
    /// The status that says so.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest(_) => 400,
            Self::Connect => 405,
            Self::UriTooLong => 414,
            Self::HeadTooLarge | Self::TooManyFields => 431,
        }
    }
}

/// Some clients of old sent one after a body.
const EMPTY_LINES: u8 = 2;

impl Framing {
    /// Follows a connection from its first byte.
    pub const fn new(limits: HeadLimits) -> Self {
        Self { limits, state: State::Between(0), section: 0, is_http_11: false, may_switch: false, requests: 0 }
    }

    /// Follows the next bytes. After an error every later call gives the same one, with nothing passed.
    ///
    /// # Errors
    /// The bytes, or those from [`Refused::passed`] on, must not reach another parser.
    pub fn follow(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let mut rest = bytes;
        let mut head = 0;
        while !rest.is_empty() {
            if self.is_between_requests() {
                head = bytes.len() - rest.len();
            }
            if let Err(violation) = self.step(&mut rest) {
                let in_body = self.is_in_body();
                let passed = if in_body { bytes.len() - rest.len() } else { head };
                self.state = State::Refused(violation);
                return Err(Refused { violation, passed, in_body });
            }
        }
        Ok(())
    }

    /// From now on everything passes: the protocol was switched with a 101 (RFC 9110 §7.8).
    ///
    /// # Errors
    /// The last request did not ask for that, has a body, or is not the last: bytes came that were followed as a next request
    /// and would now be something else.
    pub fn tunnel(&mut self) -> Result<(), Violation> {
        if self.may_switch {
            self.state = State::Tunnel;
            return Ok(());
        }
        let violation = Fault::Premature.into();
        self.state = State::Refused(violation);
        Err(violation)
    }

    /// Nothing of a next head has come.
    pub const fn is_between_requests(&self) -> bool {
        matches!(self.state, State::Between(_) | State::EmptyLine(_))
    }

    /// A head has begun and is not complete.
    pub const fn is_in_head(&self) -> bool {
        matches!(self.state, State::RequestLine(_) | State::Fields(_))
    }

    /// A head is complete, and its body is not.
    pub const fn is_in_body(&self) -> bool {
        matches!(self.state, State::Length(_) | State::Chunks(_) | State::Trailers(_))
    }

    /// Whether the last request asks for another protocol and nothing came after it.
    pub const fn may_switch(&self) -> bool {
        self.may_switch
    }

    /// How many heads are complete.
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// Takes at least one byte, or comes to another state.
    fn step(&mut self, rest: &mut &[u8]) -> Result<(), Violation> {
        match &mut self.state {
            State::Between(_) | State::EmptyLine(_) => self.step_between(rest)?,
            State::RequestLine(_) | State::Fields(_) | State::Trailers(_) => self.step_section(rest)?,
            State::Length(left) => {
                chunks::skip(left, rest);
                if *left == 0 {
                    self.state = State::Between(0);
                }
            }
            State::Chunks(chunks) => {
                if chunks.follow(rest)? {
                    (self.section, self.state) = (0, State::Trailers(Fields::new(Section::Trailers)));
                }
            }
            State::Tunnel => *rest = &[],
            State::Refused(violation) => return Err(*violation),
        }
        Ok(())
    }

    fn step_between(&mut self, rest: &mut &[u8]) -> Result<(), Violation> {
        self.may_switch = false;
        self.state = match (&self.state, rest.first()) {
            (State::Between(EMPTY_LINES), Some(b'\r')) => return Err(Fault::EmptyLines.into()),
            (State::Between(lines), Some(b'\r')) => State::EmptyLine(*lines),
            (State::EmptyLine(lines), Some(b'\n')) => State::Between(lines + 1),
            (State::EmptyLine(_), _) | (_, Some(b'\n')) => return Err(Fault::LineEnd.into()),
            _ => {
                (self.section, self.state) = (0, State::RequestLine(RequestLine::new()));
                return Ok(());
            }
        };
        bytes::next(rest);
        Ok(())
    }

    /// A head or trailers, in their bounds: what is beyond the limit is not even looked at.
    fn step_section(&mut self, rest: &mut &[u8]) -> Result<(), Violation> {
        let HeadLimits { bytes: most_bytes, fields: most_fields, target: longest_target } = self.limits;
        let left = most_bytes.saturating_sub(self.section);
        let (mut input, beyond) = rest.split_at_checked(left).unwrap_or((rest, &[]));
        let before = input.len();
        let is_complete = match &mut self.state {
            State::RequestLine(line) => line.follow(&mut input, longest_target)?,
            State::Fields(fields) | State::Trailers(fields) => fields.follow(&mut input, most_fields)?,
            _ => false,
        };
        let taken = before - input.len();
        self.section += taken;
        bytes::take(rest, taken);
        if is_complete {
            self.end_section()
        } else if beyond.is_empty() {
            Ok(())
        } else {
            Err(self.too_large())
        }
    }

    const fn too_large(&self) -> Violation {
        match &self.state {
            State::RequestLine(line) if line.is_in_target() => Violation::UriTooLong,
            _ => Violation::HeadTooLarge,
        }
    }

    fn end_section(&mut self) -> Result<(), Violation> {
        self.state = match &self.state {
            State::RequestLine(line) => {
                self.is_http_11 = line.is_http_11();
                State::Fields(Fields::new(Section::Head))
            }
            State::Fields(fields) => {
                let found = fields.found;
                self.end_head(found)?
            }
            _ => State::Between(0),
        };
        Ok(())
    }

    /// The head as a whole (RFC 9112 §3.2, §6.3).
    fn end_head(&mut self, found: Found) -> Result<State, Fault> {
        let body = match (found.chunked, found.length) {
            (true, Some(_)) => return Err(Fault::LengthAndCoding),
            (true, None) if !self.is_http_11 => return Err(Fault::CodingInHttp10),
            (true, None) => State::Chunks(Chunks::new()),
            (false, None | Some(0)) => State::Between(0),
            (false, Some(length)) => State::Length(length),
        };
        if self.is_http_11 && !found.host {
            return Err(Fault::HostMissing);
        }
        // As Pingora has it, this field alone makes a request for a switch (`is_upgrade_req` in v1/common.rs).
        self.may_switch = self.is_http_11 && found.upgrade && matches!(body, State::Between(_));
        self.requests = self.requests.saturating_add(1);
        Ok(body)
    }
}

#[cfg(test)]
mod tests;
