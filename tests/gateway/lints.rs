//! What `porteur check` says about a configuration that is right, and `porteur run` does not.

use crate::support::config::ConfigFile;
use crate::support::daemon;
use crate::support::program::Program;
use crate::support::upstream::Upstream;
use rustix::process::Signal;
use serde_json::{Value, json};

/// Nobody guards the endpoint, all headers go on, and the token goes out unencrypted.
const OPEN: &str = r#"{
  "version": 3,
  "output_encoding": "no-op",
  "endpoints": [{
    "endpoint": "/a",
    "input_headers": ["*"],
    "backend": [{
      "host": ["http://api.example.test"],
      "extra_config": {
        "auth/client-credentials": {
          "client_id": "me", "client_secret": "hunter2", "token_url": "https://login.example.test/token"
        }
      }
    }]
  }]
}"#;

#[test]
fn check_lints_and_still_ends_with_0() {
    let file = ConfigFile::json(OPEN);
    let path = file.path().to_str().unwrap();
    let checked = daemon::run(["check", "-c", path]);
    assert_eq!(checked.status.code(), Some(0));
    for (code, place) in [("W030", ":10:9"), ("W031", ":6:23"), ("W034", ":8:16")] {
        let at = checked.stderr.find(&format!("warning[{code}]")).unwrap_or_else(|| panic!("{}", checked.stderr));
        assert!(checked.stderr[at..].lines().nth(1).unwrap().ends_with(place), "{}", checked.stderr);
    }
    assert!(checked.stderr.contains("anyone who reaches this port can call the upstream as you"), "{}", checked.stderr);
    assert_eq!(checked.stdout.trim(), format!("{path}: runs, with 3 warnings, 1 endpoints, 1 credentials"));
    assert!(!checked.stderr.contains("hunter2"));
}

#[test]
fn denied_lints_are_1_and_programs_get_them_as_json() {
    let file = ConfigFile::json(OPEN);
    let path = file.path().to_str().unwrap();
    let denied = daemon::run(["check", "-c", path, "--deny", "warnings", "--format", "json"]);
    assert_eq!((denied.status.code(), denied.stderr.as_str()), (Some(1), ""));
    let problems: Value = serde_json::from_str(&denied.stdout).unwrap();
    let told: Vec<_> =
        problems.as_array().unwrap().iter().map(|problem| (&problem["code"], &problem["line"])).collect();
    assert_eq!(told, [(&json!("W031"), &json!(6)), (&json!("W034"), &json!(8)), (&json!("W030"), &json!(10))]);
    assert!(problems.as_array().unwrap().iter().all(|problem| problem["severity"] == "error"));
    assert!(problems[0]["help"].as_str().unwrap().contains("list the headers"));
}

#[test]
fn other_commands_do_not_lint() {
    let file = ConfigFile::json(OPEN);
    let routes = daemon::run(["routes", "-c", file.path().to_str().unwrap()]);
    assert_eq!((routes.status.code(), routes.stderr.as_str()), (Some(0), ""));
    let upstream = Upstream::echo();
    let open = json!({ "endpoint": "/a", "input_headers": ["*"], "backend": [{ "host": [upstream.url()] }] });
    let program = Program::with(&[open], &[]);
    program.daemon.signal(Signal::TERM);
    let finished = program.daemon.finish();
    assert!(!finished.stderr.contains("warning"), "{}", finished.stderr);
}
