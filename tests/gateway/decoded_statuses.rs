//! Which statuses of backends count, and what the client of a decoded endpoint learns of those that do not.

use crate::decoded::{COMPLETED, answers, backend, decoded};
use crate::support::client::{Connection, Response, request};
use crate::support::gate::Gate;
use crate::support::gateway::{Running, credential, with};
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

/// Has the status that its path names, and a body that tells of it.
fn statuses() -> Upstream {
    Upstream::start(|request| {
        let status = request.target.trim_start_matches('/').parse().unwrap();
        Reply::new(status).header("Content-Type", "application/problem+json").body(format!(r#"{{"told":"{status}"}}"#))
    })
}

/// An endpoint `/{status}` whose backend has these keys in `backend/http`.
fn of_status(upstream: &Upstream, keys: &Value) -> Value {
    let extra = json!({ "extra_config": { "backend/http": keys } });
    decoded("/{status}", &[with(backend(upstream, "/{status}"), &extra)])
}

fn with_messages(endpoints: &[Value]) -> Running {
    Running::start(json!({ "endpoints": endpoints, "extra_config": { "router": { "return_error_msg": true } } }))
}

#[track_caller]
fn assert_failed(answer: &Response, status: u16, body: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (status, body));
    assert_eq!(answer.header(COMPLETED), Some("false"));
}

#[test]
fn two_statuses_count_as_success_and_both_become_200_1_6() {
    let upstream = statuses();
    let gateway = Running::with(&[decoded("/{status}", &[backend(&upstream, "/{status}")])]);
    for status in [200, 201] {
        let answer = gateway.get(&format!("/{status}"));
        assert_eq!((answer.status, answer.text()), (200, format!(r#"{{"told":"{status}"}}"#)));
        assert_eq!(answer.header(COMPLETED), Some("true"));
    }
}

#[test]
fn every_other_status_is_an_error_without_a_body_1_6() {
    const OTHERS: [u16; 19] =
        [202, 203, 204, 205, 206, 226, 300, 304, 400, 401, 403, 404, 409, 418, 429, 500, 502, 503, 599];
    let upstream = statuses();
    let gateway = Running::with(&[decoded("/{status}", &[backend(&upstream, "/{status}")])]);
    for status in OTHERS {
        assert_failed(&gateway.get(&format!("/{status}")), 500, "");
    }
    assert!(gateway.access_log(OTHERS.len()).lines().all(|line| line.contains("failure=upstream_status cause=status")));
}

#[test]
fn return_error_code_passes_the_status_and_with_return_error_msg_the_body_1_6() {
    let upstream = statuses();
    let endpoint = of_status(&upstream, &json!({ "return_error_code": true }));
    let gateway = Running::with(std::slice::from_ref(&endpoint));
    for status in [204, 304, 401, 404, 503] {
        let answer = gateway.get(&format!("/{status}"));
        assert_failed(&answer, status, "");
        assert_eq!(answer.header("content-type"), None);
    }
    assert_eq!(gateway.get("/201").status, 200, "success stays what it is");
    let gateway = with_messages(&[endpoint]);
    let answer = gateway.get("/404");
    assert_failed(&answer, 404, r#"{"told":"404"}"#);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
}

/// RFC 9110 §8.6 and §15.2: such an answer has no length, and the client has asked for no other protocol.
#[test]
fn a_passed_status_that_has_no_body_has_no_length_and_an_interim_one_is_never_passed() {
    let upstream = statuses();
    let gateway = with_messages(&[of_status(&upstream, &json!({ "return_error_code": true }))]);
    let mut connection = Connection::open(gateway.address);
    for status in [204, 304] {
        let answer = connection.request(request("GET", &format!("/{status}"), &[], b""));
        assert_failed(&answer, status, "");
        assert_eq!(answer.header("content-length"), None, "{status}");
    }
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let upgrading = Upstream::start(move |_| Reply::raw_then_close(switch));
    let gateway = Running::with(&[of_status(&upgrading, &json!({ "return_error_code": true }))]);
    let answer = gateway.get("/101");
    assert!(matches!(answer.status, 500 | 502), "{}", answer.status);
}

#[test]
fn return_error_details_tells_of_the_error_in_a_200_1_6() {
    let upstream = statuses();
    let gateway = Running::with(&[of_status(&upstream, &json!({ "return_error_details": "billing" }))]);
    let answer = gateway.get("/404");
    let details =
        r#""http_body":"{\"told\":\"404\"}","http_body_encoding":"application/problem+json","http_status_code":404"#;
    assert_eq!((answer.status, answer.text()), (200, format!(r#"{{"error_billing":{{{details}}}}}"#)));
    assert_eq!(answer.header(COMPLETED), Some("false"));
    assert_eq!(
        gateway.get("/304").text(),
        r#"{"error_billing":{"http_body_encoding":"application/problem+json","http_status_code":304}}"#
    );
    assert_eq!(gateway.get("/200").text(), r#"{"told":"200"}"#);
}

#[test]
fn details_win_over_the_code_1_6() {
    let upstream = statuses();
    let both = json!({ "return_error_code": true, "return_error_details": "billing" });
    let answer = Running::with(&[of_status(&upstream, &both)]).get("/503");
    assert_eq!((answer.status, &answer.json()["error_billing"]["http_status_code"]), (200, &json!(503)));
}

#[test]
fn details_stand_beside_the_data_of_other_backends_1_6() {
    let (upstream, good) = (statuses(), answers(r#"{"a":1}"#));
    let mut endpoint = of_status(&upstream, &json!({ "return_error_details": "billing" }));
    endpoint["backend"].as_array_mut().unwrap().push(backend(&good, "/"));
    let answer = Running::with(&[endpoint]).get("/404");
    assert_eq!((answer.status, &answer.json()["a"]), (200, &json!(1)));
    assert_eq!(answer.json()["error_billing"]["http_status_code"], json!(404));
    assert_eq!(answer.header(COMPLETED), Some("false"));
}

#[test]
fn the_status_of_one_of_several_backends_is_never_the_endpoints() {
    let upstream = statuses();
    let mut endpoint = of_status(&upstream, &json!({ "return_error_code": true }));
    let first = endpoint["backend"][0].clone();
    endpoint["backend"].as_array_mut().unwrap().push(first);
    assert_failed(&Running::with(&[endpoint]).get("/404"), 500, "");
}

/// KrakenD sends the text of its error, in which its backend's URL and the authorization server's answer may stand.
#[test]
fn return_error_msg_says_what_went_wrong_1_6() {
    let (upstream, listed) = (statuses(), answers("[]"));
    let gate = Gate::closed(upstream.addr());
    let refused = json!({ "host": [gate.url("")] });
    let gateway = with_messages(&[
        decoded("/status/{status}", &[backend(&upstream, "/{status}")]),
        decoded("/list", &[backend(&listed, "/")]),
        decoded("/refused", &[refused]),
    ]);
    for (path, status, message) in [
        ("/status/404", 500, "invalid status code"),
        ("/list", 500, "invalid upstream body"),
        ("/refused", 502, "upstream unreachable"),
    ] {
        let answer = gateway.get(path);
        assert_failed(&answer, status, message);
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"), "{path}");
    }
}

/// KrakenD answers 500 to all of these; here they can be told apart.
#[test]
fn a_backend_that_cannot_be_asked_has_a_status_of_its_own_1_6() {
    let silent = Upstream::start(|_| Reply::hang());
    let cut = Upstream::start(|_| Reply::close());
    let gate = Gate::closed(silent.addr());
    let brief = |path: &str, upstream: &Upstream| {
        with(decoded(path, &[backend(upstream, "/")]), &json!({ "timeout": "200ms" }))
    };
    let gateway = Running::with(&[
        brief("/silent", &silent),
        decoded("/refused", &[json!({ "host": [gate.url("")] })]),
        decoded("/cut", &[backend(&cut, "/")]),
    ]);
    let cases =
        [("/silent", 504, "upstream_timeout"), ("/refused", 502, "connect"), ("/cut", 502, "upstream_protocol")];
    for (path, status, _) in cases {
        assert_failed(&gateway.get(path), status, "");
    }
    let log = gateway.access_log(cases.len());
    for (path, status, failure) in cases {
        let line = log.lines().find(|line| line.contains(&format!(" path={path} "))).unwrap();
        assert!(line.contains(&format!(" status={status} ")) && line.contains(&format!("failure={failure}")), "{line}");
    }
}

/// KrakenD answers 500.
#[test]
fn without_a_token_the_backend_is_not_asked_2_7() {
    let (upstream, down) = (answers("{}"), Upstream::start(|_| Reply::new(500)));
    let wanting =
        json!({ "auth/client-credentials": with(credential(&down.url()), &json!({ "first_token_wait": "1ms" })) });
    let wanting = with(backend(&upstream, "/"), &json!({ "extra_config": wanting }));
    let mut custom = wanting.clone();
    custom["extra_config"]["auth/client-credentials"]["reject_status"] = json!(511);
    custom["extra_config"]["backend/http"] = json!({ "return_error_code": true });
    let gateway = Running::with(&[decoded("/x", &[wanting]), decoded("/custom", &[custom])]);
    let answer = gateway.get("/x");
    assert_failed(&answer, 503, "");
    assert!(answer.headers.has("retry-after"));
    assert_failed(&gateway.get("/custom"), 511, "");
    assert!(upstream.requests().is_empty());
    assert!(gateway.access_log(2).lines().all(|line| line.contains("failure=token_unavailable")));
}

#[test]
fn without_the_token_of_one_of_several_backends_its_part_is_missing_2_7() {
    let (upstream, good, down) = (answers(r#"{"b":1}"#), answers(r#"{"a":1}"#), Upstream::start(|_| Reply::new(500)));
    let wanting =
        json!({ "auth/client-credentials": with(credential(&down.url()), &json!({ "first_token_wait": "1ms" })) });
    let wanting = with(backend(&upstream, "/"), &json!({ "extra_config": wanting }));
    let gateway = Running::with(&[decoded("/x", &[wanting, backend(&good, "/")])]);
    let answer = gateway.get("/x");
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"a":1}"#));
    assert_eq!(answer.header(COMPLETED), Some("false"));
    assert!(upstream.requests().is_empty());
    assert!(gateway.access_log(1).contains("failure=token_unavailable"));
}
