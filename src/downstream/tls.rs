//! TLS for clients: from a connection to one that is protected, with certificates that are renewed while it runs.
//!
//! Pingora's own settings know neither versions nor cipher suites, and wait a minute for a handshake
//! (`pingora-core/src/listeners/tls/rustls/mod.rs`, `protocols/tls/rustls/server.rs`); so rustls is set up here.

mod choice;
mod failure;
mod fresh;
mod session;
mod settings;

pub use failure::HandshakeError;
pub use session::{alpn, digest};
pub use settings::TlsError;

use crate::config::model::Tls;
use crate::downstream::linger::linger;
use crate::downstream::transport::Transport;
use crate::telemetry::metrics::{HandshakeResult, TlsMetrics};
use arc_swap::ArcSwap;
use fresh::Stamps;
use settings::Settings;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The longest that a client may take from its first byte to the end of the handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The listener's side of handshakes. Clones are the same acceptor.
#[derive(Clone)]
pub struct Acceptor(Arc<Shared>);

struct Shared {
    tls: Tls,
    current: ArcSwap<Settings>,
    /// Of the files as they were when they were first read.
    stamps: Stamps,
    metrics: TlsMetrics,
}

impl Acceptor {
    /// Reads the files of a `tls` block.
    ///
    /// # Errors
    /// If a file is not what it was when the configuration was checked.
    pub fn new(tls: &Tls, metrics: &TlsMetrics) -> Result<Self, TlsError> {
        // Before they are read: a change in between is seen as one.
        let stamps = Stamps::of(tls);
        let settings = Settings::read(tls)?;
        metrics.certificates(&[], &settings.ends);
        let current = ArcSwap::from_pointee(settings);
        Ok(Self(Arc::new(Shared { tls: tls.clone(), current, stamps, metrics: metrics.clone() })))
    }

    /// Makes the handshake with a client, which has 10 s for it.
    ///
    /// # Errors
    /// If there is no protected connection in the end. The client was told why where TLS has an alert for it.
    pub async fn accept(&self, tcp: TcpStream) -> Result<TlsStream<TcpStream>, HandshakeError> {
        let ended = timeout(HANDSHAKE, self.handshake(tcp)).await;
        let ended = ended.unwrap_or_else(|_| Err(HandshakeError::new(HandshakeResult::Timeout)));
        self.0.metrics.handshake(ended.as_ref().map_or_else(HandshakeError::result, |_| HandshakeResult::Ok));
        ended
    }

    async fn handshake(&self, tcp: TcpStream) -> Result<TlsStream<TcpStream>, HandshakeError> {
        let mut first = [0];
        match tcp.peek(&mut first).await {
            Ok(0) => return Err(HandshakeError::new(HandshakeResult::Closed)),
            // A handshake begins with the byte 22, a method with a letter.
            Ok(_) if first.iter().all(u8::is_ascii_uppercase) => {
                // What is lost when it fails is a courtesy.
                let _ = refuse_plain(tcp).await;
                return Err(HandshakeError::new(HandshakeResult::PlainHttp));
            }
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let config = self.0.current.load().config.clone();
        Ok(TlsAcceptor::from(config).accept(tcp).await?)
    }

    /// Looks at the files again and again, and takes those that have changed. Runs until it is dropped.
    pub async fn keep_fresh(self) {
        fresh::keep_fresh(&self.0).await;
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").field("certificates", &self.0.tls.certificates).finish_non_exhaustive()
    }
}

/// The whole answer to HTTP where TLS belongs.
const REFUSAL: &[u8] = b"HTTP/1.1 400 Plain HTTP On A TLS Port\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

async fn refuse_plain(mut tcp: TcpStream) -> io::Result<()> {
    tcp.write_all(REFUSAL).await?;
    tcp.shutdown().await?;
    linger(&mut Transport::plain(tcp, Vec::new())).await;
    Ok(())
}

#[cfg(test)]
mod tests;
