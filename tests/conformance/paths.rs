//! Which paths go on, and as which bytes: an upstream must not read another path than the one that was routed. The table
//! "Paths" of `docs/hardening.md` is tested here.

use crate::support::client::{Response, request, send};
use crate::support::gateway::{Running, endpoint};
use crate::support::upstream::Upstream;
use serde_json::json;

/// A gateway with the endpoints `/files/*`, `/item/{id}` and `/plain`, whose backends have the same paths, and the same again below
/// `/held` for the other carrier.
fn gateway(upstream: &Upstream) -> Running {
    let streamed = ["/files/*", "/item/{id}", "/plain"].map(|path| endpoint(path, &upstream.url(), path));
    let held = ["/files/*", "/item/{id}", "/plain"].map(|path| {
        let mut endpoint = endpoint(&format!("/held{path}"), &upstream.url(), path);
        endpoint["backend"][0]["extra_config"] = json!({ "qos/http-cache": {} });
        endpoint
    });
    let endpoints = [streamed, held].concat();
    Running::start(json!({ "endpoints": endpoints, "extra_config": { "router": { "disable_path_decoding": true } } }))
}

fn ask(gateway: &Running, target: &str) -> Response {
    send(gateway.address, request("GET", target, &[], b""))
}

/// Each goes on as the bytes that came.
#[track_caller]
fn same_bytes(targets: &[&str]) {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    for target in targets {
        for prefix in ["", "/held"] {
            let answer = ask(&gateway, &format!("{prefix}{target}"));
            assert_eq!(answer.status, 200, "{prefix}{target}");
            assert_eq!(answer.json()["target"], **target, "{prefix}{target}");
        }
    }
    assert_eq!(upstream.violations(), [""; 0]);
}

/// Each is answered here with this status.
#[track_caller]
fn answered(status: u16, targets: &[&str]) {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    for target in targets {
        for prefix in ["", "/held"] {
            assert_eq!(ask(&gateway, &format!("{prefix}{target}")).status, status, "{prefix}{target}");
        }
    }
    assert_eq!(upstream.heads(), 0);
}

#[test]
fn rfc3986_2_1_escapes_go_on_as_they_came() {
    same_bytes(&[
        "/files/a%2fb",
        "/files/a%2Fb",
        "/files/%61",
        "/files/a%20b",
        "/files/%C3%A9",
        "/files/%ff",
        "/files/a%5cb",
        "/files/a%3fb%23c",
        "/files/100%25",
        "/item/a%2fb",
        "/item/%7Eme",
        "/item/a%3Bb",
    ]);
}

#[test]
fn rfc3986_2_1_broken_escapes_are_400() {
    answered(400, &["/files/%", "/files/%2", "/files/%zz", "/files/a%2/b", "/files/%u0041", "/item/%g0"]);
}

#[test]
fn rfc3986_3_3_what_a_segment_may_hold_goes_on() {
    same_bytes(&[
        "/files/a;v=1.1/b",
        "/files/a=b,c",
        "/files/!$&'()*+,;=:@",
        "/files/.hidden",
        "/files/...",
        "/files/a..b",
        "/item/a;b",
    ]);
}

#[test]
fn rfc3986_3_3_empty_segments_are_segments() {
    same_bytes(&["/files/a//b", "/files//", "/files///a"]);
}

#[test]
fn rfc3986_5_2_4_dot_segments_are_redirected_or_lead_nowhere() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    for (target, location) in [
        ("/files/../plain", Some("/plain")),
        ("/files/./a", Some("/files/a")),
        ("/files/a/..", Some("/files/")),
        ("/../plain", Some("/plain")),
        ("/files/../../etc/passwd", None),
        ("/plain/../nowhere", None),
    ] {
        let answer = ask(&gateway, target);
        assert_eq!(answer.header("location"), location, "{target}");
        assert_eq!(answer.status, if location.is_some() { 301 } else { 404 }, "{target}");
    }
    assert_eq!(upstream.heads(), 0);
}

#[test]
fn rfc3986_6_2_2_hidden_dot_segments_are_400() {
    answered(
        400,
        &[
            "/files/%2e%2e/plain",
            "/files/%2E%2e/plain",
            "/files/.%2e/plain",
            "/files/%2e",
            "/files/..%2fplain",
            "/files/a%2f..%2fb",
            "/files/..%5cplain",
            "/files/%252e%252e/plain",
            "/files/%252e%252e%252fplain",
            "/files/..;/plain",
            "/files/..;a=b/plain",
            "/files/%2e%2e;/plain",
            "/item/..%2fplain",
            "/item/%2e%2e",
        ],
    );
}

#[test]
fn rfc9112_3_2_controls_backslashes_and_other_letters_are_400() {
    answered(
        400,
        &[
            "/files/a%00b",
            "/files/%0d%0aX:y",
            "/files/%7f",
            "/files/a\\b",
            "/files/..\\plain",
            "/files/é",
            "/files/a\tb",
            "/item/%00",
        ],
    );
}

#[test]
fn rfc9112_3_2_2_absolute_form_is_routed_by_its_path() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    for path in ["/files/a%2fb", "/item/x", "/held/plain"] {
        let answer = ask(&gateway, &format!("http://porteur.test{path}"));
        assert_eq!(answer.json()["target"], path.trim_start_matches("/held"), "{path}");
    }
    let before = upstream.heads();
    assert_eq!(ask(&gateway, "http://porteur.test/files/%2e%2e/plain").status, 400);
    assert_eq!(ask(&gateway, "http://porteur.test").status, 404);
    assert_eq!(upstream.heads(), before);
}

#[test]
fn rfc3986_6_2_3_another_spelling_of_an_endpoint_is_redirected_not_served() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    for (target, location) in
        [("/PLAIN", "/plain"), ("//plain", "/plain"), ("/plain/", "/plain"), ("/plain//", "/plain")]
    {
        let answer = ask(&gateway, target);
        assert_eq!((answer.status, answer.header("location")), (301, Some(location)), "{target}");
    }
    for target in ["/plain;a", "/%70lain", "/plain%2f", "/plain%20", "/plain."] {
        assert_eq!(ask(&gateway, target).status, 404, "{target}");
    }
    assert_eq!(upstream.heads(), 0);
}
