//! WebSockets through the gateway: where an endpoint allows them messages pass both ways for as long as somebody has something
//! to say, and nowhere else does a request become a tunnel.

use crate::support::authority::Authority;
use crate::support::client::{self, Connection};
use crate::support::gateway::{Running, endpoint, with};
use crate::support::listener::Listener;
use crate::support::poll::{PATIENCE, eventually};
use crate::support::rejected::rejects_the_first_token;
use crate::support::reply::Reply;
use crate::support::report::report;
use crate::support::scripted::Scripted;
use crate::support::tls_upstream::{self, Terms};
use crate::support::upstream::Upstream;
use crate::support::wire;
use serde_json::{Value, json};
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tungstenite::handshake::server::{Request, Response};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

/// A WebSocket server that gives every message back, and the heads of the handshakes it has seen.
struct Echo {
    listener: Listener,
    heads: Arc<Mutex<Vec<http::HeaderMap>>>,
}

impl Echo {
    #[allow(clippy::result_large_err, reason = "the type is that of tungstenite")]
    fn start() -> Self {
        let heads = Arc::new(Mutex::new(Vec::new()));
        let listener = Listener::start({
            let heads = heads.clone();
            move |stream, _| {
                let _ = stream.set_read_timeout(Some(PATIENCE));
                let seen = |request: &Request, mut response: Response| {
                    heads.lock().unwrap().push(request.headers().clone());
                    if let Some(wanted) = request.headers().get("sec-websocket-protocol") {
                        response.headers_mut().insert("sec-websocket-protocol", wanted.clone());
                    }
                    response.headers_mut().insert("x-own", "1".parse().unwrap());
                    Ok(response)
                };
                let Ok(mut socket) = tungstenite::accept_hdr(stream.try_clone().unwrap(), seen) else { return };
                while let Ok(message) = socket.read() {
                    let pushes = message == Message::text("push");
                    if (message.is_text() || message.is_binary()) && socket.send(message).is_err() {
                        return;
                    }
                    if pushes {
                        let _ = socket.send(Message::Ping(vec![1].into()));
                    }
                }
            }
        });
        Self { listener, heads }
    }

    fn url(&self) -> String {
        format!("ws://{}", self.listener.addr())
    }
}

fn open_to(path: &str, host: &str, more: Value) -> Value {
    let mut endpoint = endpoint(path, host, path);
    endpoint["extra_config"]["websocket"] = with(json!({ "enable_direct_communication": true }), &more);
    endpoint
}

fn connect(address: SocketAddr, path: &str) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (socket, response) = tungstenite::client(format!("ws://{address}{path}"), stream).expect("a WebSocket");
    assert_eq!(response.status(), 101);
    socket
}

const HANDSHAKE: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

fn handshake(path: &str) -> Vec<u8> {
    client::request("GET", path, &HANDSHAKE, b"")
}

#[test]
fn rfc6455_5_messages_of_all_kinds_pass_both_ways() {
    let echo = Echo::start();
    let gateway = Running::with(&[open_to("/ws", &echo.url(), json!({}))]);
    let mut socket = connect(gateway.address, "/ws");
    eventually(PATIENCE, "the tunnel is counted", || gateway.metric("porteur_websockets_open") == 1.0);
    for message in [
        Message::text("hello"),
        Message::text(""),
        Message::binary(vec![0, 255, 10, 13]),
        Message::binary((0..=255).cycle().take(3_000_000).collect::<Vec<u8>>()),
        Message::text("again"),
    ] {
        socket.send(message.clone()).unwrap();
        assert!(socket.read().unwrap() == message);
    }
    socket.send(Message::Ping(vec![7].into())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong(vec![7].into()));
    socket.send(Message::text("push")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("push"));
    assert_eq!(socket.read().unwrap(), Message::Ping(vec![1].into()));
    socket.close(Some(CloseFrame { code: CloseCode::Away, reason: "bye".into() })).unwrap();
    let Message::Close(Some(frame)) = socket.read().unwrap() else { panic!("a close frame was expected") };
    assert_eq!((frame.code, frame.reason.as_str()), (CloseCode::Away, "bye"));
    eventually(PATIENCE, "the tunnel has ended", || gateway.metric("porteur_websockets_open") == 0.0);
    let log = gateway.access_log(1);
    assert!(log.contains("101"), "{log}");
}

#[test]
fn a_tunnel_may_lead_through_tls() {
    let authority = Authority::new("a");
    let config = Arc::new(tls_upstream::config(&authority.server(&["localhost"]), Terms::default()));
    let listener = Listener::start(move |stream, _| {
        let _ = stream.set_read_timeout(Some(PATIENCE));
        let tls = rustls::ServerConnection::new(config.clone()).unwrap();
        let tls = rustls::StreamOwned::new(tls, stream.try_clone().unwrap());
        let Ok(mut socket) = tungstenite::accept(tls) else { return };
        while let Ok(message) = socket.read() {
            if (message.is_text() || message.is_binary()) && socket.send(message).is_err() {
                return;
            }
        }
    });
    let mut endpoint = open_to("/ws", &format!("wss://localhost:{}", listener.addr().port()), json!({}));
    endpoint["backend"][0]["extra_config"]["backend/http/client"] =
        json!({ "client_tls": { "ca_certs": [authority.file()], "disable_system_ca_pool": true } });
    let untrusting = open_to("/doubts", &format!("wss://localhost:{}", listener.addr().port()), json!({}));
    let gateway = Running::with(&[endpoint, untrusting]);
    let mut socket = connect(gateway.address, "/ws");
    for message in [Message::text("hello"), Message::binary(vec![7; 1_000_000])] {
        socket.send(message.clone()).unwrap();
        assert!(socket.read().unwrap() == message);
    }
    assert_eq!(client::send(gateway.address, handshake("/doubts")).status, 502);
}

#[test]
fn many_tunnels_at_once_keep_their_messages_apart() {
    let echo = Echo::start();
    let gateway = Running::with(&[open_to("/ws", &echo.url(), json!({}))]);
    thread::scope(|scope| {
        for n in 0..20 {
            let gateway = &gateway;
            scope.spawn(move || {
                let mut socket = connect(gateway.address, "/ws");
                for k in 0..20 {
                    let message = Message::text(format!("{n}-{k}"));
                    socket.send(message.clone()).unwrap();
                    assert_eq!(socket.read().unwrap(), message);
                }
            });
        }
    });
}

#[test]
fn rfc6455_4_2_what_agrees_on_a_websocket_passes_and_nothing_else_unasked() {
    let echo = Echo::start();
    let gateway = Running::with(&[open_to("/ws", &echo.url(), json!({ "input_headers": ["X-Wanted"] }))]);
    let more = [("Sec-WebSocket-Protocol", "chat"), ("Cookie", "a=b"), ("X-Wanted", "1"), ("Keep-Alive", "1")];
    let mut connection = Connection::open(gateway.address);
    let answer = connection.request(client::request("GET", "/ws", &[&HANDSHAKE[..], &more[..]].concat(), b""));
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("Upgrade"), Some("websocket"));
    assert!(answer.header("Connection").unwrap().eq_ignore_ascii_case("upgrade"));
    // RFC 6455 §1.3 has this pair as its example.
    assert_eq!(answer.header("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(answer.header("Sec-WebSocket-Protocol"), Some("chat"));
    assert_eq!(answer.header("X-Own"), Some("1"));
    for name in ["Content-Length", "Transfer-Encoding"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    let heads = echo.heads.lock().unwrap();
    let head = &heads[0];
    assert_eq!(
        (&head["connection"], &head["upgrade"], &head["x-wanted"]),
        (&"Upgrade".parse().unwrap(), &"websocket".parse().unwrap(), &"1".parse().unwrap())
    );
    assert!(!head.contains_key("cookie") && !head.contains_key("keep-alive"), "{head:?}");
}

#[test]
fn a_refusal_of_the_upstream_passes_as_it_is() {
    let upstream = Upstream::start(|_| Reply::new(403).body("not you").header("X-Why", "because"));
    let gateway = Running::with(&[open_to("/ws", &upstream.url(), json!({}))]);
    let mut connection = Connection::open(gateway.address);
    let answer = connection.request(handshake("/ws"));
    assert_eq!((answer.status, answer.text().as_str(), answer.header("X-Why")), (403, "not you", Some("because")));
    connection.expect_closed();
    // What is no handshake is a request like any other.
    assert_eq!(gateway.get("/ws").status, 403);
}

#[test]
fn bytes_after_a_refused_handshake_reach_nobody() {
    let upstream = Upstream::start(|_| Reply::new(426));
    let gateway = Running::with(&[open_to("/ws", &upstream.url(), json!({})), endpoint("/x", &upstream.url(), "/x")]);
    let smuggled = client::request("GET", "/x", &[], b"");
    let mut connection = Connection::open(gateway.address);
    connection.write([handshake("/ws"), smuggled].concat());
    assert_eq!(connection.response().status, 426);
    connection.expect_closed();
    let requests = upstream.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert!(upstream.violations().is_empty());
}

/// An upstream that takes every request for a handshake and says yes at once; then it says what it hears.
fn eager() -> (Listener, Arc<Mutex<Vec<u8>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = Listener::start({
        let heard = heard.clone();
        move |mut stream, _| {
            let _ = stream.set_read_timeout(Some(PATIENCE));
            let mut reader = BufReader::new(stream);
            while let Ok(Some(_)) = wire::read_head(&mut reader) {
                let yes = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
                let _ = stream.write_all(yes.as_bytes());
                let mut rest = [0; 1024];
                while let Ok(count @ 1..) = reader.read(&mut rest) {
                    heard.lock().unwrap().extend_from_slice(&rest[..count]);
                }
            }
        }
    });
    (listener, heard)
}

#[test]
fn rfc9110_7_8_where_it_is_not_allowed_there_is_no_tunnel() {
    let (upstream, heard) = eager();
    let host = format!("http://{}", upstream.addr());
    let mut listed = endpoint("/listed", &host, "/x");
    listed["input_headers"] = json!(["*"]);
    let mut any = open_to("/ws", &host, json!({}));
    any["method"] = json!("*");
    let gateway = Running::with(&[endpoint("/x", &host, "/x"), listed, any]);
    let h2c = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "")];
    for request in [
        handshake("/x"),
        handshake("/listed"),
        client::request("GET", "/ws", &h2c, b""),
        client::request("POST", "/ws", &HANDSHAKE, b"body"),
        client::request("GET", "/ws", &[&HANDSHAKE[..], &[("Content-Length", "4")]].concat(), b""),
    ] {
        let mut connection = Connection::open(gateway.address);
        connection.write(&request);
        connection.write("body");
        let answer = connection.response();
        assert_eq!(answer.status, 502, "{}", String::from_utf8_lossy(&request));
        let _ = connection.try_write(&"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n");
        connection.expect_closed();
    }
    let heard = heard.lock().unwrap();
    assert!(!String::from_utf8_lossy(&heard).contains("admin"), "{heard:?}");
}

#[test]
fn an_upstream_that_ignores_the_wish_answers_like_any_other() {
    let upstream = Upstream::echo();
    let gateway = Running::with(&[endpoint("/x", &upstream.url(), "/x"), open_to("/ws", &upstream.url(), json!({}))]);
    for path in ["/x", "/ws"] {
        let answer = client::send(gateway.address, handshake(path));
        assert_eq!(answer.status, 200);
        let has_upgrade = answer.text().to_lowercase().contains("\"upgrade\"");
        assert_eq!(has_upgrade, path == "/ws", "{path}: {}", answer.text());
    }
}

#[test]
fn a_quiet_socket_outlives_the_timeout_of_its_endpoint() {
    let echo = Echo::start();
    let mut quiet = open_to("/ws", &echo.url(), json!({}));
    quiet["timeout"] = json!("50ms");
    let gateway = Running::with(&[quiet]);
    let mut socket = connect(gateway.address, "/ws");
    let begun = Instant::now();
    eventually(PATIENCE, "some time", || begun.elapsed() > Duration::from_millis(300));
    socket.send(Message::text("still here")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("still here"));
}

#[test]
fn the_times_of_a_request_do_not_end_a_tunnel() {
    let echo = Echo::start();
    for key in ["read_timeout", "read_header_timeout", "write_timeout", "idle_timeout"] {
        let mut service = json!({ "endpoints": [open_to("/ws", &echo.url(), json!({}))] });
        service[key] = json!("200ms");
        let gateway = Running::start(service);
        let mut socket = connect(gateway.address, "/ws");
        let begun = Instant::now();
        eventually(PATIENCE, "some time", || begun.elapsed() > Duration::from_millis(600));
        for message in [Message::text("still here"), Message::binary(vec![1; 300_000])] {
            socket.send(message.clone()).unwrap_or_else(|error| panic!("{key}: {error}"));
            assert!(socket.read().unwrap_or_else(|error| panic!("{key}: {error}")) == message);
        }
    }
}

#[test]
fn an_upstream_that_is_silent_too_long_ends_the_tunnel() {
    let (upstream, _) = eager();
    let host = format!("http://{}", upstream.addr());
    let gateway = Running::with(&[open_to("/ws", &host, json!({ "pong_wait": "100ms" }))]);
    let mut connection = Connection::open(gateway.address);
    assert_eq!(connection.request(handshake("/ws")).status, 101);
    connection.expect_closed();
}

#[test]
fn a_handshake_that_nobody_answers_is_a_timeout() {
    let upstream = Listener::start(|mut stream, _| {
        let _ = stream.set_read_timeout(Some(PATIENCE));
        let mut rest = [0; 1024];
        while let Ok(1..) = stream.read(&mut rest) {}
    });
    let host = format!("http://{}", upstream.addr());
    let mut slow = open_to("/ws", &host, json!({}));
    slow["timeout"] = json!("100ms");
    let gateway = Running::with(&[slow]);
    assert_eq!(client::send(gateway.address, handshake("/ws")).status, 504);
    let gone = format!("http://{}", upstream.addr());
    drop(upstream);
    let gateway = Running::with(&[open_to("/ws", &gone, json!({}))]);
    assert_eq!(client::send(gateway.address, handshake("/ws")).status, 502);
}

#[test]
fn when_one_side_leaves_the_other_learns_of_it() {
    let echo = Echo::start();
    let gateway = Running::with(&[open_to("/ws", &echo.url(), json!({}))]);
    let socket = connect(gateway.address, "/ws");
    assert_eq!(echo.listener.open(), 1);
    drop(socket);
    eventually(PATIENCE, "the upstream's side ends", || echo.listener.open() == 0);
    let mut socket = connect(gateway.address, "/ws");
    echo.listener.close_connections();
    assert!(socket.read().is_err());
    eventually(PATIENCE, "nothing is left", || gateway.metric("porteur_websockets_open") == 0.0);
}

#[test]
fn a_tunnel_holds_a_drain_up_no_longer_than_it_may_take() {
    let echo = Echo::start();
    let gateway = Running::start(
        json!({ "max_shutdown_wait_time": "300ms", "endpoints": [open_to("/ws", &echo.url(), json!({}))] }),
    );
    let mut socket = connect(gateway.address, "/ws");
    assert_eq!(gateway.metric("porteur_requests_in_flight"), 1.0);
    gateway.stop();
    // It goes on for as long as there is time.
    socket.send(Message::text("still here")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("still here"));
    eventually(PATIENCE, "the gateway ends", || gateway.has_ended());
    assert!(socket.read().is_err());
}

#[test]
fn a_handshake_carries_the_token_and_is_sent_again_when_that_is_rejected() {
    let tokens = Scripted::counting("TOKEN", 3600);
    let asked = Arc::new(AtomicUsize::new(0));
    let upstream = rejects_the_first_token(asked.clone());
    let host = format!("ws://{}", upstream.addr());
    let mut guarded = open_to("/ws", &host, json!({ "input_headers": ["Authorization"] }));
    guarded["backend"][0]["extra_config"]["auth/client-credentials"] =
        crate::support::gateway::credential(&tokens.token_url());
    let gateway = Running::with(&[guarded]).ready();
    let mut socket = connect(gateway.address, "/ws");
    assert_eq!(socket.read().unwrap(), Message::text("Bearer TOKEN-1"));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[test]
fn what_cannot_be_carried_is_an_error() {
    let problems = |endpoint: Value| report(&json!({ "endpoints": [endpoint] }));
    let mut multiplexed = open_to("/ws", "ws://a.test", json!({}));
    multiplexed["extra_config"]["websocket"] = json!({});
    let text = problems(multiplexed);
    assert!(text.contains("error[E081]: one connection to the backend for all clients"), "{text}");
    for (key, value, expected) in [
        ("output_encoding", json!("json"), "E081"),
        ("method", json!("POST"), "error[E081]: a WebSocket handshake is a GET"),
    ] {
        let mut endpoint = open_to("/ws", "ws://a.test", json!({}));
        endpoint[key] = value;
        let text = problems(endpoint);
        assert!(text.contains(expected), "{text}");
    }
    let mut modern = open_to("/ws", "ws://a.test", json!({}));
    modern["backend"][0]["extra_config"]["backend/http/client"] = json!({ "http_version": "2" });
    let text = problems(modern);
    assert!(text.contains("error[E082]: a WebSocket needs HTTP/1.1"), "{text}");
    let mut kept = open_to("/ws", "ws://a.test", json!({}));
    kept["backend"][0]["extra_config"]["qos/http-cache"] = json!({});
    let text = problems(kept);
    assert!(text.contains("error[E081]: a WebSocket cannot pass where"), "{text}");
    let text = problems(open_to("/ws", "ws://a.test", json!({ "connect_event": true })));
    assert!(text.contains("error[E012]: `connect_event`"), "{text}");
}
