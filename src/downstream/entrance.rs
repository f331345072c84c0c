//! What a connection goes through before its first request: which protocol it speaks.

use crate::downstream::transport::Transport;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::downstream::client_stream::Opened;

/// How a connection of HTTP/2 begins (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a listener expects of a new connection.
#[derive(Debug, Clone, Default)]
pub struct Entrance {
    /// `use_h2c`: HTTP/2 is told by its first bytes.
    pub use_h2c: bool,
}

impl Entrance {
    /// Lets a connection in, in `longest` at the longest.
    ///
    /// # Errors
    /// If it does not begin as it must, or breaks.
    pub(super) async fn enter(&self, tcp: TcpStream, client: SocketAddr, longest: Duration) -> io::Result<Opened> {
        let descriptor = tcp.as_raw_fd();
        let (early, is_http2) =
            if self.use_h2c { timeout(longest, preface(&tcp)).await?? } else { (Vec::new(), false) };
        Ok(Opened { transport: Transport::plain(tcp, early), client, descriptor, tls: None, is_http2 })
    }
}

/// Reads until the bytes can be told from HTTP/2's preface. (Pingora waits for all 24, which a short request of HTTP/1 does
/// not have: `pingora-core/src/apps/mod.rs`.)
async fn preface(tcp: &TcpStream) -> io::Result<(Vec<u8>, bool)> {
    let mut early = Vec::with_capacity(PREFACE.len());
    let mut bytes = [0; PREFACE.len()];
    while early.len() < PREFACE.len() && PREFACE.starts_with(&early) {
        tcp.readable().await?;
        let room = PREFACE.len() - early.len();
        match tcp.try_read(bytes.get_mut(..room).unwrap_or_default()) {
            Ok(0) => break,
            Ok(read) => early.extend_from_slice(bytes.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    let is_http2 = early == PREFACE;
    Ok((early, is_http2))
}
