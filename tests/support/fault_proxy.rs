//! A TCP proxy that does to connections what networks do: it delays, throttles, resets, ends, stalls and refuses them, as it
//! is told while it runs. It carries bytes and knows nothing of HTTP.

use super::gate::bound;
use super::listener::Listener;
use socket2::{SockRef, Socket};
use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// The way of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From who connected to the server behind the proxy.
    Up,
    /// Back.
    Down,
}

/// What is wrong with every connection, old and new. Where bytes count, they count from when the fault was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Each piece comes so much later, both ways.
    Latency(Duration),
    /// So many bytes a second, each way.
    Rate(usize),
    /// Once so many bytes went that way, both sides get an RST.
    Reset(Way, usize),
    /// Once so many bytes went that way, it ends with a FIN; the other goes on.
    Close(Way, usize),
    /// Once so many bytes went that way, nothing more goes, and nothing ends.
    Stall(Way, usize),
    /// Accepts and says nothing, whatever comes.
    Blackhole,
    /// Answers the first byte with what is no answer in any protocol.
    Garbage,
    /// The port is closed, and what was open is cut.
    Refuse,
}

pub const GARBAGE: &[u8] = b"\x16\x03\x01\0 HTTP?\0\r\r\n\xff\xfe{]\x1b[0m\n\n\r\n";

/// Blocked writers look for an end this often.
const GLANCE: Duration = Duration::from_millis(100);

pub struct FaultProxy {
    /// Bound but never listening: while connections are refused it keeps the port from being given to anybody else.
    _reservation: Socket,
    addr: SocketAddr,
    to: SocketAddr,
    switch: Arc<Switch>,
    listener: Mutex<Option<Listener>>,
}

impl FaultProxy {
    /// A proxy before `to`, without a fault.
    pub fn to(to: SocketAddr) -> Self {
        let reservation = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let addr = reservation.local_addr().unwrap().as_socket().unwrap();
        let proxy = Self { _reservation: reservation, addr, to, switch: Arc::default(), listener: Mutex::default() };
        proxy.set(Fault::None);
        proxy
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `path` begins with a slash, or is empty.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Switches to this fault, for old connections too.
    pub fn set(&self, fault: Fault) {
        self.switch.turn(fault);
        let mut listener = self.listener.lock().unwrap();
        if fault == Fault::Refuse {
            drop(listener.take());
            return;
        }
        let (to, switch) = (self.to, &self.switch);
        listener.get_or_insert_with(|| {
            let socket = bound(self.addr);
            socket.listen(4096).unwrap();
            let switch = switch.clone();
            Listener::on(TcpListener::from(socket), move |client, _| carry(client, to, &switch))
        });
    }

    /// Switches to this fault for the connections that are open now, whatever comes later; new ones have none.
    pub fn doom(&self, fault: Fault) {
        for connection in self.switch.lock().open.values() {
            connection.state.lock().unwrap().own = Some(fault);
        }
        self.set(Fault::None);
    }

    /// Resets every open connection; new ones are welcome.
    pub fn reset_connections(&self) {
        for connection in self.switch.lock().open.values() {
            connection.reset();
        }
    }

    /// How many connections there ever were, refused ones aside.
    pub fn connections(&self) -> usize {
        self.switch.lock().accepted
    }

    /// How many connections there are now.
    pub fn open_connections(&self) -> usize {
        self.switch.lock().open.len()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.set(Fault::Refuse);
        for connection in self.switch.lock().open.values() {
            connection.end();
        }
    }
}

#[derive(Default)]
struct Switch {
    state: Mutex<State>,
    turned: Condvar,
}

struct State {
    fault: Fault,
    /// How often it was turned.
    turns: usize,
    accepted: usize,
    open: HashMap<usize, Connection>,
}

impl Default for State {
    fn default() -> Self {
        Self { fault: Fault::None, turns: 0, accepted: 0, open: HashMap::new() }
    }
}

impl Switch {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn turn(&self, fault: Fault) {
        let mut state = self.lock();
        state.fault = fault;
        state.turns += 1;
        drop(state);
        self.turned.notify_all();
    }

    /// The fault of a connection, and how often faults were switched.
    fn now(&self, connection: &Connection) -> (Fault, usize) {
        let own = connection.state.lock().unwrap().own;
        let state = self.lock();
        (own.unwrap_or(state.fault), state.turns)
    }

    /// Waits so long, or until the fault is another.
    fn wait(&self, turns: usize, time: Duration) {
        let state = self.lock();
        let _ = self.turned.wait_timeout_while(state, time, |state| state.turns == turns).unwrap();
    }
}

/// Both ends of one connection.
struct Connection {
    client: TcpStream,
    server: TcpStream,
    state: Arc<Mutex<Standing>>,
}

#[derive(Default)]
struct Standing {
    over: bool,
    /// A fault of its own.
    own: Option<Fault>,
}

impl Connection {
    /// The threads of the connection leave, and closing it then resets it: nothing waits to be sent any more (`SO_LINGER` 0).
    fn reset(&self) {
        for side in [&self.client, &self.server] {
            let _ = SockRef::from(side).set_linger(Some(Duration::ZERO));
        }
        self.state.lock().unwrap().over = true;
        // This wakes readers and tells the other side nothing.
        for side in [&self.client, &self.server] {
            let _ = side.shutdown(Shutdown::Read);
        }
    }

    fn end(&self) {
        self.state.lock().unwrap().over = true;
        for side in [&self.client, &self.server] {
            let _ = side.shutdown(Shutdown::Both);
        }
    }

    fn is_over(&self) -> bool {
        self.state.lock().unwrap().over
    }

    fn copy(&self) -> Self {
        Self {
            client: self.client.try_clone().unwrap(),
            server: self.server.try_clone().unwrap(),
            state: self.state.clone(),
        }
    }
}

/// Carries one connection. The list of open ones holds copies of its sockets, so it is taken off before they are closed.
fn carry(client: &TcpStream, to: SocketAddr, switch: &Switch) {
    let Ok(server) = TcpStream::connect(to) else { return };
    let Ok(client) = client.try_clone() else { return };
    let _ = server.set_nodelay(true);
    for side in [&client, &server] {
        let _ = side.set_write_timeout(Some(GLANCE));
    }
    let connection = Connection { client, server, state: Arc::default() };
    let number = {
        let mut state = switch.lock();
        let number = state.accepted;
        state.accepted += 1;
        state.open.insert(number, connection.copy());
        number
    };
    thread::scope(|scope| {
        scope.spawn(|| pump(&connection, Way::Up, switch));
        pump(&connection, Way::Down, switch);
    });
    drop(switch.lock().open.remove(&number));
}

/// Carries bytes one way until that way ends.
fn pump(connection: &Connection, way: Way, switch: &Switch) {
    let (mut from, to) = match way {
        Way::Up => (&connection.client, &connection.server),
        Way::Down => (&connection.server, &connection.client),
    };
    let mut meter = Meter { turns: usize::MAX, passed: 0 };
    let mut buffer = [0; 16 * 1024];
    loop {
        let size = match from.read(&mut buffer) {
            Ok(size) if size > 0 && !connection.is_over() => size,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return connection.reset(),
            _ if connection.is_over() => return,
            _ => return drop(to.shutdown(Shutdown::Write)),
        };
        if !meter.pass(connection, way, switch, &buffer[..size]) {
            return;
        }
    }
}

/// How much went one way since the fault was set.
struct Meter {
    turns: usize,
    passed: usize,
}

impl Meter {
    /// Lets a piece pass as the fault of the moment wants it. False when nothing more may follow.
    fn pass(&mut self, connection: &Connection, way: Way, switch: &Switch, mut piece: &[u8]) -> bool {
        while !piece.is_empty() {
            if connection.is_over() {
                return false;
            }
            let (fault, turns) = switch.now(connection);
            if turns != self.turns {
                (self.turns, self.passed) = (turns, 0);
            }
            let left = |limit: usize| limit.saturating_sub(self.passed).min(piece.len());
            let size = match fault {
                Fault::None | Fault::Refuse => piece.len(),
                Fault::Latency(time) => {
                    switch.wait(turns, time);
                    piece.len()
                }
                // Ten pieces a second, so that they are small.
                Fault::Rate(rate) => {
                    let size = (rate / 10).clamp(1, piece.len());
                    switch.wait(turns, Duration::from_secs_f64(size as f64 / rate.max(1) as f64));
                    size
                }
                Fault::Reset(this, limit) | Fault::Close(this, limit) | Fault::Stall(this, limit) if this == way => {
                    left(limit)
                }
                Fault::Reset(..) | Fault::Close(..) | Fault::Stall(..) => piece.len(),
                Fault::Blackhole | Fault::Garbage => 0,
            };
            let (now, rest) = piece.split_at(size);
            if !write(connection, way, now) {
                return false;
            }
            self.passed += size;
            piece = rest;
            if !self.after(connection, way, switch, fault, turns) {
                return false;
            }
        }
        true
    }

    /// What a fault does once its bytes went. False when this way has ended.
    fn after(&self, connection: &Connection, way: Way, switch: &Switch, fault: Fault, turns: usize) -> bool {
        match fault {
            Fault::Reset(this, limit) if this == way && self.passed >= limit => {
                connection.reset();
                false
            }
            Fault::Close(this, limit) if this == way && self.passed >= limit => {
                let to = if way == Way::Up { &connection.server } else { &connection.client };
                let _ = to.shutdown(Shutdown::Write);
                false
            }
            Fault::Stall(this, limit) if this == way && self.passed >= limit => {
                stall(connection, switch, turns);
                true
            }
            Fault::Blackhole => {
                stall(connection, switch, turns);
                true
            }
            Fault::Garbage => {
                let _ = write(connection, Way::Down, GARBAGE);
                connection.end();
                false
            }
            _ => true,
        }
    }
}

fn stall(connection: &Connection, switch: &Switch, turns: usize) {
    while !connection.is_over() && switch.now(connection).1 == turns {
        switch.wait(turns, GLANCE);
    }
}

/// Writes it all, however slowly it is read, unless the connection is over.
fn write(connection: &Connection, way: Way, mut piece: &[u8]) -> bool {
    let mut to = if way == Way::Up { &connection.server } else { &connection.client };
    let end = Instant::now() + super::poll::PATIENCE * 3;
    while !piece.is_empty() {
        match to.write(piece) {
            Ok(size) => piece = &piece[size..],
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Who no longer takes bytes has closed: the other side learns it, too.
            Err(_) => {
                connection.reset();
                return false;
            }
        }
        if connection.is_over() || Instant::now() > end {
            return false;
        }
    }
    true
}
