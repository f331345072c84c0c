//! Imports point down one list of modules, as `docs/architecture.md` draws it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// From the top down. A module may import those below it.
const ORDER: [&str; 14] = [
    "cli",
    "demo",
    "server",
    "proxy",
    "downstream",
    "compose",
    "forward",
    "snapshot",
    "cache",
    "guard",
    "token",
    "telemetry",
    "config",
    "base",
];

/// Modules that must not know Pingora.
const WITHOUT_PINGORA: [&str; 6] = ["cache", "guard", "token", "telemetry", "config", "base"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

fn module_of(path: &Path, root: &Path) -> String {
    let first = path.strip_prefix(root).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

#[test]
fn imports_point_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for path in sources(&root) {
        let module = module_of(&path, &root);
        let Some(place) = ORDER.iter().position(|name| *name == module) else { continue };
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let above = ORDER[..place].iter().find(|name| line.contains(&format!("crate::{name}::")));
            let pingora = WITHOUT_PINGORA.contains(&module.as_str()) && line.contains("pingora") && !line.contains('"');
            if above.is_some() || pingora {
                wrong.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_has_its_place_and_every_file_says_what_it_is_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources(&root) {
        let module = module_of(&path, &root);
        assert!(["main", "lib"].contains(&module.as_str()) || ORDER.contains(&module.as_str()), "{}", path.display());
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} does not say what it is for", path.display());
        let lines = text.split("#[cfg(test)]").next().unwrap().lines().count();
        assert!(lines <= 600, "{} has {lines} lines", path.display());
    }
}
