//! Addresses that are left out because requests to them fail.

use crate::support::client::{self, Connection};
use crate::support::gate::closed_port;
use crate::support::gateway::Running;
use crate::support::listener::Listener;
use crate::support::poll::{Latch, PATIENCE, eventually};
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};
use socket2::SockRef;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn good() -> Upstream {
    Upstream::start(|_| Reply::json(200, &json!({ "a": 1 })))
}

/// An upstream that fails until it is well.
fn failing(fault: impl Fn() -> Reply + Send + Sync + 'static) -> (Upstream, Arc<AtomicBool>) {
    let well = Arc::new(AtomicBool::new(false));
    let upstream = Upstream::start({
        let well = well.clone();
        move |_| if well.load(Ordering::SeqCst) { Reply::json(200, &json!({ "a": 1 })) } else { fault() }
    });
    (upstream, well)
}

fn over(hosts: &[String], output: &str, outlier: Value) -> Running {
    within("10s", hosts, output, outlier)
}

/// The same with a timeout that is the test's subject.
fn within(timeout: &str, hosts: &[String], output: &str, outlier: Value) -> Running {
    Running::with(&[json!({
        "endpoint": "/", "method": "*", "output_encoding": output, "timeout": timeout,
        "backend": [{ "host": hosts, "url_pattern": "/", "extra_config": { "balance": { "outlier": outlier } } }],
    })])
}

fn statuses(gateway: &Running, count: usize) -> Vec<u16> {
    (0..count).map(|_| gateway.get("/").status).collect()
}

const EJECTIONS: &str = r#"porteur_upstream_ejections_total{endpoint="/"}"#;
const RETRIES: &str = r#"porteur_retries_total{endpoint="/",outcome="sent"}"#;

#[test]
fn a_host_that_takes_no_connection_is_left_out_after_five_failures() {
    for output in ["no-op", "json"] {
        let (_socket, closed) = closed_port();
        let up = good();
        let gateway = Running::with(&[json!({
            "endpoint": "/", "output_encoding": output,
            "backend": [{ "host": [closed, up.url()], "url_pattern": "/" }],
        })]);
        assert_eq!(statuses(&gateway, 20), [200; 20], "{output}: another host was there for each");
        assert_eq!((gateway.metric(EJECTIONS), gateway.metric(RETRIES)), (1.0, 5.0), "{output}");
    }
}

#[test]
fn timeouts_and_what_is_no_http_count_and_the_host_comes_back() {
    let faults: [fn() -> Reply; 3] = [Reply::hang, || Reply::raw_then_close("SSH-2.0-x\r\n\r\n"), Reply::close];
    for output in ["no-op", "json"] {
        for fault in faults {
            let ((bad, well), up) = (failing(fault), good());
            let outlier = json!({ "consecutive_failures": 2, "base_ejection_time": "1s" });
            let gateway = within("1s", &[bad.url(), up.url()], output, outlier);
            eventually(PATIENCE, "it is left out", || {
                gateway.get("/");
                gateway.metric(EJECTIONS) >= 1.0
            });
            well.store(true, Ordering::SeqCst);
            let before = bad.requests().len();
            eventually(PATIENCE, "it is asked again", || {
                gateway.get("/");
                bad.requests().len() > before
            });
        }
    }
}

#[test]
fn statuses_count_only_where_the_file_says_so() {
    for (counts, ejections) in [(false, 0.0), (true, 1.0)] {
        let ((bad, _), up) = (failing(|| Reply::new(500)), good());
        let outlier = json!({ "consecutive_failures": 2, "server_errors": counts });
        let gateway = over(&[bad.url(), up.url()], "no-op", outlier);
        let failed = statuses(&gateway, 10).into_iter().filter(|status| *status == 500).count();
        assert_eq!((failed, gateway.metric(EJECTIONS)), (if counts { 2 } else { 5 }, ejections));
    }
}

#[test]
fn no_more_than_half_are_left_out() {
    let bad: Vec<_> = (0..3).map(|_| failing(Reply::close)).collect();
    let hosts: Vec<String> = bad.iter().map(|(upstream, _)| upstream.url()).collect();
    let gateway = over(
        &hosts,
        "no-op",
        json!({ "consecutive_failures": 1, "base_ejection_time": "60s", "max_ejection_time": "60s" }),
    );
    assert_eq!(statuses(&gateway, 12), [502; 12]);
    assert_eq!(gateway.metric(EJECTIONS), 1.0);
}

#[test]
fn a_host_that_is_alone_is_asked_whatever_it_does() {
    let (bad, well) = failing(Reply::close);
    let gateway = over(&[bad.url()], "no-op", json!({ "consecutive_failures": 1 }));
    assert_eq!(statuses(&gateway, 5), [502; 5]);
    well.store(true, Ordering::SeqCst);
    assert_eq!(statuses(&gateway, 1), [200]);
}

#[test]
fn a_client_that_does_not_send_its_body_has_nobody_left_out() {
    let hosts = [good(), good()];
    let urls: Vec<String> = hosts.iter().map(Upstream::url).collect();
    let gateway = within("300ms", &urls, "no-op", json!({ "consecutive_failures": 1 }));
    for _ in 0..2 {
        let mut connection = Connection::open(gateway.address);
        connection.write("POST / HTTP/1.1\r\nHost: porteur.test\r\nContent-Length: 10\r\n\r\nhalf");
        assert_eq!(connection.response().status, 408);
    }
    assert_eq!(gateway.metric(EJECTIONS), 0.0);
}

#[test]
fn an_upstream_that_does_not_read_uploads_is_left_out() {
    for output in ["no-op", "json"] {
        let over = Latch::new();
        let deaf = Listener::start({
            let over = over.clone();
            move |_, _| {
                over.wait();
            }
        });
        let (upload, up) = (client::request("POST", "/", &[], &vec![0; 5_000_000]), Upstream::echo());
        let hosts = [format!("http://{}", deaf.addr()), up.url()];
        let gateway = within("500ms", &hosts, output, json!({ "consecutive_failures": 2 }));
        eventually(PATIENCE, "it is left out", || {
            let mut connection = Connection::open(gateway.address);
            // The answer may come before the end of the upload, and end it.
            let _ = connection.try_write(&upload);
            let status = connection.try_response(false).map(|answer| answer.status).ok();
            assert_ne!(status, Some(408), "{output}: the client is not late");
            gateway.metric(EJECTIONS) >= 1.0
        });
        over.open();
    }
}

#[test]
fn an_upstream_that_breaks_uploads_off_is_left_out() {
    for linger in [None, Some(Duration::ZERO)] {
        let rude = [(); 2].map(|()| {
            Listener::start(move |mut stream, _| {
                let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
                while !heard.ends_with(b"half") {
                    let Ok(1..) = stream.read(&mut piece).inspect(|count| heard.extend(&piece[..*count])) else {
                        break;
                    };
                }
                let _ = SockRef::from(stream).set_linger(linger);
            })
        });
        let hosts = rude.each_ref().map(|listener| format!("http://{}", listener.addr()));
        let gateway = within("2s", &hosts, "no-op", json!({ "consecutive_failures": 1 }));
        let mut connection = Connection::open(gateway.address);
        connection.write("POST / HTTP/1.1\r\nHost: porteur.test\r\nContent-Length: 10\r\n\r\nhalf");
        assert_eq!(connection.response().status, 502, "{linger:?}");
        assert_eq!(gateway.metric(EJECTIONS), 1.0, "{linger:?}");
    }
}

#[test]
fn nobody_is_left_out_where_it_is_switched_off() {
    let (_socket, closed) = closed_port();
    let up = good();
    let gateway = over(&[closed, up.url()], "no-op", json!({ "consecutive_failures": 0 }));
    assert_eq!(statuses(&gateway, 20), [200; 20]);
    assert_eq!((gateway.metric(EJECTIONS), gateway.metric(RETRIES)), (0.0, 10.0));
}
