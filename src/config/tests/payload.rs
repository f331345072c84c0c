//! `max_payload` of the service and of an endpoint.

use super::*;

fn text(service: &str, endpoint: &str) -> String {
    let service = format!(r#""extra_config": {{"router": {{{service}}}}},"#);
    file(&service, &format!(r#""extra_config": {{"proxy": {{{endpoint}}}}},"#), "")
}

fn limit(service: &str, endpoint: &str) -> Option<usize> {
    let loaded = json(&text(service, endpoint));
    assert!(loaded.report.is_ok(), "{}", loaded.report.render(false));
    loaded.model.unwrap().endpoints[0].max_payload
}

#[test]
fn a_payload_has_a_limit_unless_it_is_0() {
    assert_eq!(limit("", ""), Some(10 * 1024 * 1024));
    assert_eq!(limit(r#""max_payload": 1000"#, ""), Some(1000));
    assert_eq!(limit(r#""max_payload": 0"#, ""), None);
    problem(&text(r#""max_payload": -1"#, ""), code::TYPE, "-1", "bytes");
}

#[test]
fn an_endpoint_may_take_less_than_the_service_says() {
    assert_eq!(limit("", r#""max_payload": 1000"#), Some(1000));
    assert_eq!(limit("", r#""max_payload": 20971520"#), Some(20_971_520));
    assert_eq!(limit("", r#""max_payload": 0"#), None);
    assert_eq!(limit(r#""max_payload": 0"#, r#""max_payload": 1000"#), Some(1000));
    assert_eq!(limit(r#""max_payload": 1000"#, r#""MAX_PAYLOAD": 999"#), Some(999));
    problem(&text("", r#""max_payload": "5 MB""#), code::TYPE, "\"5 MB\"", "bytes");
}

#[test]
fn more_than_the_service_takes_has_no_effect() {
    for own in ["1001", "0"] {
        let text = text(r#""max_payload": 1000"#, &format!(r#""max_payload": {own}"#));
        problem(&text, code::NO_EFFECT, own, "1000 bytes");
        assert_eq!(json(&text).model.unwrap().endpoints[0].max_payload, Some(1000));
    }
}

#[test]
fn a_backend_has_none() {
    let text = file("", "", r#", "extra_config": {"proxy": {"max_payload": 5}}"#);
    problem(&text, code::WRONG_LEVEL, "5", "an endpoint");
}
