//! Every example of `conf/` and of the documentation is a configuration that works.

use porteur::config::keys::{Kind, Level, Support, levels};
use porteur::config::{self, Environment, Format, Options};
use std::fs;
use std::path::{Path, PathBuf};

/// Every variable is set.
struct Everything;

impl Environment for Everything {
    fn var(&self, name: &str) -> Option<String> {
        Some(match name {
            name if name.starts_with("KRAKEND_") => return None,
            "DEMO_TOKEN_URL" => "http://127.0.0.1:9/token".to_owned(),
            "DEMO_API" => "http://127.0.0.1:9".to_owned(),
            name => format!("value-of-{name}-which-is-long-enough-to-sign"),
        })
    }
}

fn load(name: &str, format: Format, text: &str) {
    let text = text.replace("${file:/run/secrets/reports}", "a-secret");
    let loaded = config::load_text(name, format, text, &Options::default(), &Everything);
    assert!(loaded.model.is_some() && loaded.report.warnings() == 0, "{name}\n{}", loaded.report.render(false));
}

fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
    listed.filter(|path| endings.iter().any(|ending| path.extension().is_some_and(|found| found == *ending))).collect()
}

#[test]
fn every_file_of_conf_loads_without_a_warning() {
    let mut files = files("conf", &["json", "yaml", "yml"]);
    files.retain(|path| !path.ends_with("schema.json"));
    assert!(files.len() >= 4);
    for path in files {
        let format = if path.extension().unwrap() == "json" { Format::Json } else { Format::Yaml };
        load(&path.display().to_string(), format, &fs::read_to_string(&path).unwrap());
    }
}

#[test]
fn every_configuration_in_the_documentation_loads() {
    let mut found = 0;
    for path in files(".", &["md"]).into_iter().chain(files("docs", &["md"])) {
        let text = fs::read_to_string(&path).unwrap();
        for (language, format) in [("json", Format::Json), ("yaml", Format::Yaml)] {
            for block in text.split(&format!("```{language}\n")).skip(1) {
                let block = block.split("```").next().unwrap();
                load(&path.display().to_string(), format, block);
                found += 1;
            }
        }
    }
    assert!(found >= 1);
}

/// The tables of the configuration reference, as the key table has them.
fn reference() -> String {
    let levels = [
        ("Service: the root of the file", Level::Root),
        ("Endpoint: an entry of `endpoints`", Level::Endpoint),
        ("Backend: an entry of `backend`", Level::Backend),
        ("`extra_config.router` of the service", Level::Namespace("router")),
        ("`error_body` in `router`", Level::Namespace("router.error_body")),
        ("`extra_config.security/http` of the service", Level::Namespace("security/http")),
        (
            "`extra_config.security/bot-detector` of the service or an endpoint",
            Level::Namespace("security/bot-detector"),
        ),
        ("`extra_config.admin` of the service", Level::Namespace("admin")),
        ("`extra_config.limits` of the service", Level::Namespace("limits")),
        ("`tls` of the service and of an entry of `listeners`", Level::Namespace("tls")),
        ("An entry of `keys` in `tls`", Level::Namespace("tls.keys")),
        ("An entry of `extra_config.listeners` of the service", Level::Namespace("listeners")),
        (
            "`extra_config.proxy_protocol` of the service, `proxy_protocol` of an entry of `listeners`",
            Level::Namespace("proxy_protocol"),
        ),
        ("`extra_config.auth/client-credentials` of a backend", Level::Namespace("auth/client-credentials")),
        ("`tls` in `auth/client-credentials`", Level::Namespace("auth/client-credentials.tls")),
        ("`extra_config.backend/http/client` of a backend", Level::Namespace("backend/http/client")),
        ("`client_tls` of the service and in `backend/http/client`", Level::Namespace("client_tls")),
        ("An entry of `client_certs` in `client_tls`", Level::Namespace("client_tls.client_certs")),
        ("`extra_config.websocket` of an endpoint", Level::Namespace("websocket")),
        ("`extra_config.balance` of a backend", Level::Namespace("balance")),
        ("`outlier` in `balance`", Level::Namespace("balance.outlier")),
        ("`health` in `balance`", Level::Namespace("balance.health")),
        ("`retries` in `balance`", Level::Namespace("balance.retries")),
        ("`extra_config.qos/circuit-breaker` of a backend", Level::Namespace("qos/circuit-breaker")),
        ("`extra_config.qos/circuit-breaker/http` of a backend", Level::Namespace("qos/circuit-breaker/http")),
        ("`extra_config.qos/http-cache` of a backend", Level::Namespace("qos/http-cache")),
        ("`extra_config.backend/http` of a backend", Level::Namespace("backend/http")),
        ("`extra_config.proxy` of an endpoint or a backend", Level::Namespace("proxy")),
        ("An entry of `flatmap_filter` in `proxy`", Level::Namespace("proxy.flatmap_filter")),
        ("`static` in `proxy`", Level::Namespace("proxy.static")),
        ("An entry of `extra_config.validation/cel` of an endpoint or a backend", Level::Namespace("validation/cel")),
    ];
    let mut text = String::from(
        "\n### `extra_config.auth/credentials` of the service\n\nAn object: each name stands for an object with the keys of \
         `auth/client-credentials` below.\n",
    );
    for (title, level) in levels {
        text += &format!("\n### {title}\n\n| key | value | meaning |\n|---|---|---|\n");
        text.extend(rows(level));
    }
    text
}

fn rows(level: Level) -> impl Iterator<Item = String> {
    let read = level.keys().iter().filter(|key| matches!(key.support, Support::Supported | Support::Decoded));
    read.map(move |key| {
        let kind = match key.kind {
            Kind::String => "text".to_owned(),
            Kind::Integer => "number".to_owned(),
            Kind::Boolean => "true or false".to_owned(),
            Kind::Duration => "duration".to_owned(),
            Kind::Strings => "text or list of texts".to_owned(),
            Kind::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
            Kind::List => "list".to_owned(),
            Kind::Object => "object".to_owned(),
            Kind::Any if level == Level::Namespace("router.error_body") => "anything".to_owned(),
            Kind::Any => "text or list".to_owned(),
        };
        format!("| `{}` | {kind} | {} |\n", key.name, key.doc)
    })
}

/// But for those of modifiers, which are KrakenD's.
#[test]
fn every_key_that_is_read_is_in_the_configuration_reference() {
    let tables = reference();
    for level in levels().filter(|level| !level.phrase().contains("modifier/martian")) {
        let missing = rows(level).find(|row| !tables.contains(row));
        assert_eq!(missing, None, "{}", level.phrase());
    }
}

#[test]
fn the_configuration_reference_is_what_the_key_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let text = fs::read_to_string(&path).unwrap();
    let (by_hand, tables) = text.split_once("reference -->\n").unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{by_hand}reference -->\n{}", reference())).unwrap();
    } else {
        assert_eq!(tables, reference(), "run UPDATE_DOCS=1 cargo test --test gateway reference");
    }
}

#[test]
fn every_reason_of_an_answer_is_in_the_documentation_with_its_status() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md")).unwrap();
    let cells: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).flat_map(|line| line.split('|')).collect();
    for failure in porteur::base::Failure::ALL {
        let at = cells.iter().position(|cell| cell.trim().starts_with(&format!("`{}`", failure.label())));
        let status = at.and_then(|at| cells.get(at + 1)).unwrap_or_else(|| panic!("{failure} is not there"));
        assert!(status.trim().starts_with(&failure.status().to_string()), "{failure}: {status}");
    }
}
