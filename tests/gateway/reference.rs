//! What is written from the key table: `conf/schema.json` and `docs/krakend-compatibility.md` are what it says today.
//!
//! The tables of `docs/configuration.md` are checked beside the examples.

mod compatibility;
mod schema;

use std::fs;
use std::path::{Path, PathBuf};

fn in_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compares a generated file, or writes it where `UPDATE_DOCS` is set.
#[track_caller]
fn is_current(path: &str, text: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(in_project(path), text).unwrap();
    } else {
        let written = fs::read_to_string(in_project(path)).unwrap_or_default();
        assert!(written == text, "{path} is not current; run UPDATE_DOCS=1 cargo test --test gateway reference");
    }
}
