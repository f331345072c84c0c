//! Keys that say where clients connect and how: `tls` and `listeners`.

use super::Kind::{Boolean, List, Object, String, Strings};
use super::transport::TLS_VERSIONS;
use super::{Key, Kind, supported};

pub(super) const TLS: &[Key] = &[
    supported("disabled", Boolean, "connections are plain, as without the block"),
    supported("public_key", String, "PEM file of the certificate, then its issuers'; read again when it changes"),
    supported("private_key", String, "PEM file of its private key; read again when it changes"),
    supported("keys", List, "several certificates; clients get the one whose name they ask for, else the first"),
    supported("min_version", Kind::Word(TLS_VERSIONS), "oldest version of TLS; TLS13 unless set"),
    supported("max_version", Kind::Word(TLS_VERSIONS), "newest version of TLS; TLS13 unless set"),
    supported("cipher_suites", List, "numbers of cipher suites; all that are safe unless set"),
    supported("prefer_server_cipher_suites", Boolean, "our order of cipher suites counts, not the client's"),
    supported("curve_preferences", List, "numbers of groups for the key exchange; all that are safe unless set"),
    supported("enable_mtls", Boolean, "clients need a certificate"),
    supported("ca_certs", Strings, "PEM files of authorities that vouch for clients"),
    supported("disable_system_ca_pool", Boolean, "only those of ca_certs vouch for clients"),
];

pub(super) const PAIR: &[Key] = &[
    supported("public_key", String, "PEM file of the certificate, then its issuers'"),
    supported("private_key", String, "PEM file of its private key"),
];

pub(super) const LISTENERS: &[Key] = &[
    supported("listen", String, "address and port, or :port for all addresses"),
    supported("tls", Object, "TLS for clients that connect here; none unless set"),
    supported("use_h2c", Boolean, "HTTP/2 without TLS here; as the service unless set"),
    supported("proxy_protocol", Object, "each connection begins with a PROXY header that tells who the client is"),
];

pub(super) const PROXY_PROTOCOL: &[Key] =
    &[supported("trusted", Strings, "networks of those who may connect here and tell who the client is")];
