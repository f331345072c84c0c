//! The side of the clients: from an accepted socket to the stream that Pingora's HTTP server reads.
//!
//! Pingora's own listening service accepts without bound, has no deadline for a request's head and answers what is malformed
//! by itself (`pingora-core/src/services/listening.rs`, `apps/mod.rs`). So connections are accepted here ([`accept`]),
//! counted ([`connections`]), and wrapped in a [`client_stream::ClientStream`], which follows the bytes of a request before
//! Pingora sees them. What the requests are for is not known here.

pub mod accept;
mod alarm;
pub mod client_stream;
pub mod connections;
pub mod edge;
pub mod entrance;
pub mod framing;
mod http2;
mod inbound;
mod linger;
mod outbound;
mod pace;
mod patience;
pub mod proxy_protocol;
pub mod refusal;
pub mod tls;
mod transport;
mod turn;
