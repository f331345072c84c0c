//! What good files give, and which endpoints cannot stand beside each other.

use super::super::model::*;
use super::*;
use crate::base::Secret;
use http::{HeaderName, Method};
use std::time::Duration;

#[test]
fn a_whole_file_becomes_a_model() {
    let text = r#"{
        "$schema": "https://www.krakend.io/schema/v3.json", "@comment": "x", "version": 3, "name": "shop",
        "port": "9000", "listen_ip": "127.0.0.1", "timeout": "3s", "host": "backend.local", "output_encoding": "no-op",
        "max_shutdown_wait_time": "5s", "debug_endpoint": "true", "sequential_start": true, "use_h2c": false,
        "extra_config": {
            "router": { "disable_health": true, "health_path": "/up", "hide_version_header": true, "auto_options": false },
            "admin": { "listen": "[::1]:9901" }
        },
        "endpoints": [
            { "endpoint": "orders/{id}", "method": "post", "timeout": "800ms", "concurrent_calls": 1,
              "input_headers": ["X-A", "x-a", "Content-Type"], "input_query_strings": ["*"],
              "backend": [{ "url_pattern": "/v1/{id}?k={id}", "method": "put", "timeout": "1s", "is_collection": false,
                "input_headers": ["*"], "sd": "static", "encoding": "no-op", "host": ["https://a:8443/", "[::1]"] }] },
            { "endpoint": "/files/*", "method": ["GET", "HEAD"], "backend": [{ "url_pattern": "/*" }] },
            { "endpoint": "/__catchall", "method": "*", "backend": [{}] }
        ] }"#;
    let loaded = json(text);
    assert!(loaded.report.diagnostics().is_empty(), "{}", loaded.report.render(false));
    let model = loaded.model.unwrap();
    assert_eq!((model.name.as_deref(), model.port), (Some("shop"), 9000));
    assert_eq!(model.listen_ip, "127.0.0.1".parse().ok());
    assert!(model.debug_endpoint && !model.echo_endpoint);
    assert_eq!(model.max_shutdown_wait_time, Duration::from_secs(5));
    assert!(model.router.disable_health && model.router.health_path == "/up");
    assert_eq!(model.admin, "[::1]:9901".parse().ok().map(|listen| Admin { listen }));
    let [orders, files, rest] = model.endpoints.as_slice() else { panic!("{:?}", model.endpoints) };
    assert_eq!(orders.path.text, "/orders/{id}");
    assert_eq!(orders.methods, Methods::Only(vec![Method::POST]));
    assert_eq!(orders.timeout, Duration::from_millis(800));
    let names = ["x-a", "content-type"].map(HeaderName::from_static);
    assert_eq!(orders.input_headers, AllowList::Only(names.to_vec()));
    assert_eq!(orders.input_query_strings, AllowList::All);
    assert_eq!(orders.answer.backends()[0].timeout, Some(Duration::from_secs(1)));
    assert_eq!(orders.answer.backends()[0].method, Some(Method::PUT));
    assert_eq!(orders.answer.backends()[0].input_headers, Some(AllowList::All));
    assert_eq!(orders.answer.backends()[0].input_query_strings, None);
    assert_eq!(orders.answer.backends()[0].hosts.len(), 2);
    assert_eq!(files.timeout, Duration::from_secs(3));
    assert_eq!((files.path.kind, files.answer.backends()[0].url_pattern.tail), (PathKind::Tail, true));
    assert_eq!(files.answer.backends()[0].hosts[0].authority, "backend.local");
    assert_eq!((rest.path.kind, &rest.methods), (PathKind::Catchall, &Methods::Any));
    assert_eq!(rest.answer.backends()[0].url_pattern.text, "/");
}

#[test]
fn defaults_are_filled_in() {
    let model = json(&file("", "", "")).model.unwrap();
    assert_eq!((model.port, model.listen_ip, model.admin), (8080, None, None));
    assert_eq!(model.router, Router::default());
    assert_eq!(model.max_shutdown_wait_time, Duration::from_secs(30));
    assert_eq!(model.endpoints[0].timeout, Duration::from_secs(2));
    assert_eq!(model.endpoints[0].methods, Methods::Only(vec![Method::GET]));
    assert_eq!(model.endpoints[0].input_headers, AllowList::Only(vec![]));
    let zero = json(&file(r#""timeout": 0,"#, r#""timeout": "0s","#, r#", "timeout": 0"#)).model.unwrap();
    assert_eq!(zero.endpoints[0].timeout, Duration::from_secs(2));
    assert_eq!(zero.endpoints[0].answer.backends()[0].timeout, None);
    assert!(json(r#"{"version": 3}"#).model.is_some_and(|model| model.endpoints.is_empty()));
}

#[test]
fn yaml_and_json_of_the_same_content_give_equal_models() {
    let yaml = yaml(
        "version: 3\nport: 8081\nendpoints:\n  - endpoint: /a/{id}\n    output_encoding: no-op\n    method: [GET, POST]\n    \
         backend:\n      - host: [http://up:8000]\n        url_pattern: /b/{id}\n        extra_config:\n          \
         auth/client-credentials:\n            client_id: me\n            client_secret: hunter2\n            \
         token_url: https://idp/t\n            scopes: a, b\n            endpoint_params:\n              version: 1.10\n",
    );
    let json = json(&file(
        r#""port": 8081,"#,
        r#""method": ["GET", "POST"],"#,
        r#", "extra_config": {"auth/client-credentials": {"client_id": "me", "client_secret": "hunter2",
            "token_url": "https://idp/t", "scopes": "a, b", "endpoint_params": {"version": 1.10}}}"#,
    ));
    let (yaml, json) = (yaml.model.unwrap(), json.model.unwrap());
    assert_eq!(format!("{yaml:?}"), format!("{json:?}"));
    let credential = |model: &Model| model.endpoints[0].answer.backends()[0].token.clone().unwrap().credential;
    assert_eq!(credential(&yaml), credential(&json));
    assert_eq!(credential(&yaml).endpoint_params["version"], [Secret::new("1.10")]);
}

#[test]
fn routes_that_clash_are_reported_at_the_later_one() {
    let routes = |list: &[(&str, &str)]| {
        let entries: Vec<_> = list
            .iter()
            .map(|(method, path)| {
                format!(
                    r#"{{"endpoint": "{path}", "method": {method}, "output_encoding": "no-op", "backend": [{{"host": "up"}}]}}"#
                )
            })
            .collect();
        format!("{{\"version\": 3, \"endpoints\": [\n{}\n]}}", entries.join(",\n"))
    };
    let get = "\"GET\"";
    let clash = |list: &[(&str, &str)], code: &str, word: &str| {
        let text = routes(list);
        let loaded = json(&text);
        let problem = only(&loaded);
        assert_eq!(problem.code, code);
        assert!(format!("{} {}", problem.message, problem.help).contains(word), "{problem:?}");
        assert!(problem.message.contains("line 2"), "{problem:?}");
    };
    clash(&[(get, "/a"), (get, "/a")], code::DUPLICATE_ROUTE, "`GET`");
    clash(&[(get, "/a"), ("\"*\"", "/a")], code::DUPLICATE_ROUTE, "`GET`");
    clash(&[("\"*\"", "/__catchall"), ("\"*\"", "/__catchall")], code::DUPLICATE_ROUTE, "__catchall");
    clash(&[(get, "/a/{x}"), (get, "/a/{y}")], code::CONFLICTING_ROUTE, "`{x}`");
    clash(&[(get, "/a/{x}"), (get, "/a/{y}/b")], code::CONFLICTING_ROUTE, "`{x}`");
    clash(&[(get, "/a/{x}"), (get, "/a/*")], code::CONFLICTING_ROUTE, "same position");
    clash(&[("[\"GET\", \"PUT\"]", "/a"), ("[\"PUT\", \"GET\"]", "/a")], code::DUPLICATE_ROUTE, "/a");
    for fine in [
        vec![(get, "/a/{x}"), (get, "/a/b"), (get, "/a/{x}/c")],
        vec![(get, "/a"), ("\"POST\"", "/a")],
        vec![(get, "/a/{x}"), ("\"POST\"", "/a/{y}")],
        vec![(get, "/a/*"), (get, "/a/b"), (get, "/*"), (get, "/__catchall")],
    ] {
        let report = json(&routes(&fine)).report;
        assert!(report.is_ok(), "{}", report.render(false));
    }
    let text = r#"{"version": 3, "extra_config": {"router": {"health_path": "/up"}}, "endpoints": [
        {"endpoint": "/up", "output_encoding": "no-op", "backend": [{"host": "up"}]}]}"#;
    problem(text, code::DUPLICATE_ROUTE, "\"/up\"", "health");
}

#[test]
fn variables_override_root_scalars() {
    let text = r#"{"version": 3, "port": 1}"#;
    let set = [("KRAKEND_PORT", "7000"), ("KRAKEND_NAME", "n"), ("KRAKEND_TIMEOUT", ""), ("KRAKEND_VERSION", "2.9")];
    let model = json_with(text, &Options::default(), &set).model.unwrap();
    assert_eq!((model.port, model.name.as_deref()), (7000, Some("n")));
    let options = Options { port: Some(0), debug: true, ..Options::default() };
    let model = json_with(text, &options, &set).model.unwrap();
    assert!(model.port == 0 && model.debug_endpoint);
    for (name, value, word) in [
        ("KRAKEND_PORT", "hunter2", "from 0 to 65535"),
        ("KRAKEND_PORT", "tcp://10.0.0.1:8080", "enableServiceLinks"),
        ("KRAKEND_TIMEOUT", "hunter2", "duration"),
        ("KRAKEND_OUTPUT_ENCODING", "hunter2", "its value is no output_encoding"),
        ("KRAKEND_LISTEN_IP", "hunter2", "its value is not an IP address"),
    ] {
        let loaded = json_with(text, &Options::default(), &[(name, value)]);
        let problem = only(&loaded);
        assert_eq!((problem.code, problem.span.clone()), (code::OVERRIDE, None));
        let words = format!("{} {}", problem.message, problem.help);
        assert!(words.contains(name) && words.contains(word) && !words.contains("hunter2"), "{words}");
    }
}
