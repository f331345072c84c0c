//! `websocket` of an endpoint.

use std::time::Duration;

/// Whether and how an endpoint lets clients change to the WebSocket protocol (RFC 6455).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebSocket {
    /// `timeout` or `pong_wait`, 60 s unless set: how long the upstream may be silent.
    pub silence: Duration,
    /// `write_wait`, 10 s unless set: how long a peer may take to accept what is sent to it.
    pub write_wait: Duration,
}
