//! What the authorization server may do to a token's life, against a real one: fail, refuse, name odd lifetimes, repeat
//! itself. The rule is always the same: the current token stays in use while it is good, and the server is asked again.

use crate::support::client::{Connection, request};
use crate::support::gateway::{Running, credential, protected, with};
use crate::support::idp::Idp;
use crate::support::poll::{PATIENCE, eventually};
use crate::support::reply::Reply;
use crate::support::scripted::Scripted;
use crate::support::tokens;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// So many credentials of one server, so that each can suffer something else: `many-0`, …
struct Many {
    idp: Idp,
    gateway: Running,
}

impl Many {
    /// All have a token with this lifetime.
    fn start(count: usize, ttl: u64, keys: Value) -> Self {
        let idp = Idp::start_with(ttl, &[("IDP_MANY", &count.to_string())]);
        let endpoints: Vec<Value> = (0..count)
            .map(|n| {
                let credential = json!({
                    "client_id": format!("many-{n}"), "token_url": idp.token_url(),
                    "client_secret": format!("many-secret-{n}-0000000000000000000000"),
                });
                protected(&format!("/{n}"), &idp.resource_url(), with(credential, &keys))
            })
            .collect();
        let gateway = Running::with(&endpoints).ready();
        Self { idp, gateway }
    }

    /// A request with the token of this credential is accepted.
    #[track_caller]
    fn works(&self, n: usize) {
        let answer = self.gateway.get(&format!("/{n}"));
        assert_eq!(answer.status, 200, "{n}: {}", answer.text());
    }

    fn refresh(&self, n: usize) {
        tokens::order_refresh(&self.gateway, &format!("many-{n}@127.0.0.1"));
    }

    fn fetches(&self, n: usize, result: &str) -> f64 {
        tokens::fetches(&self.gateway, &format!("many-{n}@127.0.0.1"), result)
    }

    fn metric(&self, name: &str, n: usize) -> f64 {
        self.gateway.metric(&format!(r#"porteur_token_{name}{{credential="many-{n}@127.0.0.1"}}"#))
    }

    fn is(&self, n: usize, state: &str) -> bool {
        let labels = format!(r#"{{credential="many-{n}@127.0.0.1",state="{state}"}}"#);
        self.gateway.metric(&format!("porteur_token_state{labels}")) == 1.0
    }

    /// How long the background service waits, in whole seconds: `1h2m3s` as the admin listener says it.
    fn next_attempt_in(&self, n: usize) -> u64 {
        let row = tokens::row(self.gateway.admin, &format!("many-{n}@127.0.0.1"));
        let text = row["next_attempt_in"].as_str().unwrap();
        let (mut seconds, mut digits) = (0, String::new());
        for letter in text.chars() {
            let factor = match letter {
                'h' => 3600,
                'm' => 60,
                's' => 1,
                digit => {
                    digits.push(digit);
                    continue;
                }
            };
            seconds += factor * digits.parse::<u64>().unwrap();
            digits.clear();
        }
        seconds
    }
}

#[test]
fn whatever_the_server_answers_the_current_token_stays_in_use_and_is_renewed_afterwards() {
    // `hang` comes last: nobody else's retry should hang.
    const FAILURES: [(&str, &str); 14] = [
        ("500", "status"),
        ("502", "status"),
        ("404", "status"),
        ("redirect", "redirect"),
        ("reset", "transport"),
        ("empty", "empty"),
        ("204", "empty"),
        ("truncated", "transport"),
        ("notjson", "not_json"),
        ("html200", "not_json"),
        ("huge", "too_large"),
        ("mac_type", "token_type"),
        ("crlf", "bad_token"),
        ("hang", "timeout"),
    ];
    let many = Many::start(FAILURES.len(), 3600, json!({ "timeout": "2s" }));
    for (n, (mode, label)) in FAILURES.into_iter().enumerate() {
        many.idp.fault(mode);
        many.refresh(n);
        eventually(PATIENCE, mode, || many.fetches(n, label) >= 1.0);
        eventually(PATIENCE, mode, || many.is(n, "stale"));
        many.works(n);
        assert_eq!((many.metric("usable", n), many.metric("client_refused", n)), (1.0, 0.0), "{mode}");
        assert_eq!(many.metric("generation", n), 1.0, "{mode}");
    }
    many.idp.clear_fault();
    for (n, (mode, _)) in FAILURES.into_iter().enumerate() {
        eventually(PATIENCE, mode, || many.is(n, "fresh"));
        assert_eq!(many.metric("generation", n), 2.0, "{mode}");
        many.works(n);
    }
    assert_eq!(many.idp.stats().resource_by_status.into_keys().collect::<Vec<_>>(), [200]);
}

#[test]
fn a_refusal_is_told_from_a_failure_and_not_hammered() {
    const REFUSALS: [&str; 6] =
        ["400_invalid_scope", "400_unauthorized_client", "400_invalid_target", "400", "401", "403"];
    let many = Many::start(REFUSALS.len() + 1, 3600, json!({}));
    let began = Instant::now();
    for (n, mode) in REFUSALS.into_iter().enumerate() {
        many.idp.fault(mode);
        many.refresh(n);
        eventually(PATIENCE, mode, || many.metric("client_refused", n) == 1.0);
        assert!(many.is(n, "stale") && many.next_attempt_in(n) >= 2, "{mode}: {}", many.next_attempt_in(n));
        many.works(n);
    }
    let plain = REFUSALS.len();
    many.idp.fault("400_invalid_client_html");
    many.refresh(plain);
    eventually(PATIENCE, "a 400 without an error code", || many.is(plain, "stale"));
    assert_eq!(many.metric("client_refused", plain), 0.0, "which may be anything");
    // Five seconds are the least between two attempts.
    let most = 1.0 + (began.elapsed().as_secs() / 5) as f64;
    for (n, mode) in REFUSALS.into_iter().enumerate() {
        assert!(many.fetches(n, "status") <= most, "{mode}");
    }
    many.idp.clear_fault();
    for (n, mode) in REFUSALS.into_iter().enumerate() {
        many.refresh(n);
        eventually(PATIENCE, mode, || many.is(n, "fresh") && many.metric("client_refused", n) == 0.0);
        many.works(n);
    }
}

#[test]
fn retry_after_is_waited_for() {
    let in_two_minutes = || httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(120));
    let many = Many::start(4, 3600, json!({}));
    for (n, (mode, retry_after)) in
        [("503", json!(120)), ("503", json!(in_two_minutes())), ("429", json!(120)), ("429", json!(in_two_minutes()))]
            .into_iter()
            .enumerate()
    {
        many.idp.fault_with(json!({ "mode": mode, "retry_after": retry_after }));
        many.refresh(n);
        eventually(PATIENCE, mode, || many.fetches(n, "status") == 1.0 && many.is(n, "stale"));
        let wait = many.next_attempt_in(n);
        assert!((90..=120).contains(&wait), "{mode}, {retry_after}: {wait} s");
        assert_eq!(many.metric("client_refused", n), 0.0, "it has nothing against this client");
        many.works(n);
    }
    assert_eq!(many.idp.stats().token_requests, 8, "one each at start, and one each since");
}

#[test]
fn odd_lifetimes_keep_requests_working() {
    const WEEK: f64 = 7.0 * 24.0 * 3600.0;
    // Those that are over at once come last: they are asked for again each ten seconds, and get whatever is ordered then.
    const LIFETIMES: [(&str, f64, f64); 7] = [
        ("string_expires_in", 900.0, 1000.0),
        ("float_expires_in", 900.0, 1000.5),
        ("no_expires_in", 200.0, 300.0),
        ("huge_expires_in", WEEK - 100.0, WEEK),
        ("no_type", 900.0, 1000.0),
        ("zero_expires_in", 5.0, 20.0),
        ("negative_expires_in", 5.0, 20.0),
    ];
    let many = Many::start(LIFETIMES.len(), 1000, json!({}));
    for (n, (mode, least, most)) in LIFETIMES.into_iter().enumerate() {
        many.idp.fault(mode);
        many.refresh(n);
        eventually(PATIENCE, mode, || many.metric("generation", n) >= 2.0);
        let left = many.metric("expires_in_seconds", n);
        assert!((least..=most).contains(&left), "{mode}: {left} s");
        many.works(n);
    }
    let last = LIFETIMES.len() - 1;
    eventually(PATIENCE, "renewals of what is over when it comes", || {
        many.works(last);
        many.metric("generation", last) >= 3.0
    });
    assert_eq!(many.idp.stats().resource_by_status.into_keys().collect::<Vec<_>>(), [200]);
}

#[test]
fn a_lifetime_that_never_was_is_the_configured_one() {
    let server = Scripted::start(|_, _| Reply::json(200, &json!({ "access_token": "t", "token_type": "Bearer" })));
    let upstream = Upstream::echo();
    for (default_ttl, expected) in [("7s", 0.0..=7.0), ("never", f64::INFINITY..=f64::INFINITY)] {
        let credential = json!({
            "client_id": "a", "client_secret": "b", "token_url": server.token_url(), "default_ttl": default_ttl,
        });
        let gateway = Running::with(&[protected("/x", &upstream.url(), credential)]).ready();
        assert_eq!(gateway.get("/x").status, 200);
        let left = gateway.metric(r#"porteur_token_expires_in_seconds{credential="a@127.0.0.1"}"#);
        assert!(expected.contains(&left), "{default_ttl}: {left}");
    }
}

#[test]
fn the_hint_when_to_refresh_is_followed() {
    let many = Many::start(2, 3600, json!({}));
    many.idp.fault_with(json!({ "mode": "refresh_in", "seconds": 600 }));
    many.refresh(0);
    eventually(PATIENCE, "a token with a hint", || many.metric("generation", 0) == 2.0);
    let (hinted, usual) = (many.next_attempt_in(0), many.next_attempt_in(1));
    // Jitter brings either forward by a tenth of the life, five minutes at the most.
    assert!((250..=600).contains(&hinted), "{hinted}");
    assert!((2400..=2880).contains(&usual), "{usual}");
    let left = many.metric("expires_in_seconds", 0);
    assert!((3500.0..=3600.0).contains(&left), "it is no earlier end: {left}");
    many.works(0);
}

/// A request that goes out with the dead token is repeated with the next one.
#[test]
fn a_server_that_repeats_its_token_until_it_is_dead_costs_nobody_a_request() {
    let idp = Idp::start(4);
    idp.fault("sticky");
    let gateway = Running::with(&[protected("/x", &idp.resource_url(), credential(idp.token_url()))]).ready();
    let metric = |name: &str| gateway.metric(&format!(r#"porteur_token_{name}{{credential="basic@127.0.0.1"}}"#));
    let mut statuses = BTreeMap::<u16, usize>::new();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| eventually(PATIENCE, "the death of two tokens", || metric("generation") >= 3.0));
        let mut connection = Connection::open(gateway.address);
        while !waiting.is_finished() {
            let status = connection.request(request("GET", "/x", &[], b"")).status;
            *statuses.entry(status).or_default() += 1;
        }
    });
    assert_eq!(statuses.keys().collect::<Vec<_>>(), [&200], "{statuses:?}");
    assert!(metric("same_total") >= 2.0);
    let replayed =
        gateway.metric(r#"porteur_token_rejections_total{credential="basic@127.0.0.1",result="sent"}"#) as usize;
    let dead = idp.stats().resource_by_status.get(&401).copied().unwrap_or_default();
    assert_eq!(replayed, dead, "whoever was given a dead token was given its successor, too");
    eventually(PATIENCE, "a token", || gateway.get("/x").status == 200);
    assert!(idp.stats().token_requests <= 20, "not hammered");
}
