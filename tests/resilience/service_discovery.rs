//! Hosts that DNS names, and names whose addresses change.

use crate::support::dns::{Dns, Unheard};
use crate::support::gateway::Running;
use crate::support::poll::{PATIENCE, eventually};
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener};

const LOOPBACK: [u8; 4] = [127, 0, 0, 1];

fn named(name: &'static str) -> Upstream {
    Upstream::start(move |_| Reply::json(200, &json!({ "name": name })))
}

fn service(dns: &Dns, output: &str) -> Value {
    json!({
        "dns_resolver": dns.addr().to_string(), "dns_cache_ttl": "1s",
        "endpoints": [{
            "endpoint": "/", "output_encoding": output, "timeout": "10s",
            "backend": [{ "host": ["_api._tcp.porteur.test"], "sd": "dns", "url_pattern": "/" }],
        }],
    })
}

fn name(gateway: &Running) -> String {
    gateway.get("/").json()["name"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn srv_records_name_the_hosts_by_priority_and_weight() {
    for output in ["no-op", "json"] {
        let (dns, a, b, c) = (Dns::start(), named("a"), named("b"), named("c"));
        for host in ["a.test", "b.test", "c.test"] {
            dns.set_a(host, &[LOOPBACK]);
        }
        dns.set_srv(
            "_api._tcp.porteur.test",
            &[
                (20, 9, c.addr().port(), "c.test"),
                (10, 2, a.addr().port(), "a.test"),
                (10, 1, b.addr().port(), "b.test"),
            ],
        );
        let gateway = Running::start(service(&dns, output));
        for _ in 0..6 {
            assert_eq!(gateway.get("/").status, 200);
        }
        let counts = [&a, &b, &c].map(|upstream| upstream.requests().len());
        assert_eq!(counts, [4, 2, 0], "{output}");
        let host = format!("a.test:{}", a.addr().port());
        assert_eq!(a.requests()[0].header("host"), Some(&*host));
        drop((a, b));
        assert_eq!(name(&gateway), "c", "the next priority, when none of the first takes a connection");
    }
}

#[test]
fn changes_of_records_are_followed_and_what_cannot_be_asked_stays() {
    let (dns, a, b) = (Dns::start(), named("a"), named("b"));
    let gateway = Running::start(service(&dns, "no-op"));
    assert_eq!(gateway.get("/").status, 503, "there is no such service yet");
    dns.set_a("a.test", &[LOOPBACK]);
    dns.set_a("b.test", &[LOOPBACK]);
    dns.set_srv("_api._tcp.porteur.test", &[(1, 1, a.addr().port(), "a.test")]);
    eventually(PATIENCE, "the service is found", || gateway.get("/").status == 200);
    dns.set_srv("_api._tcp.porteur.test", &[(1, 1, b.addr().port(), "b.test")]);
    eventually(PATIENCE, "the other host is asked", || name(&gateway) == "b");
    let asked = a.requests().len();
    for unknown in [
        |dns: &Dns| dns.break_down(true),
        |dns: &Dns| {
            dns.set_srv("_api._tcp.porteur.test", &[]);
            dns.break_down(false);
        },
    ] {
        unknown(&dns);
        let before = dns.questions();
        eventually(PATIENCE, "it was asked again", || dns.questions() > before + 2);
        assert_eq!(name(&gateway), "b");
    }
    assert_eq!(a.requests().len(), asked, "its connections are there, and are not used");
}

#[test]
fn names_are_looked_up_again() {
    let (dns, first) = (Dns::start(), named("first"));
    let port = first.addr().port();
    let socket = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), port)).unwrap();
    let second = Upstream::on(socket, |_| Reply::json(200, &json!({ "name": "second" })));
    dns.set_a("up.test", &[LOOPBACK]);
    let gateway = Running::start(json!({
        "dns_resolver": [dns.addr().to_string()], "dns_cache_ttl": "1s",
        "endpoints": [{
            "endpoint": "/", "timeout": "10s",
            "backend": [{ "host": [format!("http://up.test:{port}")], "url_pattern": "/" }],
        }],
    }));
    assert_eq!(name(&gateway), "first");
    dns.set_a("up.test", &[[127, 0, 0, 2]]);
    eventually(PATIENCE, "the new address is asked", || name(&gateway) == "second");
    let asked = first.requests().len();
    for _ in 0..5 {
        assert_eq!(name(&gateway), "second");
    }
    assert_eq!(first.requests().len(), asked, "the kept connection to the old address is not used");
    assert!(!second.requests().is_empty());
}

#[test]
fn one_host_that_nobody_can_name_takes_no_other_with_it() {
    let (dns, a, b) = (Dns::start(), named("a"), named("b"));
    let record = |upstream: &Upstream, name| (1, 1, upstream.addr().port(), name);
    dns.set_a("a.test", &[LOOPBACK]);
    dns.set_a("b.test", &[LOOPBACK]);
    dns.lose("dead.test", Unheard::All);
    // With a datagram that gets lost besides, there is less time for the hosts than a dead one would take.
    dns.lose("_api._tcp.porteur.test", Unheard::Next);
    dns.set_srv("_api._tcp.porteur.test", &[record(&a, "a.test"), record(&b, "dead.test")]);
    let gateway = Running::start(service(&dns, "no-op"));
    assert_eq!(name(&gateway), "a");
    dns.set_srv("_api._tcp.porteur.test", &[record(&b, "b.test"), record(&a, "dead.test")]);
    eventually(PATIENCE, "a change is followed all the same", || name(&gateway) == "b");
}
