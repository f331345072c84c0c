//! What SSLyze finds: a scanner that knows what has gone wrong with TLS in thirty years.

use crate::support::tls_edge::TlsEdge;
use crate::support::tool;
use serde_json::{Value, json};
use std::path::Path;

const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sslyze/.venv/bin/python");

const SCANS: &str = "--sslv2 --sslv3 --tlsv1 --tlsv1_1 --tlsv1_2 --tlsv1_3 --reneg --resum --heartbleed --openssl_ccs \
                     --robot --fallback --compression --early_data --elliptic_curves --ems --mozilla_config=disable";

/// The results by their names.
#[track_caller]
fn scan(edge: &TlsEdge) -> Value {
    assert!(Path::new(PYTHON).exists(), "{PYTHON} is missing: remove a broken `.venv` there and run `make test`");
    let report = tempfile::NamedTempFile::new().unwrap();
    let (path, address) = (report.path().display(), edge.gateway.address);
    let words = format!("-m sslyze --quiet --sni edge.test {SCANS} --json_out={path} {address}");
    let said = tool::say(PYTHON, &words, b"");
    let text = std::fs::read_to_string(report.path()).unwrap();
    let mut all: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {}", said.text()));
    all["server_scan_results"][0]["scan_result"].take()
}

/// The names of the suites that a version accepts.
fn suites(results: &Value, version: &str) -> Vec<String> {
    let accepted = &results[format!("{version}_cipher_suites")]["result"]["accepted_cipher_suites"];
    let accepted = accepted.as_array().unwrap_or_else(|| panic!("{version} was scanned: {results:#}"));
    let mut names: Vec<_> =
        accepted.iter().map(|one| one["cipher_suite"]["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[track_caller]
fn assert_sound(results: &Value) {
    for version in ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"] {
        assert_eq!(suites(results, version), Vec::<String>::new(), "{version}");
    }
    assert_eq!(
        suites(results, "tls_1_3"),
        ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
    );
    for (scan, field, expected) in [
        ("tls_compression", "supports_compression", json!(false)),
        ("tls_1_3_early_data", "supports_early_data", json!(false)),
        ("openssl_ccs_injection", "is_vulnerable_to_ccs_injection", json!(false)),
        ("heartbleed", "is_vulnerable_to_heartbleed", json!(false)),
        ("robot", "robot_result", json!("NOT_VULNERABLE_RSA_NOT_SUPPORTED")),
        ("session_renegotiation", "is_vulnerable_to_client_renegotiation_dos", json!(false)),
    ] {
        assert_eq!(results[scan]["result"][field], expected, "{scan}: {:#}", results[scan]);
    }
}

#[test]
fn a_scanner_finds_nothing_wrong_with_both_versions() {
    let results = scan(&TlsEdge::with(json!({ "min_version": "TLS12" })));
    assert_sound(&results);
    assert_eq!(
        suites(&results, "tls_1_2"),
        [
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        ]
    );
    for (scan, field, expected) in [
        ("tls_fallback_scsv", "supports_fallback_scsv", json!(true)),
        ("session_renegotiation", "supports_secure_renegotiation", json!(true)),
        ("session_resumption", "session_id_resumption_result", json!("FULLY_SUPPORTED")),
        ("tls_extended_master_secret", "supports_ems_extension", json!(true)),
    ] {
        assert_eq!(results[scan]["result"][field], expected, "{scan}: {:#}", results[scan]);
    }
    let curves = results["elliptic_curves"]["result"]["supported_curves"].as_array().unwrap();
    let mut curves: Vec<_> = curves.iter().map(|curve| curve["name"].as_str().unwrap()).collect();
    curves.sort_unstable();
    assert_eq!(curves, ["X25519", "secp256r1", "secp384r1"]);
}

#[test]
fn a_scanner_finds_tls_1_3_alone_by_default() {
    let results = scan(&TlsEdge::with(json!({})));
    assert_sound(&results);
    assert_eq!(suites(&results, "tls_1_2"), Vec::<String>::new());
}
