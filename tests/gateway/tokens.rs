//! The life of a token against a real authorization server: fetched once, refreshed in time, kept through outages.

use crate::support::client;
use crate::support::gate::Gate;
use crate::support::gateway::{BRIEF, Running, credential, protected};
use crate::support::idp::Idp;
use crate::support::poll::{PATIENCE, eventually};
use crate::support::reply::Reply;
use crate::support::scripted::Scripted;
use crate::support::upstream::Upstream;
use serde_json::json;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The resource server of the test provider, which checks the token it gets.
fn through_to_the_api(idp: &Idp, token_url: &str) -> Running {
    Running::with(&[protected("/x", &idp.resource_url(), credential(token_url))])
}

#[test]
fn the_upstream_accepts_the_token_that_the_gateway_carries() {
    let idp = Idp::start(60);
    let gateway = through_to_the_api(&idp, idp.token_url()).ready();
    let answer = gateway.get("/x");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(client::get(idp.resource_server(), "/x").status, 401, "without a token the API refuses");
    assert_eq!(idp.stats().token_requests, 1);
}

#[test]
fn a_thousand_concurrent_first_requests_cause_one_fetch() {
    let idp = Idp::start(60);
    idp.fault("hold");
    let upstream = Upstream::echo();
    let mut patient = credential(idp.token_url());
    patient["first_token_wait"] = json!("60s");
    let gateway = Running::with(&[protected("/x", &upstream.url(), patient)]);
    let answered = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                // Twenty connections each, all asking before any is answered.
                let mut connections: Vec<_> = (0..20).map(|_| client::Connection::open(gateway.address)).collect();
                connections.iter_mut().for_each(|connection| connection.write(client::request("GET", "/x", &[], b"")));
                for mut connection in connections {
                    assert_eq!(connection.response().status, 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        eventually(PATIENCE, "the requests are waiting", || gateway.metric("porteur_requests_in_flight") >= 1000.0);
        assert_eq!(answered.load(Ordering::Relaxed), 0, "nobody is answered without a token");
        idp.release();
    });
    assert_eq!(answered.load(Ordering::Relaxed), 1000);
    let stats = idp.stats();
    assert_eq!((stats.token_requests, stats.max_in_flight), (1, 1));
    assert!(upstream.requests().iter().all(|request| request.headers.has("authorization")));
}

#[test]
fn tokens_are_refreshed_before_they_expire_and_no_request_fails_meanwhile() {
    // Refreshed after 3.2 s to 4 s, unusable after 6 s: two seconds for a fetch on a busy machine.
    let idp = Idp::start(8);
    let gateway = through_to_the_api(&idp, idp.token_url()).ready();
    let enough = AtomicBool::new(false);
    let requests = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = client::Connection::open(gateway.address);
                while !enough.load(Ordering::Relaxed) {
                    let answer = connection.request(client::request("GET", "/x", &[], b""));
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    requests.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        eventually(PATIENCE, "two refreshes", || idp.stats().token_requests >= 3);
        enough.store(true, Ordering::Relaxed);
    });
    assert!(requests.load(Ordering::Relaxed) > 20);
    assert_eq!(idp.stats().resource_by_status.keys().collect::<Vec<_>>(), [&200]);
}

#[test]
fn a_server_that_is_down_at_start_is_asked_until_it_is_up() {
    let idp = Idp::start(60);
    let gate = Gate::closed(idp.addr());
    let gateway = through_to_the_api(&idp, &gate.url("/token"));
    eventually(PATIENCE, "a failed fetch", || {
        gateway.metric(r#"porteur_token_fetches_total{credential="basic@127.0.0.1",result="transport"}"#) >= 1.0
    });
    assert_eq!(gateway.probe("/livez").status, 200);
    let readiness = gateway.probe("/readyz");
    assert_eq!(readiness.status, 503);
    assert_eq!(readiness.json()["credentials_without_token"], json!(["basic@127.0.0.1"]));
    gate.open();
    let gateway = gateway.ready();
    assert_eq!(gateway.get("/x").status, 200);
}

#[test]
fn without_a_token_the_answer_comes_after_the_first_token_wait() {
    let upstream = Upstream::echo();
    let gate = Gate::closed(upstream.addr());
    let mut impatient = credential(&gate.url("/token"));
    impatient["first_token_wait"] = json!("50ms");
    let mut custom = impatient.clone();
    custom["reject_status"] = json!(502);
    let mut pass = impatient.clone();
    pass["on_missing"] = json!("pass");
    let gateway = Running::with(&[
        protected("/reject", &upstream.url(), impatient),
        protected("/custom", &upstream.url(), custom),
        protected("/pass", &upstream.url(), pass),
    ]);
    let mut connection = client::Connection::open(gateway.address);
    let answer = connection.request(client::request("GET", "/reject", &[], b""));
    assert_eq!((answer.status, answer.text().as_str()), (503, ""));
    let retry_after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!(
        (1..=61).contains(&retry_after),
        "until the next attempt, whose backoff is a minute at the most: {retry_after}"
    );
    let answer = connection.request(client::request("GET", "/custom", &[], b""));
    assert_eq!(answer.status, 502, "on the same connection");
    assert!(upstream.requests().is_empty(), "nothing goes upstream without a token");
    let own = [("Authorization", "Bearer of-the-client")];
    assert_eq!(client::send(gateway.address, client::request("GET", "/pass", &own, b"")).status, 200);
    assert!(!upstream.only_request().headers.has("authorization"), "the client's own is removed all the same");
    let counter = r#"porteur_failures_total{failure="token_unavailable"}"#;
    eventually(PATIENCE, counter, || gateway.metric(counter) == 2.0);
}

#[test]
fn passing_without_a_token_leaves_the_upstream_its_whole_timeout() {
    let upstream = Upstream::start(|_| Reply::text("late").delayed(Duration::from_millis(100)));
    let gate = Gate::closed(upstream.addr());
    let mut pass = credential(&gate.url("/token"));
    pass["on_missing"] = json!("pass");
    pass["first_token_wait"] = json!("500ms");
    let mut endpoint = protected("/x", &upstream.url(), pass);
    endpoint["timeout"] = json!("400ms");
    let gateway = Running::with(&[endpoint]);
    let answer = gateway.get("/x");
    assert_eq!((answer.status, answer.text().as_str()), (200, "late"));
}

#[test]
fn a_slow_server_delays_only_the_first_requests() {
    let idp = Idp::start(60);
    idp.fault_with(json!({ "mode": "delay", "count": 1, "delay_ms": 700 }));
    let gateway = through_to_the_api(&idp, idp.token_url());
    assert_eq!(gateway.get("/x").status, 200, "it waits for the first token");
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(idp.stats().token_requests, 1);
}

#[test]
fn a_token_header_of_its_own_has_no_second_spelling() {
    let server = Scripted::counting("TOKEN", 60);
    let upstream = Upstream::echo();
    let mut named = credential(&server.token_url());
    named["header"] = json!("X-Api-Token");
    let mut open = protected("/x", &upstream.url(), named);
    open["input_headers"] = json!(["*"]);
    let gateway = Running::with(&[open]).ready();
    let own = [("X_Api_Token", "mine"), ("x_api-token", "mine"), ("X-Api-Tokens", "other")];
    assert_eq!(client::send(gateway.address, client::request("GET", "/x", &own, b"")).status, 200);
    let received = upstream.only_request().headers;
    assert_eq!(received.get("x-api-token"), Some("Bearer TOKEN-0"));
    assert!(
        !received.has("x_api_token") && !received.has("x_api-token") && received.has("x-api-tokens"),
        "{received:?}"
    );
}

#[test]
fn a_valid_token_outlives_the_server_and_an_expired_one_is_not_sent() {
    let idp = Idp::start(4);
    let gate = Gate::to(idp.addr());
    let gateway = through_to_the_api(&idp, &gate.url("/token")).ready();
    assert_eq!(gateway.get("/x").status, 200);
    gate.close();
    assert_eq!(gateway.get("/x").status, 200, "the token it has is still good");
    let began = Instant::now();
    eventually(PATIENCE, "the token has expired", || gateway.get("/x").status == 503);
    assert!(began.elapsed() < BRIEF, "a lost token does not make requests wait");
    assert!(
        idp.stats().resource_by_status.keys().all(|status| *status == 200),
        "an expired token never reached the API: {:?}",
        idp.stats().resource_by_status
    );
    gate.open();
    // The backoff may have grown to half a minute meanwhile.
    eventually(3 * PATIENCE, "the gateway has recovered", || gateway.get("/x").status == 200);
}

#[test]
fn a_server_that_hangs_is_given_up_and_asked_again() {
    let idp = Idp::start(60);
    idp.fault_times("hang", 1);
    let mut hasty = credential(idp.token_url());
    hasty["timeout"] = json!("300ms");
    let gateway = Running::with(&[protected("/x", &idp.resource_url(), hasty)]).ready();
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(gateway.metric(r#"porteur_token_fetches_total{credential="basic@127.0.0.1",result="timeout"}"#), 1.0);
}

#[test]
fn a_wrong_secret_is_refused_once_each_way_and_not_hammered() {
    let idp = Idp::start(60);
    let mut wrong = credential(idp.token_url());
    wrong["client_secret"] = json!("not-the-secret");
    wrong["first_token_wait"] = json!("0s");
    let gateway = Running::with(&[protected("/x", &idp.resource_url(), wrong)]);
    eventually(PATIENCE, "the refusal", || {
        gateway.metric(r#"porteur_token_fetches_total{credential="basic@127.0.0.1",result="status"}"#) >= 1.0
    });
    for _ in 0..20 {
        assert_eq!(gateway.get("/x").status, 503);
    }
    let tried = idp.last();
    assert_eq!(tried.len(), 2, "Basic, then the body, then a long pause");
    assert!(tried[0].header("authorization").is_some() && !tried[0].body.contains("client_secret"));
    assert!(tried[1].header("authorization").is_none() && tried[1].body.contains("client_secret"));
}

#[test]
fn the_way_of_authenticating_that_worked_is_remembered() {
    let server = Scripted::start(|request, n| {
        if request.headers.has("authorization") {
            Scripted::error(401, "invalid_client")
        } else {
            Scripted::token(&format!("TOKEN-{n}"), 2)
        }
    });
    let upstream = Upstream::echo();
    let _gateway = Running::with(&[protected("/x", &upstream.url(), credential(&server.token_url()))]).ready();
    let requests = server.wait_for_requests(4);
    let basic: Vec<bool> = requests.iter().map(|request| request.headers.has("authorization")).collect();
    assert_eq!(basic[..4], [true, false, false, false]);
}

#[test]
fn two_backends_with_equal_credentials_share_one_token() {
    let server = Scripted::counting("TOKEN", 60);
    let upstream = Upstream::echo();
    let one = credential(&server.token_url());
    let mut other = one.clone();
    other["on_missing"] = json!("pass");
    let mut third = one.clone();
    third["scopes"] = json!("something:else");
    let gateway = Running::with(&[
        protected("/one", &upstream.url(), one),
        protected("/other", &upstream.url(), other),
        protected("/third", &upstream.url(), third),
    ])
    .ready();
    for target in ["/one", "/other", "/third"] {
        assert_eq!(gateway.get(target).status, 200);
    }
    let tokens: Vec<Option<String>> =
        upstream.requests().iter().map(|request| request.header("authorization").map(str::to_owned)).collect();
    assert_eq!(tokens[0], tokens[1]);
    assert_ne!(tokens[0], tokens[2]);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn reserved_characters_reach_the_server_form_encoded() {
    let server = Scripted::counting("TOKEN", 60);
    let upstream = Upstream::echo();
    let odd = json!({"client_id": "my app", "client_secret": "s3cr:t/+=@é", "token_url": server.token_url()});
    let _gateway = Running::with(&[protected("/x", &upstream.url(), odd)]).ready();
    let request = server.only_request();
    assert_eq!(request.headers.get("authorization"), Some("Basic bXkrYXBwOnMzY3IlM0F0JTJGJTJCJTNEJTQwJUMzJUE5"));
    assert_eq!(request.text(), "grant_type=client_credentials");
    assert_eq!(request.headers.get("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(request.headers.get("accept"), Some("application/json"));
}

#[test]
fn the_auth0_form_sends_id_and_secret_in_the_body_alone() {
    let server = Scripted::counting("TOKEN", 60);
    let upstream = Upstream::echo();
    let auth0 = json!({
        "client_id": "YOUR-CLIENT-ID", "client_secret": "YOUR-CLIENT-SECRET", "token_url": server.token_url(),
        "endpoint_params": {
            "client_id": ["YOUR-CLIENT-ID"], "client_secret": ["YOUR-CLIENT-SECRET"], "audience": ["YOUR-AUDIENCE"]
        }
    });
    let _gateway = Running::with(&[protected("/x", &upstream.url(), auth0)]).ready();
    let request = server.only_request();
    assert!(!request.headers.has("authorization"));
    assert_eq!(
        request.text(),
        "audience=YOUR-AUDIENCE&client_id=YOUR-CLIENT-ID&client_secret=YOUR-CLIENT-SECRET&grant_type=client_credentials"
    );
}

#[test]
fn the_token_goes_into_the_header_and_with_the_scheme_that_are_configured() {
    let server = Scripted::counting("TOKEN", 60);
    let upstream = Upstream::echo();
    let mut named = credential(&server.token_url());
    named["header"] = json!("X-Api-Token");
    named["scheme"] = json!("");
    let gateway = Running::with(&[protected("/x", &upstream.url(), named)]).ready();
    let own = [("Authorization", "Bearer mine"), ("x-api-token", "mine too")];
    assert_eq!(client::send(gateway.address, client::request("GET", "/x", &own, b"")).status, 200);
    let received = upstream.only_request().headers;
    assert_eq!((received.get("x-api-token"), received.get("authorization")), (Some("TOKEN-0"), None));
}

#[test]
fn a_disabled_credential_carries_nothing() {
    let upstream = Upstream::echo();
    let mut disabled = credential("https://login.example.test/token");
    disabled["is_disabled"] = json!(true);
    let gateway = Running::with(&[protected("/x", &upstream.url(), disabled)]).ready();
    assert_eq!(gateway.get("/x").status, 200);
    assert!(!upstream.only_request().headers.has("authorization"));
}

#[test]
fn hostile_answers_are_counted_by_their_kind_and_never_become_a_header() {
    let answer = |label: &str| match label {
        "not_json" => Reply::text("<html>login</html>"),
        "empty" => Reply::new(200),
        "error_member" => Reply::text(r#"{"access_token":"t","error":"invalid_client"}"#),
        "bad_token" => Reply::text(r#"{"access_token":"a\r\nX-Injected: 1","token_type":"Bearer"}"#),
        "token_type" => Reply::text(r#"{"access_token":"t","token_type":"mac"}"#),
        "no_token" => Reply::text(r#"{"token_type":"Bearer"}"#),
        "too_large" => Reply::text(format!(r#"{{"access_token":"{}"}}"#, "A".repeat(100_000))),
        "status" => Reply::new(500).body("no"),
        "transport" => Reply::raw_then_close("not HTTP at all\r\n\r\n"),
        label => panic!("no answer for {label}"),
    };
    let labels = [
        "not_json",
        "empty",
        "error_member",
        "bad_token",
        "token_type",
        "no_token",
        "too_large",
        "status",
        "transport",
    ];
    let servers: Vec<(&str, Scripted)> =
        labels.into_iter().map(|label| (label, Scripted::start(move |_, _| answer(label)))).collect();
    let upstream = Upstream::echo();
    let endpoints: Vec<_> = servers
        .iter()
        .enumerate()
        .map(|(n, (label, server))| {
            let mut credential = credential(&server.token_url());
            credential["client_id"] = json!(label);
            credential["first_token_wait"] = json!("0s");
            protected(&format!("/{n}"), &upstream.url(), credential)
        })
        .collect();
    let gateway = Running::with(&endpoints);
    for (n, (label, _)) in servers.iter().enumerate() {
        let counter = format!(r#"porteur_token_fetches_total{{credential="{label}@127.0.0.1",result="{label}"}}"#);
        eventually(PATIENCE, &counter, || gateway.metric(&counter) >= 1.0);
        assert_eq!(gateway.get(&format!("/{n}")).status, 503);
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_redirecting_token_endpoint_is_not_followed() {
    let elsewhere = Upstream::echo();
    let to = elsewhere.url();
    let server = Scripted::start(move |_, _| Reply::new(307).header("Location", &to));
    let gateway = Running::with(&[protected("/x", &elsewhere.url(), credential(&server.token_url()))]);
    let counter = r#"porteur_token_fetches_total{credential="basic@127.0.0.1",result="redirect"}"#;
    eventually(PATIENCE, counter, || gateway.metric(counter) >= 1.0);
    assert!(elsewhere.requests().is_empty(), "the secret stays with its server");
}

#[test]
fn expiry_and_generation_show_in_the_metrics() {
    let server = Scripted::counting("TOKEN", 3600);
    let upstream = Upstream::echo();
    let gateway = Running::with(&[protected("/x", &upstream.url(), credential(&server.token_url()))]).ready();
    assert_eq!(gateway.metric(r#"porteur_token_usable{credential="basic@127.0.0.1"}"#), 1.0);
    assert_eq!(gateway.metric(r#"porteur_token_generation{credential="basic@127.0.0.1"}"#), 1.0);
    let left = gateway.metric(r#"porteur_token_expires_in_seconds{credential="basic@127.0.0.1"}"#);
    assert!((3500.0..=3600.0).contains(&left), "{left}");
}

#[test]
fn names_of_credentials_are_unique() {
    let server = Scripted::counting("TOKEN", 60);
    let upstream = Upstream::echo();
    let one = credential(&server.token_url());
    let mut other = one.clone();
    other["scopes"] = json!("more");
    let gateway =
        Running::with(&[protected("/a", &upstream.url(), one), protected("/b", &upstream.url(), other)]).ready();
    let text = gateway.probe("/metrics").text();
    let names: HashSet<&str> = text.lines().filter(|line| line.starts_with("porteur_token_usable{")).collect();
    assert_eq!(names.len(), 2, "{text}");
}
