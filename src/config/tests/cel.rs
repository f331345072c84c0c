//! `validation/cel`.

use super::*;

fn at_endpoint(list: &str) -> String {
    file("", &format!(r#""extra_config": {{"validation/cel": {list}}},"#), "")
}

fn expression(text: &str) -> String {
    at_endpoint(&format!(r#"[{{"check_expr": "{text}"}}]"#))
}

#[test]
fn conditions_stand_on_endpoints_and_backends() {
    let list = r#"[{"check_expr": "int(req_params.Id) % 3 == 0", "@why": "x"}, {"check_expr": "resp_completed"}]"#;
    let backend = file("", "", &format!(r#", "extra_config": {{"validation/cel": {list}}}"#));
    let counted = |text: &str| {
        let loaded = json(text);
        assert!(loaded.report.diagnostics().is_empty(), "{}", loaded.report.render(false));
        let endpoint = loaded.model.unwrap().endpoints.remove(0);
        (endpoint.conditions.len(), endpoint.answer.backends()[0].conditions.len())
    };
    assert_eq!(counted(&at_endpoint(list)), (2, 0));
    assert_eq!(counted(&backend), (0, 2));
    assert_eq!(counted(&file("", "", "")), (0, 0));
}

#[test]
fn what_is_no_condition_is_told_at_its_place() {
    for (text, word) in [
        ("", "mismatched input"),
        ("req_path ==", "at character 12 of line 1"),
        ("req_header['X'] == 'a'", "did you mean `req_headers`?"),
        ("x == 1", "one of req_method"),
        ("req_path.lower() == 'a'", "functions"),
        ("req_path == resp_data.path", "split"),
        ("req_path.matches('(')", "look-around"),
    ] {
        problem(&expression(text), code::CEL, &format!("\"{text}\""), word);
    }
    problem(&expression("JWT.sub == 'a'"), code::NOT_BUILT, "\"JWT.sub == 'a'\"", "auth/validator");
    problem(&at_endpoint("[{}]"), code::MISSING, "{", "check_expr");
    let list = r#"[{"check_expr": "true", "mod_expr": "true"}]"#;
    problem(&at_endpoint(list), code::UNKNOWN_KEY, "\"mod_expr\"", "check_expr");
    problem(&at_endpoint("\"true\""), code::TYPE, "\"true\"", "a list");
}

#[test]
fn no_secret_of_an_expression_is_shown() {
    for text in [
        "req_headers['K'][0] == 'hunter2",
        "hunter2 == 'a'",
        "hunter2(1)",
        "req_path hunter2",
        "req_path.matches('(hunter2')",
    ] {
        let options = Options { deny_warnings: true, ..Options::default() };
        let told = json_with(&expression(text), &options, &[]).report.render(false);
        let starts = text.starts_with("hunter2");
        assert!(told.contains("E058") && (starts || !told.contains("hunter2")), "{told}");
    }
}
