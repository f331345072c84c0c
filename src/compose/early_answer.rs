//! The answer that comes while the body of its request still goes out: an upstream that does not want the body says so, and may
//! never read the rest (RFC 9112 §9.5).
//!
//! Pingora's session of HTTP/1 either writes or reads (`pingora-core/src/protocols/http/v1/client.rs`). So the stream below it looks
//! at what comes in when what goes out has to wait, ends the writing when that refuses the request, and lets the session read it
//! then. In HTTP/2 the session itself can do both (`exchange.rs`).

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use http::StatusCode;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::protocols::http::v1::client::HttpSession as Http1Session;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::tls::{ALPN, SslDigest};
use pingora_core::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream, TimingDigest, UniqueID,
};
use pingora_core::upstreams::peer::HttpPeer;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most that is read ahead: the answer to a request that goes on, for which the session must come.
const MOST: usize = 64 * 1024;

/// Lets a session of HTTP/1, on which nothing has been sent yet, notice such answers.
pub(super) fn attentive(session: HttpSession, peer: &HttpPeer) -> HttpSession {
    match session {
        HttpSession::H1(session) if !session.stream().as_any().is::<Attentive>() => {
            let stream = Attentive { stream: session.into_inner(), early: BytesMut::new(), is_refused: false };
            HttpSession::H1(Http1Session::new_with_options(Box::new(stream), peer))
        }
        // One that is kept was made so before; of HTTP/2 see above.
        other => other,
    }
}

/// Whether the rest of a request need not be sent after such an answer.
pub(super) fn is_refusal(status: StatusCode) -> bool {
    status.as_u16() >= 300
}

/// A stream that reads when it cannot write.
#[derive(Debug)]
struct Attentive {
    stream: Stream,
    /// What was read before the session came for it: the beginning of an answer.
    early: BytesMut,
    /// Nothing more is wanted.
    is_refused: bool,
}

impl Attentive {
    /// What a write says, unless it waits for somebody who has spoken against it.
    fn unless_refused<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_pending() && self.hears_refusal(cx) {
            self.is_refused = true;
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        write
    }

    /// An upstream that has closed its side reads no more, either, whatever it has said before.
    fn hears_refusal(&mut self, cx: &mut Context<'_>) -> bool {
        let mut room = [0; 4096];
        while self.early.len() < MOST {
            let mut buffer = ReadBuf::new(&mut room);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => self.early.extend_from_slice(buffer.filled()),
                Poll::Ready(_) => return true,
                Poll::Pending => break,
            }
        }
        begins_with_refusal(&self.early)
    }
}

/// Whether the first answer that is not interim refuses, or is none at all.
fn begins_with_refusal(mut bytes: &[u8]) -> bool {
    loop {
        let Some(line) = bytes.get(..12) else { return false };
        let status = line.strip_prefix(b"HTTP/1.").and_then(|line| line.get(2..));
        match status.and_then(|status| StatusCode::from_bytes(status).ok()) {
            None => return true,
            Some(status) if !status.is_informational() => return is_refusal(status),
            Some(_) => {}
        }
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
        bytes = bytes.get(end + 4..).unwrap_or_default();
    }
}

impl AsyncRead for Attentive {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let length = self.early.len().min(buffer.remaining());
        buffer.put_slice(self.early.get(..length).unwrap_or_default());
        self.early.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Attentive {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_refused {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.unless_refused(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.unless_refused(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for Attentive {
    async fn shutdown(&mut self) {
        self.stream.shutdown().await;
    }
}

impl UniqueID for Attentive {
    fn id(&self) -> i32 {
        self.stream.id()
    }
}

impl Ssl for Attentive {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.stream.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.stream.selected_alpn_proto()
    }
}

impl GetTimingDigest for Attentive {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.stream.get_timing_digest()
    }
}

impl GetProxyDigest for Attentive {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.stream.get_proxy_digest()
    }
}

impl GetSocketDigest for Attentive {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.stream.get_socket_digest()
    }
}

impl Peek for Attentive {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_final_status_that_is_no_success() {
        for (bytes, refuses) in [
            (&b""[..], false),
            (b"HTTP/1.1 41", false),
            (b"HTTP/1.1 413", true),
            (b"HTTP/1.0 401 Unauthorized\r\n", true),
            (b"HTTP/1.1 307 x\r\n", true),
            (b"HTTP/1.1 200 OK\r\n\r\n", false),
            (b"HTTP/1.1 100 Continue\r\n\r\n", false),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 2", false),
            (b"HTTP/1.1 103 x\r\nA: HTTP/1.1 413\r\n", false),
            (b"HTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 413", true),
            (b"SSH-2.0-porteur\r\n", true),
        ] {
            assert_eq!(begins_with_refusal(bytes), refuses, "{}", bytes.escape_ascii());
        }
    }
}
