//! The JSON Schema: it is in `conf/`, it takes what porteur takes, and refuses what porteur refuses.

use super::{in_project, is_current};
use crate::support::daemon;
use porteur::config::{self, Format, Options, schema};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs;

fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&schema::text()).unwrap();
    jsonschema::draft7::meta::validate(&schema).unwrap_or_else(|problem| panic!("{problem}"));
    jsonschema::draft7::new(&schema).unwrap_or_else(|problem| panic!("{problem}"))
}

fn problems(configuration: &Value) -> Vec<String> {
    validator().iter_errors(configuration).map(|problem| format!("{}: {problem}", problem.instance_path())).collect()
}

/// One endpoint with one backend; each is merged into its place.
fn configuration(root: Value, endpoint: Value, backend: Value) -> Value {
    let mut whole = json!({ "version": 3, "output_encoding": "no-op" });
    let mut own = json!({ "endpoint": "/a" });
    let mut up = json!({ "host": ["http://127.0.0.1:1"] });
    merge(&mut up, backend);
    own["backend"] = json!([up]);
    merge(&mut own, endpoint);
    whole["endpoints"] = json!([own]);
    merge(&mut whole, root);
    whole
}

fn merge(into: &mut Value, from: Value) {
    into.as_object_mut().unwrap().extend(from.as_object().unwrap().clone());
}

fn with_client(client: Value) -> Value {
    configuration(json!({}), json!({}), json!({ "extra_config": { "auth/client-credentials": client } }))
}

fn loads(configuration: &Value) -> bool {
    let variables: HashMap<String, String> = [("PORT".to_owned(), "81".to_owned())].into();
    config::load_text("a.json", Format::Json, configuration.to_string(), &Options::default(), &variables).report.is_ok()
}

#[test]
fn the_schema_is_what_the_key_table_says() {
    is_current("conf/schema.json", &schema::text());
    let printed = daemon::run(["schema"]);
    assert!(printed.status.success() && printed.stdout == schema::text());
}

#[test]
fn every_example_fits_the_schema() {
    let mut found = 0;
    for entry in fs::read_dir(in_project("conf")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let configuration: Value = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") if path.ends_with("schema.json") => continue,
            Some("json") => serde_json::from_str(&text).unwrap(),
            Some("yaml" | "yml") => serde_saphyr::from_str(&text).unwrap(),
            _ => continue,
        };
        assert_eq!(problems(&configuration), Vec::<String>::new(), "{}", path.display());
        found += 1;
    }
    assert!(found >= 4);
}

/// Each of these runs.
#[test]
fn the_schema_takes_what_the_parser_takes() {
    let client = json!({ "client_id": "a", "client_secret": "b", "token_url": "https://idp/t" });
    let mut adapted = client.clone();
    merge(&mut adapted, json!({ "scopes": ["a", "b"], "timeout": "1m30s", "default_ttl": "never", "@why": 1 }));
    for configuration in [
        json!({ "version": 3 }),
        configuration(
            json!({ "port": "${env:PORT}", "timeout": "1.5s", "@comment": {}, "unknown": 1 }),
            json!({}),
            json!({}),
        ),
        configuration(json!({ "tls": { "disabled": true }, "max_header_bytes": 1_048_576 }), json!({}), json!({})),
        configuration(
            json!({}),
            json!({ "method": ["GET", "POST"], "concurrent_calls": 1 }),
            json!({ "sd": "static" }),
        ),
        configuration(json!({ "extra_config": { "telemetry/new": {}, "#": 1, "grpc": false } }), json!({}), json!({})),
        configuration(json!({ "extra_config": { "router": { "use_h2c": false } } }), json!({}), json!({})),
        configuration(
            json!({ "extra_config": { "auth/credentials": { "x": client } } }),
            json!({}),
            json!({ "extra_config": { "auth/client-credentials": { "use": "x" } } }),
        ),
        with_client(adapted),
        configuration(
            json!({ "output_encoding": "json", "disable_rest": true }),
            json!({ "concurrent_calls": 2, "extra_config": {
                "proxy": { "sequential": true, "static": { "data": { "a": 1 }, "strategy": "always" } },
                "validation/cel": [{ "check_expr": "req_method == 'GET'", "@why": "" }],
                "validation/json-schema": { "type": "object" },
                "security/bot-detector": { "deny": ["a"] },
            } }),
            json!({ "mapping": { "a": "b" }, "allow": ["a"], "extra_config": {
                "backend/http": { "return_error_code": true }, "qos/http-cache": { "shared": true },
                "proxy": { "flatmap_filter": [{ "type": "del", "args": ["a"] }] },
            } }),
        ),
    ] {
        assert_eq!(problems(&configuration), Vec::<String>::new(), "{configuration}");
        assert!(loads(&configuration), "{configuration}");
    }
}

/// None of these runs.
#[test]
fn the_schema_refuses_what_the_parser_refuses() {
    for (broken, at) in [
        (json!({ "version": 2 }), "/version"),
        (json!({}), ""),
        (configuration(json!({ "port": "http" }), json!({}), json!({})), "/port"),
        (configuration(json!({ "timeout": "2 s" }), json!({}), json!({})), "/timeout"),
        (configuration(json!({ "output_encoding": "no-opp" }), json!({}), json!({})), "/output_encoding"),
        (configuration(json!({ "plugin": { "folder": "." } }), json!({}), json!({})), "/plugin"),
        (configuration(json!({ "tls": { "min_version": "1.2" } }), json!({}), json!({})), "/tls/min_version"),
        (configuration(json!({}), json!({ "backend": [] }), json!({})), "/endpoints/0/backend"),
        (configuration(json!({}), json!({}), json!({ "host": [1, {}] })), "/endpoints/0/backend/0/host"),
        (configuration(json!({ "extra_config": { "grpc": {} } }), json!({}), json!({})), "/extra_config/grpc"),
        (configuration(json!({ "extra_config": { "ruoter": {} } }), json!({}), json!({})), "/extra_config"),
        (configuration(json!({ "extra_config": { "admin": {} } }), json!({}), json!({})), "/extra_config/admin"),
        (
            configuration(json!({}), json!({ "extra_config": { "validation/cel": [{ "check": "true" }] } }), json!({})),
            "/endpoints/0/extra_config/validation~1cel/0",
        ),
        (
            configuration(
                json!({ "output_encoding": "json" }),
                json!({ "extra_config": { "proxy": { "static": { "data": {}, "strategy": "sometimes" } } } }),
                json!({}),
            ),
            "/endpoints/0/extra_config/proxy/static/strategy",
        ),
        (
            configuration(json!({}), json!({ "extra_config": { "auth/client-credentials": {} } }), json!({})),
            "/endpoints/0/extra_config",
        ),
        (
            with_client(json!({ "use": "x", "clientid": "x" })),
            "/endpoints/0/backend/0/extra_config/auth~1client-credentials",
        ),
        (
            with_client(json!({ "use": "x", "tls": { "ca": "x" } })),
            "/endpoints/0/backend/0/extra_config/auth~1client-credentials/tls",
        ),
    ] {
        let problems = problems(&broken);
        assert!(
            problems.iter().any(|problem| problem.starts_with(&format!("{at}:"))),
            "{at} in {broken}: {problems:#?}"
        );
        assert!(!loads(&broken), "{broken}");
    }
}
