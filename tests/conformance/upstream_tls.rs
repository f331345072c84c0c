//! TLS towards upstreams: whose certificates are believed, which certificate they are shown, and that no connection serves
//! those who would not have made it.

use crate::support::authority::Authority;
use crate::support::client::Response;
use crate::support::gateway::{Running, endpoint, with};
use crate::support::poll::{PATIENCE, eventually, some};
use crate::support::report::report;
use crate::support::tls_upstream::{Terms, TlsUpstream};
use serde_json::{Value, json};
use std::path::Path;

/// An endpoint whose one backend is connected to like this.
fn by(path: &str, host: &str, client: Value) -> Value {
    let mut endpoint = endpoint(path, host, path);
    endpoint["backend"][0]["extra_config"]["backend/http/client"] = client;
    endpoint
}

fn trusting(authority: &Authority) -> Value {
    json!({ "client_tls": { "ca_certs": [authority.file()], "disable_system_ca_pool": true } })
}

/// The same endpoint, decoded: its answers come by another way.
fn decoded(mut endpoint: Value) -> Value {
    endpoint["output_encoding"] = json!("json");
    endpoint
}

#[test]
fn an_authority_of_the_file_is_believed_and_the_name_is_sent() {
    let authority = Authority::new("a");
    let upstream = TlsUpstream::start(&authority.server(&["localhost"]), Terms::default());
    let host = upstream.url("localhost");
    let gateway = Running::with(&[
        by("/x", &host, trusting(&authority)),
        decoded(by("/decoded", &host, trusting(&authority))),
        by("/beside-the-systems", &host, json!({ "client_tls": { "ca_certs": [authority.file()] } })),
    ]);
    for path in ["/x", "/decoded", "/beside-the-systems"] {
        let answer = gateway.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.json()["sni"], "localhost", "{path}");
        assert_eq!(answer.json()["version"], "TLSv1_3", "{path}");
    }
}

#[test]
fn rfc9110_4_3_4_an_upstream_that_nobody_believed_certifies_gets_no_request() {
    let (authority, other) = (Authority::new("a"), Authority::new("b"));
    let upstream = TlsUpstream::start(&authority.server(&["localhost"]), Terms::default());
    let expired = TlsUpstream::start(&authority.expired_server(&["localhost"]), Terms::default());
    let misnamed = TlsUpstream::start(&authority.server(&["other.test"]), Terms::default());
    let by_number = TlsUpstream::start(&authority.server(&["127.0.0.2"]), Terms::default());
    let gateway = Running::with(&[
        endpoint("/system", &upstream.url("localhost"), "/x"),
        by("/other", &upstream.url("localhost"), trusting(&other)),
        by("/expired", &expired.url("localhost"), trusting(&authority)),
        by("/misnamed", &misnamed.url("localhost"), trusting(&authority)),
        by("/address", &by_number.url("127.0.0.1"), trusting(&authority)),
        decoded(by("/decoded", &upstream.url("localhost"), trusting(&other))),
    ]);
    for path in ["/system", "/other", "/expired", "/misnamed", "/address"] {
        assert_eq!(gateway.get(path).status, 502, "{path}");
    }
    assert_eq!(gateway.get("/decoded").status, 502);
    for upstream in [&upstream, &expired, &misnamed, &by_number] {
        assert!(upstream.connections() > 0 && upstream.requests() == 0);
    }
}

#[test]
fn rfc9110_4_3_5_an_address_must_be_in_the_certificate() {
    let authority = Authority::new("a");
    let upstream = TlsUpstream::start(&authority.server(&["127.0.0.1"]), Terms::default());
    let gateway = Running::with(&[by("/x", &upstream.url("127.0.0.1"), trusting(&authority))]);
    let answer = gateway.get("/x");
    // RFC 6066 §3: addresses are not sent as a name.
    assert_eq!((answer.status, &answer.json()["sni"]), (200, &Value::Null));
}

/// An answer that came on a connection that was there before. A client has its answer a moment before the connection is kept.
fn on_a_kept_connection(gateway: &Running, upstream: &TlsUpstream, path: &str) -> Response {
    some(PATIENCE, "a request on a kept connection", || {
        let before = upstream.connections();
        let answer = gateway.get(path);
        (upstream.connections() == before).then_some(answer)
    })
}

#[test]
fn a_connection_serves_nobody_who_does_not_believe_its_certificate() {
    let (authority, other) = (Authority::new("a"), Authority::new("b"));
    let upstream = TlsUpstream::start(&authority.server(&["localhost"]), Terms::default());
    let host = upstream.url("localhost");
    let gateway = Running::with(&[
        by("/believes", &host, trusting(&authority)),
        by("/believes-too", &host, trusting(&authority)),
        by("/doubts", &host, trusting(&other)),
        endpoint("/system", &host, "/x"),
        by("/insecure", &host, json!({ "client_tls": { "allow_insecure_connections": true } })),
        decoded(by("/decoded", &host, trusting(&other))),
    ]);
    assert_eq!(gateway.get("/believes").json()["connection"], 0);
    assert_eq!(on_a_kept_connection(&gateway, &upstream, "/believes-too").status, 200, "equal profiles share");
    for path in ["/doubts", "/system"] {
        assert_eq!(gateway.get(path).status, 502, "{path} while there is a kept connection");
    }
    assert_eq!(gateway.get("/decoded").status, 502);
    let before = upstream.connections();
    let insecure = gateway.get("/insecure");
    assert_eq!((insecure.status, &insecure.json()["connection"]), (200, &json!(before)), "it is a new one");
    let checked = on_a_kept_connection(&gateway, &upstream, "/believes");
    assert_ne!(checked.json()["connection"], insecure.json()["connection"], "and does not serve those who check");
}

#[test]
fn an_upstream_is_shown_the_certificate_of_the_profile() {
    let (authority, clients) = (Authority::new("a"), Authority::new("clients"));
    let terms = Terms { clients: Some(&clients), ..Terms::default() };
    let upstream = TlsUpstream::start(&authority.server(&["localhost"]), terms);
    let host = upstream.url("localhost");
    let (known, stranger) = (clients.client("gateway"), authority.client("stranger"));
    let showing = |pair: &crate::support::authority::Pair| {
        let mut client = trusting(&authority);
        client["client_tls"]["client_certs"] =
            json!([{ "certificate": pair.certificate_file, "private_key": pair.key_file }]);
        client
    };
    let gateway = Running::with(&[
        by("/known", &host, showing(&known)),
        decoded(by("/decoded", &host, showing(&known))),
        by("/stranger", &host, showing(&stranger)),
        by("/nobody", &host, trusting(&authority)),
    ]);
    assert_eq!(gateway.get("/known").json()["certificates"], 1);
    assert_eq!(gateway.get("/decoded").json()["certificates"], 1);
    let before = upstream.requests();
    for path in ["/stranger", "/nobody"] {
        assert_eq!(gateway.get(path).status, 502, "{path}");
    }
    assert_eq!(upstream.requests(), before);
}

#[test]
fn the_service_speaks_for_backends_that_do_not_speak_themselves() {
    let (authority, other) = (Authority::new("a"), Authority::new("b"));
    let upstream = TlsUpstream::start(&authority.server(&["localhost"]), Terms::default());
    let host = upstream.url("localhost");
    let gateway = Running::start(json!({
        "client_tls": { "ca_certs": [authority.file()] },
        "endpoints": [endpoint("/x", &host, "/x"), by("/own", &host, trusting(&other))],
    }));
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(gateway.get("/own").status, 502);
}

#[test]
fn what_is_not_checked_is_said_and_counted() {
    let authority = Authority::new("a");
    let upstream = TlsUpstream::start(&authority.server(&["other.test"]), Terms::default());
    let host = upstream.url("localhost");
    for service in
        [json!({ "allow_insecure_connections": true }), json!({ "client_tls": { "allow_insecure_connections": true } })]
    {
        let service =
            with(service, &json!({ "endpoints": [endpoint("/x", &host, "/x"), endpoint("/y", &host, "/y")] }));
        let text = report(&service);
        assert!(text.contains("W045") && text.contains("NOT checked"), "{text}");
        let gateway = Running::start(service);
        assert_eq!(gateway.get("/x").status, 200);
        assert_eq!(gateway.metric("porteur_insecure_upstreams"), 2.0);
    }
    let gateway = Running::with(&[endpoint("/x", &host, "/x")]);
    assert_eq!(gateway.metric("porteur_insecure_upstreams"), 0.0);
}

#[test]
fn an_upstream_that_speaks_an_older_version_gets_no_request() {
    let authority = Authority::new("a");
    let terms = Terms { old: true, ..Terms::default() };
    let upstream = TlsUpstream::start(&authority.server(&["localhost"]), terms);
    let host = upstream.url("localhost");
    let mut modern = trusting(&authority);
    modern["client_tls"]["min_version"] = json!("TLS13");
    let gateway = Running::with(&[
        by("/modern", &host, modern.clone()),
        decoded(by("/decoded", &host, modern)),
        by("/x", &host, trusting(&authority)),
    ]);
    assert_eq!(gateway.get("/modern").status, 502);
    assert_eq!(gateway.get("/decoded").status, 502);
    assert_eq!(upstream.requests(), 0);
    assert_eq!(gateway.get("/x").json()["version"], "TLSv1_2");
    assert_eq!(gateway.get("/modern").status, 502, "the kept connection is too old for it, too");
    assert_eq!(upstream.requests(), 1);
}

#[test]
fn connections_are_kept_or_not_as_the_service_says() {
    let authority = Authority::new("a");
    let upstream = TlsUpstream::start(&authority.server(&["localhost"]), Terms::default());
    let service = |more: Value| {
        let tls = json!({ "client_tls": { "ca_certs": [authority.file()] },
            "endpoints": [endpoint("/x", &upstream.url("localhost"), "/x"),
                decoded(endpoint("/decoded", &upstream.url("localhost"), "/y"))] });
        Running::start(with(tls, &more))
    };
    let gateway = service(json!({}));
    assert_eq!(on_a_kept_connection(&gateway, &upstream, "/x").status, 200);
    for path in ["/x", "/decoded"] {
        let gateway = service(json!({ "disable_keep_alives": true }));
        let before = upstream.connections();
        for _ in 0..3 {
            assert_eq!(gateway.get(path).status, 200);
        }
        assert_eq!(upstream.connections(), before + 3, "{path}");
    }
    let gateway = service(json!({ "idle_connection_timeout": "1ms" }));
    let first = gateway.get("/x").json()["connection"].clone();
    eventually(PATIENCE, "another connection", || gateway.get("/x").json()["connection"] != first);
}

fn problems(client_tls: Value) -> String {
    let endpoint = by("/x", "https://localhost", json!({ "client_tls": client_tls }));
    report(&json!({ "endpoints": [endpoint] }))
}

#[test]
fn what_cannot_be_done_is_an_error_with_its_place() {
    let (authority, other) = (Authority::new("a"), Authority::new("b"));
    let (one, two) = (authority.client("one"), other.client("two"));
    let pair = |certificate: &Path, key: &Path| json!([{ "certificate": certificate, "private_key": key }]);
    for (client_tls, expected) in [
        (json!({ "max_version": "TLS12" }), "error[E080]: TLS 1.3 cannot be kept from an upstream"),
        (json!({ "min_version": "TLS14" }), "error[E070]: `TLS14` is no version of TLS"),
        (json!({ "min_version": "TLS10" }), "warning[W046]: `TLS10` is allowed here, and never spoken"),
        (json!({ "cipher_suites": [4865] }), "error[E013]: `cipher_suites` is refused"),
        (json!({ "curve_preferences": [23] }), "error[E013]: `curve_preferences` is refused"),
        (json!({ "disable_system_ca_pool": true }), "error[E080]: without the system's authorities"),
        (json!({ "disable_system_ca_pool": true, "ca_certs": [] }), "error[E080]: without the system's authorities"),
        (json!({ "ca_certs": ["absent.pem"] }), "error[E028]: the `ca_certs` `absent.pem` cannot be read"),
        (json!({ "ca_certs": [one.key_file] }), "it holds no PEM certificate"),
        (
            json!({ "client_certs": [{ "certificate": one.certificate_file }] }),
            "a client certificate has no `private_key`",
        ),
        (json!({ "client_certs": pair(&one.certificate_file, &two.key_file) }), "does not belong to the private key"),
        (
            json!({ "client_certs": pair(&one.certificate_file, &one.certificate_file) }),
            "no unencrypted PEM private key",
        ),
        (
            json!({ "client_certs": [pair(&one.certificate_file, &one.key_file)[0], pair(&two.certificate_file, &two.key_file)[0]] }),
            "error[E080]: only one certificate can be shown",
        ),
        (json!({ "ca_cert": ["a"] }), "did you mean `ca_certs`?"),
    ] {
        let text = problems(client_tls.clone());
        assert!(text.contains(expected), "{client_tls}: {expected} is not in\n{text}");
    }
}

#[test]
fn what_does_not_reach_the_authorization_server_is_said() {
    let authority = Authority::new("a");
    let credential = crate::support::gateway::credential("https://idp.test/token");
    let service = json!({
        "client_tls": { "ca_certs": [authority.file()] },
        "endpoints": [crate::support::gateway::protected("/x", "https://api.test", credential)],
    });
    let text = report(&service);
    assert!(text.contains("warning[W047]: this is for backends"), "{text}");
}
