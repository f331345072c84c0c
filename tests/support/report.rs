//! What porteur says of a configuration, as a text.

use porteur::config::{self, Format, Options};
use serde_json::{Value, json};
use std::collections::HashMap;

/// All problems of a configuration, to which version and encoding are added.
pub fn report(configuration: &Value) -> String {
    let mut configuration = configuration.clone();
    for (key, value) in [("version", json!(3)), ("output_encoding", json!("no-op"))] {
        configuration.as_object_mut().unwrap().entry(key).or_insert(value);
    }
    let none = HashMap::<String, String>::new();
    let loaded = config::load_text("test.json", Format::Json, format!("{configuration:#}"), &Options::default(), &none);
    loaded.report.render(false)
}
