//! The listeners of the service: bound, each with what it expects of new connections, and what keeps their certificates
//! fresh.

use crate::config::model::{Listener, Model};
use crate::downstream::entrance::Entrance;
use crate::downstream::tls::Acceptor;
use crate::server::StartError;
use crate::server::listen::{self, Listening};
use crate::telemetry::metrics::Metrics;
use async_trait::async_trait;
use pingora_core::server::ShutdownWatch;
use pingora_core::services::background::BackgroundService;
use std::net::{SocketAddr, TcpListener};
use tokio::task::JoinSet;

/// All of them, in the order of the Model.
#[derive(Default)]
pub(super) struct Doors {
    pub addresses: Vec<SocketAddr>,
    pub listeners: Vec<(TcpListener, Entrance)>,
    pub certificates: Certificates,
}

impl Doors {
    /// Binds every listener of a configuration.
    pub(super) fn open(model: &Model, metrics: &Metrics) -> Result<Self, StartError> {
        let mut doors = Self::default();
        for listener in &model.listeners {
            let entrance = entrance(listener, model.use_h2c, metrics)?;
            let Listening { listener, address } = Listening::new(listen::public(listener.ip, listener.port)?)?;
            doors.certificates.0.extend(entrance.tls.clone());
            doors.addresses.push(address);
            doors.listeners.push((listener, entrance));
        }
        Ok(doors)
    }
}

fn entrance(listener: &Listener, use_h2c: bool, metrics: &Metrics) -> Result<Entrance, StartError> {
    let tls = listener.tls.as_ref().map(|tls| Acceptor::new(tls, &metrics.tls)).transpose()?;
    let proxy_protocol = listener.proxy_protocol.clone().map(|rules| (rules, metrics.tls.clone()));
    Ok(Entrance { use_h2c: listener.use_h2c.unwrap_or(use_h2c), proxy_protocol, tls })
}

/// The background service that looks after the files of certificates.
#[derive(Default)]
pub(super) struct Certificates(Vec<Acceptor>);

#[async_trait]
impl BackgroundService for Certificates {
    async fn start(&self, _: ShutdownWatch) {
        let mut watched: JoinSet<()> = self.0.iter().cloned().map(Acceptor::keep_fresh).collect();
        // None ends before its runtime does; without any there is nothing to look after.
        while watched.join_next().await.is_some() {}
    }
}
