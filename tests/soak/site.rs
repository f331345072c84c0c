//! What runs in a soak: the gateway as a process, two upstreams and an authorization server, each behind a network that can
//! fail.

use super::origin::{Origin, Seen, Told};
use super::process::{Look, Process};
use crate::support::client;
use crate::support::config::ConfigFile;
use crate::support::daemon::PROGRAM;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::poll::{PATIENCE, eventually, some};
use crate::support::reply::Reply;
use crate::support::scripted::Scripted;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Tokens are renewed all the time, and live on for longer than an authorization server is away and failed attempts are
/// apart (a minute at the most).
const REFRESHED_AFTER: u64 = 15;
const LIFETIME: u64 = 240;

pub struct Site {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    pub process: Process,
    pub upstreams: [FaultProxy; 2],
    pub authorization_server: FaultProxy,
    seen: Arc<Seen>,
    // In the order in which they end: the gateway first.
    gateway: Child,
    _file: ConfigFile,
    _origins: [Origin; 2],
    tokens: Scripted,
}

impl Site {
    pub fn start() -> Self {
        let seen = Arc::new(Seen::default());
        let origins = [Origin::start(&seen), Origin::start(&seen)];
        let tokens = Scripted::start(|_, n| {
            let answer = json!({ "access_token": format!("SOAK-{n}"), "token_type": "Bearer", "expires_in": LIFETIME,
                "refresh_in": REFRESHED_AFTER });
            Reply::json(200, &answer)
        });
        let upstreams = [FaultProxy::to(origins[0].addr()), FaultProxy::to(origins[1].addr())];
        let authorization_server = FaultProxy::to(tokens.addr());
        let file = ConfigFile::json(configuration(&upstreams, &authorization_server).to_string());
        let log = file.beside("log", "");
        let gateway = Command::new(PROGRAM)
            .args(["run", "-c"])
            .arg(file.path())
            .stdin(Stdio::null())
            .stdout(File::options().append(true).open(&log).unwrap())
            .stderr(File::options().append(true).open(&log).unwrap())
            .spawn()
            .unwrap();
        let site = Self {
            address: listening(&log, "porteur::cli::run: porteur "),
            admin: listening(&log, "admin listening on "),
            process: Process(gateway.id()),
            upstreams,
            authorization_server,
            seen,
            gateway,
            _file: file,
            _origins: origins,
            tokens,
        };
        eventually(PATIENCE, "the gateway is ready", || client::get(site.admin, "/readyz").status == 200);
        site
    }

    /// Waits, without load and without faults, until the gateway has no more open than at its start; then looks.
    pub fn settle(&self, start: &Look) -> Look {
        self.authorization_server.set(Fault::None);
        for upstream in &self.upstreams {
            upstream.set(Fault::None);
            upstream.reset_connections();
        }
        // What is kept is no leak; what is not closed when its peer is gone is one, and the test's end tells.
        let end = Instant::now() + PATIENCE;
        while self.process.look().fds > start.fds && Instant::now() < end {
            thread::park_timeout(Duration::from_millis(50));
        }
        self.process.look()
    }

    /// How often a token was asked for and the server heard it.
    pub fn token_requests(&self) -> usize {
        self.tokens.requests().len()
    }

    pub fn told(&self) -> Told {
        self.seen.told()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // Fails only for a process that has ended.
        let _ = self.gateway.kill();
        let _ = self.gateway.wait();
    }
}

/// An address that the log tells.
fn listening(log: &Path, what: &str) -> SocketAddr {
    some(PATIENCE, what, || {
        let text = fs::read_to_string(log).unwrap();
        let line = text.lines().find(|line| line.contains(what))?;
        line.rsplit(' ').next()?.parse().ok()
    })
}

fn configuration(upstreams: &[FaultProxy; 2], authorization_server: &FaultProxy) -> Value {
    let hosts = json!([upstreams[0].url(""), upstreams[1].url("")]);
    let endpoint = |path: &str, method: &str| {
        json!({
            "endpoint": path, "method": method, "input_query_strings": ["size"],
            "backend": [{ "host": hosts, "url_pattern": path }],
        })
    };
    let mut with_token = endpoint("/token/{n}", "GET");
    with_token["backend"][0]["extra_config"]["auth/client-credentials"] = json!({
        "client_id": "soak", "client_secret": "s", "client_auth": "client_secret_post",
        "token_url": authorization_server.url("/token"), "timeout": "2s",
    });
    let part = |upstream: &FaultProxy, group: &str| json!({ "host": [upstream.url("")], "url_pattern": "/part/{n}", "group": group });
    let merged = json!({
        "endpoint": "/merged/{n}", "output_encoding": "json", "input_query_strings": ["size"],
        "backend": [part(&upstreams[0], "one"), part(&upstreams[1], "two")],
    });
    json!({
        "version": 3, "listen_ip": "127.0.0.1", "port": 0, "output_encoding": "no-op", "timeout": "5s",
        "extra_config": { "admin": { "listen": "127.0.0.1:0" } },
        "endpoints": [
            endpoint("/get/{n}", "GET"), endpoint("/post/{n}", "POST"), endpoint("/slow/{n}", "GET"), with_token, merged,
        ],
    })
}
