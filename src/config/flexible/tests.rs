//! Whole templates: the semantics of `text/template`, the bounds, and the files around a template.

mod files;
mod secrets;

use super::evaluate::{Outside, evaluate};
use super::fault::Fault;
use super::functions::Outcome;
use super::parse::parse;
use super::*;
use crate::config::code;

/// No partials, and one variable.
struct Nowhere;

impl Outside for Nowhere {
    fn variable(&self, name: &str, _is_written: bool) -> Value {
        match name {
            "SET" => Value::string("yes"),
            _ => Value::absent(Fault::value("not set"), true),
        }
    }

    fn partial(&mut self, _name: &str) -> Outcome {
        Err(Fault::file("no partials"))
    }
}

const SETTINGS: &str = r#"{ "port": 8080, "large": 1000000, "ratio": 0.50, "name": "shop", "empty": "", "none": null, "on": true, "off": false,
    "hosts": ["http://a", "http://b"], "no_hosts": [], "zones": { "b": 2, "a": 1 },
    "endpoints": [ { "path": "/x", "methods": ["GET", "POST"] }, { "path": "/y", "methods": [] } ] }"#;

fn settings() -> Value {
    sources::settings(SETTINGS).unwrap()
}

fn run(text: &str, steps: usize) -> Result<String, Box<Problem>> {
    let Parsed { nodes, definitions } = parse(text, 0)?;
    let mut rendering = Rendering { sources: Vec::new(), problems: Vec::new(), warnings: Vec::new() };
    let templates = rendering.by_name(definitions);
    assert!(rendering.problems.is_empty());
    evaluate(&templates, &Template { file: 0, nodes }, &settings(), &mut Nowhere, steps)
}

fn rendered(text: &str) -> String {
    run(text, 100_000).unwrap_or_else(|problem| panic!("{text}: {problem:?}"))
}

/// Checks that a template is refused at this part of it, with this word.
#[track_caller]
fn refused(text: &str, code: &str, at: &str, word: &str) {
    let problem = run(text, 100_000).expect_err(text);
    let said = format!("{} {}", problem.fault.message, problem.fault.help);
    assert_eq!(&text[problem.span.clone()], at, "{text}: {said}");
    assert!(problem.fault.code == code && said.contains(word), "{text}: {said}");
}

#[track_caller]
fn all(vectors: &[(&str, &str)]) {
    for (text, expected) in vectors {
        assert_eq!(rendered(text), *expected, "{text}");
    }
}

#[test]
fn values_are_printed_where_they_are_named() {
    all(&[
        ("plain } text", "plain } text"),
        ("{{ .name }}:{{ .port }}", "shop:8080"),
        ("{{ .large }} {{ .ratio }} {{ 1000000.0 }}", "1000000 0.50 1e+06"),
        ("{{ .on }} {{ true }} {{ 'a' }} {{ 0x1F }} {{ -1 }}", "true true 97 31 -1"),
        ("{{ .hosts }} {{ .zones }}", "[http://a http://b] map[a:1 b:2]"),
        ("{{ .zones.a }}{{ $.zones.b }}", "12"),
        ("{{ (index .endpoints 1).path }}", "/y"),
        ("{{ index .endpoints 0 \"methods\" 1 }}", "POST"),
        ("{{ .name | upper | printf \"%s-%s\" \"a\" }}", "a-SHOP"),
        ("{{ printf \"%d\" (add 1 (len .hosts)) }}", "3"),
        ("{{ `{{` }}{{ \"}}\" }}", "{{}}"),
        ("{{ env \"SET\" }}", "yes"),
        ("{{ (dict \"a\" (list 1 2)).a }}", "[1 2]"),
        ("{{ list }}{{ print list }}", "[][]"),
    ]);
}

#[test]
fn blanks_around_actions_go_where_markers_say_so() {
    all(&[
        ("a\n {{- .name -}} \n b", "ashopb"),
        ("a {{ .name -}} \n b", "a shopb"),
        ("a {{- /* no text */ -}} b", "ab"),
        ("a {{/* {{ .nope }} */}} b", "a  b"),
        ("{{ range .hosts -}}\n  {{ . }}\n{{ end -}}\n.", "http://a\nhttp://b\n."),
        ("{{\n  .name\n  | upper\n}}", "SHOP"),
    ]);
}

#[test]
fn conditions_take_what_is_missing_for_false() {
    all(&[
        ("{{ if .on }}a{{ else }}b{{ end }}", "a"),
        ("{{ if .nope }}a{{ else }}b{{ end }}", "b"),
        ("{{ if .nope.deeper.still }}a{{ else }}b{{ end }}", "b"),
        ("{{ if .none }}a{{ else if .empty }}b{{ else if .off }}c{{ else }}d{{ end }}", "d"),
        ("{{ if .no_hosts }}a{{ else if .hosts }}b{{ end }}", "b"),
        ("{{ if and .on (eq .port 8080) }}a{{ end }}", "a"),
        ("{{ with .nope }}a{{ else }}{{ .name }}{{ end }}", "shop"),
        ("{{ with .nope }}a{{ else with .zones }}{{ .a }}{{ end }}", "1"),
        ("{{ with $x := .zones }}{{ .a }}{{ $x.b }}{{ $.name }}{{ end }}", "12shop"),
        ("{{ .nope | default \"x\" }}{{ default 1 .port }}", "x8080"),
        ("{{ env \"UNSET\" | default \"x\" }}{{ if eq (env \"UNSET\") \"\" }}y{{ end }}", "xy"),
        ("{{ coalesce .nope .empty .name }}{{ ternary \"a\" \"b\" .off }}", "shopb"),
        ("{{ not .nope }}{{ empty .none }}{{ ne .nope \"x\" }}", "truetruetrue"),
    ]);
}

#[test]
fn and_and_or_give_the_argument_that_decides_and_look_no_further() {
    all(&[
        ("{{ or .nope .empty .name }}", "shop"),
        ("{{ and .on .name }}", "shop"),
        ("{{ and .off (index .hosts 9) }}", "false"),
        ("{{ or .on (index .hosts 9) }}", "true"),
        ("{{ .name | or .empty }}", "shop"),
        ("{{ or 0 \"\" }}|", "|"),
    ]);
}

#[test]
fn ranges_go_through_lists_maps_and_numbers() {
    all(&[
        ("{{ range .hosts }}<{{ . }}>{{ end }}", "<http://a><http://b>"),
        ("{{ range $e := .hosts }}<{{ $e }}>{{ end }}", "<http://a><http://b>"),
        ("{{ range $i, $e := .hosts }}{{ if $i }},{{ end }}{{ $e }}{{ end }}", "http://a,http://b"),
        ("{{ range $k, $v := .zones }}{{ $k }}={{ $v }};{{ end }}", "a=1;b=2;"),
        ("{{ range .zones }}{{ . }}{{ end }}", "12"),
        ("{{ range 3 }}{{ . }}{{ end }}{{ range $i := until 2 }}{{ $i }}{{ end }}", "01201"),
        ("{{ range .no_hosts }}a{{ else }}{{ .name }}{{ end }}", "shop"),
        ("{{ range .nope }}a{{ end }}{{ range .none }}a{{ else }}b{{ end }}", "b"),
        (
            "{{ range until 5 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ if eq . 3 }}{{ break }}{{ end }}{{ . }}{{ end }}",
            "02",
        ),
        ("{{ range .endpoints }}{{ range .methods }}{{ break }}{{ end }}{{ .path }}{{ end }}", "/x/y"),
        ("{{ range until 0 }}a{{ break }}{{ else }}b{{ end }}", "b"),
    ]);
}

#[test]
fn variables_live_as_long_as_their_block() {
    all(&[
        ("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}", "21"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
        ("{{ $x := \"\" }}{{ range .hosts }}{{ $x = print $x . }}{{ end }}{{ $x }}", "http://ahttp://b"),
        ("{{ if $x := .name }}{{ $x }}{{ else }}{{ $x }}{{ end }}", "shop"),
        ("{{ range $i, $e := .no_hosts }}{{ else }}{{ $e }}{{ end }}", "[]"),
        ("{{ ($y := 1) }}{{ $y }}", "11"),
        ("{{ $i := 9 }}{{ $e := 9 }}{{ range $i, $e = .zones }}{{ end }}{{ $i }}{{ $e }}", "b2"),
        ("{{ $x := .zones }}{{ $x.a }}", "1"),
        ("{{ $x := 1 }}{{ with .zones }}{{ $x }}{{ .a }}{{ $.port }}{{ end }}", "118080"),
    ]);
}

#[test]
fn templates_see_what_they_are_given() {
    all(&[
        ("{{ define \"t\" }}[{{ . }}]{{ end }}{{ template \"t\" .name }}{{ template \"t\" 1 }}", "[shop][1]"),
        ("{{ template \"t\"\"x\" }}{{ define \"t\" }}{{ . }}{{ end }}", "x"),
        ("{{ template \"t\" .zones }}{{ define \"t\" }}{{ $.a }}{{ .b }}{{ end }}", "12"),
        ("{{ define \"t\" }}{{ if . }}x{{ else }}nothing{{ end }}{{ end }}{{ template \"t\" }}", "nothing"),
        ("{{ block \"t\" .zones }}{{ .a }}{{ end }}{{ .name }}", "1shop"),
        ("{{ define \"t\" }}new{{ end }}{{ block \"t\" . }}old{{ end }}", "new"),
        ("{{ $x := 1 }}{{ define \"t\" }}{{ $x := 2 }}{{ $x }}{{ end }}{{ template \"t\" }}{{ $x }}", "21"),
        (
            "{{ define \"down\" }}{{ . }}{{ if . }}{{ template \"down\" (sub . 1) }}{{ end }}{{ end }}{{ template \"down\" 3 }}",
            "3210",
        ),
        (
            "{{ define \"t\" }}{{ range . }}{{ . }}{{ break }}{{ end }}{{ end }}{{ range until 2 }}{{ template \"t\" (list 7 8) }}{{ end }}",
            "77",
        ),
    ]);
}

#[test]
fn what_is_not_there_cannot_be_used() {
    let value = code::TEMPLATE_VALUE;
    refused("{{ .prot }}", value, ".prot", "did you mean `port`?");
    refused("{{ .zones.c.d }}", value, ".c", "`.zones` has no key `c`");
    refused("{{ $x := .zones }}{{ $x.c }}", value, ".c", "`$x` has no key `c`");
    refused("{{ (dict).x }}", value, ".x", "`(…)` has no key `x` it is empty");
    refused("{{ upper .nmae }}", value, ".nmae", "did you mean `name`?");
    refused("{{ .nmae | quote }}", value, ".nmae", "did you mean `name`?");
    refused("{{ toJson (list .nmae) }}", value, "toJson (list .nmae)", "did you mean `name`?");
    refused("{{ $x := .nmae }}{{ range .hosts }}{{ $x }}{{ end }}", value, ".nmae", "did you mean `name`?");
    refused("{{ index .zones \"c\" }}", value, "index .zones \"c\"", "no such key");
    refused("{{ env \"UNSET\" }}", value, "env \"UNSET\"", "not set");
    refused("{{ get .zones \"c\" }}", value, "get .zones \"c\"", "no such key");
    refused("{{ .none }}", value, ".none", "is null");
    refused("{{ .none.x }}", value, ".x", "`.none` is null, which has no keys");
    refused("{{ .name.x }}", value, ".x", "a string, which has no keys");
    refused("{{ range .name }}{{ end }}", value, ".name", "cannot go through a string");
    refused("{{ template \"tt\" }}{{ define \"t\" }}{{ end }}", value, "\"tt\"", "there is no template `tt`");
    refused("{{ index .hosts 2 }}", value, "index .hosts 2", "out of range");
    refused("{{ eq .name 1 }}", value, "eq .name 1", "cannot be compared");
    refused("{{ upper }}", value, "upper", "takes 1 arguments, not 0");
    refused("{{ upper \"a\" \"b\" }}", value, "upper \"a\" \"b\"", "takes 1 arguments, not 2");
    refused("{{ print upper }}", value, "upper", "takes 1");
    refused("{{ env 1 }}", value, "env 1", "not a string");
    refused("{{ include \"x\" }}", code::FLEXIBLE_FILE, "include \"x\"", "no partials");
}

#[test]
fn no_template_runs_for_ever() {
    let limit = code::TEMPLATE_LIMIT;
    refused(
        "{{ define \"t\" }}{{ template \"t\" . }}{{ end }}{{ template \"t\" . }}",
        limit,
        "\"t\"",
        "deeper than 64",
    );
    refused("{{ range 1000000000000 }}{{ end }}", limit, "1000000000000", "more steps");
    refused("{{ range until 1000 }}{{ range until 1000 }}{{ end }}{{ end }}", limit, "until 1000", "more steps");
    refused("{{ until 200000 }}", limit, "until 200000", "no more than");
    let doubled = "{{ $x := \"xxxxxxxx\" }}{{ range until 60 }}{{ $x = print $x $x }}{{ end }}";
    assert_eq!(run(doubled, 100_000).unwrap_err().fault.code, limit);
    assert_eq!(run(doubled, usize::MAX).unwrap_err().fault.code, limit);
    let nested = "{{ $x := list }}{{ range until 100 }}{{ $x = list $x $x }}{{ end }}";
    refused(nested, limit, "list $x $x", "deeper than");
    let large = format!("{{{{ range until 100000 }}}}{}{{{{ end }}}}", "x".repeat(200));
    assert!(run(&large, usize::MAX).unwrap_err().fault.message.contains("larger than 16 MiB"));
}

/// The deepest that is allowed at once, without optimisation, on the stack of a thread.
#[test]
fn the_deepest_template_fits_on_a_stack() {
    let blocks = format!("{}{}{}", "{{ if true }}".repeat(30), "{{ template \"t\" . }}", "{{ end }}".repeat(30));
    let text = format!("{{{{ define \"t\" }}}}{blocks}{{{{ end }}}}{{{{ template \"t\" . }}}}");
    assert_eq!(run(&text, 100_000).unwrap_err().fault.code, code::TEMPLATE_LIMIT);
    let deep = format!(
        "{{{{ define \"t\" }}}}{{{{ print {}1{} }}}}{{{{ template \"t\" . }}}}{{{{ end }}}}{{{{ template \"t\" . }}}}",
        "(print ".repeat(35),
        ")".repeat(35)
    );
    assert_eq!(run(&deep, 100_000).unwrap_err().fault.code, code::TEMPLATE_LIMIT);
    let deep = format!("{{{{ print {}1{} }}}}", "(print ".repeat(35), ")".repeat(35));
    assert_eq!(rendered(&deep), "1");
}

#[test]
fn the_page_about_flexible_configuration_lists_every_function() {
    let page = include_str!("../../../docs/flexible-configuration.md");
    let section = page.split("\n## ").find(|section| section.starts_with("Functions")).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once([' ', '`']));
    let listed: std::collections::BTreeSet<_> = rows.map(|(name, _)| name).collect();
    let built: std::collections::BTreeSet<_> = functions::all().map(|function| function.name).collect();
    assert_eq!(listed, built);
}
