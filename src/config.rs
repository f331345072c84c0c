//! Files and environment to a validated [`model::Model`], with every problem reported at its place.
//!
//! It is not for compiling the model into what requests use, and it knows nothing of Pingora.

pub mod code;
mod conflicts;
pub mod diagnostic;
mod document;
mod flexible;
mod interpolate;
pub mod keys;
mod lint;
mod mask;
pub mod model;
mod overrides;
mod parse;
mod read;
mod report;
pub mod schema;
mod show;
mod suggest;
mod survey;
#[cfg(test)]
mod tests;

pub use document::Format;
pub use report::Report;

use crate::base::files;
use diagnostic::{Diagnostic, Diagnostics, Severity};
use flexible::Rendered;
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
    /// Also warn of what is right and may not be meant: for `check`.
    pub lint: bool,
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

/// Reads a configuration file; its extension says the format. With `FC_ENABLE` it is rendered first.
pub fn load(path: &Path, options: &Options, environment: &dyn Environment) -> Loaded {
    let rendered = match read_file(path, flexible::is_enabled(environment)) {
        Ok((format, text)) => flexible::render(path, text, environment).map(|rendered| (format, rendered)),
        Err(problem) => Err(Box::new(Report::new(&path.display().to_string(), Masked::default(), vec![problem]))),
    };
    match rendered {
        Ok((format, rendered)) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let sources = Sources { environment, folder: folder.unwrap_or_else(|| Path::new(".")) };
            load_from(rendered, format, options, &sources)
        }
        Err(report) => Loaded { model: None, report: *report },
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
    load_from(Rendered::plain(name, text.as_ref()), format, options, &Sources { environment, folder: Path::new(".") })
}

fn load_from(rendered: Rendered, format: Format, options: &Options, sources: &Sources<'_>) -> Loaded {
    let Rendered { name, text, warnings, files, note } = rendered;
    let text = text.as_str();
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
    for warning in warnings {
        cx.diagnostics.push(warning);
    }
    parse::check_options(&mut cx);
    let document = document::parse(text, format, &mut cx.diagnostics);
    let masked = Masked::new(text, document.as_ref());
    let model = document.and_then(|mut root| {
        interpolate::fill_in(&mut root, sources, &mut cx.diagnostics);
        overrides::apply(&mut root, sources.environment);
        let model = parse::model(&mut cx, &root)?;
        if options.lint && !cx.diagnostics.has_errors() {
            lint::lint(&mut cx, &root, &model);
        }
        Some(model)
    });
    let mut diagnostics = cx.diagnostics.into_sorted();
    if options.deny_warnings {
        for diagnostic in &mut diagnostics {
            diagnostic.severity = Severity::Error;
        }
    }
    let mut report = Report::new(&name, masked, diagnostics).note(note);
    for file in &files {
        report.add_file(file, Masked::default());
    }
    Loaded { model: model.filter(|_| report.is_ok()), report }
}

fn read_file(path: &Path, is_template: bool) -> Result<(Format, String), Diagnostic> {
    let unreadable = |why: &str| Diagnostic::error(code::UNREADABLE, None, format!("the file cannot be read: {why}"));
    // Whether it is there at all comes first: a wrong path needs no lesson about its ending.
    let bytes = files::read(path, MAX_SIZE).map_err(|why| unreadable(&why))?;
    let format = format_of(path, is_template)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((format, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            Err(unreadable(&format!("byte {} is not UTF-8", at + 1)).help("save it as UTF-8"))
        }
    }
}

/// By the ending of the name, before that of a template.
fn format_of(path: &Path, is_template: bool) -> Result<Format, Diagnostic> {
    let extension = |path: &Path| path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let of = |ending: &str| match ending {
        "json" => Some(Format::Json),
        "yaml" | "yml" => Some(Format::Yaml),
        _ => None,
    };
    let ending = extension(path);
    let (format, help) = match (ending.as_str(), is_template) {
        // Most templates are of JSON, and say only that they are templates.
        ("tmpl", true) => (Some(of(&extension(&path.with_extension(""))).unwrap_or(Format::Json)), ""),
        ("tmpl", false) => (None, "it is a template: set `FC_ENABLE=1` to have it rendered"),
        (ending, _) => (of(ending), "name it `.json`, `.yaml` or `.yml`"),
    };
    format.ok_or_else(|| Diagnostic::error(code::FORMAT, None, "the file name does not say its format").help(help))
}
