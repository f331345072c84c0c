//! `porteur demo`: everything on this machine, to see what the gateway does.

use crate::cli::run::{settings, start_log};
use crate::cli::{failed, print};
use crate::config::{self, Format, Options};
use crate::demo;
use crate::server::{Gateway, LAST_LINES, Signals};
use clap::Args;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;

/// The configuration that the demo runs with.
const CONFIGURATION: &str = include_str!("../../conf/demo.json");

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Listen on this port in place of 8080; 0 takes a free one.
    #[arg(short, long)]
    port: Option<u16>,
}

impl Demo {
    pub(super) fn execute(self) -> ExitCode {
        let demo = match demo::Demo::bind() {
            Ok(demo) => demo,
            Err(error) => return failed(error),
        };
        let options = Options { port: self.port, ..Options::default() };
        let loaded = config::load_text("conf/demo.json", Format::Json, CONFIGURATION, &options, &demo.environment());
        let Some(model) = loaded.model else {
            return failed(loaded.report.render(std::io::stderr().is_terminal()));
        };
        let lines = match start_log() {
            Ok(lines) => lines,
            Err(error) => return failed(format_args!("cannot start the log: {error}")),
        };
        let mut gateway = match Gateway::bind(&model, &settings(None, &lines)) {
            Ok(gateway) => gateway,
            Err(error) => return failed(error),
        };
        let (address, admin) = (gateway.address, gateway.admin_address);
        let (authorization_server, api) = (demo.authorization_server, demo.api);
        demo.join(&mut gateway);
        gateway.run(Signals::default(), move || print::line(guide(address, authorization_server, api, admin)));
        lines.flush(LAST_LINES);
        ExitCode::SUCCESS
    }
}

fn guide(gateway: SocketAddr, authorization_server: SocketAddr, api: SocketAddr, admin: Option<SocketAddr>) -> String {
    let admin =
        admin.map(|admin| format!("\n    admin                 http://{admin}/metrics  /readyz")).unwrap_or_default();
    format!(
        "
porteur demo: everything runs on this machine, with secrets made for this run.

    authorization server  http://{authorization_server}/token
    protected API         http://{api}
    gateway               http://{gateway}{admin}

Through the gateway, which carries the token for you:

    curl -i http://{gateway}/orders/42

The same call made directly to the API is refused:

    curl -i http://{api}/v1/orders/42

Stop with Ctrl-C.
"
    )
}
