//! What clients prove themselves with is replaced while the gateway runs: secrets and keys in files, and two secrets of which
//! either may be the valid one.

use crate::support::gateway::{Running, credential, protected, with};
use crate::support::poll::{PATIENCE, eventually};
use crate::support::scripted::Scripted;
use crate::support::tokens::{self, fetches, is_refused, order_refresh, param};
use crate::support::upstream::{Request, Upstream};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// Long enough to be used, short enough to be renewed while a test looks.
const LIFE: u64 = 4;

const NAME: &str = "basic@127.0.0.1";

/// A volume as Kubernetes mounts one: every file is a link through `..data`, which is a link to the folder that counts.
struct Volume(TempDir);

impl Volume {
    fn with(secret: &str) -> Self {
        let volume = Self(tempfile::tempdir().unwrap());
        volume.point_to("..2026_1", secret);
        symlink("..data/secret", volume.secret()).unwrap();
        volume
    }

    fn secret(&self) -> PathBuf {
        self.0.path().join("secret")
    }

    fn point_to(&self, version: &str, secret: &str) {
        let path = |name: &str| self.0.path().join(name);
        fs::create_dir(path(version)).unwrap();
        fs::write(path(version).join("secret"), secret).unwrap();
        symlink(version, path("..data_tmp")).unwrap();
        fs::rename(path("..data_tmp"), path("..data")).unwrap();
    }
}

/// An authorization server that knows these secrets. Whom it refuses, it tells to stay away for an hour: then nothing but
/// the change itself can be what brings a client back.
struct Server {
    scripted: Scripted,
    accepted: Arc<Mutex<Vec<&'static str>>>,
}

impl Server {
    fn accepting(secrets: &[&'static str]) -> Self {
        let accepted = Arc::new(Mutex::new(secrets.to_vec()));
        let scripted = Scripted::start({
            let accepted = accepted.clone();
            move |request, n| match accepted.lock().unwrap().contains(&secret_of(request).as_str()) {
                true => Scripted::token(&format!("TOKEN-{n}"), LIFE),
                false => Scripted::error(401, "invalid_client").header("Retry-After", "3600"),
            }
        });
        Self { scripted, accepted }
    }

    fn accept(&self, secrets: &[&'static str]) {
        *self.accepted.lock().unwrap() = secrets.to_vec();
    }

    /// The secrets of all requests so far.
    fn seen(&self) -> Vec<String> {
        self.scripted.requests().iter().map(secret_of).collect()
    }

    fn wait_for(&self, secret: &str) {
        eventually(PATIENCE, "a request with this secret", || self.seen().iter().any(|seen| seen == secret));
    }
}

/// From the body or the Basic header.
fn secret_of(request: &Request) -> String {
    if let Some(basic) = request.header("authorization").and_then(|value| value.strip_prefix("Basic ")) {
        let pair = String::from_utf8(BASE64_STANDARD.decode(basic).unwrap()).unwrap();
        return format!("basic {}", pair.split_once(':').unwrap().1);
    }
    param(&request.form(), "client_secret").unwrap_or_default().to_owned()
}

fn gateway(server: &Scripted, upstream: &Upstream, proof: &Value) -> Running {
    let mut credential = credential(&server.token_url());
    credential.as_object_mut().unwrap().remove("client_secret");
    Running::with(&[protected("/x", &upstream.url(), with(credential, proof))])
}

fn refused(gateway: &Running) -> bool {
    is_refused(gateway, NAME)
}

fn row(gateway: &Running) -> Value {
    tokens::row(gateway.admin, NAME)
}

fn ways_to_name(volume: &Volume) -> [Value; 2] {
    let path = volume.secret();
    let path = path.to_str().unwrap();
    [
        json!({ "client_auth": "client_secret_post", "client_secret_file": path }),
        json!({ "client_auth": "client_secret_post", "client_secret": format!("${{file:{path}}}") }),
    ]
}

#[test]
fn a_refused_client_is_back_as_soon_as_its_file_holds_the_new_secret() {
    let volumes = [Volume::with("old\n"), Volume::with("old\n")];
    let upstream = Upstream::echo();
    for (n, volume) in volumes.iter().enumerate() {
        let server = Server::accepting(&["old"]);
        let gateway = gateway(&server.scripted, &upstream, &ways_to_name(volume)[n]).ready();
        assert_eq!(gateway.get("/x").status, 200);
        server.accept(&["new"]);
        eventually(PATIENCE, "the refusal", || refused(&gateway));
        assert_eq!(row(&gateway)["refused"], true);
        volume.point_to("..2026_2", "new\n");
        eventually(PATIENCE, "the client is back", || !refused(&gateway) && gateway.get("/x").status == 200);
        let seen = server.seen();
        let first_new = seen.iter().position(|secret| secret == "new").unwrap();
        assert!(seen[..first_new].iter().all(|secret| secret == "old"), "{seen:?}");
        assert!(seen[first_new..].iter().all(|secret| secret == "new"), "{seen:?}");
    }
}

#[test]
fn a_secret_that_is_replaced_before_the_old_one_ends_costs_no_refusal() {
    let volumes = [Volume::with("old"), Volume::with("old")];
    let upstream = Upstream::echo();
    for (n, volume) in volumes.iter().enumerate() {
        let server = Server::accepting(&["old", "new"]);
        let gateway = gateway(&server.scripted, &upstream, &ways_to_name(volume)[n]).ready();
        volume.point_to("..2026_2", "new");
        server.wait_for("new");
        server.accept(&["new"]);
        let so_far = server.seen().len();
        server.scripted.wait_for_requests(so_far + 1);
        eventually(PATIENCE, "the last token is here", || row(&gateway)["generation"] == json!(server.seen().len()));
        assert_eq!(fetches(&gateway, NAME, "status"), 0.0);
        assert_eq!((&row(&gateway)["failures"], gateway.get("/x").status), (&json!(0), 200));
    }
}

#[test]
fn of_two_secrets_the_one_that_works_is_found_and_remembered() {
    let server = Server::accepting(&["two"]);
    let upstream = Upstream::echo();
    let proof = json!({ "client_auth": "client_secret_post", "client_secret": ["one", "two"] });
    let gateway = gateway(&server.scripted, &upstream, &proof).ready();
    server.scripted.wait_for_requests(3);
    assert_eq!(server.seen()[..3], ["one", "two", "two"]);
    assert_eq!(row(&gateway)["failures"], 0);
    // And back again, without a refusal that anybody would see.
    server.accept(&["one"]);
    server.scripted.wait_for_requests(server.seen().len() + 3);
    let seen = server.seen();
    let back = seen.iter().rposition(|secret| secret == "two").unwrap();
    assert!(seen[back + 1..].iter().all(|secret| secret == "one"), "{seen:?}");
    assert_eq!(fetches(&gateway, NAME, "status"), 0.0);
    assert_eq!(gateway.get("/x").status, 200);
}

#[test]
fn two_secrets_and_two_places_are_tried_in_turn_until_one_pair_works() {
    let server = Server::accepting(&["basic two"]);
    let upstream = Upstream::echo();
    let _gateway = gateway(&server.scripted, &upstream, &json!({ "client_secret": ["one", "two"] })).ready();
    server.scripted.wait_for_requests(4);
    assert_eq!(server.seen()[..4], ["basic one", "one", "basic two", "basic two"]);
}

#[test]
fn two_files_are_an_overlap_as_two_texts_are() {
    let volume = Volume::with("one");
    let path = volume.secret();
    let server = Server::accepting(&["two"]);
    let upstream = Upstream::echo();
    let reference = format!("${{file:{}}}", path.display());
    let proof = json!({ "client_auth": "client_secret_post", "client_secret": [reference, "two"] });
    let _gateway = gateway(&server.scripted, &upstream, &proof).ready();
    assert_eq!(server.seen()[..2], ["one", "two"]);
    volume.point_to("..2026_2", "three");
    server.accept(&["three"]);
    server.wait_for("three");
    let seen = server.seen();
    assert!(!seen[1..].contains(&"one".to_owned()), "the second is remembered, the first is read anew: {seen:?}");
}

/// A key pair: the PEM of the private half, and the public one.
fn key_pair() -> (String, Vec<u8>) {
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref()).unwrap();
    let text = BASE64_STANDARD.encode(der.as_ref());
    (format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"), pair.public_key().as_ref().to_vec())
}

fn is_signed_with(request: &Request, public: &[u8]) -> bool {
    let form = request.form();
    let assertion = param(&form, "client_assertion").unwrap();
    let (message, signature) = assertion.rsplit_once('.').unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public).verify(message.as_bytes(), &signature).is_ok()
}

#[test]
fn a_private_key_is_replaced_by_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let ((old, old_public), (new, new_public)) = (key_pair(), key_pair());
    fs::write(&path, old).unwrap();
    let accepted = Arc::new(Mutex::new(old_public));
    let server = Scripted::start({
        let accepted = accepted.clone();
        move |request, n| match is_signed_with(request, &accepted.lock().unwrap()) {
            true => Scripted::token(&format!("TOKEN-{n}"), LIFE),
            false => Scripted::error(400, "invalid_client").header("Retry-After", "3600"),
        }
    });
    let upstream = Upstream::echo();
    let gateway = gateway(&server, &upstream, &json!({ "private_key_file": path })).ready();
    assert_eq!(gateway.get("/x").status, 200);
    accepted.lock().unwrap().clone_from(&new_public);
    eventually(PATIENCE, "the refusal", || refused(&gateway));
    let draft = folder.path().join("draft");
    fs::write(&draft, new).unwrap();
    fs::rename(&draft, &path).unwrap();
    eventually(PATIENCE, "the client is back", || !refused(&gateway) && gateway.get("/x").status == 200);
    assert!(is_signed_with(server.requests().last().unwrap(), &new_public));
}

#[test]
fn a_file_that_cannot_be_read_keeps_the_token_and_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, "secret\n").unwrap();
    let server = Scripted::counting("TOKEN", 3600);
    let upstream = Upstream::echo();
    let gateway = gateway(&server, &upstream, &json!({ "client_secret_file": path })).ready();
    for (n, break_it) in [
        (|path: &PathBuf| fs::remove_file(path).unwrap()) as fn(&PathBuf),
        |path| fs::write(path, "\n").unwrap(),
        |path| fs::write(path, b"h\xe9").unwrap(),
    ]
    .into_iter()
    .enumerate()
    {
        break_it(&path);
        order_refresh(&gateway, NAME);
        eventually(PATIENCE, "the failure", || row(&gateway)["state"] == "stale");
        let row_now = row(&gateway);
        assert_eq!((&row_now["last_error"], &row_now["generation"]), (&json!("material"), &json!(n + 1)));
        assert!(gateway.metric(&format!(r#"porteur_token_state{{credential="{NAME}",state="stale"}}"#)) == 1.0);
        assert_eq!((gateway.get("/x").status, gateway.probe("/readyz").status), (200, 200));
        assert_eq!(server.requests().len(), n + 1, "without a secret nobody is asked");
        fs::write(&path, "secret\n").unwrap();
        eventually(PATIENCE, "all is well again", || row(&gateway)["state"] == "fresh");
    }
    let carried: Vec<_> = upstream.requests().iter().map(|r| r.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(carried, ["Bearer TOKEN-0", "Bearer TOKEN-1", "Bearer TOKEN-2"]);
}
