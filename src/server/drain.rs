//! The end of a gateway: stop accepting, let requests under way finish, exit as soon as none is left.

use crate::proxy::in_flight::InFlight;
use async_trait::async_trait;
use log::{info, warn};
use pingora_core::server::{ShutdownSignal, ShutdownSignalWatch};
use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Between two looks at whether the last request is answered.
const LOOK: Duration = Duration::from_millis(10);

/// What a drain needs of the gateway.
pub(super) struct Drain {
    /// Requests under way.
    pub in_flight: InFlight,
    /// Tells the proxy's listener to close.
    pub stopping: watch::Sender<bool>,
    /// Becomes true when it has.
    pub closed: watch::Receiver<bool>,
    /// `max_shutdown_wait_time`.
    pub longest: Duration,
}

/// Whoever ends a gateway: signals in a process, a channel in a test.
#[async_trait]
pub trait Stop: Send {
    /// Prepares for [`Self::asked`]: what is asked after this is heard.
    ///
    /// # Errors
    /// If the system does not let us listen.
    fn listen(&mut self) -> io::Result<()>;

    /// Resolves when an end is asked for; asked again during a drain, it is an end at once.
    async fn asked(&mut self);
}

/// SIGTERM and SIGINT.
#[derive(Debug, Default)]
pub struct Signals(Option<(Signal, Signal)>);

#[async_trait]
impl Stop for Signals {
    fn listen(&mut self) -> io::Result<()> {
        self.0 = Some((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?));
        Ok(())
    }

    async fn asked(&mut self) {
        let Some((terminate, interrupt)) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

#[async_trait]
impl Stop for watch::Receiver<bool> {
    fn listen(&mut self) -> io::Result<()> {
        Ok(())
    }

    async fn asked(&mut self) {
        // A test that drops its end wants the gateway gone, too.
        let _ = self.changed().await;
    }
}

type Started = Box<dyn FnOnce() + Send>;

/// Pingora's way of asking when to end. Its `recv` takes `&self` and is called once, hence the lock.
pub(super) struct DrainWatch {
    drain: Drain,
    parts: Mutex<Option<(Box<dyn Stop>, Started)>>,
}

impl Drain {
    /// A watch that drains when `stop` is asked for.
    pub(super) fn watch(self, stop: impl Stop + 'static, started: impl FnOnce() + Send + 'static) -> DrainWatch {
        DrainWatch { drain: self, parts: Mutex::new(Some((Box::new(stop), Box::new(started)))) }
    }

    async fn run(&self) {
        let began = Instant::now();
        self.in_flight.drain();
        self.stopping.send_replace(true);
        let mut closed = self.closed.clone();
        let all = async {
            let _ = closed.wait_for(|&closed| closed).await;
            // Twice, because a request whose head was just read is counted a moment later.
            let mut quiet = 0;
            while quiet < 2 {
                tokio::time::sleep(LOOK).await;
                quiet = if self.in_flight.count() <= 0 { quiet + 1 } else { 0 };
            }
        };
        if tokio::time::timeout(self.longest, all).await.is_ok() {
            info!("drained in {:.1?}", began.elapsed());
        } else {
            warn!("{} requests cut off after {:.0?}", self.in_flight.count(), self.longest);
        }
    }
}

#[async_trait]
impl ShutdownSignalWatch for DrainWatch {
    /// Always [`ShutdownSignal::FastShutdown`]: when it returns there is nothing left to wait for, and any other answer
    /// makes Pingora sleep.
    async fn recv(&self) -> ShutdownSignal {
        let parts = self.parts.lock().ok().and_then(|mut parts| parts.take());
        let Some((mut stop, started)) = parts else { return std::future::pending().await };
        if let Err(error) = stop.listen() {
            warn!("cannot listen for signals: {error}");
        }
        started();
        stop.asked().await;
        info!("draining: {} requests under way", self.drain.in_flight.count());
        tokio::select! {
            () = self.drain.run() => {}
            () = stop.asked() => warn!("asked again: {} requests cut off", self.drain.in_flight.count()),
        }
        ShutdownSignal::FastShutdown
    }
}
