//! HAProxy in front of something, passing connections on as they are, with a PROXY header or without.

use super::daemon::Daemon;
use super::tool;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use tempfile::NamedTempFile;

pub struct Haproxy {
    pub address: SocketAddr,
    _process: Daemon,
    _file: NamedTempFile,
}

impl Haproxy {
    /// `options` stand behind the server's address, such as `send-proxy`.
    #[track_caller]
    pub fn before(server: SocketAddr, options: &str) -> Self {
        let file = NamedTempFile::with_suffix(".cfg").unwrap();
        let text = format!(
            "global\n  maxconn 64\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n\
             listen all\n  bind fd@0\n  server one {server} {options}\n"
        );
        std::fs::write(file.path(), text).unwrap();
        // The socket is here before the process is: whoever connects waits for it. It is handed over as standard input.
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let mut command = Command::new(tool::find("haproxy").unwrap());
        command.arg("-db").arg("-f").arg(file.path()).stdin(Stdio::from(OwnedFd::from(socket)));
        Self { address, _process: Daemon::with_stdin(&mut command), _file: file }
    }
}
