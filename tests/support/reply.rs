//! The answers of [`Upstream`](super::upstream::Upstream): proper ones, streamed ones, and everything that is none.

use super::poll::Latch;
use super::upstream::Request;
use super::wire::Headers;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What to answer.
pub struct Reply {
    kind: Kind,
    wait: Option<Latch>,
    delay: Option<Duration>,
}

enum Kind {
    Message { status: u16, headers: Vec<(String, String)>, body: Body },
    Raw { bytes: Vec<u8>, close: bool },
    Hang,
    Close,
    Reset,
}

enum Body {
    Whole(Vec<u8>),
    Stream(mpsc::Receiver<Piece>),
}

enum Piece {
    Data(Vec<u8>),
    End,
}

impl Reply {
    /// An answer with Content-Length.
    pub fn new(status: u16) -> Self {
        Self::of(Kind::Message { status, headers: Vec::new(), body: Body::Whole(Vec::new()) })
    }

    pub fn text(body: impl AsRef<[u8]>) -> Self {
        Self::new(200).header("Content-Type", "text/plain").body(body)
    }

    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status).header("Content-Type", "application/json").body(value.to_string())
    }

    /// These bytes and nothing else, then the next request on the same connection.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self::of(Kind::Raw { bytes: bytes.as_ref().to_vec(), close: false })
    }

    /// These bytes, then the end of the connection.
    pub fn raw_then_close(bytes: impl AsRef<[u8]>) -> Self {
        Self::of(Kind::Raw { bytes: bytes.as_ref().to_vec(), close: true })
    }

    /// No answer, for as long as the client stays.
    pub fn hang() -> Self {
        Self::of(Kind::Hang)
    }

    /// No answer, but an orderly end of the connection.
    pub fn close() -> Self {
        Self::of(Kind::Close)
    }

    /// No answer, but a TCP reset.
    pub fn reset() -> Self {
        Self::of(Kind::Reset)
    }

    /// A chunked answer that the test feeds piece by piece while the client reads.
    pub fn stream(status: u16) -> (Self, Feed) {
        let (feed, pieces) = mpsc::channel();
        let body = Body::Stream(pieces);
        (Self::of(Kind::Message { status, headers: Vec::new(), body }), Feed(feed))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, wait: None, delay: None }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Kind::Message { headers, .. } = &mut self.kind {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    pub fn body(mut self, bytes: impl AsRef<[u8]>) -> Self {
        if let Kind::Message { body, .. } = &mut self.kind {
            *body = Body::Whole(bytes.as_ref().to_vec());
        }
        self
    }

    /// Answers once the test opens the latch.
    pub fn after(mut self, latch: &Latch) -> Self {
        self.wait = Some(latch.clone());
        self
    }

    /// For tests about time limits, where slowness itself is the subject; [`Reply::after`] is better everywhere else.
    pub fn delayed(mut self, by: Duration) -> Self {
        self.delay = Some(by);
        self
    }
}

/// The test's end of a streamed answer. Dropped without [`Feed::finish`], it cuts the connection in the middle.
pub struct Feed(mpsc::Sender<Piece>);

impl Feed {
    /// Sends one chunk.
    pub fn send(&self, data: impl AsRef<[u8]>) {
        // Nobody listens any more when the client has left, which some tests are about.
        let _ = self.0.send(Piece::Data(data.as_ref().to_vec()));
    }

    pub fn finish(self) {
        let _ = self.0.send(Piece::End);
    }
}

/// True when the connection can take another request.
pub fn write(mut stream: &TcpStream, reply: Reply, request: &Request) -> io::Result<bool> {
    if reply.wait.is_some_and(|latch| !latch.wait()) {
        return Ok(false);
    }
    if let Some(delay) = reply.delay {
        thread::sleep(delay);
    }
    match reply.kind {
        Kind::Message { status, headers, body } => message(stream, status, &Headers(headers), body, request),
        Kind::Raw { bytes, close } => stream.write_all(&bytes).map(|()| !close),
        Kind::Hang => stream.read(&mut [0]).map(|_| false),
        Kind::Close => Ok(false),
        Kind::Reset => socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).map(|()| false),
    }
}

fn message(mut stream: &TcpStream, status: u16, headers: &Headers, body: Body, request: &Request) -> io::Result<bool> {
    let mut head = format!("HTTP/1.1 {status} Status\r\n");
    for (name, value) in &headers.0 {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let bodiless = request.method == "HEAD" || status == 204 || status == 304;
    match body {
        Body::Whole(bytes) => {
            if status != 204 && status != 304 {
                head.push_str(&format!("Content-Length: {}\r\n", bytes.len()));
            }
            let body: &[u8] = if bodiless { b"" } else { &bytes };
            stream.write_all(&[head.as_bytes(), b"\r\n", body].concat())?;
        }
        Body::Stream(pieces) => {
            head.push_str("Transfer-Encoding: chunked\r\n\r\n");
            stream.write_all(head.as_bytes())?;
            if !bodiless && !feed(stream, &pieces)? {
                return Ok(false);
            }
        }
    }
    Ok(!asks_to_close(headers) && !asks_to_close(&request.headers))
}

fn asks_to_close(headers: &Headers) -> bool {
    headers.get("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}

/// False when the test dropped its end before the last piece.
fn feed(mut stream: &TcpStream, pieces: &mpsc::Receiver<Piece>) -> io::Result<bool> {
    while let Ok(piece) = pieces.recv() {
        match piece {
            Piece::Data(data) if data.is_empty() => {}
            Piece::Data(data) => {
                stream.write_all(&[format!("{:x}\r\n", data.len()).as_bytes(), &data, b"\r\n"].concat())?;
            }
            Piece::End => return stream.write_all(b"0\r\n\r\n").map(|()| true),
        }
    }
    Ok(false)
}
