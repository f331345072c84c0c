//! A network that loses packets: TCP sends them again, and nobody notices but for the time it takes.
//!
//! The test runs itself once more in a network namespace of its own, whose loopback drops packets. It is gone with the
//! process; nothing of this machine's network is touched.

use crate::support::client::{Connection, request};
use crate::support::gateway::{Running, endpoint, with};
use crate::support::reply::Reply;
use crate::support::tool::find;
use crate::support::upstream::Upstream;
use serde_json::json;
use std::process::Command;
use std::thread;

const INSIDE: &str = "PORTEUR_TEST_LOSES_PACKETS";

/// One in twenty. Not the first of a connection: a lost SYN comes again after a second, which is the limit for connecting.
const NETWORK: &str = r#"set -e
ip link set lo up
nft add table inet loss
nft add chain inet loss in '{ type filter hook input priority 0; }'
nft add rule inet loss in tcp flags '& syn == 0' numgen random mod 100 '<' 5 counter drop
exec "$0" "$@""#;

#[test]
fn requests_arrive_although_packets_are_lost() {
    if !["unshare", "ip", "nft"].iter().all(|program| find(program).is_some()) {
        return;
    }
    let is_allowed = Command::new("unshare").args(["--net", "true"]).output().unwrap().status.success();
    if !is_allowed {
        eprintln!("packet loss is NOT tested: this user may not make a network namespace");
        return;
    }
    let this = std::env::current_exe().unwrap();
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", NETWORK]).arg(this);
    command.args(["--ignored", "--exact", "resilience_packet_loss::inside", "--nocapture"]).env(INSIDE, "1");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "runs in a network namespace of its own"]
fn inside() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    let body = "0123456789".repeat(5_000);
    let upstream = Upstream::start({
        let body = body.clone();
        move |request| Reply::json(200, &json!({ "text": body, "sent": request.body.len() }))
    });
    let patient = json!({ "timeout": "20s", "method": ["GET", "POST"] });
    let streamed = with(endpoint("/streamed", &upstream.url(), "/"), &patient);
    let decoded =
        with(with(endpoint("/decoded", &upstream.url(), "/"), &patient), &json!({ "output_encoding": "json" }));
    let gateway = Running::with(&[streamed, decoded]);
    thread::scope(|scope| {
        for client in 0..6 {
            let (gateway, body) = (&gateway, &body);
            scope.spawn(move || {
                let mut connection = Connection::open(gateway.address);
                for turn in 0..10 {
                    let target = if (client + turn) % 2 == 0 { "/streamed" } else { "/decoded" };
                    let sent = if turn % 3 == 0 { body.as_bytes() } else { b"" };
                    let method = if sent.is_empty() { "GET" } else { "POST" };
                    let answer = connection.request(request(method, target, &[], sent));
                    assert_eq!(answer.json(), json!({ "text": body, "sent": sent.len() }), "{method} {target}");
                }
            });
        }
    });
    assert_eq!(upstream.requests().len(), 60, "none was sent twice");
    let rules = Command::new("nft").args(["list", "ruleset"]).output().unwrap();
    let rules = String::from_utf8_lossy(&rules.stdout).into_owned();
    assert!(!rules.contains("packets 0"), "no packet was lost: {rules}");
}
