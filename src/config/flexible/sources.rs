//! The files around a template: the settings, the templates it may call, the partials it may include.

use super::evaluate::Outside;
use super::fault::Fault;
use super::functions::Outcome;
use super::value::Value;
use crate::base::files;
use crate::config::diagnostic::Diagnostic;
use crate::config::document::{self, Node};
use crate::config::show;
use crate::config::{Environment, MAX_SIZE, code};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A text that problems may be in.
pub(super) struct Source {
    /// Its path.
    pub name: String,
    /// Empty if it cannot be read.
    pub text: String,
}

/// The files of a folder in the order of their names: those with this ending, and the others. Folders in it are not looked
/// into.
pub(super) fn files_of(folder: &str, ending: &str) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Diagnostic> {
    let unreadable = |error: std::io::Error| {
        let message = format!("the folder cannot be read: {}", files::reason(&error));
        Diagnostic::error(code::FLEXIBLE_FILE, None, message)
            .help("the path is relative to the working directory unless it begins with `/`")
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths.into_iter().partition(|path| path.to_string_lossy().ends_with(ending)))
}

/// The text of a file.
pub(super) fn read(path: &Path) -> Result<String, Diagnostic> {
    let unreadable =
        |why: &str| Diagnostic::error(code::FLEXIBLE_FILE, None, format!("the file cannot be read: {why}"));
    let bytes = files::read(path, MAX_SIZE).map_err(|why| unreadable(&why))?;
    String::from_utf8(bytes).map_err(|_| unreadable(files::NOT_TEXT).help("save it as UTF-8"))
}

/// The value of the text of a settings file.
pub(super) fn settings(text: &str) -> Result<Value, Diagnostic> {
    let root = document::json(text)?;
    if !matches!(root.value, document::Value::Object(_)) {
        let message = format!("settings are an object, and this is {}", root.kind());
        let problem = Diagnostic::error(code::TYPE, Some(root.span), message);
        return Err(problem.help("put it under a key: `{ \"items\": … }`"));
    }
    value(root)
}

fn value(node: Node) -> Result<Value, Diagnostic> {
    let deep = |fault: Fault| Diagnostic::error(fault.code, Some(node.span), fault.message);
    match node.value {
        document::Value::Null => Ok(Value::Nil),
        document::Value::Bool(value) => Ok(Value::Bool(value)),
        document::Value::Number(text) => Ok(Value::Number(text.into())),
        document::Value::String(text) => Ok(Value::string(text)),
        document::Value::Array(items) => {
            let items = items.into_iter().map(value).collect::<Result<_, _>>()?;
            Value::list(items).map_err(deep)
        }
        document::Value::Object(members) => {
            let mut entries: BTreeMap<Rc<str>, Value> = BTreeMap::new();
            for member in members {
                if entries.insert(member.key.into(), value(member.value)?).is_some() {
                    let problem =
                        Diagnostic::error(code::DUPLICATE_KEY, Some(member.key_span), "the key is written twice");
                    return Err(problem.help("remove one of them"));
                }
            }
            Value::map(entries).map_err(deep)
        }
    }
}

/// What templates ask for while they run.
pub(super) struct Surroundings<'a> {
    environment: &'a dyn Environment,
    /// Where partials are.
    folder: PathBuf,
    read: HashMap<String, Value>,
}

impl<'a> Surroundings<'a> {
    pub(super) fn new(environment: &'a dyn Environment) -> Self {
        let folder = environment.var("FC_PARTIALS").unwrap_or_default().into();
        Self { environment, folder, read: HashMap::new() }
    }
}

impl Outside for Surroundings<'_> {
    /// Go has an empty text for a variable that is not set; here it has to be asked for.
    fn variable(&self, name: &str, is_written: bool) -> Value {
        if let Some(value) = self.environment.var(name) {
            return Value::string(value);
        }
        // What is no usual name may be a secret in the wrong place.
        let fault = if is_written && show::is_usual_variable(name) {
            let help = format!("set `{name}`, or give a default: `{{{{ env \"{name}\" | default \"…\" }}}}`");
            Fault::value(format!("the environment variable `{name}` is not set")).help(help)
        } else {
            Fault::value("the environment variable is not set")
                .help("set it, or give a default: `{{ env \"…\" | default \"…\" }}`")
        };
        Value::absent(fault, true)
    }

    fn partial(&mut self, name: &str) -> Outcome {
        if let Some(text) = self.read.get(name) {
            return Ok(text.clone());
        }
        // Go joins an absolute path as if it were none.
        let path = self.folder.join(name.trim_start_matches('/'));
        let help = if self.folder.as_os_str().is_empty() {
            "set `FC_PARTIALS` to the folder of the partials"
        } else {
            "partials are in the folder that `FC_PARTIALS` names"
        };
        let text = read(&path).map_err(|problem| {
            let message = problem.message.replacen("the file", "the partial", 1);
            Fault::file(message).help(help)
        })?;
        let text = Value::string(text);
        self.read.insert(name.to_owned(), text.clone());
        Ok(text)
    }
}
