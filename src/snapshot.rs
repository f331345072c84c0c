//! The compiled form of a configuration: built once from the Model, immutable, shared by all requests.
//!
//! A request takes one `Arc<Snapshot>` when it starts and uses it to the end. Everything that can be prepared is: routing
//! trees, peers, header lists, header values, metric handles. What changes while it is in use (tokens, addresses) is
//! reached through atomic pointers. Deciding what to do with a request is `forward`'s work.

pub mod addresses;
pub mod backend;
pub mod balance;
pub mod bound_certificate;
pub mod breaker;
pub mod budget;
pub mod composition;
pub mod conditions;
pub mod endpoint;
pub mod handshake;
pub mod headers;
pub mod health;
pub mod outlier;
pub mod roster;
pub mod router;
pub mod services;
pub mod target;
pub mod targets;
pub mod transport;
pub mod upstream;

use crate::config::model::{Backend, Endpoint, Model, Security};
use crate::guard::bot::BotDetector;
use crate::telemetry::metrics::{EndpointMetrics, Metrics};
use crate::token::table::TokenTable;
use addresses::AddressBook;
use backend::BackendPlan;
use endpoint::{EndpointPlan, Surroundings};
use router::Router;
use transport::Transports;

/// Everything requests need to know of the configuration.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are switches of the configuration, each on its own")]
pub struct Snapshot {
    /// From method and path to an index into `endpoints`.
    pub router: Router,
    /// In the order of the file.
    pub endpoints: Vec<EndpointPlan>,
    /// Which hosts are served, and which headers answers have.
    pub security: Option<Security>,
    /// The bot detector of the service.
    pub bots: Option<BotDetector>,
    /// Metrics of requests that no endpoint answered.
    pub unrouted: EndpointMetrics,
    /// Metrics of porteur's own endpoints: health, debug, echo.
    pub built_in: EndpointMetrics,
    /// `router.return_error_msg`.
    pub return_error_msg: bool,
    /// Whether requests are logged.
    pub access_log: bool,
    /// Whether `/__debug/` is served.
    pub debug_endpoint: bool,
    /// Whether `/__echo/` is served.
    pub echo_endpoint: bool,
}

/// Why a valid Model could not be compiled. The configuration's own checks find these first, with their places.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// Two endpoints cannot be told apart.
    #[error("endpoint `{0}` conflicts with another one")]
    Route(String),
    /// A host or header value that no message can carry.
    #[error("`{0}` cannot stand in a header")]
    Header(String),
    /// A backend's credential is not in the table.
    #[error("endpoint `{0}` uses an unknown credential")]
    Credential(String),
    /// A certificate for or of upstreams that the TLS library cannot read.
    #[error("a certificate of `client_tls` cannot be used: the TLS library does not understand it")]
    Certificate,
    /// There are no authorities of the system, and they are to be believed.
    #[error("the system's authorities cannot be read: {0}")]
    SystemAuthorities(String),
}

/// Backends that are asked with TLS and whose certificates are not checked.
fn insecure_upstreams(model: &Model) -> i64 {
    let backends = model.endpoints.iter().flat_map(Endpoint::backends);
    let is_one = |backend: &&Backend| backend.transport.tls.insecure && backend.hosts.iter().any(|host| host.https);
    i64::try_from(backends.filter(is_one).count()).unwrap_or(i64::MAX)
}

impl Snapshot {
    /// Every backend of every endpoint, shadows among them.
    pub fn backends(&self) -> impl Iterator<Item = &BackendPlan> {
        self.endpoints.iter().flat_map(EndpointPlan::backends)
    }

    /// Compiles a Model. Tokens and addresses are carried over by identity: `tokens` and `addresses` outlive the Snapshot.
    ///
    /// # Errors
    /// If two endpoints conflict, or a value cannot be put into a message.
    pub fn compile(
        model: &Model,
        tokens: &TokenTable,
        addresses: &mut AddressBook,
        metrics: &Metrics,
    ) -> Result<Self, CompileError> {
        let mut around =
            Surroundings { tokens, addresses, metrics, shared_cache: None, transports: Transports::default() };
        let compile = |endpoint| EndpointPlan::compile(endpoint, &mut around);
        let endpoints = model.endpoints.iter().map(compile).collect::<Result<_, _>>()?;
        metrics.insecure_upstreams.set(insecure_upstreams(model));
        Ok(Self {
            router: Router::compile(model)?,
            endpoints,
            security: model.security.clone(),
            bots: model.bots.as_ref().map(BotDetector::new),
            unrouted: metrics.endpoint("-"),
            built_in: metrics.endpoint("built-in"),
            return_error_msg: model.router.return_error_msg,
            access_log: !model.router.disable_access_log,
            debug_endpoint: model.debug_endpoint,
            echo_endpoint: model.echo_endpoint,
        })
    }
}
