//! Each bad value gives one problem at its place, with help; several bad values give them all.

use super::*;

#[test]
fn all_problems_are_reported_at_once() {
    let text = r#"{
  "version": 2,
  "port": 70000,
  "listen_ip": "localhost",
  "timeout": "soon",
  "tls": { "public_key": "x", "min_version": "TLS9" },
  "endpoints": [
    { "endpoint": "/a", "methode": "GET", "output_encoding": "no-op",
      "backend": [{ "host": ["http://up/v1"], "url_pattern": "/{nope}" }] },
    { "endpoint": "/b", "output_encoding": "json", "backend": [] },
    { "endpoint": "/c", "method": "TRACE", "output_encoding": "no-op", "timeout": 3000,
      "backend": [{ "host": ["up"], "extra_config": { "auth/client-credentials": {
        "client_id": "", "client_secret": "", "token_url": "http://idp/t", "scope": "x" } } }] }
  ]
}"#;
    let report = json(text).report;
    let codes: Vec<_> = report.diagnostics().iter().map(|d| d.code).collect();
    assert_eq!(
        codes,
        [
            code::VERSION,
            code::TYPE,
            code::VALUE,
            code::DURATION,
            code::MISSING,
            code::FILE,
            code::TLS_VERSION,
            code::IGNORED_KEY,
            code::HOST,
            code::UNDEFINED_PLACEHOLDER,
            code::BACKENDS,
            code::VALUE,
            code::NANOSECONDS,
            code::EMPTY_CREDENTIAL,
            code::EMPTY_CREDENTIAL,
            code::TOKEN_URL,
            code::UNKNOWN_KEY,
        ],
        "{}",
        report.render(false)
    );
    assert_eq!((report.errors(), report.warnings()), (15, 2));
    assert!(report.render(false).ends_with("error: `krakend.json`: 15 errors, 2 warnings\n"));
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("dir.json")).unwrap();
    std::fs::write(path("latin.yaml"), b"name: \xe9").unwrap();
    std::fs::write(path("a.toml"), "").unwrap();
    for (name, code, words) in [
        ("missing.json", code::UNREADABLE, "no such file or directory"),
        ("dir.json", code::UNREADABLE, "it is a directory"),
        ("latin.yaml", code::UNREADABLE, "byte 7 is not UTF-8"),
        ("a.toml", code::FORMAT, "`.json`, `.yaml` or `.yml`"),
    ] {
        let loaded = load(&path(name), &Options::default(), &variables(&[]));
        let problem = only(&loaded);
        assert_eq!((problem.code, problem.span.clone()), (code, None));
        assert!(format!("{} {}", problem.message, problem.help).contains(words), "{problem:?}");
        assert!(loaded.report.render(false).contains(name));
    }
    std::fs::write(path("secret"), "hunter2\n").unwrap();
    std::fs::write(path("good.yml"), "version: 3\nname: ${file:secret}\n").unwrap();
    let loaded = load(&path("good.yml"), &Options::default(), &variables(&[]));
    assert_eq!(loaded.model.and_then(|model| model.name).as_deref(), Some("hunter2"));
}

#[test]
fn texts_that_do_not_parse_are_shown_where_they_break() {
    let loaded = json("{\n  \"version\": 3,\n  \"port\": 80,\n}");
    let place: serde_json::Value = serde_json::from_str(&loaded.report.to_json()).unwrap();
    assert_eq!((&place[0]["line"], &place[0]["column"]), (&3.into(), &13.into()));
    assert_eq!(only(&loaded).message, "this is not valid JSON: trailing commas are not allowed");
    let loaded = yaml("version: 3\nendpoints:\n  - endpoint: \"/a\n");
    assert_eq!(only(&loaded).code, code::SYNTAX);
    assert!(only(&loaded).span.is_some());
    assert_eq!(only(&json("[]")).message, "expected an object, found a list");
    assert_eq!(only(&yaml("")).code, code::TYPE);
}

#[test]
fn the_version_must_be_three() {
    problem(r#"{"version": 2}"#, code::VERSION, "2", "unsupported version: 2 (want: 3)");
    problem(r#"{"version": 2}"#, code::VERSION, "2", "migrat");
    problem(r#"{"port": 1}"#, code::VERSION, "{", "unsupported version: 0 (want: 3)");
    assert!(json(r#"{"version": "3"}"#).model.is_some());
}

#[test]
fn root_values_are_checked() {
    let root = |members: &str| format!(r#"{{"version": 3, {members}}}"#);
    problem(&root(r#""port": 65536"#), code::TYPE, "65536", "from 0 to 65535");
    problem(&root(r#""port": -1"#), code::TYPE, "-1", "from 0 to 65535");
    problem(&root(r#""port": true"#), code::TYPE, "true", "found a boolean");
    problem(&root(r#""name": []"#), code::TYPE, "[]", "expected a string, found a list");
    problem(&root(r#""endpoints": "x""#), code::TYPE, "\"x\"", "expected a list");
    problem(&root(r#""timeout": "-1s""#), code::DURATION, "\"-1s\"", "negative");
    problem(&root(r#""timeout": "2000""#), code::DURATION, "\"2000\"", "unit");
    problem(&root(r#""timeout": 2000"#), code::NANOSECONDS, "2000", "2000ns");
    problem(&root(r#""debug_endpoint": "yes""#), code::TYPE, "\"yes\"", "write `true` or `false`");
    problem(&root(r#""debug_endpoint": 2"#), code::TYPE, "2", "a boolean");
    problem(&root(r#""client_tls": {"ca_certs": ["x"]}"#), code::FILE, "\"x\"", "cannot be read");
    problem(&root(r#""plugin": {"folder": "x"}"#), code::REFUSED, "\"plugin\"", "Go plugins");
    problem(&root(r#""naem": "x""#), code::IGNORED_KEY, "\"naem\"", "did you mean `name`?");
    problem(&root(r#""url_pattern": "x""#), code::IGNORED_KEY, "\"url_pattern\"", "belongs to a backend");
    problem(&root(r#""max_idle_connections": 5"#), code::NO_EFFECT, "\"max_idle_connections\"", "no effect");
    problem(&root(r#""name": "a", "Name": "b""#), code::DUPLICATE_KEY, "\"Name\"", "first on line 1 as `name`");
    problem(&root(r#""host": ["http://a/b"]"#), code::HOST, "\"http://a/b\"", "url_pattern");
    assert!(json(&root(r#""PORT": 0, "tls": null, "plugin": {}, "read_timeout": "0s""#)).report.is_ok());
}

#[test]
fn endpoint_values_are_checked() {
    let endpoint = |members: &str| file("", members, "");
    problem(&endpoint(r#""methode": "GET","#), code::IGNORED_KEY, "\"methode\"", "`method`");
    problem(&endpoint(r#""method": "G T","#), code::VALUE, "\"G T\"", "not a method");
    problem(&endpoint(r#""method": ["GET", "trace"],"#), code::VALUE, "\"trace\"", "refused");
    problem(&endpoint(r#""method": ["GET", "get"],"#), code::LISTED_TWICE, "\"get\"", "twice");
    problem(&endpoint(r#""method": [],"#), code::VALUE, "[]", "empty");
    problem(&endpoint(r#""concurrent_calls": 3,"#), code::NOT_BUILT, "3", "not built yet");
    problem(&endpoint(r#""input_headers": ["X Y"],"#), code::VALUE, "\"X Y\"", "not a header name");
    problem(&endpoint(r#""headers_to_pass": ["X"],"#), code::NO_EFFECT, "\"headers_to_pass\"", "input_headers");
    let minimal = |members: &str| format!(r#"{{"version": 3, "endpoints": [{{ {members} }}]}}"#);
    let backend = r#""backend": [{"host": ["up"]}]"#;
    problem(
        &minimal(&format!(r#""endpoint": "/a", "output_encoding": "yaml-decoder", {backend}"#)),
        code::NOT_BUILT,
        "\"yaml-decoder\"",
        "not built",
    );
    problem(
        &minimal(&format!(r#""endpoint": "/a", "output_encoding": "noop", {backend}"#)),
        code::VALUE,
        "\"noop\"",
        "did you mean `no-op`?",
    );
    problem(&minimal(&format!(r#""output_encoding": "no-op", {backend}"#)), code::MISSING, "{", "`endpoint`");
    let no_op = r#""endpoint": "/a", "output_encoding": "no-op""#;
    problem(&minimal(no_op), code::MISSING, "{", "`backend`");
    problem(
        &minimal(&format!(r#"{no_op}, "backend": [{{"host": "a"}}, {{"host": "b"}}]"#)),
        code::BACKENDS,
        r#"{"host": "b"}"#,
        "can not use NoOp encoding with more than one backends",
    );
}

#[test]
fn backend_values_are_checked() {
    let backend = |members: &str| file("", "", members);
    problem(&backend(r#", "encoding": "jsn""#), code::VALUE, "\"jsn\"", "did you mean `json`?");
    problem(&backend(r#", "encoding": "json""#), code::NO_EFFECT, "\"json\"", "no-op rules");
    problem(&backend(r#", "sd": "etcd""#), code::VALUE, "\"etcd\"", "write `static`, `dns`");
    problem(&backend(r#", "client_id": "x""#), code::IGNORED_KEY, "\"client_id\"", "auth/client-credentials");
    let text = file("", "", "").replace("/b/{id}", "/b/{idd}");
    problem(&text, code::UNDEFINED_PLACEHOLDER, "\"/b/{idd}\"", "did you mean `{id}`?");
    let text = file("", "", "").replace("/b/{id}", "/b/{xyz}");
    problem(&text, code::UNDEFINED_PLACEHOLDER, "\"/b/{xyz}\"", "the endpoint declares `{id}`");
    let text = file("", "", "").replace("\"http://up:8000\"", "\"http://up:8000/v1\"");
    problem(&text, code::HOST, "\"http://up:8000/v1\"", "move the path to `url_pattern`");
    let text = file("", "", "").replace("[\"http://up:8000\"]", "[]");
    problem(&text, code::MISSING, "{", "no `host`");
}

#[test]
fn what_no_op_ignores_is_a_warning_there_alone() {
    for key in [r#""allow": ["a"]"#, r#""is_collection": true"#, r#""mapping": {"a": "b"}"#, r#""encoding": "json""#] {
        let text = file("", "", &format!(", {key}"));
        assert_eq!(only(&json(&text)).code, code::NO_EFFECT, "{key}");
        let decoded = json(&text.replace("no-op", "json")).report;
        assert_eq!((decoded.errors(), decoded.warnings()), (0, 0), "{key}");
    }
}

#[test]
fn a_filter_under_its_old_name_has_no_effect_and_says_so() {
    for (key, today) in [("whitelist", "`allow`"), ("blacklist", "`deny`")] {
        let text = file("", "", &format!(r#", "{key}": ["a"]"#));
        for text in [text.clone(), text.replace("no-op", "json")] {
            let loaded = json(&text);
            let old = only(&loaded);
            assert!(old.code == code::NO_EFFECT && old.help.contains(today), "{}", loaded.report.render(false));
        }
    }
}

#[test]
fn methods_no_endpoint_can_have_are_errors() {
    let endpoint = |method: &str| file("", &format!(r#""method": {method},"#), "");
    problem(&endpoint(r#""PSOT""#), code::VALUE, "\"PSOT\"", "did you mean `POST`?");
    problem(&endpoint(r#"["GET", "PURGE"]"#), code::VALUE, "\"PURGE\"", "one of GET, HEAD");
    problem(&file("", "", r#", "method": "PSOT""#), code::VALUE, "\"PSOT\"", "did you mean `POST`?");
    assert!(json(&file("", "", r#", "method": "PURGE""#)).report.is_ok());
}

#[test]
fn every_backend_is_read_though_no_op_has_only_one() {
    let two =
        file("", "", "").replace("\"backend\": [", r#""backend": [{"host": "http://a/b"}, {"method": "TRACE"}, "#);
    let codes: Vec<_> = json(&two).report.diagnostics().iter().map(|d| d.code).collect();
    assert_eq!(codes, [code::HOST, code::BACKENDS, code::MISSING, code::VALUE]);
}

#[test]
fn headers_that_never_pass_as_the_client_sent_them_are_warned_of() {
    let listed = |name: &str, backend: &str| file("", &format!(r#""input_headers": ["X-Ok", "{name}"],"#), backend);
    for name in ["host", "Connection", "upgrade", "Transfer-Encoding", "X-Forwarded-For"] {
        problem(&listed(name, ""), code::REPLACED_HEADER, &format!("\"{name}\""), "never goes on");
    }
    let token = format!(r#", "extra_config": {{"auth/client-credentials": {{{CLIENT}, "header": "X-Token"}}}}"#);
    for name in ["Authorization", "x-token"] {
        problem(&listed(name, &token), code::REPLACED_HEADER, &format!("\"{name}\""), "never goes on");
    }
    assert!(json(&listed("Authorization", "")).report.diagnostics().is_empty());
}

#[test]
fn templates_and_shell_variables_are_not_taken_for_values() {
    for (from, to) in [("http://up:8000", "{{ env \\\"UP\\\" }}"), ("/b/{id}", "/${NAME}"), ("/b/{id}", "/${NAME")] {
        let loaded = json(&file("", "", "").replace(from, to));
        assert_eq!(only(&loaded).code, code::INTERPOLATION, "{to}");
    }
}

#[test]
fn comments_and_foreign_namespaces_are_neither_filled_in_nor_compared() {
    let text = r#"{"version": 3, "@note": "${NOPE} {{ x }}", "@note": "${env:NOPE}",
        "extra_config": {"telemetry/logging": {"a": "${env:NOPE}", "b": 1, "B": 2, "b": 3}}}"#;
    assert_eq!(only(&json(text)).code, code::NOT_OBSERVED);
}

#[test]
fn one_and_zero_are_booleans_with_and_without_quotes() {
    for value in ["1", "\"1\"", "true", "\"TRUE\""] {
        let model = json(&format!(r#"{{"version": 3, "debug_endpoint": {value}, "echo_endpoint": 0}}"#)).model.unwrap();
        assert!(model.debug_endpoint && !model.echo_endpoint, "{value}");
    }
}

#[test]
fn a_byte_order_mark_is_no_column() {
    let loaded = json("\u{feff}{\"version\": 3, \"prot\": 1}");
    let rendered = loaded.report.render(false);
    assert!(rendered.contains("krakend.json:1:16"), "{rendered}");
    assert!(rendered.contains("1 | {\"version\": *, \"prot\": *}\n  |                ^^^^^^ has"), "{rendered}");
}

#[test]
fn a_huge_list_of_addresses_is_read_in_no_time() {
    let text = format!("[{}", "http://a,".repeat(200_000));
    for format in [Format::Json, Format::Yaml] {
        assert!(!load_text("a", format, &text, &Options::default(), &variables(&[])).report.is_ok());
    }
}

#[test]
fn a_pipe_named_like_a_configuration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.json");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let loaded = load(&path, &Options::default(), &variables(&[]));
    assert!(only(&loaded).message.contains("not a regular file"));
    let missing = load(&folder.path().join("missing.toml"), &Options::default(), &variables(&[]));
    assert!(only(&missing).message.contains("no such file"));
}

#[test]
fn a_report_reads_like_rustc() {
    let text = "version: 3\nport: 99999\nendpoints:\n  - endpoint: /a\n    output_encoding: no-op\n    methode: GET\n    backend:\n      - host: [http://up/v1]\n";
    let expected = "\
error[E007]: expected a port from 0 to 65535, found `99999`
 --> krakend.yaml:2:7
  |
2 | port: 99999
  |       ^^^^^ expected a port from 0 to 65535

warning[W001]: unknown key `methode` on an endpoint
 --> krakend.yaml:6:5
  |
6 |     methode: ***
  |     ^^^^^^^ has no effect
  |
  = help: did you mean `method`?

error[E018]: the host `http://up/v1` has a path
 --> krakend.yaml:8:16
  |
8 |       - host: [http://up/v1]
  |                ^^^^^^^^^^^^
  |
  = help: move the path to `url_pattern`

error: `krakend.yaml`: 2 errors, 1 warning
";
    assert_eq!(yaml(text).report.render(false), expected);
}
