//! Tells the program which commit it was built from, if there is one to tell.

use std::path::Path;
use std::process::Command;

fn main() {
    // Written by git at every commit and checkout. A source archive has none, and then there is nothing to watch.
    for watched in [".git/logs/HEAD", "build.rs"].into_iter().filter(|path| Path::new(path).exists()) {
        println!("cargo::rerun-if-changed={watched}");
    }
    println!("cargo::rerun-if-env-changed=PORTEUR_COMMIT");
    let given = std::env::var("PORTEUR_COMMIT").ok().filter(|commit| !commit.is_empty());
    if let Some(commit) = given.or_else(from_git) {
        println!("cargo::rustc-env=PORTEUR_COMMIT={commit}");
    }
}

fn from_git() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
