//! `listeners`: addresses beside the service's own.

use super::super::model::*;
use super::*;

fn with(entries: &str) -> String {
    format!(
        r#"{{"version": 3, "port": 8000, "extra_config": {{"admin": {{"listen": "127.0.0.1:9901"}}, "listeners": [{entries}]}}}}"#
    )
}

fn listeners(entries: &str) -> Vec<Listener> {
    let loaded = json(&with(entries));
    loaded.model.unwrap_or_else(|| panic!("{}", loaded.report.render(false))).listeners
}

#[test]
fn the_first_is_the_service_itself() {
    let all = listeners("");
    assert_eq!(all, [Listener { ip: None, port: 8000, tls: None, use_h2c: None, proxy_protocol: None }]);
}

#[test]
fn each_entry_is_a_listener_of_its_own() {
    let all = listeners(
        r#"{"listen": ":8001", "use_h2c": true}, {"listen": "[::1]:8000", "proxy_protocol": {"trusted": ["10.0.0.0/8", "192.0.2.7"]}}"#
            .replace("8000", "8002")
            .as_str(),
    );
    let [_, everywhere, one] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((everywhere.ip, everywhere.port, everywhere.use_h2c), (None, 8001, Some(true)));
    assert_eq!((one.ip, one.port), (Some("::1".parse().unwrap()), 8002));
    let rules = one.proxy_protocol.as_ref().expect("it asks for the header");
    assert_eq!(rules.trusted, ["10.0.0.0/8".parse().unwrap(), "192.0.2.7/32".parse().unwrap()]);
}

#[test]
fn addresses_are_free_and_well_formed() {
    for (entry, at, word) in [
        (r#"{"listen": "localhost:1"}"#, "\"localhost:1\"", "not an IP address"),
        (r#"{"listen": ":http"}"#, "\":http\"", "not an IP address"),
        (r#"{"listen": "10.0.0.1:8000"}"#, "\"10.0.0.1:8000\"", "is taken"),
        (r#"{"listen": ":9901"}"#, "\":9901\"", "is taken"),
    ] {
        problem(&with(entry), code::LISTENER, at, word);
    }
    problem(&with(r#"{"listen": ":1"}, {"listen": "[::]:1"}"#), code::LISTENER, "\"[::]:1\"", "is taken");
    problem(
        &with(r#"{"listen": "0.0.0.0:1"}, {"listen": "[::ffff:10.0.0.1]:1"}"#),
        code::LISTENER,
        "\"[::ffff:10.0.0.1]:1\"",
        "is taken",
    );
    assert_eq!(listeners(r#"{"listen": "0.0.0.0:1"}, {"listen": "[::1]:1"}"#).len(), 3, "each has a family of its own");
    problem(&with("{}"), code::MISSING, "{", "has no `listen`");
    assert_eq!(listeners(r#"{"listen": ":0"}, {"listen": "127.0.0.1:0"}"#).len(), 3, "free ports are never the same");
}

#[test]
fn a_header_that_anybody_may_send_is_worth_nothing() {
    let rules = |rules: &str| with(&format!(r#"{{"listen": ":1", "proxy_protocol": {rules}}}"#));
    problem(&rules("{}"), code::MISSING, "{", "no `trusted`");
    problem(&rules(r#"{"trusted": []}"#), code::NETWORK, "[]", "nobody");
    problem(&rules(r#"{"trusted": ["10.0.0.0/33"]}"#), code::NETWORK, "\"10.0.0.0/33\"", "not a network");
    problem(&rules(r#"{"trusted": ["::ffff:10.0.0.0/104"]}"#), code::NETWORK, "\"::ffff:10.0.0.0/104\"", "no peer");
    problem(&rules(r#"{"trusted": ["0.0.0.0/0"]}"#), code::BROAD_TRUST, "\"0.0.0.0/0\"", "everybody");
}

#[test]
fn the_service_s_own_port_has_the_block_of_a_listener() {
    let file = |rules: &str| format!(r#"{{"version": 3, "extra_config": {{"proxy_protocol": {rules}}}}}"#);
    let model = json(&file(r#"{"trusted": ["10.0.0.0/8"]}"#)).model.expect("it is right");
    let rules = model.listeners[0].proxy_protocol.as_ref().expect("it asks for the header");
    assert_eq!(rules.trusted, ["10.0.0.0/8".parse().unwrap()]);
    problem(&file("{}"), code::MISSING, "{", "no `trusted`");
    problem(&file(r#"{"trusted": []}"#), code::NETWORK, "[]", "nobody");
    problem(&file(r#"{"trusted": ["10.0.0.0/33"]}"#), code::NETWORK, "\"10.0.0.0/33\"", "not a network");
    problem(&file(r#"{"trusted": ["::/0"]}"#), code::BROAD_TRUST, "\"::/0\"", "everybody");
    problem(&file(r#"{"trusted": ["10.0.0.0/8"], "trust": 1}"#), code::UNKNOWN_KEY, "\"trust\"", "`trusted`");
}

#[test]
fn a_listener_has_a_block_of_the_service_s_kind() {
    problem(
        &with(r#"{"listen": ":1", "tls": {"publik_key": "x", "disabled": true}}"#),
        code::UNKNOWN_KEY,
        "\"publik_key\"",
        "`public_key`",
    );
    assert_eq!(listeners(r#"{"listen": ":1", "tls": {"disabled": true}}"#)[1].tls, None);
}
