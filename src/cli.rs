//! The command line: what was typed becomes a call, what comes of it becomes text for people and an exit code.
//!
//! Exit codes: 0 fine; 1 the configuration is wrong or the process could not start; 2 wrong usage.

mod check;
mod demo;
mod load;
mod routes;
mod run;
mod schema;
mod token;
mod version;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Edge proxy that loads a KrakenD configuration and carries the OAuth 2.0 token for every upstream request.
#[derive(Debug, Parser)]
#[command(name = "porteur", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway in the foreground.
    Run(run::Run),
    /// Parse, validate and compile a configuration; print every problem.
    Check(check::Check),
    /// Print the compiled table of routes.
    Routes(routes::Routes),
    /// Fetch one credential's token and describe it.
    Token(token::Token),
    /// Run a gateway, an authorization server and a protected API on this machine.
    Demo(demo::Demo),
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
    /// Print version, commit and build.
    Version,
}

/// Runs the command that was typed.
#[must_use]
pub fn main() -> ExitCode {
    // clap prints its own usage errors and exits with 2.
    match Cli::parse().command {
        Command::Run(run) => run.execute(),
        Command::Check(check) => check.execute(),
        Command::Routes(routes) => routes.execute(),
        Command::Token(token) => token.execute(),
        Command::Demo(demo) => demo.execute(),
        Command::Schema => schema::execute(),
        Command::Version => version::execute(),
    }
}

/// The configuration is wrong, or the process could not start.
const FAILED: u8 = 1;

/// Prints a failure and gives its exit code.
fn failed(reason: impl std::fmt::Display) -> ExitCode {
    print::error(format_args!("error: {reason}"));
    ExitCode::from(FAILED)
}

mod print {
    //! The only place that writes to the terminal. A closed pipe is not an error: whoever read has read enough.

    use std::fmt::Display;
    use std::io::{self, Write};

    /// A line on standard output.
    pub(super) fn line(text: impl Display) {
        let _ = writeln!(io::stdout().lock(), "{text}");
    }

    /// A line on standard error.
    pub(super) fn error(text: impl Display) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}
