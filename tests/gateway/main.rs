//! Everything that is tested through porteur's public door, in one binary.

#![allow(unreachable_pub, reason = "the support is a library of its own")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says what it skips"
)]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "what is not tested is told, and what a soak found")]
#![allow(clippy::pedantic, reason = "tests are read for what they show; strictness is for the gateway")]

#[path = "../support/lib.rs"]
#[allow(dead_code, reason = "the support is a library: not every test run needs all of it")]
mod support;

mod admin;
mod bound_tokens;
mod client_auth;
mod client_auth_assertions;
mod client_auth_certificates;
mod conditions;
#[path = "../conformance/answers.rs"]
mod conformance_answers;
#[path = "../conformance/messages.rs"]
mod conformance_messages;
#[path = "../conformance/paths.rs"]
mod conformance_paths;
#[path = "../conformance/request_framing.rs"]
mod conformance_request_framing;
mod decoded;
mod decoded_configs;
mod decoded_connections;
mod decoded_hostile;
mod decoded_merging;
mod decoded_redirects;
mod decoded_requests;
mod decoded_statuses;
mod decoded_tokens;
mod discovery;
mod examples;
mod held;
mod lifecycle;
mod lints;
mod martian;
mod outage;
mod process;
mod proxying;
mod reference;
mod rejection;
mod replay;
mod request_shape;
mod rotation;
mod routing;
mod secrecy;
mod security;
#[path = "../security/limits.rs"]
mod security_limits;
#[path = "../security/pipelining.rs"]
mod security_pipelining;
#[path = "../security/smuggling.rs"]
mod security_smuggling;
#[path = "../security/trust.rs"]
mod security_trust;
mod support_of_credentials;
mod support_works;
mod token_command;
mod tokens;
mod transport;

#[path = "../conformance/early_answers.rs"]
mod conformance_early_answers;
#[path = "../conformance/grpc.rs"]
mod conformance_grpc;
#[path = "../conformance/http2.rs"]
mod conformance_http2;
#[path = "../conformance/tls.rs"]
mod conformance_tls;
#[path = "../conformance/upstream_http2.rs"]
mod conformance_upstream_http2;
#[path = "../conformance/upstream_times.rs"]
mod conformance_upstream_times;
#[path = "../conformance/upstream_tls.rs"]
mod conformance_upstream_tls;
#[path = "../conformance/websocket.rs"]
mod conformance_websocket;
#[path = "../fuzz/harnesses.rs"]
mod fuzz_harnesses;
#[path = "../fuzz/mutate.rs"]
mod mutate;
#[path = "../resilience/balancing.rs"]
mod resilience_balancing;
#[path = "../resilience/circuit_breaker.rs"]
mod resilience_circuit_breaker;
#[path = "../resilience/deadlines.rs"]
mod resilience_deadlines;
#[path = "../resilience/faults.rs"]
mod resilience_faults;
#[path = "../resilience/health_checks.rs"]
mod resilience_health_checks;
#[path = "../resilience/outliers.rs"]
mod resilience_outliers;
#[path = "../resilience/packet_loss.rs"]
mod resilience_packet_loss;
#[path = "../resilience/retries.rs"]
mod resilience_retries;
#[path = "../resilience/service_discovery.rs"]
mod resilience_service_discovery;
#[path = "../resilience/shortage.rs"]
mod resilience_shortage;
#[path = "../resilience/slow_clients.rs"]
mod resilience_slow_clients;
#[path = "../resilience/upstream_connections.rs"]
mod resilience_upstream_connections;
#[path = "../resilience/vtc.rs"]
mod resilience_vtc;
#[path = "../security/client_authorization.rs"]
mod security_client_authorization;
#[path = "../security/http2_abuse.rs"]
mod security_http2_abuse;
#[path = "../security/http2_limits.rs"]
mod security_http2_limits;
#[path = "../security/mutations.rs"]
mod security_mutations;
#[path = "../security/proxy_protocol.rs"]
mod security_proxy_protocol;
#[path = "../security/tls.rs"]
mod security_tls;
#[path = "../security/tls_scan.rs"]
mod security_tls_scan;
#[path = "../soak/soak.rs"]
mod soak;
