//! Tokens that only their owner can use: bound to a key, with a proof in each request (DPoP, RFC 9449), or to the client
//! certificate, which the upstream is shown (RFC 8705 §3). The resource server of the test provider checks both strictly.

use crate::rejection::{guarded, rejections};
use crate::support::client::{self, Connection, Response, request};
use crate::support::gate::Gate;
use crate::support::gateway::{Running, endpoint, protected};
use crate::support::idp::Idp;
use crate::support::poll::{PATIENCE, eventually};
use crate::support::program::Program;
use crate::support::reply::Reply;
use crate::support::scripted::Scripted;
use crate::support::tokens::{Form, assertion, fetches, jwt, order_refresh, row, wait_for_fetch};
use crate::support::upstream::Upstream;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

const NAME: &str = "dpop@127.0.0.1";

/// The client that may have bound tokens only.
fn dpop(idp: &Idp) -> Value {
    json!({
        "client_id": "dpop", "client_secret": idp.client_secret("dpop"), "token_url": idp.token_url(), "dpop": true,
    })
}

fn through_with_proofs(idp: &Idp) -> Running {
    let keys = dpop(idp);
    Running::with(&[guarded(&idp.resource_url(), idp.token_url(), keys)]).ready()
}

fn dpop_rejections(gateway: &Running, result: &str) -> f64 {
    gateway.metric(&format!(r#"porteur_token_rejections_total{{credential="dpop@127.0.0.1",result="{result}"}}"#))
}

/// Requests that were sent once more for a nonce.
fn nonce_replays(gateway: &Running) -> f64 {
    gateway.metric(r#"porteur_token_nonce_replays_total{credential="dpop@127.0.0.1"}"#)
}

/// The values of a header that the resource server received, as it echoes them.
fn received(answer: &Response, name: &str) -> Vec<String> {
    let lines: Vec<String> = serde_json::from_value(answer.json()["raw_headers"].clone()).unwrap();
    let lines = lines.chunks_exact(2).filter(|line| line[0].eq_ignore_ascii_case(name));
    lines.map(|line| line[1].clone()).collect()
}

#[track_caller]
fn proof(answer: &Response) -> Value {
    let proofs = received(answer, "dpop");
    assert_eq!(proofs.len(), 1, "{proofs:?}");
    jwt(&proofs[0]).1
}

#[test]
fn each_request_has_a_proof_of_its_own() {
    let idp = Idp::start(3600);
    let gateway = through_with_proofs(&idp);
    let mut connection = Connection::open(gateway.address);
    let mut seen = HashSet::new();
    for n in 0..50 {
        let (method, body) = [("GET", &b""[..]), ("POST", b"body")][n % 2];
        let answer = connection.request(request(method, "/x", &[], body));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let scheme = received(&answer, "authorization");
        assert!(scheme.len() == 1 && scheme[0].starts_with("DPoP "), "{}", scheme.len());
        let proof = proof(&answer);
        assert_eq!(proof["htm"], method);
        assert!(seen.insert(proof["jti"].as_str().unwrap().to_owned()), "{proof}");
    }
    let stats = idp.stats();
    assert_eq!((stats.token_requests, stats.resource_requests), (1, 50));
}

#[test]
fn a_proof_is_for_the_method_and_target_that_the_upstream_sees() {
    let idp = Idp::start(3600);
    let mut rewritten = guarded(&idp.resource_url(), idp.token_url(), dpop(&idp));
    rewritten["endpoint"] = json!("/a/{id}");
    rewritten["backend"][0]["url_pattern"] = json!("/v2/things/{id}?fixed=1");
    rewritten["input_query_strings"] = json!(["*"]);
    let mut posting = guarded(&idp.resource_url(), idp.token_url(), dpop(&idp));
    posting["endpoint"] = json!("/posting");
    posting["method"] = json!("GET");
    posting["backend"][0]["method"] = json!("POST");
    let gateway = Running::with(&[rewritten, posting]).ready();
    for (asked, target, method, path) in [
        ("/a/7?b=%20&c", "/v2/things/7?fixed=1&b=%20&c", "GET", "/v2/things/7"),
        ("/a/x%20y", "/v2/things/x%20y?fixed=1", "GET", "/v2/things/x%20y"),
        ("/posting", "/x", "POST", "/x"),
    ] {
        let answer = gateway.get(asked);
        assert_eq!(answer.status, 200, "{asked}: {}", answer.text());
        assert_eq!((&answer.json()["url"], &answer.json()["method"]), (&json!(target), &json!(method)), "{asked}");
        let proof = proof(&answer);
        assert_eq!((&proof["htm"], &proof["htu"]), (&json!(method), &json!(idp.resource_url() + path)), "{asked}");
    }
}

#[test]
fn a_client_brings_no_proofs_of_its_own() {
    let idp = Idp::start(3600);
    let upstream = Upstream::echo();
    let gate = Gate::closed(upstream.addr());
    let mut without = dpop(&idp);
    without["token_url"] = json!(gate.url("/token"));
    without["on_missing"] = json!("pass");
    without["first_token_wait"] = json!("0s");
    without["required"] = json!(false);
    let mut pass = guarded(&upstream.url(), idp.token_url(), without);
    pass["endpoint"] = json!("/pass");
    let gateway = Running::with(&[guarded(&idp.resource_url(), idp.token_url(), dpop(&idp)), pass]).ready();
    let own = [("DPoP", "mine"), ("dpop", "mine.too"), ("Authorization", "DPoP mine")];
    let answer = client::send(gateway.address, request("GET", "/x", &own, b""));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(proof(&answer)["jti"].is_string());
    assert_eq!(client::send(gateway.address, request("GET", "/pass", &own, b"")).status, 200);
    let bare = upstream.only_request().headers;
    assert!(!bare.has("dpop") && !bare.has("authorization"), "{bare:?}");
}

#[test]
fn the_token_endpoint_gets_the_nonce_that_it_asks_for() {
    let idp = Idp::start_with(3600, &[("IDP_DPOP_NONCE", "1")]);
    let gateway = through_with_proofs(&idp);
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(idp.stats().by_status.into_iter().collect::<Vec<_>>(), [(200, 1), (400, 1)]);
    assert_eq!(fetches(&gateway, NAME, "ok"), 1.0, "one fetch, though two requests");
    order_refresh(&gateway, NAME);
    eventually(PATIENCE, "a refresh", || fetches(&gateway, NAME, "ok") == 2.0);
    let asked = idp.last();
    assert_eq!(asked.len(), 3, "the nonce is known by now");
    let nonces: Vec<Value> = asked.iter().map(|asked| jwt(asked.header("dpop").unwrap()).1["nonce"].clone()).collect();
    assert!(nonces[0].is_null() && nonces[1].is_string() && nonces[2].is_string(), "{nonces:?}");
    assert_eq!(gateway.get("/x").status, 200);
}

#[test]
fn an_assertion_is_new_when_the_request_is_repeated_with_a_nonce() {
    let idp = Idp::start_with(3600, &[("IDP_DPOP_NONCE", "1")]);
    let signed = json!({
        "client_id": "pk-es256", "token_url": idp.token_url(), "client_auth": "private_key_jwt",
        "private_key_file": idp.private_key("es256"), "key_id": "pk-es256-1", "dpop": true,
    });
    let gateway = Running::with(&[protected("/x", &idp.resource_url(), signed)]).ready();
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(idp.stats().by_status.into_iter().collect::<Vec<_>>(), [(200, 1), (400, 1)]);
    let id = |form: &Form| assertion(form).1["jti"].as_str().unwrap().to_owned();
    let ids: HashSet<String> = idp.last().iter().map(|asked| id(&asked.form())).collect();
    assert_eq!(ids.len(), 2);
}

#[test]
fn the_upstream_gets_the_nonce_that_it_asks_for_and_the_client_hears_nothing_of_it() {
    let idp = Idp::start_with(3600, &[("RS_DPOP_NONCE", "1")]);
    let gateway = through_with_proofs(&idp);
    let mut asked = 0;
    for (n, (method, body, attempts)) in [
        // The first one of each nonce is replayed, whatever its method, and no other.
        ("POST", &b"first"[..], 2),
        ("GET", b"", 1),
        ("POST", b"second", 1),
        ("GET", b"", 2),
        ("GET", b"", 1),
        ("PATCH", b"third", 2),
        ("GET", b"", 1),
    ]
    .into_iter()
    .enumerate()
    {
        if n > 0 && attempts == 2 {
            idp.resource_nonce();
        }
        let answer = client::send(gateway.address, request(method, "/x", &[], body));
        assert_eq!(answer.status, 200, "{n}: {}", answer.text());
        assert_eq!(answer.json()["body"], String::from_utf8_lossy(body).as_ref(), "{n}");
        assert_eq!((answer.header("dpop-nonce"), answer.header("www-authenticate")), (None, None), "{n}");
        asked += attempts;
        let stats = idp.stats();
        assert_eq!(stats.resource_requests, asked, "{n}");
        assert_eq!(proof(&answer)["nonce"].as_str(), stats.resource_nonce.as_deref(), "{n}");
    }
    assert_eq!((nonce_replays(&gateway), idp.stats().token_requests), (3.0, 1));
    let log = gateway.access_log(7);
    assert_eq!(log.matches(" attempts=2 ").count(), 3, "{log}");
}

#[test]
fn a_wish_for_a_nonce_that_cannot_be_met_passes_without_the_nonce() {
    let idp = Idp::start_with(3600, &[("RS_DPOP_NONCE", "1")]);
    let mut never = dpop(&idp);
    never["replay"] = json!("never");
    let mut never = guarded(&idp.resource_url(), idp.token_url(), never);
    never["endpoint"] = json!("/never");
    let gateway = Running::with(&[guarded(&idp.resource_url(), idp.token_url(), dpop(&idp)), never]).ready();
    let large = vec![b'x'; 100_000];
    for (target, body) in [("/x", &large[..]), ("/never", b"")] {
        idp.resource_nonce();
        let refused = client::send(gateway.address, request("PUT", target, &[], body));
        assert_eq!(refused.status, 401, "{target}");
        assert_eq!(refused.header("www-authenticate"), Some(r#"DPoP error="use_dpop_nonce""#));
        assert_eq!(refused.header("dpop-nonce"), None, "it is for the one who makes proofs");
        let next = client::send(gateway.address, request("PUT", target, &[], body));
        assert_eq!(next.status, 200, "{target}: the nonce is known by now");
    }
    assert_eq!(idp.stats().token_requests, 1, "the token was good");
    assert_eq!(nonce_replays(&gateway), 0.0);
}

#[test]
fn a_bound_token_that_is_revoked_is_replaced_even_when_the_upstream_wants_a_new_nonce() {
    let idp = Idp::start_with(3600, &[("RS_DPOP_NONCE", "1")]);
    let gateway = through_with_proofs(&idp);
    assert_eq!(gateway.get("/x").status, 200);
    idp.revoke_all();
    idp.resource_nonce();
    let answer = gateway.get("/x");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!((dpop_rejections(&gateway, "sent"), nonce_replays(&gateway)), (1.0, 2.0));
    assert_eq!(idp.stats().token_requests, 2);
    assert!(gateway.access_log(2).contains(" attempts=3 replayed=token,nonce "));
}

#[test]
fn a_token_that_was_not_bound_is_refused_and_never_sent() {
    let idp = Idp::start(3600);
    idp.fault("dpop_as_bearer");
    let mut hasty = dpop(&idp);
    hasty["first_token_wait"] = json!("0s");
    let gateway = Running::with(&[guarded(&idp.resource_url(), idp.token_url(), hasty)]);
    wait_for_fetch(&gateway, NAME, "token_type");
    assert_eq!(gateway.get("/x").status, 503);
    assert_eq!(idp.stats().resource_requests, 0);
    idp.clear_fault();
    let gateway = gateway.ready();
    assert_eq!(gateway.get("/x").status, 200);
}

/// A gateway as a process that trusts the test authority on the way to upstreams, too, which Pingora looks for in the
/// system's store.
fn trusting(idp: &Idp, endpoints: &[Value]) -> Program {
    Program::trusting(&idp.certificate("ca.pem"), endpoints, &[("PORTEUR_LOG", "trace")]).ready()
}

/// The client whose tokens are bound to its certificate.
fn mtls(idp: &Idp, certificate: &Path, key: &Path, bound: bool) -> Value {
    json!({
        "client_id": "mtls-dn", "client_auth": "tls_client_auth", "token_url": idp.mtls_token_url(),
        "certificate_bound": bound,
        "tls": {
            "ca_file": idp.certificate("ca.pem"), "client_certificate_file": certificate, "client_key_file": key,
        },
    })
}

#[test]
fn the_upstream_is_shown_the_certificate_that_the_token_is_bound_to() {
    let idp = Idp::start_tls(3600);
    let api = format!("https://localhost:{}", idp.tls_resource_server().port());
    let pair = |bound| mtls(&idp, &idp.certificate("client.pem"), &idp.certificate("client.key"), bound);
    let mut by_address = protected("/by-address", &format!("https://{}", idp.tls_resource_server()), pair(true));
    by_address["backend"][0]["url_pattern"] = json!("/x");
    let proving = json!({
        "client_id": "dpop", "client_secret": idp.client_secret("dpop"), "token_url": idp.tls_token_url(), "dpop": true,
    });
    let gateway = trusting(
        &idp,
        &[
            endpoint("/open", &api, "/open"),
            protected("/bound", &api, pair(true)),
            by_address,
            protected("/unbound", &api, pair(false)),
            protected("/proving", &api, proving),
        ],
    );
    let mut tokens = Vec::new();
    // A connection without a certificate lies ready before, and one with it after.
    for (target, status) in [
        ("/open", 200),
        ("/bound", 200),
        ("/by-address", 200),
        ("/unbound", 401),
        ("/bound", 200),
        ("/proving", 200),
        ("/open", 200),
    ] {
        let answer = client::get(gateway.address, target);
        assert_eq!(answer.status, status, "{target}: {}", answer.text());
        if status == 200 && target != "/open" {
            tokens.extend(received(&answer, "authorization"));
            tokens.extend(received(&answer, "dpop"));
        }
    }
    gateway.daemon.terminate();
    let finished = gateway.daemon.finish();
    assert!(finished.stderr.contains(" debug "), "the level was high: {}", finished.stderr);
    assert_eq!(tokens.len(), 5);
    for secret in tokens.iter().map(|token| token.rsplit(' ').next().unwrap()) {
        assert!(!finished.stderr.contains(secret), "{secret} in:\n{}", finished.stderr);
    }
}

/// Writes a certificate for the name that the client `mtls-dn` must have, and its key. All have the same serial number, as
/// those of two authorities may.
fn write_pair(idp: &Idp, folder: &Path) {
    let openssl = |args: &str| {
        let output = Command::new("openssl").args(args.split(' ')).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{args}: {}", String::from_utf8_lossy(&output.stderr));
    };
    // Extensions make it one of version 3, the only one that rustls reads.
    fs::write(folder.join("next.ext"), "basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n").unwrap();
    let (ca, ca_key) = (idp.certificate("ca.pem"), idp.certificate("ca.key"));
    openssl("ecparam -name prime256v1 -genkey -noout -out next.sec1");
    openssl("pkcs8 -topk8 -nocrypt -in next.sec1 -out next.key");
    openssl("req -new -key next.key -out next.csr -subj /C=SE/O=Edge/CN=edge-proxy");
    let sign = format!(
        "x509 -req -in next.csr -CA {} -CAkey {} -set_serial 4711 -days 30 -extfile next.ext -out next.pem",
        ca.display(),
        ca_key.display()
    );
    openssl(&sign);
    for name in ["key", "pem"] {
        fs::rename(folder.join(format!("next.{name}")), folder.join(format!("client.{name}"))).unwrap();
    }
}

#[test]
fn a_certificate_that_is_replaced_is_shown_with_the_token_that_is_bound_to_it() {
    let idp = Idp::start_tls(3600);
    let folder = tempfile::tempdir().unwrap();
    write_pair(&idp, folder.path());
    let (certificate, key) = (folder.path().join("client.pem"), folder.path().join("client.key"));
    let api = format!("https://localhost:{}", idp.tls_resource_server().port());
    let gateway = trusting(&idp, &[protected("/bound", &api, mtls(&idp, &certificate, &key, true))]);
    let thumbprint = || {
        let answer = client::get(gateway.address, "/bound");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["claims"]["cnf"]["x5t#S256"].as_str().unwrap().to_owned()
    };
    let replace = |generation| {
        write_pair(&idp, folder.path());
        assert_eq!(client::post(gateway.admin, "/tokens/mtls-dn@127.0.0.1/refresh", "").status, 202);
        eventually(PATIENCE, "a token", || {
            row(gateway.admin, "mtls-dn@127.0.0.1")["generation"].as_u64() >= Some(generation)
        });
    };
    let first = thumbprint();
    replace(2);
    let second = thumbprint();
    assert_ne!(first, second);
    let by_status = idp.stats().resource_by_status.into_iter().collect::<Vec<_>>();
    assert_eq!(by_status, [(200, 2)], "a kept connection with the old certificate was not used again");
    thread::scope(|scope| {
        let replacing = scope.spawn(|| {
            replace(3);
            eventually(PATIENCE, "the next certificate", || thumbprint() != second);
        });
        let mut connection = Connection::open(gateway.address);
        while !replacing.is_finished() {
            let answer = connection.request(request("GET", "/bound", &[], b""));
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    });
}

#[test]
fn a_bearer_token_is_not_taken_for_a_bound_one() {
    let idp = Idp::start_with(3600, &[("RS_DPOP_NONCE", "1")]);
    let gateway = Running::with(&[guarded(&idp.resource_url(), idp.token_url(), json!({}))]).ready();
    let answer = gateway.get("/x");
    assert_eq!((answer.status, received(&answer, "dpop").len()), (200, 0));
    idp.resource_orders(json!({"status": 401, "count": 1, "www_authenticate": "DPoP error=\"use_dpop_nonce\""}));
    assert_eq!(gateway.get("/x").status, 401, "there are no proofs to put a nonce in");
    assert_eq!((rejections(&gateway, "nonce"), idp.stats().token_requests), (0.0, 1));
}

#[test]
fn each_host_is_given_the_nonce_that_it_asked_for() {
    let server = Scripted::start(|_, _| {
        Reply::json(200, &json!({ "access_token": "t", "token_type": "DPoP", "expires_in": 3600 }))
    });
    let wanting = |nonce: &'static str| {
        Upstream::start(move |request| match jwt(request.header("dpop").unwrap()).1["nonce"].as_str() {
            Some(given) if given == nonce => Reply::text(nonce),
            _ => Reply::new(401)
                .header("WWW-Authenticate", r#"Bearer realm="a", DPoP error="use_dpop_nonce""#)
                .header("DPoP-Nonce", nonce),
        })
    };
    let [one, other] = ["one", "other"].map(wanting);
    let dead = Gate::closed(one.addr());
    let keys = json!({ "client_id": "a", "client_secret": "b", "dpop": true });
    let mut several = guarded("", &server.token_url(), keys);
    several["backend"][0]["host"] = json!([one.url(), dead.url(""), other.url()]);
    let gateway = Running::with(&[several]).ready();
    for n in 0..9 {
        let answer = client::post(gateway.address, "/x", "body");
        assert_eq!((answer.status, answer.header("dpop-nonce")), (200, None), "{n}");
    }
    assert_eq!((one.requests().len() + other.requests().len(), server.requests().len()), (11, 1));
    assert!(one.requests().iter().chain(&other.requests()).all(|request| request.body == b"body"));
}
