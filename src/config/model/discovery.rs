//! How names become addresses.

use std::net::SocketAddr;
use std::time::Duration;

/// What the entries of a backend's `host` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Discovery {
    /// `static`: hosts.
    #[default]
    Static,
    /// `dns`: names of services, whose SRV records (RFC 2782) name the hosts. Their `https` is what `sd_scheme` says.
    Dns,
}

/// How the service looks names up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// `dns_cache_ttl`, 30 s unless set: from one look-up of a name to the next.
    pub cache_ttl: Duration,
    /// `dns_resolver`: servers to ask; none: the system's way for names, and its servers for services.
    pub servers: Vec<SocketAddr>,
}

impl Default for Dns {
    fn default() -> Self {
        Self { cache_ttl: Duration::from_secs(30), servers: Vec::new() }
    }
}
