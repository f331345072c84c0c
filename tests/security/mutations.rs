//! Requests with bytes changed, cut, doubled or mixed: whatever comes of one, the process lives on, and no upstream reads anything
//! that is malformed. What each kind of mistake leads to is in `conformance/request_framing.rs` and `smuggling.rs`.

use crate::mutate::Mutator;
use crate::support::client::{self, Connection};
use crate::support::gateway::endpoint;
use crate::support::program::{Program, configuration};
use crate::support::upstream::Upstream;
use serde_json::json;

const REQUESTS: usize = 1500;

/// More than is kept for each client, however many there were.
const GROWTH: u64 = 32 << 20;

const SEEDS: [&str; 8] = [
    "GET /x?a=1&b=%20 HTTP/1.1\r\nHost: a\r\nUser-Agent: seed\r\nAccept: */*\r\nCookie: a=1; b=2\r\n\r\n",
    "GET http://a/x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\r\n",
    "POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
    "POST /held HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n",
    "HEAD /held/../x HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\nGET /x HTTP/1.0\r\n\r\n",
];

#[test]
fn no_mutation_of_a_request_harms_the_process_or_reaches_an_upstream_malformed() {
    let upstream = Upstream::echo();
    let endpoints = ["/x", "/held"].map(|path| {
        let mut endpoint = endpoint(path, &upstream.url(), path);
        endpoint["method"] = json!("*");
        endpoint["input_headers"] = json!(["*"]);
        endpoint["input_query_strings"] = json!(["*"]);
        if path == "/held" {
            endpoint["backend"][0]["extra_config"] = json!({ "qos/http-cache": {} });
        }
        endpoint
    });
    let mut program = Program::configured(&configuration(&endpoints));
    assert_eq!(client::get(program.address, "/x").status, 200);
    let before = program.resident();
    let seeds = SEEDS.map(|seed| seed.as_bytes().to_vec());
    let mut mutator = Mutator::new(&seeds);
    for _ in 0..REQUESTS {
        let bytes = mutator.next();
        let mut connection = Connection::open(program.address);
        // It may be refused in the middle.
        let _ = connection.try_write(&bytes);
        connection.finish_writing();
        let said = connection.try_rest().unwrap_or_else(|error| panic!("{:?}: {error}", bytes.escape_ascii()));
        assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 "), "{:?}: {:?}", bytes.escape_ascii(), said);
    }
    assert!(program.daemon.is_running());
    assert_eq!(client::get(program.address, "/x").status, 200);
    assert!(!program.daemon.output().contains("panicked"), "{}", program.daemon.output());
    let grown = program.resident().saturating_sub(before);
    assert!(grown < GROWTH, "{grown} bytes more");
    assert_eq!(upstream.violations(), [""; 0]);
}
