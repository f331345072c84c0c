//! Clients that take their time, by the tool that is made for it: whoever is not slow is served all the while.

use crate::support::client;
use crate::support::gateway::{Running, endpoint};
use crate::support::program::has;
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use std::process::{Command, Stdio};

/// Seconds that an attack lasts.
const LASTS: &str = "4";

fn attack(arguments: &[&str]) {
    if !has("slowhttptest") {
        return;
    }
    // An answer that no socket's buffer holds.
    let upstream = Upstream::start(|_| Reply::text("x".repeat(4 << 20)));
    let mut posting = endpoint("/x", &upstream.url(), "/");
    posting["method"] = serde_json::json!(["GET", "POST"]);
    let gateway = Running::with(&[posting]);
    let url = format!("http://{}/x", gateway.address);
    let mut command = Command::new("slowhttptest");
    command.args(arguments).args(["-c", "200", "-r", "200", "-i", "1", "-l", LASTS, "-p", "5", "-u", &url]);
    let mut attack = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    while attack.try_wait().unwrap().is_none() {
        assert_eq!(client::get(gateway.address, "/__health").status, 200, "during {arguments:?}");
        assert_eq!(client::get(gateway.address, "/x").body.len(), 4 << 20, "during {arguments:?}");
    }
    let said = String::from_utf8_lossy(&attack.wait_with_output().unwrap().stdout).into_owned();
    assert!(said.contains("service available") && !said.contains("NO"), "{arguments:?}: {said}");
    assert_eq!(client::get(gateway.address, "/x").status, 200, "after {arguments:?}");
}

#[test]
fn slow_heads_hold_nobody_up() {
    attack(&["-H"]);
}

#[test]
fn slow_bodies_hold_nobody_up() {
    attack(&["-B"]);
}

#[test]
fn slow_readers_hold_nobody_up() {
    attack(&["-X", "-w", "10", "-y", "20", "-n", "1", "-z", "32"]);
}
