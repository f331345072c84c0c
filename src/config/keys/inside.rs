//! Keys inside the namespaces that we build.

use super::Kind::{Any, Boolean, Duration, Integer, List, Object, String, Strings};
use super::{Key, Kind, ignored, not_yet, observed, supported, unless};

/// The keys of one namespace; none for one we do not build.
pub(super) fn keys(namespace: &str) -> &'static [Key] {
    match namespace {
        "router" => ROUTER,
        "admin" => ADMIN,
        "auth/client-credentials" => CLIENT_CREDENTIALS,
        _ => &[],
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
];

const CLIENT_IP: &str = "choosing the client's address from headers";
const COMPRESSION: &str = "compression at the edge";

const ROUTER: &[Key] = &[
    supported("disable_redirect_trailing_slash", Boolean, "no redirect between /a and /a/"),
    supported("disable_redirect_fixed_path", Boolean, "no redirect for other case, // and dot segments"),
    supported("disable_handle_method_not_allowed", Boolean, "404 in place of 405"),
    supported("disable_health", Boolean, "no health endpoint"),
    supported("health_path", String, "path of the health endpoint, /__health unless set"),
    supported("return_error_msg", Boolean, "porteur's own answers carry a short text"),
    supported("disable_access_log", Boolean, "no access log"),
    ignored("hide_version_header", Boolean, "porteur sends no version header"),
    ignored("max_multipart_memory", Integer, "porteur reads no multipart bodies"),
    ignored("disable_gzip", Boolean, "porteur does not compress"),
    observed("logger_skip_paths", Strings, "every path is in the access log"),
    not_yet("forwarded_by_client_ip", Boolean, CLIENT_IP),
    not_yet("remote_ip_headers", Strings, CLIENT_IP),
    not_yet("trusted_proxies", Strings, CLIENT_IP),
    not_yet("app_engine", Boolean, CLIENT_IP),
    not_yet("remove_extra_slash", Boolean, "removal of doubled slashes"),
    not_yet("auto_options", Boolean, "answers to OPTIONS"),
    not_yet("disable_path_decoding", Boolean, "matching on the undecoded path"),
    not_yet("use_h2c", Boolean, "HTTP/2 without TLS"),
    not_yet("error_body", Object, "bodies of 404 and 405"),
    not_yet("decompress_gzip", Boolean, COMPRESSION),
    not_yet("max_payload", Integer, "a limit on request bodies"),
];

const ADMIN: &[Key] = &[
    supported("listen", String, "loopback address and port of the admin listener"),
    not_yet("token_file", String, "admin access beyond loopback"),
    not_yet("tls", Object, "admin access beyond loopback"),
];

const SECRET_FILES: &str = "credentials that are read again when their file changes";
const ASSERTION: &str = "client authentication by a signed assertion";
const REPLAY: &str = "a new token when the upstream rejects one";

const CLIENT_CREDENTIALS: &[Key] = &[
    supported("client_id", String, "who asks for the token"),
    supported("client_secret", String, "proves it"),
    supported("token_url", String, "the token endpoint"),
    supported("scopes", Strings, "scopes, split at commas and blanks"),
    supported("endpoint_params", Object, "further parameters of the token request"),
    supported("is_disabled", Boolean, "no token for this backend"),
    supported(
        "client_auth",
        Kind::Word(CLIENT_AUTH),
        "how the client authenticates; the last three are not built yet (extension)",
    ),
    supported("timeout", Duration, "one whole token request; 10s unless set (extension)"),
    supported("default_ttl", String, "lifetime when the answer has none, or never; 300s unless set (extension)"),
    supported("header", String, "where the token goes; Authorization unless set (extension)"),
    supported("scheme", String, "what goes before the token; from token_type unless set (extension)"),
    supported("on_missing", Kind::Word(&["reject", "pass"]), "what happens without a token (extension)"),
    supported("reject_status", Integer, "answer without a token; 503 unless set (extension)"),
    supported("first_token_wait", Duration, "wait for the very first token; 5s unless set (extension)"),
    supported("required", Boolean, "readiness waits for this credential (extension)"),
    supported("allow_insecure_token_url", Boolean, "permit http beyond loopback (extension)"),
    unless("basic_encoding", String, "Basic without form encoding", &["rfc6749"]),
    unless("request_format", String, "token requests in JSON", &["form"]),
    unless("replay", String, REPLAY, &["never"]),
    not_yet("refresh_on_status", List, REPLAY),
    not_yet("client_secret_file", String, SECRET_FILES),
    not_yet("private_key_file", String, ASSERTION),
    not_yet("key_id", String, ASSERTION),
    not_yet("signing_algorithm", String, ASSERTION),
    not_yet("assertion_audience", String, ASSERTION),
    not_yet("client_assertion_file", String, ASSERTION),
    not_yet("issuer", String, "discovery of the token endpoint"),
    not_yet("audience", Strings, "an audience parameter of its own; put it into endpoint_params"),
    not_yet("resource", Strings, "a resource parameter of its own; put it into endpoint_params"),
    not_yet("request_headers", Object, "extra headers on the token request"),
    not_yet("tls", Object, "TLS settings of the token endpoint"),
    unless("proxy_url", Any, "a proxy towards the token endpoint", &["none"]),
    not_yet("dpop", Boolean, "DPoP proofs"),
];
