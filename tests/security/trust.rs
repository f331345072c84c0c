//! Who a client is: its connection says so, and others only where they are listed. As seen by the upstream and in the access log.

use crate::support::client::{request, send};
use crate::support::gateway::{Running, endpoint};
use crate::support::upstream::{Request, Upstream};
use serde_json::{Value, json};

/// A gateway with an endpoint whose bytes pass and one that is composed.
fn gateway(upstream: &Upstream, router: &Value) -> Running {
    let open = |path: &str, encoding: &str| {
        let mut endpoint = endpoint(path, &upstream.url(), "/");
        endpoint["output_encoding"] = json!(encoding);
        endpoint["input_headers"] = json!(["*"]);
        endpoint
    };
    let endpoints = [open("/stream", "no-op"), open("/composed", "json")];
    Running::start(json!({ "endpoints": endpoints, "extra_config": { "router": router } }))
}

/// What the upstream sees of a request by way of each of the two endpoints.
#[track_caller]
fn seen(router: &Value, headers: &[(&str, &str)]) -> [Request; 2] {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream, router);
    for path in ["/stream", "/composed"] {
        assert_eq!(send(gateway.address, request("GET", path, headers, b"")).status, 200);
    }
    let log = gateway.access_log(2);
    let requests = upstream.requests();
    let client = requests[0].header("x-forwarded-for").unwrap().split(',').next().unwrap();
    assert_eq!(log.matches(&format!(" client={client}")).count(), 2, "the log has the same client: {log}");
    <[Request; 2]>::try_from(requests).unwrap()
}

const SPOOFED: [(&str, &str); 9] = [
    ("X-Forwarded-For", "6.6.6.6, 9.9.9.9"),
    ("X-Real-IP", "6.6.6.6"),
    ("Forwarded", "for=6.6.6.6"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "evil.test"),
    // CGI, WSGI and PHP read these as the ones above.
    ("X_Forwarded_For", "6.6.6.6"),
    ("X-Forwarded_Proto", "https"),
    ("X_Forwarded-Host", "evil.test"),
    ("X_Real_IP", "6.6.6.6"),
];

#[test]
fn claims_of_strangers_are_replaced() {
    for router in [json!({}), json!({ "trusted_proxies": ["10.0.0.0/8", "::1"] })] {
        for request in seen(&router, &SPOOFED) {
            assert_eq!(request.headers.all("x-forwarded-for"), ["127.0.0.1"]);
            assert_eq!(request.headers.all("x-forwarded-proto"), ["http"]);
            assert_eq!(request.headers.all("x-forwarded-host"), ["porteur.test"]);
            assert_eq!((request.header("x-real-ip"), request.header("forwarded")), (None, None));
            for disguised in ["x_forwarded_for", "x-forwarded_proto", "x_forwarded-host", "x_real_ip"] {
                assert_eq!(request.header(disguised), None);
            }
        }
    }
}

#[test]
fn switched_off_the_list_trusts_nobody() {
    let router = json!({ "trusted_proxies": ["127.0.0.1"], "forwarded_by_client_ip": false });
    for request in seen(&router, &SPOOFED) {
        assert_eq!(request.headers.all("x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(request.headers.all("x-forwarded-host"), ["porteur.test"]);
    }
}

#[test]
fn a_trusted_proxy_is_believed_as_far_as_it_goes() {
    for request in seen(&json!({ "trusted_proxies": ["127.0.0.0/8"] }), &SPOOFED) {
        assert_eq!(request.headers.all("x-forwarded-for"), ["9.9.9.9, 127.0.0.1"]);
        assert_eq!(request.headers.all("x-forwarded-proto"), ["https"]);
        assert_eq!(request.headers.all("x-forwarded-host"), ["evil.test"]);
    }
}

#[test]
fn a_chain_of_trusted_proxies_is_passed_on() {
    let router = json!({ "trusted_proxies": ["127.0.0.1", "10.0.0.0/8"] });
    let lines = [("X-Forwarded-For", "6.6.6.6,9.9.9.9"), ("X-Forwarded-For", "10.0.0.3 ,  10.0.0.2")];
    for request in seen(&router, &lines) {
        assert_eq!(request.headers.all("x-forwarded-for"), ["9.9.9.9, 10.0.0.3, 10.0.0.2, 127.0.0.1"]);
        assert_eq!(request.headers.all("x-forwarded-proto"), ["http"]);
    }
}

#[test]
fn what_a_trusted_proxy_cannot_say_falls_back_to_itself() {
    let router = json!({ "trusted_proxies": ["127.0.0.1"] });
    for hostile in ["unknown", "_hidden", "9.9.9.9:80", "[2001:db8::1]", "6.6.6.6, -", "6.6.6.6,\tnonsense\t"] {
        let claims = [("X-Forwarded-For", hostile), ("X-Real-IP", "6.6.6.6"), ("X-Forwarded-Proto", "gopher")];
        for request in seen(&router, &claims) {
            assert_eq!(request.headers.all("x-forwarded-for"), ["127.0.0.1"], "{hostile}");
            assert_eq!(request.headers.all("x-forwarded-proto"), ["http"], "{hostile}");
        }
    }
    let many = "6.6.6.6,".repeat(1000) + "9.9.9.9";
    for request in seen(&router, &[("X-Forwarded-For", &many)]) {
        assert_eq!(request.headers.all("x-forwarded-for"), ["9.9.9.9, 127.0.0.1"]);
    }
}

#[test]
fn the_client_is_read_where_the_configuration_says() {
    let router = json!({ "trusted_proxies": ["127.0.0.1"], "remote_ip_headers": ["Forwarded", "CF-Connecting-IP"] });
    for request in
        seen(&router, &[("Forwarded", "for=6.6.6.6, for=\"[2001:db8::1]:80\""), ("X-Forwarded-For", "6.6.6.6")])
    {
        assert_eq!(request.headers.all("x-forwarded-for"), ["2001:db8::1, 127.0.0.1"]);
    }
    for request in seen(&router, &[("CF-Connecting-IP", "9.9.9.9"), ("X-Forwarded-For", "6.6.6.6")]) {
        assert_eq!(request.headers.all("x-forwarded-for"), ["9.9.9.9, 127.0.0.1"]);
    }
}

#[test]
fn several_hosts_of_a_trusted_proxy_are_none() {
    let router = json!({ "trusted_proxies": ["127.0.0.1"] });
    for claims in
        [&[("X-Forwarded-Host", "a.test, b.test")][..], &[("X-Forwarded-Host", "a"), ("X-Forwarded-Host", "b")]]
    {
        for request in seen(&router, claims) {
            assert_eq!(request.headers.all("x-forwarded-host"), ["porteur.test"]);
        }
    }
}

#[test]
fn a_redirect_to_https_believes_a_trusted_proxy() {
    let upstream = Upstream::echo();
    let security = json!({ "ssl_redirect": true });
    for (proxies, status) in [(json!(["127.0.0.1"]), 200), (json!(["10.0.0.1"]), 301)] {
        let gateway = Running::start(json!({
            "endpoints": [endpoint("/x", &upstream.url(), "/")],
            "extra_config": { "router": { "trusted_proxies": proxies }, "security/http": security },
        }));
        let asked = request("GET", "/x", &[("X-Forwarded-Proto", "https")], b"");
        assert_eq!(send(gateway.address, asked).status, status);
    }
}
