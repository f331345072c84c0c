//! The validated configuration: what the file says, with every default filled in and every rule checked.
//!
//! Nothing here is optional that has a default, and a value of these types proves that its check was made. It is still
//! plain data: compiling it into what requests use is the Snapshot's work.

mod balance;
mod composition;
mod condition;
mod credential;
mod discovery;
mod http_cache;
mod json_schema;
mod limits;
mod listener;
pub mod martian;
mod security;
mod shape;
mod trust;
mod upstream_transport;
mod websocket;

pub use balance::{Balance, CircuitBreaker, HealthCheck, Outlier, Policy, Retries};
pub use composition::{Composition, EarlierField, ErrorStatus, Sequential, Shadow};
pub use condition::{Condition, ConditionError, MAX_EXPRESSION, Stage, Variable};
pub use credential::{
    Assertion, BasicEncoding, ClientAuth, Credential, OnMissing, ProxyUrl, Replay, RequestFormat, Revocation,
    SecretMethod, SecretSource, TlsVersion, TokenEndpoint, TokenPolicy, Transport,
};
pub use discovery::{Discovery, Dns};
pub use http_cache::HttpCache;
pub use json_schema::JsonSchema;
pub use limits::Limits;
pub use listener::{CertificateFiles, ClientAuthorities, Listener, ProxyProtocol, Tls};
pub use martian::Martian;
pub use shape::{
    Decoding, Encoding, Field, Fields, Filter, FlatmapOperation, OutputEncoding, StaticData, StaticStrategy,
};

pub use security::{AllowedHosts, BotRules, Security};
pub use trust::Trust;
pub use upstream_transport::{ClientTls, HttpVersion, UpstreamTransport};
pub use websocket::WebSocket;

use bytes::Bytes;
use http::{HeaderName, Method};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A whole configuration file.
#[derive(Debug, Clone)]
pub struct Model {
    /// `name`: shown at start-up.
    pub name: Option<String>,
    /// `listen_ip`: the one address to listen on; `None` means all, IPv6 and IPv4.
    pub listen_ip: Option<IpAddr>,
    /// `port`, 8080 unless set. 0 asks the system for a free one.
    pub port: u16,
    /// Where clients connect: first `listen_ip` and `port` with `tls` and `extra_config.proxy_protocol`, then `extra_config.listeners`.
    pub listeners: Vec<Listener>,
    /// `use_h2c`, here or in `extra_config.router`: HTTP/2 without TLS, on listeners that do not say otherwise.
    pub use_h2c: bool,
    /// `max_shutdown_wait_time`: how long a drain may take, 30 s unless set.
    pub max_shutdown_wait_time: Duration,
    /// `debug_endpoint`: serve `/__debug/`.
    pub debug_endpoint: bool,
    /// `echo_endpoint`: serve `/__echo/`.
    pub echo_endpoint: bool,
    /// What a client may take: KrakenD's server keys and `extra_config.limits`.
    pub limits: Limits,
    /// `dns_cache_ttl` and `dns_resolver`.
    pub dns: Dns,
    /// `extra_config.router`.
    pub router: Router,
    /// `extra_config."security/http"`.
    pub security: Option<Security>,
    /// `extra_config."security/bot-detector"` of the service.
    pub bots: Option<BotRules>,
    /// `extra_config.admin`; `None`: no admin listener.
    pub admin: Option<Admin>,
    /// `endpoints`, in the order of the file.
    pub endpoints: Vec<Endpoint>,
}

/// The `router` namespace of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "KrakenD's switches, one by one")]
pub struct Router {
    /// `disable_redirect_trailing_slash`: `/a/` is not redirected to `/a`, nor the reverse.
    pub disable_redirect_trailing_slash: bool,
    /// `disable_redirect_fixed_path`: no redirect for other case, `//` and dot segments.
    pub disable_redirect_fixed_path: bool,
    /// `disable_handle_method_not_allowed`: 404 in place of 405.
    pub disable_handle_method_not_allowed: bool,
    /// `disable_health`: no health endpoint.
    pub disable_health: bool,
    /// `health_path`, `/__health` unless set.
    pub health_path: String,
    /// `return_error_msg`: porteur's own answers carry a short public text.
    pub return_error_msg: bool,
    /// `disable_access_log`: no access-log lines.
    pub disable_access_log: bool,
    /// `logger_skip_paths`: no access-log lines for these, percent-encoded as request targets are.
    pub logger_skip_paths: Vec<String>,
    /// `remove_extra_slash`: `//` and dot segments are resolved before a path is matched, not by a redirect.
    pub remove_extra_slash: bool,
    /// `auto_options`: OPTIONS is answered for every path that has an endpoint.
    pub auto_options: bool,
    /// `disable_path_decoding`: `%25`, `%3F` and `%23` may stand in a placeholder's value.
    pub disable_path_decoding: bool,
    /// `use_h2c`: the same as the service's.
    pub use_h2c: bool,
    /// `error_body`.
    pub error_body: ErrorBody,
    /// `trusted_proxies` and `remote_ip_headers`.
    pub trust: Trust,
    /// `max_payload` as it is written, 0 for any. What holds for an endpoint is in [`Endpoint::max_payload`].
    pub max_payload: Option<usize>,
}

/// JSON texts in place of the router's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorBody {
    /// `404`.
    pub not_found: Option<Bytes>,
    /// `405`.
    pub method_not_allowed: Option<Bytes>,
}

impl Default for Router {
    fn default() -> Self {
        Self {
            disable_redirect_trailing_slash: false,
            disable_redirect_fixed_path: false,
            disable_handle_method_not_allowed: false,
            disable_health: false,
            health_path: "/__health".to_owned(),
            return_error_msg: false,
            disable_access_log: false,
            logger_skip_paths: Vec::new(),
            remove_extra_slash: false,
            auto_options: false,
            disable_path_decoding: false,
            use_h2c: false,
            error_body: ErrorBody::default(),
            trust: Trust::default(),
            max_payload: None,
        }
    }
}

/// The `admin` namespace of the service (an extension).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// `listen`: a loopback address.
    pub listen: SocketAddr,
}

/// One entry of `endpoints`.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// `endpoint`.
    pub path: EndpointPath,
    /// `method`, GET unless set.
    pub methods: Methods,
    /// `timeout`, the service's (2 s unless set) when the endpoint has none.
    pub timeout: Duration,
    /// `extra_config.proxy.max_payload` and that of `router`: the longest body of a request in bytes, 10 MiB where neither is
    /// written; `None`: any.
    pub max_payload: Option<usize>,
    /// `input_headers`: which request headers go on.
    pub input_headers: AllowList<HeaderName>,
    /// `input_query_strings`: which query parameters go on, case-sensitive.
    pub input_query_strings: AllowList<String>,
    /// `extra_config."security/bot-detector"`.
    pub bots: Option<BotRules>,
    /// `extra_config."validation/json-schema"`: what request bodies must be.
    pub json_schema: Option<JsonSchema>,
    /// `extra_config."validation/cel"`: what must hold.
    pub conditions: Vec<Condition>,
    /// `extra_config.websocket`; `None`: no client changes protocols.
    pub websocket: Option<WebSocket>,
    /// `output_encoding`, and with it `backend`.
    pub answer: Answer,
}

impl Endpoint {
    /// `max_payload` where it is not written.
    pub const MAX_PAYLOAD: usize = 10 * 1024 * 1024;

    /// Every entry of `backend`, shadows last.
    pub fn backends(&self) -> impl Iterator<Item = &Backend> {
        let shadows = match &self.answer {
            Answer::NoOp(_) => &[][..],
            Answer::Composed(composition) => &composition.shadows,
        };
        self.answer.backends().iter().chain(shadows.iter().map(|shadow| &shadow.backend))
    }

    /// Whether a request must be whole before it goes on to its one backend, or the answer before it comes back, though the
    /// answer passes as it is.
    #[must_use]
    pub fn is_held(&self, backend: &Backend) -> bool {
        let mut conditions = self.conditions.iter().chain(&backend.conditions);
        let of_answers = conditions.any(|condition| condition.stage() == Stage::Response);
        self.json_schema.is_some()
            || backend.http_cache.is_some()
            || of_answers
            || backend.martian.as_ref().is_some_and(Martian::needs_held)
    }
}

/// Where the answer of an endpoint comes from.
#[derive(Debug, Clone)]
pub enum Answer {
    /// `no-op`: it is the one backend's, as it came.
    NoOp(Box<Backend>),
    /// Any other encoding: it is made of what the backends answered.
    Composed(Box<Composition>),
}

impl Answer {
    /// The backends whose answers count, in the order of the file.
    #[must_use]
    pub fn backends(&self) -> &[Backend] {
        match self {
            Self::NoOp(backend) => std::slice::from_ref(backend),
            Self::Composed(composition) => &composition.backends,
        }
    }
}

/// The methods an endpoint answers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Methods {
    /// `"*"`.
    Any,
    /// At least one, upper case, no duplicates.
    Only(Vec<Method>),
}

/// A KrakenD allow-list: names, or `"*"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowList<T> {
    /// `["*"]`.
    All,
    /// The names listed; empty means none.
    Only(Vec<T>),
}

/// Where an endpoint lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointPath {
    /// As written in the file, with the leading `/`: its name.
    pub text: String,
    /// The same as a request target holds it, percent-encoded: what requests are compared with.
    pub route: String,
    /// The path in its parts.
    pub kind: PathKind,
    /// Names of the `{placeholders}`, in order.
    pub params: Vec<String>,
}

/// The three forms of an endpoint path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// `/a/{b}`: matches as a whole.
    Exact,
    /// `/a/*`: matches `/a/` and everything below it.
    Tail,
    /// `/__catchall`: matches whatever no other endpoint does.
    Catchall,
}

/// One entry of `backend`.
#[derive(Debug, Clone)]
pub struct Backend {
    /// `host`, the service's when the backend has none. At least one.
    pub hosts: Vec<Host>,
    /// `sd`: what these are.
    pub discovery: Discovery,
    /// `extra_config.balance`: which of their addresses a request goes to.
    pub balance: Balance,
    /// `extra_config."qos/circuit-breaker"`, or `"qos/circuit-breaker/http"`.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// `url_pattern`.
    pub url_pattern: UrlPattern,
    /// `method`; `None`: the client's method goes on.
    pub method: Option<Method>,
    /// How its hosts are connected to: `extra_config."backend/http/client"` over what the service says.
    pub transport: UpstreamTransport,
    /// `no_redirect`: redirects of a decoded backend are not followed.
    pub no_redirect: bool,
    /// `timeout` (an extension): replaces the endpoint's for this backend.
    pub timeout: Option<Duration>,
    /// `input_headers`: a second allow-list below the endpoint's; `None`: no second list.
    pub input_headers: Option<AllowList<HeaderName>>,
    /// `input_query_strings`: the same for query parameters.
    pub input_query_strings: Option<AllowList<String>>,
    /// `extra_config."auth/client-credentials"`, unless disabled.
    pub token: Option<TokenPolicy>,
    /// `encoding` and the keys that shape the answer; without effect in no-op.
    pub decoding: Decoding,
    /// `extra_config."backend/http"`.
    pub errors: ErrorStatus,
    /// `extra_config."qos/http-cache"`: which of its answers are kept.
    pub http_cache: Option<HttpCache>,
    /// `extra_config."validation/cel"`: what must hold.
    pub conditions: Vec<Condition>,
    /// `extra_config."modifier/martian"`.
    pub martian: Option<Martian>,
}

/// An upstream: scheme, name and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Host {
    /// Whether the connection is TLS.
    pub https: bool,
    /// A DNS name or an IP address, lower case, IPv6 without brackets.
    pub name: String,
    /// The port, 80 or 443 unless written.
    pub port: u16,
    /// What goes into the `Host` header: name, and the port when it was written.
    pub authority: String,
}

impl Host {
    /// Scheme and authority: what stands before the path of a URL.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.https { "https" } else { "http" }, self.authority)
    }
}

/// A `url_pattern`, split at its `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlPattern {
    /// As written in the file, before any `${…}` is filled in and with the values of its query hidden: for people.
    pub text: String,
    /// The path, with the leading `/`.
    pub path: Vec<Piece>,
    /// The path ends in `/*`: the tail of the endpoint is appended.
    pub tail: bool,
    /// The fixed query, without `?`; empty when there is none.
    pub query: Vec<Piece>,
}

/// A part of a `url_pattern`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text that goes out as written.
    Literal(String),
    /// `{name}`: the index into [`EndpointPath::params`].
    Param(usize),
    /// `{respN_field}`: the index into [`Sequential::fields`].
    Earlier(usize),
}
