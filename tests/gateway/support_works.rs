//! The support tried on itself, so that a red test elsewhere speaks about porteur.

use crate::support::authlib::Authlib;
use crate::support::client::{self, Connection, request};
use crate::support::config::ConfigFile;
use crate::support::daemon::Daemon;
use crate::support::gate::Gate;
use crate::support::idp::{CLIENT_ID, CLIENT_SECRET, Idp};
use crate::support::poll::{self, Latch, PATIENCE};
use crate::support::reply::Reply;
use crate::support::scripted::Scripted;
use crate::support::upstream::Upstream;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustix::process::Signal;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::{fs, thread};

fn ask_token(addr: SocketAddr, id: &str, secret: &str, parameters: &str) -> client::Response {
    let credentials = format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")));
    let headers = [("Authorization", &*credentials), ("Content-Type", "application/x-www-form-urlencoded")];
    let body = format!("grant_type=client_credentials{parameters}");
    client::send(addr, request("POST", "/token", &headers, body.as_bytes()))
}

fn token(idp: &Idp, parameters: &str) -> String {
    let answer = ask_token(idp.addr(), CLIENT_ID, CLIENT_SECRET, parameters).json();
    answer["access_token"].as_str().expect("a token").to_owned()
}

fn call(idp: &Idp, token: &str) -> client::Response {
    let bearer = format!("Bearer {token}");
    client::send(idp.resource_server(), request("GET", "/things?x=1", &[("Authorization", &bearer)], b""))
}

#[test]
fn the_provider_issues_tokens_that_its_resource_server_accepts() {
    let idp = Idp::shared();
    for parameters in
        ["", "&resource=https%3A%2F%2Fupstream.test%2Frs256", "&audience=https%3A%2F%2Fupstream.test%2Fed25519"]
    {
        let answer = call(idp, &token(idp, parameters));
        assert_eq!(answer.status, 200, "{parameters}");
        assert_eq!(answer.json()["url"], "/things?x=1");
    }
    let refused = call(idp, "nonsense");
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("www-authenticate"), Some(r#"Bearer realm="resource", error="invalid_token""#));
    assert_eq!(client::get(idp.resource_server(), "/open").status, 200);
}

#[test]
fn the_provider_decodes_basic_credentials_as_the_rfc_says() {
    let addr = Idp::shared().addr();
    assert_eq!(ask_token(addr, "my+app", "s3cr%3At%2F%2B%3D%40", "").status, 200);
    assert_eq!(ask_token(addr, "my app", "s3cr:t/+=@", "").status, 401);
}

#[test]
fn the_provider_counts_and_remembers() {
    let idp = Idp::start(77);
    token(&idp, "&scope=api%3Aread");
    ask_token(idp.addr(), CLIENT_ID, "wrong", "");
    poll::eventually(PATIENCE, "both answers counted", || idp.stats().in_flight == 0);
    let stats = idp.stats();
    assert_eq!((stats.token_requests, stats.max_in_flight), (2, 1));
    assert_eq!(stats.by_status, [(200, 1), (401, 1)].into());
    let last = idp.last();
    assert_eq!(last[0].form()[1], ("scope".into(), "api:read".into()));
    assert_eq!((last[0].status, last[1].status), (Some(200), Some(401)));
    assert!(last[0].header("Authorization").is_some_and(|value| value.starts_with("Basic ")));
    assert!(last[0].raw_headers().contains(&("Host", "porteur.test")));
    idp.reset();
    assert_eq!(idp.stats().token_requests, 0);
}

#[test]
fn the_provider_misbehaves_on_demand() {
    let idp = Idp::start(77);
    idp.fault_times("503", 1);
    assert_eq!(ask_token(idp.addr(), CLIENT_ID, CLIENT_SECRET, "").status, 503);
    let good = ask_token(idp.addr(), CLIENT_ID, CLIENT_SECRET, "").json();
    assert_eq!(good["expires_in"], 77);
    idp.fault("mac_type");
    assert_eq!(ask_token(idp.addr(), CLIENT_ID, CLIENT_SECRET, "").json()["token_type"], "mac");
    idp.clear_fault();
    idp.ttl(5);
    assert_eq!(ask_token(idp.addr(), CLIENT_ID, CLIENT_SECRET, "").json()["expires_in"], 5);
    idp.fault("reset");
    let attempt = client::try_send(idp.addr(), request("POST", "/token", &[], b"x"));
    assert_eq!(attempt.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn the_provider_holds_answers_until_released() {
    let idp = Idp::start(77);
    idp.fault("hold");
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..3).map(|_| scope.spawn(|| token(&idp, ""))).collect();
        poll::eventually(PATIENCE, "three held requests", || idp.stats().held == 3);
        idp.release();
        waiting.into_iter().for_each(|thread| drop(thread.join().unwrap()));
    });
    assert_eq!(idp.stats().max_in_flight, 3);
}

#[test]
fn the_provider_revokes_and_rotates() {
    let idp = Idp::start(77);
    let old = token(&idp, "&resource=https%3A%2F%2Fupstream.test%2Fes256");
    idp.rotate(true);
    assert_eq!(call(&idp, &old).status, 200);
    idp.rotate(false);
    assert_eq!(call(&idp, &old).status, 401);
    let new = token(&idp, "");
    idp.revoke_all();
    assert_eq!(call(&idp, &new).status, 401);
    assert_eq!(idp.stats().resource_by_status, [(200, 1), (401, 2)].into());
}

#[test]
fn the_provider_ends_when_its_test_run_does() {
    assert!(Idp::start(77).abandon().success());
}

#[test]
fn the_provider_has_keys_and_certificates() {
    let idp = Idp::start_tls(77);
    assert!(idp.tls_token_url().starts_with("https://127.0.0.1:"));
    for file in [idp.certificate("ca.pem"), idp.certificate("client.key"), idp.private_key("es256")] {
        assert!(fs::read_to_string(file).unwrap().starts_with("-----BEGIN "));
    }
}

#[test]
fn the_second_opinion_lets_each_client_in_by_one_way_only() {
    let authlib = Authlib::start();
    let basic = |id: &str, secret: &str| ask_token(authlib.addr(), id, secret, "&scope=api%3Aread").status;
    let form = |parameters: &str| {
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("X-Odd", "one"), ("x-odd", "two")];
        let body = format!("grant_type=client_credentials&{parameters}");
        client::send(authlib.addr(), request("POST", "/token?a=%41", &headers, body.as_bytes())).status
    };
    let post_secret = "post-secret-0000000000000000000000000";
    assert_eq!((basic(CLIENT_ID, CLIENT_SECRET), basic("post", post_secret), basic("none", "")), (200, 401, 401));
    assert_eq!(form(&format!("client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}")), 401);
    assert_eq!(form(&format!("client_id=post&client_secret={post_secret}")), 200);
    assert_eq!(form("client_id=none"), 200);

    let requests = authlib.last();
    assert_eq!((authlib.stats().token_requests, requests.len()), (6, 6));
    assert_eq!((requests[0].status, requests[3].status, requests[5].status), (Some(200), Some(401), Some(200)));
    assert_eq!((requests[5].method.as_str(), requests[5].path.as_str()), ("POST", "/token?a=%41"));
    assert_eq!(requests[5].header("x-odd"), Some("one"));
    assert_eq!(requests[5].headers[3], ("x-odd".to_owned(), "two".to_owned()));
    assert_eq!(requests[5].form()[1], ("client_id".to_owned(), "none".to_owned()));
    assert!(authlib.abandon().success());
}

/// Which is why this secret is right as it is and wrong when encoded as RFC 6749 wants it.
#[test]
fn the_second_opinion_undoes_percents_but_not_pluses_in_basic_credentials() {
    let authlib = Authlib::start();
    let secret = r#"p@ss:w%rd +&=/?#"{}~-long-enough-secret"#;
    let encoded = form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>();
    let statuses = [secret, &encoded, &encoded.replace('+', "%20")]
        .map(|secret| ask_token(authlib.addr(), "raw-basic", secret, "").status);
    assert_eq!(statuses, [200, 401, 200]);
}

#[test]
fn the_second_opinion_takes_the_keys_and_certificates_of_the_provider() {
    let idp = Idp::start_tls(77);
    let authlib = Authlib::start_with_keys(idp.keys());
    assert_eq!(authlib.token_url(), format!("{}/token", authlib.issuer()));
    let authlib = Authlib::start_tls(&idp.certificate("server.pem"), &idp.certificate("server.key"));
    assert_eq!(authlib.tls_token_url(), format!("{}/token", authlib.tls_issuer()));
    assert!(authlib.tls_issuer().starts_with("https://127.0.0.1:"));
}

#[test]
fn a_closed_gate_refuses_and_an_open_one_forwards() {
    let upstream = Upstream::echo();
    let gate = Gate::to(upstream.addr());
    assert_eq!(client::get(gate.addr(), "/a").json()["target"], "/a");
    let mut cut = Connection::open(gate.addr());
    for _ in 0..3 {
        gate.close();
        assert_eq!(Connection::try_open(gate.addr()).err().unwrap().kind(), ErrorKind::ConnectionRefused);
        gate.open();
        assert_eq!(client::get(gate.addr(), "/b").json()["target"], "/b");
    }
    cut.expect_closed();
}

#[test]
fn the_upstream_records_what_it_is_sent() {
    let upstream = Upstream::echo();
    let mut connection = Connection::open(upstream.addr());
    let chunked = "POST /x?y HTTP/1.1\r\nHost: a\r\nX-Odd: One\r\nx-odd: two\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n2\r\nde\r\n0\r\nT: end\r\n\r\n";
    let echo = connection.request(chunked).json();
    assert_eq!((&echo["body"], &echo["target"]), (&"abcde".into(), &"/x?y".into()));
    let second = connection.request(request("PUT", "/z", &[("Expect", "100-continue")], b"hello"));
    assert_eq!((second.interim, second.status), (vec![100], 200));
    let requests = upstream.requests();
    assert_eq!(requests[0].headers.all("X-ODD"), ["One", "two"]);
    assert_eq!(requests[0].trailers.get("t"), Some("end"));
    assert!(chunked.as_bytes().starts_with(&requests[0].head));
    assert_eq!((requests[1].number, requests[1].connection, requests[1].text().as_str()), (1, 0, "hello"));
    assert_eq!((upstream.connections(), upstream.heads(), upstream.violations().len()), (1, 2, 0));
}

#[test]
fn the_upstream_notes_malformed_requests() {
    let upstream = Upstream::echo();
    let framing = "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for bad in [framing, "GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n"]
    {
        let before = upstream.violations().len();
        let mut connection = Connection::open(upstream.addr());
        connection.write(bad);
        connection.rest();
        assert_eq!(upstream.violations().len(), before + 1, "{bad:?}: {:?}", upstream.violations());
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn the_upstream_answers_as_the_test_writes() {
    let upstream = Upstream::sequence([
        Reply::new(204).header("X-A", "b"),
        Reply::text("all"),
        Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nraw"),
        Reply::raw_then_close("HTTP/1.1 200 OK\r\n\r\nuntil the end"),
    ]);
    let mut connection = Connection::open(upstream.addr());
    let first = connection.request(request("GET", "/", &[], b""));
    assert_eq!((first.status, first.header("x-a"), first.body.len()), (204, Some("b"), 0));
    let to_head = connection.request(request("HEAD", "/", &[], b""));
    assert_eq!((to_head.header("content-length"), to_head.body.len()), (Some("3"), 0));
    assert_eq!(connection.request(request("GET", "/", &[], b"")).text(), "raw");
    assert_eq!(connection.request(request("GET", "/", &[], b"")).text(), "until the end");
    connection.expect_closed();
    assert_eq!(upstream.connections(), 1);
    let exhausted = client::try_send(upstream.addr(), request("GET", "/", &[], b""));
    assert_eq!(exhausted.unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn the_upstream_streams_at_the_pace_of_the_test() {
    let (reply, feed) = Reply::stream(200);
    let (cut, half) = Reply::stream(200);
    let upstream = Upstream::sequence([reply, cut]);
    let mut connection = Connection::open(upstream.addr());
    connection.write(request("GET", "/", &[], b""));
    assert_eq!(connection.head().header("transfer-encoding"), Some("chunked"));
    for piece in ["one", "two"] {
        feed.send(piece);
        assert_eq!(connection.chunk().unwrap(), piece.as_bytes());
    }
    feed.finish();
    assert_eq!(connection.chunk(), None);
    connection.write(request("GET", "/", &[], b""));
    half.send("x");
    drop(half);
    assert_eq!(connection.try_response(false).unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn the_upstream_sees_a_body_arrive() {
    let upstream = Upstream::echo();
    let mut connection = Connection::open(upstream.addr());
    connection.write("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhello");
    poll::eventually(PATIENCE, "half of the body", || upstream.body_bytes() == 5);
    assert_eq!((upstream.heads(), upstream.requests().len()), (1, 0));
    connection.write("world");
    assert_eq!(connection.response().json()["body"], "helloworld");
}

#[test]
fn a_stopped_upstream_cuts_what_it_holds() {
    let latch = Latch::new();
    let upstream = Upstream::start({
        let latch = latch.clone();
        move |_| Reply::text("late").after(&latch)
    });
    let mut connection = Connection::open(upstream.addr());
    connection.write(request("GET", "/", &[], b""));
    assert_eq!(upstream.wait_for_requests(1)[0].target, "/");
    assert_eq!((upstream.open_connections(), upstream.max_in_flight()), (1, 1));
    drop(upstream);
    connection.expect_closed();
    latch.open();
}

#[test]
fn the_scripted_server_hangs_closes_and_resets() {
    let server = Scripted::start(|request, n| match n {
        0 => Scripted::token(&request.text(), 60),
        1 => Scripted::error(400, "invalid_grant"),
        2 => Reply::close(),
        3 => Reply::reset(),
        _ => Reply::hang(),
    });
    let ask = || client::try_send(server.addr(), request("POST", "/token", &[], b"a=b%20c"));
    assert_eq!(ask().unwrap().json()["access_token"], "a=b%20c");
    assert_eq!(ask().unwrap().json()["error"], "invalid_grant");
    assert_eq!(ask().unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(ask().unwrap_err().kind(), ErrorKind::ConnectionReset);
    let mut hanging = Connection::open(server.addr());
    hanging.write(request("POST", "/token", &[], b"x"));
    assert_eq!(server.wait_for_requests(5)[0].form(), [("a".to_owned(), "b c".to_owned())]);
    server.close_connections();
    hanging.expect_closed();
}

#[test]
fn a_process_is_watched_signalled_and_ended() {
    // Busy on purpose: a shell that waits for a child would take the signal only after it, and leave the child behind.
    let script = "echo out; echo err >&2; trap 'echo bye; exit 7' TERM; echo ready; while :; do :; done";
    let start = || Daemon::of(Command::new("sh").arg("-c").arg(script));

    let daemon = start();
    assert_eq!(daemon.wait_for_line(|line| line.starts_with("er")), "err");
    daemon.wait_for_line(|line| line == "ready");
    daemon.terminate();
    let finished = daemon.finish();
    assert_eq!((finished.status.code(), finished.stdout.as_str()), (Some(7), "out\nready\nbye\n"));
    assert_eq!(finished.stderr, "err\n");

    let mut daemon = start();
    daemon.wait_for_line(|line| line == "ready");
    assert!(daemon.is_running() && daemon.pid() > 1);
    daemon.signal(Signal::KILL);
    assert_eq!(daemon.wait().signal(), Some(9));
    assert!(daemon.output().contains("ready"));
}

#[test]
fn the_program_runs_to_its_end() {
    let finished = crate::support::daemon::run(["version"]);
    assert!(finished.status.success(), "{finished:?}");
}

#[test]
fn a_configuration_is_replaced_at_once() {
    let config = ConfigFile::yaml("version: 3");
    let secret = config.beside("secret", "s3cret\n");
    config.replace("version: 4");
    assert_eq!(fs::read_to_string(config.path()).unwrap(), "version: 4");
    assert_eq!((config.path().extension().unwrap(), secret.parent()), ("yaml".as_ref(), config.path().parent()));
}
