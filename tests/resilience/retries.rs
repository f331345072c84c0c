//! How often requests are sent again, and which never are.

use crate::support::client;
use crate::support::gate::closed_port;
use crate::support::gateway::Running;
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

fn closed_ports(count: usize) -> (Vec<socket2::Socket>, Vec<String>) {
    (0..count).map(|_| closed_port()).unzip()
}

fn over(hosts: &[String], output: &str, retries: Value) -> Running {
    let balance = json!({ "outlier": { "consecutive_failures": 0 }, "retries": retries });
    Running::with(&[json!({
        "endpoint": "/", "method": "*", "output_encoding": output, "timeout": "5s",
        "backend": [{ "host": hosts, "url_pattern": "/", "extra_config": { "balance": balance } }],
    })])
}

fn outcomes(gateway: &Running) -> [f64; 3] {
    let of = |outcome| gateway.metric(&format!(r#"porteur_retries_total{{endpoint="/",outcome="{outcome}"}}"#));
    ["sent", "over_budget", "exhausted"].map(of)
}

#[test]
fn past_the_budget_there_are_none() {
    for output in ["no-op", "json"] {
        let (_sockets, hosts) = closed_ports(2);
        let gateway = over(&hosts, output, json!({ "budget_percent": 0, "min_per_second": 1 }));
        for _ in 0..15 {
            assert_eq!(gateway.get("/").status, 502, "{output}");
        }
        // Ten in ten seconds; a test that takes longer may see more.
        let [sent, over, _] = outcomes(&gateway);
        assert!(sent >= 10.0 && sent + over == 15.0, "{output}: {sent} and {over}");
        assert!(over > 0.0, "{output}");
    }
}

#[test]
fn an_outage_takes_no_more_than_its_part() {
    let (_sockets, mut hosts) = closed_ports(1);
    let up = Upstream::start(|_| Reply::new(200));
    hosts.push(up.url());
    let gateway = over(&hosts, "no-op", json!({ "budget_percent": 20, "min_per_second": 0 }));
    let failed = (0..100).filter(|_| gateway.get("/").status == 502).count();
    let [sent, over, _] = outcomes(&gateway);
    assert_eq!(sent + over, 50.0, "half of the requests began with the host that is down");
    assert!(sent <= 20.0 && over == failed as f64, "{sent} and {over}");
}

#[test]
fn attempts_have_an_end() {
    for output in ["no-op", "json"] {
        let (_sockets, hosts) = closed_ports(5);
        let gateway = over(&hosts, output, json!({ "max_attempts": 3 }));
        assert_eq!(gateway.get("/").status, 502);
        assert_eq!(outcomes(&gateway), [2.0, 0.0, 1.0], "{output}");
    }
}

#[test]
fn a_request_with_an_answer_is_never_sent_again() {
    for output in ["no-op", "json"] {
        for begun in ["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\"", "HTTP/1.1 200 OK\r\nContent-", "H"] {
            let first = Upstream::start(move |_| Reply::raw_then_close(begun));
            let other = Upstream::start(|_| Reply::json(200, &json!({ "b": 1 })));
            let gateway = over(&[first.url(), other.url()], output, json!({}));
            let _ = client::try_send(gateway.address, client::request("GET", "/", &[], b""));
            assert_eq!((first.requests().len(), other.requests().len()), (1, 0), "{output} {begun:?}");
            assert_eq!(outcomes(&gateway), [0.0; 3]);
        }
    }
}

#[test]
fn a_connection_that_is_not_taken_leads_on_whatever_the_method() {
    let (_sockets, mut hosts) = closed_ports(3);
    let up = Upstream::echo();
    hosts.push(up.url());
    for output in ["no-op", "json"] {
        let gateway = over(&hosts, output, json!({}));
        let answer = client::post(gateway.address, "/", "a body");
        assert_eq!((answer.status, &answer.json()["body"]), (200, &json!("a body")), "{output}");
        assert_eq!(outcomes(&gateway), [3.0, 0.0, 0.0], "{output}");
    }
}
