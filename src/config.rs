//! Files and environment to a validated [`model::Model`], with every problem reported at its place.
//!
//! It is not for compiling the model into what requests use, and it knows nothing of Pingora.

pub mod code;
mod conflicts;
pub mod diagnostic;
mod document;
mod interpolate;
pub mod keys;
mod mask;
pub mod model;
mod overrides;
mod parse;
mod read;
mod report;
mod show;
mod suggest;
mod survey;
#[cfg(test)]
mod tests;

pub use document::Format;
pub use report::Report;

use crate::base::files;
use diagnostic::{Diagnostic, Diagnostics, Severity};
use interpolate::Sources;
use mask::Masked;
use model::Model;
use read::{Context, Earlier};
use std::collections::HashSet;
use std::path::Path;

/// Larger than any real configuration by far.
const MAX_SIZE: u64 = 16 * 1024 * 1024;

/// What the command line says about a configuration.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--allow-unsupported NAMESPACE`: errors about these become warnings.
    pub allow_unsupported: Vec<String>,
    /// `--deny warnings`: warnings become errors.
    pub deny_warnings: bool,
    /// `-p`: wins over the file's `port`.
    pub port: Option<u16>,
    /// `-d`: serve `/__debug/` even if the file does not ask for it.
    pub debug: bool,
}

/// Where environment variables come from.
pub trait Environment {
    /// The value of a variable, if it is set and is text.
    fn var(&self, name: &str) -> Option<String>;
}

/// The environment of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

impl<S: std::hash::BuildHasher> Environment for std::collections::HashMap<String, String, S> {
    fn var(&self, name: &str) -> Option<String> {
        self.get(name).cloned()
    }
}

/// A configuration that was read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// `None` when there is any error.
    pub model: Option<Model>,
    /// What was found.
    pub report: Report,
}

/// Reads a configuration file; its extension says the format.
pub fn load(path: &Path, options: &Options, environment: &dyn Environment) -> Loaded {
    let name = path.display().to_string();
    match read_file(path) {
        Ok((format, text)) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let sources = Sources { environment, folder: folder.unwrap_or_else(|| Path::new(".")) };
            load_from(&name, format, &text, options, &sources)
        }
        Err(problem) => Loaded { model: None, report: Report::new(&name, Masked::default(), vec![problem]) },
    }
}

/// Reads a configuration text. Relative `${file:…}` paths start at the working directory.
pub fn load_text(
    name: &str,
    format: Format,
    text: impl AsRef<str>,
    options: &Options,
    environment: &dyn Environment,
) -> Loaded {
    load_from(name, format, text.as_ref(), options, &Sources { environment, folder: Path::new(".") })
}

fn load_from(name: &str, format: Format, text: &str, options: &Options, sources: &Sources<'_>) -> Loaded {
    let mut cx = Context {
        diagnostics: Diagnostics::new(text),
        options,
        no_op: false,
        earlier: Earlier::default(),
        namespaces: HashSet::new(),
        credentials: HashSet::new(),
        shared_cache: None,
        folder: sources.folder,
    };
    parse::check_options(&mut cx);
    let document = document::parse(text, format, &mut cx.diagnostics);
    let masked = Masked::new(text, document.as_ref());
    let model = document.and_then(|mut root| {
        interpolate::fill_in(&mut root, sources, &mut cx.diagnostics);
        overrides::apply(&mut root, sources.environment);
        parse::model(&mut cx, &root)
    });
    let mut diagnostics = cx.diagnostics.into_sorted();
    if options.deny_warnings {
        for diagnostic in &mut diagnostics {
            diagnostic.severity = Severity::Error;
        }
    }
    let report = Report::new(name, masked, diagnostics);
    Loaded { model: model.filter(|_| report.is_ok()), report }
}

fn read_file(path: &Path) -> Result<(Format, String), Diagnostic> {
    let unreadable = |why: &str| Diagnostic::error(code::UNREADABLE, None, format!("the file cannot be read: {why}"));
    // Whether it is there at all comes first: a wrong path needs no lesson about its ending.
    let bytes = files::read(path, MAX_SIZE).map_err(|why| unreadable(&why))?;
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let format = match extension.as_str() {
        "json" => Format::Json,
        "yaml" | "yml" => Format::Yaml,
        _ => {
            let message = "the file name does not say its format";
            let help = "name it `.json`, `.yaml` or `.yml`";
            return Err(Diagnostic::error(code::FORMAT, None, message).help(help));
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok((format, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            Err(unreadable(&format!("byte {} is not UTF-8", at + 1)).help("save it as UTF-8"))
        }
    }
}
