//! Options that all commands with a configuration share, and reading that configuration.

use crate::cli::{FAILED, failed, print};
use crate::config::model::Model;
use crate::config::{self, Loaded, Options, ProcessEnvironment};
use crate::token::table::TokenTable;
use clap::Args;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

/// Which configuration, and what may be wrong with it.
#[derive(Debug, Args)]
pub(super) struct Configuration {
    /// The configuration: a `.json`, `.yaml` or `.yml` file; with `FC_ENABLE` also a `.tmpl`.
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Turn the error about a namespace that porteur does not implement into a warning (repeatable).
    #[arg(long, value_name = "NAMESPACE")]
    pub(super) allow_unsupported: Vec<String>,
}

impl Configuration {
    /// Reads the file; what the command line adds is in `options`.
    pub(super) fn read(&self, mut options: Options) -> Loaded {
        options.allow_unsupported.clone_from(&self.allow_unsupported);
        config::load(&self.config, &options, &ProcessEnvironment)
    }

    /// Reads the file, prints what is wrong with it, and gives the Model or the exit code.
    pub(super) fn model(&self, options: Options) -> Result<Model, ExitCode> {
        let loaded = self.read(options);
        let problems = loaded.report.render(std::io::stderr().is_terminal());
        if !problems.is_empty() {
            print::error(problems.trim_end());
        }
        loaded.model.ok_or_else(|| ExitCode::from(FAILED))
    }

    /// The same with the table of its credentials.
    pub(super) fn model_with_tokens(&self) -> Result<(Model, TokenTable), ExitCode> {
        let model = self.model(Options::default())?;
        let tokens = TokenTable::of(&model).map_err(failed)?;
        Ok((model, tokens))
    }
}
