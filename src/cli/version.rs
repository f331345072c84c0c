//! `porteur version`.

use crate::cli::print;
use std::process::ExitCode;

pub(super) fn execute() -> ExitCode {
    let commit = option_env!("PORTEUR_COMMIT").unwrap_or("unknown");
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    print::line(format_args!("porteur {} (commit {commit}, {profile} build)", env!("CARGO_PKG_VERSION")));
    ExitCode::SUCCESS
}
