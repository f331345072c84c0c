//! How long an upstream may take, and what else is said of connections to it.

use crate::support::client;
use crate::support::gateway::{Running, endpoint};
use crate::support::listener::Listener;
use crate::support::poll::{PATIENCE, eventually};
use crate::support::reply::Reply;
use crate::support::report::report;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use std::net::{SocketAddr, TcpStream};

/// Longer than a test waits.
const LONG: &str = "60s";

fn slow(path: &str, host: &str) -> Value {
    let mut endpoint = endpoint(path, host, path);
    endpoint["timeout"] = json!(LONG);
    endpoint
}

fn decoded(mut endpoint: Value) -> Value {
    endpoint["output_encoding"] = json!("json");
    endpoint
}

#[test]
fn an_answer_that_does_not_begin_in_time_is_a_timeout() {
    let upstream = Upstream::start(|_| Reply::hang());
    let gateway = Running::start(json!({
        "response_header_timeout": "100ms",
        "endpoints": [slow("/x", &upstream.url()), decoded(slow("/decoded", &upstream.url()))],
    }));
    assert_eq!(gateway.get("/x").status, 504);
    assert_eq!(gateway.get("/decoded").status, 504);
}

/// A listener that takes no connection: its queue is full, and what comes after waits.
struct Full {
    _socket: Socket,
    address: SocketAddr,
    _queue: Vec<Socket>,
}

impl Full {
    fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let queue = (0..4)
            .map(|_| {
                let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                client.set_nonblocking(true).unwrap();
                // In progress for ever, once the queue is full.
                let _ = client.connect(&address.into());
                client
            })
            .collect();
        Self { _socket: socket, address, _queue: queue }
    }
}

#[test]
fn a_connection_that_does_not_come_about_in_time_goes_to_the_next_host() {
    let (full, upstream) = (Full::new(), Upstream::echo());
    assert!(TcpStream::connect_timeout(&full.address, std::time::Duration::from_millis(100)).is_err(), "it is full");
    let full = format!("http://{}", full.address);
    let mut own = slow("/own", &full);
    own["backend"][0]["extra_config"]["backend/http/client"] = json!({ "dialer_timeout": "50ms" });
    let mut both = slow("/both", &full);
    both["backend"][0]["host"] = json!([full, upstream.url()]);
    // The default is a second; whoever waits for the timeout waits longer than a test does.
    for service in [json!({}), json!({ "dialer_timeout": "50ms" })] {
        let mut service = service;
        service["endpoints"] = json!([slow("/x", &full), own, both, decoded(slow("/decoded", &full))]);
        let gateway = Running::start(service);
        for (path, status) in [("/x", 502), ("/own", 502), ("/both", 200), ("/both", 200), ("/decoded", 502)] {
            assert_eq!(gateway.get(path).status, status, "{path}");
        }
    }
}

#[test]
fn a_connection_without_a_request_is_closed_after_its_time() {
    let upstream = Upstream::echo();
    let gateway = Running::start(json!({
        "idle_connection_timeout": "50ms",
        "endpoints": [endpoint("/x", &upstream.url(), "/x"), decoded(endpoint("/decoded", &upstream.url(), "/x"))],
    }));
    for path in ["/x", "/decoded"] {
        assert_eq!(gateway.get(path).status, 200);
        eventually(PATIENCE, "the connection is closed", || upstream.open_connections() == 0);
    }
}

#[test]
fn rfc9112_9_6_who_keeps_no_connection_says_so() {
    let upstream = Upstream::echo();
    let gateway = Running::start(json!({
        "disable_keep_alives": true,
        "endpoints": [endpoint("/x", &upstream.url(), "/x"), decoded(endpoint("/decoded", &upstream.url(), "/x"))],
    }));
    for path in ["/x", "/decoded", "/x"] {
        assert_eq!(gateway.get(path).status, 200);
    }
    for request in upstream.requests() {
        assert_eq!(request.headers.all("connection"), ["close"], "{:?}", request.target);
    }
    assert_eq!(upstream.connections(), 3);
}

#[test]
fn redirects_of_a_decoded_backend_are_followed_unless_they_are_not_to_be() {
    let upstream = Upstream::start(|request| match request.target.as_str() {
        "/there" => Reply::json(200, &json!({ "there": true })),
        _ => Reply::new(302).header("Location", "/there"),
    });
    let mut stays = decoded(endpoint("/stays", &upstream.url(), "/stays"));
    stays["backend"][0]["extra_config"]["backend/http/client"] = json!({ "no_redirect": true });
    let gateway = Running::with(&[decoded(endpoint("/goes", &upstream.url(), "/goes")), stays]);
    assert_eq!(gateway.get("/goes").status, 200);
    assert_eq!(gateway.get("/stays").status, 500);
    assert_eq!(upstream.requests().iter().filter(|request| request.target == "/there").count(), 1);
}

#[test]
fn a_peer_that_only_listens_is_no_upstream() {
    let silent = Listener::start(|_, _| {});
    let gateway = Running::with(&[endpoint("/x", &format!("http://{}", silent.addr()), "/x")]);
    assert_eq!(client::post(gateway.address, "/x", "x").status, 405);
    assert_eq!(gateway.get("/x").status, 502);
}

#[test]
fn pauses_that_tcp_does_not_know_are_the_nearest_that_it_does() {
    let upstream = Upstream::echo();
    for (written, nearest) in [("500ms", "1 s"), ("10h", "32767 s")] {
        let service = json!({ "dialer_keep_alive": written, "endpoints": [endpoint("/x", &upstream.url(), "/")] });
        let expected = format!("warning[W048]: `{written}` is taken as {nearest}");
        let text = report(&service);
        assert!(text.contains(&expected), "{text}");
        let gateway = Running::start(service);
        assert_eq!(gateway.get("/x").status, 200, "{written}");
    }
}
