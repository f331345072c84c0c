//! The page about KrakenD's keys: what is written by hand stays, its tables come from the key table.

use super::{in_project, is_current};
use porteur::config::keys::{self, Key, LEGACY, Level, NAMESPACES, Support};
use std::fs;

const PAGE: &str = "docs/krakend-compatibility.md";

/// Where the generated part begins.
const MARK: &str = "reference -->\n";

#[test]
fn the_compatibility_page_is_what_the_key_table_says() {
    let page = fs::read_to_string(in_project(PAGE)).unwrap();
    let (by_hand, _) = page.split_once(MARK).unwrap();
    is_current(PAGE, &format!("{by_hand}{MARK}{}{}{}", keys_by_level(), namespaces(), old_names()));
}

/// Keys of porteur's own are in the configuration reference.
fn is_extension(doc: &str) -> bool {
    doc.ends_with("(extension)")
}

fn title(level: Level) -> String {
    match level {
        Level::Root => "The service: the root of the file".to_owned(),
        Level::Endpoint => "An entry of `endpoints`".to_owned(),
        Level::Backend => "An entry of `backend`".to_owned(),
        Level::Namespace(_) => format!("Inside {}", level.phrase()),
    }
}

/// Whether all of a level is an extension: its namespace is one, or the key it belongs to.
fn is_ours(level: Level) -> bool {
    let Level::Namespace(name) = level else { return false };
    match name.split_once('.') {
        None => keys::namespace(name).is_some_and(|row| is_extension(row.doc)),
        Some((namespace, key)) => {
            // What is inside a key of the root has no namespace above it.
            let Some(row) = NAMESPACES.iter().find(|row| row.name == namespace) else { return false };
            let parent = Level::Namespace(row.name);
            is_ours(parent) || parent.key(key).is_some_and(|key| is_extension(key.doc))
        }
    }
}

fn keys_by_level() -> String {
    let mut text = String::new();
    let mut levels: Vec<_> = keys::levels().filter(|level| !is_ours(*level)).collect();
    // What is inside a namespace's key follows the namespace.
    levels.sort_by_key(|level| if let Level::Namespace(name) = level { name } else { "" });
    for level in levels {
        text += &format!("\n### {}\n\n| key | | |\n|---|---|---|\n", title(level));
        for key in level.keys().iter().filter(|key| !is_extension(key.doc)) {
            let (verdict, remark) = verdict(key.support, key.doc, level.differs(key));
            text += &format!("| `{}` | {verdict} | {remark}{} |\n", key.name, fine(key));
        }
    }
    text
}

fn verdict(support: Support, doc: &str, differs: Option<&str>) -> (&'static str, String) {
    match differs {
        Some(how) if support.is_built() => ("**differs**", format!("{doc}. {}", sentence(how))),
        Some(how) => (support.verdict(), how.to_owned()),
        None => (support.verdict(), doc.to_owned()),
    }
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(char::to_uppercase).into_iter().flatten().chain(characters).collect()
}

/// Values with which a key that is not built may stay.
fn fine(key: &Key) -> String {
    match key.support {
        Support::NotYet { fine, .. } if !fine.is_empty() => {
            let values: Vec<_> = fine.iter().map(|value| format!("`{value}`")).collect();
            format!("; {} may stay", values.join(" or "))
        }
        _ => String::new(),
    }
}

fn namespaces() -> String {
    let mut text = String::from("\n## Namespaces of `extra_config`\n\n| namespace | of | | |\n|---|---|---|---|\n");
    for row in NAMESPACES.iter().filter(|row| !is_extension(row.doc)) {
        let levels = match row.levels {
            [_, _, _] => "anything".to_owned(),
            levels => levels.iter().map(|level| level.phrase()).collect::<Vec<_>>().join(" or "),
        };
        let (verdict, remark) = verdict(row.support, row.doc, row.differs());
        text += &format!("| `{}` | {} | {verdict} | {remark} |\n", row.name, levels);
    }
    text
}

fn old_names() -> String {
    let mut text = String::from(
        "\n## Old names\n\nEach may begin with `github.com/` or `github_com/`. A warning tells the name of today, which then \
         decides.\n\n| old | today |\n|---|---|\n",
    );
    for (old, today) in LEGACY {
        text += &format!("| `github.com/{old}` | `{today}` |\n");
    }
    text
}
