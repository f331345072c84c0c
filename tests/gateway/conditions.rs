//! The conditions of `validation/cel`, on requests and on answers, in both lanes.

use crate::support::client;
use crate::support::gateway::{Running, endpoint};
use crate::support::reply::Reply;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

fn conditions(expressions: &[&str]) -> Value {
    let list: Vec<_> = expressions.iter().map(|text| json!({ "check_expr": text })).collect();
    json!({ "validation/cel": list })
}

#[test]
fn a_request_that_no_condition_allows_reaches_no_backend() {
    let upstream = Upstream::echo();
    let mut endpoint = endpoint("/a/{id}", &upstream.url(), "/b/{id}");
    endpoint["input_headers"] = json!(["X-Tenant"]);
    endpoint["input_query_strings"] = json!(["q"]);
    endpoint["extra_config"] = conditions(&["req_headers['X-Tenant'][0] == 'a'", "req_querystring.q[0] == '1'"]);
    endpoint["backend"][0]["extra_config"] = conditions(&["req_path == '/b/x y' || req_params.Id == '1'"]);
    let gateway = Running::with(&[endpoint]);
    let status = |target: &str, tenant: &str| {
        client::send(gateway.address, client::request("GET", target, &[("X-Tenant", tenant)], b"")).status
    };
    assert_eq!(status("/a/1?q=1", "a"), 200);
    for (target, tenant) in [("/a/1?q=1", "b"), ("/a/1?q=2", "a"), ("/a/1", "a"), ("/a/2?q=1", "a")] {
        assert_eq!(status(target, tenant), 403, "{target} {tenant}");
    }
    assert_eq!(upstream.heads(), 1);
}

#[test]
fn conditions_judge_answers_that_are_decoded() {
    let upstream = Upstream::start(|request| {
        Reply::json(200, &json!({ "n": request.target.strip_prefix("/").unwrap().parse::<u32>().unwrap() }))
    });
    let mut one = endpoint("/a/{n}", &upstream.url(), "/{n}");
    one["output_encoding"] = json!("json");
    one["extra_config"] = conditions(&["resp_completed && resp_data.n < 5.0"]);
    let mut two = one.clone();
    two["endpoint"] = json!("/b/{n}");
    two["extra_config"] = json!({});
    two["backend"][0]["extra_config"] = conditions(&["resp_data.n < 5.0"]);
    let other = json!({ "host": [upstream.url()], "url_pattern": "/1", "mapping": { "n": "one" } });
    two["backend"].as_array_mut().unwrap().push(other);
    let gateway = Running::with(&[one, two]);
    assert_eq!(gateway.get("/a/4").text(), r#"{"n":4}"#);
    assert_eq!((gateway.get("/a/5").status, gateway.get("/a/5").text().as_str()), (500, ""));
    let partial = gateway.get("/b/5");
    assert_eq!((partial.status, partial.text().as_str()), (200, r#"{"one":1}"#));
    assert_eq!(partial.header("x-krakend-completed"), Some("false"));
    assert!(gateway.access_log(4).contains("condition"));
}

#[test]
fn conditions_judge_status_and_headers_of_answers_that_pass() {
    let upstream =
        Upstream::start(|request| Reply::text("x").header("X-Ok", if request.target == "/1" { "y" } else { "n" }));
    let mut endpoint = endpoint("/a/{n}", &upstream.url(), "/{n}");
    endpoint["backend"][0]["extra_config"] =
        conditions(&["resp_metadata_status == 200 && resp_metadata_headers['X-Ok'][0] == 'y'"]);
    let gateway = Running::with(&[endpoint]);
    assert_eq!([gateway.get("/a/1").status, gateway.get("/a/2").status], [200, 500]);
}

#[test]
fn a_shadow_gets_no_request_that_its_conditions_refuse() {
    let (upstream, shadow) = (Upstream::start(|_| Reply::json(200, &json!({}))), Upstream::echo());
    let mut decoded = endpoint("/a/{n}", &upstream.url(), "/{n}");
    decoded["output_encoding"] = json!("json");
    let mut copy =
        json!({ "host": [shadow.url()], "url_pattern": "/{n}", "extra_config": { "proxy": { "shadow": true } } });
    copy["extra_config"]["validation/cel"] = conditions(&["req_params.N == 'yes'"])["validation/cel"].clone();
    decoded["backend"].as_array_mut().unwrap().push(copy);
    let gateway = Running::with(&[decoded]);
    assert_eq!([gateway.get("/a/no").status, gateway.get("/a/yes").status], [200, 200]);
    assert_eq!(shadow.wait_for_requests(1)[0].target, "/yes");
    assert_eq!(shadow.heads(), 1);
}
