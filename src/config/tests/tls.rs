//! `tls`: what a good block gives, and what is wrong with others.

use super::super::model::*;
use super::credential_methods::Files;
use super::*;
use rustls::{CipherSuite, NamedGroup};
use std::path::PathBuf;

fn block(members: &str) -> String {
    format!(r#"{{"version": 3, "tls": {{{members}}}}}"#)
}

/// A folder with a pair, and its keys in a block.
fn pair() -> (Files, String) {
    let files = Files::new();
    let (certificate, key) = files.certificate("edge");
    let members = format!(r#""public_key": "{certificate}", "private_key": "{key}""#);
    (files, members)
}

#[track_caller]
fn tls(members: &str) -> Tls {
    let loaded = json(&block(members));
    let model = loaded.model.unwrap_or_else(|| panic!("{}", loaded.report.render(false)));
    model.listeners[0].tls.clone().expect("a block that is on")
}

#[test]
fn without_a_block_or_with_one_that_is_disabled_connections_are_plain() {
    for text in [
        r#"{"version": 3}"#.to_owned(),
        block(r#""disabled": true, "public_key": "/nowhere/a", "min_version": "TLS13""#),
    ] {
        let loaded = json(&text);
        assert!(loaded.report.diagnostics().is_empty(), "{}", loaded.report.render(false));
        assert_eq!(loaded.model.expect("it loads").listeners[0].tls, None);
    }
}

#[test]
fn a_pair_is_enough_and_the_rest_has_the_defaults_of_krakend() {
    let (files, members) = pair();
    let read = tls(&members);
    let [only] = read.certificates.as_slice() else { panic!("{read:?}") };
    assert_eq!(
        (&only.certificate, &only.private_key),
        (&PathBuf::from(files.path("edge.pem")), &PathBuf::from(files.path("edge.key")))
    );
    assert_eq!((read.min_version, read.max_version), (TlsVersion::Tls13, TlsVersion::Tls13));
    assert!(read.cipher_suites.is_empty() && read.groups.is_empty() && !read.prefer_server_cipher_suites);
    assert_eq!(read.client_authorities, None);
}

#[test]
fn the_pair_beside_the_list_comes_first() {
    let (files, members) = pair();
    let (other, key) = files.certificate("other");
    let keys = format!(r#""keys": [{{"public_key": "{other}", "private_key": "{key}"}}]"#);
    let names = |members: &str| -> Vec<String> {
        let all = tls(members).certificates;
        all.iter().map(|pair| pair.certificate.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&keys), ["other.pem"]);
    assert_eq!(names(&format!("{keys}, {members}")), ["edge.pem", "other.pem"]);
}

#[test]
fn a_block_has_a_certificate_with_its_key() {
    let (files, members) = pair();
    let (certificate, key) = (files.path("edge.pem"), files.path("edge.key"));
    let (_, other) = files.certificate("other");
    files.allow("edge.pem", 0o600);
    problem(&block(""), code::MISSING, "{", "`tls` has no `public_key`");
    problem(&block(r#""keys": []"#), code::MISSING, "{", "`tls` has no `public_key`");
    problem(&block(&format!(r#""public_key": "{certificate}""#)), code::MISSING, "{", "`tls` has no `private_key`");
    problem(
        &block(&format!(r#""keys": [{{"private_key": "{key}"}}]"#)),
        code::MISSING,
        "{",
        "an entry of `keys` has no `public_key`",
    );
    let with =
        |certificate: &str, key: &str| block(&format!(r#""public_key": "{certificate}", "private_key": "{key}""#));
    problem(&with("/nowhere/a", &key), code::FILE, "\"/nowhere/a\"", "cannot be read");
    problem(&with(&key, &key), code::FILE, &format!("\"{key}\""), "no PEM certificate");
    problem(&with(&certificate, &certificate), code::FILE, &format!("\"{certificate}\""), "private key");
    problem(&with(&certificate, &other), code::FILE, &format!("\"{other}\""), "does not belong");
    files.allow("edge.key", 0o644);
    problem(&block(&members), code::READABLE_SECRET, &format!("\"{key}\""), "chmod");
}

#[test]
fn a_key_that_stands_where_its_file_belongs_is_not_shown() {
    let (files, _) = pair();
    let text = block(&format!(r#""public_key": "{}", "private_key": "MIGHAgEAMBMGByq""#, files.path("edge.pem")));
    let rendered = json(&text).report.render(false);
    assert!(!rendered.contains("MIGHAgEAMBMGByq"), "{rendered}");
}

#[test]
fn a_certificate_out_of_its_time_is_a_warning() {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    for (from, to, word) in [(2001, 2002, "has expired"), (2201, 2202, "is not valid yet")] {
        let files = Files::new();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["edge.test".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let certificate = files.write("old.pem", params.self_signed(&key).unwrap().pem());
        let key = files.write("old.key", key.serialize_pem());
        let text = block(&format!(r#""public_key": "{certificate}", "private_key": "{key}""#));
        problem(&text, code::OUT_OF_DATE, &format!("\"{certificate}\""), word);
    }
}

#[test]
fn versions_are_1_2_and_1_3() {
    let (_files, pair) = pair();
    let with = |members: &str| format!("{pair}, {members}");
    let versions = |members: &str| {
        let read = tls(&with(members));
        (read.min_version, read.max_version)
    };
    let (old, new) = (TlsVersion::Tls12, TlsVersion::Tls13);
    assert_eq!(versions(r#""min_version": "TLS12""#), (old, new));
    assert_eq!(versions(r#""min_version": "TLS12", "max_version": "TLS12""#), (old, old));
    assert_eq!(versions(r#""min_version": "", "max_version": """#), (new, new));
    assert_eq!(versions(r#""min_version": "TLS10""#), (old, new));
    for older in ["SSL3.0", "TLS10", "TLS11"] {
        let at = format!("\"{older}\"");
        problem(
            &block(&with(&format!(r#""min_version": {at}"#))),
            code::TLS_RAISED,
            &at,
            "the oldest version is TLS 1.2",
        );
        problem(
            &block(&with(&format!(r#""min_version": "TLS12", "max_version": {at}"#))),
            code::TLS_VERSION,
            &at,
            "not spoken",
        );
    }
    problem(&block(&with(r#""min_version": "1.3""#)), code::TLS_VERSION, "\"1.3\"", "no version of TLS");
    problem(
        &block(&with(r#""max_version": "TLS12""#)),
        code::TLS_VERSION,
        "\"TLS12\"",
        "add `\"min_version\": \"TLS12\"`",
    );
}

#[test]
fn cipher_suites_are_those_that_are_safe() {
    let (_files, pair) = pair();
    let with = |members: &str| format!("{pair}, {members}");
    let read = tls(&with(
        r#""min_version": "TLS12", "cipher_suites": [49199, "4866", 49199], "prefer_server_cipher_suites": true"#,
    ));
    assert_eq!(
        read.cipher_suites,
        [CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, CipherSuite::TLS13_AES_256_GCM_SHA384]
    );
    assert!(read.prefer_server_cipher_suites);
    let list =
        |list: &str, version: &str| block(&with(&format!(r#""min_version": "{version}", "cipher_suites": {list}"#)));
    problem(&list("[4865, 49171]", "TLS13"), code::CIPHER_SUITE, "49171", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA");
    problem(&list("[5]", "TLS13"), code::CIPHER_SUITE, "5", "TLS_RSA_WITH_RC4_128_SHA");
    problem(&list("[65000]", "TLS13"), code::CIPHER_SUITE, "65000", "no cipher suite");
    problem(&list("[70000]", "TLS13"), code::TYPE, "70000", "number");
    problem(&list("[4865]", "TLS12"), code::CIPHER_SUITE, "[4865]", "no cipher suite for TLS 1.2");
    problem(&list("[49199]", "TLS13"), code::NO_EFFECT, "[49199]", "no effect");
}

#[test]
fn curves_are_those_that_are_offered() {
    let (_files, pair) = pair();
    let with = |members: &str| format!("{pair}, {members}");
    assert_eq!(
        tls(&with(r#""curve_preferences": [4588, 29, 24]"#)).groups,
        [NamedGroup::X25519MLKEM768, NamedGroup::X25519, NamedGroup::secp384r1]
    );
    assert_eq!(tls(&with(r#""curve_preferences": [23, 25]"#)).groups, [NamedGroup::secp256r1]);
    let list = |list: &str| block(&with(&format!(r#""min_version": "TLS12", "curve_preferences": {list}"#)));
    problem(&list("[23, 25]"), code::TLS_RAISED, "25", "P-521");
    problem(&list("[7]"), code::CIPHER_SUITE, "7", "no curve");
    problem(&list("[4588]"), code::CIPHER_SUITE, "[4588]", "no curve for TLS 1.2");
}

#[test]
fn clients_are_vouched_for_by_somebody() {
    let (files, pair) = pair();
    let authority = files.path("edge.pem");
    let with = |members: &str| format!("{pair}, {members}");
    let alone = with(&format!(r#""enable_mtls": true, "disable_system_ca_pool": true, "ca_certs": ["{authority}"]"#));
    assert!(json(&block(&alone)).report.diagnostics().is_empty());
    let expected = ClientAuthorities { files: vec![authority.clone().into()], system: false };
    assert_eq!(tls(&alone).client_authorities, Some(expected));
    problem(&block(&with(r#""enable_mtls": true"#)), code::BROAD_TRUST, "true", "any authority");
    problem(
        &block(&with(r#""enable_mtls": true, "disable_system_ca_pool": true"#)),
        code::CONTRADICTION,
        "true",
        "nobody vouches",
    );
    problem(&block(&with(&format!(r#""ca_certs": ["{authority}"]"#))), code::NO_EFFECT, "\"ca_certs\"", "enable_mtls");
    let key = files.path("edge.key");
    problem(
        &block(&with(&format!(r#""enable_mtls": true, "disable_system_ca_pool": true, "ca_certs": ["{key}"]"#))),
        code::FILE,
        &format!("\"{key}\""),
        "no PEM certificate",
    );
    problem(&block(&with(r#""ca_cert": []"#)), code::UNKNOWN_KEY, "\"ca_cert\"", "`ca_certs`");
}
