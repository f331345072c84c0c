//! What carries a client's bytes: TCP, or TLS on it, behind bytes that were already read to tell the protocol.

use socket2::SockRef;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A transport, and what was read of it before anybody asked.
pub(super) struct Transport {
    early: Vec<u8>,
    carrier: Carrier,
}

enum Carrier {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// It is somebody else's now.
    Taken,
}

impl Transport {
    /// TCP. `early` was read of it already and comes first.
    pub(super) const fn plain(tcp: TcpStream, early: Vec<u8>) -> Self {
        Self { early, carrier: Carrier::Plain(tcp) }
    }

    /// TLS after its handshake. `early` was read of it already and comes first.
    pub(super) fn protected(tls: TlsStream<TcpStream>, early: Vec<u8>) -> Self {
        Self { early, carrier: Carrier::Tls(Box::new(tls)) }
    }

    /// Takes the connection out; what is left is at its end.
    pub(super) const fn take(&mut self) -> Self {
        std::mem::replace(self, Self { early: Vec::new(), carrier: Carrier::Taken })
    }

    /// Makes the end of the connection a reset. With TLS a missing alert says the same (RFC 8446 §6.1).
    pub(super) fn break_off(&self) {
        if let Carrier::Plain(tcp) = &self.carrier {
            // Where that fails the connection is gone already.
            let _ = SockRef::from(tcp).set_linger(Some(Duration::ZERO));
        }
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.early.is_empty() {
            let length = self.early.len().min(buffer.remaining());
            let later = self.early.split_off(length);
            buffer.put_slice(&std::mem::replace(&mut self.early, later));
            return Poll::Ready(Ok(()));
        }
        match &mut self.carrier {
            Carrier::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Carrier::Tls(tls) => match Pin::new(tls).poll_read(cx, buffer) {
                // The client closed without saying so in TLS. Requests say themselves where they end (RFC 9112 §9.8).
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
                read => read,
            },
            Carrier::Taken => Poll::Ready(Ok(())),
        }
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, parts: [&[u8]; 2]) -> Poll<io::Result<usize>> {
        let [first, second] = parts;
        match &mut self.carrier {
            Carrier::Plain(tcp) if second.is_empty() => Pin::new(tcp).poll_write(cx, first),
            Carrier::Plain(tcp) if first.is_empty() => Pin::new(tcp).poll_write(cx, second),
            Carrier::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, &[IoSlice::new(first), IoSlice::new(second)]),
            Carrier::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, &[IoSlice::new(first), IoSlice::new(second)]),
            Carrier::Taken => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.carrier {
            Carrier::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Carrier::Tls(tls) => Pin::new(tls).poll_flush(cx),
            Carrier::Taken => Poll::Ready(Ok(())),
        }
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.carrier {
            Carrier::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Carrier::Tls(tls) => match Pin::new(&mut *tls).poll_shutdown(cx) {
                // A client that takes nothing does not get the alert of the end either (RFC 8446 §6.1), and is not waited for.
                Poll::Pending => Pin::new(&mut *tls.get_mut().0).poll_shutdown(cx),
                done @ Poll::Ready(_) => done,
            },
            Carrier::Taken => Poll::Ready(Ok(())),
        }
    }
}
