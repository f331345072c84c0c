//! Whom trusted proxies name, and what they cannot say.

use super::*;
use http::header;
use proptest::prelude::*;

fn trust(headers: &[&'static str]) -> Trust {
    let proxies = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("a network")).to_vec();
    Trust { proxies, headers: headers.iter().map(|name| HeaderName::from_static(name)).collect() }
}

fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in list {
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a value");
        map.append(HeaderName::from_static(name), value);
    }
    map
}

/// Whom a request from this peer comes from, and how many entries of `X-Forwarded-For` are believed.
fn found(trust: &Trust, peer: &str, list: &[(&'static str, &str)]) -> (String, Option<usize>) {
    let sender = sender(trust, peer.parse().ok(), false, &headers(list));
    (sender.client.map(|client| client.to_string()).unwrap_or_default(), sender.proxy.map(|proxy| proxy.believed))
}

#[test]
fn nobody_is_believed_unless_listed() {
    let claims = [("x-forwarded-for", "9.9.9.9"), ("x-real-ip", "9.9.9.9"), ("x-forwarded-proto", "https")];
    assert_eq!(found(&Trust::default(), "10.0.0.1", &claims), ("10.0.0.1".into(), None));
    let listed = Trust { proxies: trust(&[]).proxies, ..Trust::default() };
    assert_eq!(found(&listed, "11.0.0.1", &claims), ("11.0.0.1".into(), None));
    assert_eq!(found(&listed, "10.0.0.1", &claims), ("9.9.9.9".into(), Some(1)));
    assert!(!sender(&listed, "11.0.0.1".parse().ok(), false, &headers(&claims)).secure);
}

#[test]
fn the_client_is_the_last_that_no_trusted_proxy_is() {
    let trust = trust(&["x-forwarded-for"]);
    for (lines, client, believed) in [
        (&["9.9.9.9"][..], "9.9.9.9", 1),
        (&["6.6.6.6, 9.9.9.9"], "9.9.9.9", 1),
        (&["6.6.6.6", "9.9.9.9,10.0.0.3", "10.0.0.2"], "9.9.9.9", 3),
        (&["10.0.0.3 , ,10.0.0.2,"], "10.0.0.3", 2),
        (&["2001:db8::1, fd00::1"], "2001:db8::1", 2),
        (&["::ffff:9.9.9.9, ::ffff:10.0.0.2"], "9.9.9.9", 2),
        (&[""], "10.0.0.1", 0),
    ] {
        let list: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
        assert_eq!(found(&trust, "10.0.0.1", &list), (client.into(), Some(believed)), "{lines:?}");
    }
    assert_eq!(found(&trust, "::ffff:10.0.0.1", &[("x-forwarded-for", "9.9.9.9")]).0, "9.9.9.9");
}

#[test]
fn what_is_no_address_ends_the_walk_where_it_is() {
    let trust = trust(&["x-forwarded-for", "x-real-ip"]);
    for hostile in [
        "unknown",
        "_hidden",
        "9.9.9.9:80",
        "[::1]",
        "[::1]:80",
        "9.9.9",
        "9.9.9.9.9",
        "09.9.9.9",
        "0x9.9.9.9",
        "999.9.9.9",
        "fe80::1%eth0",
        "\"9.9.9.9\"",
        "for=9.9.9.9",
        "9.9.9.9 8.8.8.8",
        "9.9.9.9;10.0.0.2",
        "é",
        "-",
        "localhost",
        "10.0.0.0/8",
    ] {
        let list = [("x-forwarded-for", hostile), ("x-real-ip", "6.6.6.6")];
        assert_eq!(found(&trust, "10.0.0.1", &list).0, "10.0.0.1", "{hostile}");
        let behind = format!("6.6.6.6, {hostile}, 10.0.0.2");
        assert_eq!(
            found(&trust, "10.0.0.1", &[("x-forwarded-for", &behind)]),
            ("10.0.0.2".into(), Some(1)),
            "{hostile}"
        );
    }
}

#[test]
fn a_thousand_entries_are_read_from_their_end() {
    let trust = trust(&["x-forwarded-for"]);
    let claims = "6.6.6.6,".repeat(1000);
    assert_eq!(found(&trust, "10.0.0.1", &[("x-forwarded-for", &format!("{claims}9.9.9.9"))]).0, "9.9.9.9");
    let proxies = "10.0.0.2,".repeat(1000);
    assert_eq!(found(&trust, "10.0.0.1", &[("x-forwarded-for", &proxies)]), ("10.0.0.2".into(), Some(1000)));
}

#[test]
fn the_first_header_of_the_list_that_is_there_counts() {
    let trust = trust(&["cf-connecting-ip", "x-forwarded-for"]);
    let both = [("cf-connecting-ip", "9.9.9.9"), ("x-forwarded-for", "8.8.8.8")];
    assert_eq!(found(&trust, "10.0.0.1", &both), ("9.9.9.9".into(), Some(0)));
    assert_eq!(found(&trust, "10.0.0.1", &both[1..]), ("8.8.8.8".into(), Some(1)));
    assert_eq!(found(&trust, "10.0.0.1", &[("x-real-ip", "9.9.9.9")]).0, "10.0.0.1");
}

#[test]
fn rfc7239_elements_are_read_as_they_are_written() {
    let trust = trust(&["forwarded"]);
    for (value, client) in [
        ("for=9.9.9.9", "9.9.9.9"),
        ("For=\"9.9.9.9:4711\";proto=https;by=10.0.0.1", "9.9.9.9"),
        ("for=6.6.6.6, for=\"[2001:db8::1]:4711\";host=a , for=10.0.0.2", "2001:db8::1"),
        ("for=\"[2001:db8::1]\"", "2001:db8::1"),
        ("for=9.9.9.9:_port", "9.9.9.9"),
        ("for=unknown", "10.0.0.1"),
        ("for=6.6.6.6, for=_hidden, for=10.0.0.2", "10.0.0.2"),
        ("for=\"9.9.9.9", "10.0.0.1"),
        ("for=9.9.9.9\"", "10.0.0.1"),
        ("for=\"\\9.9.9.9\"", "10.0.0.1"),
        ("for=9.9.9.9;for=8.8.8.8", "10.0.0.1"),
        ("for=9.9.9.9;", "10.0.0.1"),
        ("for=[::1", "10.0.0.1"),
        ("for=\"[::1]x\"", "10.0.0.1"),
        ("for=", "10.0.0.1"),
        ("by=9.9.9.9", "10.0.0.1"),
        ("host=\"a, for=9.9.9.9\"", "10.0.0.1"),
        ("for=6.6.6.6, for=9.9.9.9;host=\"a, for=8.8.8.8\"", "9.9.9.9"),
        ("for=6.6.6.6, for=\"9.9.9.9, for=8.8.8.8\"", "10.0.0.1"),
        ("for=\"6.6.6.6, for=9.9.9.9", "9.9.9.9"),
        ("for=\"6.6.6.6, for=9.9.9.9;host=\"a,b\", for=10.0.0.2", "9.9.9.9"),
        ("for=6.6.6.6, by=\"a\\\", for=8.8.8.8\";for=9.9.9.9", "10.0.0.1"),
        ("9.9.9.9", "10.0.0.1"),
    ] {
        let list = [("forwarded", value)];
        assert_eq!(found(&trust, "10.0.0.1", &list), (client.into(), Some(0)), "{value}");
    }
    assert!(Trust::is_forwarded(&header::FORWARDED));
}

#[test]
fn a_trusted_proxy_says_whether_the_client_came_by_tls() {
    let trust = trust(&["x-forwarded-for"]);
    for (protos, is_tls, secure) in [
        (&["https"][..], false, true),
        (&["HTTP"], true, false),
        (&[], true, true),
        (&["https,http"], false, false),
        (&["https", "https"], false, false),
        (&["wss"], false, false),
    ] {
        let list: Vec<_> = protos.iter().map(|proto| ("x-forwarded-proto", *proto)).collect();
        let sender = sender(&trust, "10.0.0.1".parse().ok(), is_tls, &headers(&list));
        assert_eq!(sender.secure, secure, "{protos:?}");
    }
}

proptest! {
    #[test]
    fn no_value_panics_or_makes_an_untrusted_entry_count_for_more(value in "[0-9a-f.:,;=\" \\[\\]_]{0,60}") {
        for name in ["x-forwarded-for", "forwarded"] {
            let list = [(name, value.as_str()), (name, if name == "forwarded" { "for=9.9.9.9" } else { "9.9.9.9" })];
            prop_assert_eq!(found(&trust(&[name]), "10.0.0.1", &list).0, "9.9.9.9");
            let _ = found(&trust(&[name]), "10.0.0.1", &list[..1]);
        }
    }
}
