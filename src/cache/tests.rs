//! The cache as its caller uses it, on a clock of the test's own.

use super::*;
use http::HeaderValue;
use http::header::{AGE, HeaderName};
use proptest::prelude::{Strategy, any, proptest};
use std::time::Duration;

const START: SystemTime = SystemTime::UNIX_EPOCH;

fn at(seconds: u64) -> SystemTime {
    START + Duration::from_secs(1_700_000_000 + seconds)
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn parts(status: u16, lines: &[(&str, &str)]) -> response::Parts {
    let (mut parts, ()) = http::Response::builder().status(status).body(()).unwrap().into_parts();
    parts.headers = headers(lines);
    parts
}

fn key<'a>(target: &'a str, credential: Option<&'a str>) -> CacheKey<'a> {
    CacheKey::new("http://up:80", &Method::GET, target, credential, "/a").unwrap()
}

fn cache() -> HttpCache {
    HttpCache::new(100, 1024 * 1024)
}

/// A cache that was given this answer to this request at second 0.
fn after(request: &[(&str, &str)], status: u16, response: &[(&str, &str)]) -> HttpCache {
    let cache = cache();
    cache.store(&key("/x", None), &headers(request), &parts(status, response), &"body".into(), at(0));
    cache
}

/// What it says to a request at a second: `fresh AGE`, `stale CONDITIONS` or `miss`.
fn said(cache: &HttpCache, key: &CacheKey<'_>, request: &[(&str, &str)], second: u64) -> String {
    match cache.lookup(key, &headers(request), at(second)) {
        Lookup::Fresh(answer) => {
            assert_eq!(answer.body(), "body");
            format!("fresh {}", answer.headers()[AGE].to_str().unwrap())
        }
        Lookup::Stale(stale) => {
            let lines = stale.conditions.iter().map(|(name, value)| format!(" {name}: {}", value.to_str().unwrap()));
            format!("stale{}", lines.collect::<String>())
        }
        Lookup::Miss => "miss".to_owned(),
    }
}

fn plainly(cache: &HttpCache, second: u64) -> String {
    said(cache, &key("/x", None), &[], second)
}

#[test]
fn an_answer_is_fresh_for_as_long_as_it_says() {
    for (response, second, expected) in [
        (vec![("cache-control", "max-age=60")], 59, "fresh 59"),
        (vec![("cache-control", "max-age=60"), ("age", "50")], 9, "fresh 59"),
        (vec![("cache-control", "max-age=60"), ("age", "50")], 10, "miss"),
        (vec![("cache-control", "max-age=60"), ("etag", "\"a\"")], 60, "stale if-none-match: \"a\""),
        (vec![("Cache-Control", "Max-Age=60")], 59, "fresh 59"),
        (vec![("cache-control", "max-age=\"60\"")], 59, "fresh 59"),
        (vec![("cache-control", "public, max-age=5, s-maxage=60")], 59, "fresh 59"),
        (vec![("date", "Tue, 14 Nov 2023 22:13:20 GMT"), ("expires", "Tue, 14 Nov 2023 22:14:20 GMT")], 59, "fresh 59"),
        (
            vec![("date", "Tue, 14 Nov 2023 22:13:20 GMT"), ("expires", "0"), ("etag", "W/\"a\"")],
            1,
            "stale if-none-match: W/\"a\"",
        ),
        (
            vec![("last-modified", "Tue, 14 Nov 2000 22:13:20 GMT")],
            1,
            "stale if-modified-since: Tue, 14 Nov 2000 22:13:20 GMT",
        ),
        (vec![("cache-control", "no-cache, max-age=60"), ("etag", "\"a\"")], 1, "stale if-none-match: \"a\""),
        (vec![("cache-control", "immutable")], 1, "miss"),
        (vec![], 1, "miss"),
    ] {
        assert_eq!(plainly(&after(&[], 200, &response), second), expected, "{response:?}");
    }
}

#[test]
fn what_must_not_be_kept_is_not() {
    let fresh = ("cache-control", "max-age=60");
    for (request, status, response) in [
        (vec![], 200, vec![("cache-control", "private, max-age=60")]),
        (vec![], 200, vec![("cache-control", "PRIVATE"), fresh]),
        (vec![], 200, vec![("cache-control", "private=\"set-cookie, x\", max-age=60")]),
        (vec![], 200, vec![("cache-control", "no-store, max-age=60")]),
        (vec![], 200, vec![("cache-control", "max-age=60, max-age=61")]),
        (vec![], 200, vec![("cache-control", "max-age=60, s-maxage=ten")]),
        (vec![], 200, vec![fresh, ("set-cookie", "session=1")]),
        (vec![], 200, vec![("cache-control", "public, max-age=60"), ("set-cookie", "session=1")]),
        (vec![], 200, vec![fresh, ("vary", "*")]),
        (vec![], 200, vec![fresh, ("vary", "accept"), ("vary", "*")]),
        (vec![], 200, vec![fresh, ("vary", "not a name")]),
        (vec![], 206, vec![fresh]),
        (vec![], 302, vec![]),
        (vec![], 500, vec![fresh]),
        (vec![], 429, vec![fresh]),
        (vec![("authorization", "Bearer client")], 200, vec![fresh]),
        (vec![("authorization", "Bearer client")], 200, vec![("cache-control", "max-age=60, max-age=61")]),
        (vec![("cache-control", "no-store")], 200, vec![fresh]),
        (vec![("cache-control", "NO-STORE")], 200, vec![fresh]),
    ] {
        let cache = after(&request, status, &response);
        assert_eq!(cache.size(), (0, 0), "{request:?} {status} {response:?}");
        assert_eq!(said(&cache, &key("/x", None), &request, 1), "miss");
    }
    for method in [Method::POST, Method::PUT, Method::OPTIONS] {
        assert!(CacheKey::new("http://up:80", &method, "/x", None, "/a").is_none());
    }
}

#[test]
fn a_clients_authorization_needs_the_answers_word_and_other_statuses_their_freshness() {
    let client = [("authorization", "Bearer client")];
    for line in ["public, max-age=60", "s-maxage=60", "must-revalidate, max-age=60"] {
        let cache = after(&client, 200, &[("cache-control", line)]);
        assert_eq!(said(&cache, &key("/x", None), &client, 1), "fresh 1", "{line}");
    }
    for status in [203, 204, 301, 302, 404, 410] {
        let cache = after(&[], status, &[("cache-control", "max-age=60")]);
        assert_eq!(plainly(&cache, 1), "fresh 1", "{status}");
    }
}

#[test]
fn requests_have_their_say() {
    let cache = after(&[], 200, &[("cache-control", "max-age=60"), ("etag", "\"a\"")]);
    let asked = |line: (&str, &str)| said(&cache, &key("/x", None), &[line], 30);
    assert_eq!(asked(("accept", "x/y")), "fresh 30");
    for line in ["no-cache", "max-age=10", "Max-Age=10", "min-fresh=40"] {
        assert_eq!(asked(("cache-control", line)), "stale if-none-match: \"a\"", "{line}");
    }
    let late = said(&cache, &key("/x", None), &[("cache-control", "x, Max-Stale=100, max-stale")], 61);
    assert_eq!(late, "stale if-none-match: \"a\"");
    assert_eq!(asked(("pragma", "No-Cache")), "stale if-none-match: \"a\"");
    for name in ["range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"] {
        assert_eq!(asked((name, "\"a\"")), "miss", "{name}");
    }
}

#[test]
fn an_answer_is_for_its_origin_method_target_credential_and_endpoint() {
    let cache = cache();
    let fresh = parts(200, &[("cache-control", "max-age=60")]);
    let keys = [
        ("http://up:80", Method::GET, "/x", Some("one"), "/a"),
        ("http://up:81", Method::GET, "/x", Some("one"), "/a"),
        ("http://up:80", Method::HEAD, "/x", Some("one"), "/a"),
        ("http://up:80", Method::GET, "/x?y", Some("one"), "/a"),
        ("http://up:80", Method::GET, "/x", Some("two"), "/a"),
        ("http://up:80", Method::GET, "/x", None, "/a"),
        ("http://up:80", Method::GET, "/x", Some("one"), "/b"),
    ];
    for (index, (origin, method, target, credential, route)) in keys.iter().enumerate() {
        let key = CacheKey::new(origin, method, target, *credential, route).unwrap();
        assert_eq!(said(&cache, &key, &[], 1), "miss", "{index}");
        cache.store(&key, &HeaderMap::new(), &fresh, &"body".into(), at(0));
        assert_eq!(said(&cache, &key, &[], 1), "fresh 1", "{index}");
        assert_eq!(cache.size().0, index + 1);
    }
}

#[test]
fn variants_stand_beside_each_other_whichever_lines_vary_is_on() {
    let cache = cache();
    let vary = [("cache-control", "max-age=60"), ("vary", "Accept"), ("vary", "X-Tenant")];
    let (a, b) = ([("accept", "a"), ("x-tenant", "1")], [("accept", "a"), ("x-tenant", "2")]);
    for (request, second) in [(&a, 0), (&b, 10), (&a, 20)] {
        cache.store(&key("/x", None), &headers(request), &parts(200, &vary), &"body".into(), at(second));
    }
    assert_eq!(cache.size().0, 2);
    assert_eq!(said(&cache, &key("/x", None), &a, 30), "fresh 10");
    assert_eq!(said(&cache, &key("/x", None), &b, 30), "fresh 20");
    assert_eq!(said(&cache, &key("/x", None), &[("accept", "a")], 30), "miss");
    // The second line of a header counts as well.
    let two = [("accept", "a"), ("x-tenant", "1"), ("x-tenant", "2")];
    assert_eq!(said(&cache, &key("/x", None), &two, 30), "miss");
}

#[test]
fn what_varies_endlessly_stays_bounded() {
    let cache = cache();
    for tenant in 0..500 {
        let request = [("x-tenant", &*tenant.to_string())];
        let response = parts(200, &[("cache-control", "max-age=60"), ("vary", "x-tenant")]);
        cache.store(&key("/x", None), &headers(&request), &response, &"body".into(), at(0));
        assert_eq!(said(&cache, &key("/x", None), &request, 1), "fresh 1");
    }
    assert_eq!(cache.size().0, 32);
}

#[test]
fn a_304_makes_it_fresh_again_with_the_new_headers() {
    let cache = after(
        &[],
        200,
        &[
            ("cache-control", "max-age=60"),
            ("etag", "\"a\""),
            ("age", "40"),
            ("date", "Tue, 14 Nov 2023 22:13:20 GMT"),
            ("content-length", "4"),
            ("link", "1"),
            ("link", "2"),
            ("keep-alive", "timeout=5"),
            ("connection", "x-own"),
            ("x-own", "1"),
        ],
    );
    let key = key("/x", None);
    let Lookup::Stale(stale) = cache.lookup(&key, &HeaderMap::new(), at(30)) else { panic!("not stale") };
    let unchanged = headers(&[
        ("cache-control", "public"),
        ("cache-control", "max-age=100"),
        ("etag", "\"a\""),
        ("x-new", "1"),
        ("content-length", "0"),
        ("date", "Tue, 14 Nov 2023 22:13:50 GMT"),
    ]);
    let answer = cache.revalidated(&key, &HeaderMap::new(), &stale, &unchanged, at(30)).unwrap();
    assert_eq!((answer.status(), answer.body()), (StatusCode::OK, &Bytes::from("body")));
    let expected = headers(&[
        ("cache-control", "public"),
        ("cache-control", "max-age=100"),
        ("etag", "\"a\""),
        ("x-new", "1"),
        ("content-length", "4"),
        ("link", "1"),
        ("link", "2"),
        ("date", "Tue, 14 Nov 2023 22:13:50 GMT"),
        ("age", "0"),
    ]);
    assert_eq!(answer.headers(), &expected);
    assert_eq!(plainly(&cache, 129), "fresh 99");
    assert_eq!(plainly(&cache, 130), "stale if-none-match: \"a\"");
    assert_eq!(cache.size().0, 1);
}

#[test]
fn a_304_about_something_else_or_with_a_ban_ends_it() {
    let response = [("cache-control", "max-age=1"), ("etag", "W/\"a\"")];
    for (unchanged, answered) in [
        (vec![("etag", "\"b\"")], false),
        (vec![("etag", "\"a\""), ("cache-control", "no-store")], true),
        (vec![("set-cookie", "session=1")], true),
    ] {
        let cache = after(&[], 200, &response);
        let key = key("/x", None);
        let Lookup::Stale(stale) = cache.lookup(&key, &HeaderMap::new(), at(2)) else { panic!("not stale") };
        let answer = cache.revalidated(&key, &HeaderMap::new(), &stale, &headers(&unchanged), at(2));
        assert_eq!(answer.is_some(), answered, "{unchanged:?}");
        assert_eq!(cache.size(), (0, 0));
    }
}

#[test]
fn a_newer_answer_takes_its_place_even_if_it_may_not_be_kept() {
    let cache = after(&[], 200, &[("cache-control", "max-age=60")]);
    let put = |status, response: &[(&str, &str)]| {
        cache.store(&key("/x", None), &HeaderMap::new(), &parts(status, response), &"body".into(), at(10));
    };
    for status in [500, 503, 304, 206] {
        put(status, &[("cache-control", "no-store")]);
        assert_eq!(plainly(&cache, 20), "fresh 20", "{status}");
    }
    put(200, &[("cache-control", "max-age=60")]);
    assert_eq!(plainly(&cache, 20), "fresh 10");
    put(404, &[("cache-control", "no-store")]);
    assert_eq!(plainly(&cache, 20), "miss");
}

#[test]
fn an_unsafe_request_that_did_not_fail_ends_every_answer_for_its_target() {
    let cache = cache();
    let fresh = parts(200, &[("cache-control", "max-age=60")]);
    let keys = [key("/x", None), key("/x", Some("one")), key("/y", None)];
    for key in keys {
        cache.store(&key, &HeaderMap::new(), &fresh, &"body".into(), at(0));
    }
    for (method, status) in [(Method::GET, 200), (Method::POST, 404), (Method::PUT, 500), (Method::OPTIONS, 204)] {
        cache.invalidate("http://up:80", "/x", &method, StatusCode::from_u16(status).unwrap());
        assert_eq!(cache.size().0, 3, "{method} {status}");
    }
    cache.invalidate("http://up:80", "/x", &Method::DELETE, StatusCode::NO_CONTENT);
    let left = keys.map(|key| said(&cache, &key, &[], 1));
    assert_eq!(left, ["miss", "miss", "fresh 1"]);
}

#[test]
fn it_stands_in_for_a_failure_only_where_it_says_so() {
    for (line, second, helps) in [
        ("max-age=60, stale-if-error=30", 89, true),
        ("max-age=60, stale-if-error=30", 90, false),
        ("max-age=60, Stale-If-Error=30", 89, true),
        ("max-age=60", 61, false),
        ("max-age=60, stale-if-error=30, must-revalidate", 61, false),
        ("max-age=60, stale-if-error=99999999999999999999999", 61, true),
        ("max-age=60, stale-if-error=-1", 61, false),
    ] {
        let cache = after(&[], 200, &[("cache-control", line), ("etag", "\"a\"")]);
        let Lookup::Stale(stale) = cache.lookup(&key("/x", None), &HeaderMap::new(), at(second)) else {
            panic!("{line}")
        };
        assert_eq!(stale.on_error(at(second)).is_some(), helps, "{line}");
    }
    let cache = after(&[], 200, &[("cache-control", "max-age=60, stale-if-error=30")]);
    assert_eq!((plainly(&cache, 61).as_str(), plainly(&cache, 90).as_str()), ("stale", "miss"));
}

#[test]
fn the_least_used_go_first_and_nothing_grows_past_its_bounds() {
    let fresh = parts(200, &[("cache-control", "max-age=60")]);
    let cache = HttpCache::new(2, 1024 * 1024);
    for target in ["/1", "/2"] {
        cache.store(&key(target, None), &HeaderMap::new(), &fresh, &"body".into(), at(0));
    }
    assert_eq!(said(&cache, &key("/1", None), &[], 1), "fresh 1");
    cache.store(&key("/3", None), &HeaderMap::new(), &fresh, &"body".into(), at(0));
    let left = ["/1", "/2", "/3"].map(|target| said(&cache, &key(target, None), &[], 1));
    assert_eq!(left, ["fresh 1", "miss", "fresh 1"]);
    let cache = HttpCache::new(100, 10_000);
    for (target, length) in [("/1", 4_000), ("/2", 4_000), ("/big", 10_000), ("/3", 4_000)] {
        cache.store(&key(target, None), &HeaderMap::new(), &fresh, &Bytes::from(vec![0; length]), at(0));
        assert!(cache.size().1 <= 10_000);
    }
    assert_eq!(cache.size().0, 2);
    assert!(matches!(cache.lookup(&key("/1", None), &HeaderMap::new(), at(1)), Lookup::Miss));
    for none in [HttpCache::new(0, 10_000), HttpCache::new(10, 0)] {
        none.store(&key("/1", None), &HeaderMap::new(), &fresh, &"body".into(), at(0));
        assert_eq!(none.size(), (0, 0));
    }
}

#[test]
fn a_clock_set_back_does_no_harm() {
    let cache = after(&[], 200, &[("cache-control", "max-age=60"), ("age", "18446744073709551615")]);
    assert_eq!(plainly(&cache, 0), "miss");
    let cache = after(&[], 200, &[("cache-control", "max-age=18446744073709551615, stale-if-error=1")]);
    for now in [START, at(0) - Duration::from_secs(1), at(0), at(4_000_000_000)] {
        assert!(matches!(cache.lookup(&key("/x", None), &HeaderMap::new(), now), Lookup::Fresh(_)));
    }
}

#[test]
fn clients_secrets_are_not_remembered() {
    let request = [("authorization", "Bearer hunter2"), ("cookie", "s=hunter3")];
    let cache = after(&request, 200, &[("cache-control", "public, max-age=60"), ("vary", "accept")]);
    assert_eq!(cache.size().0, 1);
    assert!(!format!("{cache:?}").contains("hunter"));
}

/// A header's value as upstreams may write it.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let word = proptest::sample::select(vec![
        "max-age=",
        "s-maxage=",
        "stale-if-error=",
        "no-cache",
        "public",
        "must-revalidate",
        "18446744073709551615",
        "60",
        "-1",
        "\"",
        ",",
        "=",
        " ",
        "*",
        "W/",
        "a",
        "Tue, 14 Nov 2023 22:13:20 GMT",
        "Thu, 01 Jan 0000 00:00:00 +9999",
        "\u{e9}",
    ]);
    proptest::collection::vec(word, 0..6).prop_map(|words| words.concat().into_bytes())
}

proptest! {
    /// Nothing an upstream or a client writes makes it panic or outgrow its bounds.
    #[test]
    fn no_header_does_harm(
        response in proptest::collection::vec((0..9_usize, value()), 0..8),
        request in proptest::collection::vec((0..9_usize, value()), 0..4),
        seconds in any::<u32>(),
    ) {
        const NAMES: [&str; 9] = ["cache-control", "age", "expires", "date", "etag", "last-modified", "vary", "pragma", "connection"];
        let map = |lines: &[(usize, Vec<u8>)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(NAMES[*name], HeaderValue::from_bytes(value).unwrap());
            }
            headers
        };
        let (request, mut parts) = (map(&request), parts(200, &[]));
        parts.headers = map(&response);
        let cache = HttpCache::new(1, 5_000);
        let key = key("/x", None);
        cache.store(&key, &request, &parts, &"body".into(), at(0));
        let later = at(u64::from(seconds));
        if let Lookup::Stale(stale) = cache.lookup(&key, &request, later) {
            stale.on_error(later);
            cache.revalidated(&key, &request, &stale, &parts.headers, later);
            cache.lookup(&key, &request, later);
        }
        assert!(cache.size().0 <= 1 && cache.size().1 <= 5_000);
    }
}
