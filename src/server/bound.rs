//! A Pingora listening service on a socket that is already bound, with a stop signal of our own.

use crate::server::listen::Listening;
use async_trait::async_trait;
use pingora_core::apps::ServerApp;
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::listening::Service;
use pingora_core::services::{Service as PingoraService, ServiceReadyNotifier, ServiceWithDependents};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::IntoRawFd;
use tokio::sync::watch;

/// The wrapper.
pub(super) struct Bound<A> {
    service: Service<A>,
    listener: Option<TcpListener>,
    address: SocketAddr,
    stop: ShutdownWatch,
    closed: watch::Sender<bool>,
}

impl<A> Bound<A> {
    /// Puts `service` on its socket. It stops accepting when `stop` becomes true; the receiver becomes true when its
    /// listener is closed.
    pub(super) fn new(
        mut service: Service<A>,
        listening: Listening,
        stop: ShutdownWatch,
    ) -> (Self, watch::Receiver<bool>) {
        let Listening { listener, address } = listening;
        service.add_tcp(&address.to_string());
        let (closed, is_closed) = watch::channel(false);
        (Self { service, listener: Some(listener), address, stop, closed }, is_closed)
    }
}

#[async_trait]
impl<A: ServerApp + Send + Sync + 'static> ServiceWithDependents for Bound<A> {
    async fn start_service(
        &mut self,
        fds: Option<ListenFds>,
        _: ShutdownWatch,
        listeners_per_fd: usize,
        ready: ServiceReadyNotifier,
    ) {
        if let (Some(fds), Some(listener)) = (&fds, self.listener.take()) {
            // From here on the descriptor is Pingora's: it looks for it under the address that was added.
            fds.lock().add(self.address.to_string(), listener.into_raw_fd());
        }
        ready.notify_ready();
        PingoraService::start_service(&mut self.service, fds, self.stop.clone(), listeners_per_fd).await;
        self.closed.send_replace(true);
    }

    fn name(&self) -> &str {
        PingoraService::name(&self.service)
    }

    fn threads(&self) -> Option<usize> {
        self.service.threads
    }
}
