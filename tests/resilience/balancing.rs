//! How requests are spread over the hosts of a backend.

use crate::support::client;
use crate::support::gateway::Running;
use crate::support::poll::{self, Latch, PATIENCE};
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};
use std::thread;

/// An endpoint over these hosts, whose answers pass, or are decoded.
fn endpoint(hosts: &[&Upstream], output: &str, balance: Value) -> Value {
    let hosts: Vec<String> = hosts.iter().map(|host| host.url()).collect();
    json!({
        "endpoint": "/", "output_encoding": output, "timeout": "10s",
        "backend": [{ "host": hosts, "url_pattern": "/", "extra_config": { "balance": balance } }],
    })
}

fn object() -> Upstream {
    Upstream::start(|_| Reply::json(200, &json!({ "a": 1 })))
}

#[test]
fn hosts_take_turns_however_answers_are_carried() {
    for output in ["no-op", "json"] {
        let upstreams = [object(), object(), object()];
        let hosts: Vec<&Upstream> = upstreams.iter().collect();
        let gateway = Running::with(&[endpoint(&hosts, output, json!({}))]);
        for _ in 0..9 {
            assert_eq!(gateway.get("/").status, 200);
        }
        let counts: Vec<_> = upstreams.iter().map(|upstream| upstream.requests().len()).collect();
        assert_eq!(counts, [3, 3, 3], "{output}");
    }
}

#[test]
fn the_less_busy_host_is_asked() {
    for output in ["no-op", "json"] {
        let (busy, free) = (Latch::new(), object());
        let slow = Upstream::start({
            let busy = busy.clone();
            move |_| Reply::json(200, &json!({ "a": 1 })).after(&busy)
        });
        let gateway = Running::with(&[endpoint(&[&slow, &free], output, json!({ "policy": "least_request" }))]);
        let address = gateway.address;
        // With nothing under way, either may be the first.
        let waiting: Vec<_> = std::iter::from_fn(|| {
            (slow.requests().is_empty() && free.requests().len() < 100).then(|| {
                let before = slow.requests().len() + free.requests().len();
                let client = thread::spawn(move || client::get(address, "/").status);
                poll::eventually(PATIENCE, "the request is there", || {
                    slow.requests().len() + free.requests().len() > before
                });
                client
            })
        })
        .collect();
        poll::eventually(PATIENCE, "others are through", || {
            waiting.iter().filter(|client| !client.is_finished()).count() <= 1
        });
        assert_eq!(slow.requests().len(), 1, "{output}");
        let before = free.requests().len();
        for _ in 0..10 {
            // A client has its answer a moment before its request is counted as done.
            poll::eventually(PATIENCE, "one is left", || gateway.metric("porteur_requests_in_flight") == 1.0);
            assert_eq!(gateway.get("/").status, 200);
        }
        assert_eq!((slow.requests().len(), free.requests().len()), (1, before + 10), "{output}");
        busy.open();
        assert!(waiting.into_iter().all(|client| client.join().unwrap() == 200));
        poll::eventually(PATIENCE, "it is asked again when it is free", || {
            gateway.get("/");
            slow.requests().len() > 1
        });
    }
}
