//! `validation/json-schema`: the schema is foreign, and still every problem in it has a place.

use super::*;

fn with(schema: &str) -> String {
    file("", &format!(r#""extra_config": {{"validation/json-schema": {schema}}},"#), "")
}

#[test]
fn a_schema_is_taken_as_it_stands() {
    for schema in [
        r##"{"$id": "https://x/y", "$comment": "c", "type": "object", "properties": {"a": {"$ref": "#/definitions/n"}},
            "definitions": {"n": {"type": "integer", "minimum": 0.5}}, "x-own": {"Type": 1, "type": 2}}"##,
        r#"{"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"format": "made-up"}]}"#,
        r##"{"properties": {"child": {"$ref": "#"}}}"##,
        "true",
        "{}",
    ] {
        let loaded = json(&with(schema));
        assert!(loaded.report.diagnostics().is_empty(), "{}", loaded.report.render(false));
        assert!(loaded.model.is_some_and(|model| model.endpoints[0].json_schema.is_some()));
    }
    let text = with(r#"{"const": "${env:WORD}"}"#);
    let loaded = json_with(&text, &Options::default(), &[("WORD", "hush")]);
    let schema = loaded.model.and_then(|mut model| model.endpoints.remove(0).json_schema).unwrap();
    assert!(schema.validator().is_valid(&"hush".into()) && !schema.validator().is_valid(&"${env:WORD}".into()));
    assert!(json(&file("", "", "")).model.is_some_and(|model| model.endpoints[0].json_schema.is_none()));
}

#[test]
fn what_is_no_schema_is_told_at_its_place() {
    for (schema, at, word) in [
        (r#"{"properties": {"a": {"type": "strnig"}}}"#, r#""strnig""#, "not valid in a JSON Schema"),
        (r#"{"type": "object", "required": "a"}"#, r#""a""#, "type"),
        (r#"{"allOf": [{}, {"minLength": -1}]}"#, "-1", "not valid in a JSON Schema"),
        (r#"{"pattern": "(?=a)b"}"#, r#""(?=a)b""#, "look-around"),
        (r#"{"properties": {"x": {"pattern": "("}}}"#, r#""(""#, "look-around"),
        (r#"{"patternProperties": {"(": {}}}"#, r#"{"(": {}}"#, "not valid in a JSON Schema"),
        (r#"{"maximum": 3, "exclusiveMaximum": true}"#, "true", "type"),
        (
            r#"{"properties": {"a": {"$ref": "https://example.com/s.json"}}}"#,
            r#""https://example.com/s.json""#,
            "outside",
        ),
        (r#"{"$ref": "file:///etc/passwd"}"#, r#""file:///etc/passwd""#, "outside"),
        (r#"{"$schema": "https://example.com/own"}"#, r#""https://example.com/own""#, "outside"),
        (r##"{"$ref": "#/definitions/a"}"##, r##"{"$ref": "#/definitions/a"}"##, "outside"),
        ("[1]", "[1]", "the value of `validation/json-schema`"),
        (r#""x""#, r#""x""#, "the value of `validation/json-schema`"),
    ] {
        problem(&with(schema), code::JSON_SCHEMA, at, word);
    }
}

#[test]
fn a_key_of_a_schema_that_is_there_twice_is_told_as_it_is_spelled() {
    problem(
        &with(r##"{"$ref": "#/definitions/a", "definitions": {"a": {}}, "$ref": "#"}"##),
        code::DUPLICATE_KEY,
        "\"$ref\"",
        "twice",
    );
    assert!(json(&with(r#"{"properties": {"Id": {}, "ID": {}}}"#)).report.diagnostics().is_empty());
}

#[test]
fn nothing_in_a_schema_is_shown() {
    let text = with(r#"{"const": "hunter2", "enum": "hunter2", "pattern": "(hunter2"}"#);
    let told = json(&text).report.render(false);
    assert!(told.contains("enum") && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_schema_belongs_to_an_endpoint() {
    let text = file("", "", r#", "extra_config": {"validation/json-schema": {}}"#);
    problem(&text, code::WRONG_LEVEL, "\"validation/json-schema\"", "endpoint");
}
