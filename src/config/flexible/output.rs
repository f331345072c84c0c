//! `FC_OUT`: the rendered text in a file, for people who look for what went wrong. It may hold secrets, so only its owner can
//! read it.

use crate::base::files;
use crate::config::code;
use crate::config::diagnostic::Diagnostic;
use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Writes the text of the configuration `source`.
pub(super) fn write(target: &Path, source: &Path, text: &str) -> Result<(), Diagnostic> {
    let failed = |why: &str| {
        let message = format!("the rendered text cannot be written to `{}`: {why}", target.display());
        Diagnostic::error(code::FC_OUT, None, message).help("set `FC_OUT` to a file that can be written, or unset it")
    };
    // KrakenD would write over its own template.
    if target.canonicalize().is_ok_and(|target| source.canonicalize().is_ok_and(|source| source == target)) {
        return Err(failed("it is the configuration itself"));
    }
    put(target, text).map_err(|error| failed(&files::reason(&error)))
}

/// A file that is there already may be open to everybody; it is closed before anything is in it.
fn put(target: &Path, text: &str) -> io::Result<()> {
    const OWNER_ALONE: u32 = 0o600;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(OWNER_ALONE).open(target)?;
    if file.metadata()?.is_file() {
        file.set_permissions(Permissions::from_mode(OWNER_ALONE))?;
    }
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_reads_the_text() {
        let folder = tempfile::tempdir().unwrap();
        let (target, source) = (folder.path().join("out.json"), folder.path().join("krakend.tmpl"));
        std::fs::write(&target, "something that was longer").unwrap();
        std::fs::set_permissions(&target, Permissions::from_mode(0o644)).unwrap();
        write(&target, &source, "{}").unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "{}");
        assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("krakend.tmpl");
        std::fs::write(&source, "{{ . }}").unwrap();
        let problem = write(&source, &source, "{}").unwrap_err();
        assert!(problem.code == "E044" && problem.message.contains("the configuration itself"), "{problem:?}");
        assert_eq!(std::fs::read_to_string(&source).unwrap(), "{{ . }}");
        let problem = write(&folder.path().join("no/where"), &source, "{}").unwrap_err();
        assert!(problem.message.ends_with("no such file or directory"), "{problem:?}");
    }
}
