//! Whose word counts on who a client is.

use http::{HeaderName, header};
use ipnet::IpNet;
use std::net::IpAddr;

/// Trusted proxies, and where they say whom a request comes from. Nobody is trusted unless listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// `trusted_proxies`, unless `forwarded_by_client_ip` is false.
    pub proxies: Vec<IpNet>,
    /// `remote_ip_headers`: the first of them that a request has counts.
    pub headers: Vec<HeaderName>,
}

impl Trust {
    /// Where most proxies write it.
    pub const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

    /// Whether this is a proxy that is believed.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        // `::ffff:10.0.0.1` is the same host as `10.0.0.1`.
        let address = address.to_canonical();
        self.proxies.iter().any(|network| network.contains(&address))
    }

    /// Whether a header is written in the words of RFC 7239.
    #[must_use]
    pub fn is_forwarded(name: &HeaderName) -> bool {
        *name == header::FORWARDED
    }
}

impl Default for Trust {
    /// gin's headers.
    fn default() -> Self {
        Self { proxies: Vec::new(), headers: vec![Self::FORWARDED_FOR, HeaderName::from_static("x-real-ip")] }
    }
}
