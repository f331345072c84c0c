//! TLS as RFC 8446, 5246 and their neighbours have it, in the eyes of OpenSSL and curl.

use crate::support::authority::Authority;
use crate::support::tls_edge::{TlsEdge, files};
use rcgen::ExtendedKeyUsagePurpose::ServerAuth;
use serde_json::{Value, json};

fn both_versions() -> Value {
    json!({ "min_version": "TLS12" })
}

#[test]
fn rfc8446_4_2_1_the_newest_version_of_both_is_spoken() {
    let edge = TlsEdge::with(both_versions());
    for (words, spoken) in [("", "TLSv1.3"), ("-tls1_3", "TLSv1.3"), ("-tls1_2", "TLSv1.2")] {
        let said = edge.s_client(words);
        assert!(said.out.contains(&format!("New, {spoken}, Cipher is ")), "{words}: {}", said.text());
        assert!(said.out.contains("Verify return code: 0 (ok)"), "{words}: {}", said.text());
        assert!(said.out.contains("HTTP/1.1 200 "), "{words}: {}", said.text());
    }
}

#[test]
fn rfc8446_6_2_a_client_that_is_too_old_gets_an_alert() {
    const OLD: [&str; 2] = ["-tls1_1 -cipher DEFAULT@SECLEVEL=0", "-tls1 -cipher DEFAULT@SECLEVEL=0"];
    let (newest, both) = (TlsEdge::with(json!({})), TlsEdge::with(both_versions()));
    let said = newest.s_client("-tls1_2");
    assert!(said.text().contains("alert number 70"), "{}", said.text());
    // OpenSSL speaks what it has itself given up only when told to, and then without signature algorithms, which rustls
    // misses before it looks at the version: its alert is another.
    for (edge, words) in [&newest, &both].into_iter().flat_map(|edge| OLD.map(|words| (edge, words))) {
        let said = edge.s_client(words);
        assert!(said.text().contains("alert number") && said.out.contains("Cipher is (NONE)"), "{}", said.text());
    }
    for edge in [&newest, &both] {
        assert_eq!(edge.upstream.requests().len(), 0);
        edge.handshakes("ok", 0);
    }
    newest.handshakes("version", 1);
}

#[test]
fn rfc8446_6_1_the_end_of_a_connection_is_said_in_tls() {
    let edge = TlsEdge::with(both_versions());
    for version in ["-tls1_3", "-tls1_2"] {
        // Without the alert OpenSSL tells of an unexpected end of file.
        let said = edge.s_client(version);
        assert!(
            said.ok && said.out.contains("HTTP/1.1 200 ") && !said.text().contains("unexpected eof"),
            "{}",
            said.text()
        );
    }
}

#[test]
fn rfc6066_3_the_certificate_is_the_one_whose_name_is_asked_for() {
    let other = |authority: &Authority, first: &_| {
        let pairs = [("wild", "*.apps.test"), ("other", "other.test")];
        let pairs = pairs.map(|(file, name)| files(&authority.pair(file, &[name], ServerAuth, |_| {})));
        json!({ "keys": [files(first), pairs[0], pairs[1]] })
    };
    let edge = TlsEdge::start(Authority::new("edge authority"), other, json!([]));
    for (words, subject) in [
        ("-servername edge.test", "edge.test"),
        ("-servername a.apps.test", "*.apps.test"),
        ("-servername OTHER.test", "other.test"),
        ("-servername unknown.test", "edge.test"),
        ("-servername a.b.apps.test", "edge.test"),
        ("-noservername", "edge.test"),
    ] {
        let said = edge.s_client(words);
        assert!(said.out.contains(&format!("subject=CN = {subject}\n")), "{words}: {}", said.text());
    }
}

#[test]
fn rfc7301_3_2_protocols_are_agreed_on_and_a_foreign_one_is_an_alert() {
    let edge = TlsEdge::with(json!({}));
    for (words, version) in [("--http2", "2"), ("--http1.1", "1.1"), ("--no-alpn", "1.1")] {
        let said = edge.curl("/x", &format!("{words} -w |%{{http_code}}|%{{http_version}}"));
        assert_eq!(said.out, format!("hello|200|{version}"), "{words}: {}", said.text());
    }
    let said = edge.s_client("-alpn imap");
    assert!(said.text().contains("alert number 120"), "{}", said.text());
    let said = edge.s_client("-alpn h2,http/1.1");
    assert!(said.out.contains("ALPN protocol: h2\n"), "{}", said.text());
    edge.handshakes("alpn", 1);
}

/// OpenSSL remembers a session in a file.
#[test]
fn rfc8446_2_2_sessions_are_resumed() {
    let edge = TlsEdge::with(both_versions());
    let folder = tempfile::tempdir().unwrap();
    for version in ["-tls1_3", "-tls1_2"] {
        let session = folder.path().join(version);
        let session = session.display();
        let first = edge.s_client(&format!("{version} -sess_out {session}"));
        assert!(first.out.contains("New, TLSv1."), "{}", first.text());
        let second = edge.s_client(&format!("{version} -sess_in {session}"));
        assert!(second.out.contains("Reused, TLSv1.") && second.out.contains("HTTP/1.1 200 "), "{}", second.text());
    }
}

#[test]
fn rfc7627_the_master_secret_of_1_2_is_the_extended_one() {
    let edge = TlsEdge::with(both_versions());
    let said = edge.s_client("-tls1_2");
    assert!(said.out.contains("Extended master secret: yes"), "{}", said.text());
}

#[test]
fn rfc8446_4_2_7_the_key_exchange_is_of_the_groups_that_are_offered() {
    let edge = TlsEdge::with(json!({ "curve_preferences": [24, 23] }));
    // The second client guesses wrong and is asked again.
    for (words, key) in [("-groups P-256", "ECDH, prime256v1"), ("-groups X25519:P-384", "ECDH, secp384r1")] {
        let said = edge.s_client(words);
        assert!(said.out.contains(&format!("Server Temp Key: {key}")), "{words}: {}", said.text());
    }
    let said = edge.s_client("-groups X25519");
    assert!(said.text().contains("alert handshake failure"), "{}", said.text());
}

#[test]
fn rfc5246_7_4_1_3_the_order_of_suites_is_the_clients_unless_ours_is_wanted() {
    for (ours, expected) in [(false, "ECDHE-ECDSA-CHACHA20-POLY1305"), (true, "ECDHE-ECDSA-AES128-GCM-SHA256")] {
        let edge = TlsEdge::with(json!({
            "min_version": "TLS12", "cipher_suites": [49195, 52393], "prefer_server_cipher_suites": ours,
        }));
        let said = edge.s_client("-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256");
        assert!(said.out.contains(&format!("Cipher is {expected}\n")), "{ours}: {}", said.text());
        let said = edge.s_client("-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384");
        assert!(said.text().contains("alert handshake failure"), "{}", said.text());
    }
}

/// More than any buffer on the way, in both directions and with both versions of HTTP.
#[test]
fn large_bodies_pass_as_they_are() {
    let edge = TlsEdge::with(json!({}));
    let folder = tempfile::tempdir().unwrap();
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let (sent, came) = (folder.path().join("sent"), folder.path().join("came"));
    std::fs::write(&sent, &body).unwrap();
    for version in ["--http2", "--http1.1"] {
        let words = format!("{version} --data-binary @{} -o {} -w %{{http_code}}", sent.display(), came.display());
        let said = edge.curl("/up", &words);
        assert_eq!(said.out, "200", "{version}: {}", said.text());
        assert!(std::fs::read(&came).unwrap() == body, "{version}");
    }
}

#[test]
fn upstreams_learn_that_the_client_came_by_https() {
    let edge = TlsEdge::with(json!({}));
    for version in ["--http2", "--http1.1"] {
        assert!(edge.curl("/x", version).ok);
    }
    for request in edge.upstream.requests() {
        assert_eq!(request.header("x-forwarded-proto"), Some("https"));
    }
    assert_eq!(edge.upstream.requests().len(), 2);
}
