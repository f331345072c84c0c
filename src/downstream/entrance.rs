//! What a connection goes through before its first request: who the client is, TLS, and which protocol it speaks.

use crate::config::model::ProxyProtocol;
use crate::downstream::client_stream::Opened;
use crate::downstream::proxy_protocol;
use crate::downstream::tls::{self, Acceptor};
use crate::downstream::transport::Transport;
use crate::telemetry::metrics::TlsMetrics;
use log::debug;
use pingora_core::protocols::ALPN;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How a connection of HTTP/2 begins (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a listener expects of a new connection.
#[derive(Debug, Clone, Default)]
pub struct Entrance {
    /// `use_h2c`: HTTP/2 is told by its first bytes.
    pub use_h2c: bool,
    /// `proxy_protocol`: a header tells who the client is.
    pub proxy_protocol: Option<(ProxyProtocol, TlsMetrics)>,
    /// `tls`: nothing else is spoken.
    pub tls: Option<Acceptor>,
}

impl Entrance {
    /// Lets a connection in, in `longest` at the longest.
    ///
    /// # Errors
    /// If it does not begin as it must, or breaks.
    pub(super) async fn enter(&self, mut tcp: TcpStream, peer: SocketAddr, longest: Duration) -> io::Result<Opened> {
        let descriptor = tcp.as_raw_fd();
        // What is written is meant to leave: answers are gathered before (`Outbound`), and TLS has records of its own.
        tcp.set_nodelay(true)?;
        let client = self.client(&mut tcp, peer).await?;
        if let Some(acceptor) = &self.tls {
            return protected(acceptor, tcp, client, descriptor, longest).await;
        }
        let (early, is_http2) =
            if self.use_h2c { timeout(longest, preface(&mut tcp)).await?? } else { (Vec::new(), false) };
        Ok(Opened { transport: Transport::plain(tcp, early), client, descriptor, tls: None, is_http2 })
    }

    async fn client(&self, tcp: &mut TcpStream, peer: SocketAddr) -> io::Result<SocketAddr> {
        let Some((rules, metrics)) = &self.proxy_protocol else { return Ok(peer) };
        proxy_protocol::client(rules, tcp, peer, metrics).await.map_err(|error| {
            debug!("a connection of {peer} is closed: {error}");
            io::Error::other(error)
        })
    }
}

async fn protected(
    acceptor: &Acceptor,
    tcp: TcpStream,
    client: SocketAddr,
    descriptor: i32,
    longest: Duration,
) -> io::Result<Opened> {
    let mut stream = acceptor.accept(tcp).await.map_err(|error| {
        debug!("no TLS with {client}: {error}");
        io::Error::other(error)
    })?;
    let connection = stream.get_ref().1;
    let is_http2 = tls::alpn(connection) == Some(ALPN::H2);
    let digest = Arc::new(tls::digest(connection));
    // Pingora would wait for the preface without end, and log an error if something else comes.
    let (early, is_preface) =
        if is_http2 { timeout(longest, preface(&mut stream)).await?? } else { (Vec::new(), false) };
    if is_preface != is_http2 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no preface of HTTP/2"));
    }
    Ok(Opened { transport: Transport::protected(stream, early), client, descriptor, tls: Some(digest), is_http2 })
}

/// Reads until the bytes can be told from HTTP/2's preface. (Pingora waits for all 24, which a short request of HTTP/1 does
/// not have: `pingora-core/src/apps/mod.rs`.)
async fn preface(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(Vec<u8>, bool)> {
    let mut early = Vec::with_capacity(PREFACE.len());
    while early.len() < PREFACE.len() && PREFACE.starts_with(&early) {
        let left = PREFACE.len() - early.len();
        if (&mut *stream).take(left as u64).read_buf(&mut early).await? == 0 {
            break;
        }
    }
    let is_http2 = early == PREFACE;
    Ok((early, is_http2))
}
