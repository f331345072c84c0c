//! Whole configurations, loaded as the command line does: what the tests in this folder share.

mod balance;
mod cel;
mod credential_methods;
mod credential_requests;
mod credentials;
mod http2;
mod http_cache;
mod json_schema;
mod lints;
mod listeners;
mod martian;
mod masking;
mod model;
mod named_credentials;
mod namespaces;
mod payload;
mod problems;
mod router;
mod secrets;
mod security;
mod tls;
mod trust;

use super::diagnostic::Diagnostic;
use super::*;
use std::collections::HashMap;

type Variables = HashMap<String, String>;

fn variables(list: &[(&str, &str)]) -> Variables {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn json_with(text: &str, options: &Options, list: &[(&str, &str)]) -> Loaded {
    load_text("krakend.json", Format::Json, text, options, &variables(list))
}

fn json(text: &str) -> Loaded {
    json_with(text, &Options::default(), &[])
}

fn yaml(text: &str) -> Loaded {
    load_text("krakend.yaml", Format::Yaml, text, &Options::default(), &variables(&[]))
}

/// A file with these members in its root, endpoint, backend and client credentials.
fn file(root: &str, endpoint: &str, backend: &str) -> String {
    format!(
        "{{\n\"version\": 3,{root}\n\"endpoints\": [{{\n\"endpoint\": \"/a/{{id}}\", \"output_encoding\": \"no-op\",{endpoint}\n\
         \"backend\": [{{ \"host\": [\"http://up:8000\"], \"url_pattern\": \"/b/{{id}}\"{backend} }}]\n}}]\n}}"
    )
}

fn credentials(members: &str) -> String {
    let members = format!(r#", "extra_config": {{ "auth/client-credentials": {{ {members} }} }}"#);
    file("", "", &members)
}

const CLIENT: &str = r#""client_id": "me", "client_secret": "hunter2", "token_url": "https://idp/t""#;

/// The one problem of a text.
fn only(loaded: &Loaded) -> &Diagnostic {
    match loaded.report.diagnostics() {
        [problem] => problem,
        _ => panic!("{}", loaded.report.render(false)),
    }
}

/// Checks that `text` has one problem with this code at this part of it, whose message or help has this word.
#[track_caller]
fn problem(text: &str, code: &str, at: &str, word: &str) {
    let loaded = json(text);
    let problem = only(&loaded);
    assert_eq!(problem.code, code, "{}", loaded.report.render(false));
    let span = problem.span.clone().unwrap_or_else(|| panic!("{problem:?}"));
    assert_eq!(&text[span], at);
    let words = format!("{} {} {}", problem.message, problem.label, problem.help);
    assert!(words.contains(word), "{words}");
    assert_eq!(loaded.model.is_none(), code.starts_with('E'));
}
