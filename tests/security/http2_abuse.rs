//! Clients of HTTP/2 that mean harm: each flood ends its connection and is counted, memory stays flat, others are still served,
//! and the upstream sees no more of it than it should.

use crate::support::client;
use crate::support::gateway::{Running, endpoint};
use crate::support::h2_frames::{
    ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frames, HEADERS, Outcome, PADDED,
    PING, PREFACE, PRIORITY, REFUSED_STREAM, SETTINGS, UNKNOWN, WINDOW_UPDATE, block, field, frame, get, post, pseudo,
    push_length, reset,
};
use crate::support::poll::{PATIENCE, eventually};
use crate::support::program::{Program, configuration};
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// An upstream and a gateway in front of it that speaks HTTP/2: `/a` for GET, `/p` for POST with half a second.
struct Edge {
    upstream: Upstream,
    gateway: Running,
}

impl Edge {
    fn new() -> Self {
        Self::with(&json!({}), &json!({}))
    }

    fn with(root: &Value, limits: &Value) -> Self {
        Self::before(Upstream::echo(), root, limits)
    }

    fn before(upstream: Upstream, root: &Value, limits: &Value) -> Self {
        let mut keys = json!({
            "use_h2c": true, "extra_config": { "limits": limits }, "endpoints": endpoints(&upstream),
        });
        keys.as_object_mut().unwrap().extend(root.as_object().unwrap().clone());
        let gateway = Running::start(keys);
        Self { upstream, gateway }
    }

    fn client(&self) -> Frames {
        Frames::open(self.gateway.address)
    }

    /// Another client is served, and nothing is left of the first one's requests.
    #[track_caller]
    fn serves_others(&self) {
        still_serves(self.gateway.address);
        let under_way = || self.gateway.metric("porteur_requests_in_flight");
        eventually(PATIENCE, "nothing is under way", || under_way() == 0.0);
        assert_eq!(self.upstream.violations(), [""; 0]);
    }
}

fn endpoints(upstream: &Upstream) -> [Value; 2] {
    let mut slow = endpoint("/p", &upstream.url(), "/p");
    slow["method"] = json!("POST");
    slow["timeout"] = json!("500ms");
    [endpoint("/a", &upstream.url(), "/a"), slow]
}

#[track_caller]
fn still_serves(address: SocketAddr) {
    assert_eq!(client::get(address, "/a").status, 200);
    assert_eq!(Frames::open(address).request(1, &pseudo("GET", "/a")).status(), 200);
}

/// Numbers of streams that a client opens.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|n| 2 * n + 1)
}

/// Bytes of memory that may come and stay: buffers of a connection, and of the allocator.
const GROWTH: u64 = 32 << 20;

/// How many connections ended because their clients broke the rules.
const CUT: &str = "porteur_connections_cut_total{listener=\"public\",reason=\"http2\"}";

/// A flood on the built program, whose memory is looked at. Its connection must end, and be counted.
#[track_caller]
fn flood(pieces: impl IntoIterator<Item = Vec<u8>>) {
    let upstream = Upstream::echo();
    let program = before(&upstream, &json!({}));
    let memory = program.resident();
    let mut client = Frames::open(program.address);
    client.flood(pieces);
    assert!(!client.is_alive(), "the connection is still there");
    is_flat(&program, memory, GROWTH);
    eventually(PATIENCE, "it is counted", || program.metric(CUT) == 1.0);
    still_serves(program.address);
    assert_eq!(upstream.violations(), [""; 0]);
    assert!(upstream.heads() < 500, "{} requests reached the upstream", upstream.heads());
}

/// The built program with these keys, when it has served its first requests.
#[track_caller]
fn before(upstream: &Upstream, keys: &Value) -> Program {
    let mut configuration = configuration(&endpoints(upstream));
    configuration["use_h2c"] = json!(true);
    configuration.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    let program = Program::configured(&configuration);
    assert_eq!(client::get(program.address, "/a").status, 200);
    program
}

#[track_caller]
fn is_flat(program: &Program, memory: u64, most: u64) {
    let grown = program.resident().saturating_sub(memory);
    assert!(grown < most, "{grown} bytes more");
}

#[test]
fn rapid_resets_end_the_connection() {
    flood(streams(5_000).map(|stream| [get(stream, "/a"), reset(stream, CANCEL)].concat()));
}

#[test]
fn rapid_resets_are_told_to_calm_down_and_leave_nothing_behind() {
    let edge = Edge::new();
    let mut client = edge.client();
    client.flood(streams(5_000).map(|stream| [get(stream, "/a"), reset(stream, CANCEL)].concat()));
    assert_eq!(client.end(), Some(ENHANCE_YOUR_CALM));
    edge.serves_others();
}

/// CVE-2025-8671: frames that make the server reset the stream, each in its own way.
#[test]
fn a_server_that_is_made_to_reset_ends_the_connection() {
    let too_much = (i32::MAX as u32).to_be_bytes();
    let after_the_end = |stream| frame(DATA, 0, stream, b"x");
    flood(streams(5_000).map(|stream| [get(stream, "/a"), after_the_end(stream)].concat()));
    flood(streams(5_000).map(|stream| [post(stream, "/p"), frame(WINDOW_UPDATE, 0, stream, &[0; 4])].concat()));
    flood(streams(5_000).map(|stream| [post(stream, "/p"), frame(WINDOW_UPDATE, 0, stream, &too_much)].concat()));
    flood(streams(5_000).map(|stream| [post(stream, "/p"), frame(PRIORITY, 0, stream, &[0; 4])].concat()));
}

#[test]
fn requests_that_are_malformed_one_after_the_other_end_the_connection() {
    let malformed = [(":method", "GET"), (":scheme", "http"), (":path", "/a"), ("Upper", "case")];
    flood(streams(5_000).map(|stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&malformed))));
}

/// Those that the library lets pass and Pingora refuses: there is no host.
#[test]
fn requests_without_a_host_one_after_the_other_end_the_connection() {
    let hostless = block(&[(":method", "GET"), (":scheme", "http"), (":path", "/a")]);
    flood(streams(5_000).map(|stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &hostless)));
}

#[test]
fn a_head_without_end_ends_the_connection() {
    let open = || std::iter::once(frame(HEADERS, END_STREAM, 1, &block(&pseudo("GET", "/a"))));
    let long = field(b"x-long", &[b'x'; 1000]);
    flood(open().chain((0..10_000).map(|_| frame(CONTINUATION, 0, 1, &long))));
    flood(open().chain((0..20_000).map(|_| frame(CONTINUATION, 0, 1, b""))));
}

/// A head whose fields are `count` references of one byte to a field of 3.9 kB.
fn bomb(stream: u32, count: usize) -> Vec<u8> {
    // With incremental indexing (RFC 7541 §6.2.1): what it puts into the table is number 62.
    let mut bomb = block(&pseudo("GET", "/a"));
    bomb.extend([0x40, 1, b'x']);
    push_length(&mut bomb, 3900);
    bomb.extend([b'v'; 3900]);
    bomb.extend(std::iter::repeat_n(0x80 | 62, count));
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &bomb)
}

/// The first ones are 431, as they are not far beyond the bound; the last is more than that.
#[test]
fn decompression_bombs_end_the_connection() {
    flood(streams(5_000).map(|stream| bomb(stream, 20)));
    flood(std::iter::once(bomb(1, 4000)));
}

#[test]
fn a_decompression_bomb_does_not_reach_the_upstream() {
    let edge = Edge::new();
    let mut client = edge.client();
    client.send(bomb(1, 4000));
    let outcome = client.outcome(1);
    assert!(matches!(outcome, Outcome::Ended(Some(ENHANCE_YOUR_CALM))) || outcome.status() == 431, "{outcome:?}");
    assert_eq!(edge.upstream.heads(), 0);
    edge.serves_others();
}

#[test]
fn a_head_beyond_max_header_bytes_does_not_reach_the_upstream() {
    let edge = Edge::with(&json!({ "max_header_bytes": 8192 }), &json!({}));
    let mut client = edge.client();
    let long = "x".repeat(2000);
    let fields = |count| [&pseudo("GET", "/a")[..], &vec![("x-long", long.as_str()); count]].concat();
    assert_eq!(client.request(1, &fields(3)).status(), 200);
    let outcome = client.request(3, &fields(5));
    assert!(matches!(outcome, Outcome::Ended(Some(_))) || outcome.status() == 431, "{outcome:?}");
    assert_eq!(edge.upstream.heads(), 1);
    edge.serves_others();
}

#[test]
fn too_many_fields_and_too_long_targets_are_told_so() {
    let edge = Edge::with(&json!({}), &json!({ "max_headers": 20, "max_uri_length": 100 }));
    let mut client = edge.client();
    let long = format!("/a?{}", "x".repeat(100));
    assert_eq!(client.request(1, &pseudo("GET", &long)).status(), 414);
    let fields = [&pseudo("GET", "/a")[..], &[("x-a", "b"); 21]].concat();
    assert_eq!(client.request(3, &fields).status(), 431);
    assert_eq!(client.request(5, &fields[..24]).status(), 200);
    assert_eq!(edge.upstream.heads(), 1);
    edge.serves_others();
}

#[test]
fn a_flood_of_empty_data_ends_the_connection() {
    flood(std::iter::once(post(1, "/p")).chain((0..20_000).map(|_| frame(DATA, 0, 1, b""))));
}

#[test]
fn floods_of_control_frames_end_the_connection() {
    flood((0..20_000).map(|_| frame(PING, 0, 0, &[7; 8])));
    flood((0..20_000).map(|_| frame(PING, ACK, 0, &[7; 8])));
    flood((0..20_000).map(|_| frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 16])));
    flood((0..20_000).map(|_| frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes())));
    flood((0..20_000).map(|_| frame(UNKNOWN, 0, 0, &[7; 8])));
}

#[test]
fn a_flood_of_settings_ends_the_connection() {
    flood((0..20_000).map(|n: u32| frame(SETTINGS, 0, 0, &[&[0, 4][..], &n.to_be_bytes()].concat())));
    flood((0..20_000).map(|_| frame(SETTINGS, 0, 0, b"")));
}

/// Resets of streams that have ended already cost as little as other frames without a use.
#[test]
fn a_flood_of_resets_of_nothing_ends_the_connection() {
    flood(std::iter::once(get(1, "/a")).chain((0..20_000).map(|_| reset(1, CANCEL))));
}

#[test]
fn a_flood_of_streams_beyond_the_bound_ends_the_connection() {
    flood(streams(5_000).map(|stream| post(stream, "/p")));
}

/// Libraries measure the way and open their windows as bytes come, far oftener than a client may without answers.
#[test]
fn control_frames_in_proportion_to_the_answers_are_fine() {
    let edge = Edge::new();
    let mut client = edge.client();
    let controls = [frame(PING, 0, 0, &[7; 8]), frame(WINDOW_UPDATE, 0, 0, &1000_u32.to_be_bytes())].concat().repeat(5);
    for stream in streams(500) {
        client.send(&controls);
        assert_eq!(client.request(stream, &pseudo("GET", "/a")).status(), 200, "{stream}");
    }
    assert_eq!(edge.gateway.metric(CUT), 0.0);
}

/// The answers fill the buffers of the system, and a client that takes too little is cut off. What the buffers took earns next
/// to no time at this rate, so the wait is the grace of it.
#[test]
fn a_client_that_never_reads_its_answers_is_cut_off() {
    let upstream = Upstream::start(|_| Reply::text(vec![b'x'; 1 << 20]));
    let edge = Edge::before(upstream, &json!({}), &json!({ "min_send_rate": 1_000_000_000 }));
    let most = i32::MAX as u32;
    let mut client = Frames::with(edge.gateway.address, &[(4, most)]);
    let opened = frame(WINDOW_UPDATE, 0, 0, &(most - 65_535).to_be_bytes());
    client.send([opened].into_iter().chain(streams(50).map(|stream| get(stream, "/a"))).collect::<Vec<_>>().concat());
    let cut = "porteur_connections_cut_total{listener=\"public\",reason=\"slow_reader\"}";
    eventually(PATIENCE, "it is counted", || edge.gateway.metric(cut) == 1.0);
    assert_eq!(edge.gateway.metric(CUT), 0.0, "and only once");
    let under_way = || edge.gateway.metric("porteur_requests_in_flight");
    eventually(PATIENCE, "nothing is under way", || under_way() == 0.0);
    assert_eq!(client::get(edge.gateway.address, "/a").status, 200);
}

/// A hundred answers of 4 MiB of which nothing is taken: none is collected, all end, and each is counted as a client that has
/// gone. What one of them holds are the pieces of 64 KiB that lie between its two connections; half a MiB was measured, for
/// answers of 1 MiB as for such of 16.
#[test]
fn answers_whose_windows_stay_closed_are_not_collected_and_are_counted() {
    const PIECES: u64 = 100 << 20;
    let upstream = Upstream::start(|_| Reply::text([b'x'; 4 << 20].as_slice()));
    let program = before(&upstream, &json!({ "write_timeout": "1s" }));
    let memory = program.resident();
    let mut client = Frames::with(program.address, &[(4, 0)]);
    client.flood(streams(100).map(|stream| get(stream, "/a")));
    let gone = || program.metric("porteur_failures_total{failure=\"client_gone\"}");
    eventually(PATIENCE, "they end", || {
        is_flat(&program, memory, PIECES);
        gone() == 100.0
    });
    assert_eq!(client::get(program.address, "/a").status, 200);
}

#[test]
fn an_answer_waits_for_a_closed_window_no_longer_than_write_timeout() {
    let edge = Edge::with(&json!({ "write_timeout": "300ms" }), &json!({}));
    let mut client = Frames::with(edge.gateway.address, &[(4, 0)]);
    client.flood(streams(50).map(|stream| get(stream, "/a")));
    let cut =
        |outcome: &Outcome| matches!(outcome, Outcome::Answer { status: 200, body, cut: true } if body.is_empty());
    let outcome = client.outcome(1);
    assert!(cut(&outcome), "{outcome:?}");
    edge.serves_others();
    assert!(client.is_alive());
}

/// A window that opens by one byte at a time is as good as closed.
#[test]
fn an_answer_that_is_taken_byte_by_byte_ends_as_well() {
    let upstream = Upstream::start(|_| Reply::text([b'x'; 200_000]));
    let edge = Edge::before(upstream, &json!({ "write_timeout": "300ms" }), &json!({}));
    let mut client = Frames::with(edge.gateway.address, &[(4, 0)]);
    client.send(get(1, "/a"));
    let under_way = || edge.gateway.metric("porteur_requests_in_flight");
    eventually(PATIENCE, "it is under way", || under_way() == 1.0);
    eventually(PATIENCE, "it ends", || {
        client.send(frame(WINDOW_UPDATE, 0, 1, &1_u32.to_be_bytes()));
        under_way() == 0.0
    });
    edge.serves_others();
}

#[test]
fn requests_whose_bodies_never_come_end_with_the_timeout_of_their_endpoint() {
    let edge = Edge::new();
    let mut client = edge.client();
    client.flood(streams(100).map(|stream| post(stream, "/p")));
    let outcome = client.outcome(1);
    assert_eq!(outcome.status(), 408, "{outcome:?}");
    edge.serves_others();
    assert!(edge.upstream.requests().iter().all(|request| request.method == "GET"));
}

#[test]
fn more_requests_at_a_time_than_agreed_are_refused() {
    let edge = Edge::before(Upstream::start(|_| Reply::hang()), &json!({}), &json!({ "h2_max_streams": 2 }));
    let mut client = edge.client();
    client.flood(streams(3).map(|stream| get(stream, "/a")));
    assert_eq!(client.outcome(5), Outcome::Reset(REFUSED_STREAM));
    edge.upstream.wait_for_requests(2);
    client.flood(streams(3).map(|stream| reset(stream, CANCEL)));
    assert!(client.is_alive());
    let under_way = || edge.gateway.metric("porteur_requests_in_flight");
    eventually(PATIENCE, "nothing is under way", || under_way() == 0.0);
    assert_eq!(edge.upstream.heads(), 2);
}

#[test]
fn a_connection_without_requests_ends() {
    let edge = Edge::with(&json!({}), &json!({ "h2_idle_timeout": "200ms" }));
    edge.client().end();
    let mut client = edge.client();
    assert_eq!(client.request(1, &pseudo("GET", "/a")).status(), 200);
    client.end();
    // Half a head is no request, and neither is a PING.
    let mut client = edge.client();
    client.send([frame(PING, 0, 0, &[7; 8]), frame(HEADERS, 0, 1, &block(&pseudo("GET", "/a")))].concat());
    client.end();
    edge.serves_others();
}

#[test]
fn half_a_preface_is_waited_for_as_a_head_is() {
    let edge = Edge::with(&json!({ "read_header_timeout": "200ms" }), &json!({}));
    let mut client = Frames::bare(edge.gateway.address);
    client.send(&PREFACE[..20]);
    client.end();
    edge.serves_others();
}

#[test]
fn what_is_no_preface_is_no_request_either() {
    let edge = Edge::new();
    let answer = client::try_send(edge.gateway.address, "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n").unwrap();
    assert_eq!(answer.status, 400);
    let mut client = Frames::bare(edge.gateway.address);
    client.send([PREFACE, &get(1, "/a")].concat());
    // RFC 9113 §3.4: SETTINGS comes first.
    client.send(frame(DATA, 0, 1, b"x"));
    client.end();
    edge.serves_others();
}

/// RFC 9113 §4.2, §5.1, §6: errors of the connection, each with its own code.
#[test]
fn frames_that_are_none_end_the_connection() {
    let edge = Edge::new();
    let mut counted = 0.0;
    let giant = [&[0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1][..], &[0; 1000]].concat();
    for (what, bytes) in [
        ("DATA before HEADERS", frame(DATA, END_STREAM, 1, b"x")),
        ("a length beyond the limit", giant),
        ("one byte beyond the limit", frame(PING, 0, 0, &[0; 16 * 1024 + 1])),
        ("padding as long as its frame", [post(1, "/p"), frame(DATA, PADDED, 1, &[200, b'x'])].concat()),
        ("padding without a length", [post(1, "/p"), frame(DATA, PADDED, 1, b"")].concat()),
        ("padding of a head", frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, &[255, 0x82])),
        ("a PING of nine bytes", frame(PING, 0, 0, &[0; 9])),
        ("a PING on a stream", frame(PING, 0, 1, &[0; 8])),
        ("SETTINGS on a stream", frame(SETTINGS, 0, 1, b"")),
        ("SETTINGS of five bytes", frame(SETTINGS, 0, 0, &[0; 5])),
        ("a window beyond its limit", frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff])),
        ("a stream of the server's", get(2, "/a")),
        ("a stream of number 0", get(0, "/a")),
        ("a stream lower than the last", [get(5, "/a"), get(3, "/a")].concat()),
        ("CONTINUATION of nothing", frame(CONTINUATION, END_HEADERS, 1, b"")),
        ("another frame in a head", [frame(HEADERS, 0, 1, &[0x82]), frame(PING, 0, 0, &[0; 8])].concat()),
        ("PUSH_PROMISE of a client", frame(5, END_HEADERS, 1, &[0, 0, 0, 2])),
        ("an index of no table", frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff, 0xff, 0x7f])),
        ("a table larger than agreed", frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0x3f, 0xff, 0xff, 0x7f])),
    ] {
        let mut client = edge.client();
        client.send(bytes);
        assert!(client.end().is_some_and(|code| code != 0), "{what}");
        counted += 1.0;
        assert_eq!(edge.gateway.metric(CUT), counted, "{what}");
    }
    assert!(edge.upstream.requests().iter().all(|request| request.method == "GET"));
    edge.serves_others();
}
