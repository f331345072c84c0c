//! A gateway that speaks TLS, and the clients of others that it meets: curl and `openssl s_client`.

use super::authority::{Authority, Pair};
use super::gateway::{Running, endpoint};
use super::poll::{self, PATIENCE};
use super::tool::{self, Said};
use super::upstream::Upstream;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

/// A gateway with one listener for `edge.test`, and what it stands on.
pub struct TlsEdge {
    pub authority: Authority,
    pub upstream: Upstream,
    pub gateway: Running,
}

impl TlsEdge {
    /// `tls` is added to the block, in which the pair for `edge.test` stands.
    #[track_caller]
    pub fn with(tls: Value) -> Self {
        Self::start(Authority::new("edge authority"), |_, pair| super::gateway::with(files(pair), &tls), json!([]))
    }

    /// `tls` is the block; the pair for `edge.test` is there to stand in it. `listeners` are further ones.
    #[track_caller]
    pub fn start(authority: Authority, tls: impl FnOnce(&Authority, &Pair) -> Value, listeners: Value) -> Self {
        let upstream = Upstream::start(echo);
        let tls = tls(&authority, &authority.server(&["edge.test"]));
        let gateway = Running::start(json!({
            "tls": tls, "extra_config": { "listeners": listeners },
            "endpoints": [endpoint("/x", &upstream.url(), "/x"), post("/up", &upstream.url())],
        }));
        Self { authority, upstream, gateway }
    }

    /// Waits until so many handshakes have ended like this: they are counted a moment after the client knows.
    #[track_caller]
    pub fn handshakes(&self, result: &str, count: u32) {
        let name = format!("porteur_tls_handshakes_total{{result=\"{result}\"}}");
        poll::eventually(PATIENCE, &name, || self.gateway.metric(&name) == f64::from(count));
    }

    /// What curl prints for a target on `edge.test`, with these words on its command line.
    #[track_caller]
    pub fn curl(&self, target: &str, words: &str) -> Said {
        self.curl_at(self.gateway.address, target, words)
    }

    #[track_caller]
    pub fn curl_at(&self, address: SocketAddr, target: &str, words: &str) -> Said {
        let ca = self.authority.file();
        let (ca, port) = (ca.display(), address.port());
        let url = format!("https://edge.test:{port}{target}");
        tool::say("curl", &format!("-sS --cacert {ca} --resolve edge.test:{port}:127.0.0.1 {words} {url}"), b"")
    }

    /// What `openssl s_client` says of a connection, on which it sends one request.
    #[track_caller]
    pub fn s_client(&self, words: &str) -> Said {
        self.s_client_at(self.gateway.address, words)
    }

    #[track_caller]
    pub fn s_client_at(&self, address: SocketAddr, words: &str) -> Said {
        let ca = self.authority.file();
        let words = format!("s_client -connect {address} -CAfile {} -ign_eof {words}", ca.display());
        tool::say("openssl", &words, b"GET /x HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\n\r\n")
    }
}

/// The keys of a pair in a `tls` block.
pub fn files(pair: &Pair) -> Value {
    std::fs::set_permissions(&pair.key_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    json!({ "public_key": pair.certificate_file, "private_key": pair.key_file })
}

fn echo(request: &super::upstream::Request) -> super::reply::Reply {
    super::reply::Reply::new(200).body(if request.body.is_empty() { b"hello".to_vec() } else { request.body.clone() })
}

fn post(path: &str, host: &str) -> Value {
    super::gateway::with(endpoint(path, host, path), &json!({ "method": "POST" }))
}
