//! An HTTP/1.1 server whose answers the test writes. It records every request, byte for byte, and notes what a strict
//! server would have refused.

use super::listener::Listener;
use super::poll::{self, PATIENCE};
use super::reply::{self, Reply};
use super::wire::{self, Framing, Head, Headers};
use serde_json::json;
use std::collections::VecDeque;
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A request as it came in. `head` is its bytes up to and with the empty line.
#[derive(Debug, Clone)]
pub struct Request {
    /// Among all requests to this server, from 0.
    pub number: usize,
    /// Which connection it came on, from 0.
    pub connection: usize,
    pub head: Vec<u8>,
    pub method: String,
    pub target: String,
    pub version: String,
    pub headers: Headers,
    pub body: Vec<u8>,
    pub trailers: Headers,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as form parameters, in their order.
    pub fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    fn new(connection: usize, head: Head) -> io::Result<Self> {
        let parts: Vec<_> = head.start.split(' ').map(str::to_owned).collect();
        let [method, target, version] =
            <[String; 3]>::try_from(parts).map_err(|parts| wire::bad(format!("request line {:?}", parts.join(" "))))?;
        let (body, trailers) = Default::default();
        Ok(Self {
            number: 0,
            connection,
            head: head.raw,
            method,
            target,
            version,
            headers: head.headers,
            body,
            trailers,
        })
    }
}

pub struct Upstream {
    listener: Listener,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<Request>>,
    heads: AtomicUsize,
    body_bytes: AtomicUsize,
    in_flight: AtomicUsize,
    max_in_flight: AtomicUsize,
    violations: Mutex<Vec<String>>,
}

impl Upstream {
    /// `answer` runs in the thread of the connection and may wait.
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::listening(Listener::start, answer)
    }

    /// The same on a socket that listens already.
    pub fn on(socket: TcpListener, answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::listening(|serve| Listener::on(socket, serve), answer)
    }

    fn listening(
        listen: impl FnOnce(Box<dyn Fn(&TcpStream, usize) + Send + Sync>) -> Listener,
        answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Seen::default());
        let listener = listen(Box::new({
            let seen = seen.clone();
            move |stream: &TcpStream, number| {
                if let Err(error) = serve(stream, number, &seen, &answer) {
                    seen.note(&error);
                }
            }
        }));
        Self { listener, seen }
    }

    /// Gives these replies in their order, then closes every connection that asks for more.
    pub fn sequence(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies = Mutex::new(replies.into_iter().collect::<VecDeque<_>>());
        Self::start(move |_| replies.lock().unwrap().pop_front().unwrap_or_else(Reply::close))
    }

    /// Answers every request with what it saw, as JSON: method, target, headers (a list of pairs), body, connection.
    pub fn echo() -> Self {
        Self::start(|request| {
            let body = request.text();
            let seen = json!({
                "method": request.method, "target": request.target, "headers": request.headers.0, "body": body,
                "connection": request.connection,
            });
            Reply::json(200, &seen)
        })
    }

    pub fn addr(&self) -> SocketAddr {
        self.listener.addr()
    }

    /// Scheme, address and port, as a `host` of a configuration.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// All complete requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// The only request there was.
    #[track_caller]
    pub fn only_request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "one request was expected: {requests:#?}");
        requests.into_iter().next().unwrap()
    }

    #[track_caller]
    pub fn wait_for_requests(&self, count: usize) -> Vec<Request> {
        poll::eventually(PATIENCE, "requests at the upstream", || self.seen.requests.lock().unwrap().len() >= count);
        self.requests()
    }

    /// How many heads have been read, with or without their body.
    pub fn heads(&self) -> usize {
        self.seen.heads.load(Ordering::SeqCst)
    }

    /// How many body bytes have arrived (with the framing of chunks), in whole and unfinished requests.
    pub fn body_bytes(&self) -> usize {
        self.seen.body_bytes.load(Ordering::SeqCst)
    }

    /// The most requests that were being answered at one time.
    pub fn max_in_flight(&self) -> usize {
        self.seen.max_in_flight.load(Ordering::SeqCst)
    }

    /// How many connections there ever were.
    pub fn connections(&self) -> usize {
        self.listener.accepted()
    }

    pub fn open_connections(&self) -> usize {
        self.listener.open()
    }

    pub fn close_connections(&self) {
        self.listener.close_connections();
    }

    /// Why a strict server would have refused what came in. Empty after every test that sends nothing malformed.
    pub fn violations(&self) -> Vec<String> {
        self.seen.violations.lock().unwrap().clone()
    }
}

impl Seen {
    /// A connection that ends is no violation, a message that is not HTTP is.
    fn note(&self, error: &io::Error) {
        if error.kind() == ErrorKind::InvalidData {
            self.violations.lock().unwrap().push(error.to_string());
        }
    }

    fn enter(&self) -> InFlight<'_> {
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.max_in_flight.fetch_max(now, Ordering::SeqCst);
        InFlight(self)
    }
}

struct InFlight<'a>(&'a Seen);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

fn serve(stream: &TcpStream, number: usize, seen: &Seen, answer: &impl Fn(&Request) -> Reply) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(head) = wire::read_head(&mut reader)? {
        seen.heads.fetch_add(1, Ordering::SeqCst);
        let mut request = Request::new(number, head)?;
        read_body(&mut request, &mut reader, stream, seen)?;
        let _in_flight = seen.enter();
        {
            let mut requests = seen.requests.lock().unwrap();
            request.number = requests.len();
            requests.push(request.clone());
        }
        let reply = answer(&request);
        if !reply::write(stream, reply, &request)? {
            break;
        }
    }
    Ok(())
}

fn read_body(
    request: &mut Request,
    reader: &mut BufReader<&TcpStream>,
    mut stream: &TcpStream,
    seen: &Seen,
) -> io::Result<()> {
    let framing = Framing::of_request(&request.headers)?;
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut counted = BufReader::with_capacity(1, Counted { inner: reader, count: &seen.body_bytes });
    (request.body, request.trailers) = wire::read_body(&mut counted, framing)?;
    Ok(())
}

/// Counts what passes. Wrapped with a buffer of one byte so that nothing of the next request is taken.
struct Counted<'a, R> {
    inner: R,
    count: &'a AtomicUsize,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.inner.read(buffer)?;
        self.count.fetch_add(size, Ordering::SeqCst);
        Ok(size)
    }
}
