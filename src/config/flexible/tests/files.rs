//! The files around a template, as `load` finds them.

use crate::config::diagnostic::Severity;
use crate::config::{Loaded, Options, code, load};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Folders with files of a flexible configuration.
struct Files {
    folder: TempDir,
    environment: HashMap<String, String>,
}

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut environment = HashMap::from([("FC_ENABLE".to_owned(), "1".to_owned())]);
        for (name, variable) in
            [("settings", "FC_SETTINGS"), ("templates", "FC_TEMPLATES"), ("partials", "FC_PARTIALS")]
        {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            environment.insert(variable.to_owned(), path.display().to_string());
        }
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self { folder, environment }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn load(&self, name: &str) -> Loaded {
        load(&self.path(name), &Options::default(), &self.environment)
    }

    /// What the report of the file `krakend.tmpl` says, without the path of the folder.
    fn told(&self) -> String {
        self.load("krakend.tmpl").report.render(false).replace(&format!("{}/", self.folder.path().display()), "")
    }
}

const PLAIN: &str = r#"{ "version": 3, "port": {{ .service.port }}, "endpoints": [] }"#;

#[test]
fn a_configuration_of_settings_partials_and_templates_renders_as_a_whole() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs/flexible");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.json");
    let path = |name: &str| samples.join(name).display().to_string();
    let environment: HashMap<String, String> = [
        ("FC_ENABLE", "1".to_owned()),
        ("FC_SETTINGS", path("settings")),
        ("FC_PARTIALS", path("partials")),
        ("FC_TEMPLATES", path("templates")),
        ("FC_OUT", out.display().to_string()),
        ("ORDERS_CLIENT_SECRET", "s3cret".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let loaded = load(&samples.join("krakend.tmpl"), &Options::default(), &environment);
    assert!(loaded.report.diagnostics().is_empty(), "{}", loaded.report.render(false));
    let model = loaded.model.unwrap();
    let routes: Vec<_> = model.endpoints.iter().map(|endpoint| endpoint.path.text.clone()).collect();
    assert_eq!(routes, ["/users/{id}", "/orders", "/orders/{id}"]);
    let rendered = fs::read_to_string(&out).unwrap();
    assert_eq!(rendered, fs::read_to_string(samples.join("rendered.json")).unwrap());
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn problems_of_a_rendered_text_say_that_it_is_rendered() {
    let files = Files::new(&[("krakend.tmpl", PLAIN), ("settings/service.json", r#"{ "port": "no" }"#)]);
    let expected = "\
error[E003]: this is not valid JSON: unexpected token
 --> krakend.tmpl (rendered):1:25
  |
1 | { \"version\": *, \"port\": **, \"endpoints\": [] }
  |                         ^^

error: `krakend.tmpl (rendered)`: 1 error
 |
 = note: these places are in the rendered text; set `FC_OUT` to a file to see it
";
    let told = files.told();
    assert_eq!(told, expected);
    let told = files.with("FC_OUT", "/nowhere/out").told();
    assert!(told.contains("error[E044]") && told.contains("no such file or directory"), "{told}");
}

#[test]
fn problems_of_a_template_are_drawn_in_its_own_file() {
    let files = Files::new(&[
        ("krakend.tmpl", "{ \"port\": {{ template \"port.tmpl\" .service }} }"),
        ("templates/port.tmpl", "\n  {{ .prot }}"),
        ("settings/service.json", r#"{ "port": 80 }"#),
    ]);
    let expected = "\
error[E042]: `.` has no key `prot`
 --> templates/port.tmpl:2:6
  |
2 |   {{ .prot }}
  |      ^^^^^
  |
  = help: did you mean `port`? A key that may be missing goes through `default`: `{{ … | default \"…\" }}`

error: `krakend.tmpl`: 1 error
";
    assert_eq!(files.told(), expected);
    let loaded = files.load("krakend.tmpl");
    let json: serde_json::Value = serde_json::from_str(&loaded.report.to_json()).unwrap();
    assert!(json[0]["file"].as_str().unwrap().ends_with("templates/port.tmpl"));
    assert_eq!((&json[0]["line"], &json[0]["column"]), (&2.into(), &6.into()));
    assert!(loaded.model.is_none());
}

#[test]
fn every_file_that_is_wrong_is_told_at_once() {
    let files = Files::new(&[
        ("krakend.tmpl", "{{ if .x }}"),
        ("templates/a.tmpl", "{{ nope }}"),
        ("templates/b.tmpl", "{{ define \"x\" }}1{{ end }}"),
        ("templates/c.tmpl", "{{ define \"x\" }}2{{ end }}"),
        ("settings/a.json", "{ \"x\": 1, }"),
        ("settings/b.json", "[1]"),
        ("settings/c.json", "{ \"x\": 1, \"x\": 2 }"),
        ("settings/d.yaml", "x: 1"),
    ]);
    let told = files.told();
    for expected in [
        "error[E041]: `if` is never closed\n --> krakend.tmpl:1:4",
        "error[E041]: there is no function of this name\n --> templates/a.tmpl:1:4",
        "error[E041]: the template `x` is defined twice\n --> templates/c.tmpl:1:11",
        " --> settings/a.json:1:9",
        "error[E007]: settings are an object, and this is a list\n --> settings/b.json:1:1",
        "error[E004]: the key is written twice\n --> settings/c.json:1:11",
        "warning[W021]: settings are read from `.json` files alone\n--> settings/d.yaml",
    ] {
        assert!(told.contains(expected), "{expected}\n\n{told}");
    }
}

#[test]
fn folders_and_partials_that_are_not_there_are_told() {
    let files =
        Files::new(&[("krakend.tmpl", "{ {{ include \"nope.txt\" }} }")]).with("FC_SETTINGS", "/nowhere/settings");
    let told = files.told();
    assert!(
        told.contains("error[E040]: the folder cannot be read: no such file or directory\n--> /nowhere/settings"),
        "{told}"
    );
    let files = Files::new(&[("krakend.tmpl", "{ {{ include \"nope.txt\" }} }")]);
    let told = files.told();
    let expected =
        "error[E040]: `include`: the partial cannot be read: no such file or directory\n --> krakend.tmpl:1:6";
    assert!(told.contains(expected), "{told}");
}

#[test]
fn a_link_to_nowhere_is_told() {
    let files = Files::new(&[("krakend.tmpl", PLAIN)]);
    std::os::unix::fs::symlink("/nowhere/x.json", files.path("settings/x.json")).unwrap();
    let told = files.told();
    assert!(
        told.contains("error[E040]: the file cannot be read: no such file or directory\n--> settings/x.json"),
        "{told}"
    );
}

#[test]
fn the_folder_of_templates_may_hold_the_configuration() {
    let main =
        "{{ define \"port\" }}80{{ end }}{ \"version\": 3, \"port\": {{ template \"port\" }}, \"endpoints\": [] }";
    let files = Files::new(&[("krakend.tmpl", main)]);
    let folder = files.folder.path().display().to_string();
    assert_eq!(files.with("FC_TEMPLATES", &folder).told(), "");
}

#[test]
fn nothing_is_written_when_rendering_fails() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.json");
    let files = Files::new(&[("krakend.tmpl", PLAIN)]).with("FC_OUT", &out.display().to_string());
    assert!(files.told().contains("error[E042]"), "{}", files.told());
    assert!(!out.exists());
}

#[test]
fn a_file_without_actions_stays_what_it_is() {
    let text = r#"{ "version": 3, "prot": 1, "endpoints": [] }"#;
    let files = Files::new(&[("krakend.json", text)]);
    let loaded = files.load("krakend.json");
    assert!(loaded.report.render(false).contains("krakend.json:1:17"), "{}", loaded.report.render(false));
    assert!(!loaded.report.render(false).contains("rendered"));
    assert!(loaded.report.is_ok());
}

#[test]
fn the_ending_before_that_of_a_template_says_the_format() {
    let settings = ("settings/service.json", r#"{ "port": 80 }"#);
    let yaml = "version: 3\nport: {{ .service.port }}\nendpoints: []\n";
    let files =
        Files::new(&[("krakend.yaml.tmpl", yaml), ("krakend.yml", yaml), ("krakend.json.tmpl", PLAIN), settings]);
    for name in ["krakend.yaml.tmpl", "krakend.yml", "krakend.json.tmpl"] {
        let loaded = files.load(name);
        assert!(loaded.report.diagnostics().is_empty(), "{}", loaded.report.render(false));
    }
}

#[test]
fn without_the_switch_a_template_is_none() {
    for switch in [None, Some("")] {
        let mut files = Files::new(&[
            ("krakend.tmpl", PLAIN),
            ("krakend.json", r#"{ "version": 3, "name": "{{ .x }}", "endpoints": [] }"#),
        ]);
        files.environment.remove("FC_ENABLE");
        if let Some(value) = switch {
            files = files.with("FC_ENABLE", value);
        }
        let told = files.told();
        assert!(told.contains("error[E002]") && told.contains("set `FC_ENABLE=1`"), "{told}");
        let report = files.load("krakend.json").report;
        let codes: Vec<_> = report.diagnostics().iter().map(|problem| problem.code).collect();
        assert_eq!(codes, [code::FLEXIBLE_OFF, code::FLEXIBLE_OFF, code::FLEXIBLE_OFF, code::INTERPOLATION]);
        assert!(report.render(false).contains("`FC_ENABLE=1`"));
        assert_eq!(report.diagnostics()[0].severity, Severity::Warning);
    }
}

#[test]
fn a_block_is_replaced_by_a_template_of_its_name() {
    let files = Files::new(&[
        ("krakend.tmpl", r#"{ "version": 3, "name": "{{ block "name" . }}old{{ end }}", "endpoints": [] }"#),
        ("templates/names.tmpl", "{{ define \"name\" }}new{{ end }}\n"),
    ]);
    let out = files.path("out");
    let files = files.with("FC_OUT", &out.display().to_string());
    assert_eq!(files.told(), "");
    assert!(fs::read_to_string(out).unwrap().contains("\"new\""));
}
