//! Clients that take their time, by the tool that is made for it: whoever is not slow is served all the while, and the slow
//! ones are sent away.

use crate::support::gateway::{Running, endpoint, with};
use crate::support::reply::Reply;
use crate::support::tool::find;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};
use std::process::{Command, Stdio};

/// Seconds that an attack lasts, unless it has no connection left. It is let go on for its first five
/// (`config::model::Limits::GRACE`).
const LASTS: &str = "12";

/// Two hundred slow clients on a gateway with these limits, until it is rid of them.
fn attack(limits: Value, arguments: &[&str]) {
    if find("slowhttptest").is_none() {
        return;
    }
    // An answer that no socket's buffer holds.
    let upstream = Upstream::start(|_| Reply::text("x".repeat(8 << 20)));
    let mut posting = endpoint("/x", &upstream.url(), "/");
    posting["method"] = json!(["GET", "POST"]);
    let gateway = Running::start(with(limits, &json!({ "endpoints": [posting] })));
    let url = format!("http://{}/x", gateway.address);
    let mut command = Command::new("slowhttptest");
    command.args(arguments).args(["-c", "200", "-r", "200", "-i", "1", "-l", LASTS, "-p", "5", "-u", &url]);
    let mut attack = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut most = 0.0;
    while attack.try_wait().unwrap().is_none() {
        assert_eq!(gateway.get("/__health").status, 200, "during {arguments:?}");
        let under_way = gateway.metric("porteur_requests_in_flight");
        most = f64::max(most, under_way);
        // Who reads slowly does not learn soon that the answer has ended.
        if most > 100.0 && under_way == 0.0 {
            attack.kill().unwrap();
        }
    }
    let output = attack.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() || said.contains("No open connections left"), "{arguments:?}, {most}: {said}");
    assert_eq!(gateway.get("/x").body.len(), 8 << 20, "after {arguments:?}");
}

#[test]
fn slow_heads_hold_nobody_up() {
    attack(json!({ "read_header_timeout": "2s" }), &["-H"]);
}

#[test]
fn slow_bodies_hold_nobody_up() {
    attack(json!({}), &["-B"]);
}

#[test]
fn slow_readers_hold_nobody_up() {
    attack(json!({ "write_timeout": "4s" }), &["-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32"]);
}
