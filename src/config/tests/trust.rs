//! The keys of `router` about trusted proxies.

use super::{json, problem};
use crate::config::code;
use crate::config::model::Trust;

fn router(members: &str) -> String {
    format!(r#"{{"version": 3, "extra_config": {{"router": {{{members}}}}}}}"#)
}

fn trust(members: &str) -> Trust {
    json(&router(members)).model.expect("a model").router.trust
}

#[test]
fn nobody_is_trusted_unless_listed() {
    assert_eq!(trust(""), Trust::default());
    let listed = trust(r#""trusted_proxies": ["10.0.0.0/8", "::1"], "remote_ip_headers": ["Forwarded"]"#);
    assert!(listed.trusts("10.9.9.9".parse().unwrap()) && listed.trusts("::1".parse().unwrap()));
    assert!(!listed.trusts("11.0.0.1".parse().unwrap()) && !listed.trusts("::2".parse().unwrap()));
    assert_eq!(listed.headers, ["forwarded"]);
    assert_eq!(trust(r#""trusted_proxies": "10.0.0.1", "remote_ip_headers": []"#).headers, Trust::default().headers);
}

#[test]
fn switched_off_nobody_is_trusted() {
    let text = r#""trusted_proxies": ["10.0.0.0/8"], "forwarded_by_client_ip": false"#;
    assert_eq!(trust(text), Trust::default());
    problem(&router(text), code::NO_EFFECT, "[\"10.0.0.0/8\"]", "remove one");
}

#[test]
fn what_has_no_effect_without_proxies_is_warned_of() {
    for (key, value) in [("forwarded_by_client_ip", "true"), ("remote_ip_headers", "[\"X-Real-IP\"]")] {
        problem(&router(&format!(r#""{key}": {value}"#)), code::NO_EFFECT, value, "`trusted_proxies`");
    }
}

#[test]
fn networks_and_names_are_checked() {
    problem(&router(r#""trusted_proxies": ["10.0.0.0/33"]"#), code::NETWORK, "\"10.0.0.0/33\"", "10.0.0.0/8");
    problem(&router(r#""trusted_proxies": ["0.0.0.0/0"]"#), code::BROAD_TRUST, "\"0.0.0.0/0\"", "load balancers");
    let text = router(r#""trusted_proxies": ["::1"], "remote_ip_headers": ["X Real IP"]"#);
    problem(&text, code::VALUE, "\"X Real IP\"", "X-Forwarded-For");
    problem(&router(r#""app_engine": true"#), code::REFUSED, "\"app_engine\"", "trusted_proxies");
}
