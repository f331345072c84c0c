//! An HTTP/2 server without TLS, by prior knowledge, whose answers the test writes stream by stream.

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{self, Connection, SendResponse};
use http::{HeaderMap, Request, Response};
use socket2::SockRef;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

/// A request whose body is still to come, its number among all of them and that of its connection.
pub struct Stream {
    pub request: Request<RecvStream>,
    pub number: usize,
    pub connection: usize,
    pub respond: SendResponse<Bytes>,
    pub seen: Arc<Seen>,
    /// Told once a GOAWAY of the connection is on its way.
    pub goaway: Arc<Notify>,
}

#[derive(Default)]
pub struct Seen {
    connections: AtomicUsize,
    streams: AtomicUsize,
    at_once: AtomicUsize,
    resets: AtomicUsize,
    heads: Mutex<Vec<(String, String, HeaderMap)>>,
}

/// What becomes of a connection once it has so many streams.
#[derive(Clone, Copy)]
pub enum End {
    Never,
    /// A GOAWAY (RFC 9113 §6.8) that lets the streams that are open come to their end.
    After(usize),
    /// The connection is cut.
    CutAfter(usize),
}

pub struct H2Upstream {
    address: SocketAddr,
    seen: Arc<Seen>,
    runtime: Option<Runtime>,
}

type Answer = Pin<Box<dyn Future<Output = ()> + Send>>;

impl H2Upstream {
    /// `answer` gets each stream in a task of its own.
    pub fn start<F>(answer: impl Fn(Stream) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::ending(End::Never, 250, answer)
    }

    /// The same, with connections that end, and so many streams at once on each.
    pub fn ending<F>(end: End, streams: u32, answer: impl Fn(Stream) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let answer: Arc<dyn Fn(Stream) -> Answer + Send + Sync> = Arc::new(move |stream| Box::pin(answer(stream)));
        runtime.spawn({
            let seen = seen.clone();
            async move {
                while let Ok((tcp, _)) = listener.accept().await {
                    let number = seen.connections.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(serve(tcp, number, end, streams, seen.clone(), answer.clone()));
                }
            }
        });
        Self { address, seen, runtime: Some(runtime) }
    }

    /// Says in each answer which stream of which connection it was, and gives the body back.
    pub fn echo() -> Self {
        Self::start(|mut stream| async move {
            let text = format!("{} {} {}", stream.request.method(), stream.request.uri(), stream.connection);
            let body = stream.body().await;
            let response = Response::builder().header("x-seen", text).body(()).unwrap();
            let mut send = stream.respond.send_response(response, body.is_empty()).unwrap();
            if !body.is_empty() {
                send_all(&mut send, body, true).await;
            }
        })
    }

    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub fn streams(&self) -> usize {
        self.seen.streams.load(Ordering::SeqCst)
    }

    /// Streams that are being answered.
    pub fn at_once(&self) -> usize {
        self.seen.at_once.load(Ordering::SeqCst)
    }

    /// Streams that the client took back.
    pub fn resets(&self) -> usize {
        self.seen.resets.load(Ordering::SeqCst)
    }

    /// Method, target and headers of each request so far.
    pub fn heads(&self) -> Vec<(String, String, HeaderMap)> {
        self.seen.heads.lock().unwrap().clone()
    }
}

impl Drop for H2Upstream {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}

impl Stream {
    /// The whole body.
    pub async fn body(&mut self) -> Bytes {
        let mut all = Vec::new();
        let body = self.request.body_mut();
        while let Some(Ok(piece)) = body.data().await {
            let _ = body.flow_control().release_capacity(piece.len());
            all.extend_from_slice(&piece);
        }
        all.into()
    }

    /// An answer of this text.
    pub fn text(&mut self, status: u16, text: &str) {
        let response = Response::builder().status(status).header("content-length", text.len()).body(()).unwrap();
        let Ok(mut send) = self.respond.send_response(response, text.is_empty()) else { return };
        if !text.is_empty() {
            let _ = send.send_data(Bytes::copy_from_slice(text.as_bytes()), true);
        }
    }

    /// Waits until the client takes the stream back.
    pub async fn until_reset(&mut self) {
        let _ = poll_fn(|cx| self.respond.poll_reset(cx)).await;
        self.seen.resets.fetch_add(1, Ordering::SeqCst);
    }
}

/// Sends as much at a time as the client lets.
pub async fn send_all(send: &mut h2::SendStream<Bytes>, mut body: Bytes, end: bool) {
    while !body.is_empty() {
        send.reserve_capacity(body.len());
        let Some(Ok(room)) = poll_fn(|cx| send.poll_capacity(cx)).await else { return };
        let piece = body.split_to(room.min(body.len()));
        if send.send_data(piece, end && body.is_empty()).is_err() {
            return;
        }
    }
}

async fn serve(
    tcp: TcpStream,
    connection: usize,
    end: End,
    streams: u32,
    seen: Arc<Seen>,
    answer: Arc<dyn Fn(Stream) -> Answer + Send + Sync>,
) {
    let _ = tcp.set_nodelay(true);
    let socket = SockRef::from(&tcp).try_clone().unwrap();
    let handshake = server::Builder::new().max_concurrent_streams(streams).handshake::<_, Bytes>(tcp).await;
    let Ok(mut h2) = handshake else { return };
    let goaway = Arc::new(Notify::new());
    let mut accepted = 0;
    while let Some(Ok((request, respond))) = accept(&mut h2).await {
        accepted += 1;
        let head = (request.method().to_string(), request.uri().to_string(), request.headers().clone());
        seen.heads.lock().unwrap().push(head);
        let number = seen.streams.fetch_add(1, Ordering::SeqCst);
        let stream = Stream { request, number, connection, respond, seen: seen.clone(), goaway: goaway.clone() };
        let (seen, task) = (seen.clone(), answer(stream));
        tokio::spawn(async move {
            seen.at_once.fetch_add(1, Ordering::SeqCst);
            task.await;
            seen.at_once.fetch_sub(1, Ordering::SeqCst);
        });
        match end {
            End::After(count) if accepted == count => {
                h2.graceful_shutdown();
                // Whoever looks at the connection writes what there is to write.
                poll_fn(|cx| Poll::Ready(h2.poll_closed(cx).is_ready())).await;
                goaway.notify_one();
            }
            End::CutAfter(count) if accepted == count => {
                let _ = socket.shutdown(std::net::Shutdown::Both);
                return;
            }
            _ => {}
        }
    }
}

async fn accept(
    h2: &mut Connection<TcpStream, Bytes>,
) -> Option<Result<(Request<RecvStream>, SendResponse<Bytes>), h2::Error>> {
    h2.accept().await
}
