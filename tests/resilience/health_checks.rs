//! Addresses that are asked whether they are well.

use crate::support::gateway::{Running, credential};
use crate::support::nginx::Nginx;
use crate::support::poll::{PATIENCE, eventually};
use crate::support::reply::Reply;
use crate::support::scripted::Scripted;
use crate::support::upstream::{Request, Upstream};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

/// An upstream whose health is what the test says.
fn upstream() -> (Upstream, Arc<AtomicU16>) {
    let health = Arc::new(AtomicU16::new(200));
    let upstream = Upstream::start({
        let health = health.clone();
        move |request| match request.target.as_str() {
            "/health?deep=1" => Reply::new(health.load(Ordering::SeqCst)),
            _ => Reply::json(200, &json!({ "a": 1 })),
        }
    });
    (upstream, health)
}

fn check() -> Value {
    json!({ "path": "/health?deep=1", "interval": "100ms", "timeout": "1s", "healthy": 2, "unhealthy": 2 })
}

fn endpoint(hosts: &[String], output: &str, health: Value) -> Value {
    json!({
        "endpoint": "/", "output_encoding": output, "timeout": "10s",
        "backend": [{ "host": hosts, "url_pattern": "/", "extra_config": { "balance": { "health": health } } }],
    })
}

#[track_caller]
fn wait_for(gateway: &Running, address: SocketAddr, healthy: f64) {
    let metric = format!(r#"porteur_upstream_healthy{{address="{address}",host="{address}"}}"#);
    eventually(PATIENCE, "the state is seen", || gateway.metric(&metric) == healthy);
}

fn asked(upstream: &Upstream) -> usize {
    upstream.requests().iter().filter(|request| request.target == "/").count()
}

#[test]
fn one_that_is_unwell_is_not_asked_until_it_is_well_again() {
    for output in ["no-op", "json"] {
        let ((a, health), (b, _)) = (upstream(), upstream());
        let gateway = Running::with(&[endpoint(&[a.url(), b.url()], output, check())]);
        wait_for(&gateway, a.addr(), 1.0);
        health.store(503, Ordering::SeqCst);
        wait_for(&gateway, a.addr(), 0.0);
        let before = asked(&a);
        for _ in 0..6 {
            assert_eq!(gateway.get("/").status, 200);
        }
        assert_eq!((asked(&a), asked(&b)), (before, 6), "{output}");
        health.store(200, Ordering::SeqCst);
        wait_for(&gateway, a.addr(), 1.0);
        (0..2).for_each(|_| drop(gateway.get("/")));
        assert_eq!(asked(&a), before + 1, "{output}");
    }
}

#[test]
fn where_all_are_unwell_all_are_asked() {
    let ((a, one), (b, other)) = (upstream(), upstream());
    let gateway = Running::with(&[endpoint(&[a.url(), b.url()], "no-op", check())]);
    one.store(500, Ordering::SeqCst);
    other.store(404, Ordering::SeqCst);
    wait_for(&gateway, a.addr(), 0.0);
    wait_for(&gateway, b.addr(), 0.0);
    for _ in 0..4 {
        assert_eq!(gateway.get("/").status, 200);
    }
    assert_eq!((asked(&a), asked(&b)), (2, 2));
}

#[test]
fn it_is_asked_by_its_name_and_without_a_token() {
    let (idp, (a, _)) = (Scripted::counting("TOKEN", 3600), upstream());
    let mut endpoint = endpoint(&[a.url()], "no-op", check());
    endpoint["backend"][0]["extra_config"]["auth/client-credentials"] = credential(&idp.token_url());
    let gateway = Running::with(&[endpoint]).ready();
    wait_for(&gateway, a.addr(), 1.0);
    let of_health = || a.requests().into_iter().find(|request: &Request| request.target == "/health?deep=1");
    eventually(PATIENCE, "it is asked", || of_health().is_some());
    let request = of_health().unwrap();
    assert_eq!((request.method.as_str(), request.header("authorization")), ("GET", None));
    assert_eq!(request.header("host"), Some(&*a.addr().to_string()));
    assert_eq!(gateway.get("/").status, 200);
    assert_eq!(a.violations(), [""; 0]);
}

#[test]
fn an_nginx_that_goes_away_is_found_unwell() {
    let Some(nginx) = Nginx::start("listen LISTEN; location / { return 204; }") else { return };
    let (address, (b, _)) = (nginx.addr(), upstream());
    let health = json!({ "path": "/", "interval": "100ms", "unhealthy": 1, "status": [200, 204] });
    let gateway = Running::with(&[endpoint(&[format!("http://{address}"), b.url()], "no-op", health)]);
    wait_for(&gateway, address, 1.0);
    assert_eq!([gateway.get("/").status, gateway.get("/").status], [204, 200]);
    drop(nginx);
    wait_for(&gateway, address, 0.0);
    for _ in 0..4 {
        assert_eq!(gateway.get("/").status, 200);
    }
    assert_eq!(gateway.metric(r#"porteur_retries_total{endpoint="/",outcome="sent"}"#), 0.0);
}
