//! Keys of the service: the root of the file.

use super::Kind::{Boolean, Duration, Integer, List, Object, String, Strings};
use super::{Key, ignored, observed, refused, supported};
use crate::config::keys::Kind;

/// Words of `output_encoding`.
pub const OUTPUT_ENCODINGS: &[&str] =
    &["no-op", "json", "json-collection", "string", "xml", "yaml", "negotiate", "fast-json", "yaml-decoder"];

const POOL: &str = "porteur sizes its connection pools itself";

pub(super) const KEYS: &[Key] = &[
    ignored("$schema", String, "for editors"),
    supported("version", Integer, "version of the configuration format: 3"),
    supported("name", String, "name of the service, shown at start-up"),
    supported("endpoints", List, "what the gateway offers"),
    supported("host", Strings, "hosts of every backend that has none"),
    supported("port", Integer, "port to listen on, 8080 unless set; 0 lets the system choose"),
    supported("listen_ip", String, "the one address to listen on; all unless set"),
    supported("timeout", Duration, "timeout of every endpoint that has none; 2s unless set"),
    supported("cache_ttl", Duration, "max-age of decoded answers; no effect in no-op"),
    supported(
        "output_encoding",
        Kind::Word(OUTPUT_ENCODINGS),
        "encoding of every endpoint that has none; json unless set",
    ),
    supported("extra_config", Object, "namespaces of the service"),
    supported("debug_endpoint", Boolean, "serve /__debug/"),
    supported("echo_endpoint", Boolean, "serve /__echo/"),
    supported("max_shutdown_wait_time", Duration, "how long a drain may take; 30s unless set"),
    supported("read_timeout", Duration, "how long a whole request may take to come in, its head and its body"),
    supported("read_header_timeout", Duration, "how long the head of a request may take to come in; 10s unless set"),
    supported("write_timeout", Duration, "from the head of a request to the end of its answer"),
    supported("idle_timeout", Duration, "how long a client may keep a connection between requests; 60s unless set"),
    supported("max_header_bytes", Integer, "size of a request's head; 65536 unless set"),
    observed("max_idle_connections", Integer, POOL),
    observed("max_idle_connections_per_host", Integer, POOL),
    supported(
        "idle_connection_timeout",
        Duration,
        "how long an upstream connection without a request is kept; 50s unless set",
    ),
    supported(
        "dialer_keep_alive",
        Duration,
        "how often TCP asks whether a quiet upstream is still there; 15s unless set",
    ),
    observed("dialer_fallback_delay", Duration, POOL),
    observed("expect_continue_timeout", Duration, "porteur forwards the client's Expect as it comes"),
    supported(
        "response_header_timeout",
        Duration,
        "the longest wait for the head of an answer; the timeout unless set",
    ),
    supported("dialer_timeout", Duration, "the longest wait for a connection to an upstream; 1s unless set"),
    supported("disable_keep_alives", Boolean, "each upstream connection carries one request"),
    ignored("disable_compression", Boolean, "answers are the same with it and without"),
    supported("dns_cache_ttl", Duration, "how often names of upstreams are looked up; 30s unless set, 1s at least"),
    supported("tls", Object, "TLS for clients: the port then speaks nothing else"),
    supported("client_tls", Object, "TLS towards backends that do not say otherwise"),
    supported("allow_insecure_connections", Boolean, "certificates of upstreams are not checked"),
    supported("use_h2c", Boolean, "HTTP/2 without TLS, beside HTTP/1, for clients that begin with it"),
    ignored("sequential_start", Boolean, "porteur's parts have no start order to choose"),
    supported("disable_rest", Boolean, "a placeholder may be a part of a segment: /{id}.json"),
    supported(
        "dns_resolver",
        Strings,
        "addresses of DNS servers to ask, with or without port; the system's unless set",
    ),
    refused(
        "plugin",
        Object,
        "Go plugins cannot be loaded into porteur; put what they do into a service before or behind it",
    ),
    refused(
        "async_agent",
        List,
        "porteur speaks HTTP to upstreams and has no part in queues; let a service take from the queue",
    ),
];
