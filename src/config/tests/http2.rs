//! `use_h2c` and the limits of HTTP/2.

use super::super::model::*;
use super::*;
use std::time::Duration;

fn model(keys: &str) -> Model {
    let loaded = json(&format!(r#"{{"version": 3, {keys}}}"#));
    loaded.model.unwrap_or_else(|| panic!("{}", loaded.report.render(false)))
}

#[test]
fn http_2_without_tls_is_off_unless_the_root_or_the_router_wants_it() {
    assert!(!model(r#""name": "a""#).use_h2c);
    assert!(model(r#""use_h2c": true"#).use_h2c);
    assert!(model(r#""extra_config": {"router": {"use_h2c": "true"}}"#).use_h2c);
}

#[test]
fn limits_have_defaults_and_zero_is_the_default() {
    let limits = |members: &str| model(&format!(r#""extra_config": {{"limits": {{{members}}}}}"#)).limits;
    for members in ["", r#""h2_max_streams": 0, "h2_idle_timeout": "0s""#] {
        let limits = limits(members);
        assert_eq!((limits.h2_streams, limits.h2_idle_timeout), (100, Duration::from_secs(300)), "{members}");
    }
    let limits = limits(r#""h2_max_streams": 7, "h2_idle_timeout": "90s""#);
    assert_eq!((limits.h2_streams, limits.h2_idle_timeout), (7, Duration::from_secs(90)));
}

#[test]
fn more_streams_than_possible_are_a_problem() {
    let file = r#"{"version": 3, "extra_config": {"limits": {"h2_max_streams": 1001}}}"#;
    problem(file, code::VALUE, "1001", "1000");
}
