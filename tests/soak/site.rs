//! What runs in a soak: the gateway as a process, two upstreams and an authorization server, each behind a network that can
//! fail.

use super::log::Log;
use super::origin::{Origin, Seen, Told};
use super::process::{Look, Process};
use crate::support::client;
use crate::support::config::ConfigFile;
use crate::support::daemon::PROGRAM;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::poll::{PATIENCE, eventually};
use crate::support::scripted::Scripted;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Renewed after 16 s to 20 s, out of use after 36 s: those of a server that is away for eight seconds of every fourteen are
/// renewed in time.
const TOKEN_SECONDS: u64 = 40;
/// Of every endpoint. Nothing that works takes so long.
pub const TIMEOUT: Duration = Duration::from_secs(2);

pub struct Site {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    pub process: Process,
    pub log: Log,
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
        let tokens = Scripted::start(|_, n| Scripted::token(&format!("SOAK-{n}"), TOKEN_SECONDS));
        let upstreams = [FaultProxy::to(origins[0].addr()), FaultProxy::to(origins[1].addr())];
        let authorization_server = FaultProxy::to(tokens.addr());
        let file = ConfigFile::json(configuration(&upstreams, &authorization_server).to_string());
        let mut gateway = Command::new(PROGRAM)
            .args(["run", "-c"])
            .arg(file.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Log::follow(gateway.stderr.take().unwrap());
        let site = Self {
            address: log.address("porteur::cli::run: porteur "),
            admin: log.address("admin listening on "),
            process: Process(gateway.id()),
            log,
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
        // What is kept is no leak; what is not closed when its peer is gone is one, and the test's end tells. Threads for
        // token requests stay for ten seconds.
        let end = Instant::now() + PATIENCE;
        loop {
            let look = self.process.look();
            if (look.fds <= start.fds && look.threads <= start.threads) || Instant::now() > end {
                return look;
            }
            thread::park_timeout(Duration::from_millis(50));
        }
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

fn configuration(upstreams: &[FaultProxy; 2], authorization_server: &FaultProxy) -> Value {
    let hosts = json!([upstreams[0].url(""), upstreams[1].url("")]);
    // Left out for less long than the calm between two faults, or later ones would meet nobody.
    let outlier = json!({ "base_ejection_time": "1s", "max_ejection_time": "1s" });
    let endpoint = |path: &str, method: &str| {
        json!({
            "endpoint": path, "method": method, "input_query_strings": ["size"],
            "backend": [{ "host": hosts, "url_pattern": path, "extra_config": { "balance": { "outlier": outlier } } }],
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
        "version": 3, "listen_ip": "127.0.0.1", "port": 0, "output_encoding": "no-op", "timeout": format!("{}s", TIMEOUT.as_secs()),
        "extra_config": { "admin": { "listen": "127.0.0.1:0" } },
        "endpoints": [
            endpoint("/get/{n}", "GET"), endpoint("/post/{n}", "POST"), endpoint("/slow/{n}", "GET"), with_token, merged,
        ],
    })
}
