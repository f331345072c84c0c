//! Varnish's test program as client and as upstream: an implementation of HTTP/1.1 that is none of ours, on both sides.

use crate::support::gate::bound;
use crate::support::gateway::{Running, endpoint, with};
use crate::support::tool::find;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

/// Runs `vtc/NAME.vtc` on a gateway before the upstream in it. The port is bound here and listened on there, so that nobody
/// else gets it.
#[track_caller]
fn run(name: &str) {
    if find("varnishtest").is_none() {
        return;
    }
    let port = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let origin = port.local_addr().unwrap().as_socket().unwrap();
    let every = json!({ "input_headers": ["*"], "input_query_strings": ["*"], "method": "*" });
    let gateway = Running::with(&[with(endpoint("/*", &format!("http://{origin}"), "/*"), &every)]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/resilience/vtc").join(name);
    let mut command = Command::new("varnishtest");
    let command = command.args(["-t", "20", "-D", &format!("gateway={}", gateway.address)]);
    let output = command.args(["-D", &format!("origin={}", origin.port())]).arg(script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn connections_are_kept_on_both_sides() {
    run("keep_alive.vtc");
}

#[test]
fn chunked_bodies_pass_both_ways() {
    run("chunked.vtc");
}

#[test]
fn an_answer_to_head_has_no_body() {
    run("head.vtc");
}

#[test]
fn a_304_has_no_body() {
    run("not_modified.vtc");
}

#[test]
fn a_client_that_waits_for_100_continue_gets_it() {
    run("continue.vtc");
}

#[test]
fn an_answer_before_the_end_of_the_request_reaches_the_client() {
    run("early_answer.vtc");
}

#[test]
fn a_body_that_ends_with_the_connection_is_framed_for_the_client() {
    run("closing.vtc");
}
