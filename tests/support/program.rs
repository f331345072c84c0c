//! The built program with a configuration of its own, for what only a process has: its log and its environment. Everything
//! else is tested faster with [`Running`](super::gateway::Running).

use super::client::{self, Response};
use super::config::ConfigFile;
use super::daemon::{Daemon, PROGRAM};
use super::poll::{PATIENCE, eventually};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// These endpoints, on free ports.
pub fn configuration(endpoints: &[Value]) -> Value {
    json!({
        "version": 3, "listen_ip": "127.0.0.1", "port": 0, "output_encoding": "no-op",
        "extra_config": { "admin": { "listen": "127.0.0.1:0" } },
        "endpoints": endpoints,
    })
}

pub struct Program {
    pub daemon: Daemon,
    pub address: SocketAddr,
    pub admin: SocketAddr,
    _file: ConfigFile,
}

impl Program {
    /// Starts it with these endpoints, with these variables and none of ours that set the level or lead to
    /// a proxy.
    #[track_caller]
    pub fn with(endpoints: &[Value], variables: &[(&str, &str)]) -> Self {
        let file = ConfigFile::json(configuration(endpoints).to_string());
        let mut command = Command::new(PROGRAM);
        command.args(["run", "-c"]).arg(file.path());
        Self::of(command, variables, file)
    }

    /// Starts it with this configuration, which begins as [`configuration`] does.
    #[track_caller]
    pub fn configured(configuration: &Value) -> Self {
        let file = ConfigFile::json(configuration.to_string());
        let mut command = Command::new(PROGRAM);
        command.args(["run", "-c"]).arg(file.path());
        Self::of(command, &[], file)
    }

    /// The bytes of memory it holds, as proc(5) has them.
    #[track_caller]
    pub fn resident(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.daemon.pid())).unwrap();
        text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }

    /// Starts it with these endpoints, in a process that may have so many descriptors.
    #[track_caller]
    pub fn with_descriptors(limit: u32, endpoints: &[Value]) -> Self {
        let file = ConfigFile::json(configuration(endpoints).to_string());
        let script = format!("ulimit -n {limit}; exec \"$0\" run -c \"$1\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, PROGRAM]).arg(file.path());
        Self::of(command, &[], file)
    }

    #[track_caller]
    fn of(mut command: Command, variables: &[(&str, &str)], file: ConfigFile) -> Self {
        command.env_remove("PORTEUR_LOG");
        for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        let daemon = Daemon::of(command.envs(variables.iter().copied()));
        let address = |what: &str| {
            let line = daemon.wait_for_line(|line| line.contains(what));
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        let (address, admin) = (address("porteur::cli::run: porteur "), address("admin listening on "));
        Self { daemon, address, admin, _file: file }
    }

    /// Starts it so that upstreams are checked by this authority in place of the system's.
    #[track_caller]
    pub fn trusting(authority: &Path, endpoints: &[Value], variables: &[(&str, &str)]) -> Self {
        let authority = [("SSL_CERT_FILE", authority.to_str().unwrap()), ("SSL_CERT_DIR", "/nonexistent")];
        Self::with(endpoints, &[&authority, variables].concat())
    }

    /// The same when all required credentials have a token.
    #[track_caller]
    pub fn ready(self) -> Self {
        eventually(PATIENCE, "the gateway is ready", || client::get(self.admin, "/readyz").status == 200);
        self
    }

    /// The value of a metric, named with its labels as in the exposition; 0 when it is not there.
    pub fn metric(&self, name: &str) -> f64 {
        client::get(self.admin, "/metrics").metric(name)
    }

    pub fn get(&self, target: &str) -> Response {
        client::get(self.address, target)
    }
}
