//! A client of HTTP/2 that sends exactly the frames it is given, right or wrong, and reads what comes back with a deadline.
//! Fields are literals without Huffman coding (RFC 7541 §6.2.2), written by hand; of answers it understands the status alone.

use super::poll::PATIENCE;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;
/// A type that nobody has defined (RFC 9113 §5.5).
pub const UNKNOWN: u8 = 0xbb;

/// Of DATA and HEADERS.
pub const END_STREAM: u8 = 1;
/// Of SETTINGS and PING.
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;

/// Error codes (RFC 9113 §7).
pub const NO_ERROR: u32 = 0;
pub const PROTOCOL_ERROR: u32 = 1;
pub const REFUSED_STREAM: u32 = 7;
pub const CANCEL: u32 = 8;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame (RFC 9113 §4.1).
#[derive(Debug, Clone)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A literal field without indexing.
pub fn field(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    for part in [name, value] {
        push_length(&mut bytes, part.len());
        bytes.extend(part);
    }
    bytes
}

/// An integer with a prefix of seven bits (RFC 7541 §5.1).
pub fn push_length(bytes: &mut Vec<u8>, length: usize) {
    if length < 127 {
        return bytes.push(length as u8);
    }
    bytes.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        bytes.push((rest % 128 + 128) as u8);
        rest /= 128;
    }
    bytes.push(rest as u8);
}

/// A block of these fields.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| field(name.as_bytes(), value.as_bytes())).collect()
}

/// The pseudo-header fields of a request.
pub fn pseudo<'a>(method: &'a str, path: &'a str) -> [(&'static str, &'a str); 4] {
    [(":method", method), (":scheme", "http"), (":authority", "porteur.test"), (":path", path)]
}

/// HEADERS of a request without a body.
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&pseudo("GET", path)))
}

/// HEADERS of a request whose body is to follow.
pub fn post(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &block(&pseudo("POST", path)))
}

pub fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

impl Frame {
    /// The last stream of a GOAWAY.
    pub fn last(&self) -> u32 {
        number(&self.payload)
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// An answer, to its end or to its own reset.
    Answer { status: u16, body: Vec<u8>, cut: bool },
    /// The stream was reset without one.
    Reset(u32),
    /// The connection ended, with the error of the GOAWAY if there was one.
    Ended(Option<u32>),
}

impl Outcome {
    /// The status of an answer; 0 without one.
    pub fn status(&self) -> u16 {
        if let Self::Answer { status, .. } = self { *status } else { 0 }
    }
}

pub struct Frames {
    stream: TcpStream,
    came: Vec<u8>,
    goaway: Option<u32>,
}

impl Frames {
    /// A connection on which nothing is said yet.
    #[track_caller]
    pub fn bare(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, came: Vec::new(), goaway: None }
    }

    /// A connection with its preface, which asks for no dynamic table: answers can be read without one.
    #[track_caller]
    pub fn open(address: SocketAddr) -> Self {
        Self::with(address, &[])
    }

    /// The same with these settings.
    #[track_caller]
    pub fn with(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut client = Self::bare(address);
        let settings = [&[(1, 0)], settings].concat();
        let settings: Vec<u8> =
            settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
        client.send([PREFACE, &frame(SETTINGS, 0, 0, &settings)].concat());
        client
    }

    /// Sends bytes. A server that has closed meanwhile is not an error of the sender: reading tells.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Sends many pieces, taking in what comes meanwhile. Whether the server took them all.
    pub fn flood(&mut self, pieces: impl IntoIterator<Item = Vec<u8>>) -> bool {
        let mut batch = Vec::new();
        for piece in pieces {
            batch.extend(piece);
            if batch.len() > 4096 && !(self.send(std::mem::take(&mut batch)) && self.take_in()) {
                return false;
            }
        }
        self.send(batch) && self.take_in()
    }

    /// Reads what is there. Whether the connection is still open.
    fn take_in(&mut self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let open = loop {
            match self.read_some() {
                Ok(0) => break false,
                Ok(_) => {}
                Err(error) => break error.kind() == ErrorKind::WouldBlock,
            }
        };
        self.stream.set_nonblocking(false).unwrap();
        open
    }

    fn read_some(&mut self) -> io::Result<usize> {
        let mut bytes = [0; 16 * 1024];
        let count = self.stream.read(&mut bytes)?;
        self.came.extend(&bytes[..count]);
        Ok(count)
    }

    /// The next frame; `None` at the end of the connection, which may be a reset. Settings are acknowledged.
    #[track_caller]
    pub fn next(&mut self) -> Option<Frame> {
        while self.came.len() < 9 || self.came.len() < 9 + self.length() {
            match self.read_some() {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    panic!("neither a frame nor the end within {PATIENCE:?}")
                }
                Err(_) => return None,
            }
        }
        let rest = self.came.split_off(9 + self.length());
        let bytes = std::mem::replace(&mut self.came, rest);
        let stream = u32::from_be_bytes(bytes[5..9].try_into().unwrap());
        let frame = Frame { kind: bytes[3], flags: bytes[4], stream, payload: bytes[9..].to_vec() };
        if frame.kind == SETTINGS && frame.flags & ACK == 0 {
            self.send(self::frame(SETTINGS, ACK, 0, b""));
        }
        if frame.kind == GOAWAY {
            self.goaway = Some(number(&frame.payload[4..]));
        }
        Some(frame)
    }

    fn length(&self) -> usize {
        u32::from_be_bytes([0, self.came[0], self.came[1], self.came[2]]) as usize
    }

    /// Reads to the next frame of this kind.
    #[track_caller]
    pub fn until(&mut self, kind: u8) -> Frame {
        loop {
            let frame =
                self.next().unwrap_or_else(|| panic!("the end of the connection before a frame of kind {kind}"));
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// Reads until it is clear what becomes of a request.
    #[track_caller]
    pub fn outcome(&mut self, stream: u32) -> Outcome {
        let (mut head, mut body) = (None, Vec::new());
        let answer = |status, body, cut| Outcome::Answer { status, body, cut };
        while let Some(frame) = self.next() {
            if frame.stream != stream {
                continue;
            }
            match frame.kind {
                HEADERS if head.is_none() => head = Some(status(&frame.payload)),
                DATA => body.extend(frame.payload),
                RST_STREAM => {
                    return head
                        .map_or_else(|| Outcome::Reset(number(&frame.payload)), |status| answer(status, body, true));
                }
                _ => continue,
            }
            if frame.flags & END_STREAM != 0 {
                return answer(head.expect("a head before its body"), body, false);
            }
        }
        head.map_or(Outcome::Ended(self.goaway), |status| answer(status, body, true))
    }

    /// Sends a request's HEADERS and reads what becomes of it.
    #[track_caller]
    pub fn request(&mut self, stream: u32, fields: &[(&str, &str)]) -> Outcome {
        self.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(fields)));
        self.outcome(stream)
    }

    /// Reads to the end of the connection, which must come in time; the error of the GOAWAY before it.
    #[track_caller]
    pub fn end(&mut self) -> Option<u32> {
        while self.next().is_some() {}
        self.goaway
    }

    /// Whether the server still answers here; else the connection has ended.
    #[track_caller]
    pub fn is_alive(&mut self) -> bool {
        self.send(frame(PING, 0, 0, b"is alive"));
        loop {
            match self.next() {
                Some(frame) if frame.kind == PING && frame.payload == b"is alive" => return true,
                Some(_) => {}
                None => return false,
            }
        }
    }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}

/// The first field of an answer without a dynamic table: `:status`, indexed or with its digits, as they are or in Huffman's
/// code (RFC 7541, appendices A and B).
#[track_caller]
fn status(mut block: &[u8]) -> u16 {
    while block[0] & 0xe0 == 0x20 {
        block = &block[1..];
    }
    let digits = match block {
        [index @ 0x88..=0x8e, ..] => return [200, 204, 206, 304, 400, 404, 500][usize::from(index - 0x88)],
        [0x08 | 0x18 | 0x48, length, rest @ ..] if length & 0x80 == 0 => rest[..usize::from(*length)].to_vec(),
        [0x08 | 0x18 | 0x48, length, rest @ ..] => huffman_digits(&rest[..usize::from(length & 0x7f)]),
        _ => panic!("no status in {block:02x?}"),
    };
    String::from_utf8(digits).unwrap().parse().unwrap()
}

fn huffman_digits(bytes: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let value = |range: &[u8]| range.iter().fold(0, |value, bit| value * 2 + bit);
    let (mut at, mut digits) = (0, Vec::new());
    // The padding is shorter than a digit, and all ones.
    while bits.len() >= at + 5 {
        match value(&bits[at..at + 5]) {
            short @ 0..=2 => {
                digits.push(b'0' + short);
                at += 5;
            }
            _ if bits.len() < at + 8 && bits[at..].iter().all(|bit| *bit == 1) => break,
            _ => {
                digits.push(b'3' + value(&bits[at..at + 6]) - 25);
                at += 6;
            }
        }
    }
    digits
}
