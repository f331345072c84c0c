//! `tests/authlib`, a second authorization server with an opinion of its own, as a process of the test: it lets each
//! client in by one way only. For all else, such as faults and the protected API, there is [`Idp`](super::idp::Idp).

use super::ready::Server;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitStatus};

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/authlib/server.py");
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/authlib/.venv/bin/python");

/// A running server; killed when dropped.
pub struct Authlib {
    server: Server,
    ready: Ready,
}

#[derive(Deserialize)]
struct Ready {
    #[serde(flatten)]
    plain: Door,
    tls: Option<Door>,
}

#[derive(Deserialize)]
struct Door {
    issuer: String,
    token_url: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Stats {
    pub token_requests: usize,
}

#[derive(Debug, Clone, Deserialize)]
pub struct TokenRequest {
    pub method: String,
    /// With the query, as it was sent.
    pub path: String,
    /// As they were sent: repeated ones, order and case.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// `None` while there is no answer.
    pub status: Option<u16>,
}

impl TokenRequest {
    /// The first one of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as form parameters, in their order.
    pub fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }
}

impl Authlib {
    /// With the clients `basic`, `post`, `raw-basic`, `none` and `cs-jwt`.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With the clients `pk-es256` and `pk-rs256` too; the folder is [`Idp::keys`](super::idp::Idp::keys).
    #[track_caller]
    pub fn start_with_keys(folder: &Path) -> Self {
        Self::start_with(&[("AUTHLIB_KEYS", folder)])
    }

    /// Listens with TLS too.
    #[track_caller]
    pub fn start_tls(certificate: &Path, key: &Path) -> Self {
        Self::start_with(&[("AUTHLIB_TLS_CERT", certificate), ("AUTHLIB_TLS_KEY", key)])
    }

    /// With any of the variables that the head of `server.py` describes.
    #[track_caller]
    fn start_with(variables: &[(&str, &Path)]) -> Self {
        assert!(Path::new(PYTHON).exists(), "{PYTHON} is missing: remove a broken `.venv` there and run `make test`");
        let (server, ready) = Server::start(Command::new(PYTHON).arg(SERVER).envs(variables.iter().copied()));
        Self { server, ready }
    }

    pub fn issuer(&self) -> &str {
        &self.ready.plain.issuer
    }

    pub fn token_url(&self) -> &str {
        &self.ready.plain.token_url
    }

    pub fn addr(&self) -> SocketAddr {
        self.issuer().trim_start_matches("http://").parse().unwrap()
    }

    pub fn tls_issuer(&self) -> &str {
        &self.tls().issuer
    }

    pub fn tls_token_url(&self) -> &str {
        &self.tls().token_url
    }

    fn tls(&self) -> &Door {
        self.ready.tls.as_ref().expect("started with `Authlib::start_tls`")
    }

    #[track_caller]
    pub fn stats(&self) -> Stats {
        serde_json::from_value(self.server.ask(self.addr(), "stats")).unwrap()
    }

    /// The latest token requests, oldest first (at most 1,000).
    #[track_caller]
    pub fn last(&self) -> Vec<TokenRequest> {
        serde_json::from_value(self.server.ask(self.addr(), "last")).unwrap()
    }

    /// See [`Server::abandon`].
    #[track_caller]
    pub fn abandon(self) -> ExitStatus {
        self.server.abandon()
    }
}
