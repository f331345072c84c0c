//! What porteur itself adds to a request: finding the endpoint, forming the target, carrying the token.
//!
//! Whole requests are measured beside other proxies, not here.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench that cannot run should say so"
)]
#![allow(missing_docs, reason = "criterion's macros make public items")]

use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, Method, Version, header};
use pingora::http::RequestHeader;
use porteur::base::{Moment, Secret};
use porteur::config::{self, Format, Options};
use porteur::forward::ingress::{Ingress, ingress};
use porteur::forward::{RequestView, egress};
use porteur::snapshot::Snapshot;
use porteur::snapshot::addresses::AddressBook;
use porteur::snapshot::endpoint::EndpointPlan;
use porteur::snapshot::target::TargetBuffer;
use porteur::telemetry::metrics::Metrics;
use porteur::token::dpop::DpopKey;
use porteur::token::schedule::Life;
use porteur::token::slot::Token;
use porteur::token::table::TokenTable;
use std::collections::HashMap;
use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

/// A configuration with `count` endpoints, as large gateways have.
fn snapshot(count: usize) -> (Snapshot, TokenTable) {
    let mut endpoints = String::new();
    for n in 0..count {
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(
            endpoints,
            r#"{comma}{{"endpoint": "/service-{n}/orders/{{id}}", "input_query_strings": ["page"],
            "backend": [{{"host": ["http://127.0.0.1:9"], "url_pattern": "/v1/orders/{{id}}", "extra_config": {{
            "auth/client-credentials": {{"client_id": "c", "client_secret": "s",
            "token_url": "https://login.example.test/token"}}}}}}]}}"#
        );
    }
    let text = format!(r#"{{"version": 3, "output_encoding": "no-op", "endpoints": [{endpoints}]}}"#);
    let loaded = config::load_text("bench", Format::Json, text, &Options::default(), &HashMap::<String, String>::new());
    let model = loaded.model.unwrap_or_else(|| panic!("{}", loaded.report.render(false)));
    let tokens = TokenTable::of(&model).expect("no key is needed");
    let metrics = Metrics::new().expect("no name twice");
    let snapshot = Snapshot::compile(&model, &tokens, &mut AddressBook::default(), &metrics).expect("no conflict");
    (snapshot, tokens)
}

fn routing(criterion: &mut Criterion) {
    for count in [10, 1000] {
        let (snapshot, _tokens) = snapshot(count);
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("porteur.test"))]);
        let path = format!("/service-{}/orders/4711", count / 2);
        let target = format!("{path}?page=2");
        let view = RequestView {
            method: &Method::GET,
            raw_target: target.as_bytes(),
            path: &path,
            query: Some("page=2"),
            headers: &headers,
            version: Version::HTTP_11,
            client: None,
            secure: false,
            proxy: None,
        };
        criterion.bench_function(&format!("route and target, {count} endpoints"), |bencher| {
            bencher.iter(|| {
                let Ingress::Endpoint(EndpointPlan::Stream(plan), params) = ingress(&snapshot, black_box(&view)) else {
                    panic!("no endpoint")
                };
                let mut target = TargetBuffer::new();
                plan.backend.target.write(view.path, &params, view.query, &mut target);
                target.len()
            });
        });
    }
}

fn injection(criterion: &mut Criterion) {
    let (snapshot, tokens) = snapshot(1);
    let now = Moment::now();
    let unusable_at = now.instant.checked_add(Duration::from_secs(3600));
    let life = Life { refresh_at: None, unusable_at, expires_at: unusable_at };
    let slot = tokens.slots().next().expect("a credential");
    let secret = Secret::new("x".repeat(900));
    slot.publish(Token::new("Bearer", &secret, 1, life, now).expect("a header"));
    let EndpointPlan::Stream(plan) = &snapshot.endpoints[0] else { panic!("no-op") };
    let token = plan.backend.token.as_ref().expect("a token");
    let mut request = RequestHeader::build(Method::GET, b"/", Some(16)).expect("a request");
    criterion.bench_function("token lookup and injection", |bencher| {
        bencher.iter(|| egress::carry(black_box(token), None, 0, now.instant, &mut request).is_ok());
    });
}

/// What a request with a sender-constrained token pays on top: it is a signature.
fn proof(criterion: &mut Criterion) {
    let key = DpopKey::generate().expect("a key");
    let nonce = key.nonce("https://api.test");
    let now = Moment::now();
    criterion.bench_function("DPoP proof", |bencher| {
        bencher.iter(|| key.proof("GET", black_box("https://api.test/orders/42"), Some("hash"), &nonce, now.wall));
    });
}

criterion_group!(benches, routing, injection, proof);
criterion_main!(benches);
