//! An HTTP/1.1 server behind TLS that answers every request with what it knows of the connection. Where `h2` is agreed on, it wants
//! each request by HTTP/1.1.

use super::authority::{Authority, Pair};
use super::h2_frames::{HEADERS, PREFACE, SETTINGS, frame, reset};
use super::listener::Listener;
use super::wire;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion, version};
use serde_json::json;
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};

/// What the server asks of its clients.
#[derive(Clone, Copy, Default)]
pub struct Terms<'a> {
    /// TLS 1.2 alone.
    pub old: bool,
    /// Clients must show a certificate of this authority.
    pub clients: Option<&'a Authority>,
    pub alpn: &'static [&'static str],
}

static OLD: [&SupportedProtocolVersion; 1] = [&version::TLS12];

pub struct TlsUpstream {
    listener: Listener,
    handshakes: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

/// The settings of a TLS server with this certificate.
pub fn config(pair: &Pair, terms: Terms<'_>) -> ServerConfig {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| drop(rustls::crypto::aws_lc_rs::default_provider().install_default()));
    let builder = ServerConfig::builder_with_protocol_versions(if terms.old { &OLD } else { rustls::DEFAULT_VERSIONS });
    let builder = match terms.clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der()).unwrap();
            builder.with_client_cert_verifier(WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap())
        }
    };
    let mut config = builder.with_single_cert(vec![pair.certificate.clone()], pair.key.clone_key()).unwrap();
    config.alpn_protocols = terms.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

impl TlsUpstream {
    pub fn start(pair: &Pair, terms: Terms<'_>) -> Self {
        let config = Arc::new(config(pair, terms));
        let (handshakes, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let listener = Listener::start({
            let (handshakes, requests) = (handshakes.clone(), requests.clone());
            move |stream, number| drop(serve(stream, number, config.clone(), &handshakes, &requests))
        });
        Self { listener, handshakes, requests }
    }

    pub fn addr(&self) -> SocketAddr {
        self.listener.addr()
    }

    /// Its `host` with this name.
    pub fn url(&self, name: &str) -> String {
        format!("https://{name}:{}", self.addr().port())
    }

    /// How many connections there ever were.
    pub fn connections(&self) -> usize {
        self.listener.accepted()
    }

    /// How many handshakes came to a good end.
    pub fn handshakes(&self) -> usize {
        self.handshakes.load(Ordering::SeqCst)
    }

    /// How many requests it has read.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Resets each stream with `HTTP_1_1_REQUIRED` (RFC 9113 §7).
fn want_http1(tls: &mut BufReader<rustls::StreamOwned<ServerConnection, TcpStream>>) -> io::Result<()> {
    const HTTP_1_1_REQUIRED: u32 = 0xd;
    tls.read_exact(&mut [0; PREFACE.len()])?;
    tls.get_mut().write_all(&frame(SETTINGS, 0, 0, b""))?;
    loop {
        tls.get_mut().flush()?;
        let mut head = [0; 9];
        tls.read_exact(&mut head)?;
        let [a, b, c, kind, _, stream @ ..] = head;
        tls.read_exact(&mut vec![0; u32::from_be_bytes([0, a, b, c]) as usize])?;
        if kind == HEADERS {
            tls.get_mut().write_all(&reset(u32::from_be_bytes(stream), HTTP_1_1_REQUIRED))?;
        }
    }
}

fn serve(
    stream: &TcpStream,
    number: usize,
    config: Arc<ServerConfig>,
    handshakes: &AtomicUsize,
    requests: &AtomicUsize,
) -> io::Result<()> {
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut tls = rustls::StreamOwned::new(connection, stream.try_clone()?);
    tls.conn.complete_io(&mut tls.sock)?;
    handshakes.fetch_add(1, Ordering::SeqCst);
    let seen = json!({
        "connection": number,
        "sni": tls.conn.server_name(),
        "version": format!("{:?}", tls.conn.protocol_version().unwrap()),
        "resumed": format!("{:?}", tls.conn.handshake_kind()),
        "certificates": tls.conn.peer_certificates().map(|chain| chain.len()),
    })
    .to_string();
    let by_http2 = tls.conn.alpn_protocol() == Some(b"h2");
    let mut reader = BufReader::new(tls);
    if by_http2 {
        return want_http1(&mut reader);
    }
    while let Some(head) = wire::read_head(&mut reader)? {
        let framing = wire::Framing::of_request(&head.headers)?;
        wire::read_body(&mut reader, framing)?;
        requests.fetch_add(1, Ordering::SeqCst);
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{seen}",
            seen.len()
        );
        reader.get_mut().write_all(answer.as_bytes())?;
        reader.get_mut().flush()?;
    }
    Ok(())
}
