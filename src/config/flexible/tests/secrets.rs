//! No report shows what settings, variables, partials and templates hold.

use super::*;
use crate::config::{Options, load};
use proptest::prelude::*;
use std::fs;

const SECRETS: [&str; 5] = ["hunter2", "HUNTER2", "hünter3", "Zaubertrank", "9071"];

/// Renders a template and settings, and checks that nothing of what is secret is told.
fn tells_no_secret(template: &str, settings: &str, library: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["settings", "templates", "partials"] {
        fs::create_dir(path(name)).unwrap();
    }
    fs::write(path("settings/s.json"), settings).unwrap();
    fs::write(path("templates/t.tmpl"), library).unwrap();
    fs::write(path("partials/p.txt"), "\"client_secret\": \"Zaubertrank\"").unwrap();
    fs::write(path("krakend.tmpl"), template).unwrap();
    let variable = |name: &str, value: String| (name.to_owned(), value);
    let folder_of = |name: &str| path(name).display().to_string();
    let environment: HashMap<_, _> = [
        variable("FC_ENABLE", "1".into()),
        variable("FC_SETTINGS", folder_of("settings")),
        variable("FC_TEMPLATES", folder_of("templates")),
        variable("FC_PARTIALS", folder_of("partials")),
        variable("K", "hunter2".into()),
    ]
    .into();
    let report = load(&path("krakend.tmpl"), &Options::default(), &environment).report;
    let told = format!("{}\n{}\n{}", report.render(false), report.render(true), report.to_json());
    for secret in SECRETS {
        assert!(!told.contains(secret), "{secret}\n{template}\n{settings}\n{}", report.render(false));
    }
    told
}

const SETTINGS: &str =
    r#"{ "id": "me", "secret": "hunter2", "pin": 9071, "list": ["hünter3"], "none": null, "keys": { "hunter2": 1 } }"#;

#[test]
fn mistakes_in_templates_show_no_value() {
    for action in [
        "{{ .s.secrt }}",
        "{{ .s.secret.x }}",
        "{{ .s.none }}",
        "{{ add .s.secret 1 }}",
        "{{ upper .s.pin }}",
        "{{ b64dec .s.secret }}",
        "{{ printf \"%d\" .s.secret }}",
        "{{ printf .s.secret 1 }}",
        "{{ eq .s.secret .s.pin }}",
        "{{ index .s.list 7 }}",
        "{{ range .s.secret }}{{ end }}",
        "{{ include .s.secret }}",
        "{{ env .s.secret }}",
        "{{ env \"hunter2\" }}",
        "{{ env (upper .s.secret) }}",
        "{{ template \"nope\" \"hunter2\" }}",
        "{{ int (include \"p.txt\") }}",
        "{{ int (env \"K\") }}",
        "{{ .s.nope | default (upper 9071) }}",
        "{{ default \"hunter2\" }} {{ .s.x }}",
        "{{ \"hunter2 }}",
        "{{ if .s.secret }}",
        "{{ \"hunter2\" \"Zaubertrank\" }}",
        "{{ template \"t.tmpl\" .s }}",
        "{{/* hunter2 }}",
        "{{ toJson .s }}",
        "{{ .s }}",
        "{{ include \"p.txt\" }}",
        "{{ index .s \"hunter2\" }}",
        "{{ get .s .s.secret }}",
        "{{ index .s.keys \"hunter1\" }}",
        "{{ get .s.keys \"hunter1\" }}",
        "{{ index .s.keys .s.secret \"x\" }}",
        "{{ range $k, $v := .s.keys }}{{ $k.x }}{{ end }}",
        "{{ range $k, $v := .s.keys }}{{ int $k }}{{ end }}",
    ] {
        let template = format!(
            "{{ \"version\": 3, \"group\": \"hunter2\", \"client_secret\": {action}, \"x\": \"Zaubertrank\" }}"
        );
        let told = tells_no_secret(&template, SETTINGS, "hunter2 {{ .nope }} \"Zaubertrank\"");
        assert!(told.contains("krakend.tmpl") || told.contains("t.tmpl"), "{told}");
    }
}

#[test]
fn mistakes_in_settings_show_no_value() {
    for settings in [
        r#"{ "secret": "hunter2" "x": 1 }"#,
        r#"{ "secret": hunter2 }"#,
        r#""hunter2""#,
        r#"["hunter2"]"#,
        "{ \"secret\": \"hunter2\nZaubertrank\" }",
        r#"{ "hunter2": 1, "hunter2": 9071 }"#,
        "hünter3",
    ] {
        tells_no_secret("{{ .s.secret }}", settings, "");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Names are told: what clings to a `.` or `$`, or follows `include`, `template`, `define` or `block`.
    #[test]
    fn no_broken_template_shows_a_secret(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "{{", "{{- ", "}}", " -}}", " ", "if ", "else", "end", "range ", "\"hunter2\"", "\"", "`", "\"hünter3\"",
            ".", ".s", ".secret", "$", "$x", ":= ", "| ", "(", ")", "9071", "quote ", "toJson ", "env ", "{", "}", ":", "Zaubertrank", "/*", "*/", "\n",
        ]), 0..30),
    ) {
        tells_no_secret(&words.join(" "), SETTINGS, &words.join("\n"));
    }
}
