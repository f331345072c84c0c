//! A forward proxy before everything that listens on loopback, and before nothing else. It speaks HTTP CONNECT (RFC 9110
//! §9.3.6) or SOCKS5 (RFC 1928, RFC 1929), records what it is asked for, and refuses when told to.

use super::gate;
use super::listener::Listener;
use super::poll::PATIENCE;
use super::wire::{self, Headers};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::collections::HashMap;
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

pub struct ForwardProxy {
    listener: Listener,
    scheme: &'static str,
    desk: Arc<Desk>,
}

/// What a client wanted, whether it got it or not.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `host:port`, with the host as the client gave it: a name, which then it has not looked up, or an address. Empty when
    /// a SOCKS client did not get past its login.
    pub target: String,
    /// `user:password`
    pub login: Option<String>,
    /// The lines of a CONNECT request; none with SOCKS.
    pub headers: Headers,
}

#[derive(Default)]
struct Desk {
    rules: Mutex<Rules>,
    asked: Mutex<Vec<Asked>>,
    tunnels: AtomicUsize,
    violations: Mutex<Vec<String>>,
}

#[derive(Default)]
struct Rules {
    names: HashMap<String, SocketAddr>,
    login: Option<String>,
    refusing: bool,
}

enum Refusal {
    Login,
    Rule,
    Unreachable,
}

impl ForwardProxy {
    pub fn connect() -> Self {
        Self::start("http", connect)
    }

    pub fn socks5() -> Self {
        Self::start("socks5", socks5)
    }

    fn start(scheme: &'static str, serve: fn(&TcpStream, &Desk) -> io::Result<()>) -> Self {
        let desk = Arc::new(Desk::default());
        let listener = Listener::start({
            let desk = desk.clone();
            move |client, _| {
                if let Err(error) = serve(client, &desk) {
                    desk.note(&error);
                }
            }
        });
        Self { listener, scheme, desk }
    }

    /// Leads this host to that address, whatever the port asked for.
    pub fn knowing(self, host: &str, addr: SocketAddr) -> Self {
        self.desk.rules.lock().unwrap().names.insert(host.to_owned(), addr);
        self
    }

    /// Serves only who presents these: 407 with CONNECT, no login or a failed one with SOCKS.
    pub fn demanding(self, user: &str, password: &str) -> Self {
        self.desk.rules.lock().unwrap().login = Some(format!("{user}:{password}"));
        self
    }

    /// Serves nobody, from now on or no longer: 403 with CONNECT, "not allowed" with SOCKS. What runs goes on.
    pub fn refuse(&self, refusing: bool) {
        self.desk.rules.lock().unwrap().refusing = refusing;
    }

    pub fn addr(&self) -> SocketAddr {
        self.listener.addr()
    }

    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.addr())
    }

    /// The same with credentials in it, written as they are.
    pub fn url_with(&self, user: &str, password: &str) -> String {
        format!("{}://{user}:{password}@{}", self.scheme, self.addr())
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.desk.asked.lock().unwrap().clone()
    }

    /// The targets of [`ForwardProxy::asked`].
    pub fn targets(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.target).collect()
    }

    /// How many of them were led to their target.
    pub fn tunnels(&self) -> usize {
        self.desk.tunnels.load(Ordering::SeqCst)
    }

    pub fn connections(&self) -> usize {
        self.listener.accepted()
    }

    /// Why a strict proxy would have refused what came in, or what this one does not do: anything but CONNECT.
    pub fn violations(&self) -> Vec<String> {
        self.desk.violations.lock().unwrap().clone()
    }
}

impl Desk {
    /// Decides about a wish and connects to its target.
    fn fulfil(&self, asked: Asked) -> Result<TcpStream, Refusal> {
        self.asked.lock().unwrap().push(asked.clone());
        let addr = {
            let rules = self.rules.lock().unwrap();
            if !rules.lets_in(asked.login.as_ref()) {
                return Err(Refusal::Login);
            }
            if rules.refusing {
                return Err(Refusal::Rule);
            }
            rules.address(&asked.target).ok_or(Refusal::Unreachable)?
        };
        let server = TcpStream::connect_timeout(&addr, PATIENCE).map_err(|_| Refusal::Unreachable)?;
        self.tunnels.fetch_add(1, Ordering::SeqCst);
        Ok(server)
    }

    /// A connection that ends is no violation, a message that is not of the protocol is.
    fn note(&self, error: &io::Error) {
        if error.kind() == ErrorKind::InvalidData {
            self.violations.lock().unwrap().push(error.to_string());
        }
    }
}

impl Rules {
    fn lets_in(&self, login: Option<&String>) -> bool {
        self.login.is_none() || self.login.as_ref() == login
    }

    fn address(&self, target: &str) -> Option<SocketAddr> {
        let (host, port) = target.rsplit_once(':')?;
        if let Some(addr) = self.names.get(host) {
            return Some(*addr);
        }
        let host = if host == "localhost" { "127.0.0.1" } else { host.trim_matches(['[', ']']) };
        let ip: IpAddr = host.parse().ok()?;
        // Nothing that a test does may leave this machine.
        ip.is_loopback().then_some(SocketAddr::new(ip, port.parse().ok()?))
    }
}

fn connect(mut client: &TcpStream, desk: &Desk) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    // A buffer of one byte takes nothing of what belongs into the tunnel.
    let Some(head) = wire::read_head(&mut BufReader::with_capacity(1, client))? else { return Ok(()) };
    let Some(target) = head.start.strip_prefix("CONNECT ").and_then(|rest| rest.strip_suffix(" HTTP/1.1")) else {
        client.write_all(b"HTTP/1.1 405 Method Not Allowed\r\nAllow: CONNECT\r\nContent-Length: 0\r\n\r\n")?;
        return Err(wire::bad(format!("not CONNECT: {:?}", head.start)));
    };
    let login = head.headers.get("proxy-authorization").and_then(basic);
    match desk.fulfil(Asked { target: target.to_owned(), login, headers: head.headers }) {
        Ok(server) => {
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            tunnel(client, &server)
        }
        Err(refusal) => {
            let status = match refusal {
                Refusal::Login => "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\"",
                Refusal::Rule => "403 Forbidden",
                Refusal::Unreachable => "502 Bad Gateway",
            };
            client.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes())
        }
    }
}

fn basic(header: &str) -> Option<String> {
    let (scheme, value) = header.split_once(' ')?;
    let bytes = scheme.eq_ignore_ascii_case("basic").then(|| BASE64_STANDARD.decode(value).ok()).flatten()?;
    String::from_utf8(bytes).ok()
}

fn socks5(mut client: &TcpStream, desk: &Desk) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let Some(login) = socks5_login(client, desk)? else { return Ok(()) };
    let [version, command, _, kind] = take(client)?;
    if [version, command] != [5, 1] {
        return Err(wire::bad(format!("SOCKS version {version}, command {command}")));
    }
    let host = match kind {
        1 => Ipv4Addr::from(take(client)?).to_string(),
        3 => sized(client)?,
        4 => format!("[{}]", Ipv6Addr::from(take::<16>(client)?)),
        _ => return Err(wire::bad(format!("SOCKS address of type {kind}"))),
    };
    let target = format!("{host}:{}", u16::from_be_bytes(take(client)?));
    let (reply, server) = match desk.fulfil(Asked { target, login, headers: Headers::default() }) {
        Ok(server) => (0, Some(server)),
        Err(Refusal::Login | Refusal::Rule) => (2, None),
        Err(Refusal::Unreachable) => (4, None),
    };
    client.write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0])?;
    server.map_or(Ok(()), |server| tunnel(client, &server))
}

/// Agrees on a method and has it done. The inner `None` is a client without credentials, the outer one has been sent away.
fn socks5_login(mut client: &TcpStream, desk: &Desk) -> io::Result<Option<Option<String>>> {
    let [version, count] = take(client)?;
    if version != 5 {
        return Err(wire::bad(format!("SOCKS version {version}")));
    }
    let mut methods = vec![0; count.into()];
    client.read_exact(&mut methods)?;
    // Preferred even when nobody asked for it, so that what a client would present is seen.
    if methods.contains(&2) {
        client.write_all(&[5, 2])?;
        let [1] = take(client)? else { return Err(wire::bad("login of another version".into())) };
        let login = Some(format!("{}:{}", sized(client)?, sized(client)?));
        let welcome = desk.rules.lock().unwrap().lets_in(login.as_ref());
        if !welcome {
            let asked = Asked { target: String::new(), login: login.clone(), headers: Headers::default() };
            desk.asked.lock().unwrap().push(asked);
        }
        client.write_all(&[1, u8::from(!welcome)])?;
        return Ok(welcome.then_some(login));
    }
    let welcome = methods.contains(&0) && desk.rules.lock().unwrap().lets_in(None);
    client.write_all(&[5, if welcome { 0 } else { 0xff }])?;
    Ok(welcome.then_some(None))
}

fn take<const SIZE: usize>(mut from: &TcpStream) -> io::Result<[u8; SIZE]> {
    let mut bytes = [0; SIZE];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A text after a byte that says how long it is.
fn sized(mut from: &TcpStream) -> io::Result<String> {
    let [size] = take(from)?;
    let mut text = vec![0; size.into()];
    from.read_exact(&mut text)?;
    String::from_utf8(text).map_err(|error| wire::bad(error.to_string()))
}

fn tunnel(client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    client.set_read_timeout(None)?;
    gate::join(client, server);
    Ok(())
}
