//! How connections of HTTP/2 come to their end: when their clients keep us waiting or cancel what they ask for, after so many
//! requests, when others need their place, and when the process drains.

use crate::support::authority::Authority;
use crate::support::client::{self, Connection};
use crate::support::gateway::{Running, endpoint};
use crate::support::h2_frames::{
    ACK, CANCEL, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frames, GOAWAY, HEADERS, NO_ERROR, Outcome, PING,
    PREFACE, RST_STREAM, SETTINGS, block, frame, get, post, pseudo, reset,
};
use crate::support::poll::{Latch, PATIENCE, eventually};
use crate::support::reply::Reply;
use crate::support::tls_edge::files;
use crate::support::tool;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

/// A gateway with these keys and `limits` before `upstream`, at `/x`, `/slow` and (for POST) `/p`.
fn limited(upstream: &Upstream, keys: &Value, limits: &Value) -> Running {
    let mut body = endpoint("/p", &upstream.url(), "/x");
    body["method"] = json!("POST");
    let endpoints = [endpoint("/x", &upstream.url(), "/x"), endpoint("/slow", &upstream.url(), "/slow"), body];
    let mut configuration =
        json!({ "use_h2c": true, "extra_config": { "limits": limits }, "timeout": "20s", "endpoints": endpoints });
    configuration.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    Running::start(configuration)
}

/// An upstream that answers `/x` at once and `/slow` when the latch is open.
fn slow(latch: &Latch) -> Upstream {
    let latch = latch.clone();
    Upstream::start(
        move |request| if request.target == "/slow" { Reply::text("late").after(&latch) } else { Reply::text("soon") },
    )
}

fn late() -> Outcome {
    Outcome::Answer { status: 200, body: b"late".to_vec(), cut: false }
}

fn cut(gateway: &Running, reason: &str) -> f64 {
    gateway.metric(&format!("porteur_connections_cut_total{{listener=\"public\",reason=\"{reason}\"}}"))
}

/// A client that has exchanged settings: no frame of its own comes into what it sends now.
#[track_caller]
fn settled(gateway: &Running) -> Frames {
    let mut client = Frames::open(gateway.address);
    client.until(SETTINGS);
    client
}

/// The connection ends for its client's fault, which is counted.
#[track_caller]
fn is_calmed(gateway: &Running, client: &mut Frames) {
    assert_eq!(client.end(), Some(ENHANCE_YOUR_CALM));
    assert_eq!(cut(gateway, "http2"), 1.0);
}

#[test]
fn what_begins_and_does_not_end_is_waited_for_as_a_head_is() {
    let half_a_block = frame(HEADERS, END_STREAM, 1, &block(&pseudo("GET", "/x")));
    let half_a_head = get(1, "/x")[..20].to_vec();
    let half_a_ping = frame(PING, 0, 0, b"is alive")[..12].to_vec();
    let after_a_body = [post(1, "/p"), frame(DATA, END_STREAM, 1, b"x"), vec![0, 0, 8]].concat();
    let upstream = slow(&Latch::new());
    for bytes in [half_a_block, half_a_head, half_a_ping, after_a_body] {
        let gateway = limited(&upstream, &json!({ "read_header_timeout": "300ms" }), &json!({}));
        let mut client = settled(&gateway);
        client.send(bytes);
        is_calmed(&gateway, &mut client);
    }
}

#[test]
fn a_head_that_trickles_does_not_outlast_its_time() {
    let upstream = slow(&Latch::new());
    let gateway = limited(&upstream, &json!({ "read_header_timeout": "300ms" }), &json!({}));
    let mut client = Frames::open(gateway.address);
    client.send(&frame(HEADERS, 0, 1, &[0; 16_000])[..9]);
    // A byte whenever it has been a moment: each of them would restart a timer that is for one read.
    let ended = || cut(&gateway, "http2") == 1.0;
    eventually(PATIENCE, "the connection ends", || !client.send([0x82]) || ended());
    assert_eq!(upstream.heads(), 0);
}

#[test]
fn a_client_of_tls_that_chose_http_2_and_says_nothing_is_gone() {
    let upstream = slow(&Latch::new());
    let authority = Authority::new("edge authority");
    let pair = authority.server(&["edge.test"]);
    let keys = json!({ "tls": files(&pair), "read_header_timeout": "500ms", "use_h2c": false });
    let gateway = limited(&upstream, &keys, &json!({}));
    let ca = authority.file();
    let words = format!(
        "s_client -connect {} -servername edge.test -alpn h2 -CAfile {} -ign_eof -quiet",
        gateway.address,
        ca.display()
    );
    let said = tool::say("openssl", &words, b"");
    assert!(!said.text().is_empty(), "it ends, and says of which certificate");
    assert_eq!((cut(&gateway, "entrance"), cut(&gateway, "http2")), (1.0, 0.0));
}

/// Half a frame of DATA holds up all other streams. The wait is the grace of the rate.
#[test]
fn a_body_that_stalls_within_a_frame_ends_the_connection() {
    let upstream = slow(&Latch::new());
    let gateway = limited(&upstream, &json!({}), &json!({ "min_receive_rate": 1_000_000_000 }));
    let mut client = settled(&gateway);
    client.send([post(1, "/p"), frame(DATA, 0, 1, &[b'x'; 1000])[..500].to_vec()].concat());
    is_calmed(&gateway, &mut client);
}

#[test]
fn a_stream_that_waits_between_two_frames_is_not_slow() {
    let latch = Latch::new();
    let upstream = slow(&latch);
    let gateway = limited(&upstream, &json!({ "read_header_timeout": "200ms" }), &json!({}));
    let mut client = Frames::open(gateway.address);
    client.send([post(1, "/p"), frame(DATA, 0, 1, b"x")].concat());
    // Meanwhile the time of a head passes for somebody else.
    let mut other = Frames::bare(gateway.address);
    other.send([PREFACE, &[0, 0, 0]].concat());
    other.end();
    client.send(frame(DATA, END_STREAM, 1, b"y"));
    assert_eq!(client.outcome(1).status(), 200);
}

/// CVE-2023-44487, by a client that gives us time to begin: no request is pending when it is reset.
#[test]
fn rapid_resets_that_take_their_time_end_the_connection() {
    let upstream = Upstream::start(|_| Reply::hang());
    let gateway = limited(&upstream, &json!({}), &json!({}));
    let mut client = Frames::open(gateway.address);
    for n in 0..1000 {
        if !client.send(get(2 * n + 1, "/slow")) || cut(&gateway, "http2") > 0.0 {
            break;
        }
        upstream.wait_for_requests(n as usize + 1);
        client.send(reset(2 * n + 1, CANCEL));
        assert!(n < 500, "it goes on");
        if !client.is_alive() {
            break;
        }
    }
    is_calmed(&gateway, &mut client);
    let under_way = || gateway.metric("porteur_requests_in_flight");
    eventually(PATIENCE, "nothing is under way", || under_way() == 0.0);
    assert!(gateway.metric("porteur_failures_total{failure=\"client_gone\"}") >= 200.0);
}

#[test]
fn a_client_that_takes_answers_may_cancel_as_many() {
    let upstream =
        Upstream::start(|request| if request.target == "/slow" { Reply::hang() } else { Reply::text("soon") });
    let gateway = limited(&upstream, &json!({}), &json!({}));
    let mut client = Frames::open(gateway.address);
    for n in 0..300 {
        client.send([get(4 * n + 1, "/slow"), reset(4 * n + 1, CANCEL)].concat());
        assert_eq!(client.request(4 * n + 3, &pseudo("GET", "/x")).status(), 200, "{n}");
    }
    assert_eq!(cut(&gateway, "http2"), 0.0);
}

#[test]
fn rfc9113_6_8_after_so_many_requests_no_more_are_taken_and_those_under_way_are_answered() {
    let latch = Latch::new();
    let upstream = slow(&latch);
    let gateway = limited(&upstream, &json!({}), &json!({ "max_requests_per_connection": 3 }));
    let mut client = Frames::open(gateway.address);
    for stream in [1, 3] {
        assert_eq!(client.request(stream, &pseudo("GET", "/x")).status(), 200);
    }
    client.send(get(5, "/slow"));
    client.until(GOAWAY);
    latch.open();
    assert_eq!(client.outcome(5), late());
    assert_eq!(client.end(), Some(NO_ERROR));
    assert_eq!(cut(&gateway, "http2"), 0.0, "nobody did anything wrong");
}

#[test]
fn a_client_that_was_asked_to_leave_does_not_stay() {
    let upstream = slow(&Latch::new());
    let gateway = limited(&upstream, &json!({}), &json!({ "max_requests_per_connection": 1 }));
    let mut client = Frames::open(gateway.address);
    client.send(get(1, "/x"));
    client.until(GOAWAY);
    // It takes no notice of the PING by which the library learns that the GOAWAY has been read, and goes on as before.
    let mut stream = 1;
    eventually(PATIENCE, "the connection ends", || {
        stream += 2;
        !client.send(get(stream, "/x")) || matches!(client.outcome(stream), Outcome::Ended(_))
    });
}

#[test]
fn a_connection_without_requests_gives_way_to_another_client() {
    let upstream = slow(&Latch::new());
    let gateway = limited(&upstream, &json!({}), &json!({ "max_connections": 1 }));
    let mut idle = Frames::open(gateway.address);
    assert_eq!(idle.request(1, &pseudo("GET", "/x")).status(), 200);
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(idle.end(), Some(NO_ERROR));
    assert_eq!((cut(&gateway, "gave_way"), cut(&gateway, "http2")), (1.0, 0.0));
}

#[test]
fn a_connection_with_a_request_does_not_give_way() {
    let latch = Latch::new();
    let upstream = slow(&latch);
    let gateway = limited(&upstream, &json!({}), &json!({ "max_connections": 1 }));
    let mut busy = Frames::open(gateway.address);
    busy.send(get(1, "/slow"));
    upstream.wait_for_requests(1);
    let mut waiting = Connection::open(gateway.address);
    waiting.write(client::request("GET", "/x", &[], b""));
    let waits = || gateway.metric("porteur_accept_waits_total{listener=\"public\"}");
    eventually(PATIENCE, "there is no room", || waits() >= 1.0);
    latch.open();
    assert_eq!(busy.outcome(1), late());
    assert_eq!(waiting.response().status, 200);
}

#[test]
fn where_connections_are_scarce_their_clients_are_asked_to_leave() {
    let upstream = slow(&Latch::new());
    // One place of two is a sixteenth, rounded up.
    let gateway = limited(&upstream, &json!({}), &json!({ "max_connections": 2 }));
    let mut first = Frames::open(gateway.address);
    assert_eq!(first.request(1, &pseudo("GET", "/x")).status(), 200);
    let mut second = Frames::open(gateway.address);
    second.send(get(1, "/x"));
    second.until(GOAWAY);
}

/// RFC 9113 §6.8: first a GOAWAY for any stream; the one that says which was the last follows when the client has read it.
#[test]
fn rfc9113_6_8_a_drain_asks_clients_to_leave_and_waits_for_their_answers() {
    for acknowledges in [true, false] {
        let latch = Latch::new();
        let upstream = slow(&latch);
        let gateway = limited(&upstream, &json!({}), &json!({}));
        let mut client = Frames::open(gateway.address);
        client.send(get(1, "/slow"));
        upstream.wait_for_requests(1);
        gateway.stop();
        assert_eq!(client.until(GOAWAY).last(), i32::MAX as u32);
        let ping = client.until(PING);
        if acknowledges {
            client.send(frame(PING, ACK, 0, &ping.payload));
            assert_eq!(client.until(GOAWAY).last(), 1);
        }
        latch.open();
        assert_eq!(client.outcome(1), late(), "{acknowledges}");
        assert_eq!(client.end(), Some(NO_ERROR));
        eventually(PATIENCE, "the gateway ends", || gateway.has_ended());
    }
}

#[test]
fn a_drain_ends_connections_without_requests() {
    let upstream = slow(&Latch::new());
    let gateway = limited(&upstream, &json!({}), &json!({}));
    let mut client = Frames::open(gateway.address);
    assert_eq!(client.request(1, &pseudo("GET", "/x")).status(), 200);
    gateway.stop();
    assert_eq!(client.end(), Some(NO_ERROR));
    eventually(PATIENCE, "the gateway ends", || gateway.has_ended());
}

/// Pingora resets the stream of an empty answer that follows a failure.
#[test]
fn an_empty_answer_to_a_failure_is_a_whole_one() {
    let upstream = Upstream::start(|_| Reply::hang());
    let gateway = limited(&upstream, &json!({ "timeout": "300ms" }), &json!({}));
    let mut client = Frames::open(gateway.address);
    let head = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&pseudo("GET", "/x")));
    client.send(head);
    let outcome = client.outcome(1);
    assert!(matches!(outcome, Outcome::Answer { status: 504, cut: false, .. }), "{outcome:?}");
    // A reset would follow the end of the answer.
    client.send(frame(PING, 0, 0, b"is alive"));
    while let Some(frame) = client.next() {
        assert_ne!(frame.kind, RST_STREAM);
        if frame.kind == PING {
            break;
        }
    }
}

#[test]
fn a_stream_that_its_client_resets_is_logged_as_one_whose_client_has_gone() {
    let upstream = Upstream::start(|_| Reply::hang());
    let gateway = limited(&upstream, &json!({}), &json!({}));
    let mut client = Frames::open(gateway.address);
    client.send(get(1, "/slow"));
    upstream.wait_for_requests(1);
    client.send(reset(1, CANCEL));
    let line = gateway.access_log(1);
    assert!(line.contains("status=499") && line.contains("failure=client_gone"), "{line}");
}
