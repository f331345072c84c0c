//! JSON Schema of a configuration, from the table of keys: for editors and linters.
//!
//! It says less than the checks at start: a file may fit it and still be refused.

use super::keys::{Key, Kind, Level, NAMESPACES, Support};
use serde_json::{Map, Value, json};

/// The schema, draft 2020-12.
pub fn schema() -> Value {
    let mut root = level(Level::Root);
    let mut endpoint = level(Level::Endpoint);
    let mut backend = level(Level::Backend);
    set(&mut backend, "extra_config", namespaces(Level::Backend));
    set(&mut endpoint, "extra_config", namespaces(Level::Endpoint));
    set(&mut endpoint, "backend", json!({ "type": "array", "items": backend }));
    set(&mut root, "extra_config", namespaces(Level::Root));
    set(&mut root, "endpoints", json!({ "type": "array", "items": endpoint }));
    if let Some(root) = root.as_object_mut() {
        root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("title".to_owned(), json!("porteur configuration"));
        root.insert("required".to_owned(), json!(["version"]));
    }
    root
}

fn set(level: &mut Value, key: &str, schema: Value) {
    if let Some(slot) = level.get_mut("properties").and_then(|properties| properties.get_mut(key)) {
        *slot = schema;
    }
}

fn level(level: Level) -> Value {
    let properties: Map<_, _> = level.keys().iter().map(|key| (key.name.to_owned(), property(key))).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": true })
}

fn namespaces(level: Level) -> Value {
    let here = NAMESPACES.iter().filter(|row| row.levels.contains(&level));
    let properties = here.map(|row| {
        let inside = match row.support {
            Support::Supported => inside(row.name, row.doc),
            support => json!({ "description": described(row.doc, support) }),
        };
        (row.name.to_owned(), inside)
    });
    json!({ "type": "object", "properties": properties.collect::<Map<_, _>>(), "additionalProperties": true })
}

fn inside(name: &'static str, doc: &str) -> Value {
    let mut schema = level(Level::Namespace(name));
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), json!(doc));
        schema.insert("patternProperties".to_owned(), json!({ "^[@$_#]": {} }));
        schema.insert("additionalProperties".to_owned(), json!(false));
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = match key.kind {
        Kind::String => json!({ "type": ["string", "number"] }),
        Kind::Integer => json!({ "type": ["integer", "string"] }),
        Kind::Boolean => json!({ "type": ["boolean", "string"] }),
        Kind::Duration => json!({ "type": ["string", "integer"] }),
        Kind::Strings => {
            json!({ "type": ["array", "string"], "items": { "type": ["string", "number"] } })
        }
        Kind::Word(words) => json!({ "type": "string", "examples": words }),
        Kind::List => json!({ "type": "array" }),
        Kind::Object => json!({ "type": "object" }),
        Kind::Any => json!({}),
    };
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), json!(described(key.doc, key.support)));
    }
    schema
}

fn described(doc: &str, support: Support) -> String {
    match support {
        Support::Supported => doc.to_owned(),
        Support::NotYet { .. } => format!("{doc} (not built yet)"),
        Support::Refused(_) => format!("{doc} (refused)"),
        Support::Observed(_) | Support::Ignored(_) => format!("{doc} (no effect)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_has_every_level() {
        let schema = schema();
        let endpoint = &schema["properties"]["endpoints"]["items"]["properties"];
        let backend = &endpoint["backend"]["items"]["properties"];
        let credentials = &backend["extra_config"]["properties"]["auth/client-credentials"];
        assert_eq!(schema["required"], json!(["version"]));
        assert!(endpoint["input_headers"]["description"].is_string());
        assert!(backend["url_pattern"]["type"].is_array());
        assert!(credentials["properties"]["token_url"].is_object());
        assert_eq!(credentials["additionalProperties"], false);
        assert!(schema["properties"]["extra_config"]["properties"]["router"]["properties"]["health_path"].is_object());
    }
}
