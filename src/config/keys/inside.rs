//! Keys inside the namespaces that we build.

use super::Kind::{Any, Boolean, Duration, Integer, List, Object, String, Strings};
use super::{Key, Kind, balance, ignored, listener, martian, not_yet, observed, refused, supported, transport};

/// The keys of one namespace; none for one we do not build.
pub(super) fn keys(namespace: &str) -> &'static [Key] {
    match namespace {
        "router" => ROUTER,
        "router.error_body" => ERROR_BODY,
        "admin" => ADMIN,
        "limits" => LIMITS,
        "auth/client-credentials" => CLIENT_CREDENTIALS,
        "auth/client-credentials.tls" => TLS,
        "proxy" => PROXY,
        "backend/http" => BACKEND_HTTP,
        "proxy.flatmap_filter" => FLATMAP_OPERATION,
        "proxy.static" => STATIC,
        "security/http" => SECURITY_HTTP,
        "security/bot-detector" => BOT_DETECTOR,
        "qos/http-cache" => HTTP_CACHE,
        "validation/cel" => CEL,
        "listeners" => listener::LISTENERS,
        "proxy_protocol" => listener::PROXY_PROTOCOL,
        "tls" => listener::TLS,
        "tls.keys" => listener::PAIR,
        "client_tls" | "backend/http/client.client_tls" => transport::CLIENT_TLS,
        "client_tls.client_certs" | "backend/http/client.client_tls.client_certs" => transport::CLIENT_CERTIFICATE,
        "backend/http/client" => transport::HTTP_CLIENT,
        "websocket" => transport::WEBSOCKET,
        "balance" => balance::BALANCE,
        "balance.outlier" => balance::OUTLIER,
        "balance.health" => balance::HEALTH,
        "balance.retries" => balance::RETRIES,
        "qos/circuit-breaker" => balance::CIRCUIT_BREAKER,
        "qos/circuit-breaker/http" => balance::CIRCUIT_BREAKER_HTTP,
        _ => martian::keys(namespace),
    }
}

/// Words of `client_auth`.
pub const CLIENT_AUTH: &[&str] = &[
    "auto",
    "client_secret_basic",
    "client_secret_post",
    "none",
    "client_secret_jwt",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
];

/// Words of `type` in `flatmap_filter`.
pub const FLATMAP_TYPES: &[&str] = &["move", "append", "del"];

/// Words of `strategy` in `static`.
pub const STATIC_STRATEGIES: &[&str] = &["always", "success", "errored", "complete", "incomplete"];

/// Words of `signing_algorithm`.
const SIGNING_ALGORITHMS: &[&str] =
    &["HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"];

const COMPRESSION: &str = "compression at the edge";

const ROUTER: &[Key] = &[
    supported("disable_redirect_trailing_slash", Boolean, "no redirect between /a and /a/"),
    supported("disable_redirect_fixed_path", Boolean, "no redirect for other case, // and dot segments"),
    supported("disable_handle_method_not_allowed", Boolean, "404 in place of 405"),
    supported("disable_health", Boolean, "no health endpoint"),
    supported("health_path", String, "path of the health endpoint, /__health unless set"),
    supported("return_error_msg", Boolean, "porteur's own answers carry a short text"),
    supported("disable_access_log", Boolean, "no access log"),
    supported("logger_skip_paths", Strings, "paths whose requests are not in the access log"),
    supported("remove_extra_slash", Boolean, "paths with // and dot segments are cleaned, not redirected"),
    supported("auto_options", Boolean, "OPTIONS is answered with the methods of the path"),
    supported("disable_path_decoding", Boolean, "%25, %3F and %23 may stand in the value of a placeholder"),
    supported("error_body", Object, "JSON bodies of 404 and 405"),
    ignored("hide_version_header", Boolean, "porteur sends no version header"),
    ignored("max_multipart_memory", Integer, "porteur reads no multipart bodies"),
    ignored("disable_gzip", Boolean, "porteur does not compress"),
    supported("forwarded_by_client_ip", Boolean, "trusted_proxies are believed; they are unless this is false"),
    supported(
        "remote_ip_headers",
        Strings,
        "where trusted proxies name the client; X-Forwarded-For, X-Real-IP unless set",
    ),
    supported("trusted_proxies", Strings, "networks and addresses of the proxies in front that are believed"),
    refused("app_engine", Boolean, "it believes a header of every client; list the proxies in trusted_proxies"),
    supported("use_h2c", Boolean, "the same as use_h2c of the service"),
    not_yet("decompress_gzip", Boolean, COMPRESSION),
    supported("max_payload", Integer, "bytes of the longest body of a request; 10485760 unless set, 0: any"),
];

const PROXY: &[Key] = &[
    supported("sequential", Boolean, "of an endpoint: ask one backend after the other"),
    ignored(
        "sequential_propagated_params",
        Strings,
        "every field of earlier backends may be used without it: {respN_field}, in modifier/martian ${request.param.respN_field}",
    ),
    supported("flatmap_filter", List, "moves, appends and deletes fields, before merging or after it"),
    supported("static", Object, "of an endpoint: data added to the answer, by strategy"),
    supported("combiner", String, "of an endpoint: only default"),
    supported(
        "max_payload",
        Integer,
        "of an endpoint: bytes of the longest body of a request, 0: any; that of router counts, too, where it is set",
    ),
    supported("shadow", Boolean, "of a backend: it gets a copy of each request, and its answer counts for nothing"),
    supported("shadow_timeout", Duration, "of a backend: how long a copy may take; the timeout unless set"),
];

const BACKEND_HTTP: &[Key] = &[
    supported("return_error_code", Boolean, "the client gets the backend's error status"),
    supported("return_error_details", String, "the answer tells of the error in an object of this name"),
];

const ERROR_BODY: &[Key] = &[
    supported("404", Any, "body where no endpoint has the path"),
    supported("405", Any, "body where no endpoint of the path has the method"),
];

const ADMIN: &[Key] = &[
    supported("listen", String, "loopback address and port of the admin listener"),
    not_yet("token_file", String, "admin access beyond loopback"),
    not_yet("tls", Object, "admin access beyond loopback"),
];

const LIMITS: &[Key] = &[
    supported("max_headers", Integer, "header fields of a request; 100 unless set"),
    supported("max_uri_length", Integer, "bytes of a request's target; 16384 unless set"),
    supported(
        "min_receive_rate",
        Integer,
        "bytes of a request's body in each second that it is waited for; 240 unless set, 0: any",
    ),
    supported(
        "min_send_rate",
        Integer,
        "bytes that a client takes in each second it is waited for; 240 unless set, 0: any",
    ),
    supported("max_connections", Integer, "connections of clients; half of the descriptors unless set"),
    supported("max_requests", Integer, "requests under way; a quarter of the descriptors unless set, and never more"),
    supported(
        "max_requests_per_connection",
        Integer,
        "answers after which a connection is closed; no limit unless set",
    ),
    supported("h2_max_streams", Integer, "requests under way on a connection of HTTP/2; 100 unless set"),
    supported("h2_idle_timeout", Duration, "how long a connection of HTTP/2 may have none; 5m unless set"),
];

const PINS: &str = "browsers no longer pin keys, and KrakenD no longer sends the header";

const SECURITY_HTTP: &[Key] = &[
    supported("allowed_hosts", Strings, "values of Host that are served, each with its port if clients send one"),
    supported("allowed_hosts_are_regex", Boolean, "allowed_hosts are regular expressions for the whole value"),
    supported("host_proxy_headers", Strings, "headers whose value counts in place of Host; the first there is wins"),
    supported("ssl_redirect", Boolean, "requests without TLS are redirected to https"),
    supported("ssl_host", String, "where to; the host that was asked for unless set"),
    supported(
        "ssl_proxy_headers",
        Object,
        "headers with the values that say a proxy in front received the request by TLS",
    ),
    supported("sts_seconds", Integer, "max-age of Strict-Transport-Security, which only answers by TLS have"),
    supported("sts_include_subdomains", Boolean, "it is for subdomains, too"),
    supported("force_sts_header", Boolean, "all answers have it"),
    supported("frame_deny", Boolean, "X-Frame-Options: DENY"),
    supported("custom_frame_options_value", String, "another value of X-Frame-Options"),
    supported("content_type_nosniff", Boolean, "X-Content-Type-Options: nosniff"),
    supported("browser_xss_filter", Boolean, "X-XSS-Protection: 1; mode=block"),
    supported("content_security_policy", String, "value of Content-Security-Policy"),
    supported("referrer_policy", String, "value of Referrer-Policy"),
    supported("is_development", Boolean, "no check of hosts, no redirect, no Strict-Transport-Security"),
    observed("hpkp_public_key", String, PINS),
    observed("public_key", String, PINS),
];

const BOT_DETECTOR: &[Key] = &[
    supported("allow", Strings, "values of User-Agent that are no bots"),
    supported("deny", Strings, "values of User-Agent that are bots"),
    supported("patterns", Strings, "regular expressions that find bots anywhere in User-Agent"),
    supported("empty_user_agent_is_bot", Boolean, "so are requests without User-Agent"),
    ignored("cache_size", Integer, "one pass looks for all patterns; there is nothing to keep"),
];

const CLIENT_CREDENTIALS: &[Key] = &[
    supported("use", String, "name of a credential in auth/credentials; keys beside it replace its keys (extension)"),
    supported("client_id", String, "who asks for the token"),
    supported("client_secret", Strings, "proves it; a list of two, while one takes the other's place, is an extension"),
    supported("token_url", String, "the token endpoint"),
    supported("scopes", Strings, "scopes, split at commas and blanks"),
    supported("endpoint_params", Object, "further parameters of the token request"),
    supported("is_disabled", Boolean, "no token for this backend"),
    supported("client_auth", Kind::Word(CLIENT_AUTH), "how the client authenticates; auto unless set (extension)"),
    supported(
        "basic_encoding",
        Kind::Word(&["rfc6749", "raw"]),
        "whether Basic is form-encoded; it is unless set (extension)",
    ),
    supported("client_secret_file", String, "file with the secret, read for each token request (extension)"),
    supported(
        "private_key_file",
        String,
        "PEM file of the key for private_key_jwt, read for each token request (extension)",
    ),
    supported("key_id", String, "kid of the assertion (extension)"),
    supported(
        "signing_algorithm",
        Kind::Word(SIGNING_ALGORITHMS),
        "alg of the assertion; the usual one of the key unless set (extension)",
    ),
    supported(
        "assertion_audience",
        String,
        "aud of the assertion; the issuer, else the token endpoint, unless set (extension)",
    ),
    supported("client_assertion_file", String, "file with a signed assertion, read for each token request (extension)"),
    supported("issuer", String, "in place of token_url: the server's metadata is discovered (extension)"),
    supported("audience", Strings, "audience parameters of the token request (extension)"),
    supported("resource", Strings, "resource parameters of the token request (extension)"),
    supported(
        "request_format",
        Kind::Word(&["form", "json"]),
        "how the token request is written; form unless set (extension)",
    ),
    supported("request_headers", Object, "further headers of the token request (extension)"),
    supported("tls", Object, "TLS settings of the token endpoint (extension)"),
    supported(
        "proxy_url",
        String,
        "http, https or socks5 proxy towards the token endpoint, or env; none unless set (extension)",
    ),
    supported("allow_insecure_token_url", Boolean, "permit http beyond loopback (extension)"),
    supported("dpop", Boolean, "tokens are bound to a key of the gateway's, with a proof in each request (extension)"),
    supported("certificate_bound", Boolean, "the upstream is shown the client certificate of tls, too (extension)"),
    supported("timeout", Duration, "one whole token request; 10s unless set (extension)"),
    supported("default_ttl", String, "lifetime when the answer has none, or never; 300s unless set (extension)"),
    supported("header", String, "where the token goes; Authorization unless set (extension)"),
    supported("scheme", String, "what goes before the token; from token_type unless set (extension)"),
    supported(
        "on_missing",
        Kind::Word(&["reject", "pass"]),
        "what happens without a token; reject unless set (extension)",
    ),
    supported("reject_status", Integer, "answer without a token; 503 unless set (extension)"),
    supported("first_token_wait", Duration, "wait for the very first token; 5s unless set (extension)"),
    supported(
        "refresh_on_status",
        List,
        "upstream statuses that mean the token is rejected; 401 unless set (extension)",
    ),
    supported(
        "replay",
        Kind::Word(&["idempotent", "never", "always"]),
        "which rejected requests are sent once more; idempotent unless set (extension)",
    ),
    supported("required", Boolean, "readiness waits for this credential; it does unless set (extension)"),
    supported("revoke_on_shutdown", Boolean, "give the token back when the process ends (extension)"),
    supported("revocation_url", String, "where to; the issuer's metadata says it unless set (extension)"),
];

const TLS: &[Key] = &[
    supported("ca_file", String, "PEM file of the only authorities to trust; the system's unless set"),
    supported(
        "client_certificate_file",
        String,
        "PEM file of the client certificate with its chain, read for each token request",
    ),
    supported("client_key_file", String, "PEM file of its private key"),
    supported("min_version", Kind::Word(&["TLS12", "TLS13"]), "oldest version of TLS; TLS12 unless set"),
];

const FLATMAP_OPERATION: &[Key] = &[
    supported("type", Kind::Word(FLATMAP_TYPES), "what is done"),
    supported("args", Strings, "dotted paths; * stands for every item or field"),
];

const STATIC: &[Key] = &[
    supported("data", Object, "fields of the answer"),
    supported("strategy", Kind::Word(STATIC_STRATEGIES), "when they are added; always unless set"),
];

const HTTP_CACHE: &[Key] = &[
    supported("shared", Boolean, "one cache for all backends that say so; the first of them says how large it is"),
    supported("max_items", Integer, "answers it holds; 1000 unless set"),
    supported("max_size", Integer, "bytes it holds; 64 MiB unless set"),
];

const CEL: &[Key] = &[supported(
    "check_expr",
    String,
    "what must hold; with req_… judged before the request goes on, with resp_… after",
)];
