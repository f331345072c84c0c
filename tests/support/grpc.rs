//! `tests/grpc`: gRPC's own server and client as processes of the test.

use super::ready::Server;
use serde::Deserialize;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grpc/server.py");
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grpc/client.py");
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grpc/.venv/bin/python");

/// A running server; killed when dropped.
pub struct Grpc {
    _server: Server,
    address: SocketAddr,
}

#[derive(Deserialize)]
struct Ready {
    address: SocketAddr,
}

impl Grpc {
    #[track_caller]
    pub fn start() -> Self {
        assert!(Path::new(PYTHON).exists(), "{PYTHON} is missing: remove a broken `.venv` there and run `make test`");
        let (server, ready) = Server::start::<Ready>(Command::new(PYTHON).arg(SERVER));
        Self { _server: server, address: ready.address }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// What came of one kind of call to a server at this address; `client.py` has their names.
#[track_caller]
pub fn call(address: SocketAddr, case: &str) -> Value {
    // An environment with a proxy in it would lead gRPC elsewhere.
    let output = Command::new(PYTHON)
        .args([CLIENT, &address.to_string(), case])
        .env("no_grpc_proxy", "127.0.0.1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|_| panic!("{case}: {text}{}", String::from_utf8_lossy(&output.stderr)))
}
