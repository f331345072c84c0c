//! The JSON Schema of the configuration, with which editors complete and check it: made from the key table, so that it says
//! what the parser does.
//!
//! It is draft-07, the newest draft that the JSON and YAML servers of editors know as a whole. `deprecationMessage`,
//! `errorMessage` and `doNotSuggest` are theirs; others pass over them. Keys are spelled as in the table and values have
//! their plain types: what the reader takes beyond that, it takes for files that are there already. What several keys mean
//! together only `porteur check` knows.

use super::keys::{self, Key, Kind, Level, NAMESPACES, Namespace, Support};
use serde_json::{Map, Value, json};

/// Names that are left to people, as [`keys::is_comment`] has it.
const COMMENT: &str = "^[@$_#]";

/// Namespaces whose value is a list of objects.
const LISTS: [&str; 2] = ["validation/cel", "listeners"];

/// The schema as a text, with a line end.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", schema())
}

fn schema() -> Value {
    let mut root = object(Level::Root);
    let head = [
        ("$schema", json!("http://json-schema.org/draft-07/schema#")),
        ("title", json!("Configuration of porteur")),
        ("definitions", definitions()),
    ];
    if let Value::Object(members) = &mut root {
        members.extend(head.map(|(name, value)| (name.to_owned(), value)));
    }
    root
}

fn definitions() -> Value {
    let or_reference = |schema: Value| json!({ "anyOf": [schema, to("reference")] });
    // Go's syntax, as `base::duration` reads it.
    let duration = r"^\+?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$";
    let text = json!({ "type": "string" });
    let scalars = [
        ("reference", json!({ "type": "string", "pattern": r"\$\{(env|file):" })),
        ("integer", or_reference(json!({ "type": "integer" }))),
        ("boolean", or_reference(json!({ "type": "boolean" }))),
        ("duration", or_reference(json!({ "type": "string", "pattern": duration }))),
        ("strings", json!({ "anyOf": [text, { "type": "array", "items": text }] })),
        ("nothing", json!({ "enum": nothing() })),
    ];
    let scalars = scalars.map(|(name, schema)| (name.to_owned(), schema));
    let namespaces =
        [Level::Root, Level::Endpoint, Level::Backend].map(|level| (extra_config(level).to_owned(), namespaces(level)));
    let levels = keys::levels().filter(|level| *level != Level::Root).map(|level| (name(level), object(level)));
    scalars.into_iter().chain(namespaces).chain(levels).collect::<Map<_, _>>().into()
}

/// How the definition of a level is called. A `/` would have to be escaped in every reference.
fn name(level: Level) -> String {
    match level {
        Level::Root => "service".to_owned(),
        Level::Endpoint => "endpoint".to_owned(),
        Level::Backend => "backend".to_owned(),
        Level::Namespace(name) => name.replace('/', "."),
    }
}

const fn extra_config(level: Level) -> &'static str {
    match level {
        Level::Endpoint => "extra_config.endpoint",
        Level::Backend => "extra_config.backend",
        Level::Root | Level::Namespace(_) => "extra_config.service",
    }
}

fn to(definition: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{definition}") })
}

/// An object with the keys of a level. Unknown ones are errors inside a namespace, and warnings outside.
fn object(level: Level) -> Value {
    let properties: Map<_, _> = level.keys().iter().map(|key| (key.name.to_owned(), property(level, key))).collect();
    let required: &[&str] = match level {
        Level::Root => &["version"],
        Level::Endpoint => &["endpoint", "backend"],
        Level::Namespace("admin" | "listeners") => &["listen"],
        Level::Namespace("tls.keys") => &["public_key", "private_key"],
        Level::Namespace("proxy_protocol") => &["trusted"],
        Level::Backend | Level::Namespace(_) => &[],
    };
    json!({
        "type": "object",
        "properties": properties,
        "patternProperties": { COMMENT: {} },
        "additionalProperties": !matches!(level, Level::Namespace(_)),
        "required": required,
    })
}

fn property(level: Level, key: &Key) -> Value {
    let schema = match key.support {
        Support::NotYet { fine, .. } => asks_for_nothing(key, fine),
        Support::Refused { .. } => asks_for_nothing(key, &[]),
        _ => value(level, key),
    };
    described(schema, key.support, key.doc)
}

fn value(level: Level, key: &Key) -> Value {
    let below = level.below(key).map(|level| to(&name(level)));
    match (key.kind, below) {
        _ if level == Level::Root && key.name == "version" => json!({ "const": 3 }),
        _ if key.name == "extra_config" => to(extra_config(level)),
        // A service without endpoints has its own paths only, but an endpoint without backend goes nowhere.
        (Kind::List, Some(entry)) => {
            json!({ "type": "array", "items": entry, "minItems": usize::from(key.name == "backend") })
        }
        (_, Some(entry)) => entry,
        (Kind::String, None) => json!({ "type": "string" }),
        (Kind::Integer, None) => to("integer"),
        (Kind::Boolean, None) => to("boolean"),
        (Kind::Duration, None) => to("duration"),
        (Kind::Strings, None) => to("strings"),
        (Kind::Word(words), None) => json!({ "anyOf": [{ "enum": words }, to("reference")] }),
        (Kind::List, None) => json!({ "type": "array" }),
        (Kind::Object, None) => json!({ "type": "object" }),
        (Kind::Any, None) => json!({}),
    }
}

/// Values by which a key that porteur does not carry out may stay, as the parser has it.
fn asks_for_nothing(key: &Key, fine: &[&str]) -> Value {
    if key.kind == Kind::Object && !fine.is_empty() {
        let switches =
            fine.iter().map(|switch| json!({ "properties": { *switch: { "const": true } }, "required": [switch] }));
        return json!({ "type": "object", "anyOf": switches.collect::<Vec<_>>() });
    }
    if fine.is_empty() {
        return to("nothing");
    }
    let mut values = nothing();
    values.extend(fine.iter().flat_map(|text| {
        let number = text.parse::<u64>().ok().map(Value::from);
        number.into_iter().chain([json!(text)])
    }));
    json!({ "enum": values })
}

fn nothing() -> Vec<Value> {
    vec![json!(false), Value::Null, json!(0), json!(""), json!("0s"), json!([]), json!({})]
}

fn namespaces(level: Level) -> Value {
    let here = NAMESPACES.iter().filter(|row| row.levels.contains(&level));
    let properties: Map<_, _> = here.map(|row| (row.name.to_owned(), namespace(row))).collect();
    json!({
        "type": "object",
        "properties": properties,
        "patternProperties": {
            COMMENT: {},
            // Unknown ones of these are warnings.
            "^(telemetry|documentation)/": {},
            "^github[._]com/": { "deprecationMessage": "an old name; `porteur check` says what it is called today" },
        },
        "additionalProperties": false,
    })
}

fn namespace(row: &Namespace) -> Value {
    let keys = to(&name(Level::Namespace(row.name)));
    let schema = match row.support {
        Support::NotYet { .. } | Support::Refused { .. } => json!({ "enum": [false, null] }),
        Support::Supported if row.name == "auth/credentials" => credentials(),
        Support::Supported if Level::Namespace(row.name).keys().is_empty() => json!({ "type": ["object", "array"] }),
        Support::Supported if LISTS.contains(&row.name) => json!({ "type": "array", "items": keys }),
        Support::Supported => keys,
        _ => json!({}),
    };
    described(schema, row.support, row.doc)
}

/// Credentials by names that people choose.
fn credentials() -> Value {
    json!({
        "type": "object",
        "patternProperties": { COMMENT: {} },
        "additionalProperties": to(&name(Level::Namespace("auth/client-credentials"))),
    })
}

/// With what the table says about it. What is not carried out is marked, and editors do not offer it.
fn described(schema: Value, support: Support, doc: &str) -> Value {
    // Draft-07 passes over what stands beside a `$ref`.
    let mut described = match schema {
        Value::Object(members) if !members.contains_key("$ref") => members,
        reference => Map::from_iter([("allOf".to_owned(), json!([reference]))]),
    };
    let mut add = |name: &str, value: Value| described.insert(name.to_owned(), value);
    if support.is_built() {
        add("description", json!(doc));
        return described.into();
    }
    let note = format!("{}: {doc}", support.verdict());
    add("description", json!(note));
    add("doNotSuggest", json!(true));
    if !matches!(support, Support::Ignored { .. }) {
        add("deprecated", json!(true));
        add("deprecationMessage", json!(note));
    }
    if matches!(support, Support::NotYet { .. } | Support::Refused { .. }) {
        add("errorMessage", json!(note));
    }
    described.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_carried_out_is_marked_with_the_reason() {
        let schema = schema();
        for (at, verdict, error) in [
            ("/properties/plugin", "refused: Go plugins", true),
            ("/properties/max_idle_connections", "no effect: ", false),
            ("/definitions/extra_config.service/properties/async~1amqp", "refused: ", true),
            ("/definitions/extra_config.backend/properties/telemetry~1logging", "no effect: ", false),
        ] {
            let property = schema.pointer(at).unwrap_or_else(|| panic!("no {at}"));
            let says = |word: &str| property[word].as_str().is_some_and(|text| text.starts_with(verdict));
            assert!(says("description") && says("deprecationMessage"), "{property}");
            assert_eq!(says("errorMessage"), error, "{property}");
        }
        assert_eq!(schema.pointer("/properties/sd_scheme"), None);
        let listen = schema.pointer("/definitions/admin/properties/listen").unwrap();
        assert_eq!(listen["deprecationMessage"], Value::Null);
    }

    #[test]
    fn every_reference_leads_to_a_definition() {
        let schema = schema();
        let text = schema.to_string();
        let references = text.split(r##""$ref":"#/definitions/"##).skip(1).map(|rest| rest.split('"').next().unwrap());
        let mut found = 0;
        for reference in references {
            assert!(schema["definitions"].get(reference).is_some(), "{reference}");
            found += 1;
        }
        assert!(found > 50);
    }
}
