//! `porteur routes`: what the configuration makes of each endpoint, as a table.

use crate::base::duration;
use crate::cli::load::Configuration;
use crate::cli::print;
use crate::config::model::{Backend, Endpoint, Host, Methods};
use crate::token::table::TokenTable;
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Routes {
    #[command(flatten)]
    configuration: Configuration,
}

const TITLES: [&str; 6] = ["METHOD", "ENDPOINT", "BACKEND", "URL PATTERN", "CREDENTIAL", "TIMEOUT"];

impl Routes {
    pub(super) fn execute(self) -> ExitCode {
        let (model, tokens) = match self.configuration.model_with_tokens() {
            Ok(read) => read,
            Err(code) => return code,
        };
        let mut rows = vec![TITLES.map(str::to_owned)];
        for endpoint in &model.endpoints {
            rows.extend(endpoint.backends().map(|backend| row(endpoint, backend, &tokens)));
        }
        table(&rows).iter().for_each(print::line);
        ExitCode::SUCCESS
    }
}

fn row(endpoint: &Endpoint, backend: &Backend, tokens: &TokenTable) -> [String; 6] {
    let methods = match &endpoint.methods {
        Methods::Any => "*".to_owned(),
        Methods::Only(methods) => methods.iter().map(http::Method::as_str).collect::<Vec<_>>().join(","),
    };
    let credential = backend.token.as_ref().and_then(|policy| tokens.slot(policy));
    [
        methods,
        endpoint.path.text.clone(),
        backend.hosts.iter().map(Host::origin).collect::<Vec<_>>().join(","),
        backend.url_pattern.text.clone(),
        credential.map_or_else(|| "-".to_owned(), |slot| slot.name.clone()),
        duration::format(backend.timeout.unwrap_or(endpoint.timeout)),
    ]
}

/// Columns as wide as their widest cell, the last one as it is.
fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["A", "LONG"], ["wide", "x"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), ["A     LONG", "wide  x"]);
    }
}
