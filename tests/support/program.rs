//! The built program with a configuration of its own, for what only a process has: its log and its environment. Everything
//! else is tested faster with [`Running`](super::gateway::Running).

use super::client::{self, Response};
use super::config::ConfigFile;
use super::daemon::{Daemon, PROGRAM};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::Command;

pub struct Program {
    pub daemon: Daemon,
    pub address: SocketAddr,
    _file: ConfigFile,
}

impl Program {
    /// Starts it with these endpoints, on a free port, with these variables and none that would lead to a proxy.
    #[track_caller]
    pub fn with(endpoints: &[Value], variables: &[(&str, &str)]) -> Self {
        let configuration = json!({
            "version": 3, "listen_ip": "127.0.0.1", "port": 0, "output_encoding": "no-op", "endpoints": endpoints,
        });
        let file = ConfigFile::json(configuration.to_string());
        let mut command = Command::new(PROGRAM);
        command.args(["run", "-c"]).arg(file.path());
        for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        let daemon = Daemon::of(command.envs(variables.iter().copied()));
        let line = daemon.wait_for_line(|line| line.contains("porteur::cli::run: porteur "));
        let address = line.rsplit(' ').next().unwrap().parse().unwrap();
        Self { daemon, address, _file: file }
    }

    pub fn get(&self, target: &str) -> Response {
        client::get(self.address, target)
    }
}
