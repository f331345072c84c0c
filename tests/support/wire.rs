//! HTTP/1.1 messages as bytes, read strictly: whatever a careful peer would refuse is an error with a reason, never
//! repaired. So a malformed message from porteur is seen by the test that provoked it.

use std::io::{self, BufRead, Error, ErrorKind};

/// Header lines in their order, names as written.
#[derive(Debug, Clone, Default)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The first value of this name, in any case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

/// Start line and headers. `raw` holds the bytes up to and with the empty line.
#[derive(Debug, Clone)]
pub struct Head {
    pub raw: Vec<u8>,
    pub start: String,
    pub headers: Headers,
}

/// Reads a head; `None` when the peer closed before its first byte.
pub fn read_head(from: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut raw = Vec::new();
    let Some(start) = line(from, &mut raw)? else { return Ok(None) };
    let mut headers = Vec::new();
    loop {
        let text = line(from, &mut raw)?.ok_or(ErrorKind::UnexpectedEof)?;
        if text.is_empty() {
            return Ok(Some(Head { raw, start, headers: Headers(headers) }));
        }
        headers.push(header(&text)?);
    }
}

fn header(text: &str) -> io::Result<(String, String)> {
    let (name, value) = text.split_once(':').ok_or_else(|| bad(format!("header line without colon: {text:?}")))?;
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(bad(format!("header name {name:?}")));
    }
    if value.bytes().any(|b| (b < b' ' && b != b'\t') || b == 0x7f) {
        return Err(bad(format!("control byte in the value of {name}")));
    }
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Empty,
    Length(usize),
    Chunked,
    UntilClose,
}

impl Framing {
    pub fn of_request(headers: &Headers) -> io::Result<Self> {
        Ok(Self::declared(headers)?.unwrap_or(Self::Empty))
    }

    pub fn of_response(headers: &Headers, status: u16, to_head: bool) -> io::Result<Self> {
        let declared = Self::declared(headers)?;
        if to_head || status < 200 || status == 204 || status == 304 {
            return Ok(Self::Empty);
        }
        Ok(declared.unwrap_or(Self::UntilClose))
    }

    fn declared(headers: &Headers) -> io::Result<Option<Self>> {
        match (headers.all("transfer-encoding").as_slice(), headers.all("content-length").as_slice()) {
            ([], []) => Ok(None),
            ([], [length]) => Ok(Some(Self::Length(digits(length, 10)?))),
            ([coding], []) if coding.eq_ignore_ascii_case("chunked") => Ok(Some(Self::Chunked)),
            (codings, lengths) => {
                Err(bad(format!("framing: transfer-encoding {codings:?}, content-length {lengths:?}")))
            }
        }
    }
}

/// Reads a whole body; gives its bytes and its trailers.
pub fn read_body(from: &mut impl BufRead, framing: Framing) -> io::Result<(Vec<u8>, Headers)> {
    let mut body = Vec::new();
    match framing {
        Framing::Empty => {}
        Framing::UntilClose => drop(from.read_to_end(&mut body)?),
        Framing::Length(length) => {
            body.resize(length, 0);
            from.read_exact(&mut body)?;
        }
        Framing::Chunked => {
            while let Some(chunk) = read_chunk(from)? {
                body.extend(chunk);
            }
            return Ok((body, read_trailers(from)?));
        }
    }
    Ok((body, Headers::default()))
}

/// One chunk; `None` for the last one, after which the trailers follow.
pub fn read_chunk(from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let size = line(from, &mut Vec::new())?.ok_or(ErrorKind::UnexpectedEof)?;
    let mut chunk = vec![0; digits(&size, 16)?];
    if chunk.is_empty() {
        return Ok(None);
    }
    from.read_exact(&mut chunk)?;
    let mut end = [0; 2];
    from.read_exact(&mut end)?;
    if end == *b"\r\n" { Ok(Some(chunk)) } else { Err(bad("chunk longer than its size".into())) }
}

pub fn read_trailers(from: &mut impl BufRead) -> io::Result<Headers> {
    let mut trailers = Vec::new();
    loop {
        let text = line(from, &mut Vec::new())?.ok_or(ErrorKind::UnexpectedEof)?;
        if text.is_empty() {
            return Ok(Headers(trailers));
        }
        trailers.push(header(&text)?);
    }
}

fn digits(text: &str, radix: u32) -> io::Result<usize> {
    let fits = !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    fits.then(|| usize::from_str_radix(text, radix).ok()).flatten().ok_or_else(|| bad(format!("length {text:?}")))
}

/// A line without its CRLF, appended whole to `raw`; `None` at the end of the stream.
fn line(from: &mut impl BufRead, raw: &mut Vec<u8>) -> io::Result<Option<String>> {
    let start = raw.len();
    from.read_until(b'\n', raw)?;
    let text = &raw[start..];
    if text.is_empty() {
        return Ok(None);
    }
    let Some(text) = text.strip_suffix(b"\n") else { return Err(ErrorKind::UnexpectedEof.into()) };
    let text = text.strip_suffix(b"\r").ok_or_else(|| bad("line feed without carriage return".into()))?;
    Ok(Some(String::from_utf8_lossy(text).into_owned()))
}

pub fn bad(why: String) -> Error {
    Error::new(ErrorKind::InvalidData, why)
}
