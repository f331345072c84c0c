//! A client that means no good: half requests, bytes that are no request, answers that it does not read. It must get nothing
//! for it, and cost the others nothing.

use super::Bell;
use super::ledger::Ledger;
use super::site::Site;
use crate::support::client::Connection;
use std::time::Duration;

/// Left in the middle.
const HALVES: [&[u8]; 5] = [
    b"",
    b"GET /get/1?size=1 HTTP/1.1\r\nHost: x\r\n",
    b"POST /get/",
    b"POST /post/0?size=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf",
    b"POST /post/0?size=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf",
];

/// Whole, and wrong.
const WRONG: [&[u8]; 6] = [
    b"GET /get/1?size=1 HTTP/1.1\r\n\r\n",
    b"GET /get/%2e%2e HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"GET /get/1?size=1 HTTP/9.9\r\nHost: x\r\n\r\n",
    b"POST /post/0?size=1 HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET /get/1?size=1 HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n",
];

const UNREAD: &[u8] = b"GET /get/2?size=1000000 HTTP/1.1\r\nHost: x\r\n\r\n";

pub fn client(site: &Site, ledger: &Ledger, bell: &Bell) {
    for turn in 0.. {
        if bell.wait(Duration::from_millis(20)) {
            return;
        }
        let Ok(mut connection) = Connection::try_open(site.address) else {
            ledger.note("no connection for the hostile client".to_owned());
            continue;
        };
        match turn % 3 {
            0 => {
                let _ = connection.try_write(&HALVES[turn / 3 % HALVES.len()]);
                ledger.hostile("requests left in the middle".to_owned());
            }
            1 => {
                let bytes = WRONG[turn / 3 % WRONG.len()];
                let _ = connection.try_write(&bytes);
                match connection.try_response(false) {
                    Ok(answer) if (400..500).contains(&answer.status) || answer.status == 505 => {
                        ledger.hostile(format!("wrong requests answered {}", answer.status));
                    }
                    Ok(answer) => ledger.note(format!("b\"{}\" got {}", bytes.escape_ascii(), answer.status)),
                    Err(error) => ledger.note(format!("b\"{}\" got no answer: {error}", bytes.escape_ascii())),
                }
            }
            _ => {
                let _ = connection.try_write(&UNREAD);
                ledger.hostile("answers not read".to_owned());
            }
        }
    }
}
