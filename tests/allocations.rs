//! What a request costs in heap allocations: looking up a token and putting it into a request costs none, and neither do
//! finding the endpoint and forming the upstream target.

#![allow(unsafe_code, reason = "an allocator that counts can only be written so")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use pingora::http::RequestHeader;
use porteur::base::{Moment, Secret};
use porteur::config::{self, Format, Options};
use porteur::forward::ingress::{Ingress, cleaned_target, ingress};
use porteur::forward::{RequestView, egress};
use porteur::snapshot::Snapshot;
use porteur::snapshot::addresses::AddressBook;
use porteur::snapshot::endpoint::EndpointPlan;
use porteur::snapshot::target::TargetBuffer;
use porteur::telemetry::metrics::Metrics;
use porteur::token::schedule::Life;
use porteur::token::slot::Token;
use porteur::token::table::TokenTable;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::HashMap;
use std::time::Instant;

/// Counts what the current thread allocates.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations something makes.
fn allocations<T>(run: impl FnOnce() -> T) -> (usize, T) {
    let before = COUNT.get();
    let made = run();
    (COUNT.get() - before, made)
}

fn snapshot() -> (Snapshot, TokenTable) {
    let text = r#"{"version": 3, "output_encoding": "no-op", "extra_config": {
        "router": { "remove_extra_slash": true, "auto_options": true, "logger_skip_paths": ["/x"] },
        "security/http": { "allowed_hosts": ["porteur\\.test"], "allowed_hosts_are_regex": true, "frame_deny": true },
        "security/bot-detector": { "allow": ["a"], "deny": ["b"], "patterns": ["(?i)bot/[0-9]+", "^Evil"] } },
        "endpoints": [{
        "endpoint": "/orders/{id}", "input_query_strings": ["a"],
        "backend": [{ "host": ["http://127.0.0.1:9", "http://127.0.0.2:9"], "url_pattern": "/v1/orders/{id}?x=1", "extra_config": {
            "balance": { "policy": "least_request" },
            "qos/circuit-breaker": { "interval": 60, "timeout": 10, "max_errors": 3 },
            "auth/client-credentials": {
                "client_id": "c", "client_secret": "s", "token_url": "https://login.example.test/token" } } }] }] }"#;
    let loaded = config::load_text("test", Format::Json, text, &Options::default(), &HashMap::<String, String>::new());
    let model = loaded.model.unwrap_or_else(|| panic!("{}", loaded.report.render(false)));
    let tokens = TokenTable::of(&model).unwrap();
    let metrics = Metrics::new().unwrap();
    (Snapshot::compile(&model, &tokens, &mut AddressBook::default(), &metrics).unwrap(), tokens)
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| Box::new(1)).0, 1);
}

#[test]
fn token_lookup_and_injection_allocate_nothing() {
    let (snapshot, tokens) = snapshot();
    let now = Moment::now();
    let secret = Secret::new("x".repeat(900));
    tokens.slots().next().unwrap().publish(Token::new("Bearer", &secret, 1, Life::ENDLESS, now).unwrap());
    let EndpointPlan::Stream(plan) = &snapshot.endpoints[0] else { panic!("no-op") };
    let token = plan.backend.token.as_ref().unwrap();
    let mut request = RequestHeader::build(Method::GET, b"/", Some(16)).unwrap();
    // arc-swap sets something up for a thread when it loads for the first time.
    assert!(token.slot.is_usable(now.instant));
    let (count, carried) = allocations(|| egress::carry(token, None, 0, now.instant, &mut request));
    carried.unwrap();
    assert_eq!(request.headers[header::AUTHORIZATION].len(), "Bearer ".len() + 900);
    assert_eq!(count, 0);
}

#[test]
fn finding_an_endpoint_and_forming_its_target_allocate_nothing() {
    let (snapshot, _) = snapshot();
    let headers = HeaderMap::from_iter([
        (header::HOST, HeaderValue::from_static("porteur.test")),
        (header::USER_AGENT, HeaderValue::from_static("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0")),
    ]);
    let view = RequestView {
        method: &Method::GET,
        raw_target: b"/orders/42?a=1&b=2",
        path: "/orders/42",
        query: Some("a=1&b=2"),
        headers: &headers,
        version: Version::HTTP_11,
        client: None,
        secure: false,
        proxy: None,
    };
    // A regular expression sets something up for a thread when it is used for the first time.
    assert!(matches!(ingress(&snapshot, &view), Ingress::Endpoint(..)));
    let (count, target) = allocations(|| {
        assert_eq!(cleaned_target(&snapshot, &view), None);
        let Ingress::Endpoint(EndpointPlan::Stream(plan), params) = ingress(&snapshot, &view) else {
            panic!("an endpoint")
        };
        let mut target = TargetBuffer::new();
        plan.backend.target.write(view.path, &params, view.query, &mut target);
        target
    });
    assert_eq!(std::str::from_utf8(&target).unwrap(), "/v1/orders/42?x=1&a=1");
    assert_eq!(count, 0);
}

#[test]
fn choosing_an_address_and_learning_of_its_answer_allocate_nothing() {
    let (snapshot, _) = snapshot();
    let EndpointPlan::Stream(plan) = &snapshot.endpoints[0] else { panic!("no-op") };
    let (upstream, breaker) = (&plan.backend.upstream, plan.backend.breaker.as_ref().unwrap());
    let now = Instant::now();
    let choose = || {
        let permit = breaker.admit(now).unwrap();
        let mut round = upstream.round(now);
        assert!(round.begin(now).is_some());
        upstream.answered(round.target().unwrap(), round.targets(), StatusCode::OK);
        permit.succeed(now);
        let first = round.target().unwrap().address;
        // And the way to another one, when the first takes no connection.
        assert!(upstream.retries(&mut round, now) && round.go_on(now));
        (first, round.target().unwrap().address)
    };
    // arc-swap sets something up for a thread when it loads for the first time.
    choose();
    let (count, (first, second)) = allocations(choose);
    assert_ne!(first, second);
    assert_eq!(count, 0);
}
