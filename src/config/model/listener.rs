//! Where clients connect, and what protects the connection.

use super::TlsVersion;
use ipnet::IpNet;
use rustls::{CipherSuite, NamedGroup};
use std::net::IpAddr;
use std::path::PathBuf;

/// An address that clients connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The one address to listen on; `None` means all, IPv6 and IPv4.
    pub ip: Option<IpAddr>,
    /// The port; 0 asks the system for a free one.
    pub port: u16,
    /// `tls`; `None`: connections are plain.
    pub tls: Option<Tls>,
    /// `use_h2c`; `None`: as the service says.
    pub use_h2c: Option<bool>,
    /// `proxy_protocol`; `None`: the peer of a connection is the client.
    pub proxy_protocol: Option<ProxyProtocol>,
}

/// The `tls` block of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `public_key` with `private_key`, then `keys`: at least one. The first is for clients that ask for no name, or for one
    /// that no certificate has.
    pub certificates: Vec<CertificateFiles>,
    /// `min_version`, TLS 1.3 unless set.
    pub min_version: TlsVersion,
    /// `max_version`, TLS 1.3 unless set.
    pub max_version: TlsVersion,
    /// `cipher_suites`, in this order; those of a version that has none here are the library's.
    pub cipher_suites: Vec<CipherSuite>,
    /// `prefer_server_cipher_suites`: our order counts, not the client's.
    pub prefer_server_cipher_suites: bool,
    /// `curve_preferences`, in this order; the library's when empty.
    pub groups: Vec<NamedGroup>,
    /// `enable_mtls`: clients need a certificate that one of these vouches for.
    pub client_authorities: Option<ClientAuthorities>,
}

/// A certificate chain and the private key that belongs to it, both PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// `public_key`: the server's own certificate first, then its issuers.
    pub certificate: PathBuf,
    /// `private_key`.
    pub private_key: PathBuf,
}

/// Who may vouch for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAuthorities {
    /// `ca_certs`: PEM files.
    pub files: Vec<PathBuf>,
    /// Those that the system trusts, too, unless `disable_system_ca_pool`.
    pub system: bool,
}

/// `proxy_protocol`, of the service's own port or of a further listener: each connection begins with a header that tells who the client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyProtocol {
    /// `trusted`: who may send such a header, at least one network. Nobody else may connect.
    pub trusted: Vec<IpNet>,
}

impl ProxyProtocol {
    /// Whether a peer may say who the client is.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        // A socket for IPv6 and IPv4 has `::ffff:10.0.0.1` for the latter.
        let peer = peer.to_canonical();
        self.trusted.iter().any(|network| network.contains(&peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_is_a_matter_of_networks_however_a_socket_writes_addresses() {
        let rules = ProxyProtocol { trusted: ["10.1.0.0/16", "fd00::/8"].map(|net| net.parse().unwrap()).to_vec() };
        for (peer, trusted) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.2.0.1", false),
            ("fd12::1", true),
            ("::1", false),
            ("::10.1.2.3", false),
        ] {
            assert_eq!(rules.trusts(peer.parse().unwrap()), trusted, "{peer}");
        }
    }
}
