//! `client_auth` and what proves the client's identity: secrets, keys, assertions and certificates in files.

use super::super::model::*;
use super::credentials::token;
use super::*;
use crate::base::Secret;
use crate::base::jws::Algorithm;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const ME: &str = r#""client_id": "me", "token_url": "https://idp/t""#;

/// A folder with the files of one test, readable by their owner only.
pub(super) struct Files(TempDir);

impl Files {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        self.allow(name, 0o600);
        path
    }

    pub(super) fn allow(&self, name: &str, mode: u32) {
        std::fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    /// A new certificate for a new key: `NAME.pem` and `NAME.key`.
    pub(super) fn certificate(&self, name: &str) -> (String, String) {
        let (pem, key) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 9 -subj /CN=x -keyout {key} -out {pem}"
        ));
        self.allow(&format!("{name}.key"), 0o600);
        (pem, key)
    }
}

/// `aws-lc-rs` makes keys but neither certificates nor encrypted keys.
fn openssl(arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64_STANDARD.encode(der))
}

fn rsa() -> String {
    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    pem(AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref())
}

fn ec(curve: &'static EcdsaSigningAlgorithm) -> String {
    pem(EcdsaKeyPair::generate_pkcs8(curve, &SystemRandom::new()).unwrap().as_ref())
}

pub(super) fn p256() -> String {
    ec(&ECDSA_P256_SHA256_FIXED_SIGNING)
}

fn ed25519() -> String {
    pem(Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap().as_ref())
}

fn auth(members: &str) -> ClientAuth {
    token(&format!("{ME}, {members}")).credential.client_auth.clone()
}

fn with(members: &str) -> String {
    credentials(&format!("{ME}, {members}"))
}

fn text(secret: &str) -> SecretSource {
    SecretSource::Text(Secret::new(secret))
}

fn file_source(path: &str) -> SecretSource {
    SecretSource::File(path.into())
}

fn sources(auth: &ClientAuth) -> &[SecretSource] {
    match auth {
        ClientAuth::Secret { secrets, .. } | ClientAuth::Assertion(Assertion::Secret { secrets, .. }) => secrets,
        _ => panic!("no secret: {auth:?}"),
    }
}

#[test]
fn every_method_with_a_secret_is_read() {
    let shared = |method, encoding| ClientAuth::Secret { secrets: vec![text("hunter2")], method, encoding };
    let jwt = |algorithm, audience: Option<&str>| {
        let (secrets, audience) = (vec![text("hunter2")], audience.map(str::to_owned));
        ClientAuth::Assertion(Assertion::Secret { secrets, algorithm, audience })
    };
    for (members, expected) in [
        ("", shared(SecretMethod::Auto, BasicEncoding::Rfc6749)),
        (r#", "client_auth": "auto", "basic_encoding": "raw""#, shared(SecretMethod::Auto, BasicEncoding::Raw)),
        (r#", "client_auth": "client_secret_basic""#, shared(SecretMethod::Basic, BasicEncoding::Rfc6749)),
        (
            r#", "client_auth": "client_secret_basic", "basic_encoding": "raw""#,
            shared(SecretMethod::Basic, BasicEncoding::Raw),
        ),
        (r#", "client_auth": "client_secret_post""#, shared(SecretMethod::Post, BasicEncoding::Rfc6749)),
        (r#", "client_auth": "client_secret_jwt""#, jwt(Algorithm::Hs256, None)),
        (
            r#", "client_auth": "client_secret_jwt", "signing_algorithm": "HS512", "assertion_audience": "urn:a""#,
            jwt(Algorithm::Hs512, Some("urn:a")),
        ),
        (r#", "client_auth": "client_secret_jwt", "assertion_audience": """#, jwt(Algorithm::Hs256, None)),
    ] {
        assert_eq!(auth(&format!(r#""client_secret": "hunter2"{members}"#)), expected, "{members}");
    }
    assert_eq!(auth(r#""client_auth": "none""#), ClientAuth::None);
    // One that a public client has for other uses is not sent.
    let unused = r#""client_auth": "none", "client_secret": "hunter2""#;
    problem(&with(unused), code::CONTRADICTION, "\"hunter2\"", "`client_secret` contradicts");
}

#[test]
fn every_kind_of_key_signs_with_its_algorithms_and_no_other() {
    let files = Files::new();
    let kinds = [
        (files.write("rsa", rsa()), "RSA", &["RS256", "PS256"][..]),
        (files.write("p256", p256()), "P-256", &["ES256"]),
        (files.write("p384", ec(&ECDSA_P384_SHA384_FIXED_SIGNING)), "P-384", &["ES384"]),
        (files.write("ed25519", ed25519()), "Ed25519", &["EdDSA", "Ed25519"]),
    ];
    for (path, kind, fitting) in &kinds {
        let key = format!(r#""private_key_file": "{path}""#);
        let none = Assertion::PrivateKey { file: path.into(), key_id: None, algorithm: None, audience: None };
        assert_eq!(auth(&key), ClientAuth::Assertion(none.clone()), "{kind}: a key is for one thing only");
        assert_eq!(auth(&format!(r#""client_auth": "private_key_jwt", {key}"#)), ClientAuth::Assertion(none));
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()) {
            let name = algorithm.name();
            let members = format!(
                r#"{key}, "client_auth": "private_key_jwt", "signing_algorithm": "{name}", "key_id": "k1", "assertion_audience": "urn:a""#
            );
            if fitting.contains(&name) {
                let expected = Assertion::PrivateKey {
                    file: path.into(),
                    key_id: Some("k1".to_owned()),
                    algorithm: Some(algorithm),
                    audience: Some("urn:a".to_owned()),
                };
                assert_eq!(auth(&members), ClientAuth::Assertion(expected), "{kind} {name}");
            } else {
                let message = format!("its key is of the kind {kind}, which does not sign {name}");
                problem(&with(&members), code::FILE, &format!("\"{path}\""), &message);
            }
        }
    }
}

#[test]
fn secrets_sign_symmetrically_and_keys_do_not() {
    let files = Files::new();
    let key = files.write("key", p256());
    for name in ["HS256", "HS384", "HS512"] {
        let members = format!(r#""private_key_file": "{key}", "signing_algorithm": "{name}""#);
        problem(&with(&members), code::VALUE, &format!("\"{name}\""), "a private key signs with RS256");
    }
    for (name, word) in [
        ("RS256", "a secret signs with HS256, HS384 or HS512"),
        ("ES384", "a secret signs with HS256, HS384 or HS512"),
        ("EdDSA", "a secret signs with HS256, HS384 or HS512"),
        ("none", "one of HS256"),
        ("hs256", "`HS256`"),
        ("HS265", "`HS256`"),
        ("RS512", "`HS512`"),
    ] {
        let secret = "x".repeat(64);
        let members = format!(
            r#""client_secret": "{secret}", "client_auth": "client_secret_jwt", "signing_algorithm": "{name}""#
        );
        problem(&with(&members), code::VALUE, &format!("\"{name}\""), word);
    }
}

#[test]
fn a_signing_method_without_its_key_says_so() {
    let members = r#""client_auth": "private_key_jwt""#;
    problem(&with(members), code::CONTRADICTION, "\"private_key_jwt\"", "`private_key_file`");
    let jwt = r#""client_auth": "client_secret_jwt""#;
    problem(&with(jwt), code::MISSING, "{", "`client_secret`");
}

#[test]
fn an_assertion_of_the_platform_takes_the_keys_place() {
    let files = Files::new();
    let path = files.write("token", "eyJ.eyJ.sig\n");
    let expected = ClientAuth::Assertion(Assertion::File(PathBuf::from(&path)));
    for method in ["", r#", "client_auth": "auto""#, r#", "client_auth": "private_key_jwt""#] {
        assert_eq!(auth(&format!(r#""client_assertion_file": "{path}"{method}"#)), expected, "{method}");
    }
    for content in ["", " \n\n", "not-a-token", "a.b", "a.b.c.d", "a.b.c d", "<xml/>"] {
        let empty = files.write("empty", content);
        let members = format!(r#""client_assertion_file": "{empty}""#);
        problem(&with(&members), code::FILE, &format!("\"{empty}\""), "it holds no signed assertion");
    }
    let key = files.write("key", p256());
    let both = format!(r#""client_assertion_file": "{path}", "private_key_file": "{key}""#);
    problem(&with(&both), code::CONTRADICTION, &format!("\"{path}\""), "remove `client_assertion_file`");
}

#[test]
fn keys_that_the_method_has_no_use_for_are_contradictions() {
    let files = Files::new();
    let key = files.write("key", p256());
    for (members, at, word) in [
        (format!(r#""client_secret": "x", "private_key_file": "{key}""#), format!("\"{key}\""), "`private_key_file`"),
        (format!(r#""client_secret": "x", "client_assertion_file": "{key}""#), format!("\"{key}\""), "`client_auth`"),
        (r#""client_secret": "x", "key_id": "k""#.to_owned(), "\"k\"".to_owned(), "`key_id`"),
        (r#""client_secret": "x", "signing_algorithm": "HS256""#.to_owned(), "\"HS256\"".to_owned(), "remove"),
        (r#""client_secret": "x", "assertion_audience": "a""#.to_owned(), "\"a\"".to_owned(), "remove"),
        (
            r#""client_secret": "x", "client_auth": "client_secret_post", "basic_encoding": "raw""#.to_owned(),
            "\"raw\"".to_owned(),
            "`basic_encoding`",
        ),
        (
            format!(r#""client_secret": "hunter2", "client_auth": "private_key_jwt", "private_key_file": "{key}""#),
            "\"hunter2\"".to_owned(),
            "`client_secret` contradicts",
        ),
    ] {
        problem(&with(&members), code::CONTRADICTION, &at, word);
    }
}

#[test]
fn key_files_that_are_none_say_why() {
    let files = Files::new();
    let sealed = files.path("sealed");
    openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass pass:x -out {sealed}"));
    let sealed_before = files.path("sealed-before");
    openssl(&format!("genrsa -traditional -aes256 -passout pass:x -out {sealed_before} 2048"));
    let small = files.path("small");
    openssl(&format!("genrsa -out {small} 1024"));
    std::fs::create_dir(files.path("folder")).unwrap();
    files.write("empty", "");
    files.write("words", "hunter2");
    files.write("half", &p256()[..90]);
    files.write("garbage", pem(b"hunter2 hunter2 hunter2"));
    files.write("huge", vec![b'x'; 1024 * 1024 + 1]);
    for name in ["sealed", "sealed-before", "small"] {
        files.allow(name, 0o600);
    }
    for (name, why) in [
        ("missing", "cannot be read: no such file or directory"),
        ("folder", "cannot be read: it is a directory"),
        ("huge", "cannot be read: it is larger than 1 MiB"),
        ("empty", "cannot be used: it holds no unencrypted PEM private key"),
        ("words", "cannot be used: it holds no unencrypted PEM private key"),
        ("half", "cannot be used: it holds no unencrypted PEM private key"),
        ("sealed", "cannot be used: it holds no unencrypted PEM private key"),
        ("sealed-before", "cannot be used: it holds no unencrypted PEM private key"),
        ("garbage", "cannot be used: its key is neither RSA (2048 bits or more), P-256, P-384 nor Ed25519"),
        ("small", "cannot be used: its key is neither RSA (2048 bits or more), P-256, P-384 nor Ed25519"),
    ] {
        let path = files.path(name);
        problem(&with(&format!(r#""private_key_file": "{path}""#)), code::FILE, &format!("\"{path}\""), why);
    }
    problem(&with(r#""private_key_file": """#), code::FILE, "\"\"", "write the path of the file");
    let missing = files.path("missing");
    problem(&with(&format!(r#""client_secret_file": "{missing}""#)), code::FILE, &format!("\"{missing}\""), "no such");
    let latin = files.write("latin", b"h\xe9");
    problem(&with(&format!(r#""client_secret_file": "{latin}""#)), code::FILE, &format!("\"{latin}\""), "not UTF-8");
    for content in ["", "\n", "  "] {
        let empty = files.write("empty", content);
        let members = format!(r#""client_secret_file": "{empty}""#);
        problem(&with(&members), code::EMPTY_CREDENTIAL, &format!("\"{empty}\""), "the `client_secret` is empty");
    }
    let blanks = files.write("blanks", "hunter2 \n");
    problem(&with(&format!(r#""client_secret_file": "{blanks}""#)), code::BLANKS, &format!("\"{blanks}\""), "`printf`");
}

/// `check` called it fine, and then no fetch could read it.
#[test]
fn a_file_that_no_fetch_could_read_is_an_error() {
    let files = Files::new();
    let (pem, _) = files.certificate("ca");
    let pem = [b"Autorit\xe9\n".to_vec(), std::fs::read(pem).unwrap()].concat();
    let latin = files.write("latin", &pem);
    for members in [tls(&format!(r#""ca_file": "{latin}""#)), with(&format!(r#""private_key_file": "{latin}""#))] {
        problem(&members, code::FILE, &format!("\"{latin}\""), "not UTF-8");
        problem(&members, code::FILE, &format!("\"{latin}\""), "it holds text");
    }
}

#[test]
fn relative_files_are_beside_the_configuration() {
    let files = Files::new();
    files.write("secret", "hunter2\n");
    let path = files.write("krakend.json", with(r#""client_secret_file": "secret""#));
    let loaded = load(Path::new(&path), &Options::default(), &variables(&[]));
    let model = loaded.model.unwrap_or_else(|| panic!("{}", loaded.report.render(false)));
    let credential = model.endpoints[0].answer.backends()[0].token.clone().unwrap().credential;
    assert_eq!(sources(&credential.client_auth), [file_source(&files.path("secret"))]);
}

#[test]
fn one_secret_or_two_and_no_other_number() {
    assert_eq!(sources(&auth(r#""client_secret": ["a"]"#)), [text("a")]);
    assert_eq!(sources(&auth(r#""client_secret": ["a", "b"]"#)), [text("a"), text("b")]);
    let jwt = auth(r#""client_auth": "client_secret_jwt", "client_secret": ["a", "b"]"#);
    assert_eq!(sources(&jwt), [text("a"), text("b")]);
    for list in ["[]", r#"["a", "b", "c"]"#] {
        problem(&with(&format!(r#""client_secret": {list}"#)), code::VALUE, list, "a list of two");
    }
    problem(&with(r#""client_secret": ["a", ""]"#), code::EMPTY_CREDENTIAL, "\"\"", "is empty");
    problem(&with(r#""client_secret": ["a", {}]"#), code::TYPE, "{}", "expected a string");
    problem(&with(r#""client_secret": ["a", "b "]"#), code::BLANKS, "\"b \"", "line end");
}

#[test]
fn a_secret_is_written_or_in_a_file_but_not_both() {
    let files = Files::new();
    let path = files.write("secret", "hunter2\n");
    assert_eq!(sources(&auth(&format!(r#""client_secret_file": "{path}""#))), [file_source(&path)]);
    let both = format!(r#""client_secret": "a", "client_secret_file": "{path}""#);
    problem(&with(&both), code::CONTRADICTION, &format!("\"{path}\""), "keep one of the two");
}

#[test]
fn only_a_lone_reference_to_a_file_is_read_again() {
    let files = Files::new();
    let (one, other) = (files.write("one", "hunter2\n"), files.write("other", "hunter3\n"));
    for (secret, expected) in [
        (format!("\"${{file:{one}}}\""), vec![file_source(&one)]),
        (format!("[\"${{file:{one}}}\", \"${{file:{other}}}\"]"), vec![file_source(&one), file_source(&other)]),
        (format!("[\"${{file:{one}}}\", \"b\"]"), vec![file_source(&one), text("b")]),
        (format!("\"a${{file:{one}}}\""), vec![text("ahunter2")]),
        (format!("\"${{file:{one}}}b\""), vec![text("hunter2b")]),
        (format!("\"${{file:{one}}}${{file:{other}}}\""), vec![text("hunter2hunter3")]),
        ("\"${env:S:-x}\"".to_owned(), vec![text("x")]),
    ] {
        assert_eq!(sources(&auth(&format!(r#""client_secret": {secret}"#))), expected, "{secret}");
    }
    // A variable cannot name a file in its place.
    let text_only = with(r#""client_secret": "${env:S}""#);
    let loaded = json_with(&text_only, &Options::default(), &[("S", &format!("${{file:{one}}}"))]);
    let credential = loaded.model.unwrap().endpoints[0].answer.backends()[0].token.clone().unwrap().credential;
    assert_eq!(sources(&credential.client_auth), [text(&format!("${{file:{one}}}"))]);
}

#[test]
fn a_secret_that_everybody_can_read_is_warned_of() {
    let files = Files::new();
    let secret = files.write("secret", "hunter2\n");
    let key = files.write("key", p256());
    let assertion = files.write("assertion", "eyJ.eyJ.sig");
    let (pem, private) = files.certificate("client");
    let reference = format!("${{file:{secret}}}");
    let tls = format!(r#""client_secret": "x", "tls": {{"client_certificate_file": "{pem}", "client_key_file": "#);
    for (file, members, at) in [
        ("secret", format!(r#""client_secret_file": "{secret}""#), &secret),
        ("secret", format!(r#""client_secret": "{reference}""#), &reference),
        ("key", format!(r#""private_key_file": "{key}""#), &key),
        ("assertion", format!(r#""client_assertion_file": "{assertion}""#), &assertion),
        ("client.key", format!(r#"{tls}"{private}"}}"#), &private),
    ] {
        for quiet in [0o600, 0o400, 0o640] {
            files.allow(file, quiet);
            let report = json(&with(&members)).report;
            assert!(report.diagnostics().is_empty(), "{quiet:o}: {}", report.render(false));
        }
        files.allow(file, 0o644);
        problem(&with(&members), code::READABLE_SECRET, &format!("\"{at}\""), "`chmod o-r`");
        files.allow(file, 0o600);
    }
}

fn tls(members: &str) -> String {
    with(&format!(r#""client_secret": "x", "tls": {{{members}}}"#))
}

#[test]
fn client_certificates_come_with_their_key() {
    let files = Files::new();
    let ((pem, key), (other, other_key)) = (files.certificate("client"), files.certificate("other"));
    let pair = format!(r#""client_certificate_file": "{pem}", "client_key_file": "{key}""#);
    let policy = token(&format!(
        r#"{ME}, "client_auth": "tls_client_auth", "tls": {{{pair}, "ca_file": "{other}", "min_version": "TLS13"}}"#
    ));
    let expected = Transport {
        ca_file: Some(PathBuf::from(&other)),
        client_certificate: Some((PathBuf::from(&pem), PathBuf::from(&key))),
        min_version: TlsVersion::Tls13,
        proxy: ProxyUrl::None,
    };
    assert_eq!(policy.credential.transport, expected);
    assert_eq!(policy.credential.client_auth, ClientAuth::Certificate);
    let self_signed = auth(&format!(r#""client_auth": "self_signed_tls_client_auth", "tls": {{{pair}}}"#));
    assert_eq!(self_signed, ClientAuth::Certificate);
    for method in ["tls_client_auth", "self_signed_tls_client_auth"] {
        for members in [String::new(), format!(r#", "tls": {{"ca_file": "{pem}"}}"#)] {
            let members = format!(r#""client_auth": "{method}"{members}"#);
            problem(&with(&members), code::CONTRADICTION, &format!("\"{method}\""), "needs a client certificate");
        }
    }
    let at = |path: &str| format!("\"{path}\"");
    let only_pem = format!(r#""client_certificate_file": "{pem}""#);
    problem(&tls(&only_pem), code::CONTRADICTION, &at(&pem), "needs a `client_key_file`");
    let only_key = format!(r#""client_key_file": "{key}""#);
    problem(&tls(&only_key), code::CONTRADICTION, &at(&key), "needs a `client_certificate_file`");
    let crossed = format!(r#""client_certificate_file": "{pem}", "client_key_file": "{other_key}""#);
    problem(&tls(&crossed), code::FILE, &at(&other_key), "does not belong to the private key");
    let twice = format!(r#""client_certificate_file": "{pem}", "client_key_file": "{pem}""#);
    problem_besides(&tls(&twice), code::FILE, &at(&pem), "no unencrypted PEM private key");
    let swapped = format!(r#""client_certificate_file": "{key}", "client_key_file": "{key}""#);
    problem(&tls(&swapped), code::FILE, &at(&key), "no PEM certificate");
    let unsigned = format!(r#"{pair}, "client_secret": "y""#);
    problem(&tls(&unsigned), code::UNKNOWN_KEY, "\"client_secret\"", "belongs into `auth/client-credentials`");
}

/// Like `problem`, beside the warning that a certificate, used as a key, can be read by everybody.
#[track_caller]
fn problem_besides(text: &str, code: &str, at: &str, word: &str) {
    let loaded = json(text);
    let errors: Vec<_> = loaded.report.diagnostics().iter().filter(|d| d.code != code::READABLE_SECRET).collect();
    let [error] = errors.as_slice() else { panic!("{}", loaded.report.render(false)) };
    assert_eq!((error.code, &text[error.span.clone().unwrap()]), (code, at));
    assert!(error.message.contains(word), "{}", error.message);
}

#[test]
fn authorities_are_certificates() {
    let files = Files::new();
    let (pem, key) = files.certificate("ca");
    assert_eq!(
        token(&format!(r#"{CLIENT}, "tls": {{"ca_file": "{pem}"}}"#)).credential.transport.proxy,
        ProxyUrl::None
    );
    let words = files.write("words", "no certificates");
    let half = files.write("half", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let missing = files.path("missing");
    for (path, why) in [
        (&words, "it holds no PEM certificate"),
        (&key, "it holds no PEM certificate"),
        (&half, "not X.509 version 3"),
        (&missing, "no such file"),
    ] {
        problem(&tls(&format!(r#""ca_file": "{path}""#)), code::FILE, &format!("\"{path}\""), why);
    }
    problem(&tls(r#""min_version": "TLS11""#), code::VALUE, "\"TLS11\"", "`TLS12` or `TLS13`");
    problem(&tls(r#""ca_flie": "x""#), code::UNKNOWN_KEY, "\"ca_flie\"", "did you mean `ca_file`?");
    problem(&with(r#""client_secret": "x", "tls": []"#), code::TYPE, "[]", "expected an object");
}
