//! The accept loop of a listener, as a service of Pingora's server.

use crate::downstream::client_stream::ClientStream;
use crate::downstream::connections::Place;
use crate::downstream::edge::Edge;
use crate::downstream::entrance::Entrance;
use crate::telemetry::metrics::Cut;
use async_trait::async_trait;
use log::{error, warn};
use pingora_core::apps::{HttpServerApp, ReusedHttpStream, ServerApp};
use pingora_core::protocols::Stream;
use pingora_core::protocols::http::ServerSession;
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::{ServiceReadyNotifier, ServiceWithDependents};
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

/// After the system had no descriptor or memory for a connection. It says so again at once as long as that lasts.
const PAUSE: Duration = Duration::from_millis(100);

/// Pingora's word for a connection that stays without end.
const NO_END: u64 = 0;

/// A listener and what its connections are served by.
pub struct Accepting<A> {
    name: String,
    app: Arc<A>,
    listeners: Vec<(StdListener, Entrance)>,
    edge: Arc<Edge>,
    stop: ShutdownWatch,
    closed: watch::Sender<bool>,
    threads: Option<usize>,
}

impl<A> Accepting<A> {
    /// Serves `app` on bound listeners. They close when `stop` becomes true; the receiver becomes true when they have.
    pub fn new(
        name: &str,
        app: A,
        listeners: Vec<(StdListener, Entrance)>,
        edge: Arc<Edge>,
        stop: ShutdownWatch,
    ) -> (Self, watch::Receiver<bool>) {
        let (closed, is_closed) = watch::channel(false);
        (Self { name: name.to_owned(), app: Arc::new(app), listeners, edge, stop, closed, threads: None }, is_closed)
    }

    /// On so many threads of its own; as many as the process has unless set.
    #[must_use]
    pub fn on_threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> ServiceWithDependents for Accepting<A> {
    async fn start_service(&mut self, _: Option<ListenFds>, _: ShutdownWatch, _: usize, ready: ServiceReadyNotifier) {
        let mut loops = Vec::new();
        for (listener, entrance) in self.listeners.drain(..) {
            match TcpListener::from_std(listener) {
                Ok(listener) => {
                    let door = Door {
                        app: self.app.clone(),
                        entrance: Arc::new(entrance),
                        edge: self.edge.clone(),
                        stop: self.stop.clone(),
                    };
                    loops.push(tokio::spawn(door.accept(listener)));
                }
                Err(error) => error!("a listener cannot be used: {error}"),
            }
        }
        ready.notify_ready();
        for accepting in loops {
            let _ = accepting.await;
        }
        self.app.cleanup().await;
        self.closed.send_replace(true);
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn threads(&self) -> Option<usize> {
        self.threads
    }
}

/// One listener's share of the work.
struct Door<A> {
    app: Arc<A>,
    entrance: Arc<Entrance>,
    edge: Arc<Edge>,
    stop: ShutdownWatch,
}

impl<A: HttpServerApp + Send + Sync + 'static> Door<A> {
    async fn accept(self, listener: TcpListener) {
        let mut stop = self.stop.clone();
        let stopped = stop.wait_for(|stop| *stop);
        tokio::pin!(stopped);
        loop {
            // The client first: others must not give way for one who is not there.
            let next = async {
                let accepted = listener.accept().await?;
                Ok((accepted, self.edge.connections.place().await))
            };
            let next = tokio::select! {
                biased;
                _ = &mut stopped => return,
                next = next => next,
            };
            match next {
                Ok(((tcp, client), place)) => self.serve(tcp, client, place),
                Err(error) => self.failed(&error).await,
            }
        }
    }

    fn serve(&self, tcp: TcpStream, client: SocketAddr, place: Place) {
        let (app, entrance, edge, stop) =
            (self.app.clone(), self.entrance.clone(), self.edge.clone(), self.stop.clone());
        place.take();
        tokio::spawn(async move {
            let Ok(opened) = entrance.enter(tcp, client, edge.limits.head_timeout).await else {
                edge.connections.metrics().cut(Cut::Entrance);
                return;
            };
            let stream = Box::new(ClientStream::new(opened, edge, place));
            let Some(ending) = stream.ending() else { return serve_requests(&app, stream, &stop).await };
            let ended = ending.subscribe();
            let served = app.process_new(stream, &ended);
            tokio::pin!(served);
            let mut stop = stop;
            tokio::select! {
                _ = &mut served => return,
                _ = stop.wait_for(|stop| *stop) => {}
            }
            ending.send_replace(true);
            served.await;
        });
    }

    /// Most errors are those of a client that left while it waited (accept(2)). The others last.
    async fn failed(&self, error: &io::Error) {
        use rustix::io::Errno;
        let lasting = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
        if Errno::from_io_error(error).is_some_and(|errno| lasting.contains(&errno)) {
            self.edge.connections.metrics().accept_failed();
            warn!("cannot accept connections: {error}");
            sleep(PAUSE).await;
        }
    }
}

/// Serves one request of HTTP/1 after the other. Pingora's own loop (`pingora-core/src/apps/mod.rs`, `process_new`) does not say
/// where a request ends, and takes the time that a connection may idle for the longest wait within a head as well
/// (`protocols/http/v1/server.rs`, `read_request_buf`); so there is no such time, and `Inbound` ends the wait.
async fn serve_requests<A: HttpServerApp>(app: &Arc<A>, stream: Stream, stop: &ShutdownWatch) {
    let mut session = ServerSession::new_http1(stream);
    session.set_keepalive(Some(NO_END));
    let mut reused = app.process_new_http(session, stop).await;
    while let Some((stream, settings)) = reused.map(ReusedHttpStream::consume) {
        ClientStream::of(stream.as_ref()).inspect(|stream| stream.finish_request());
        let mut session = ServerSession::new_http1(stream);
        if let Some(settings) = settings {
            settings.apply_to_session(&mut session);
        }
        session.set_keepalive(Some(NO_END));
        reused = app.process_new_http(session, stop).await;
    }
}
