//! `porteur run`: the gateway in the foreground.

use crate::cli::failed;
use crate::cli::load::Configuration;
use crate::config::Options;
use crate::server::{Gateway, LAST_LINES, Settings, Signals};
use crate::telemetry::lines::Lines;
use crate::telemetry::log as process_log;
use clap::Args;
use log::info;
use std::num::NonZeroUsize;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    configuration: Configuration,
    /// Listen on this port in place of the configuration's.
    #[arg(short, long)]
    port: Option<u16>,
    /// Serve `/__debug/`.
    #[arg(short, long)]
    debug: bool,
    /// Worker threads; as many as the process may use cores unless set.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl Run {
    pub(super) fn execute(self) -> ExitCode {
        let options = Options { port: self.port, debug: self.debug, ..Options::default() };
        let model = match self.configuration.model(options) {
            Ok(model) => model,
            Err(code) => return code,
        };
        let lines = match start_log() {
            Ok(lines) => lines,
            Err(error) => return failed(format_args!("cannot start the log: {error}")),
        };
        let gateway = match Gateway::bind(&model, &settings(self.threads, &lines)) {
            Ok(gateway) => gateway,
            Err(error) => return failed(error),
        };
        let (address, admin) = (gateway.address, gateway.admin_address);
        let further = gateway.further_addresses.clone();
        let name = model.name.map(|name| format!(" `{name}`")).unwrap_or_default();
        gateway.run(Signals::default(), move || {
            info!("porteur {}{name} listening on {address}", env!("CARGO_PKG_VERSION"));
            for address in further {
                info!("also listening on {address}");
            }
            if let Some(admin) = admin {
                info!("admin listening on {admin}");
            }
        });
        lines.flush(LAST_LINES);
        ExitCode::SUCCESS
    }
}

/// Lines of the process go to standard error.
pub(super) fn start_log() -> std::io::Result<Lines> {
    let lines = Lines::start(std::io::stderr())?;
    process_log::install(lines.clone(), process_log::level_from_environment());
    Ok(lines)
}

pub(super) fn settings(threads: Option<NonZeroUsize>, lines: &Lines) -> Settings {
    // What the scheduler and the container let us use, not what the machine has.
    let threads = threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    Settings { threads, lines: lines.clone() }
}
