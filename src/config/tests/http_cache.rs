//! `qos/http-cache`.

use super::super::model::HttpCache;
use super::*;

fn with(members: &str) -> String {
    file("", "", &format!(r#", "extra_config": {{"qos/http-cache": {{{members}}}}}"#))
}

fn read(loaded: Loaded) -> Vec<Option<HttpCache>> {
    assert!(loaded.report.is_ok(), "{}", loaded.report.render(false));
    loaded.model.unwrap().endpoints.into_iter().map(|endpoint| endpoint.answer.backends()[0].http_cache).collect()
}

fn limits(cache: &HttpCache) -> (bool, usize, usize) {
    (cache.shared, cache.max_items.get(), cache.max_size.get())
}

#[test]
fn limits_have_defaults_one_by_one() {
    const SIZE: usize = 64 * 1024 * 1024;
    for (members, expected) in [
        ("", (false, 1_000, SIZE)),
        (r#""shared": true, "max_items": 7, "max_size": 1024"#, (true, 7, 1024)),
        (r#""max_items": "7", "max_size": 0"#, (false, 7, SIZE)),
    ] {
        let [Some(cache)] = read(json(&with(members)))[..] else { panic!("{members}") };
        assert_eq!(limits(&cache), expected, "{members}");
    }
    assert_eq!(read(json(&file("", "", ""))), [None]);
}

#[test]
fn what_it_cannot_hold_is_told() {
    problem(&with(r#""max_items": -1"#), code::TYPE, "-1", "not negative");
    problem(&with(r#""max_size": 1.5"#), code::TYPE, "1.5", "not negative");
    problem(&with(r#""max_size": "64MB""#), code::TYPE, "\"64MB\"", "not negative");
    problem(&with(r#""max_itmes": 1"#), code::UNKNOWN_KEY, "\"max_itmes\"", "max_items");
    let text = file("", r#""extra_config": {"qos/http-cache": {}},"#, "");
    problem(&text, code::WRONG_LEVEL, "\"qos/http-cache\"", "a backend");
}

#[test]
fn those_who_share_have_one_size() {
    let endpoint = |path: &str, members: &str| {
        format!(
            r#"{{"endpoint": "{path}", "output_encoding": "no-op", "backend": [{{"host": "up", "url_pattern": "/",
                "extra_config": {{"qos/http-cache": {members}}}}}]}}"#
        )
    };
    let text = format!(
        r#"{{"version": 3, "endpoints": [{}, {}, {}, {}]}}"#,
        endpoint("/a", r#"{"max_items": 1}"#),
        endpoint("/b", r#"{"shared": true, "max_items": 2, "max_size": 9}"#),
        endpoint("/c", r#"{"shared": true, "max_items": 2, "max_size": 9}"#),
        endpoint("/d", r#"{"shared": true, "max_items": 3}"#),
    );
    problem(&text, code::SHARED_CACHE, r#"{"shared": true, "max_items": 3}"#, "\"max_items\": 2");
    let items: Vec<_> = read(json(&text)).iter().flatten().map(|cache| cache.max_items.get()).collect();
    assert_eq!(items, [1, 2, 2, 2]);
}
