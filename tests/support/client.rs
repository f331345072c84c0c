//! An HTTP/1.1 client that sends exactly the bytes it is given and reads strictly what comes back.

use super::poll::PATIENCE;
use super::wire::{self, Framing, Headers};
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub reason: String,
    pub headers: Headers,
    pub body: Vec<u8>,
    pub trailers: Headers,
    /// The bytes of the head, up to and with the empty line.
    pub head: Vec<u8>,
    /// The statuses of the interim answers before it.
    pub interim: Vec<u16>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of a metric, named with its labels as in the exposition; 0 when it is not there.
    #[track_caller]
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }
}

/// Sends a request on a connection of its own and reads the answer.
#[track_caller]
pub fn send(addr: SocketAddr, request: impl AsRef<[u8]>) -> Response {
    Connection::open(addr).request(request)
}

/// Like [`send`], where no answer is a possible outcome.
pub fn try_send(addr: SocketAddr, request: impl AsRef<[u8]>) -> io::Result<Response> {
    let mut connection = Connection::try_open(addr)?;
    connection.try_write(&request)?;
    connection.try_response(is_head(request.as_ref()))
}

#[track_caller]
pub fn get(addr: SocketAddr, target: &str) -> Response {
    send(addr, request("GET", target, &[("Host", &addr.to_string())], b""))
}

#[track_caller]
pub fn post(addr: SocketAddr, target: &str, body: impl AsRef<[u8]>) -> Response {
    send(addr, request("POST", target, &[("Host", &addr.to_string())], body.as_ref()))
}

/// The bytes of an ordinary request; a body gets its Content-Length. The host is `porteur.test` unless the headers name one.
pub fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str("Host: porteur.test\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// A connection that is kept. Reads give up after [`PATIENCE`].
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    #[track_caller]
    pub fn open(addr: SocketAddr) -> Self {
        Self::try_open(addr).unwrap_or_else(|error| panic!("cannot connect to {addr}: {error}"))
    }

    pub fn try_open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a request and reads its answer.
    #[track_caller]
    pub fn request(&mut self, request: impl AsRef<[u8]>) -> Response {
        // A server may answer and close before it has read everything: the answer is still there to be read.
        let written = self.try_write(&request);
        self.try_response(is_head(request.as_ref()))
            .unwrap_or_else(|error| panic!("no answer: {error}; writing the request: {written:?}"))
    }

    #[track_caller]
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_write(&bytes).expect("the server takes the bytes");
    }

    pub fn try_write(&mut self, bytes: &impl AsRef<[u8]>) -> io::Result<()> {
        self.0.get_mut().write_all(bytes.as_ref())
    }

    /// Reads the answer to a request that was not HEAD.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.try_response(false).unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    pub fn try_response(&mut self, to_head: bool) -> io::Result<Response> {
        let mut response = self.try_head()?;
        self.try_body(&mut response, to_head)?;
        Ok(response)
    }

    /// Reads the rest of an answer whose head is here.
    pub fn try_body(&mut self, response: &mut Response, to_head: bool) -> io::Result<()> {
        // After a switch of protocols what follows is not HTTP; take it with [`Connection::read`].
        if response.status != 101 {
            let framing = Framing::of_response(&response.headers, response.status, to_head)?;
            (response.body, response.trailers) = wire::read_body(&mut self.0, framing)?;
        }
        Ok(())
    }

    /// Reads the head only; the body is then up to [`Connection::chunk`] or [`Connection::read`].
    #[track_caller]
    pub fn head(&mut self) -> Response {
        self.try_head().unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    pub fn try_head(&mut self) -> io::Result<Response> {
        let mut interim = Vec::new();
        loop {
            let head = wire::read_head(&mut self.0)?.ok_or(ErrorKind::UnexpectedEof)?;
            let (status, reason) = status_line(&head.start)?;
            if (100..200).contains(&status) && status != 101 {
                interim.push(status);
                continue;
            }
            let (body, trailers) = Default::default();
            return Ok(Response { status, reason, headers: head.headers, body, trailers, head: head.raw, interim });
        }
    }

    /// The next chunk of a chunked body; `None` after the last one.
    #[track_caller]
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let chunk = wire::read_chunk(&mut self.0).expect("a chunk");
        if chunk.is_none() {
            wire::read_trailers(&mut self.0).expect("the end of the chunked body");
        }
        chunk
    }

    /// Exactly so many bytes.
    #[track_caller]
    pub fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).unwrap_or_else(|error| panic!("{count} bytes were expected: {error}"));
        bytes
    }

    /// Everything until the server closes, which it must do in time. A reset counts as the end.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<u8> {
        self.try_rest().unwrap_or_else(|error| panic!("the connection stays open: {error}"))
    }

    pub fn try_rest(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error),
            _ => Ok(bytes),
        }
    }

    /// The server closes without another byte.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        let rest = self.rest();
        assert!(rest.is_empty(), "more bytes before the end: {:?}", String::from_utf8_lossy(&rest));
    }

    /// The server closes without another byte, and without a reset.
    #[track_caller]
    pub fn expect_end(&mut self) {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).unwrap_or_else(|error| panic!("no orderly end: {error}"));
        assert!(bytes.is_empty(), "more bytes before the end: {:?}", String::from_utf8_lossy(&bytes));
    }

    /// Ends our direction; the server may still answer.
    pub fn finish_writing(&self) {
        let _ = self.0.get_ref().shutdown(Shutdown::Write);
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.0.get_ref().local_addr().unwrap()
    }
}

fn is_head(request: &[u8]) -> bool {
    request.starts_with(b"HEAD ")
}

fn status_line(line: &str) -> io::Result<(u16, String)> {
    let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
    let (status, reason) = rest.map(|rest| rest.split_once(' ').unwrap_or((rest, ""))).unwrap_or_default();
    let status = (status.len() == 3).then(|| status.parse().ok()).flatten();
    Ok((status.ok_or_else(|| wire::bad(format!("status line {line:?}")))?, reason.to_owned()))
}
