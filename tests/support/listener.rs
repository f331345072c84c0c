//! A TCP listener on a port of the system's choice that serves each connection in a thread of its own. Dropping it refuses
//! new connections and cuts the open ones.

use socket2::SockRef;
use std::collections::HashMap;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

pub struct Listener {
    socket: TcpListener,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stopping: AtomicBool,
    streams: Mutex<Streams>,
}

#[derive(Default)]
struct Streams {
    accepted: usize,
    open: HashMap<usize, TcpStream>,
}

impl Listener {
    /// `serve` gets each connection and its number, from 0; when it returns, the connection is closed.
    pub fn start(serve: impl Fn(&TcpStream, usize) + Send + Sync + 'static) -> Self {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        // The standard library's backlog is 128; a thousand clients at once would find it full and lose a second each.
        SockRef::from(&socket).listen(4096).unwrap();
        Self::on(socket, serve)
    }

    /// The same on a socket that listens already.
    pub fn on(socket: TcpListener, serve: impl Fn(&TcpStream, usize) + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let accepting = thread::spawn({
            let (socket, shared) = (socket.try_clone().unwrap(), shared.clone());
            move || accept(&socket, &shared, &Arc::new(serve))
        });
        Self { socket, shared, accepting: Some(accepting) }
    }

    pub fn addr(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// How many connections there ever were.
    pub fn accepted(&self) -> usize {
        self.shared.streams.lock().unwrap().accepted
    }

    /// How many connections there are now.
    pub fn open(&self) -> usize {
        self.shared.streams.lock().unwrap().open.len()
    }

    /// Cuts all connections; new ones are welcome.
    pub fn close_connections(&self) {
        for stream in self.shared.streams.lock().unwrap().open.values() {
            // One that its peer has already ended needs nothing.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Closing alone is not enough: a process that another test is just starting holds a copy of every socket until it
        // executes its program, and with it the port would go on listening. Linux also wakes the accepting thread here.
        let _ = SockRef::from(&self.socket).shutdown(Shutdown::Both);
        // Elsewhere a connection does. Not on Linux, where the port may be somebody else's by now.
        #[cfg(not(target_os = "linux"))]
        let _ = TcpStream::connect(self.addr());
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
        self.close_connections();
    }
}

fn accept<F: Fn(&TcpStream, usize) + Send + Sync + 'static>(
    socket: &TcpListener,
    shared: &Arc<Shared>,
    serve: &Arc<F>,
) {
    loop {
        let accepted = socket.accept();
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        // A client may be gone before it is accepted.
        let Ok((stream, _)) = accepted else { continue };
        // What is written should leave at once: tests look at the pieces.
        let _ = stream.set_nodelay(true);
        let number = shared.admit(&stream);
        let (shared, serve) = (shared.clone(), serve.clone());
        thread::spawn(move || {
            let _leaving = Leaving { shared, number };
            serve(&stream, number);
        });
    }
}

impl Shared {
    fn admit(&self, stream: &TcpStream) -> usize {
        let mut streams = self.streams.lock().unwrap();
        let number = streams.accepted;
        streams.accepted += 1;
        streams.open.insert(number, stream.try_clone().unwrap());
        number
    }
}

/// Takes a connection off the list, even when serving it panicked: the list holds a copy of the socket, which would keep
/// the connection open.
struct Leaving {
    shared: Arc<Shared>,
    number: usize,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Ok(mut streams) = self.shared.streams.lock() {
            streams.open.remove(&self.number);
        }
    }
}
