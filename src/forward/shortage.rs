//! Connections that cannot be made for want of something of our own: descriptors, memory, ports. The upstream has no part in it, so
//! neither its address nor its circuit breaker is to suffer for it, and the client is told to come again.

use pingora::Error;
use pingora::ErrorType::{BindError, SocketError};
use rustix::io::Errno;
use std::io;
use std::iter::successors;

/// What there is not enough of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// Descriptors, or the kernel's memory: no other address can be connected to either.
    Sockets,
    /// Ports towards one address: another may have some.
    Ports,
}

/// What an error says there is not enough of; `None`: it is about something else.
///
/// Pingora calls a socket that cannot be made an internal error, with the cause below it (`pingora-core/src/connectors/l4.rs`,
/// `connect`).
#[must_use]
pub fn of(error: &Error) -> Option<Shortage> {
    let root: &(dyn std::error::Error + 'static) = error.root_cause();
    let io = successors(Some(root), |&cause| cause.source()).find_map(|cause| cause.downcast_ref::<io::Error>());
    match io.and_then(Errno::from_io_error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => Some(Shortage::Sockets),
        Some(Errno::ADDRNOTAVAIL | Errno::ADDRINUSE) => Some(Shortage::Ports),
        _ => match error.root_etype() {
            SocketError => Some(Shortage::Sockets),
            BindError => Some(Shortage::Ports),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingora::ErrorType::{ConnectError, ConnectRefused, InternalError};

    #[test]
    fn what_is_our_own_is_told_from_what_is_the_upstreams() {
        let os = |errno: Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        let nested =
            |etype, errno| Error::because(InternalError, "connect", Error::because(etype, "socket", os(errno)));
        for (error, expected) in [
            (nested(SocketError, Errno::MFILE), Some(Shortage::Sockets)),
            (nested(SocketError, Errno::NFILE), Some(Shortage::Sockets)),
            (nested(SocketError, Errno::INVAL), Some(Shortage::Sockets)),
            (nested(BindError, Errno::ADDRNOTAVAIL), Some(Shortage::Ports)),
            (nested(BindError, Errno::INVAL), Some(Shortage::Ports)),
            (Error::because(ConnectError, "connect", os(Errno::NOBUFS)), Some(Shortage::Sockets)),
            (Error::because(ConnectError, "connect", os(Errno::CONNRESET)), None),
            (Error::because(ConnectRefused, "connect", os(Errno::CONNREFUSED)), None),
            // A firewall of ours forbids an address: that is about the address.
            (Error::because(InternalError, "connect", os(Errno::PERM)), None),
            (Error::explain(InternalError, "a name"), None),
        ] {
            assert_eq!(of(&error), expected, "{error}");
        }
    }
}
