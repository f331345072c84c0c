//! What only a process has: exit codes, signals, messages, and a log to search for secrets.

use crate::support::client;
use crate::support::config::ConfigFile;
use crate::support::daemon::{self, Daemon, PROGRAM};
use crate::support::gateway::{credential, endpoint, protected};
use crate::support::idp::{CLIENT_SECRET, Idp};
use crate::support::poll::{PATIENCE, eventually};
use crate::support::program::{Program, configuration};
use crate::support::reply::Reply;
use crate::support::scripted::Scripted;
use crate::support::upstream::Upstream;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};

#[test]
fn version_says_which() {
    let finished = daemon::run(["version"]);
    assert!(finished.status.success());
    assert!(finished.stdout.starts_with(&format!("porteur {}", env!("CARGO_PKG_VERSION"))), "{}", finished.stdout);
}

#[test]
fn wrong_usage_is_2_and_a_wrong_configuration_1() {
    assert_eq!(daemon::run(["run"]).status.code(), Some(2));
    assert_eq!(daemon::run(["frobnicate"]).status.code(), Some(2));
    let missing = daemon::run(["run", "-c", "/nonexistent/porteur.json"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(missing.stderr.contains("/nonexistent/porteur.json"), "{}", missing.stderr);
    let file = ConfigFile::json(r#"{"version": 3, "port": 70000, "endpoints": [{"endpoint": "/a", "backend": []}]}"#);
    for command in ["run", "check", "routes"] {
        let finished = daemon::run([command, "-c", file.path().to_str().unwrap()]);
        assert_eq!(finished.status.code(), Some(1), "{command}");
        assert!(finished.stderr.contains("70000"), "{command}: {}", finished.stderr);
        assert!(finished.stderr.contains("porteur.json:1:"), "{command}: {}", finished.stderr);
    }
}

#[test]
fn an_address_in_use_is_a_message_and_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut configuration = configuration(&[]);
    configuration["port"] = json!(taken.local_addr().unwrap().port());
    let file = ConfigFile::json(configuration.to_string());
    let finished = daemon::run(["run", "-c", file.path().to_str().unwrap()]);
    assert_eq!(finished.status.code(), Some(1));
    let expected = format!("error: cannot listen on {}: the address is in use", taken.local_addr().unwrap());
    assert!(finished.stderr.contains(&expected), "{}", finished.stderr);
}

#[test]
fn signals_end_an_idle_gateway_at_once_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let program = Program::with(&[], &[]);
        assert_eq!(program.get("/__health").status, 200);
        program.daemon.signal(signal);
        let finished = program.daemon.finish();
        assert_eq!(finished.status.code(), Some(0), "{}", finished.stderr);
        assert!(finished.stderr.contains("drained in"), "{}", finished.stderr);
        assert!(finished.stderr.contains("path=/__health"), "the last lines are written: {}", finished.stderr);
    }
}

#[test]
fn a_second_signal_does_not_wait_for_requests_under_way() {
    let upstream = Upstream::start(|_| Reply::hang());
    let Program { daemon, address, .. } = Program::with(&[endpoint("/x", &upstream.url(), "/x")], &[]);
    let mut waiting = client::Connection::open(address);
    waiting.write(client::request("GET", "/x", &[], b""));
    upstream.wait_for_requests(1);
    daemon.terminate();
    daemon.wait_for_line(|line| line.contains("draining: 1 requests under way"));
    daemon.terminate();
    assert_eq!(daemon.finish().status.code(), Some(0));
}

#[test]
fn check_counts_and_routes_lists() {
    let configuration = configuration(&[
        endpoint("/open", "http://127.0.0.1:1", "/x"),
        protected("/shut/{id}", "https://api.example.test", credential("https://login.example.test/token")),
    ]);
    let file = ConfigFile::json(configuration.to_string());
    let path = file.path().to_str().unwrap();
    let checked = daemon::run(["check", "-c", path]);
    assert!(checked.status.success(), "{}", checked.stderr);
    assert_eq!(checked.stdout.trim(), format!("{path}: fine, 2 endpoints, 1 credentials"));
    let routes = daemon::run(["routes", "-c", path]).stdout;
    let lines: Vec<Vec<&str>> = routes.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1], ["GET", "/open", "http://127.0.0.1:1", "/x", "-", "10s"]);
    assert_eq!(
        lines[2],
        ["GET", "/shut/{id}", "https://api.example.test", "/shut/{id}", "basic@login.example.test", "10s"]
    );
    assert!(!routes.contains(CLIENT_SECRET));
}

#[test]
fn denied_warnings_are_errors() {
    let mut configuration = configuration(&[]);
    configuration["endpointz"] = json!([]);
    let file = ConfigFile::json(configuration.to_string());
    let path = file.path().to_str().unwrap();
    assert_eq!(daemon::run(["check", "-c", path]).status.code(), Some(0));
    let denied = daemon::run(["check", "-c", path, "--deny", "warnings"]);
    assert_eq!(denied.status.code(), Some(1));
    assert!(denied.stderr.contains("endpoints"), "did you mean: {}", denied.stderr);
    let json = daemon::run(["check", "-c", path, "--format", "json"]).stdout;
    let problems: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(problems[0]["severity"], "warning");
}

#[test]
fn no_log_line_at_any_level_shows_a_secret_or_a_token() {
    const USERS_TOKEN: &str = "canary-of-the-client-0123456789";
    const KEY: &str = "canary-key-in-a-query-0123456789";
    let idp = Idp::start(3);
    let canary = Scripted::counting("canary-token-0123456789", 3);
    let gone = Upstream::start(|_| Reply::close());
    let mut wrong = credential(idp.token_url());
    wrong["client_secret"] = json!("canary-wrong-secret-0123456789");
    wrong["first_token_wait"] = json!("0s");
    let endpoints = [
        protected("/good", &idp.resource_url(), credential(idp.token_url())),
        protected("/canary", &gone.url(), credential(&canary.token_url())),
        protected("/wrong", &idp.resource_url(), wrong),
    ];
    let Program { daemon, address, admin, .. } = Program::with(&endpoints, &[("PORTEUR_LOG", "trace")]);
    eventually(PATIENCE, "a token", || {
        client::get(admin, "/metrics").text().contains(r#"porteur_token_usable{credential="basic@127.0.0.1"} 1"#)
    });
    let own = [("Authorization", USERS_TOKEN), ("Cookie", USERS_TOKEN)];
    let mut said = String::new();
    for target in ["/good", "/canary", "/wrong", "/nowhere"] {
        let request = client::request("GET", &format!("{target}?key={KEY}"), &own, b"");
        if let Ok(answer) = client::try_send(address, request) {
            // The echo of the resource server is not ours; porteur's own answers are.
            if target != "/good" {
                said += &answer.text();
            }
        }
    }
    let malformed = format!("GET /good HTTP/1.1\r\nHost: h\r\nAuthorization: {USERS_TOKEN}\r\nbad header\r\n\r\n");
    let _ = client::try_send(address, malformed);
    eventually(PATIENCE, "a refresh", || canary.requests().len() >= 2);
    said += &client::get(admin, "/metrics").text();
    said += &client::get(admin, "/readyz").text();
    daemon.terminate();
    let finished = daemon.finish();
    said += &finished.stdout;
    said += &finished.stderr;
    assert!(finished.stderr.contains(" debug "), "the level was high: {}", finished.stderr);
    let issued: Vec<String> = upstream_tokens(&gone);
    assert!(!issued.is_empty(), "tokens were carried");
    let secrets = [CLIENT_SECRET, USERS_TOKEN, KEY, "canary-wrong-secret-0123456789", "canary-token-0123456789"];
    for secret in secrets.into_iter().chain(issued.iter().map(String::as_str)) {
        assert!(!said.contains(secret), "{secret} in:\n{said}");
    }
    let basic = idp.last().into_iter().find_map(|request| request.header("authorization").map(str::to_owned)).unwrap();
    assert!(!said.contains(basic.trim_start_matches("Basic ")), "the encoded secret is a secret");
}

fn upstream_tokens(upstream: &Upstream) -> Vec<String> {
    upstream.requests().iter().filter_map(|request| request.header("authorization").map(str::to_owned)).collect()
}

#[test]
fn certificates_are_verified_on_both_ways_out() {
    let idp = Idp::start_tls(60);
    let upstream = Upstream::echo();
    let by_tls = |path: &str, host: &str| protected(path, host, credential(idp.tls_token_url()));
    let api = format!("https://{}", idp.tls_resource_server());
    let endpoints = [by_tls("/x", &api), endpoint("/open", &api, "/x"), by_tls("/plain", &upstream.url())];
    let trusting = Program::trusting(&idp.certificate("ca.pem"), &endpoints, &[]);
    let answer = trusting.get("/x");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let issued = idp.stats().token_requests;
    let doubting = Program::with(&endpoints, &[]);
    assert_eq!(doubting.get("/open").status, 502, "an upstream with an unknown certificate is none");
    doubting
        .daemon
        .wait_for_line(|line| line.contains("token fetch for `basic@127.0.0.1` failed: connection failed: TLS"));
    assert_eq!(idp.stats().token_requests, issued, "no secret was sent");
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_log_that_nobody_reads_does_not_keep_the_process_from_its_end() {
    let file = ConfigFile::json(configuration(&[]).to_string());
    let mut child = Command::new(PROGRAM).args(["run", "-c"]).arg(file.path()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let address: SocketAddr = loop {
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        if line.contains("porteur::cli::run: porteur ") {
            break line.trim().rsplit(' ').next().unwrap().parse().unwrap();
        }
    };
    // More than a pipe and the queue hold.
    let mut connection = client::Connection::open(address);
    for _ in 0..12_000 {
        assert_eq!(connection.request(client::request("GET", "/__health", &[], b"")).status, 200);
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
    eventually(PATIENCE, "the process has ended", || child.try_wait().unwrap().is_some());
    drop(stderr);
}

#[test]
fn the_demo_shows_a_token_that_the_client_never_saw() {
    let daemon = Daemon::spawn(["demo", "-p", "0"]);
    let address = |what: &str| -> SocketAddr {
        let line = daemon.wait_for_line(|line| line.trim_start().starts_with(what));
        let start = line.find("http://").unwrap() + "http://".len();
        line[start..].split(['/', ' ']).next().unwrap().parse().unwrap()
    };
    let (gateway, api) = (address("gateway "), address("protected API "));
    let answer = client::get(gateway, "/orders/42");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = answer.json()["received"].clone();
    assert_eq!(received["target"], "/v1/orders/42");
    assert!(received["headers"]["authorization"].as_str().unwrap().starts_with("Bearer "));
    let direct = client::get(api, "/v1/orders/42");
    assert_eq!((direct.status, direct.header("www-authenticate")), (401, Some("Bearer")));
    daemon.signal(Signal::INT);
    assert_eq!(daemon.finish().status.code(), Some(0));
}
