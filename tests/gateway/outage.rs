//! Many credentials at a server that is down: they do not all prove it, and none suffers for the troubles of its neighbours.

use crate::support::gateway::{Running, protected, with};
use crate::support::poll::{PATIENCE, eventually};
use crate::support::reply::Reply;
use crate::support::scripted::Scripted;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const MANY: usize = 12;

fn credentials(server: Value) -> Vec<Value> {
    (0..MANY)
        .map(|n| {
            let credential = json!({ "client_id": format!("c{n}"), "client_secret": "s", "first_token_wait": "0s" });
            protected(&format!("/{n}"), "http://127.0.0.1:9", with(credential, &server))
        })
        .collect()
}

fn sum(gateway: &Running, metric: &str) -> f64 {
    (0..MANY).map(|n| gateway.metric(&format!(r#"porteur_token_{metric}{{credential="c{n}@127.0.0.1"}}"#))).sum()
}

/// A server that is down until it is told otherwise.
fn fallible() -> (Arc<AtomicBool>, Scripted) {
    let up = Arc::new(AtomicBool::new(false));
    let server = Scripted::start({
        let up = up.clone();
        move |request, n| match (up.load(Ordering::SeqCst), request.method.as_str()) {
            (false, _) => Reply::new(503),
            (true, "POST") => Scripted::token(&format!("TOKEN-{n}"), 3600),
            (true, _) => {
                let origin = format!("http://{}", request.header("host").unwrap());
                Reply::json(200, &json!({ "issuer": origin, "token_endpoint": format!("{origin}/token") }))
            }
        }
    });
    (up, server)
}

#[test]
fn a_server_that_is_down_is_asked_by_one_at_a_time_and_by_all_when_it_is_back() {
    for by_issuer in [false, true] {
        let (up, server) = fallible();
        let address =
            if by_issuer { json!({ "issuer": server.url() }) } else { json!({ "token_url": server.token_url() }) };
        let gateway = Running::with(&credentials(address));
        eventually(PATIENCE, "all are spared once", || sum(&gateway, "fetches_spared_total") >= MANY as f64);
        // One each at the start, and five seconds apart what one of them finds out; with an issuer each asks in two places.
        let asked = server.requests().len() / if by_issuer { 2 } else { 1 };
        assert!(asked <= MANY + 4, "by issuer: {by_issuer}, {asked} requests");
        up.store(true, Ordering::SeqCst);
        eventually(PATIENCE, "all have tokens", || sum(&gateway, "usable") == MANY as f64);
    }
}

#[test]
fn who_gets_answers_does_not_suffer_for_the_impatience_of_others() {
    let server = Scripted::start(|request, n| {
        let lifetime = if request.text().contains("well") { 3 } else { 3600 };
        Scripted::token(&format!("TOKEN-{n}"), lifetime).delayed(Duration::from_millis(100))
    });
    let upstream = Upstream::echo();
    let mut endpoints = credentials(json!({ "token_url": server.token_url(), "timeout": "20ms" }));
    let well = json!({ "client_id": "well", "client_secret": "s", "client_auth": "client_secret_post",
        "token_url": server.token_url() });
    endpoints.push(protected("/well", &upstream.url(), well));
    let gateway = Running::with(&endpoints);
    let generation = || gateway.metric(r#"porteur_token_generation{credential="well@127.0.0.1"}"#);
    eventually(PATIENCE, "the others have given the server up", || sum(&gateway, "fetches_spared_total") > 0.0);
    let before = generation();
    eventually(PATIENCE, "three more tokens", || {
        assert_eq!(gateway.get("/well").status, 200);
        generation() >= before + 3.0
    });
    assert_eq!(gateway.metric(r#"porteur_token_fetches_spared_total{credential="well@127.0.0.1"}"#), 0.0);
}
