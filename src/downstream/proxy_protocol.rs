//! The PROXY protocol, versions 1 and 2: a load balancer that passes connections on says in front of each who the client is.
//!
//! The words of `doc/proxy-protocol.txt` of `HAProxy` hold. A listener either wants the header of every connection or of none,
//! for whoever may leave it out may also write it himself; so a peer that is not trusted and one that sends no header are
//! closed without an answer.

mod header;
mod version_1;
mod version_2;

pub use header::{Header, HeaderError, parse};

use crate::config::model::ProxyProtocol;
use crate::telemetry::metrics::{ProxyHeaderResult, TlsMetrics};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The longest that a peer may take for the header. A load balancer sends it at once.
const LONGEST: Duration = Duration::from_secs(5);

/// Why a connection is closed.
#[derive(Debug, thiserror::Error)]
pub enum ProxyHeaderError {
    /// The peer is not one that may send a header.
    #[error("the peer is not trusted to tell who the client is")]
    Untrusted,
    /// It did not come in time.
    #[error("no PROXY header in time")]
    Timeout,
    /// The connection ended.
    #[error("the connection ended before the PROXY header: {0}")]
    Closed(#[from] io::Error),
    /// It is not a header.
    #[error("no PROXY header: {0}")]
    Malformed(#[from] HeaderError),
}

impl ProxyHeaderError {
    const fn result(&self) -> ProxyHeaderResult {
        match self {
            Self::Untrusted => ProxyHeaderResult::Untrusted,
            Self::Timeout => ProxyHeaderResult::Timeout,
            Self::Closed(_) => ProxyHeaderResult::Closed,
            Self::Malformed(_) => ProxyHeaderResult::Malformed,
        }
    }
}

/// Takes the header off a connection and says who the client is: the peer itself when the load balancer speaks for itself
/// (its health checks) or does not know.
///
/// # Errors
/// If the connection must be closed.
pub async fn client(
    rules: &ProxyProtocol,
    tcp: &mut TcpStream,
    peer: SocketAddr,
    metrics: &TlsMetrics,
) -> Result<SocketAddr, ProxyHeaderError> {
    let read = if rules.trusts(peer.ip()) { read(tcp).await } else { Err(ProxyHeaderError::Untrusted) };
    metrics.proxy_header(read.as_ref().map_or_else(ProxyHeaderError::result, |_| ProxyHeaderResult::Ok));
    Ok(match read? {
        Header::Proxied { client, .. } => client,
        Header::Local | Header::Unknown => peer,
    })
}

/// Reads the header, and not a byte of what follows it.
///
/// # Errors
/// If there is none within 5 s.
pub async fn read(tcp: &mut TcpStream) -> Result<Header, ProxyHeaderError> {
    timeout(LONGEST, read_header(tcp)).await.unwrap_or(Err(ProxyHeaderError::Timeout))
}

async fn read_header(tcp: &mut TcpStream) -> Result<Header, ProxyHeaderError> {
    let mut bytes = Vec::with_capacity(version_1::LONGEST);
    // The shortest header of all is `PROXY UNKNOWN\r\n`.
    take(tcp, &mut bytes, version_2::SIGNATURE.len()).await?;
    loop {
        if let Some((header, _)) = parse(&bytes)? {
            return Ok(header);
        }
        let missing = match version_2::length(&bytes) {
            Some(length) => length.saturating_sub(bytes.len()),
            None if bytes.starts_with(&version_2::SIGNATURE) => version_2::HEAD - bytes.len(),
            None => to_line_end(tcp, version_1::LONGEST - bytes.len().min(version_1::LONGEST)).await?,
        };
        take(tcp, &mut bytes, missing).await?;
    }
}

async fn take(tcp: &mut TcpStream, bytes: &mut Vec<u8>, count: usize) -> io::Result<()> {
    let start = bytes.len();
    bytes.resize(start + count, 0);
    let new = bytes.get_mut(start..).unwrap_or_default();
    tcp.read_exact(new).await.map(|_| ())
}

/// How many of the bytes that have come belong to the line: all of them while its end is not there. At least one, at most
/// `most`.
async fn to_line_end(tcp: &TcpStream, most: usize) -> io::Result<usize> {
    let mut ahead = [0; version_1::LONGEST];
    let ahead = ahead.get_mut(..most).unwrap_or_default();
    let come = tcp.peek(ahead).await?;
    if come == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let end = ahead.iter().take(come).position(|byte| *byte == b'\n');
    Ok(end.map_or(come, |end| end + 1))
}

#[cfg(test)]
mod tests;
