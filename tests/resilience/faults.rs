//! What clients get while the network between porteur and its upstreams, or its authorization server, fails in every way that
//! TCP knows; and that all is well again as soon as the network is.

use crate::support::client::{self, request};
use crate::support::fault_proxy::{Fault, FaultProxy, Way};
use crate::support::gateway::{Running, endpoint, protected, with};
use crate::support::poll::{PATIENCE, eventually};
use crate::support::reply::Reply;
use crate::support::scripted::Scripted;
use crate::support::tokens::order_refresh;
use crate::support::upstream::{Request, Upstream};
use serde_json::{Value, json};
use std::thread;
use std::time::Duration;

/// One endpoint of each kind, whose upstream is behind a network that can fail. A client gives up after
/// [`PATIENCE`](crate::support::poll::PATIENCE), which is far above this.
const TIMEOUT: &str = "1s";
const KINDS: [&str; 2] = ["/streamed", "/decoded"];

struct Site {
    upstream: Upstream,
    network: FaultProxy,
    gateway: Running,
}

impl Site {
    fn with(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let upstream = Upstream::start(answer);
        let network = FaultProxy::to(upstream.addr());
        let gateway = Running::with(&[
            of_kind("/streamed", "no-op", &network.url("")),
            of_kind("/decoded", "json", &network.url("")),
        ]);
        Self { upstream, network, gateway }
    }

    fn new() -> Self {
        Self::with(|request| Reply::json(200, &json!({ "method": request.method, "body": request.text() })))
    }

    /// How many requests with this method the upstream has seen whole.
    fn seen(&self, method: &str) -> usize {
        self.upstream.requests().iter().filter(|request| request.method == method).count()
    }

    fn post(&self, kind: &str) -> u16 {
        client::send(self.gateway.address, request("POST", kind, &[], b"once")).status
    }
}

fn of_kind(path: &str, encoding: &str, host: &str) -> Value {
    let keys = json!({ "timeout": TIMEOUT, "output_encoding": encoding, "method": ["GET", "POST"] });
    with(endpoint(path, host, "/"), &keys)
}

/// Every case for both kinds, at once: most of them wait for a timeout.
fn each<C: Copy + Send>(cases: impl IntoIterator<Item = C>, test: impl Fn(&'static str, C) + Sync) {
    let test = &test;
    thread::scope(|scope| {
        for case in cases {
            for kind in KINDS {
                scope.spawn(move || test(kind, case));
            }
        }
    });
}

#[test]
fn each_fault_of_the_network_has_its_status_and_no_aftermath() {
    each(
        [
            (Fault::Latency(Duration::from_millis(50)), 200),
            (Fault::Rate(4000), 200),
            (Fault::Refuse, 502),
            (Fault::Garbage, 502),
            (Fault::Blackhole, 504),
            (Fault::Stall(Way::Up, 0), 504),
            (Fault::Stall(Way::Up, 20), 504),
            (Fault::Stall(Way::Down, 0), 504),
            (Fault::Stall(Way::Down, 20), 504),
            (Fault::Reset(Way::Up, 0), 502),
            (Fault::Reset(Way::Up, 20), 502),
            (Fault::Reset(Way::Down, 0), 502),
            (Fault::Reset(Way::Down, 20), 502),
            (Fault::Close(Way::Down, 0), 502),
            (Fault::Close(Way::Down, 20), 502),
        ],
        |kind, (fault, status)| {
            let site = Site::new();
            for kept in [false, true] {
                site.network.set(fault);
                let answer = site.gateway.get(kind);
                assert_eq!(answer.status, status, "{kind} with {fault:?}, on a kept connection: {kept}");
                site.network.set(Fault::None);
                assert_eq!(site.gateway.get(kind).status, 200, "{kind} after {fault:?}");
            }
        },
    );
}

#[test]
fn a_kept_connection_that_is_dead_costs_a_get_nothing() {
    for kind in KINDS {
        for death in [Fault::Reset(Way::Up, 0), Fault::Reset(Way::Up, 10), Fault::Close(Way::Down, 0)] {
            let site = Site::new();
            assert_eq!(site.gateway.get(kind).status, 200);
            site.network.doom(death);
            assert_eq!(site.gateway.get(kind).status, 200, "{kind} with {death:?}");
            assert_eq!(site.network.connections(), 2, "{kind} with {death:?}");
        }
    }
}

#[test]
fn a_get_is_tried_once_more_and_no_oftener() {
    for kind in KINDS {
        let site = Site::new();
        assert_eq!(site.gateway.get(kind).status, 200);
        site.network.set(Fault::Reset(Way::Down, 0));
        assert_eq!(site.gateway.get(kind).status, 502, "{kind}");
        assert_eq!((site.network.connections(), site.seen("GET")), (2, 3), "{kind}");
    }
}

#[test]
fn a_post_is_sent_once_whatever_becomes_of_it() {
    for kind in KINDS {
        for warm in [false, true] {
            for (fault, whole) in [
                (Fault::Reset(Way::Down, 0), 1),
                (Fault::Reset(Way::Down, 20), 1),
                (Fault::Close(Way::Down, 0), 1),
                (Fault::Reset(Way::Up, 10), 0),
                (Fault::Reset(Way::Up, 0), 0),
            ] {
                let site = Site::new();
                if warm {
                    assert_eq!(site.gateway.get(kind).status, 200);
                }
                site.network.set(fault);
                assert_eq!(site.post(kind), 502, "{kind} with {fault:?}, warm: {warm}");
                assert_eq!(site.network.connections(), 1, "{kind} with {fault:?}, warm: {warm}");
                assert_eq!(site.seen("POST"), whole, "{kind} with {fault:?}, warm: {warm}");
                site.network.set(Fault::None);
                assert_eq!(site.post(kind), 200, "{kind} after {fault:?}, warm: {warm}");
            }
        }
    }
}

/// Long enough that no buffer on the way holds it.
fn long_body() -> String {
    json!({ "text": "0123456789abcdef".repeat(64 * 1024) }).to_string()
}

/// Bodies whose end the upstream announces in each of the three ways.
fn framed(body: &str) -> [(&'static str, String); 3] {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    [
        ("by its length", format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())),
        ("by chunks", format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len())),
        ("by the end of the connection", format!("{head}Connection: close\r\n\r\n{body}")),
    ]
}

#[test]
fn a_body_that_the_upstream_cuts_is_never_whole_for_the_client() {
    for (framing, answer) in framed(&long_body()) {
        each(
            [Fault::Reset(Way::Down, 300_000), Fault::Close(Way::Down, 300_000), Fault::Stall(Way::Down, 300_000)],
            |kind, fault| {
                if framing == "by the end of the connection" && matches!(fault, Fault::Close(..)) {
                    // A FIN is how such a body ends. (Decoded, it is no JSON then.)
                    return;
                }
                let site = Site::with({
                    let answer = answer.clone();
                    move |_| Reply::raw_then_close(&answer)
                });
                site.network.set(fault);
                match client::try_send(site.gateway.address, request("GET", kind, &[], b"")) {
                    Ok(answer) => {
                        assert_eq!(kind, "/decoded", "framed {framing}, {fault:?}: a whole body");
                        assert!([500, 502, 504].contains(&answer.status), "framed {framing}, {fault:?}: {answer:?}");
                    }
                    Err(_) => assert_eq!(kind, "/streamed", "framed {framing}, {fault:?}: no answer"),
                }
                site.network.set(Fault::None);
                let answer = site.gateway.get(kind);
                assert_eq!((answer.status, answer.body.len() > 1 << 20), (200, true), "framed {framing}, {fault:?}");
            },
        );
    }
}

#[test]
fn a_slow_body_passes_as_long_as_it_moves() {
    let body = json!({ "text": "x".repeat(60_000) }).to_string();
    let site = Site::with({
        let body = body.clone();
        move |_| Reply::text(&body)
    });
    // Twice the timeout in all.
    site.network.set(Fault::Rate(30_000));
    let answer = site.gateway.get("/streamed");
    assert_eq!((answer.status, answer.text() == body), (200, true));
}

#[test]
fn faults_of_the_authorization_server_do_not_touch_requests_while_there_is_a_token() {
    each(
        [
            Fault::Latency(Duration::from_secs(2)),
            Fault::Blackhole,
            Fault::Stall(Way::Down, 30),
            Fault::Reset(Way::Up, 0),
            Fault::Reset(Way::Down, 30),
            Fault::Close(Way::Down, 0),
            Fault::Garbage,
            Fault::Refuse,
        ],
        |kind, fault| {
            let server = Scripted::counting("TOKEN", 3600);
            let network = FaultProxy::to(server.addr());
            let upstream = Upstream::echo();
            let credential = json!({ "client_id": "c", "client_secret": "s", "client_auth": "client_secret_post",
                "token_url": network.url("/token"), "timeout": "500ms" });
            let encoding = if kind == "/streamed" { "no-op" } else { "json" };
            let endpoint = protected(kind, &upstream.url(), credential);
            let gateway = Running::with(&[with(endpoint, &json!({ "output_encoding": encoding }))]).ready();
            network.set(fault);
            order_refresh(&gateway, "c@127.0.0.1");
            let mut served = 0;
            eventually(PATIENCE, "a fetch that fails, and some requests", || {
                assert_eq!(gateway.get(kind).status, 200, "{kind} with {fault:?}");
                served += 1;
                served > 20 && failed_fetches(&gateway) > 0.0
            });
            let carries = |request: &Request| request.header("authorization") == Some("Bearer TOKEN-0");
            assert!(upstream.requests().iter().all(carries), "{kind} with {fault:?}");
        },
    );
}

fn failed_fetches(gateway: &Running) -> f64 {
    let all = gateway.probe("/metrics").text();
    let is_failure = |line: &&str| line.starts_with("porteur_token_fetches_total{") && !line.contains(r#"result="ok""#);
    let failures = all.lines().filter(is_failure).map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap());
    failures.sum()
}
