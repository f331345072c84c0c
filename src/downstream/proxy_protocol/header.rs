//! A PROXY header as bytes: of either version, whole or not.

use super::{version_1, version_2};
use std::net::SocketAddr;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// The load balancer connects for itself, to see whether we are alive.
    Local,
    /// It passes somebody on and does not say whom, or names what is no address of TCP.
    Unknown,
    /// It passes a client on.
    Proxied {
        /// Who it is.
        client: SocketAddr,
        /// Where it connected to.
        server: SocketAddr,
    },
}

/// Why bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// They begin otherwise.
    #[error("it begins otherwise")]
    Absent,
    /// It is longer than any.
    #[error("it is too long")]
    TooLong,
    /// The line of version 1 is not well formed.
    #[error("its line is malformed")]
    Line,
    /// The binary form of version 2 is not well formed.
    #[error("its binary form is malformed")]
    Binary,
    /// What it carries is not as it was sent.
    #[error("its checksum is wrong")]
    Checksum,
}

/// Reads the header at the start of `bytes`: what it says, and how many bytes it has. `None`: there is more to come.
///
/// # Errors
/// If the bytes are not the beginning of a header.
pub fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, HeaderError> {
    if begins(bytes, &version_2::SIGNATURE) {
        version_2::parse(bytes)
    } else if begins(bytes, version_1::START) {
        version_1::parse(bytes)
    } else {
        Err(HeaderError::Absent)
    }
}

/// Whether as much of `start` is there as there are bytes.
fn begins(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(byte, expected)| byte == expected)
}
