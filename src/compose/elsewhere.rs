//! Hosts that are none of the backend's own: where a redirect leads, or a modifier sends a request.

use crate::snapshot::transport::Transport;
use pingora_core::upstreams::peer::HttpPeer;
use std::net::SocketAddr;
use std::time::Duration;

/// The longest wait for an address.
const RESOLVE: Duration = Duration::from_secs(1);

/// A peer of this name; `None` if it has no address.
pub(super) async fn peer(transport: &Transport, https: bool, name: &str, port: u16) -> Option<Box<HttpPeer>> {
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let addresses = tokio::time::timeout(RESOLVE, tokio::net::lookup_host((name, port))).await.ok()?.ok()?;
    let address = addresses.min_by_key(SocketAddr::is_ipv6)?;
    Some(Box::new(transport.stranger(address, https, name)))
}
