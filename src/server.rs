//! From a valid Model to a running process: bind, build the services, run, drain.
//!
//! Everything that can fail fails in [`Gateway::bind`], before anything is announced or started. What runs is Pingora's
//! `Server` with four services: tokens, resolver, proxy and admin.

mod admin;
mod background;
mod descriptors;
mod doors;
mod drain;
mod health_checks;
mod http;
pub mod listen;
mod lookup;
mod resolver;

use crate::base::jws::KeyError;
use crate::compose::Composer;
use crate::compose::exchanges::Exchanges;
use crate::config::model::{Limits, Model};
use crate::downstream::accept::Accepting;
use crate::downstream::connections::Connections;
use crate::downstream::edge::Edge;
use crate::downstream::entrance::Entrance;
use crate::downstream::tls::TlsError;
use crate::proxy::Proxy;
use crate::proxy::in_flight::InFlight;
use crate::snapshot::addresses::AddressBook;
use crate::snapshot::endpoint::EndpointPlan;
use crate::snapshot::{CompileError, Snapshot};
use crate::telemetry::lines::Lines;
use crate::telemetry::metrics::Metrics;
use crate::token::keeper::Keeper;
use crate::token::table::TokenTable;
use admin::Admin;
use arc_swap::ArcSwap;
use background::{Checking, Resolving, Tokens};
use descriptors::Descriptors;
use doors::Doors;
use drain::Drain;
pub use drain::{Signals, Stop};
use health_checks::HealthChecks;
use listen::{ListenError, Listening};
use pingora_core::apps::HttpServerApp;
use pingora_core::apps::http_app::HttpServer;
use pingora_core::connectors::ConnectorOptions;
use pingora_core::server::configuration::ServerConf;
use pingora_core::server::{RunArgs, Server};
use pingora_core::services::background::background_service;
use resolver::Resolver;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Idle upstream connections kept per worker thread and connector. A pool smaller than the concurrency costs a multiple in CPU time,
/// because connections are closed and made again.
const KEPT_PER_THREAD: usize = 1024;

/// Connections to the admin listener, and to each of the others that are not for the public.
const MOST_INSIDERS: usize = 16;

/// What the command line decides.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Worker threads of the proxy.
    pub threads: usize,
    /// Where access lines go.
    pub lines: Lines,
}

/// Why the process could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address could not be bound.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The configuration could not be compiled.
    #[error("{0}")]
    Compile(#[from] CompileError),
    /// A certificate or key could not be used.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// There is no randomness for a key.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// The metrics could not be registered.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// A gateway with its listeners bound, ready to run.
pub struct Gateway {
    /// Where clients connect.
    pub address: SocketAddr,
    /// Where they can connect besides, in the order of `extra_config.listeners`.
    pub further_addresses: Vec<SocketAddr>,
    /// Where the admin listener is, if there is one.
    pub admin_address: Option<SocketAddr>,
    server: Server,
    drain: Drain,
    keeper: Arc<Keeper>,
    metrics: Arc<Metrics>,
    /// The stop signal of services that run to the end. Pingora would take a closed channel for a signal, so it is kept.
    never: watch::Sender<bool>,
}

impl Gateway {
    /// Binds the listeners, compiles the configuration and builds the services.
    ///
    /// # Errors
    /// If an address is taken or the configuration cannot be compiled; then nothing has been started.
    pub fn bind(model: &Model, settings: &Settings) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new()?);
        let tokens = Arc::new(TokenTable::of(model)?);
        let mut addresses = AddressBook::default();
        let snapshot = Snapshot::compile(model, &tokens, &mut addresses, &metrics)?;
        let checks = HealthChecks::of(&snapshot);
        let doors = Doors::open(model, &metrics)?;
        let admin = model.admin.as_ref().map(|admin| Listening::new(listen::on(admin.listen)?)).transpose()?;

        let descriptors = Descriptors::take();
        let conf = conf(settings.threads, &descriptors, connectors(&snapshot));
        let exchanges = Arc::new(Exchanges::new(metrics.in_flight.clone(), descriptors.requests));
        let in_flight = InFlight::new(metrics.clone(), model.limits.requests.unwrap_or(descriptors.requests));
        let most = model.limits.connections.unwrap_or(descriptors.clients).min(descriptors.clients);
        let edge = Arc::new(Edge {
            limits: model.limits,
            connections: Connections::new(most, metrics.connections("public")),
            unrouted: metrics.endpoint("-"),
            metrics: metrics.clone(),
            lines: (!model.router.disable_access_log).then(|| settings.lines.clone()),
            return_error_msg: model.router.return_error_msg,
        });
        let (stopping, stop) = watch::channel(false);
        let proxy = Proxy {
            snapshot: Arc::new(ArcSwap::from_pointee(snapshot)),
            metrics: metrics.clone(),
            lines: settings.lines.clone(),
            in_flight: in_flight.clone(),
            limits: model.limits,
            connections: edge.connections.clone(),
            composer: Arc::new(Composer::new(ConnectorOptions::from_server_conf(&conf), exchanges.clone())),
            exchanges,
        };
        let admin_app = Admin {
            metrics: metrics.clone(),
            tokens: tokens.clone(),
            in_flight: in_flight.clone(),
            lines: settings.lines.clone(),
        };
        let nowhere = || ListenError::new(&"no address", io::ErrorKind::InvalidInput.into());
        let (address, further_addresses) = doors.addresses.split_first().ok_or_else(nowhere)?;
        let (address, further_addresses) = (*address, further_addresses.to_vec());
        let admin_address = admin.as_ref().map(|admin| admin.address);

        let mut server = Server::new_with_opt_and_conf(None, conf);
        let keeper = Arc::new(Keeper::new(&tokens, &metrics.tokens));
        server.add_service(background_service("tokens", Tokens { keeper: keeper.clone() }));
        let resolving = Resolving { resolver: Resolver::new(&addresses, &model.dns) };
        let resolving = server.add_service(background_service("resolver", resolving));
        if let Some(checks) = checks {
            server.add_service(background_service("health", Checking { checks }));
        }
        let proxy = http::server(&server.configuration, proxy, &model.limits);
        server.add_service(background_service("certificates", doors.certificates));
        let (proxy, closed) = Accepting::new("proxy", proxy, doors.listeners, edge, stop);
        // Clients wait in the listener's backlog until names have addresses, or have had their time.
        server.add_service(proxy).add_dependency(&resolving);

        let drain = Drain { in_flight, stopping, closed, longest: model.max_shutdown_wait_time };
        let never = watch::Sender::new(false);
        let mut gateway = Self { address, further_addresses, admin_address, server, drain, keeper, metrics, never };
        if let Some(admin) = admin {
            // It answers to the end of a drain: that is when probes and operators look.
            gateway.also_serve("admin", HttpServer::new_app(admin_app), admin);
        }
        Ok(gateway)
    }

    /// Serves another application on a bound listener, to the end of the gateway.
    pub fn also_serve(&mut self, name: &str, app: impl HttpServerApp + Send + Sync + 'static, listening: Listening) {
        let edge = Arc::new(Edge {
            limits: Limits::default(),
            connections: Connections::new(MOST_INSIDERS, self.metrics.connections(name)),
            unrouted: self.metrics.endpoint("-"),
            metrics: self.metrics.clone(),
            lines: None,
            return_error_msg: true,
        });
        let listeners = vec![(listening.listener, Entrance::default())];
        let (service, _) = Accepting::new(name, app, listeners, edge, self.never.subscribe());
        self.server.add_service(service.on_threads(1));
    }

    /// Runs until `stop` asks for the end and requests under way have their answers, then gives back the tokens of those
    /// credentials that say so. `started` is called once signals
    /// are heard and the listeners are open.
    pub fn run(self, stop: impl Stop + 'static, started: impl FnOnce() + Send + 'static) {
        let watch = self.drain.watch(stop, started);
        self.server.run(RunArgs { shutdown_signal: Box::new(watch) });
        self.keeper.revoke();
    }
}

/// How many connectors keep connections: streamed endpoints have one, composed ones another.
fn connectors(snapshot: &Snapshot) -> usize {
    let composed = snapshot.endpoints.iter().filter(|plan| matches!(plan, EndpointPlan::Compose(_))).count();
    if (1..snapshot.endpoints.len()).contains(&composed) { 2 } else { 1 }
}

/// Pingora's settings. Draining is ours ([`drain`]): Pingora would sleep through its whole grace period even when idle
/// (`pingora-core/src/server/mod.rs`, `Server::run`).
fn conf(threads: usize, descriptors: &Descriptors, connectors: usize) -> ServerConf {
    let pools = threads.max(1) * connectors;
    ServerConf {
        threads,
        // A single thread has nobody to steal from, and does without what stealing costs.
        work_stealing: threads > 1,
        upstream_keepalive_pool_size: KEPT_PER_THREAD.min((descriptors.kept / pools).max(1)),
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(0),
        ..ServerConf::default()
    }
}

/// How long the last lines may take to be written when the process ends.
pub const LAST_LINES: Duration = Duration::from_secs(2);
