//! The acceptor against rustls' own client, on loopback.

use super::fresh::Watch;
use super::*;
use crate::base::x509;
use crate::config::model::{CertificateFiles, ClientAuthorities, TlsVersion};
use crate::downstream::outbound::Outbound;
use crate::downstream::pace::Pace;
use crate::downstream::transport::Transport;
use crate::telemetry::metrics::Metrics;
use pingora_core::protocols::ALPN;
use rcgen::{CertificateParams, CertifiedIssuer, DistinguishedName, DnType, KeyPair, date_time_ymd};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ClientConfig, HandshakeKind, NamedGroup, RootCertStore, SupportedProtocolVersion};
use std::future::poll_fn;
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as ClientStream;

/// An authority with a folder for what it makes.
struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let made = Self { folder: tempfile::tempdir().unwrap(), issuer };
        std::fs::write(made.path("ca.pem"), made.issuer.pem()).unwrap();
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate for these names, in `FILE.pem` and `FILE.key`.
    fn pair(&self, file: &str, names: &[&str]) -> CertificateFiles {
        self.issue(file, names, &rcgen::PKCS_ECDSA_P256_SHA256, |_| {})
    }

    fn issue(
        &self,
        file: &str,
        names: &[&str],
        algorithm: &'static rcgen::SignatureAlgorithm,
        change: impl FnOnce(&mut CertificateParams),
    ) -> CertificateFiles {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let files = CertificateFiles {
            certificate: self.path(&format!("{file}.pem")),
            private_key: self.path(&format!("{file}.key")),
        };
        std::fs::write(&files.certificate, params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        std::fs::write(&files.private_key, key.serialize_pem()).unwrap();
        files
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        roots
    }

    /// A client that trusts this authority, with a certificate or without.
    fn client(&self, versions: &[&'static SupportedProtocolVersion], own: Option<&CertificateFiles>) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(self.roots());
        let Some(own) = own else { return builder.with_no_client_auth() };
        let chain = vec![CertificateDer::from_pem_file(&own.certificate).unwrap()];
        builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&own.private_key).unwrap()).unwrap()
    }
}

fn block(certificates: Vec<CertificateFiles>) -> Tls {
    Tls {
        certificates,
        min_version: TlsVersion::Tls12,
        max_version: TlsVersion::Tls13,
        cipher_suites: Vec::new(),
        prefer_server_cipher_suites: false,
        groups: Vec::new(),
        client_authorities: None,
    }
}

fn acceptor(tls: &Tls) -> (Acceptor, Metrics) {
    let metrics = Metrics::new().unwrap();
    (Acceptor::new(tls, &metrics.tls).unwrap(), metrics)
}

/// A handshake: the server's side, then the client's.
async fn meet(
    acceptor: &Acceptor,
    client: impl Into<Arc<ClientConfig>>,
    name: &str,
) -> (Result<TlsStream<TcpStream>, HandshakeError>, io::Result<ClientStream<TcpStream>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = TlsConnector::from(client.into());
    let connecting = async {
        let mut stream = connector.connect(name, tcp).await?;
        // With TLS 1.3 tickets, and what the server thinks of a certificate, come after the handshake.
        let _ = stream.read_u8().await;
        io::Result::Ok(stream)
    };
    let accepting = async {
        let mut accepted = acceptor.accept(listener.accept().await.unwrap().0).await;
        if let Ok(stream) = &mut accepted {
            stream.write_u8(7).await.unwrap();
        }
        accepted
    };
    tokio::join!(accepting, connecting)
}

/// The first name of the certificate that a client is shown.
async fn shown(acceptor: &Acceptor, client: ClientConfig, name: &str) -> String {
    let (_, met) = meet(acceptor, client, name).await;
    let met = met.unwrap();
    x509::read(&met.get_ref().1.peer_certificates().unwrap()[0]).unwrap().name()
}

fn metric(metrics: &Metrics, line: &str) -> bool {
    String::from_utf8(metrics.render(std::iter::empty(), 0)).unwrap().lines().any(|there| there == line)
}

const BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

#[tokio::test]
async fn both_versions_are_spoken_and_h2_is_preferred() {
    let authority = Authority::new();
    let (acceptor, metrics) = acceptor(&block(vec![authority.pair("a", &["a.test"])]));
    for (version, name) in [(&TLS12, "TLSv1.2"), (&TLS13, "TLSv1.3")] {
        let mut client = authority.client(&[version], None);
        client.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
        let (accepted, _) = meet(&acceptor, client, "a.test").await;
        let accepted = accepted.unwrap();
        let connection = accepted.get_ref().1;
        assert_eq!(alpn(connection), Some(ALPN::H2));
        let known = digest(connection);
        assert_eq!(known.version, name);
        assert!(known.cipher.starts_with("TLS"), "{known:?}");
        assert_eq!((known.organization, known.serial_number, known.cert_digest), (None, None, Vec::new()));
    }
    let (accepted, _) = meet(&acceptor, authority.client(&BOTH, None), "a.test").await;
    assert_eq!(alpn(accepted.unwrap().get_ref().1), None);
    assert!(metric(&metrics, r#"porteur_tls_handshakes_total{result="ok"} 3"#));
}

#[tokio::test]
async fn the_certificate_is_the_one_whose_name_is_asked_for() {
    let authority = Authority::new();
    let pairs = [&["a.test"][..], &["*.b.test", "b.test"], &["x.b.test"]];
    let pairs = pairs.iter().enumerate().map(|(at, names)| authority.pair(&at.to_string(), names));
    let (acceptor, metrics) = acceptor(&block(pairs.collect()));
    for (name, expected) in
        [("a.test", "a.test"), ("b.test", "*.b.test"), ("Y.B.test", "*.b.test"), ("x.b.test", "x.b.test")]
    {
        assert_eq!(shown(&acceptor, authority.client(&BOTH, None), name).await, expected);
    }
    let mut nameless = authority.client(&BOTH, None);
    nameless.enable_sni = false;
    assert_eq!(shown(&acceptor, nameless, "a.test").await, "a.test");
    let (_, met) = meet(&acceptor, authority.client(&BOTH, None), "unknown.test").await;
    assert!(met.unwrap_err().to_string().contains("not valid for name"), "it was shown the first certificate");
    assert!(metric(&metrics, r#"porteur_tls_handshakes_total{result="alert"} 1"#));
}

#[tokio::test]
async fn of_two_certificates_with_one_name_the_client_gets_the_one_it_can_verify() {
    let authority = Authority::new();
    let pairs = [&rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ECDSA_P256_SHA256];
    let pairs = [("384", pairs[0]), ("256", pairs[1])]
        .map(|(file, algorithm)| authority.issue(file, &["a.test"], algorithm, |_| {}));
    let (acceptor, _) = acceptor(&block(pairs.to_vec()));
    let leaf = |files: &CertificateFiles| CertificateDer::from_pem_file(&files.certificate).unwrap();
    let mut provider = aws_lc_rs::default_provider();
    let schemes = provider.signature_verification_algorithms.mapping;
    let only_256 = schemes.iter().filter(|(scheme, _)| *scheme == rustls::SignatureScheme::ECDSA_NISTP256_SHA256);
    provider.signature_verification_algorithms.mapping = Vec::leak(only_256.copied().collect());
    let narrow = ClientConfig::builder_with_provider(provider.into()).with_protocol_versions(&[&TLS13]).unwrap();
    let narrow = narrow.with_root_certificates(authority.roots()).with_no_client_auth();
    for (client, expected) in [(authority.client(&BOTH, None), &pairs[0]), (narrow, &pairs[1])] {
        let (_, met) = meet(&acceptor, client, "a.test").await;
        assert_eq!(met.unwrap().get_ref().1.peer_certificates().unwrap()[0], leaf(expected));
    }
}

#[tokio::test]
async fn what_is_not_offered_is_not_spoken() {
    let authority = Authority::new();
    let certificates = vec![authority.pair("a", &["a.test"])];
    let only_1_3 = Tls { min_version: TlsVersion::Tls13, ..block(certificates.clone()) };
    let (acceptor_1_3, metrics) = acceptor(&only_1_3);
    let (accepted, met) = meet(&acceptor_1_3, authority.client(&[&TLS12], None), "a.test").await;
    assert_eq!(accepted.unwrap_err().result(), HandshakeResult::Version);
    assert!(met.unwrap_err().to_string().contains("ProtocolVersion"));
    assert!(metric(&metrics, r#"porteur_tls_handshakes_total{result="version"} 1"#));

    let chosen = Tls {
        cipher_suites: vec![CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256],
        groups: vec![NamedGroup::secp384r1],
        ..block(certificates)
    };
    let (acceptor, _) = acceptor(&chosen);
    for (version, suite) in
        [(&TLS12, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"), (&TLS13, "TLS13_AES_256_GCM_SHA384")]
    {
        let (accepted, _) = meet(&acceptor, authority.client(&[version], None), "a.test").await;
        let accepted = accepted.unwrap();
        let connection = accepted.get_ref().1;
        assert_eq!(digest(connection).cipher, suite);
        assert_eq!(connection.negotiated_key_exchange_group().unwrap().name(), NamedGroup::secp384r1);
    }
    let mut foreign = authority.client(&BOTH, None);
    foreign.alpn_protocols = vec![b"imap".to_vec()];
    let (accepted, _) = meet(&acceptor, foreign, "a.test").await;
    assert_eq!(accepted.unwrap_err().result(), HandshakeResult::Alpn);
}

#[tokio::test]
async fn clients_show_a_certificate_where_they_must() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let tls = Tls {
        client_authorities: Some(ClientAuthorities { files: vec![authority.path("ca.pem")], system: false }),
        ..block(vec![authority.pair("a", &["a.test"])])
    };
    let (acceptor, metrics) = acceptor(&tls);
    let known = authority.issue("client", &[], &rcgen::PKCS_ECDSA_P256_SHA256, |params| {
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Partner");
        params.serial_number = Some(vec![0x5e, 0x01].into());
    });
    let expired = authority.issue("expired", &[], &rcgen::PKCS_ECDSA_P256_SHA256, |params| {
        (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    });
    let foreign = stranger.pair("client", &[]);
    for version in BOTH {
        let (accepted, _) = meet(&acceptor, authority.client(&[version], Some(&known)), "a.test").await;
        let seen = digest(accepted.unwrap().get_ref().1);
        assert_eq!((seen.organization.as_deref(), seen.serial_number.as_deref()), (Some("Partner"), Some("5e:01")));
        assert_eq!(seen.cert_digest.len(), 32);
        for (own, expected) in [
            (None, HandshakeResult::CertificateMissing),
            (Some(&expired), HandshakeResult::CertificateRefused),
            (Some(&foreign), HandshakeResult::CertificateRefused),
        ] {
            let (accepted, _) = meet(&acceptor, authority.client(&[version], own), "a.test").await;
            assert_eq!(accepted.unwrap_err().result(), expected);
        }
    }
    assert!(metric(&metrics, r#"porteur_tls_handshakes_total{result="certificate_missing"} 2"#));
    assert!(metric(&metrics, r#"porteur_tls_handshakes_total{result="certificate_refused"} 4"#));
}

#[tokio::test]
async fn sessions_go_on_until_the_files_change() {
    let authority = Authority::new();
    let tls = block(vec![authority.pair("a", &["a.test"])]);
    let (acceptor, _) = acceptor(&tls);
    for version in BOTH {
        let mut client = authority.client(&[version], None);
        client.resumption = Resumption::in_memory_sessions(4);
        let client = Arc::new(client);
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let (accepted, _) = meet(&acceptor, client.clone(), "a.test").await;
            kinds.push(accepted.unwrap().get_ref().1.handshake_kind());
        }
        acceptor.0.current.store(Arc::new(Settings::read(&tls).unwrap()));
        let (accepted, _) = meet(&acceptor, client, "a.test").await;
        kinds.push(accepted.unwrap().get_ref().1.handshake_kind());
        assert_eq!(kinds, [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed), Some(HandshakeKind::Full)]);
    }
}

#[tokio::test]
async fn renewed_files_are_taken_once_they_keep_still_and_fit() {
    let authority = Authority::new();
    let tls = block(vec![authority.pair("a", &["a.test"])]);
    let (acceptor, metrics) = acceptor(&tls);
    let mut watch = Watch::new(&acceptor.0);
    let client = || authority.client(&BOTH, None);
    let ends = |name: &str| {
        metric(&metrics, &format!(r#"porteur_tls_certificate_expiry_seconds{{certificate="{name}"}} 2556144000"#))
    };
    let key = std::fs::read(authority.path("a.key")).unwrap();
    authority.issue("a", &["a.test", "new.test"], &rcgen::PKCS_ECDSA_P256_SHA256, |_| {});
    let new = std::fs::read(authority.path("a.key")).unwrap();
    std::fs::write(authority.path("a.key"), key).unwrap();

    watch.look(&acceptor.0);
    assert!(metric(&metrics, r#"porteur_tls_handshakes_total{result="ok"} 0"#));
    assert!(
        !metric(&metrics, r#"porteur_tls_reloads_total{result="failed"} 1"#),
        "it was read while it may be changing"
    );
    for _ in 0..3 {
        watch.look(&acceptor.0);
        assert!(metric(&metrics, r#"porteur_tls_reloads_total{result="failed"} 1"#), "it is read once");
    }
    assert_eq!(shown(&acceptor, client(), "a.test").await, "a.test");

    authority.issue("a", &["new.test"], &rcgen::PKCS_ECDSA_P256_SHA256, |params| {
        params.not_after = date_time_ymd(2051, 1, 1);
    });
    assert_ne!(std::fs::read(authority.path("a.key")).unwrap(), new);
    watch.look(&acceptor.0);
    watch.look(&acceptor.0);
    assert!(metric(&metrics, r#"porteur_tls_reloads_total{result="ok"} 1"#));
    assert_eq!(shown(&acceptor, client(), "new.test").await, "new.test");
    assert!(ends("new.test") && !ends("a.test"));
}

#[tokio::test]
async fn http_without_tls_is_told_so_and_other_bytes_get_an_alert() {
    let authority = Authority::new();
    let (acceptor, metrics) = acceptor(&block(vec![authority.pair("a", &["a.test"])]));
    for (sent, begins, result) in [
        (&b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"[..], &b"HTTP/1.1 400 "[..], HandshakeResult::PlainHttp),
        (b"\x05\x01\x00 some other protocol", b"\x15\x03", HandshakeResult::NotTls),
        (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", b"\x15\x03", HandshakeResult::NotTls),
        (b"", b"", HandshakeResult::Closed),
        (b"\x16\x03\x01", b"", HandshakeResult::Closed),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        tcp.write_all(sent).await.unwrap();
        tcp.shutdown().await.unwrap();
        let accepted = acceptor.accept(listener.accept().await.unwrap().0).await;
        assert_eq!(accepted.unwrap_err().result(), result, "{sent:?}");
        let mut answer = Vec::new();
        tcp.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(begins), "{sent:?}: {answer:?}");
        assert_eq!(answer.is_empty(), begins.is_empty(), "{sent:?}: {answer:?}");
    }
    assert!(metric(&metrics, r#"porteur_tls_handshakes_total{result="plain_http"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_go_on_is_given_up() {
    let authority = Authority::new();
    let (acceptor, metrics) = acceptor(&block(vec![authority.pair("a", &["a.test"])]));
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        tcp.write_all(begun).await.unwrap();
        let accepted = acceptor.accept(listener.accept().await.unwrap().0).await;
        assert_eq!(accepted.unwrap_err().result(), HandshakeResult::Timeout);
    }
    assert!(metric(&metrics, r#"porteur_tls_handshakes_total{result="timeout"} 2"#));
}

/// What TLS has encrypted and the client does not take is waited for no longer than what is still to be encrypted.
#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_given_up_while_records_wait() {
    let authority = Authority::new();
    let (acceptor, _) = acceptor(&block(vec![authority.pair("a", &["a.test"])]));
    let (accepted, _client) = meet(&acceptor, authority.client(&BOTH, None), "a.test").await;
    let mut transport = Transport::protected(accepted.unwrap(), Vec::new());
    let mut outbound = Outbound::new(Pace::new(None, Duration::from_secs(1)));
    let answer = async {
        loop {
            poll_fn(|cx| outbound.poll_write(&mut transport, cx, &[0; 8192])).await?;
            poll_fn(|cx| outbound.poll_flush(&mut transport, cx)).await?;
        }
    };
    let ended: io::Result<()> = timeout(Duration::from_secs(3600), answer).await.expect("an end");
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
    // Nor does the end wait for the alert to be taken.
    timeout(Duration::from_secs(3600), poll_fn(|cx| transport.poll_shutdown(cx))).await.expect("an end").unwrap();
}
