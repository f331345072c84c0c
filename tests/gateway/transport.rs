//! The way to the token endpoint: whose certificates are believed, which proxy is asked, how long it may take. Whatever is
//! wrong on the way, the secret does not leave.

use crate::support::authlib::Authlib;
use crate::support::client;
use crate::support::forward_proxy::ForwardProxy;
use crate::support::gate::Gate;
use crate::support::gateway::{Running, credential, protected};
use crate::support::idp::{CLIENT_SECRET, Idp};
use crate::support::listener::Listener;
use crate::support::poll::{PATIENCE, eventually};
use crate::support::program::Program;
use crate::support::ready::Server;
use crate::support::tokens::{fetches, is_refused, wait_for_fetch};
use crate::support::upstream::Upstream;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Read;
use std::net::SocketAddr;
use std::process::Command;

const NAME: &str = "basic@127.0.0.1";
/// A name that only a proxy can look up, and that the provider's certificate is for.
const FAR: &str = "basic@idp.test";

fn trusting(idp: &Idp, token_url: &str, authority: &str) -> Value {
    let mut credential = credential(token_url);
    credential["tls"] = json!({ "ca_file": idp.certificate(authority) });
    credential
}

fn through(idp: &Idp, proxy_url: &str) -> Value {
    let mut credential = trusting(idp, "https://idp.test/token", "ca.pem");
    credential["proxy_url"] = json!(proxy_url);
    credential
}

fn tls_address(idp: &Idp) -> SocketAddr {
    idp.tls_issuer().trim_start_matches("https://").parse().unwrap()
}

fn to_the_api(idp: &Idp, credential: Value) -> Running {
    Running::with(&[protected("/x", &idp.resource_url(), credential)])
}

#[test]
fn an_authority_of_its_own_is_believed() {
    let idp = Idp::start_tls(60);
    let gateway = to_the_api(&idp, trusting(&idp, idp.tls_token_url(), "ca.pem")).ready();
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(idp.last()[0].door, "https");
}

#[test]
fn a_server_of_an_unknown_authority_gets_no_secret() {
    let idp = Idp::start_tls(60);
    let other_authority = trusting(&idp, idp.tls_token_url(), "otherca.pem");
    // Its own certificate is no authority for others.
    let leaf = trusting(&idp, idp.tls_token_url(), "client.pem");
    for credential in [credential(idp.tls_token_url()), other_authority, leaf] {
        let gateway = to_the_api(&idp, credential);
        wait_for_fetch(&gateway, NAME, "transport");
        assert!(!is_refused(&gateway, NAME), "that is for the client's proof");
    }
    assert_eq!(idp.stats().token_requests, 0);
}

#[test]
fn a_server_of_another_name_gets_no_secret() {
    let idp = Idp::start_tls(60);
    let impostor = Authlib::start_tls(&idp.certificate("wronghost.pem"), &idp.certificate("wronghost.key"));
    let gateway = to_the_api(&idp, trusting(&idp, impostor.tls_token_url(), "ca.pem"));
    wait_for_fetch(&gateway, NAME, "transport");
    assert_eq!(impostor.stats().token_requests, 0);
    let genuine = Authlib::start_tls(&idp.certificate("server.pem"), &idp.certificate("server.key"));
    let _gateway = to_the_api(&idp, trusting(&idp, genuine.tls_token_url(), "ca.pem")).ready();
    assert_eq!(genuine.stats().token_requests, 1);
}

/// A server that speaks one version of TLS, says in its first line where, and counts its requests.
const OLD_SERVER: &str = r#"
const fs = require('fs');
const [cert, key, maxVersion] = process.argv.slice(1);
let requests = 0;
const server = require('https').createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key), maxVersion }, (req, res) => {
  requests += 1;
  res.end(JSON.stringify({ access_token: `token-${requests}`, token_type: 'Bearer', expires_in: 60 }));
});
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
process.stdin.on('end', () => process.exit(0)).resume();
"#;

#[derive(Deserialize)]
struct OldServer {
    port: u16,
}

#[test]
fn min_version_keeps_the_secret_from_a_server_that_is_older() {
    let idp = Idp::start_tls(60);
    let upstream = Upstream::echo();
    let (_server, old): (_, OldServer) = Server::start(
        Command::new("node")
            .args(["-e", OLD_SERVER])
            .arg(idp.certificate("server.pem"))
            .arg(idp.certificate("server.key"))
            .arg("TLSv1.2"),
    );
    let with_floor = |token_url: &str, floor: &str| {
        let mut credential = trusting(&idp, token_url, "ca.pem");
        credential["tls"]["min_version"] = json!(floor);
        Running::with(&[protected("/x", &upstream.url(), credential)])
    };
    let old_url = format!("https://127.0.0.1:{}/token", old.port);
    wait_for_fetch(&with_floor(&old_url, "TLS13"), NAME, "transport");
    let gateway = with_floor(&old_url, "TLS12").ready();
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(upstream.only_request().header("authorization"), Some("Bearer token-1"), "its first request");
    let _new = with_floor(idp.tls_token_url(), "TLS13").ready();
}

#[test]
fn a_connect_proxy_leads_to_a_name_that_it_looks_up_and_sees_no_secret() {
    let idp = Idp::start_tls(60);
    let proxy = ForwardProxy::connect().knowing("idp.test", tls_address(&idp)).demanding("us er", "p@ss:w%rd");
    let gateway = to_the_api(&idp, through(&idp, &proxy.url_with("us%20er", "p%40ss%3Aw%25rd"))).ready();
    assert_eq!(gateway.get("/x").status, 200);
    let asked = proxy.asked();
    assert_eq!((asked.len(), asked[0].target.as_str()), (1, "idp.test:443"));
    assert_eq!(asked[0].login.as_deref(), Some("us er:p@ss:w%rd"));
    let names: Vec<_> = asked[0].headers.0.iter().map(|(name, _)| name.to_lowercase()).collect();
    for name in &names {
        let expected = ["host", "proxy-authorization", "user-agent", "proxy-connection", "accept", "connection"];
        assert!(expected.contains(&name.as_str()), "{names:?}");
    }
    assert_eq!(idp.last()[0].header("host"), Some("idp.test"));
    assert_eq!(idp.last()[0].header("proxy-authorization"), None, "the proxy's password is the proxy's");
}

#[test]
fn a_socks_proxy_leads_to_addresses_and_with_an_h_to_names() {
    let idp = Idp::start_tls(60);
    let proxy = ForwardProxy::socks5().knowing("idp.test", tls_address(&idp));
    let mut by_address = trusting(&idp, idp.tls_token_url(), "ca.pem");
    by_address["proxy_url"] = json!(proxy.url());
    let gateway = to_the_api(&idp, by_address).ready();
    assert_eq!(gateway.get("/x").status, 200);
    let gateway = to_the_api(&idp, through(&idp, &proxy.url().replace("socks5:", "socks5h:"))).ready();
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(proxy.targets(), [tls_address(&idp).to_string(), "idp.test:443".to_owned()]);
    assert!(proxy.asked().iter().all(|asked| asked.login.is_none()));
}

#[test]
fn a_socks_proxy_is_shown_its_credentials() {
    let idp = Idp::start_tls(60);
    let proxy = ForwardProxy::socks5().knowing("idp.test", tls_address(&idp)).demanding("user", "p@ss");
    let url = proxy.url_with("user", "p%40ss").replace("socks5:", "socks5h:");
    let gateway = to_the_api(&idp, through(&idp, &url)).ready();
    assert_eq!(gateway.get("/x").status, 200);
    assert_eq!(proxy.asked()[0].login.as_deref(), Some("user:p@ss"));
    assert_eq!(proxy.violations(), [""; 0]);
}

#[test]
fn a_proxy_that_refuses_is_a_transport_error_and_is_asked_again() {
    let idp = Idp::start_tls(60);
    for (proxy, scheme) in [(ForwardProxy::connect(), "http"), (ForwardProxy::socks5(), "socks5h")] {
        idp.reset();
        let proxy = proxy.knowing("idp.test", tls_address(&idp));
        proxy.refuse(true);
        let gateway = to_the_api(&idp, through(&idp, &format!("{scheme}://{}", proxy.addr())));
        wait_for_fetch(&gateway, FAR, "transport");
        assert_eq!((idp.stats().token_requests, proxy.tunnels()), (0, 0));
        assert!(!is_refused(&gateway, FAR), "it is the proxy that refuses");
        proxy.refuse(false);
        let gateway = gateway.ready();
        assert_eq!(gateway.get("/x").status, 200);
    }
}

#[test]
fn a_proxy_that_wants_other_credentials_is_a_transport_error() {
    let idp = Idp::start_tls(60);
    for (proxy, scheme) in [(ForwardProxy::connect(), "http"), (ForwardProxy::socks5(), "socks5h")] {
        let proxy = proxy.knowing("idp.test", tls_address(&idp)).demanding("user", "right");
        for login in ["", "user:wrong@"] {
            let gateway = to_the_api(&idp, through(&idp, &format!("{scheme}://{login}{}", proxy.addr())));
            wait_for_fetch(&gateway, FAR, "transport");
        }
        assert_eq!((idp.stats().token_requests, proxy.tunnels()), (0, 0));
    }
}

#[test]
fn what_goes_wrong_at_a_proxy_is_told_without_its_password() {
    let idp = Idp::start_tls(60);
    let proxy = ForwardProxy::connect().demanding("user", "right");
    let gone = Gate::closed(tls_address(&idp));
    let wrong = proxy.url_with("user", "canary-password-0123456789");
    let mut absent = through(&idp, &format!("http://user:canary-password-0123456789@{}", gone.addr()));
    absent["client_id"] = json!("absent");
    let api = idp.resource_url();
    let endpoints = [protected("/x", &api, through(&idp, &wrong)), protected("/y", &api, absent)];
    let program = Program::with(&endpoints, &[("PORTEUR_LOG", "trace")]);
    program.daemon.wait_for_line(|line| {
        line.contains("token fetch for `basic@idp.test` failed: connection failed: the proxy refused")
    });
    program.daemon.wait_for_line(|line| line.contains("token fetch for `absent@idp.test` failed: connection failed"));
    assert_eq!(client::get(program.address, "/nowhere").status, 404);
    let said = program.daemon.output();
    assert!(!said.contains("canary-password") && !said.contains(CLIENT_SECRET), "{said}");
}

#[test]
fn a_proxy_of_the_environment_is_used_only_when_the_configuration_says_so() {
    let idp = Idp::start_tls(60);
    let proxy = ForwardProxy::connect();
    let direct = trusting(&idp, idp.tls_token_url(), "ca.pem");
    let mut by_environment = direct.clone();
    by_environment["proxy_url"] = json!("env");
    let environment = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"].map(|name| (name, proxy.url()));
    let environment = environment.each_ref().map(|(name, url)| (*name, url.as_str()));
    let program = Program::with(&[protected("/x", &idp.resource_url(), direct)], &environment);
    assert_eq!(program.get("/x").status, 200);
    assert_eq!(proxy.connections(), 0);
    let program = Program::with(&[protected("/x", &idp.resource_url(), by_environment.clone())], &environment);
    assert_eq!(program.get("/x").status, 200);
    assert_eq!(proxy.targets(), [tls_address(&idp).to_string()]);
    let excepted = [&environment[..], &[("NO_PROXY", "127.0.0.1")]].concat();
    let program = Program::with(&[protected("/x", &idp.resource_url(), by_environment.clone())], &excepted);
    assert_eq!(program.get("/x").status, 200);
    assert_eq!(proxy.connections(), 1, "NO_PROXY counts");
    let program = Program::with(&[protected("/x", &idp.resource_url(), by_environment)], &[]);
    assert_eq!(program.get("/x").status, 200, "an environment without a proxy is none");
    assert_eq!(proxy.connections(), 1);
}

/// Takes whatever comes, and says nothing.
fn silent() -> Listener {
    Listener::start(|mut stream, _| {
        let mut bytes = [0; 4096];
        while stream.read(&mut bytes).is_ok_and(|size| size > 0) {}
    })
}

#[test]
fn the_timeout_is_for_the_whole_request_from_the_proxy_to_the_last_byte() {
    let idp = Idp::start_tls(60);
    let (proxy, server) = (silent(), silent());
    let hasty = |credential: Value| {
        let mut credential = credential;
        credential["timeout"] = json!("400ms");
        to_the_api(&idp, credential)
    };
    let handshake = hasty(trusting(&idp, &format!("https://{}/token", server.addr()), "ca.pem"));
    let connect = hasty(through(&idp, &format!("http://{}", proxy.addr())));
    let socks = hasty(through(&idp, &format!("socks5h://{}", proxy.addr())));
    for (gateway, name) in [(&handshake, NAME), (&connect, FAR), (&socks, FAR)] {
        wait_for_fetch(gateway, name, "timeout");
        assert_eq!(fetches(gateway, name, "transport"), 0.0);
    }
    assert_eq!(idp.stats().token_requests, 0);
    // Each byte comes in time, the answer does not.
    for mode in ["drip_head", "slowbody"] {
        idp.reset();
        idp.fault_with(json!({ "mode": mode, "count": 1, "step_ms": 50 }));
        let gateway = hasty(credential(idp.token_url()));
        wait_for_fetch(&gateway, NAME, "timeout");
        eventually(PATIENCE, "the next try", || fetches(&gateway, NAME, "ok") == 1.0);
        assert_eq!(gateway.ready().get("/x").status, 200, "{mode}");
    }
}

#[test]
fn no_connection_is_kept_between_fetches() {
    let idp = Idp::start(3);
    let gate = Gate::to(idp.addr());
    let _gateway = to_the_api(&idp, credential(&gate.url("/token"))).ready();
    eventually(PATIENCE, "a refresh", || idp.stats().by_status.get(&200).is_some_and(|count| *count >= 2));
    assert!(gate.accepted() >= 2);
}
