//! KrakenD's flexible configuration: when `FC_ENABLE` is set, the file is a template of Go's, and what it renders to is the
//! configuration.
//!
//! Here is the door: the environment and a text to a rendered text, or to what is wrong. The template language is in the files
//! below; what the rendered text means is not known here. Where KrakenD logs an error and goes on with the raw file, nothing
//! starts.

mod bounded;
mod evaluate;
mod fault;
mod functions;
mod lex;
mod masked;
mod output;
mod parse;
mod sources;
mod syntax;
#[cfg(test)]
mod tests;
mod value;

use super::Environment;
use super::code;
use super::diagnostic::Diagnostic;
use super::mask::Masked;
use super::report::Report;
use fault::Problem;
use parse::Parsed;
use sources::{Source, Surroundings};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::rc::Rc;
use syntax::{Definition, Node, Template};
use value::Value;

/// How files of settings end.
const SETTINGS: &str = ".json";

/// How files of templates end.
const TEMPLATES: &str = ".tmpl";

/// A text that went through the door.
pub(super) struct Rendered {
    /// What the report calls it.
    pub name: String,
    /// The text.
    pub text: String,
    /// What to know about it.
    pub warnings: Vec<Diagnostic>,
    /// The files that these count.
    pub files: Vec<String>,
    /// What its report says at the end.
    pub note: String,
}

impl Rendered {
    /// A text that needs no rendering.
    pub(super) fn plain(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
            warnings: Vec::new(),
            files: Vec::new(),
            note: String::new(),
        }
    }
}

/// Whether files are templates.
pub(super) fn is_enabled(environment: &dyn Environment) -> bool {
    environment.var("FC_ENABLE").is_some_and(|value| !value.is_empty())
}

/// Renders the text of the file `path`, unless flexible configuration is off.
pub(super) fn render(path: &Path, text: String, environment: &dyn Environment) -> Result<Rendered, Box<Report>> {
    let name = path.display().to_string();
    if !is_enabled(environment) {
        return Ok(Rendered { name, text, warnings: unused(environment), files: Vec::new(), note: String::new() });
    }
    let main = Source { name, text };
    let mut rendering = Rendering { sources: vec![main], problems: Vec::new(), warnings: Vec::new() };
    let rendered = rendering.rendered(path, environment);
    match rendered.filter(|_| rendering.problems.is_empty()) {
        Some(text) => Ok(rendering.named(text, environment)),
        None => Err(Box::new(rendering.report())),
    }
}

/// Variables that somebody set in vain.
fn unused(environment: &dyn Environment) -> Vec<Diagnostic> {
    let is_set = |name: &&str| environment.var(name).is_some_and(|value| !value.is_empty());
    let warning = |name| {
        let message = format!("`{name}` has no effect: flexible configuration is off");
        Diagnostic::warning(code::FLEXIBLE_OFF, None, message).help(format!("set `FC_ENABLE=1`, or unset `{name}`"))
    };
    ["FC_SETTINGS", "FC_PARTIALS", "FC_TEMPLATES", "FC_OUT"].into_iter().filter(is_set).map(warning).collect()
}

/// Everything that was read, and what is wrong with it.
struct Rendering {
    /// The configuration is the first one.
    sources: Vec<Source>,
    problems: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Rendering {
    /// The text, written to `FC_OUT` if that is asked for.
    fn rendered(&mut self, path: &Path, environment: &dyn Environment) -> Option<String> {
        let settings = self.settings(&environment.var("FC_SETTINGS").unwrap_or_default());
        let (main, templates) = self.templates(&environment.var("FC_TEMPLATES").unwrap_or_default());
        // All that is wrong with the files is told at once.
        let main = main.filter(|_| self.problems.is_empty())?;
        let mut outside = Surroundings::new(environment);
        match evaluate::evaluate(&templates, &main, &settings?, &mut outside, evaluate::MAX_STEPS) {
            Ok(text) => {
                let target = environment.var("FC_OUT").filter(|target| !target.is_empty());
                let written = target.map_or(Ok(()), |target| output::write(Path::new(&target), path, &text));
                self.problems.extend(written.err());
                Some(text)
            }
            Err(problem) => {
                self.found(&problem);
                None
            }
        }
    }

    fn found(&mut self, problem: &Problem) {
        let fault = &problem.fault;
        let diagnostic = Diagnostic::error(fault.code, Some(problem.span.clone()), &*fault.message).help(&*fault.help);
        self.problems.push(diagnostic.in_file(problem.file));
    }

    /// Makes a file or folder known, and gives its number.
    fn open(&mut self, path: &Path) -> usize {
        self.sources.push(Source { name: path.display().to_string(), text: String::new() });
        self.sources.len() - 1
    }

    /// The numbers of the files of a folder, each problem of which is kept.
    fn read(&mut self, folder: &str, ending: &str) -> Vec<usize> {
        if folder.is_empty() {
            return Vec::new();
        }
        let (paths, others) = match sources::files_of(folder, ending) {
            Ok(files) => files,
            Err(problem) => {
                let number = self.open(Path::new(folder));
                self.problems.push(problem.in_file(number));
                return Vec::new();
            }
        };
        for path in others.iter().filter(|path| ending == SETTINGS && is_enterprise(path)) {
            let warning =
                Diagnostic::warning(code::UNREAD_SETTINGS, None, "settings are read from `.json` files alone");
            let number = self.open(path);
            self.warnings.push(warning.help("write it as JSON").in_file(number));
        }
        let mut numbers = Vec::new();
        for path in paths {
            let number = self.open(&path);
            match (sources::read(&path), self.sources.last_mut()) {
                (Ok(text), Some(source)) => {
                    source.text = text;
                    numbers.push(number);
                }
                (Err(problem), _) => self.problems.push(problem.in_file(number)),
                (Ok(_), None) => {}
            }
        }
        numbers
    }

    /// `x.json` becomes `.x`.
    fn settings(&mut self, folder: &str) -> Option<Value> {
        let mut entries = BTreeMap::new();
        for number in self.read(folder, SETTINGS) {
            let Some(source) = self.sources.get(number) else { continue };
            let name = Path::new(&source.name).file_stem().unwrap_or_default().to_string_lossy();
            match sources::settings(&source.text) {
                Ok(value) => drop(entries.insert(Rc::from(&*name), value)),
                Err(problem) => self.problems.push(problem.in_file(number)),
            }
        }
        Value::map(entries).ok()
    }

    /// The configuration's own template, and those that can be called.
    fn templates(&mut self, folder: &str) -> (Option<Template>, HashMap<String, Template>) {
        let numbers = self.read(folder, TEMPLATES);
        let path = |file: usize| self.sources.get(file).and_then(|source| Path::new(&source.name).canonicalize().ok());
        // The folder may hold the configuration, too.
        let main_path = path(0);
        let others: Vec<_> = numbers.into_iter().filter(|file| path(*file) != main_path).collect();
        let mut main = None;
        let mut definitions = Vec::new();
        for file in std::iter::once(0).chain(others) {
            let Some(source) = self.sources.get(file) else { continue };
            let name = Path::new(&source.name).file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Parsed { nodes, definitions: more } = match parse::parse(&source.text, file) {
                Ok(parsed) => parsed,
                Err(problem) => {
                    self.found(&problem);
                    continue;
                }
            };
            definitions.extend(more);
            let template = Template { file, nodes };
            match file {
                0 => main = Some(template),
                // A file that only holds definitions is a template without content, which replaces none.
                _ => definitions.push(Definition { name, span: 0..0, is_default: is_blank(&template), template }),
            }
        }
        (main, self.by_name(definitions))
    }

    /// A `define` replaces a `block`; which of two `define`s counts would depend on the names of the files.
    fn by_name(&mut self, definitions: Vec<Definition>) -> HashMap<String, Template> {
        let mut named: HashMap<String, Definition> = HashMap::new();
        for definition in definitions {
            match named.get(&definition.name) {
                Some(other) if !other.is_default && !definition.is_default => {
                    let other = self.sources.get(other.template.file).map_or("", |source| &source.name);
                    let fault = fault::Fault::syntax(format!("the template `{}` is defined twice", definition.name));
                    let help = format!("the other one is in `{other}`; rename one of them");
                    self.found(&fault.help(help).at(definition.template.file, &definition.span));
                }
                Some(_) if definition.is_default => {}
                _ => drop(named.insert(definition.name.clone(), definition)),
            }
        }
        named.into_iter().map(|(name, definition)| (name, definition.template)).collect()
    }

    /// A text without actions is its own file; any other one has places of its own.
    fn named(self, text: String, environment: &dyn Environment) -> Rendered {
        let mut sources = self.sources.into_iter();
        let main = sources.next().unwrap_or(Source { name: String::new(), text: String::new() });
        let rendered = Rendered::plain(&main.name, "");
        let rendered =
            Rendered { text, warnings: self.warnings, files: sources.map(|source| source.name).collect(), ..rendered };
        if main.text == rendered.text {
            return rendered;
        }
        let note = match environment.var("FC_OUT").filter(|target| !target.is_empty()) {
            Some(target) => format!("these places are in the rendered text, which is in `{target}`"),
            None => "these places are in the rendered text; set `FC_OUT` to a file to see it".to_owned(),
        };
        Rendered { name: format!("{} (rendered)", main.name), note, ..rendered }
    }

    /// What is wrong, each in its file.
    fn report(self) -> Report {
        let mut problems = self.problems;
        problems.extend(self.warnings);
        let mut sources = self.sources.iter();
        let (name, text) = sources.next().map_or(("", ""), |main| (&main.name, &main.text));
        let mut report = Report::new(name, masked::masked(text), problems);
        for Source { name, text } in sources {
            let masked = if name.ends_with(SETTINGS) { Masked::new(text, None) } else { masked::masked(text) };
            report.add_file(name, masked);
        }
        report
    }
}

/// Formats that the enterprise edition reads, too.
fn is_enterprise(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ["yaml", "yml", "toml", "ini", "properties", "env"].contains(&extension.as_str())
}

/// Whether it prints nothing but blanks.
fn is_blank(template: &Template) -> bool {
    template.nodes.iter().all(|node| matches!(node, Node::Text(text, _) if text.trim().is_empty()))
}
