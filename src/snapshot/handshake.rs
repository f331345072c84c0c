//! The connection on which a WebSocket is asked for: its answer must come within the endpoint's timeout, and after that the
//! connection may be quiet for much longer.
//!
//! Pingora has one read timeout for both (`pingora-core/src/protocols/http/v1/client.rs`), so the shorter one is kept below it, in
//! the stream itself. Such a stream has no descriptor that Pingora knows, and is never used for a second request.
//!
//! It also keeps Pingora from an end that is none: the empty body of a handshake ends, and if Pingora sees that only after the
//! `101`, it takes it for the end of the tunnel (`pingora-proxy/src/proxy_h1.rs`, `proxy_handle_upstream`, whose `select!` takes
//! either first). So what was written is followed by one look at everything else before an answer can be read.

use crate::config::model::WebSocket;
use async_trait::async_trait;
use pingora_core::connectors::L4Connect;
use pingora_core::protocols::l4::ext::set_tcp_keepalive;
use pingora_core::protocols::l4::socket::SocketAddr;
use pingora_core::protocols::l4::stream::Stream;
use pingora_core::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora_core::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};
use pingora_core::{Error, ErrorType, OrErr, Result};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

/// Told to all peers of a profile that ask for a WebSocket, so that none of them takes a connection of others.
const APART: u64 = 0x5eb5_0c4e_7000_0001;

/// How much longer an answer may take that has begun to come in time: between its bytes and the word that they are the answer lies
/// a turn of the scheduler.
const GRACE: Duration = Duration::from_secs(1);

/// Whether the answer to a handshake has come; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Answered(Arc<AtomicBool>);

impl Answered {
    /// From here on the connection may be quiet.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Makes a peer one for a handshake whose answer must come within `left`.
pub fn for_handshake(peer: &mut HttpPeer, websocket: &WebSocket, left: Duration, answered: &Answered) {
    peer.group_key = peer.group_key.rotate_left(1) ^ APART;
    let options = &mut peer.options;
    let connect = options.connection_timeout.unwrap_or(left);
    options.custom_l4 = Some(Arc::new(Connector { connect, left, answered: answered.clone() }));
    options.http_upstream_request_policy = HttpUpstreamRequestPolicy::default();
    options.read_timeout = Some(websocket.silence);
    options.write_timeout = Some(websocket.write_wait);
    options.idle_timeout = Some(Duration::ZERO);
}

#[derive(Debug)]
struct Connector {
    connect: Duration,
    left: Duration,
    answered: Answered,
}

#[async_trait]
impl L4Connect for Connector {
    async fn connect(&self, address: &SocketAddr) -> Result<Stream> {
        let deadline = Instant::now() + self.left;
        let Some(address) = address.as_inet() else {
            return Error::e_explain(ErrorType::InternalError, "no address of the Internet");
        };
        let connected = timeout(self.connect, TcpStream::connect(address)).await;
        let connected = connected.or_err(ErrorType::ConnectTimedout, "connecting for a WebSocket")?;
        let tcp = connected.or_err(ErrorType::ConnectError, "connecting for a WebSocket")?;
        let socket = Bounded {
            tcp,
            timer: Box::pin(sleep_until(deadline)),
            has_begun: false,
            has_written: false,
            answered: self.answered.clone(),
        };
        Ok(Stream::from(VirtualSocketStream::new(Box::new(socket))))
    }
}

/// A TCP stream that cannot be read once the time is over, unless the answer is there.
struct Bounded {
    tcp: TcpStream,
    timer: Pin<Box<Sleep>>,
    /// Whether anything was read.
    has_begun: bool,
    /// Whether anything was written since the last read.
    has_written: bool,
    answered: Answered,
}

impl fmt::Debug for Bounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bounded").field("answered", &self.answered).finish_non_exhaustive()
    }
}

impl VirtualSocket for Bounded {
    fn set_socket_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        match option {
            VirtualSockOpt::NoDelay => self.tcp.set_nodelay(true),
            VirtualSockOpt::KeepAlive(settings) => set_tcp_keepalive(&self.tcp, &settings).map_err(io::Error::other),
            _ => Ok(()),
        }
    }
}

impl AsyncRead for Bounded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.has_written) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let read = Pin::new(&mut self.tcp).poll_read(cx, buffer);
        let awaited = !self.answered.0.load(Ordering::Relaxed);
        if read.is_pending() && awaited && self.timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if read.is_ready() && !self.has_begun {
            self.has_begun = true;
            let extended = self.timer.deadline() + GRACE;
            self.timer.as_mut().reset(extended);
        }
        read
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.has_written = true;
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A bounded stream and its other end.
    async fn pair(left: Duration, answered: &Answered) -> (Bounded, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let tcp = TcpStream::connect(address).await.expect("a connection");
        let (other, _) = listener.accept().await.expect("the same");
        let timer = Box::pin(sleep_until(Instant::now() + left));
        (Bounded { tcp, timer, has_begun: false, has_written: false, answered: answered.clone() }, other)
    }

    #[tokio::test]
    async fn an_answer_is_read_only_after_a_look_at_everything_else() {
        let (mut stream, mut other) = pair(Duration::from_secs(20), &Answered::default()).await;
        other.write_all(b"101").await.expect("room");
        stream.tcp.readable().await.expect("the answer is there");
        stream.write_all(b"GET").await.expect("room");
        let mut bytes = [0; 3];
        let first = tokio::select! {
            biased;
            _ = stream.read_exact(&mut bytes) => "the answer",
            () = std::future::ready(()) => "everything else",
        };
        assert_eq!(first, "everything else");
        stream.read_exact(&mut bytes).await.expect("the answer");
        assert_eq!(&bytes, b"101");
    }

    #[tokio::test]
    async fn the_answer_has_a_deadline_and_the_quiet_after_it_has_none() {
        let (mut stream, _other) = pair(Duration::ZERO, &Answered::default()).await;
        let error = stream.read_u8().await.expect_err("no answer");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let answered = Answered::default();
        answered.set();
        let (mut stream, _other) = pair(Duration::ZERO, &answered).await;
        let quiet = timeout(Duration::from_millis(20), stream.read_u8()).await;
        assert!(quiet.is_err(), "{quiet:?}");
    }
}
