//! Several backends in one answer: merged, asked in turn, added to, copied to, and in time.

use crate::decoded::{COMPLETED, answers, backend, decoded, json_reply};
use crate::support::client::{self, Response, request};
use crate::support::gateway::{Running, with};
use crate::support::poll::{Latch, PATIENCE, eventually};
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

#[track_caller]
fn assert_answer(answer: &Response, body: &str, completed: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (200, body));
    assert_eq!(answer.header(COMPLETED), Some(completed));
}

fn fails() -> Upstream {
    Upstream::start(|_| Reply::new(500))
}

fn backends(upstreams: &[&Upstream]) -> Vec<Value> {
    upstreams.iter().map(|upstream| backend(upstream, "/")).collect()
}

/// An endpoint whose `proxy` says this.
fn with_proxy(upstreams: &[&Upstream], proxy: Value) -> Value {
    with(decoded("/x", &backends(upstreams)), &json!({ "extra_config": { "proxy": proxy } }))
}

#[test]
fn the_data_of_all_backends_is_one_object_1_6() {
    let (a, b, c) = (answers(r#"{"a":1,"in":{"x":1}}"#), answers(r#"{"b":2}"#), answers("[3]"));
    let mut endpoint = decoded("/x", &backends(&[&a, &b, &c]));
    endpoint["backend"][1]["group"] = json!("second");
    endpoint["backend"][2]["is_collection"] = json!(true);
    let answer = Running::with(&[endpoint]).get("/x");
    assert_answer(&answer, r#"{"a":1,"collection":[3],"in":{"x":1},"second":{"b":2}}"#, "true");
}

#[test]
fn of_fields_with_one_name_the_later_arrival_counts_whole_1_6() {
    for late in [0, 1] {
        let latch = Latch::new();
        let upstreams = [0, 1].map(|n| {
            let latch = latch.clone();
            Upstream::start(move |_| {
                let body = format!(r#"{{"who":{{"from {n}":1}}}}"#);
                let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
                let reply = Reply::raw(head + &body);
                if n == late { reply.after(&latch) } else { reply }
            })
        });
        let gateway = Running::with(&[decoded("/x", &backends(&[&upstreams[0], &upstreams[1]]))]);
        let mut connection = client::Connection::open(gateway.address);
        connection.write(request("GET", "/x", &[], b""));
        upstreams.iter().for_each(|upstream| drop(upstream.wait_for_requests(1)));
        // The gateway closes, as it was told to, when it has read the whole answer.
        eventually(PATIENCE, "the first answer has arrived", || upstreams[1 - late].open_connections() == 0);
        latch.open();
        assert_eq!(connection.response().text(), format!(r#"{{"who":{{"from {late}":1}}}}"#));
    }
}

#[test]
fn what_failed_is_missing_and_the_answer_says_that_it_is_incomplete_1_6() {
    let (a, bad, c) = (answers(r#"{"a":1}"#), fails(), answers(r#"{"c":3}"#));
    let gateway = Running::with(&[decoded("/x", &backends(&[&a, &bad, &c]))]);
    assert_answer(&gateway.get("/x"), r#"{"a":1,"c":3}"#, "false");
    let log = gateway.access_log(1);
    assert!(log.contains(" status=200 ") && log.contains("failure=upstream_status cause=status"), "{log}");
}

#[test]
fn when_all_failed_the_answer_is_a_failure_1_6() {
    let (one, two) = (fails(), answers("not JSON"));
    let answer = Running::with(&[decoded("/x", &backends(&[&one, &two]))]).get("/x");
    assert_eq!((answer.status, answer.text().as_str()), (500, ""));
    assert_eq!(answer.header(COMPLETED), Some("false"));
}

#[test]
fn one_empty_part_leaves_an_answer_complete() {
    let (a, empty) = (answers(r#"{"a":1}"#), answers("{}"));
    assert_answer(&Running::with(&[decoded("/x", &backends(&[&a, &empty]))]).get("/x"), r#"{"a":1}"#, "true");
    assert_answer(&Running::with(&[decoded("/x", &backends(&[&empty, &empty]))]).get("/x"), "{}", "false");
}

#[test]
fn a_flatmap_filter_of_the_endpoint_works_on_the_merged_data() {
    let (a, b) = (answers(r#"{"a":[1]}"#), answers(r#"{"b":[2],"gone":1}"#));
    let operations = json!([{ "type": "append", "args": ["b", "a"] }, { "type": "del", "args": ["gone"] }]);
    let endpoint = with_proxy(&[&a, &b], json!({ "flatmap_filter": operations }));
    assert_answer(&Running::with(&[endpoint]).get("/x"), r#"{"a":[1,2]}"#, "true");
}

/// Asks `/0`, then `/1/…` with a field of the first answer, then `/2/…` with one of the second.
fn in_turn(upstream: &Upstream) -> Running {
    let patterns = ["/0", "/1/{resp0_user.id}?n={resp0_name}", "/2/{resp1_next}"];
    let backends = patterns.map(|pattern| backend(upstream, pattern));
    Running::with(&[with(decoded("/x", &backends), &json!({ "extra_config": { "proxy": { "sequential": true } } }))])
}

fn targets(upstream: &Upstream) -> Vec<String> {
    upstream.requests().into_iter().map(|request| request.target).collect()
}

#[test]
fn backends_in_turn_take_values_of_earlier_answers_1_6() {
    let upstream = Upstream::start(|request| match &request.target[..2] {
        "/0" => json_reply(r#"{"user":{"id":1234567890123},"name":"a&b/c é"}"#),
        "/1" => json_reply(r#"{"next":["x","y"]}"#),
        _ => json_reply(r#"{"end":true}"#),
    });
    let answer = in_turn(&upstream).get("/x");
    assert_answer(
        &answer,
        r#"{"end":true,"name":"a\u0026b/c é","next":["x","y"],"user":{"id":1234567890123}}"#,
        "true",
    );
    // KrakenD leaves the values as they are.
    assert_eq!(targets(&upstream), ["/0", "/1/1234567890123?n=a%26b%2Fc%20%C3%A9", "/2/x,y"]);
}

#[test]
fn when_the_first_in_turn_fails_no_other_is_asked_1_6() {
    let upstream = fails();
    let answer = in_turn(&upstream).get("/x");
    assert_eq!((answer.status, answer.header(COMPLETED)), (500, Some("false")));
    assert_eq!(targets(&upstream), ["/0"]);
}

#[test]
fn when_a_later_in_turn_fails_what_came_before_is_the_answer_1_6() {
    let upstream = Upstream::start(|request| match &request.target[..2] {
        "/0" => json_reply(r#"{"user":{"id":7},"name":"a"}"#),
        _ => Reply::new(500),
    });
    assert_answer(&in_turn(&upstream).get("/x"), r#"{"name":"a","user":{"id":7}}"#, "false");
    assert_eq!(targets(&upstream), ["/0", "/1/7?n=a"]);
}

/// KrakenD sends the placeholder itself, which no backend can make anything of.
#[test]
fn a_value_that_is_not_there_ends_the_turn() {
    let upstream = answers(r#"{"name":"a"}"#);
    let gateway = in_turn(&upstream);
    assert_answer(&gateway.get("/x"), r#"{"name":"a"}"#, "false");
    assert_eq!(targets(&upstream), ["/0"]);
    assert!(gateway.access_log(1).contains("failure=undecodable"), "{}", gateway.access_log(1));
}

#[test]
fn an_earlier_answer_cannot_lead_out_of_the_path() {
    let upstream = Upstream::start(|request| match &request.target[..2] {
        "/0" => json_reply(r#"{"user":{"id":".."},"name":"a"}"#),
        other => panic!("{other}"),
    });
    assert_answer(&in_turn(&upstream).get("/x"), r#"{"name":"a","user":{"id":".."}}"#, "false");
    assert_eq!(targets(&upstream), ["/0"]);
}

#[test]
fn static_data_is_added_when_its_strategy_says_so_1_6() {
    let (a, b, bad) = (answers(r#"{"a":1}"#), answers(r#"{"b":2}"#), fails());
    let whole: &[&Upstream] = &[&a, &b];
    let partial: &[&Upstream] = &[&a, &bad];
    let failed: &[&Upstream] = &[&bad, &bad];
    for (strategy, in_whole, in_partial, in_failed) in [
        ("always", true, true, true),
        ("success", true, false, false),
        ("errored", false, true, true),
        ("complete", true, false, false),
        ("incomplete", false, true, true),
    ] {
        let fixed = json!({ "static": { "strategy": strategy, "data": { "s": [1.50, null] } } });
        for (upstreams, is_added, body) in
            [(whole, in_whole, r#""a":1,"b":2"#), (partial, in_partial, r#""a":1"#), (failed, in_failed, "")]
        {
            let answer = Running::with(&[with_proxy(upstreams, fixed.clone())]).get("/x");
            let added = if is_added { r#""s":[1.5,null]"# } else { "" };
            let comma = if is_added && !body.is_empty() { "," } else { "" };
            if body.is_empty() && !is_added {
                assert_eq!((answer.status, answer.text().as_str()), (500, ""), "{strategy}");
            } else {
                let completed = if body.contains('b') { "true" } else { "false" };
                assert_answer(&answer, &format!("{{{body}{comma}{added}}}"), completed);
            }
        }
    }
}

#[test]
fn static_data_makes_a_200_of_a_failure_also_with_one_backend_1_6() {
    let bad = fails();
    let fixed = |strategy: &str| json!({ "static": { "strategy": strategy, "data": { "s": 1 } } });
    assert_answer(&Running::with(&[with_proxy(&[&bad], fixed("errored"))]).get("/x"), r#"{"s":1}"#, "false");
    assert_eq!(Running::with(&[with_proxy(&[&bad], fixed("success"))]).get("/x").status, 500);
}

#[test]
fn static_data_wins_over_fields_of_its_name() {
    let a = answers(r#"{"a":1,"b":2}"#);
    let endpoint = with_proxy(&[&a], json!({ "static": { "data": { "a": "fixed" } } }));
    assert_answer(&Running::with(&[endpoint]).get("/x"), r#"{"a":"fixed","b":2}"#, "true");
}

fn shadow(upstream: &Upstream) -> Value {
    with(backend(upstream, "/shadow"), &json!({ "extra_config": { "proxy": { "shadow": true } } }))
}

#[test]
fn a_shadow_gets_a_copy_and_nobody_waits_for_it_1_6() {
    let shadowing = Upstream::start(|_| Reply::hang());
    let a = answers(r#"{"a":1}"#);
    let endpoint = decoded("/x", &[shadow(&shadowing), backend(&a, "/")]);
    let gateway = Running::with(&[with(endpoint, &json!({ "method": "POST" }))]);
    assert_answer(&client::post(gateway.address, "/x", "body"), r#"{"a":1}"#, "true");
    let copy = shadowing.wait_for_requests(1).remove(0);
    assert_eq!((copy.method.as_str(), copy.target.as_str(), copy.text().as_str()), ("POST", "/shadow", "body"));
    assert_eq!(a.only_request().text(), "body");
    shadowing.close_connections();
}

#[test]
fn what_becomes_of_a_shadow_changes_nothing_1_6() {
    for answer in [|| json_reply(r#"{"a":"shadow"}"#), || Reply::new(500), || Reply::reset(), || Reply::raw("junk")] {
        let shadowing = Upstream::start(move |_| answer());
        let a = answers(r#"{"a":1}"#);
        let gateway = Running::with(&[decoded("/x", &[backend(&a, "/"), shadow(&shadowing)])]);
        assert_answer(&gateway.get("/x"), r#"{"a":1}"#, "true");
        shadowing.wait_for_requests(1);
        assert!(!gateway.access_log(1).contains("failure="));
        shadowing.close_connections();
    }
}

#[test]
fn the_first_complete_answer_of_concurrent_calls_counts() {
    let upstream = Upstream::start(|request| match request.number {
        0 => Reply::hang(),
        1 => Reply::new(500),
        _ => json_reply(r#"{"a":1}"#),
    });
    let endpoint = with(decoded("/x", &backends(&[&upstream])), &json!({ "concurrent_calls": 3 }));
    let gateway = Running::with(&[endpoint]);
    assert_answer(&gateway.get("/x"), r#"{"a":1}"#, "true");
    assert_eq!(upstream.requests().len(), 3);
    eventually(PATIENCE, "the copy that nobody waits for is given up", || upstream.open_connections() <= 2);
}

#[test]
fn when_all_concurrent_calls_fail_the_backend_has_failed() {
    let upstream = fails();
    let endpoint = with(decoded("/x", &backends(&[&upstream])), &json!({ "concurrent_calls": 4 }));
    assert_eq!(Running::with(&[endpoint]).get("/x").status, 500);
    assert_eq!(upstream.requests().len(), 4);
}

#[test]
fn a_backend_may_have_a_shorter_timeout_than_its_endpoint() {
    let (silent, a) = (Upstream::start(|_| Reply::hang()), answers(r#"{"a":1}"#));
    let mut endpoint = decoded("/x", &backends(&[&silent, &a]));
    endpoint["backend"][0]["timeout"] = json!("50ms");
    let gateway = Running::with(&[endpoint]);
    assert_answer(&gateway.get("/x"), r#"{"a":1}"#, "false");
    assert!(gateway.access_log(1).contains("failure=upstream_timeout"));
    eventually(PATIENCE, "the connection is given up", || silent.open_connections() == 0);
}

/// Of the endpoint's time, several backends have 85 %, so that what came in can still be sent; copies of one have 75 %.
#[test]
fn what_has_not_come_in_time_is_missing_1_6() {
    let (silent, a) = (Upstream::start(|_| Reply::hang()), answers(r#"{"a":1}"#));
    let brief =
        |path: &str, upstreams: &[&Upstream]| with(decoded(path, &backends(upstreams)), &json!({ "timeout": "1s" }));
    let mut copies = brief("/copies", &[&silent]);
    copies["concurrent_calls"] = json!(2);
    let gateway = Running::with(&[brief("/one", &[&silent]), brief("/several", &[&silent, &a]), copies]);
    let mut waiting = ["/one", "/several", "/copies"].map(|path| {
        let mut connection = client::Connection::open(gateway.address);
        connection.write(request("GET", path, &[], b""));
        connection
    });
    // KrakenD answers 500 to the first and the last.
    assert_eq!(waiting[0].response().status, 504);
    assert_answer(&waiting[1].response(), r#"{"a":1}"#, "false");
    assert_eq!(waiting[2].response().status, 504);
    for line in gateway.access_log(3).lines() {
        let took: f64 = line.split(" ms=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        let least = [("/one", 1000.0), ("/several", 850.0), ("/copies", 750.0)];
        let least = least.iter().find(|(path, _)| line.contains(&format!(" path={path} "))).unwrap().1;
        assert!(took >= least - 1.0, "it had less time than that: {line}");
    }
}
