//! The clients: each sends requests of one kind, one after the other, and knows the answer.

use super::Bell;
use super::ledger::{Ledger, Outcome};
use super::message;
use super::site::Site;
use crate::support::client::{Connection, Response, request};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On a kept connection.
    Get,
    /// On a connection for each request.
    Fresh,
    /// With a body, its length announced or in chunks.
    Post,
    /// From an upstream that wants a token.
    Token,
    /// Made of the answers of two backends.
    Merged,
    /// From an upstream that takes its time.
    Slow,
}

pub const CLIENTS: [(Kind, u64); 6] =
    [(Kind::Get, 4), (Kind::Fresh, 1), (Kind::Post, 3), (Kind::Token, 2), (Kind::Merged, 2), (Kind::Slow, 4)];

/// Between two requests of one client. Connections for one request wait for longer, or their ports would run out: each
/// is taken for a minute after its end.
const PACE: Duration = Duration::from_millis(2);
const PACE_OF_FRESH: Duration = Duration::from_millis(8);

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET, kept connection",
            Self::Fresh => "GET, new connection",
            Self::Post => "POST",
            Self::Token => "GET with a token",
            Self::Merged => "GET of two backends",
            Self::Slow => "GET, slow upstream",
        }
    }

    /// Whether another upstream can serve it when one does not take connections.
    pub const fn has_another_upstream(self) -> bool {
        !matches!(self, Self::Merged)
    }

    const fn method(self) -> &'static str {
        if matches!(self, Self::Post) { "POST" } else { "GET" }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Get | Self::Fresh => "get",
            Self::Post => "post",
            Self::Token => "token",
            Self::Merged => "merged",
            Self::Slow => "slow",
        }
    }
}

/// Sizes that fit into one packet, into a buffer, and into none.
fn size(number: u64) -> usize {
    [0, 100, 1_000, 9_000, 50_000, 150_000][usize::try_from(number % 6).unwrap()]
}

pub fn client(kind: Kind, site: &Site, ledger: &Ledger, bell: &Bell) {
    // Smaller ones are the hostile client's.
    static NUMBERS: AtomicU64 = AtomicU64::new(1000);
    let mut kept: Option<Connection> = None;
    while !bell.wait(if kind == Kind::Fresh { PACE_OF_FRESH } else { PACE }) {
        let number = NUMBERS.fetch_add(1, Ordering::SeqCst);
        let began = Instant::now();
        let body = if kind == Kind::Post { message::filler(number, size(number / 6)) } else { Vec::new() };
        let (outcome, stays) = match ask(kind, number, &body, &mut kept, site) {
            Ok(answer) => (judge(kind, number, &body, &answer, site), is_kept(&answer)),
            Err(outcome) => (outcome, false),
        };
        if kind == Kind::Fresh || !stays {
            kept = None;
        }
        ledger.record(kind, number, began, outcome);
    }
}

fn ask(kind: Kind, number: u64, body: &[u8], kept: &mut Option<Connection>, site: &Site) -> Result<Response, Outcome> {
    let connection = match kept {
        Some(connection) => connection,
        none => none.insert(
            Connection::try_open(site.address).map_err(|error| Outcome::Wrong(format!("no connection: {error}")))?,
        ),
    };
    let target = format!("/{}/{number}?size={}", kind.path(), size(number));
    let bytes = if kind == Kind::Post && number.is_multiple_of(2) {
        chunked(&target, body)
    } else {
        request(kind.method(), &target, &[("User-Agent", "soak")], body)
    };
    // A refusal may come before the body is through.
    let written = connection.try_write(&bytes);
    let mut answer = connection.try_head().map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => Outcome::Wrong(error.to_string()),
        _ => Outcome::Silent(written.err().unwrap_or(error).to_string()),
    })?;
    connection.try_body(&mut answer, false).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => Outcome::Wrong(error.to_string()),
        _ => Outcome::Cut(error.to_string()),
    })?;
    Ok(answer)
}

fn chunked(target: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = request("POST", target, &[("Transfer-Encoding", "chunked")], b"");
    for piece in body.chunks(5000) {
        bytes.extend(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend(piece);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

fn is_kept(answer: &Response) -> bool {
    !answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}

fn judge(kind: Kind, number: u64, body: &[u8], answer: &Response, site: &Site) -> Outcome {
    match answer.status {
        200 if kind == Kind::Merged => judge_merged(number, answer, site),
        200 if answer.body == message::answer(number, kind.method(), body, size(number)) => Outcome::Served,
        200 => Outcome::Wrong(format!("{} bytes that are not the answer", answer.body.len())),
        // Not 503: there is always a token, and an address.
        502 | 504 => Outcome::Refused(answer.status),
        status => Outcome::Wrong(format!("status {status}")),
    }
}

fn judge_merged(number: u64, answer: &Response, site: &Site) -> Outcome {
    let [one, two]: [SocketAddr; 2] = [site.upstreams[0].addr(), site.upstreams[1].addr()];
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(&answer.body) else {
        return Outcome::Wrong("no JSON".to_owned());
    };
    let part = message::part(number, size(number));
    let right = |group: &str| value.get(group) == Some(&part);
    match (answer.header("x-krakend-completed"), right("one"), right("two")) {
        (Some("true"), true, true) => Outcome::Served,
        (Some("false"), true, false) if value.get("two").is_none() => Outcome::Partial(two),
        (Some("false"), false, true) if value.get("one").is_none() => Outcome::Partial(one),
        (completed, ..) => Outcome::Wrong(format!("completed {completed:?}, and not what it should be")),
    }
}
