//! A whole gateway inside the test, on free ports: everything but the process itself. It drains and ends when dropped.

use super::client::{self, Response};
use super::poll::{self, PATIENCE};
use porteur::config::{self, Format, Options};
use porteur::server::{Gateway, Settings};
use porteur::telemetry::lines::Lines;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, Once};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::watch;

pub struct Running {
    pub address: SocketAddr,
    /// Of `extra_config.listeners`, in their order.
    pub further: Vec<SocketAddr>,
    pub admin: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    lines: Lines,
    access: Sink,
}

impl Running {
    /// Starts a gateway with these endpoints.
    #[track_caller]
    pub fn with(endpoints: &[Value]) -> Self {
        Self::start(json!({ "endpoints": endpoints }))
    }

    /// Starts a gateway; what every test wants is filled in: version, no-op, free ports on loopback, an admin listener.
    #[track_caller]
    pub fn start(mut configuration: Value) -> Self {
        for (key, value) in [
            ("version", json!(3)),
            ("listen_ip", json!("127.0.0.1")),
            ("port", json!(0)),
            ("output_encoding", json!("no-op")),
        ] {
            configuration.as_object_mut().unwrap().entry(key).or_insert(value);
        }
        configuration["extra_config"]["admin"] = json!({ "listen": "127.0.0.1:0" });
        let text = format!("{configuration:#}");
        let loaded =
            config::load_text("test.json", Format::Json, text, &Options::default(), &HashMap::<String, String>::new());
        let model = loaded.model.unwrap_or_else(|| panic!("{}", loaded.report.render(false)));

        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| drop(rustls::crypto::aws_lc_rs::default_provider().install_default()));
        let access = Sink::default();
        let lines = Lines::start(access.clone()).unwrap();
        let gateway = Gateway::bind(&model, &Settings { threads: 2, lines: lines.clone() }).unwrap();
        let (address, admin) = (gateway.address, gateway.admin_address.unwrap());
        let further = gateway.further_addresses.clone();
        let (stop, stopped) = watch::channel(false);
        let thread = thread::spawn(move || gateway.run(stopped, || {}));
        Self { address, further, admin, stop, thread: Some(thread), lines, access }
    }

    /// Waits until `/readyz` says yes.
    #[track_caller]
    pub fn ready(self) -> Self {
        poll::eventually(PATIENCE, "the gateway is ready", || self.probe("/readyz").status == 200);
        self
    }

    pub fn get(&self, target: &str) -> Response {
        client::get(self.address, target)
    }

    /// An answer of the admin listener.
    pub fn probe(&self, target: &str) -> Response {
        client::get(self.admin, target)
    }

    /// The value of a metric, named with its labels as in the exposition; 0 when it is not there.
    pub fn metric(&self, name: &str) -> f64 {
        self.probe("/metrics").metric(name)
    }

    /// The access log, as soon as it has this many lines: a client has its answer a moment before its line is written.
    #[track_caller]
    pub fn access_log(&self, lines: usize) -> String {
        poll::some(PATIENCE, "the access log has its lines", || {
            self.lines.flush(PATIENCE);
            let text = String::from_utf8(self.access.0.lock().unwrap().clone()).unwrap();
            (text.lines().count() >= lines).then_some(text)
        })
    }

    /// Asks for the end; requests under way go on.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Whether the gateway has come to its end.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        let ended = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "the gateway panicked");
        }
    }
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An endpoint with one backend.
pub fn endpoint(path: &str, host: &str, url_pattern: &str) -> Value {
    json!({ "endpoint": path, "timeout": "10s", "backend": [{ "host": [host], "url_pattern": url_pattern }] })
}

/// The same, whose backend wants a token.
pub fn protected(path: &str, host: &str, credential: Value) -> Value {
    let mut endpoint = endpoint(path, host, path);
    endpoint["backend"][0]["extra_config"]["auth/client-credentials"] = credential;
    endpoint
}

/// A credential for a token endpoint.
pub fn credential(token_url: &str) -> Value {
    json!({ "client_id": "basic", "client_secret": super::idp::CLIENT_SECRET, "token_url": token_url })
}

/// The same keys, with these added or in place of those of their name.
pub fn with(mut keys: Value, others: &Value) -> Value {
    keys.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
    keys
}

/// Longer than any request in a test takes, shorter than a test may hang.
pub const BRIEF: Duration = Duration::from_secs(5);
