//! A client's connection as Pingora's HTTP server reads and writes it.
//!
//! What comes in is followed ([`Inbound`], [`Http2`]), what goes out is gathered ([`Outbound`]). A request's head that must not
//! pass is answered here: Pingora sees a connection that ends, and no hook is called.

use crate::downstream::connections::Place;
use crate::downstream::edge::Edge;
use crate::downstream::http2::{Http2, Parting};
use crate::downstream::inbound::{Inbound, Refused};
use crate::downstream::linger::{Linger, linger};
use crate::downstream::outbound::Outbound;
use crate::downstream::patience::Patience;
use crate::downstream::refusal::Refusal;
use crate::downstream::transport::Transport;
use crate::telemetry::metrics::Cut;
use async_trait::async_trait;
use pingora_core::protocols::l4::socket::SocketAddr as PingoraAddr;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::tls::{ALPN, SslDigest};
use pingora_core::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, IO, Peek, Shutdown, SocketDigest, Ssl, TimingDigest, UniqueID,
};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

/// What is known of a connection when its first request comes.
pub(super) struct Opened {
    pub transport: Transport,
    /// Where the client is: the other end, or whom a trusted proxy names.
    pub client: SocketAddr,
    /// The descriptor, for Pingora to tell connections apart.
    pub descriptor: i32,
    /// How its TLS is, if it has any.
    pub tls: Option<Arc<SslDigest>>,
    /// Whether it speaks HTTP/2.
    pub is_http2: bool,
}

/// The connection.
pub struct ClientStream {
    transport: Transport,
    /// What comes in by HTTP/1.
    inbound: Option<Inbound>,
    /// A connection of HTTP/2, where [`Self::inbound`] is `None`.
    http2: Option<Box<Http2>>,
    outbound: Outbound,
    patience: Patience,
    /// Pingora is in the middle of a write.
    is_mid_write: bool,
    /// Our direction is closed: nothing follows the last answer.
    is_shut: bool,
    ending: Ending,
    edge: Arc<Edge>,
    place: Arc<Place>,
    client: SocketAddr,
    descriptor: i32,
    socket: Arc<SocketDigest>,
    tls: Option<Arc<SslDigest>>,
}

/// How far the end of a connection is that we end.
enum Ending {
    NotYet,
    /// The answer, or the farewell, is being sent.
    Answering {
        /// Nothing was under way, so nothing is lost if nothing more is read.
        is_idle: bool,
    },
    /// It is sent; the client may still be sending.
    Lingering(Linger),
    Over,
}

impl Ending {
    const fn is_to_come(&self) -> bool {
        matches!(self, Self::NotYet)
    }
}

impl ClientStream {
    pub(super) fn new(opened: Opened, edge: Arc<Edge>, place: Place) -> Self {
        let Opened { transport, client, descriptor, tls, is_http2 } = opened;
        let socket = SocketDigest::from_raw_fd(descriptor);
        // Pingora would ask the system, for each connection, and does not know of proxies.
        let _ = socket.peer_addr.set(Some(PingoraAddr::Inet(client)));
        Self {
            transport,
            inbound: (!is_http2).then(|| Inbound::new(&edge)),
            http2: is_http2.then(|| Box::new(Http2::new(&edge))),
            outbound: Outbound::new(edge.send_pace()),
            patience: Patience::new(),
            is_mid_write: false,
            is_shut: false,
            ending: Ending::NotYet,
            edge,
            place: Arc::new(place),
            client,
            descriptor,
            socket: Arc::new(socket),
            tls,
        }
    }

    /// The connection behind a session's stream, which is always one of ours on a listener of ours.
    #[must_use]
    pub fn of(stream: &dyn IO) -> Option<&Self> {
        stream.as_any().downcast_ref()
    }

    /// The head of the answer to the request under way must be there by then; `None`: it is there. Past it reads from the client
    /// fail.
    pub fn answer_by(&self, by: Option<std::time::Instant>) {
        self.patience.set(by.map(Into::into));
    }

    /// Whether it was not there in time, or the whole answer was not by `write_timeout`, and not for want of a client that
    /// takes it.
    #[must_use]
    pub fn is_overdue(&self) -> bool {
        self.patience.is_over() || self.outbound.is_late()
    }

    /// The answer under way is not whole, and its end is the end of the connection: that must not look like one (RFC 9112 §8).
    pub fn break_off(&self) {
        self.transport.break_off();
    }

    /// The sender of what tells Pingora to end the connection, if it is one of HTTP/2.
    pub(super) fn ending(&self) -> Option<watch::Sender<bool>> {
        self.http2.as_ref().map(|http2| http2.ending())
    }

    /// The request under way is through with, to the end of its body.
    pub(super) fn finish_request(&self) {
        self.inbound.iter().for_each(Inbound::finish_one);
    }

    /// Requests that were answered before the one under way.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.inbound.as_ref().map_or(0, Inbound::finished)
    }

    /// Why the body of the request under way ended early, if that is the client's fault.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        self.inbound.as_ref().and_then(Inbound::refusal)
    }

    fn refused(&self) -> Option<Refused> {
        self.inbound.as_ref().and_then(Inbound::refused)
    }

    /// Bytes for Pingora, until there is a refusal.
    fn poll_followed(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(inbound) = &mut self.inbound else { return self.poll_frames(cx, buffer) };
        let before = buffer.filled().len();
        match self.transport.poll_read(cx, buffer) {
            Poll::Pending => {
                if self.patience.poll_over(cx).is_ready() {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                if inbound.is_idle() && self.place.presence().is_to_leave(cx) {
                    return Poll::Ready(Ok(()));
                }
                inbound.poll_overdue(cx, &self.edge).map(Ok)
            }
            Poll::Ready(Ok(())) => {
                let came = buffer.filled().get(before..).unwrap_or_default();
                if came.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                let heads = inbound.heads();
                let passed = inbound.take(came, &self.edge);
                if inbound.heads() != heads {
                    self.place.presence().is_busy();
                }
                buffer.set_filled(before + passed);
                Poll::Ready(Ok(()))
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }

    /// Bytes of HTTP/2 for Pingora, until the connection is to end.
    fn poll_frames(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let Some(http2) = self.http2.as_mut().filter(|_| self.ending.is_to_come()) else { return self.poll_ended(cx) };
        let parting = match self.transport.poll_read(cx, buffer) {
            Poll::Pending => ready!(http2.poll_parting(cx, self.place.presence())),
            Poll::Ready(Ok(())) => {
                let came = buffer.filled().get(before..).unwrap_or_default();
                match http2.take(came, self.place.presence()) {
                    Ok(()) => return Poll::Ready(Ok(())),
                    Err(parting) => parting,
                }
            }
            failed @ Poll::Ready(Err(_)) => {
                http2.leave();
                return failed;
            }
        };
        buffer.set_filled(before);
        self.ending = Ending::Answering { is_idle: parting == Parting::Leave };
        if let Some(farewell) = http2.part(parting) {
            // It is short, and waits for the flush.
            let _ = ready!(self.outbound.poll_write(&mut self.transport, cx, &farewell));
        }
        self.poll_ended(cx)
    }

    /// The end of a connection whose request was refused: its answer, then nothing.
    fn poll_refused(&mut self, refused: Refused, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(inbound) = self.inbound.as_mut().filter(|_| self.ending.is_to_come()) else {
            return self.poll_ended(cx);
        };
        if !inbound.is_its_turn(refused) {
            // Pingora, which only looks whether the client leaves, reads again for the next request.
            ready!(self.patience.poll_over(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.edge.connections.metrics().cut(Cut::Refused);
        if refused.in_body {
            self.ending = Ending::Over;
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, refused.why)));
        }
        self.edge.refused(refused.why, self.client.ip().to_canonical(), inbound.age());
        let (answer, _) = inbound.answering();
        self.outbound.begin(answer, self.edge.answer_end(Instant::now()));
        self.ending = Ending::Answering { is_idle: false };
        // It is short, and waits for the flush.
        let answer = refused.why.answer(self.edge.return_error_msg);
        let _ = ready!(self.outbound.poll_write(&mut self.transport, cx, &answer));
        self.poll_ended(cx)
    }

    /// The end of a connection that has been told why: what it was told leaves, then there is nothing.
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.ending {
                Ending::Answering { is_idle } => {
                    let is_idle = *is_idle;
                    let sent = ready!(self.outbound.poll_flush(&mut self.transport, cx));
                    let closed = sent.and(ready!(self.transport.poll_shutdown(cx)));
                    let lingers = closed.is_ok() && !is_idle;
                    self.ending = if lingers { Ending::Lingering(Linger::begin()) } else { Ending::Over };
                }
                Ending::Lingering(linger) => {
                    ready!(linger.poll_done(&mut self.transport, cx));
                    self.ending = Ending::Over;
                }
                Ending::NotYet | Ending::Over => return Poll::Ready(Ok(())),
            }
        }
    }

    /// A write of HTTP/2 has left, or cannot.
    fn note_frames(&mut self, written: &Poll<io::Result<usize>>, data: &[u8], cx: &Context<'_>) {
        match (&mut self.http2, written) {
            (Some(http2), Poll::Ready(Ok(length))) => http2.sent(data.get(..*length).unwrap_or_default(), cx),
            (Some(http2), Poll::Ready(Err(_))) => http2.leave(),
            _ => {}
        }
    }

    fn note_timeout(&self, written: &Poll<io::Result<impl Sized>>) {
        if let Poll::Ready(Err(error)) = written
            && error.kind() == io::ErrorKind::TimedOut
        {
            let cut = if self.outbound.is_late() { Cut::SlowAnswer } else { Cut::SlowReader };
            self.edge.connections.metrics().cut(cut);
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        if let Some(refused) = stream.refused() {
            return stream.poll_refused(refused, cx);
        }
        let before = buffer.filled().len();
        let read = ready!(stream.poll_followed(cx, buffer));
        match stream.refused() {
            // What may pass goes first.
            Some(refused) if read.is_ok() && buffer.filled().len() == before => stream.poll_refused(refused, cx),
            _ => Poll::Ready(read),
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        if !stream.is_mid_write
            && let Some(inbound) = &mut stream.inbound
        {
            let (answer, since) = inbound.answering();
            stream.outbound.begin(answer, stream.edge.answer_end(since));
            match inbound.see_answer(data) {
                Ok(false) => {}
                Ok(true) => stream.outbound.never_ends(),
                Err(violation) => return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, violation))),
            }
        }
        if stream.http2.is_some() && !stream.ending.is_to_come() {
            // Nothing follows the farewell.
            return Poll::Ready(Ok(data.len()));
        }
        let written = stream.outbound.poll_write(&mut stream.transport, cx, data);
        stream.note_frames(&written, data, cx);
        if let Poll::Ready(Ok(length)) = &written {
            stream.is_mid_write = *length < data.len();
        }
        stream.note_timeout(&written);
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        let flushed = stream.outbound.poll_flush(&mut stream.transport, cx);
        if let (Some(http2), Poll::Ready(Err(_))) = (&mut stream.http2, &flushed) {
            http2.leave();
        }
        stream.note_timeout(&flushed);
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        ready!(stream.outbound.poll_flush(&mut stream.transport, cx))?;
        let shut = ready!(stream.transport.poll_shutdown(cx));
        stream.is_shut = shut.is_ok();
        Poll::Ready(shut)
    }
}

#[async_trait]
impl Shutdown for ClientStream {
    async fn shutdown(&mut self) {
        let _ = poll_fn(|cx| Pin::new(&mut *self).poll_shutdown(cx)).await;
    }
}

impl Drop for ClientStream {
    /// Pingora drops a connection as soon as it has shut it. The request is through with by then, so that nobody waits for what
    /// is left here but its place.
    fn drop(&mut self) {
        if !self.is_shut || self.inbound.is_none() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let (mut transport, place) = (self.transport.take(), self.place.clone());
        runtime.spawn(async move {
            linger(&mut transport).await;
            drop(place);
        });
    }
}

impl UniqueID for ClientStream {
    fn id(&self) -> i32 {
        self.descriptor
    }
}

impl Ssl for ClientStream {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.tls.clone()
    }

    /// Pingora takes this for the protocol to speak, also where there is no TLS.
    fn selected_alpn_proto(&self) -> Option<ALPN> {
        Some(if self.inbound.is_none() { ALPN::H2 } else { ALPN::H1 })
    }
}

impl GetTimingDigest for ClientStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for ClientStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for ClientStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(self.socket.clone())
    }
}

impl Peek for ClientStream {}

impl fmt::Debug for ClientStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientStream").field("client", &self.client).finish_non_exhaustive()
    }
}
