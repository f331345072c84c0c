//! What a client may take, and what it sees when it takes more: time for its head and its body, bytes, connections.

use crate::support::carriers;
use crate::support::client::{self, Connection};
use crate::support::gateway::{Running, endpoint};
use crate::support::h2_frames::{Frames, post};
use crate::support::poll::{Latch, PATIENCE, eventually};
use crate::support::program::Program;
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

/// A gateway with these keys on the root, in front of `upstream` at `/a`.
fn limited(upstream: &Upstream, keys: &Value) -> Running {
    let mut configuration = json!({ "endpoints": [endpoint("/a", &upstream.url(), "/a")] });
    configuration["endpoints"][0]["method"] = json!("*");
    configuration.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    Running::start(configuration)
}

fn with_limits(upstream: &Upstream, limits: &Value) -> Running {
    limited(upstream, &json!({ "extra_config": { "limits": limits } }))
}

pub fn get() -> Vec<u8> {
    client::request("GET", "/a", &[], b"")
}

pub fn cut(gateway: &Running, reason: &str) -> f64 {
    gateway.metric(&format!("porteur_connections_cut_total{{listener=\"public\",reason=\"{reason}\"}}"))
}

pub fn failures(gateway: &Running, failure: &str) -> f64 {
    gateway.metric(&format!("porteur_failures_total{{failure=\"{failure}\"}}"))
}

#[test]
fn a_head_that_does_not_end_in_time_is_408_and_the_end() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, &json!({ "read_header_timeout": "200ms" }));
    let mut client = Connection::open(gateway.address);
    client.write("GET /a HTTP/1.1\r\nHost: a\r\nX-Slow: ");
    let answer = client.response();
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
    client.expect_closed();
    assert_eq!(upstream.heads(), 0);
    assert_eq!((failures(&gateway, "request_timeout"), cut(&gateway, "refused")), (1.0, 1.0));
    let line = gateway.access_log(1);
    assert!(line.contains("status=408") && line.contains("cause=slow_head"), "{line}");
}

#[test]
fn a_head_that_trickles_does_not_outlast_the_deadline() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, &json!({ "read_header_timeout": "300ms" }));
    let mut client = Connection::open(gateway.address);
    client.write("GET /a HTTP/1.1\r\nHost: a\r\nX: ");
    // A byte whenever the socket takes one, as slow-loris does: each of them restarts a timer that is for one read.
    eventually(PATIENCE, "the connection ends", || client.try_write(b"x").is_err());
    assert_eq!(failures(&gateway, "request_timeout"), 1.0);
}

#[test]
fn the_deadline_is_for_each_head_of_a_connection() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, &json!({ "read_header_timeout": "300ms" }));
    let mut client = Connection::open(gateway.address);
    for _ in 0..3 {
        assert_eq!(client.request(get()).status, 200);
    }
    client.write("GET /a HT");
    assert_eq!(client.response().status, 408);
}

#[test]
fn a_client_that_says_nothing_is_gone_without_a_word() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, &json!({ "read_header_timeout": "200ms" }));
    Connection::open(gateway.address).expect_closed();
    assert_eq!(failures(&gateway, "request_timeout"), 0.0, "nothing was asked");
    assert_eq!(cut(&gateway, "silent"), 1.0);
}

#[test]
fn an_idle_client_is_gone_after_the_idle_timeout() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, &json!({ "idle_timeout": "200ms" }));
    let mut client = Connection::open(gateway.address);
    assert_eq!(client.request(get()).status, 200);
    client.expect_closed();
    assert_eq!(cut(&gateway, "idle"), 1.0);
}

#[test]
fn the_idle_timeout_ends_with_the_first_byte_of_a_head() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, &json!({ "idle_timeout": "300ms", "read_header_timeout": "800ms" }));
    let mut client = Connection::open(gateway.address);
    assert_eq!(client.request(get()).status, 200);
    client.write("GET /a HT");
    let mut other = Connection::open(gateway.address);
    assert_eq!(other.request(get()).status, 200);
    other.expect_closed();
    client.write("TP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 200);
    client.write("GET /a HT");
    assert_eq!(client.response().status, 408, "it has the time of a head");
}

#[test]
fn read_timeout_is_for_the_head_as_well_and_for_a_client_that_never_pauses() {
    let upstream = Upstream::echo();
    let keys = json!({ "read_timeout": "300ms", "extra_config": { "router": { "max_payload": 0 } } });
    let gateway = limited(&upstream, &keys);
    let mut client = Connection::open(gateway.address);
    client.write("GET /a HT");
    assert_eq!(client.response().status, 408);
    let mut client = Connection::open(gateway.address);
    client.write("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = [b"8000\r\n".to_vec(), vec![b'x'; 0x8000], b"\r\n".to_vec()].concat();
    eventually(PATIENCE, "the client is given up", || client.try_write(&chunk).is_err());
    assert_eq!(failures(&gateway, "request_timeout"), 2.0);
}

#[test]
fn a_head_has_a_size_a_number_of_fields_and_a_length_of_its_target() {
    let upstream = Upstream::echo();
    let limits = json!({ "limits": { "max_headers": 20, "max_uri_length": 1000 } });
    let gateway = limited(&upstream, &json!({ "max_header_bytes": 4000, "extra_config": limits }));
    let field = |length: usize| format!("GET /a HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(length));
    let fields = |count: usize| format!("GET /a HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: x\r\n".repeat(count - 1));
    let target = |length: usize| format!("GET /a?{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(length - 3));
    for (request, status) in [
        (field(3_900), 200),
        (field(4_000), 431),
        (field(900_000), 431),
        (fields(20), 200),
        (fields(21), 431),
        (target(1_000), 200),
        (target(1_001), 414),
        (target(100_000), 414),
    ] {
        let mut client = Connection::open(gateway.address);
        let answer = client.request(&request);
        assert_eq!(answer.status, status, "{}…", &request[..40]);
        if status != 200 {
            client.expect_closed();
        }
    }
    assert_eq!((failures(&gateway, "headers_too_large"), failures(&gateway, "uri_too_long")), (3.0, 2.0));
}

#[test]
fn what_is_no_request_is_counted_and_logged_without_its_content() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, &json!({}));
    let mut client = Connection::open(gateway.address);
    let answer = client.request("GET /secret HTTP/1.1\r\nAuthorization : Bearer secret\r\n\r\n");
    assert_eq!((answer.status, answer.header("server")), (400, None));
    assert_eq!(failures(&gateway, "bad_request"), 1.0);
    assert_eq!(gateway.metric(r#"porteur_requests_total{endpoint="-",status="400"}"#), 1.0);
    let line = gateway.access_log(1);
    assert!(
        line.contains("method=- ") && line.contains("status=400") && line.contains("failure=bad_request"),
        "{line}"
    );
    assert!(!line.contains("secret"), "{line}");
}

#[test]
fn a_refusal_waits_for_the_answers_before_it() {
    let latch = Latch::new();
    let held = latch.clone();
    let upstream = Upstream::start(move |_| Reply::text("first").after(&held));
    let gateway = limited(&upstream, &json!({}));
    let mut client = Connection::open(gateway.address);
    client.write([get(), b"NONSENSE\r\n\r\n".to_vec()].concat());
    upstream.wait_for_requests(1);
    latch.open();
    assert_eq!(client.response().text(), "first");
    assert_eq!(client.response().status, 400);
    client.expect_closed();
}

#[test]
fn a_request_that_does_not_come_in_time_is_408() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, &json!({ "read_timeout": "300ms" }));
    let mut client = Connection::open(gateway.address);
    client.write("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
    assert_eq!(client.response().status, 408);
    client.expect_closed();
    assert_eq!((failures(&gateway, "request_timeout"), cut(&gateway, "refused")), (1.0, 1.0));
}

#[test]
fn a_body_that_trickles_is_408_after_its_grace() {
    let upstream = Upstream::echo();
    let gateway = with_limits(&upstream, &json!({ "min_receive_rate": 1_000_000 }));
    let mut client = Connection::open(gateway.address);
    client.write("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    eventually(PATIENCE, "the client is given up", || {
        let _ = client.try_write(b"x");
        failures(&gateway, "request_timeout") > 0.0
    });
}

#[test]
fn a_body_of_http_2_is_waited_for_as_long_as_its_endpoint_may_take_however_it_is_carried() {
    let upstream = Upstream::echo();
    let gateway = carriers::started(&upstream, &json!({}), &json!({ "timeout": "300ms" }));
    for path in carriers::BOTH {
        let mut client = Frames::open(gateway.further[0]);
        client.send(post(1, path));
        assert_eq!(client.outcome(1).status(), 408, "{path}");
    }
}

#[test]
fn a_malformed_body_ends_the_request_with_400_and_the_upstream_never_sees_its_end() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, &json!({}));
    let mut client = Connection::open(gateway.address);
    client.write("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n");
    assert_eq!(client.response().status, 400);
    client.expect_closed();
    assert!(upstream.requests().is_empty(), "none was complete");
}

/// More than sockets hold between a client that reads nothing and us.
const MUCH: usize = 64 * 1024 * 1024;

#[test]
fn a_client_that_does_not_take_its_answer_is_given_up() {
    let upstream = Upstream::start(|_| Reply::text(vec![b'x'; MUCH]));
    let rate = json!({ "extra_config": { "limits": { "min_send_rate": 1_000_000_000 } } });
    for keys in [json!({ "write_timeout": "500ms" }), rate] {
        let gateway = limited(&upstream, &keys);
        let mut client = Connection::open(gateway.address);
        client.write(get());
        assert_eq!(client.head().status, 200);
        eventually(PATIENCE, "the client is given up", || cut(&gateway, "slow_reader") == 1.0);
        assert!(client.try_rest().is_ok_and(|rest| rest.len() < MUCH), "{keys}: the answer is cut off");
    }
}

#[test]
fn an_idle_client_gives_way_when_there_is_no_room_and_a_busy_one_does_not() {
    let latch = Latch::new();
    let held = latch.clone();
    let upstream = Upstream::start(move |request| {
        let reply = Reply::text("late");
        if request.target == "/a?busy" { reply.after(&held) } else { reply }
    });
    let mut configuration = json!({ "endpoints": [endpoint("/a", &upstream.url(), "/a")] });
    configuration["endpoints"][0]["input_query_strings"] = json!(["*"]);
    configuration["extra_config"]["limits"] = json!({ "max_connections": 2 });
    let gateway = Running::start(configuration);
    let mut busy = Connection::open(gateway.address);
    busy.write(client::request("GET", "/a?busy", &[], b""));
    upstream.wait_for_requests(1);
    let mut idle = Connection::open(gateway.address);
    eventually(PATIENCE, "both are in", || gateway.metric(r#"porteur_connections_open{listener="public"}"#) == 2.0);
    assert_eq!(Connection::open(gateway.address).request(get()).status, 200);
    idle.expect_closed();
    assert_eq!(cut(&gateway, "gave_way"), 1.0);
    latch.open();
    assert_eq!(busy.response().text(), "late");
}

#[test]
fn nobody_gives_way_for_a_client_that_is_not_there() {
    let upstream = Upstream::echo();
    let mut configuration = json!({ "endpoints": [endpoint("/a", &upstream.url(), "/a")] });
    configuration["extra_config"] = json!({
        "limits": { "max_connections": 2 },
        "listeners": [{ "listen": "127.0.0.1:0" }, { "listen": "127.0.0.1:0" }],
    });
    let gateway = Running::start(configuration);
    let open = || gateway.metric(r#"porteur_connections_open{listener="public"}"#);
    let mut clients = [gateway.address, gateway.further[0]].map(Connection::open);
    eventually(PATIENCE, "both are in", || open() == 2.0);
    assert_eq!(clients[0].request(get()).status, 200);
    let waits = gateway.metric(r#"porteur_accept_waits_total{listener="public"}"#);
    assert_eq!((cut(&gateway, "gave_way"), waits), (0.0, 0.0));
    // And whoever comes at any listener is served.
    assert_eq!(Connection::open(gateway.further[1]).request(get()).status, 200);
    clients[1].expect_closed();
}

#[test]
fn one_request_too_many_is_503_with_a_time_to_come_back() {
    let latch = Latch::new();
    let held = latch.clone();
    let upstream = Upstream::start(move |_| Reply::text("late").after(&held));
    let gateway = with_limits(&upstream, &json!({ "max_requests": 2 }));
    let mut clients = [0; 2].map(|_| Connection::open(gateway.address));
    clients.iter_mut().for_each(|client| client.write(get()));
    upstream.wait_for_requests(2);
    let refused = gateway.get("/a");
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(gateway.get("/__health").status, 200, "probes are answered");
    latch.open();
    for client in &mut clients {
        assert_eq!(client.response().status, 200);
    }
    assert_eq!((gateway.get("/a").status, failures(&gateway, "overloaded")), (200, 1.0));
}

#[test]
fn a_connection_ends_after_so_many_answers() {
    let upstream = Upstream::echo();
    let gateway = with_limits(&upstream, &json!({ "max_requests_per_connection": 3 }));
    let mut client = Connection::open(gateway.address);
    let told: Vec<_> = (0..3).map(|_| client.request(get()).header("connection").map(str::to_owned)).collect();
    client.expect_closed();
    assert_eq!(told.last().cloned().flatten().as_deref(), Some("close"), "{told:?}");
    assert_eq!(cut(&gateway, "last_request"), 1.0);
}

#[test]
fn the_last_answer_arrives_though_more_requests_are_on_their_way() {
    let upstream = Upstream::start(|_| Reply::text(vec![b'x'; 1024 * 1024]));
    let gateway = with_limits(&upstream, &json!({ "max_requests_per_connection": 1 }));
    let mut client = Connection::open(gateway.address);
    // More than is read at once: what stays in the socket would make the end of the connection a reset.
    client.write(get().repeat(1_000));
    upstream.wait_for_requests(1);
    let answer = client.response();
    assert_eq!((answer.status, answer.body.len()), (200, 1024 * 1024));
    client.expect_end();
    assert_eq!(upstream.heads(), 1);
}

#[test]
fn with_few_descriptors_who_was_accepted_is_served() {
    let upstream = Upstream::echo();
    let program = Program::with_descriptors(128, &[endpoint("/a", &upstream.url(), "/a")]);
    let before = cpu_ticks(program.daemon.pid());
    let mut idle: Vec<_> = (0..300).map(|_| Connection::open(program.address)).collect();
    for _ in 0..20 {
        assert_eq!(program.get("/a").status, 200);
    }
    let spent = cpu_ticks(program.daemon.pid()) - before;
    assert!(spent < 200, "two seconds of computing are a busy loop: {spent}");
    // The last of those who wait is served, too.
    assert_eq!(idle.last_mut().unwrap().request(get()).status, 200);
}

/// User and system time of a process in hundredths of a second (proc(5), fields 14 and 15 of `stat`).
fn cpu_ticks(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = text.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
    fields.map(|field| field.parse::<u64>().unwrap()).sum()
}
