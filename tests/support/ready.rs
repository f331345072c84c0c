//! An authorization server as a child process: it says in one line of JSON where it listens, answers questions below
//! `/__admin/`, and ends with its stdin. Not for porteur itself, which is a [`Daemon`](super::daemon::Daemon).

use super::capture::Capture;
use super::client::{self, Response};
use super::poll::{self, PATIENCE};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A running server; killed when dropped. If the test run itself is killed, the server ends with its stdin.
pub struct Server {
    child: Child,
    errors: Capture,
}

impl Server {
    /// Runs the command and waits for its line.
    #[track_caller]
    pub fn start<R: DeserializeOwned>(command: &mut Command) -> (Self, R) {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {:?}: {error}", command.get_program()));
        let [output, errors] = [(); 2].map(|()| Capture::default());
        output.follow(child.stdout.take().unwrap(), &Capture::default());
        errors.follow(child.stderr.take().unwrap(), &Capture::default());
        let server = Self { child, errors };
        let line = output
            .wait(|line| line.starts_with('{'))
            .unwrap_or_else(|| panic!("{command:?} does not start:\n{}", server.errors.text()));
        (server, serde_json::from_str(&line).unwrap())
    }

    /// The answer to `GET /__admin/<what>` at this address of the server.
    #[track_caller]
    pub fn ask(&self, addr: SocketAddr, what: &str) -> Value {
        self.accepted(&client::get(addr, &format!("/__admin/{what}"))).json()
    }

    /// `POST /__admin/<what>`, which must be understood.
    #[track_caller]
    pub fn order(&self, addr: SocketAddr, what: &str, order: &Value) {
        self.accepted(&client::post(addr, &format!("/__admin/{what}"), order.to_string()));
    }

    #[track_caller]
    fn accepted<'r>(&self, response: &'r Response) -> &'r Response {
        assert_eq!(response.status, 200, "{}\n{}", response.text(), self.errors.text());
        response
    }

    /// Closes its stdin and waits for its end, which is what happens to it when a test run is killed.
    #[track_caller]
    pub fn abandon(mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        poll::some(PATIENCE, "the end of the server", || self.child.try_wait().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
