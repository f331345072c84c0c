//! `porteur schema`: the JSON Schema of the configuration, for editors.

use crate::cli::print;
use crate::config::schema;
use std::process::ExitCode;

pub(super) fn execute() -> ExitCode {
    print::line(schema::text().trim_end());
    ExitCode::SUCCESS
}
