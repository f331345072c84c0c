//! `${env:NAME}`, `${env:NAME:-default}` and `${file:/path}` in string values, filled in before anything looks at them.
//!
//! What comes out may be a secret: no message here holds it, and the node keeps its text as written for the others.

use super::Environment;
use super::code;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::document::{Node, Origin, Value};
use super::show::{self, Show};
use crate::base::files;
use std::path::Path;

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
        Value::String(text) if text.contains("${") || text.contains("{{") => {
            let written = text.clone();
            node.origin = match expand(&written, node.show, node.per_request, sources) {
                // Nothing but what a request fills in.
                Ok(filled) if filled == written => Origin::Text,
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

type Problem = (String, String);

fn problem(message: &str, help: &str) -> Problem {
    (message.to_owned(), help.to_owned())
}

/// Whether what follows a `${` is for a request to fill in.
pub(super) fn is_per_request(after: &str) -> bool {
    after.starts_with("request.") || after.starts_with("jwt.")
}

/// How many parts of a text a request fills in.
pub(super) fn count_per_request(text: &str) -> usize {
    text.split("${").skip(1).filter(|after| is_per_request(after)).count()
}

/// What is left of a template, or meant for a shell, would be sent as it stands: as a secret, for one.
fn expand(text: &str, show: Show, per_request: bool, sources: &Sources<'_>) -> Result<String, Problem> {
    const HELP: &str = "write `${env:NAME}` or `${file:/path}`";
    if text.contains("{{") {
        let help = "with `FC_ENABLE=1` the file is rendered first, and once only; or write `${env:NAME}`";
        return Err(problem("a `{{ … }}` of a template is not filled in here", help));
    }
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        filled.push_str(before);
        if is_per_request(after) {
            if !per_request {
                let help = "only values in `modifier/martian` are filled in for each request";
                return Err(problem("a `${request.…}` or `${jwt.…}` is not filled in here", help));
            }
            if !after.contains('}') {
                return Err(problem("a `${` is never closed", "close the reference with `}`"));
            }
            filled.push_str("${");
            rest = after;
            continue;
        }
        if !after.starts_with("env:") && !after.starts_with("file:") {
            return Err(problem("a `${…}` begins with neither `env:` nor `file:`", HELP));
        }
        let (reference, tail) =
            after.split_once('}').ok_or_else(|| problem("a `${` is never closed", "close the reference with `}`"))?;
        if reference.contains("${") {
            return Err(problem("a `${…}` cannot hold another one", "write the default itself, or set the variable"));
        }
        let value = match reference.split_once(':') {
            Some(("env", variable)) => from_environment(variable, show, sources.environment)?,
            Some((_, path)) => from_file(path, show, sources.folder)?,
            None => return Err(problem("a `${…}` is empty", HELP)),
        };
        filled.push_str(&value);
        rest = tail;
    }
    filled.push_str(rest);
    // Who sets a variable does not thereby decide what of a request goes on.
    if per_request && count_per_request(&filled) != count_per_request(text) {
        let help = "write the `${request.…}` into the configuration itself";
        return Err(problem("what fills in a `${…}` holds another one", help));
    }
    Ok(filled)
}

fn from_environment(variable: &str, show: Show, environment: &dyn Environment) -> Result<String, Problem> {
    let (name, default) = match variable.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (variable, None),
    };
    if !show::is_variable(name) {
        let help = "write `${env:NAME}` or `${env:NAME:-default}`; a name has letters, digits and `_`";
        return Err(problem("a `${env:…}` has no valid variable name", help));
    }
    match (environment.var(name), default) {
        // As in a shell, `:-` also stands in for an empty variable.
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        // Where a secret belongs, what is no usual name may be the secret.
        (None, None) if show.is_strict() && !show::is_usual_variable(name) => {
            Err(problem("the environment variable is not set", "set it, or give a default: `${env:NAME:-…}`"))
        }
        (None, None) => Err((
            format!("the environment variable `{name}` is not set"),
            format!("set `{name}`, or give a default: `${{env:{name}:-…}}`"),
        )),
    }
}

fn from_file(path: &str, show: Show, folder: &Path) -> Result<String, Problem> {
    if path.is_empty() {
        return Err(problem("a `${file:…}` has no path", "write `${file:/path}`"));
    }
    let help = "the path is relative to the folder of the configuration file unless it begins with `/`";
    // Where a secret belongs, what is no usual path may be the secret.
    let named = if show.is_strict() && !show::is_path_like(path) {
        "the file".to_owned()
    } else {
        format!("the file `{path}`")
    };
    let fail = |why: &str| (format!("{named} cannot be read: {why}"), help.to_owned());
    let secret = files::read_secret(&folder.join(path)).map_err(|why| fail(&why))?;
    Ok(secret.expose().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn expanded(text: &str) -> Result<String, Problem> {
        let environment: HashMap<String, String> =
            HashMap::from([("A".into(), "one".into()), ("EMPTY".into(), String::new())]);
        expand(text, Show::Word, false, &Sources { environment: &environment, folder: Path::new("/nowhere") })
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
    fn templates_shell_variables_and_nested_references_are_no_values() {
        for (text, word) in [
            ("{{ env \"A\" }}", "template"),
            ("${A}", "neither"),
            ("${A", "neither"),
            ("a ${", "neither"),
            ("${env:MISSING:-${env:A}}", "another"),
            ("${env:A.B}", "no valid"),
            ("${env:A-}", "no valid"),
            ("${file:/dev/zero}", "not a regular file"),
        ] {
            let (message, help) = expanded(text).unwrap_err();
            assert!(message.contains(word) && !help.is_empty(), "{message}");
        }
    }

    #[test]
    fn what_a_request_fills_in_stays_where_it_may_stand() {
        let environment: HashMap<String, String> = HashMap::from([
            ("A".into(), "one".into()),
            ("B".into(), "${request.header.X}".into()),
            ("C".into(), "a$".into()),
        ]);
        let sources = Sources { environment: &environment, folder: Path::new("/nowhere") };
        let text = "${env:A}-${request.header.X}-${jwt.sub}";
        let filled = expand(text, Show::Never, true, &sources);
        assert_eq!(filled.as_deref(), Ok("one-${request.header.X}-${jwt.sub}"));
        assert!(expand(text, Show::Never, false, &sources).unwrap_err().1.contains("modifier/martian"));
        for text in ["${env:B}", "${env:C}{request.header.X}"] {
            assert!(expand(text, Show::Never, true, &sources).unwrap_err().0.contains("holds another"));
        }
        assert_eq!(expand("${env:B}", Show::Never, false, &sources).as_deref(), Ok("${request.header.X}"));
    }

    #[test]
    fn a_file_loses_one_line_end() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("s"), "hush\n\n").unwrap();
        let environment = HashMap::new();
        let sources = Sources { environment: &environment, folder: folder.path() };
        assert_eq!(expand("${file:s}", Show::Never, false, &sources).as_deref(), Ok("hush\n"));
    }
}
