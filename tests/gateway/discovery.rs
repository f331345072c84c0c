//! A server that is named by its `issuer`: where its metadata is looked for, when it is believed, and that a secret goes
//! nowhere before it is.

use crate::support::gateway::{Running, protected};
use crate::support::idp::{CLIENT_SECRET, Idp};
use crate::support::poll::{PATIENCE, eventually};
use crate::support::program::Program;
use crate::support::reply::Reply;
use crate::support::scripted::Scripted;
use crate::support::tokens::{fetches, wait_for_fetch};
use crate::support::upstream::{Request, Upstream};
use serde_json::{Value, json};

const NAME: &str = "basic@127.0.0.1";

fn of_issuer(issuer: &str) -> Value {
    json!({ "client_id": "basic", "client_secret": CLIENT_SECRET, "issuer": issuer })
}

fn through_to_the_api(idp: &Idp) -> Running {
    Running::with(&[protected("/x", &idp.resource_url(), of_issuer(idp.issuer()))])
}

#[test]
fn metadata_is_looked_for_where_rfc_8414_puts_it_and_then_where_openid_does() {
    let idp = Idp::start(60);
    for (absent, asked) in [
        (json!({}), json!({ "oauth-authorization-server": 1 })),
        (json!({ "mode": "404", "path": "openid-configuration" }), json!({ "oauth-authorization-server": 1 })),
        (
            json!({ "mode": "404", "path": "oauth-authorization-server" }),
            json!({ "oauth-authorization-server": 1, "openid-configuration": 1 }),
        ),
        // A site that answers any path with a page.
        (
            json!({ "mode": "html200", "path": "oauth-authorization-server" }),
            json!({ "oauth-authorization-server": 1, "openid-configuration": 1 }),
        ),
    ] {
        idp.reset();
        idp.discovery(absent);
        let gateway = through_to_the_api(&idp).ready();
        assert_eq!(gateway.get("/x").status, 200);
        let stats = idp.stats();
        assert_eq!((json!(stats.discovery_by_path), stats.token_requests), (asked, 1));
    }
}

/// The scheme, host and port that a request was sent to.
fn origin(request: &Request) -> String {
    format!("http://{}", request.header("host").unwrap())
}

#[test]
fn the_path_of_an_issuer_stands_behind_the_well_known_part_or_before_it() {
    const TENANT: &str = "/realms/a";
    let places = [
        format!("/.well-known/oauth-authorization-server{TENANT}"),
        format!("{TENANT}/.well-known/openid-configuration"),
    ];
    for (n, place) in places.iter().enumerate() {
        let server = Scripted::start({
            let place = place.clone();
            move |request, _| match &*request.target {
                "/t" => Scripted::token("TOKEN", 60),
                target if target == place => {
                    let origin = origin(request);
                    let document =
                        json!({ "issuer": format!("{origin}{TENANT}"), "token_endpoint": format!("{origin}/t") });
                    Reply::json(200, &document)
                }
                _ => Reply::new(404),
            }
        });
        let upstream = Upstream::echo();
        let credential = of_issuer(&format!("{}{TENANT}", server.url()));
        let _gateway = Running::with(&[protected("/x", &upstream.url(), credential)]).ready();
        let asked: Vec<_> = server.requests().into_iter().map(|request| (request.method, request.target)).collect();
        let mut expected: Vec<_> = places[..=n].iter().map(|place| ("GET".to_owned(), place.clone())).collect();
        expected.push(("POST".to_owned(), "/t".to_owned()));
        assert_eq!(asked, expected);
        assert!(server.requests()[..=n].iter().all(|request| !request.headers.has("authorization")));
    }
}

#[test]
fn metadata_of_another_issuer_is_not_believed_until_it_is_right() {
    let idp = Idp::start(60);
    idp.discovery(json!({ "mode": "wrong_issuer" }));
    let gateway = through_to_the_api(&idp);
    wait_for_fetch(&gateway, NAME, "discovery");
    assert_eq!(idp.stats().token_requests, 0, "no secret was sent");
    idp.discovery(json!({}));
    let gateway = gateway.ready();
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(idp.stats().token_requests, 1);
}

#[test]
fn a_server_that_cannot_tell_its_endpoints_is_asked_until_it_can() {
    let idp = Idp::start(60);
    idp.discovery(json!({ "mode": "503", "count": 4 }));
    let gateway = through_to_the_api(&idp).ready();
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(fetches(&gateway, NAME, "discovery"), 2.0, "both places each time");
    assert_eq!((idp.stats().discovery_requests, idp.stats().token_requests), (5, 1));
}

#[test]
fn an_encrypted_issuer_cannot_name_an_endpoint_without_encryption() {
    let idp = Idp::start_tls(60);
    idp.discovery(json!({ "mode": "http_token_endpoint" }));
    let mut credential = of_issuer(idp.tls_issuer());
    credential["tls"] = json!({ "ca_file": idp.certificate("ca.pem") });
    let mut lax = credential.clone();
    lax["allow_insecure_token_url"] = json!(true);
    let gateway =
        Running::with(&[protected("/x", &idp.resource_url(), credential), protected("/y", &idp.resource_url(), lax)]);
    wait_for_fetch(&gateway, NAME, "discovery");
    wait_for_fetch(&gateway, &format!("{NAME}~2"), "discovery");
    assert_eq!(idp.stats().token_requests, 0, "no secret was sent");
    assert!(idp.stats().discovery_requests >= 2);
}

#[test]
fn clients_with_a_certificate_go_to_the_door_for_them() {
    let idp = Idp::start_tls(60);
    let ca = idp.certificate("ca.pem");
    let (certificate, key) = (idp.certificate("client.pem"), idp.certificate("client.key"));
    let mutual = json!({ "ca_file": ca, "client_certificate_file": certificate, "client_key_file": key });
    for (client, tls, door) in [
        (json!({ "client_id": "mtls-dns", "client_auth": "tls_client_auth" }), &mutual, "mtls"),
        (of_issuer(""), &mutual, "mtls"),
        (of_issuer(""), &json!({ "ca_file": ca }), "https"),
    ] {
        idp.reset();
        let mut credential = client;
        credential["issuer"] = json!(idp.tls_issuer());
        credential["tls"] = tls.clone();
        let gateway = Running::with(&[protected("/x", &idp.resource_url(), credential)]).ready();
        assert_eq!(gateway.get("/x").status, 200);
        let asked = idp.last();
        assert_eq!((asked.len(), asked[0].door.as_str(), asked[0].certificate.is_some()), (1, door, door == "mtls"));
    }
}

#[test]
fn metadata_is_fetched_once_for_many_tokens() {
    let idp = Idp::start(3);
    let _gateway = through_to_the_api(&idp).ready();
    eventually(PATIENCE, "two refreshes", || idp.stats().by_status.get(&200).is_some_and(|count| *count >= 3));
    assert_eq!(idp.stats().discovery_requests, 1);
}

#[test]
fn an_endpoint_that_is_gone_is_looked_up_again() {
    let server = Scripted::start(|request, n| match (&*request.method, &*request.target) {
        ("GET", _) => {
            let place = if n == 0 { "/old" } else { "/new" };
            let origin = origin(request);
            Reply::json(200, &json!({ "issuer": origin, "token_endpoint": format!("{origin}{place}") }))
        }
        (_, "/new") => Scripted::token("TOKEN", 60),
        _ => Reply::new(404),
    });
    let upstream = Upstream::echo();
    let gateway = Running::with(&[protected("/x", &upstream.url(), of_issuer(&server.url()))]).ready();
    assert_eq!(gateway.get("/x").status, 200);
    let asked: Vec<_> = server.requests().into_iter().map(|request| request.target).collect();
    let metadata = "/.well-known/oauth-authorization-server";
    assert_eq!(asked, [metadata, "/old", metadata, "/new"]);
}

/// What a server answers that asks for its metadata get, and what the log says of it.
fn unbelievable(case: &str, request: &Request, elsewhere: &str) -> Reply {
    let origin = origin(request);
    let document =
        |issuer: &str, endpoint: Value| Reply::json(200, &json!({ "issuer": issuer, "token_endpoint": endpoint }));
    match case {
        "other" => document(elsewhere, json!(format!("{origin}/t"))),
        "slash" => document(&format!("{origin}/"), json!(format!("{origin}/t"))),
        "nameless" => Reply::json(200, &json!({ "token_endpoint": format!("{origin}/t") })),
        "endless" => Reply::json(200, &json!({ "issuer": origin })),
        "relative" => document(&origin, json!("/t")),
        "plain" => document(&origin, json!("http://192.0.2.1/t")),
        "odd" => document(&origin, json!("file:///t")),
        "html" => Reply::new(200).header("Content-Type", "text/html").body("<html>login</html>"),
        "empty" => Reply::new(200),
        "large" => Reply::text(format!(r#"{{"issuer":"{origin}","x":"{}"}}"#, "A".repeat(100_000))),
        "redirect" => Reply::new(307).header("Location", &format!("{elsewhere}{}", request.target)),
        "hang" => Reply::hang(),
        "cut" => Reply::close(),
        case => panic!("no answer for {case}"),
    }
}

#[test]
fn metadata_that_cannot_be_believed_is_named_in_the_log_and_no_secret_is_sent() {
    let cases = [
        ("other", "the metadata is another issuer's"),
        ("slash", "the metadata is another issuer's"),
        ("nameless", "the metadata is another issuer's"),
        ("endless", "the metadata has no `token_endpoint`"),
        ("relative", "the metadata names an endpoint that is no proper address"),
        ("plain", "the metadata names an endpoint that is not encrypted"),
        ("odd", "the metadata names an endpoint that is no proper address"),
        ("html", "the metadata is not a JSON object"),
        ("empty", "the metadata is not a JSON object"),
        ("large", "answer larger than 64 KiB"),
        ("redirect", "status 307"),
        ("hang", "no answer in time"),
        ("cut", "connection failed"),
    ];
    // It would answer properly, for itself.
    let elsewhere = Upstream::start(|request| {
        let origin = origin(request);
        Reply::json(200, &json!({ "issuer": origin, "token_endpoint": format!("{origin}/t") }))
    });
    let servers = cases.map(|(case, _)| {
        let elsewhere = elsewhere.url();
        Scripted::start(move |request, _| unbelievable(case, request, &elsewhere))
    });
    let endpoints: Vec<_> = servers
        .iter()
        .zip(cases)
        .map(|(server, (case, _))| {
            let mut credential = of_issuer(&server.url());
            credential["client_id"] = json!(case);
            credential["timeout"] = json!(if case == "hang" { "300ms" } else { "20s" });
            protected(&format!("/{case}"), "http://127.0.0.1:9", credential)
        })
        .collect();
    let program = Program::with(&endpoints, &[]);
    for (case, why) in cases {
        let line = format!("token fetch for `{case}@127.0.0.1` failed: discovery: {why}");
        program.daemon.wait_for_line(|found| found.contains(&line));
    }
    for (server, (case, _)) in servers.iter().zip(cases) {
        for request in server.requests() {
            assert_eq!((&*request.method, request.headers.has("authorization")), ("GET", false), "{case}");
        }
    }
    assert!(elsewhere.requests().is_empty(), "nobody is sent there");
    assert!(
        !program.daemon.output().contains(&elsewhere.addr().to_string()),
        "what a server writes stays out of the log"
    );
}
