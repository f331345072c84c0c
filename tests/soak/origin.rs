//! The upstream of the soak: answers what `message` says, in ways that the kind of the endpoint asks for. It keeps the
//! numbers of POST requests, to know one that comes twice.

use super::message;
use crate::support::listener::Listener;
use crate::support::wire::{self, Framing, Head};
use std::collections::HashSet;
use std::io::{self, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What all origins have seen.
#[derive(Default)]
pub struct Seen {
    posts: Mutex<HashSet<u64>>,
    requests: AtomicUsize,
    twice: AtomicUsize,
    without_token: AtomicUsize,
    malformed: AtomicUsize,
}

/// The numbers of it.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    pub requests: usize,
    pub posts: usize,
    pub twice: usize,
    pub without_token: usize,
    pub malformed: usize,
}

impl Seen {
    pub fn told(&self) -> Told {
        let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        Told {
            requests: count(&self.requests),
            posts: self.posts.lock().unwrap().len(),
            twice: count(&self.twice),
            without_token: count(&self.without_token),
            malformed: count(&self.malformed),
        }
    }
}

impl Told {
    pub fn wrong(self) -> Vec<String> {
        let counts = [
            (self.twice, "POST requests came twice"),
            (self.without_token, "requests came without their token"),
            (self.malformed, "requests were no HTTP"),
        ];
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
    }
}

pub struct Origin(Listener);

impl Origin {
    pub fn start(seen: &Arc<Seen>) -> Self {
        let seen = seen.clone();
        Self(Listener::start(move |stream, _| {
            if let Err(error) = serve(stream, &seen)
                && error.kind() == ErrorKind::InvalidData
            {
                seen.malformed.fetch_add(1, Ordering::SeqCst);
            }
        }))
    }

    pub fn addr(&self) -> SocketAddr {
        self.0.addr()
    }
}

fn serve(mut stream: &TcpStream, seen: &Seen) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(head) = wire::read_head(&mut reader)? {
        let (body, _) = wire::read_body(&mut reader, Framing::of_request(&head.headers)?)?;
        seen.requests.fetch_add(1, Ordering::SeqCst);
        let asked = Asked::of(&head).ok_or_else(|| wire::bad(format!("request line {:?}", head.start)))?;
        if asked.method == "POST" && !seen.posts.lock().unwrap().insert(asked.number) {
            seen.twice.fetch_add(1, Ordering::SeqCst);
        }
        let has_token = head.headers.get("authorization").is_some_and(|value| value.starts_with("Bearer SOAK-"));
        if asked.kind == "token" && !has_token {
            seen.without_token.fetch_add(1, Ordering::SeqCst);
        }
        match asked.kind {
            "part" => {
                whole(stream, "application/json", message::part(asked.number, asked.size).to_string().as_bytes())?
            }
            "slow" => slowly(stream, &message::answer(asked.number, asked.method, &body, asked.size))?,
            _ if asked.number % 3 == 0 => {
                in_chunks(stream, &message::answer(asked.number, asked.method, &body, asked.size))?
            }
            _ => whole(stream, "text/plain", &message::answer(asked.number, asked.method, &body, asked.size))?,
        }
        stream.flush()?;
    }
    Ok(())
}

/// `POST /post/17?size=100`
struct Asked<'h> {
    method: &'h str,
    kind: &'h str,
    number: u64,
    size: usize,
}

impl<'h> Asked<'h> {
    fn of(head: &'h Head) -> Option<Self> {
        let mut words = head.start.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let (path, query) = target.split_once('?')?;
        let (kind, number) = path.strip_prefix('/')?.split_once('/')?;
        let size = query.strip_prefix("size=")?.parse().ok()?;
        Some(Self { method, kind, number: number.parse().ok()?, size })
    }
}

fn whole(mut stream: &TcpStream, content_type: &str, body: &[u8]) -> io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat())
}

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";

fn in_chunks(mut stream: &TcpStream, body: &[u8]) -> io::Result<()> {
    let mut bytes = CHUNKED.to_vec();
    for piece in body.chunks(4096) {
        bytes.extend(chunk(piece));
    }
    bytes.extend(b"0\r\n\r\n");
    stream.write_all(&bytes)
}

/// In ten pieces with a pause before each: what a slow upstream is.
fn slowly(mut stream: &TcpStream, body: &[u8]) -> io::Result<()> {
    stream.write_all(CHUNKED)?;
    for piece in body.chunks(body.len().div_ceil(10)) {
        thread::park_timeout(Duration::from_millis(20));
        stream.write_all(&chunk(piece))?;
    }
    stream.write_all(b"0\r\n\r\n")
}

fn chunk(piece: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()
}
