//! Programs of others that speak to the gateway, such as curl and openssl: run to their end, which must come in time.

use super::poll::PATIENCE;
use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What a program said.
#[derive(Debug)]
pub struct Said {
    pub ok: bool,
    pub out: String,
    pub errors: String,
}

impl Said {
    /// All of it.
    pub fn text(&self) -> String {
        format!("{}{}", self.out, self.errors)
    }
}

/// Where a program of the system is: some are where only administrators look. Says so where it is not there; `make test` installs
/// all that the tests want.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = folders.map(|folder: PathBuf| folder.join(program)).find(|file| file.is_file());
    if found.is_none() {
        eprintln!("NOT tested, because there is no {program} on this machine");
    }
    found
}

/// Runs a program with this input, which then ends.
#[track_caller]
pub fn run<A: AsRef<OsStr>>(program: &str, args: impl IntoIterator<Item = A>, input: &[u8]) -> Said {
    let mut child = Command::new("timeout")
        .args([&PATIENCE.as_secs().to_string(), program])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    assert_ne!(output.status.code(), Some(124), "{program} does not come to an end");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { ok: output.status.success(), out: text(&output.stdout), errors: text(&output.stderr) }
}

/// Words of a command line, split at blanks.
#[track_caller]
pub fn say(program: &str, words: &str, input: &[u8]) -> Said {
    run(program, words.split_whitespace(), input)
}
