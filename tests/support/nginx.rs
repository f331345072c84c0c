//! A real nginx as an upstream, with a configuration of the test, on ports of the system's choice. It is stopped by its handle.

use super::capture::Capture;
use super::poll::{self, PATIENCE};
use super::tool;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

pub struct Nginx {
    child: Child,
    address: SocketAddr,
    dir: TempDir,
}

impl Nginx {
    /// With these lines in its `server` block; `LISTEN` in them stands for address and port, `DIR` for a folder of its own.
    /// `None`: there is no nginx here, which is printed.
    #[track_caller]
    pub fn start(server: &str) -> Option<Self> {
        let program = tool::find("nginx")?;
        // The port is free when nginx binds it unless another test is given it meanwhile; then it is tried again.
        (0..5).find_map(|_| Self::try_start(&program, server)).or_else(|| panic!("nginx does not start"))
    }

    fn try_start(program: &Path, server: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        let path = dir.path().to_str().unwrap();
        let server = server.replace("LISTEN", &address.to_string()).replace("DIR", path);
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {path}/{kind};\n"))
            .collect();
        let text = format!(
            "daemon off;\nmaster_process off;\nworker_processes 1;\npid {path}/pid;\nerror_log {path}/error.log info;\n\
             events {{ worker_connections 256; }}\n\
             http {{\naccess_log {path}/access.log;\n{temporary}server {{\n{server}\n}}\n}}\n"
        );
        fs::write(dir.path().join("nginx.conf"), text).unwrap();
        drop(free);
        let mut child = Command::new(program)
            .args(["-p", path, "-c", "nginx.conf", "-e", "error.log"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = Capture::default();
        errors.follow(child.stderr.take().unwrap(), &Capture::default());
        let mut ended = false;
        poll::eventually(PATIENCE, "nginx listens", || {
            ended = child.try_wait().unwrap().is_some();
            ended || TcpStream::connect(address).is_ok()
        });
        if ended {
            println!(
                "nginx: {}\n{}",
                errors.text(),
                fs::read_to_string(dir.path().join("error.log")).unwrap_or_default()
            );
            return None;
        }
        Some(Self { child, address, dir })
    }

    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// A file of its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Fails only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
