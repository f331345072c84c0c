//! Binding listeners, before anything is announced or started.
//!
//! Pingora binds inside its service task, tries for half a minute and then panics there, leaving a process that runs and
//! hears nothing (`pingora-core/src/services/listening.rs`). So sockets are bound here and handed to it.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

/// Connections the kernel may hold before they are accepted; it cuts this to its own limit.
const BACKLOG: i32 = 65_535;

/// An address that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", explain(.source))]
pub struct ListenError {
    address: String,
    source: io::Error,
}

impl ListenError {
    /// An error of the socket for `address`.
    #[must_use]
    pub fn new(address: &impl ToString, source: io::Error) -> Self {
        Self { address: address.to_string(), source }
    }
}

/// A bound socket and its address, with the port that the system chose where none was asked for.
#[derive(Debug)]
pub struct Listening {
    /// Listening, and not blocking.
    pub listener: TcpListener,
    /// Where.
    pub address: SocketAddr,
}

impl Listening {
    /// Takes a bound socket.
    ///
    /// # Errors
    /// If the system does not tell its address.
    pub fn new(listener: TcpListener) -> Result<Self, ListenError> {
        let address = listener.local_addr().map_err(|source| ListenError::new(&"the listener", source))?;
        Ok(Self { listener, address })
    }
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the address is in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have the address".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied (ports below 1024 need a privilege)".to_owned(),
        _ => error.to_string(),
    }
}

/// Binds the public listener: one address, or all of them when `ip` is `None`.
///
/// # Errors
/// If the address cannot be bound.
pub fn public(ip: Option<IpAddr>, port: u16) -> Result<TcpListener, ListenError> {
    match ip {
        Some(ip) => on(SocketAddr::new(ip, port)),
        // A machine without IPv6 has no `::`.
        None => match on(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)) {
            Err(error) if error.source.kind() != io::ErrorKind::AddrInUse => {
                on(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))
            }
            bound => bound,
        },
    }
}

/// Binds one address. `::` takes IPv4 too.
///
/// # Errors
/// If the address cannot be bound.
pub fn on(address: SocketAddr) -> Result<TcpListener, ListenError> {
    bind(address).map_err(|source| ListenError::new(&address, source))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // A restart must not wait for the kernel to forget the connections of its predecessor.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_address_is_named_in_the_error() {
        let taken = on(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)).expect("a free port");
        let address = taken.local_addr().expect("an address");
        let error = on(address).expect_err("in use");
        assert_eq!(error.to_string(), format!("cannot listen on {address}: the address is in use"));
    }
}
