//! What a client sends on an HTTP/1 connection: in whatever pieces it comes, the same is refused; and whatever passes has its
//! requests where a second reader, which knows nothing but RFC 9112 §6, finds them.
//!
//! Input: a byte that says how long pieces are, then what the client sends.

use porteur::downstream::framing::{Framing, HeadLimits, Violation};

const LIMITS: HeadLimits = HeadLimits { bytes: 4096, fields: 32, target: 1024 };

pub fn check(input: &[u8]) {
    let Some((size, bytes)) = input.split_first() else { return };
    let (whole, verdict, passed) = follow(bytes, bytes.len());
    let (pieces, verdict_of_pieces, passed_in_pieces) = follow(bytes, usize::from(*size));
    assert_eq!((verdict, whole.requests()), (verdict_of_pieces, pieces.requests()), "in pieces of {size}");
    assert_eq!(place(&whole), place(&pieces), "in pieces of {size}");
    assert!(passed <= passed_in_pieces && passed_in_pieces <= bytes.len(), "in pieces of {size}");
    if verdict.is_ok() {
        let (requests, is_between) = read(bytes);
        assert_eq!(whole.requests(), requests);
        // Of an empty line that has just begun, neither knows yet.
        assert!(whole.is_between_requests() == is_between || bytes.ends_with(b"\r"), "after {requests} requests");
    } else {
        let mut again = Framing::new(LIMITS);
        let before = &bytes[..passed];
        assert_eq!(again.follow(before), Ok(()), "what passed before the refusal is right by itself");
    }
}

fn follow(bytes: &[u8], size: usize) -> (Framing, Result<(), Violation>, usize) {
    let mut framing = Framing::new(LIMITS);
    let mut passed = 0;
    for piece in bytes.chunks(size.max(1)) {
        if let Err(refused) = framing.follow(piece) {
            assert!(refused.passed <= piece.len(), "no more than there was");
            assert_eq!(framing.follow(b"x").map_err(|refused| refused.violation), Err(refused.violation));
            return (framing, Err(refused.violation), passed + refused.passed);
        }
        passed += piece.len();
    }
    (framing, Ok(()), passed)
}

fn place(framing: &Framing) -> [bool; 3] {
    [framing.is_between_requests(), framing.is_in_head(), framing.is_in_body()]
}

/// How many heads are complete, and whether the last body is: for bytes that have already passed.
fn read(mut bytes: &[u8]) -> (u64, bool) {
    let mut requests = 0;
    loop {
        while let Some(rest) = bytes.strip_prefix(b"\r\n") {
            bytes = rest;
        }
        if bytes.is_empty() {
            return (requests, true);
        }
        let Some(end) = find(bytes, b"\r\n\r\n") else { return (requests, false) };
        let (head, rest) = (String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase(), &bytes[end + 4..]);
        requests += 1;
        let value = |name: &str| head.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let after = match (value("transfer-encoding"), value("content-length")) {
            (Some(_), _) => after_chunks(rest),
            (None, Some(length)) => rest.get(length.trim().parse::<usize>().expect("a length that passed")..),
            (None, None) => Some(rest),
        };
        let Some(after) = after else { return (requests, false) };
        bytes = after;
    }
}

fn after_chunks(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let end = find(bytes, b"\r\n")?;
        let line = String::from_utf8_lossy(&bytes[..end]);
        let size = usize::from_str_radix(line.split(';').next()?, 16).ok()?;
        bytes = &bytes[end + 2..];
        if size == 0 {
            // No trailers, or those up to the empty line.
            return bytes.strip_prefix(b"\r\n").or_else(|| bytes.get(find(bytes, b"\r\n\r\n")? + 4..));
        }
        bytes = bytes.get(size..)?.get(2..)?;
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
