//! A TCP forwarder in front of a server, so that the server can be "down" (connections refused) and "up" again on the same
//! port while it keeps its state.

use super::listener::Listener;
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread;

pub struct Gate {
    /// Bound but never listening: while the gate is closed it keeps the port from being given to anybody else.
    _reservation: Socket,
    addr: SocketAddr,
    to: SocketAddr,
    listener: Mutex<Option<Listener>>,
}

impl Gate {
    /// An open gate to `to`.
    pub fn to(to: SocketAddr) -> Self {
        let reservation = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let addr = reservation.local_addr().unwrap().as_socket().unwrap();
        let gate = Self { _reservation: reservation, addr, to, listener: Mutex::new(None) };
        gate.open();
        gate
    }

    /// A gate that has not been open yet.
    pub fn closed(to: SocketAddr) -> Self {
        let gate = Self::to(to);
        gate.close();
        gate
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `path` begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Refuses new connections and cuts the open ones.
    pub fn close(&self) {
        drop(self.listener.lock().unwrap().take());
    }

    pub fn open(&self) {
        let to = self.to;
        self.listener.lock().unwrap().get_or_insert_with(|| {
            let socket = bound(self.addr);
            socket.listen(1024).unwrap();
            Listener::on(TcpListener::from(socket), move |stream, _| forward(stream, to))
        });
    }

    /// How many connections came since the gate was last opened.
    pub fn accepted(&self) -> usize {
        self.listener.lock().unwrap().as_ref().map_or(0, Listener::accepted)
    }
}

/// A socket at this address that does not listen yet.
pub fn bound(addr: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&addr.into()).unwrap();
    socket
}

/// The URL of a port that nobody listens on, for as long as the socket is there.
pub fn closed_port() -> (Socket, String) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap().as_socket().unwrap());
    (socket, url)
}

fn forward(client: &TcpStream, to: SocketAddr) {
    if let Ok(server) = TcpStream::connect(to) {
        join(client, &server);
    }
}

/// Carries bytes both ways until both sides have ended.
pub fn join(client: &TcpStream, server: &TcpStream) {
    let _ = server.set_nodelay(true);
    thread::scope(|scope| {
        scope.spawn(|| copy(client, server));
        copy(server, client);
    });
}

/// An end or an error on one side becomes the end of the other.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
