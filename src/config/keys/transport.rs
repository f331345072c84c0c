//! Keys that say how upstreams are connected to: `client_tls`, `backend/http/client` and `websocket`.

use super::Kind::{Boolean, Duration, Integer, List, Object, String, Strings};
use super::{Key, Kind, ignored, not_yet, refused, supported};

/// Words for versions of TLS.
pub(crate) const TLS_VERSIONS: &[&str] = &["SSL3.0", "TLS10", "TLS11", "TLS12", "TLS13"];

const OWN_CHOICE: &str =
    "porteur's TLS library has only suites and curves that are safe, and chooses among them itself";

pub(super) const CLIENT_TLS: &[Key] = &[
    supported("allow_insecure_connections", Boolean, "certificates are not checked"),
    supported("ca_certs", Strings, "PEM files of authorities to believe"),
    supported("disable_system_ca_pool", Boolean, "those of ca_certs are the only ones"),
    supported("min_version", Kind::Word(TLS_VERSIONS), "oldest version of TLS; TLS12 unless set"),
    supported("max_version", Kind::Word(TLS_VERSIONS), "newest version of TLS: only TLS13"),
    supported("client_certs", List, "the certificate that upstreams are shown"),
    refused("cipher_suites", List, OWN_CHOICE),
    refused("curve_preferences", List, OWN_CHOICE),
];

pub(super) const CLIENT_CERTIFICATE: &[Key] = &[
    supported("certificate", String, "PEM file of the certificate with its chain"),
    supported("private_key", String, "PEM file of its private key"),
];

pub(super) const HTTP_CLIENT: &[Key] = &[
    supported("client_tls", Object, "TLS towards this backend, in place of the service's"),
    supported("no_redirect", Boolean, "redirects of a decoded backend are not followed; in no-op they never are"),
    not_yet("proxy_address", String, "an HTTP proxy on the way to upstreams"),
    not_yet("send_body_on_redirect", Boolean, "redirects that send the body once more"),
    supported(
        "http_version",
        Kind::Word(&["1.1", "2", "auto"]),
        "version of HTTP towards upstreams; auto takes 2 where TLS agrees on it; 1.1 unless set (extension)",
    ),
    supported("max_h2_streams", Integer, "requests at once on one HTTP/2 connection; 100 unless set (extension)"),
    supported(
        "h2_ping_interval",
        Duration,
        "how often an HTTP/2 connection is asked whether it lives; never unless set (extension)",
    ),
    supported("dialer_timeout", Duration, "the longest wait for a connection, in place of the service's (extension)"),
];

const PIPE: &str = "bytes pass as they come; only multiplexing has a use for it";

pub(super) const WEBSOCKET: &[Key] = &[
    supported(
        "enable_direct_communication",
        Boolean,
        "each client has a connection of its own to the backend: must be true",
    ),
    supported("timeout", Duration, "how long the backend may be silent; pong_wait unless set"),
    supported("pong_wait", Duration, "the same; 60s unless set"),
    supported("write_wait", Duration, "how long a peer may take to accept what is sent to it; 10s unless set"),
    supported("input_headers", Strings, "request headers of the handshake that go on, beside the endpoint's"),
    ignored("subprotocols", Strings, "client and backend agree on one themselves"),
    ignored("ping_period", Duration, "pings of client and backend pass; porteur sends none"),
    ignored("read_buffer_size", Integer, PIPE),
    ignored("write_buffer_size", Integer, PIPE),
    ignored("message_buffer_size", Integer, PIPE),
    ignored("max_message_size", Integer, "client and backend limit messages themselves: porteur does not read them"),
    ignored("disable_otel_metrics", Boolean, "porteur has no such metrics"),
    ignored("return_error_details", Boolean, "the backend's own answer passes"),
    not_yet("connect_event", Boolean, "messages of porteur's own to the backend"),
    not_yet("disconnect_event", Boolean, "messages of porteur's own to the backend"),
    ignored("max_retries", Integer, PIPE),
    ignored("backoff_strategy", String, PIPE),
];
