//! `balance`, `qos/circuit-breaker`, service discovery and DNS.

use super::super::model::{Backend, Balance, Discovery, Model, Policy};
use super::*;
use std::time::Duration;

fn with(namespace: &str, members: &str) -> String {
    file("", "", &format!(r#", "extra_config": {{"{namespace}": {{{members}}}}}"#))
}

fn model(text: &str) -> Model {
    let loaded = json(text);
    assert!(loaded.report.is_ok(), "{}", loaded.report.render(false));
    loaded.model.unwrap()
}

fn backend(text: &str) -> Backend {
    model(text).endpoints[0].answer.backends()[0].clone()
}

#[test]
fn every_key_of_balance_has_a_default() {
    assert_eq!(backend(&file("", "", "")).balance, Balance::unless_written());
    assert_eq!(backend(&with("balance", "")).balance, Balance::unless_written());
    let text = r#""policy": "least_request", "outlier": {"consecutive_failures": 0}, "health": {"path": "/h?x=1"},
        "retries": {"max_attempts": 1, "budget_percent": "50"}"#;
    let balance = backend(&with("balance", text)).balance;
    assert_eq!((balance.policy, balance.outlier), (Policy::LeastRequest, None));
    assert_eq!(
        (balance.retries.max_attempts, balance.retries.budget_percent, balance.retries.min_per_second),
        (1, 50, 10)
    );
    let health = balance.health.unwrap();
    assert_eq!((health.interval, health.timeout), (Duration::from_secs(10), Duration::from_secs(2)));
    assert_eq!((health.path.as_str(), health.healthy, health.unhealthy), ("/h?x=1", 2, 3));
}

#[test]
fn what_balance_cannot_be_is_told() {
    for (members, code, at, help) in [
        (r#""policy": "least_requests""#, code::VALUE, "\"least_requests\"", "did you mean `least_request`"),
        (r#""polcy": "x""#, code::UNKNOWN_KEY, "\"polcy\"", "policy"),
        (r#""outlier": {"consecutive": 1}"#, code::UNKNOWN_KEY, "\"consecutive\"", ""),
        (r#""outlier": {"max_ejection_time": "1s"}"#, code::VALUE, "\"1s\"", "base_ejection_time"),
        (r#""health": {}"#, code::MISSING, "{", "/health"),
        (r#""health": {"path": "health"}"#, code::VALUE, "\"health\"", "/health"),
        (r#""health": {"path": "/", "interval": "1ms"}"#, code::VALUE, "\"1ms\"", "seconds"),
        (r#""health": {"path": "/", "status": [99]}"#, code::VALUE, "99", "200"),
        (r#""health": {"path": "/", "status": []}"#, code::VALUE, "[]", "200"),
        (r#""retries": {"max_attempts": 0}"#, code::VALUE, "0", "from 1 to 16"),
    ] {
        problem(&with("balance", members), code, at, help);
    }
}

#[test]
fn a_circuit_breaker_needs_its_numbers() {
    let text = with("qos/circuit-breaker", r#""interval": 0, "timeout": 0, "max_errors": 1, "name": """#);
    let breaker = backend(&text).circuit_breaker.unwrap();
    assert_eq!((breaker.interval, breaker.timeout), (None, Duration::from_secs(60)));
    assert_eq!((breaker.max_errors, breaker.name, breaker.log_status_change), (1, None, false));
    problem(&with("qos/circuit-breaker", r#""interval": 60, "timeout": 10"#), code::MISSING, "{", "max_errors");
    let text = with("qos/circuit-breaker", r#""interval": 60, "timeout": "10s", "max_errors": 1"#);
    problem(&text, code::TYPE, "\"10s\"", "");
}

#[test]
fn a_circuit_breaker_by_status_needs_its_statuses() {
    let http = |more: &str| {
        with(
            "qos/circuit-breaker/http",
            &format!(r#""interval": 60, "timeout": 10, "max_errors": 1, "name": "b"{more}"#),
        )
    };
    let breaker = backend(&http(r#", "valid_status_codes": [404, 200, "201", 200]"#)).circuit_breaker.unwrap();
    let statuses: Vec<_> = breaker.valid_status_codes.unwrap().iter().map(http::StatusCode::as_u16).collect();
    assert_eq!((statuses.as_slice(), breaker.max_errors), (&[200, 201, 404][..], 1));
    let text = http("");
    problem(&text, code::MISSING, "{", "valid_status_codes");
    problem(&http(r#", "valid_status_codes": []"#), code::VALUE, "[]", "no status");
    problem(&http(r#", "valid_status_codes": [99]"#), code::VALUE, "99", "status");
    problem(&http(r#", "valid_status_codes": [600]"#), code::VALUE, "600", "status");
    problem(&http(r#", "valid_status_codes": ["2xx"]"#), code::TYPE, "\"2xx\"", "100 to 599");
    problem(
        &with("qos/circuit-breaker", r#""valid_status_codes": [200], "interval": 1, "timeout": 1, "max_errors": 1"#),
        code::UNKNOWN_KEY,
        "\"valid_status_codes\"",
        "",
    );
}

#[test]
fn a_backend_has_one_circuit_breaker() {
    let numbers = r#""interval": 60, "timeout": 10, "max_errors": 1"#;
    let by_status = format!(r#"{{{numbers}, "valid_status_codes": [200]}}"#);
    let both = format!(r#""qos/circuit-breaker": {{{numbers}}}, "qos/circuit-breaker/http": {by_status}"#);
    let text = file("", "", &format!(r#", "extra_config": {{{both}}}"#));
    problem(&text, code::TWO_BREAKERS, &by_status, "keep one");
}

#[test]
fn hosts_of_services_are_names_of_records() {
    let text =
        file("", "", r#", "sd": "dns", "sd_scheme": "https""#).replace("http://up:8000", "_API._tcp.example.com");
    let found = backend(&text);
    assert_eq!(
        (found.discovery, found.hosts[0].https, &*found.hosts[0].name),
        (Discovery::Dns, true, "_api._tcp.example.com")
    );
    problem(&file("", "", r#", "sd": "dns""#), code::SERVICE, "\"http://up:8000\"", "SRV record");
    let text = file("", "", r#", "sd": "dns", "sd_scheme": "ftp""#).replace("http://up:8000", "_api._tcp.example.com");
    problem(&text, code::VALUE, "\"ftp\"", "`http` or `https`");
    assert_eq!(backend(&file("", "", r#", "sd": "static", "sd_scheme": "http""#)).discovery, Discovery::Static);
}

#[test]
fn the_service_says_how_names_are_looked_up() {
    let dns = model(&file(r#""dns_cache_ttl": "5s", "dns_resolver": ["10.0.0.2", "[::1]:8600"],"#, "", "")).dns;
    assert_eq!(dns.cache_ttl, Duration::from_secs(5));
    assert_eq!(dns.servers, ["10.0.0.2:53", "[::1]:8600"].map(|text| text.parse().unwrap()));
    assert_eq!(model(&file("", "", "")).dns.cache_ttl, Duration::from_secs(30));
    problem(&file(r#""dns_cache_ttl": "500ms","#, "", ""), code::VALUE, "\"500ms\"", "`1s`");
    problem(&file(r#""dns_resolver": "dns.example.com","#, "", ""), code::VALUE, "\"dns.example.com\"", "IP address");
}
