//! Credentials: everything that shapes a token and its life, and how a backend uses it.

use crate::base::Secret;
use crate::base::jws::Algorithm;
use http::{HeaderName, StatusCode};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How one backend uses a credential's token: nothing in here shapes the token itself.
#[derive(Debug, Clone)]
pub struct TokenPolicy {
    /// Whose token.
    pub credential: Arc<Credential>,
    /// The name in `auth/credentials`, if it has one.
    pub name: Option<String>,
    /// `header`, `Authorization` unless set.
    pub header: HeaderName,
    /// `on_missing`.
    pub on_missing: OnMissing,
    /// `reject_status`, 503 unless set; 400 to 599.
    pub reject_status: StatusCode,
    /// `first_token_wait`, 5 s unless set: how long a request may wait for the very first token.
    pub first_token_wait: Duration,
    /// `required`, true unless set: readiness waits for this credential.
    pub required: bool,
    /// `refresh_on_status`, 401 unless set: statuses by which the upstream says that it does not take the token.
    pub refresh_on_status: Vec<StatusCode>,
    /// `replay`.
    pub replay: Replay,
}

/// What happens to a request when there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMissing {
    /// Answer `reject_status`.
    Reject,
    /// Send it without a token.
    Pass,
}

/// Whether a request whose token was rejected is sent once more with a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// No: the upstream's answer goes to the client.
    Never,
    /// If its method is idempotent (RFC 9110 §9.2.2).
    Idempotent,
    /// Whatever its method.
    Always,
}

/// Everything that shapes a token or its life. Two backends whose credentials are equal share one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// `client_id`.
    pub client_id: String,
    /// `token_url` or `issuer`.
    pub endpoint: TokenEndpoint,
    /// `scopes`, split at commas and blanks, in order.
    pub scopes: Vec<String>,
    /// `audience`, in order.
    pub audiences: Vec<String>,
    /// `resource` (RFC 8707), in order.
    pub resources: Vec<String>,
    /// `endpoint_params`, sorted by key as KrakenD sends them. A value may be a secret (the Auth0 form).
    pub endpoint_params: BTreeMap<String, Vec<Secret>>,
    /// `request_format`.
    pub request_format: RequestFormat,
    /// `request_headers`: names in lower case, sorted. A value may be a secret.
    pub request_headers: BTreeMap<String, Secret>,
    /// `client_auth` with what it needs.
    pub client_auth: ClientAuth,
    /// `tls` and `proxy_url`.
    pub transport: Transport,
    /// `dpop`: tokens are bound to a key of ours (RFC 9449).
    pub dpop: bool,
    /// `certificate_bound`: tokens are bound to the client certificate (RFC 8705 §3), which the upstream is shown, too.
    pub certificate_bound: bool,
    /// `timeout`, 10 s unless set: one whole token request.
    pub timeout: Duration,
    /// `default_ttl`, 300 s unless set: the lifetime when the answer has none; `None` is `"never"`.
    pub default_ttl: Option<Duration>,
    /// `scheme`: goes before the token; `None`: `Bearer` or `DPoP`, as the answer's `token_type` says.
    /// It is part of the identity because the header value is prepared once, where the token is published.
    pub scheme: Option<String>,
    /// `revoke_on_shutdown` and `revocation_url`.
    pub revocation: Option<Revocation>,
}

/// Where tokens are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenEndpoint {
    /// `token_url`.
    Url {
        /// As written: the audience of assertions is compared as a text.
        text: String,
        /// The same as a URL.
        url: Url,
    },
    /// `issuer`: its metadata names the token endpoint (RFC 8414, OpenID Connect Discovery).
    Issuer {
        /// As written: issuers are compared as texts (RFC 8414 §3.3).
        text: String,
        /// The same as a URL.
        url: Url,
        /// `allow_insecure_token_url`: whether the metadata may name an endpoint without TLS.
        insecure: bool,
    },
}

impl TokenEndpoint {
    /// The URL that is written in the configuration.
    #[must_use]
    pub const fn url(&self) -> &Url {
        match self {
            Self::Url { url, .. } | Self::Issuer { url, .. } => url,
        }
    }
}

/// How the parameters of a token request are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestFormat {
    /// `application/x-www-form-urlencoded`, as RFC 6749 says.
    Form,
    /// A JSON object, which a few servers want.
    Json,
}

/// How the client proves who it is at the token endpoint (RFC 6749 §2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    /// `auto`, `client_secret_basic` and `client_secret_post`.
    Secret {
        /// One, or two during an overlap.
        secrets: Vec<SecretSource>,
        /// Where it stands in the request.
        method: SecretMethod,
        /// How it is written in a Basic header.
        encoding: BasicEncoding,
    },
    /// `client_secret_jwt`, `private_key_jwt` and an assertion that somebody else writes into a file (RFC 7523).
    Assertion(Assertion),
    /// `tls_client_auth`, `self_signed_tls_client_auth`: the certificate of [`Transport`] (RFC 8705 §2).
    Certificate,
    /// `endpoint_params` already holds `client_id` and `client_secret` (the Auth0 form): only the body, nothing added.
    InParams,
    /// `none`: `client_id` in the body, no secret.
    None,
}

/// Where a client secret stands in a token request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretMethod {
    /// Basic first, the body once if the server did not accept it; what worked is remembered.
    Auto,
    /// In the `Authorization` header.
    Basic,
    /// In the body.
    Post,
}

/// How id and secret are written in a Basic header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BasicEncoding {
    /// Form-encoded each (RFC 6749 §2.3.1).
    Rfc6749,
    /// As they are, for servers that do not decode.
    Raw,
}

/// A signed assertion in place of a secret (RFC 7523 §2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assertion {
    /// Signed with the client secret.
    Secret {
        /// One, or two during an overlap.
        secrets: Vec<SecretSource>,
        /// `signing_algorithm`, HS256 unless set.
        algorithm: Algorithm,
        /// `assertion_audience`; `None`: the issuer, else the token endpoint.
        audience: Option<String>,
    },
    /// Signed with a private key.
    PrivateKey {
        /// `private_key_file`.
        file: PathBuf,
        /// `key_id`.
        key_id: Option<String>,
        /// `signing_algorithm`; `None`: the usual one of the key.
        algorithm: Option<Algorithm>,
        /// `assertion_audience`; `None`: the issuer, else the token endpoint.
        audience: Option<String>,
    },
    /// `client_assertion_file`: signed by the platform, read anew for each request (workload identity).
    File(PathBuf),
}

/// Where a client secret comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The configuration or the environment, once.
    Text(Secret),
    /// A file, read anew for each token request: `client_secret_file`, or `client_secret` that is a lone `${file:…}`.
    File(PathBuf),
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(secret) => secret.fmt(f),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// How the token endpoint is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transport {
    /// `tls.ca_file`: the only authorities to trust; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// `tls.client_certificate_file` and `tls.client_key_file`.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// `tls.min_version`.
    pub min_version: TlsVersion,
    /// `proxy_url`.
    pub proxy: ProxyUrl,
}

/// A version of TLS that is spoken, the older one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum TlsVersion {
    /// `TLS12`.
    #[default]
    Tls12,
    /// `TLS13`.
    Tls13,
}

/// The proxy between us and the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProxyUrl {
    /// No proxy, whatever the environment says.
    #[default]
    None,
    /// `"env"`: what `ALL_PROXY`, `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say.
    Environment,
    /// `http`, `https` (both CONNECT) or `socks5`; it may hold a password.
    Url(Secret),
}

/// Whether a token is given back when the process ends (RFC 7009).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// `revocation_url`.
    Url(Url),
    /// The metadata of the issuer names the endpoint.
    Discovered,
}

impl Revocation {
    /// The URL that is written in the configuration, if one is.
    #[must_use]
    pub const fn url(&self) -> Option<&Url> {
        match self {
            Self::Url(url) => Some(url),
            Self::Discovered => None,
        }
    }
}
