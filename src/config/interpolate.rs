//! `${env:NAME}`, `${env:NAME:-default}` and `${file:/path}` in string values, filled in before anything looks at them.
//!
//! What comes out may be a secret: no message here holds it, and the node keeps its text as written for the others.

use super::Environment;
use super::code;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::document::{Node, Origin, Value};
use std::path::Path;

/// Larger than any secret or certificate, small enough to read at start.
const MAX_FILE: u64 = 1024 * 1024;

/// Where `${…}` gets its values from.
pub(super) struct Sources<'a> {
    /// For `${env:…}`.
    pub environment: &'a dyn Environment,
    /// Relative `${file:…}` paths start here: the folder of the configuration file.
    pub folder: &'a Path,
}

/// Fills in every string value below `node`; keys stay as they are.
pub(super) fn fill_in(node: &mut Node, sources: &Sources<'_>, diagnostics: &mut Diagnostics) {
    match &mut node.value {
        Value::Array(items) => items.iter_mut().for_each(|item| fill_in(item, sources, diagnostics)),
        Value::Object(members) => {
            for member in members.iter_mut().filter(|member| member.read) {
                fill_in(&mut member.value, sources, diagnostics);
            }
        }
        Value::String(text) if is_reference(text) => {
            let written = text.clone();
            node.origin = match expand(&written, sources) {
                Ok(filled) => {
                    *text = filled;
                    Origin::Interpolated(written)
                }
                Err((message, help)) => {
                    let span = Some(node.span.clone());
                    diagnostics.push(Diagnostic::error(code::INTERPOLATION, span, message).help(help));
                    Origin::Unfilled
                }
            };
        }
        _ => {}
    }
}

fn is_reference(text: &str) -> bool {
    text.contains("${env:") || text.contains("${file:")
}

type Problem = (String, String);

fn expand(text: &str, sources: &Sources<'_>) -> Result<String, Problem> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        filled.push_str(before);
        let known = after.starts_with("env:") || after.starts_with("file:");
        if !known {
            filled.push_str("${");
            rest = after;
            continue;
        }
        let (reference, tail) = after.split_once('}').ok_or_else(unterminated)?;
        filled.push_str(&resolve(reference, sources)?);
        rest = tail;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn unterminated() -> Problem {
    ("a `${` is never closed".to_owned(), "close the reference with `}`".to_owned())
}

fn resolve(reference: &str, sources: &Sources<'_>) -> Result<String, Problem> {
    match reference.split_once(':') {
        Some(("env", variable)) => {
            let (name, default) = match variable.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (variable, None),
            };
            from_environment(name, default, sources.environment)
        }
        Some(("file", path)) => from_file(path, sources.folder),
        _ => Err(unterminated()),
    }
}

fn from_environment(name: &str, default: Option<&str>, environment: &dyn Environment) -> Result<String, Problem> {
    if name.is_empty() || name.contains(|c: char| c == '=' || c.is_whitespace() || c.is_control()) {
        let help = "write `${env:NAME}` or `${env:NAME:-default}`";
        return Err(("a `${env:…}` has no valid variable name".to_owned(), help.to_owned()));
    }
    match (environment.var(name), default) {
        // As in a shell, `:-` also stands in for an empty variable.
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err((
            format!("the environment variable `{name}` is not set"),
            format!("set `{name}`, or give a default: `${{env:{name}:-…}}`"),
        )),
    }
}

fn from_file(path: &str, folder: &Path) -> Result<String, Problem> {
    let help = "the path is relative to the folder of the configuration file unless it begins with `/`";
    let fail = |why: &str| (format!("the file `{path}` cannot be read: {why}"), help.to_owned());
    if path.is_empty() {
        return Err(("a `${file:…}` has no path".to_owned(), "write `${file:/path}`".to_owned()));
    }
    let full = folder.join(path);
    let size = std::fs::metadata(&full).map_err(|error| fail(&reason(&error)))?.len();
    if size > MAX_FILE {
        return Err(fail("it is larger than 1 MiB"));
    }
    let bytes = std::fs::read(&full).map_err(|error| fail(&reason(&error)))?;
    let mut content = String::from_utf8(bytes).map_err(|_| fail("it is not UTF-8"))?;
    if content.ends_with('\n') {
        content.pop();
        if content.ends_with('\r') {
            content.pop();
        }
    }
    Ok(content)
}

/// An input/output error in words, without the operating system's number.
pub(super) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn expanded(text: &str) -> Result<String, Problem> {
        let environment: HashMap<String, String> =
            HashMap::from([("A".into(), "one".into()), ("EMPTY".into(), String::new())]);
        expand(text, &Sources { environment: &environment, folder: Path::new("/nowhere") })
    }

    #[test]
    fn references_are_filled_in() {
        for (text, filled) in [
            ("${env:A}", "one"),
            ("<${env:A}|${env:A}>", "<one|one>"),
            ("${env:MISSING:-two}", "two"),
            ("${env:MISSING:-}", ""),
            ("${env:EMPTY:-two}", "two"),
            ("${env:EMPTY}", ""),
            ("${other} ${env:A}", "${other} one"),
        ] {
            assert_eq!(expanded(text).as_deref(), Ok(filled), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let (message, help) = expanded("${env:NOPE}").unwrap_err();
        assert_eq!(message, "the environment variable `NOPE` is not set");
        assert!(help.contains("${env:NOPE:-…}"), "{help}");
        let (message, _) = expanded("${file:secret.txt}").unwrap_err();
        assert_eq!(message, "the file `secret.txt` cannot be read: no such file or directory");
        assert_eq!(expanded("${env:A").unwrap_err().0, "a `${` is never closed");
        assert!(expanded("${env:}").is_err());
        assert!(expanded("${file:}").is_err());
    }

    #[test]
    fn a_file_loses_one_line_end() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("s"), "hush\n\n").unwrap();
        let environment = HashMap::new();
        let sources = Sources { environment: &environment, folder: folder.path() };
        assert_eq!(expand("${file:s}", &sources).as_deref(), Ok("hush\n"));
    }
}
