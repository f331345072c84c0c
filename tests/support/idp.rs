//! `tests/idp`, a certified OpenID provider, as a process of the test. Counters and faults belong to one process: a test
//! that counts or breaks something starts its own; one that only needs tokens takes [`Idp::shared`].

use super::ready::Server;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::LazyLock;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/idp/server.mjs");
const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/idp/node_modules");
/// Keys and certificates are made once and kept with the build.
const STATE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/idp");

pub const CLIENT_ID: &str = "basic";
pub const CLIENT_SECRET: &str = "basic-secret-000000000000000000000000";

/// A running provider; killed when dropped.
pub struct Idp {
    server: Server,
    ready: Ready,
}

#[derive(Deserialize)]
struct Ready {
    #[serde(flatten)]
    plain: Door,
    tls: Option<Door>,
    certificates: Option<PathBuf>,
    state: PathBuf,
}

#[derive(Deserialize)]
struct Door {
    issuer: String,
    token_url: String,
    resource_server: SocketAddr,
    mtls_token_url: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Stats {
    pub token_requests: usize,
    pub in_flight: usize,
    pub max_in_flight: usize,
    /// Token requests that wait for [`Idp::release`].
    pub held: usize,
    /// Token answers by status.
    pub by_status: BTreeMap<u16, usize>,
    /// TCP connections to the provider, those of the controlling test included.
    pub connections: usize,
    pub revocations: usize,
    /// Requests for a metadata document.
    pub discovery_requests: usize,
    /// By what follows `/.well-known/`: `oauth-authorization-server`, `openid-configuration`.
    pub discovery_by_path: BTreeMap<String, usize>,
    pub resource_requests: usize,
    pub resource_by_status: BTreeMap<u16, usize>,
    /// What DPoP proofs at the resource server need, if they do.
    pub resource_nonce: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct TokenRequest {
    /// Which of the listeners it came to: `http`, `https` or `mtls`.
    pub door: String,
    /// The subject of the client's certificate, as in `C=SE,O=Edge,CN=edge-proxy`.
    pub certificate: Option<String>,
    pub method: String,
    pub url: String,
    /// Names in lower case, repeated ones joined; see `raw_headers` for the lines as they were.
    pub headers: BTreeMap<String, Value>,
    raw_headers: Vec<String>,
    pub body: String,
    /// `None` while there is no answer, and for ever if there never was one.
    pub status: Option<u16>,
}

impl TokenRequest {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(&name.to_ascii_lowercase()).and_then(Value::as_str)
    }

    pub fn raw_headers(&self) -> Vec<(&str, &str)> {
        self.raw_headers.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect()
    }

    /// The body as form parameters, in their order.
    pub fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }
}

impl Idp {
    /// Tokens live so many seconds.
    #[track_caller]
    pub fn start(ttl_seconds: u64) -> Self {
        Self::start_with(ttl_seconds, &[])
    }

    /// Listens with TLS too. Needs the `openssl` command.
    #[track_caller]
    pub fn start_tls(ttl_seconds: u64) -> Self {
        Self::start_with(ttl_seconds, &[("IDP_TLS", "1")])
    }

    /// With more of the variables that the head of `server.mjs` describes.
    #[track_caller]
    pub fn start_with(ttl_seconds: u64, variables: &[(&str, &str)]) -> Self {
        assert!(Path::new(MODULES).is_dir(), "run `make test`, or `npm ci` in tests/idp: {MODULES} is missing");
        let (server, ready) = Server::start(
            Command::new("node")
                .arg(SERVER)
                .env("IDP_STATE", STATE)
                .env("IDP_TTL", ttl_seconds.to_string())
                .envs(variables.iter().copied()),
        );
        Self { server, ready }
    }

    /// One for all tests that neither count nor break anything. Its tokens live an hour.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Idp> = LazyLock::new(|| Idp::start(3600));
        &SHARED
    }

    pub fn issuer(&self) -> &str {
        &self.ready.plain.issuer
    }

    pub fn token_url(&self) -> &str {
        &self.ready.plain.token_url
    }

    /// Where [`Gate`](super::gate::Gate) can stand in front.
    pub fn addr(&self) -> SocketAddr {
        self.issuer().trim_start_matches("http://").parse().unwrap()
    }

    /// The protected API: answers an echo as JSON to a valid token, else 401. Paths under `/open` need none.
    pub fn resource_server(&self) -> SocketAddr {
        self.ready.plain.resource_server
    }

    /// As a `host` of a configuration.
    pub fn resource_url(&self) -> String {
        format!("http://{}", self.resource_server())
    }

    pub fn tls_issuer(&self) -> &str {
        &self.tls().issuer
    }

    pub fn tls_token_url(&self) -> &str {
        &self.tls().token_url
    }

    /// The token endpoint of the same issuer that ends a connection without a client certificate; the metadata of the TLS
    /// issuer names it under `mtls_endpoint_aliases`.
    pub fn mtls_token_url(&self) -> &str {
        self.tls().mtls_token_url.as_ref().unwrap()
    }

    pub fn tls_resource_server(&self) -> SocketAddr {
        self.tls().resource_server
    }

    fn tls(&self) -> &Door {
        self.ready.tls.as_ref().expect("started with `Idp::start_tls`")
    }

    /// A file that `mkcerts.sh` makes: `ca.pem`, `client.pem`, `client.key`, …
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.ready.certificates.as_ref().expect("started with `Idp::start_tls`").join(name)
    }

    /// The PKCS#8 key of the client `pk-<alg>`; its key id is `pk-<alg>-1`. Algorithms: rs256, ps256, es256, es384, ed25519,
    /// eddsa.
    pub fn private_key(&self, alg: &str) -> PathBuf {
        self.ready.state.join(format!("pk-{alg}.pkcs8.pem"))
    }

    /// The folder of these keys.
    pub fn keys(&self) -> &Path {
        &self.ready.state
    }

    #[track_caller]
    pub fn stats(&self) -> Stats {
        serde_json::from_value(self.ask("stats")).unwrap()
    }

    /// The latest token requests, oldest first (at most 1,000).
    #[track_caller]
    pub fn last(&self) -> Vec<TokenRequest> {
        serde_json::from_value(self.ask("last")).unwrap()
    }

    /// What a client of `clients.mjs` authenticates with.
    #[track_caller]
    pub fn client_secret(&self, id: &str) -> String {
        let clients: Vec<(String, String, Option<String>)> = serde_json::from_value(self.ask("clients")).unwrap();
        let secret = clients.into_iter().find_map(|(name, _, secret)| secret.filter(|_| name == id));
        secret.unwrap_or_else(|| panic!("no client {id} with a secret"))
    }

    /// Answers all token requests this way from now on. The ways are in `faults.mjs`.
    #[track_caller]
    pub fn fault(&self, mode: &str) {
        self.fault_with(json!({ "mode": mode }));
    }

    /// Answers the next `count` token requests this way.
    #[track_caller]
    pub fn fault_times(&self, mode: &str, count: usize) {
        self.fault_with(json!({ "mode": mode, "count": count }));
    }

    /// With everything a fault can have: mode, count, delay_ms, retry_after, to, size, step_ms, seconds.
    #[track_caller]
    pub fn fault_with(&self, fault: Value) {
        self.order("fault", fault);
    }

    #[track_caller]
    pub fn clear_fault(&self) {
        self.order("fault", json!({}));
    }

    /// Ends the fault `hold`: all held token requests get their genuine answer.
    #[track_caller]
    pub fn release(&self) {
        self.order("release", json!({}));
    }

    /// Lifetime of the tokens issued from now on.
    #[track_caller]
    pub fn ttl(&self, seconds: u64) {
        self.order("ttl", json!({ "ttl": seconds }));
    }

    /// The resource server answers 401 to every token issued so far.
    #[track_caller]
    pub fn revoke_all(&self) {
        self.order("revoke-all", json!({}));
    }

    /// Makes the metadata documents wrong: `mode` as in `discovery.mjs`, or as the faults that replace an answer; `count`
    /// and `path`, the name of the only document that is wrong. `{}` ends it.
    #[track_caller]
    pub fn discovery(&self, fault: Value) {
        self.order("discovery", fault);
    }

    /// The resource server answers with this `status`, whatever the token: the next `count` requests, or all until `{}`.
    /// `www_authenticate` is its challenge, or a list of them.
    #[track_caller]
    pub fn resource_orders(&self, order: Value) {
        self.order("resource", order);
    }

    /// From now on DPoP proofs at the resource server need this new nonce, as if started with `RS_DPOP_NONCE`.
    #[track_caller]
    pub fn resource_nonce(&self) -> String {
        self.order("resource-nonce", json!({}));
        self.stats().resource_nonce.unwrap()
    }

    /// New signing keys; the old ones stay in the key set if told so.
    #[track_caller]
    pub fn rotate(&self, keep_old: bool) {
        self.order("rotate", json!({ "keep_old": keep_old }));
    }

    /// Counters to zero, no fault, no orders, nothing remembered.
    #[track_caller]
    pub fn reset(&self) {
        self.order("reset", json!({}));
    }

    #[track_caller]
    fn ask(&self, what: &str) -> Value {
        self.server.ask(self.addr(), what)
    }

    #[track_caller]
    fn order(&self, what: &str, order: Value) {
        self.server.order(self.addr(), what, &order);
    }

    /// See [`Server::abandon`].
    #[track_caller]
    pub fn abandon(self) -> ExitStatus {
        self.server.abandon()
    }
}
