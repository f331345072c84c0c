//! `porteur check`: is this configuration right?

use crate::cli::load::Configuration;
use crate::cli::{FAILED, failed, print, token};
use crate::config::Options;
use crate::config::model::Model;
use crate::snapshot::Snapshot;
use crate::snapshot::addresses::AddressBook;
use crate::telemetry::metrics::Metrics;
use crate::token::table::TokenTable;
use clap::{Args, ValueEnum};
use std::io::IsTerminal;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    configuration: Configuration,
    /// Treat warnings as errors, what this command alone warns of included.
    #[arg(long, value_name = "WHAT")]
    deny: Option<Deny>,
    /// Also fetch one token for each credential, and print what came of it.
    #[arg(long)]
    tokens: bool,
    /// How to print what is wrong.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deny {
    Warnings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Check {
    pub(super) fn execute(self) -> ExitCode {
        let options = Options { deny_warnings: self.deny == Some(Deny::Warnings), lint: true, ..Options::default() };
        let loaded = self.configuration.read(options);
        let problems = match self.format {
            Format::Json => loaded.report.to_json(),
            Format::Text => loaded.report.render(std::io::stderr().is_terminal()),
        };
        match self.format {
            // Machines read standard output.
            Format::Json => print::line(problems.trim_end()),
            Format::Text if problems.is_empty() => {}
            Format::Text => print::error(problems.trim_end()),
        }
        let Some(model) = loaded.model else { return ExitCode::from(FAILED) };
        let tokens = match compile(&model) {
            Ok(tokens) => tokens,
            Err(error) => return failed(error),
        };
        if self.format == Format::Text {
            let file = self.configuration.config.display();
            let (endpoints, credentials) = (model.endpoints.len(), tokens.entries().count());
            let verdict = verdict(loaded.report.warnings());
            print::line(format_args!("{file}: {verdict}, {endpoints} endpoints, {credentials} credentials"));
        }
        if !self.tokens {
            return ExitCode::SUCCESS;
        }
        let (lines, code) = token::try_all(&tokens);
        // Beside JSON on standard output, words go where people look.
        match self.format {
            Format::Json => lines.iter().for_each(print::error),
            Format::Text => lines.iter().for_each(print::line),
        }
        code
    }
}

/// Warnings stand above it, each with its place.
fn verdict(warnings: usize) -> String {
    match warnings {
        0 => "fine".to_owned(),
        1 => "runs, with 1 warning".to_owned(),
        _ => format!("runs, with {warnings} warnings"),
    }
}

/// Compiles as `run` does, without starting anything.
fn compile(model: &Model) -> Result<TokenTable, String> {
    let metrics = Metrics::new().map_err(|error| error.to_string())?;
    let tokens = TokenTable::of(model).map_err(|error| error.to_string())?;
    Snapshot::compile(model, &tokens, &mut AddressBook::default(), &metrics).map_err(|error| error.to_string())?;
    Ok(tokens)
}
