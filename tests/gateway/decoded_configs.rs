//! Configurations as users of KrakenD write them (`tests/configs`): each loads without a word, and two are run against
//! upstreams that answer as theirs would.

use crate::decoded::{COMPLETED, json_reply};
use crate::support::client::{self, Response, request};
use crate::support::gateway::Running;
use crate::support::reply::Reply;
use crate::support::upstream::{Request, Upstream};
use porteur::config::{self, Environment, Options};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const CONFIGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/configs");

struct Secrets;

impl Environment for Secrets {
    fn var(&self, name: &str) -> Option<String> {
        (!name.starts_with("KRAKEND_") && !name.starts_with("FC_")).then(|| format!("value-of-{name}"))
    }
}

#[test]
fn configurations_as_users_write_them_load_without_a_word() {
    let entries = fs::read_dir(CONFIGS).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    assert!(files.len() >= 4);
    for path in files {
        let loaded = config::load(&path, &Options::default(), &Secrets);
        let report = loaded.report.render(false);
        assert!(loaded.model.is_some() && loaded.report.warnings() == 0, "{report}");
    }
}

/// Starts a gateway with one of them, whose host is this upstream, on a port of its own.
#[track_caller]
fn run(name: &str, host: &str, upstream: &Upstream) -> Running {
    let text = fs::read_to_string(Path::new(CONFIGS).join(name)).unwrap();
    assert!(text.contains(host));
    let mut configuration: Value = serde_json::from_str(&text.replace(host, &upstream.addr().to_string())).unwrap();
    configuration["port"] = json!(0);
    // What the support would fill in otherwise; an empty text is none, and so JSON.
    configuration["output_encoding"] = json!("");
    Running::start(configuration)
}

fn shop(request: &Request) -> Reply {
    json_reply(match (request.method.as_str(), request.target.as_str()) {
        ("GET", "/products/4711?lang=de") => {
            r#"{"internal_id":9007199254740993,"name":"Kaffee & Kuchen","price":{"amount":12.50,"currency":"EUR","margin":0.4},"cost":7}"#
        }
        ("GET", "/reviews?product=4711&limit=2&lang=de") => r#"[{"stars":5,"text":"<3"},{"stars":1,"text":"ö"}]"#,
        ("GET", "/stock/4711?lang=de") => {
            r#"{"data":{"stock":{"count":3,"warehouse":{"id":"HH","address":"secret"}}},"took":1}"#
        }
        ("GET", "/categories") => r#"[ {"id": 1, "name": "tea"}, {"id": 2, "name": "cake"} ]"#,
        ("GET", "/orders/77") => r#"{"number":"A-77","customer_id":5,"total":1.0e2,"card":"4111"}"#,
        ("GET", "/customers/5") => r#"{"name":"Ann","mail":"ann@example.test","password":"x"}"#,
        ("GET", "/search?q=tea") => r#"[{"id":1,"score":0.9,"debug":{}},{"id":2,"score":0.1}]"#,
        ("GET", "/images/cup.png") => return Reply::new(200).header("Content-Type", "image/png").body(b"\x89PNG"),
        ("POST", "/cart") => return Reply::json(422, &json!({ "error": "sold out" })),
        _ => return Reply::new(500),
    })
}

#[track_caller]
fn assert_answer(answer: &Response, body: &str, cache_control: Option<&str>) {
    assert_eq!((answer.status, answer.text().as_str()), (200, body));
    let completed = if cache_control.is_some() { "true" } else { "false" };
    assert_eq!((answer.header(COMPLETED), answer.header("cache-control")), (Some(completed), cache_control));
}

#[test]
fn a_storefront_is_made_of_what_its_services_know() {
    let upstream = Upstream::start(shop);
    let gateway = run("storefront.json", "catalog:8080", &upstream);
    let five_minutes = Some("public, max-age=300");
    assert_answer(
        &gateway.get("/v1/products/4711?lang=de&utm_source=mail"),
        concat!(
            r#"{"id":9007199254740993,"name":"Kaffee \u0026 Kuchen","price":{"amount":12.50,"currency":"EUR"},"#,
            r#""reviews":[{"stars":5,"text":"\u003c3"},{"stars":1,"text":"ö"}],"#,
            r#""stock":{"count":3,"warehouse":{"id":"HH"}}}"#
        ),
        five_minutes,
    );
    assert_answer(
        &gateway.get("/v1/categories"),
        r#"[{"id":1,"name":"tea"},{"id":2,"name":"cake"}]"#,
        Some("public, max-age=3600"),
    );
    assert_answer(
        &gateway.get("/v1/orders/77"),
        r#"{"customer":{"mail":"ann@example.test","name":"Ann"},"customer_id":5,"number":"A-77","total":1.0e2}"#,
        five_minutes,
    );
    assert_answer(&gateway.get("/v1/recommendations"), r#"{"fallback":true,"items":[]}"#, None);
    assert_answer(&gateway.get("/v1/search?q=tea"), r#"{"hits":[{"id":1},{"id":2}]}"#, five_minutes);
    let sold_out = client::post(gateway.address, "/v1/cart", r#"{"sku":"4711"}"#);
    assert_eq!((sold_out.status, sold_out.text().as_str()), (422, ""));
    let picture = gateway.get("/v1/images/cup.png");
    assert_eq!((picture.status, picture.body.as_slice()), (200, &b"\x89PNG"[..]));
    assert_eq!(picture.header("content-type"), Some("image/png"));
    let unknown = gateway.get("/v1/products/0815");
    assert_eq!((unknown.status, unknown.header(COMPLETED)), (500, Some("false")));
    assert_eq!(upstream.violations(), [""; 0]);
}

#[test]
fn bodies_of_every_kind_become_what_the_client_takes() {
    let upstream = Upstream::start(|request| match request.target.as_str() {
        "/rates.xml" => Reply::text("<envelope><rates base=\"EUR\"><USD>1.08</USD></rates></envelope>"),
        "/motd.txt" => Reply::text("Good morning.\n"),
        "/summary" => json_reply(r#"{"total":2,"by_month":[1,1],"by_user":{}}"#),
        "/notes.txt" => Reply::text("ok"),
        _ => Reply::new(503),
    });
    let text = fs::read_to_string(Path::new(CONFIGS).join("formats.yaml")).unwrap();
    let text = text.replace("legacy:8080", &upstream.addr().to_string());
    let mut configuration: Value = serde_saphyr::from_str(&text).unwrap();
    configuration["output_encoding"] = json!("");
    let gateway = Running::start(configuration);
    let rates = |accept| client::send(gateway.address, request("GET", "/rates", &[("Accept", accept)], b""));
    assert_eq!(rates("application/json").text(), r#"{"-base":"EUR","USD":"1.08"}"#);
    assert_eq!(rates("application/xml").text(), "<doc base=\"EUR\"><USD>1.08</USD></doc>");
    assert_eq!(gateway.get("/motd").text(), "Good morning.\n");
    assert_answer(
        &gateway.get("/report"),
        r#"{"notes":"ok","summary":{"by_month":[1,1],"total":2},"warning":"some parts are missing"}"#,
        None,
    );
}
