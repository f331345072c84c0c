//! Pingora's errors in porteur's vocabulary.

use crate::base::Failure;
use crate::forward::shortage;
use pingora::ErrorType::{
    ConnectError, ConnectNoRoute, ConnectProxyFailure, ConnectRefused, ConnectTimedout, ConnectionClosed, H2Error,
    HandshakeError, InvalidCert, ReadError, ReadTimedout, SocketError, TLSHandshakeFailure, TLSHandshakeTimedout,
    WriteError, WriteTimedout,
};
use pingora::{Error, ErrorSource};
use std::time::Duration;

/// Which failure an error is; `left` is what remains of the request's timeout.
#[must_use]
pub fn failure(error: &Error, left: Duration) -> Failure {
    match error.esource() {
        ErrorSource::Upstream => of_upstream(error, left),
        ErrorSource::Downstream => match error.etype() {
            // The last is a stream that the client has reset, or a connection of HTTP/2 that is gone.
            ReadError | WriteError | ConnectionClosed | ReadTimedout | WriteTimedout | H2Error => Failure::ClientGone,
            _ => Failure::BadRequest,
        },
        ErrorSource::Internal | ErrorSource::Unset => Failure::Internal,
    }
}

/// Which failure an error on the way to or from an upstream is, whether it says so or not.
#[must_use]
pub fn of_upstream(error: &Error, left: Duration) -> Failure {
    if shortage::of(error).is_some() {
        return Failure::Overloaded;
    }
    match error.etype() {
        ReadTimedout | WriteTimedout => Failure::UpstreamTimeout,
        // A connection that used up the whole timeout is a timeout for whoever asked.
        ConnectTimedout | TLSHandshakeTimedout if left.is_zero() => Failure::UpstreamTimeout,
        ConnectTimedout | ConnectRefused | ConnectNoRoute | ConnectError | ConnectProxyFailure | SocketError
        | TLSHandshakeFailure | TLSHandshakeTimedout | HandshakeError | InvalidCert => Failure::Connect,
        ReadError if is_late(error) => Failure::UpstreamTimeout,
        _ => Failure::UpstreamProtocol,
    }
}

/// Whether a stream of our own gave the wait for an answer up (`snapshot/handshake.rs`), or the kernel a peer that is gone.
fn is_late(error: &Error) -> bool {
    let io = error.root_cause().downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingora::{InternalError, InvalidHTTPHeader};

    #[test]
    fn failures_name_who_is_to_blame() {
        let second = Duration::from_secs(1);
        for (error, left, expected) in [
            (Error::new_up(ConnectRefused), second, Failure::Connect),
            (Error::new_up(ConnectTimedout), second, Failure::Connect),
            (Error::new_up(ConnectTimedout), Duration::ZERO, Failure::UpstreamTimeout),
            (Error::new_up(ReadTimedout), second, Failure::UpstreamTimeout),
            (Error::new_up(InvalidHTTPHeader), second, Failure::UpstreamProtocol),
            (Error::new_up(ConnectionClosed), second, Failure::UpstreamProtocol),
            (Error::new_down(ConnectionClosed), second, Failure::ClientGone),
            (Error::new_down(H2Error), second, Failure::ClientGone),
            (Error::new_down(InvalidHTTPHeader), second, Failure::BadRequest),
            (Error::new_in(InternalError), second, Failure::Internal),
        ] {
            assert_eq!(failure(&error, left), expected, "{error}");
        }
    }
}
