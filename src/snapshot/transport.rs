//! How upstreams are connected to, compiled: what every peer of a backend has, whatever its address.
//!
//! Pingora keeps connections by a hash that knows nothing of authorities or versions (`pingora-core/src/upstreams/peer.rs`,
//! `impl Hash for HttpPeer`); the group key of each peer is a hash of all that decides whether a connection may be used, so that
//! no two profiles share one. With authorities or a certificate of its own, a peer costs Pingora a TLS configuration for each
//! connection, and no session is resumed (`pingora-core/src/connectors/tls/rustls/mod.rs`); kept connections do not pay for it.

use crate::base::Failure;
use crate::config::model::{ClientTls, HttpVersion, TlsVersion, UpstreamTransport};
use crate::snapshot::CompileError;
use crate::snapshot::bound_certificate::cert_key;
use http::Version;
use pingora_core::protocols::l4::ext::TcpKeepalive;
use pingora_core::protocols::tls::ALPN;
use pingora_core::protocols::{Digest, tls::CaType};
use pingora_core::tls::load_native_certs;
use pingora_core::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};
use pingora_core::utils::tls::{CertKey, WrappedX509, parse_x509};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::panic;
use std::sync::Arc;
use std::time::Duration;

/// Unanswered probes after which TCP gives a quiet peer up.
const PROBES: usize = 4;

/// How much of an answer an HTTP/2 upstream may send ahead of its client.
const STREAM_WINDOW: u32 = 256 * 1024;

/// The largest window there is (RFC 9113 §6.9.1).
const LARGEST_WINDOW: u32 = (1 << 31) - 1;

/// What the peers of a backend have in common.
pub struct Transport {
    /// The longest wait for a TCP connection.
    pub connect: Duration,
    /// The longest wait for the head of an answer, if it is not that of the timeout.
    pub head: Option<Duration>,
    /// Whether a connection carries one request.
    pub closes: bool,
    /// Whether an upstream that speaks HTTP/1.1 alone is not asked.
    only_http2: bool,
    tls: Tls,
    alpn: ALPN,
    group: u64,
    idle: Duration,
    keep_alive: TcpKeepalive,
    max_h2_streams: usize,
    h2_ping_interval: Option<Duration>,
}

/// Why a connection carries no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Its version of TLS is too old.
    Tls,
    /// It does not speak the version of HTTP.
    Http,
}

impl Unfit {
    /// It in the vocabulary of answers.
    #[must_use]
    pub const fn failure(self) -> Failure {
        match self {
            Self::Tls => Failure::Connect,
            Self::Http => Failure::UpstreamProtocol,
        }
    }

    /// It in a few words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "version of TLS",
            Self::Http => "version of HTTP",
        }
    }
}

#[derive(Clone, Default)]
struct Tls {
    insecure: bool,
    /// `None`: the system's.
    authorities: Option<Arc<CaType>>,
    client: Option<Arc<CertKey>>,
    min_version: TlsVersion,
}

/// The transports of a configuration. Hundreds of backends have a few between them, and each with authorities of its own would read
/// the system's and keep a copy.
#[derive(Default)]
pub struct Transports(Vec<(UpstreamTransport, Arc<Transport>)>);

impl Transports {
    /// The one that a model says, prepared as far as it can be.
    ///
    /// # Errors
    /// If Pingora cannot read a certificate, or the system's authorities are wanted and cannot be read.
    pub fn entry(&mut self, model: &UpstreamTransport) -> Result<Arc<Transport>, CompileError> {
        if let Some((_, found)) = self.0.iter().find(|(known, _)| known == model) {
            return Ok(found.clone());
        }
        let with_same_tls = self.0.iter().find(|(known, _)| known.tls == model.tls);
        let transport = Arc::new(match with_same_tls {
            Some((_, found)) => Transport::with(model, found.tls.clone()),
            None => Transport::compile(model)?,
        });
        self.0.push((model.clone(), transport.clone()));
        Ok(transport)
    }
}

impl Transport {
    /// Prepares what can be prepared.
    ///
    /// # Errors
    /// If Pingora cannot read a certificate, or the system's authorities are wanted and cannot be read.
    pub fn compile(model: &UpstreamTransport) -> Result<Self, CompileError> {
        Ok(Self::with(model, Tls::compile(&model.tls)?))
    }

    fn with(model: &UpstreamTransport, tls: Tls) -> Self {
        Self {
            connect: model.dialer_timeout,
            head: model.response_header_timeout,
            closes: model.disable_keep_alives,
            only_http2: model.http_version == HttpVersion::Http2,
            tls,
            alpn: match model.http_version {
                HttpVersion::Http1 => ALPN::H1,
                HttpVersion::Http2 => ALPN::H2,
                HttpVersion::Auto => ALPN::H2H1,
            },
            group: group(model),
            // Pingora takes zero for "do not keep" (`pingora-core/src/connectors/http/v1.rs` and its pool).
            idle: if model.disable_keep_alives { Duration::ZERO } else { model.idle_connection_timeout },
            keep_alive: TcpKeepalive {
                idle: model.dialer_keep_alive,
                interval: model.dialer_keep_alive,
                count: PROBES,
                #[cfg(target_os = "linux")]
                user_timeout: gone_after(model.dialer_keep_alive),
            },
            max_h2_streams: model.max_h2_streams,
            h2_ping_interval: model.h2_ping_interval,
        }
    }

    /// A peer with these settings. The name is what the certificate must be for. It is never empty where there is one, which
    /// would switch verification off (`pingora-core/src/connectors/tls`).
    #[must_use]
    pub fn peer(&self, address: SocketAddr, https: bool, name: &str) -> HttpPeer {
        let mut peer = self.stranger(address, https, name);
        let options = &mut peer.options;
        options.alpn = self.alpn.clone();
        options.max_h2_streams = self.max_h2_streams;
        options.h2_ping_interval = self.h2_ping_interval;
        let (stream, connection) = windows(self.max_h2_streams);
        options.h2_stream_window_size = Some(stream);
        options.h2_connection_window_size = Some(connection);
        if https {
            peer.client_cert_key.clone_from(&self.tls.client);
        }
        peer
    }

    /// A peer that is none of the backend's own hosts: it is believed for the same reasons, but is not shown who we are, and
    /// nothing is known of its HTTP.
    #[must_use]
    pub fn stranger(&self, address: SocketAddr, https: bool, name: &str) -> HttpPeer {
        let name = if https { name.to_owned() } else { String::new() };
        let mut peer = HttpPeer::new(address, https, name);
        peer.group_key = self.group;
        let options = &mut peer.options;
        options.connection_timeout = Some(self.connect);
        options.idle_timeout = Some(self.idle);
        options.tcp_keepalive = Some(self.keep_alive.clone());
        options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
        if https {
            options.ca.clone_from(&self.tls.authorities);
            options.verify_cert = !self.tls.insecure;
            options.verify_hostname = !self.tls.insecure;
        }
        peer
    }

    /// Whether a connection may carry a request. Nothing has been sent when this is asked, so that it is for the next target if
    /// this one is unfit.
    ///
    /// # Errors
    /// What is unfit.
    pub fn fits(&self, peer: &HttpPeer, digest: Option<&Digest>, version: Version) -> Result<(), Unfit> {
        self.accepts(digest)?;
        // A stranger is asked for no version.
        if peer.options.alpn.get_min_http_version() == 2 { self.speaks(version) } else { Ok(()) }
    }

    /// Whether its version of TLS is new enough. Pingora always offers 1.2 and 1.3, and an upstream takes the newest it can.
    ///
    /// # Errors
    /// If it is not.
    pub fn accepts(&self, digest: Option<&Digest>) -> Result<(), Unfit> {
        if self.tls.min_version == TlsVersion::Tls12 {
            return Ok(());
        }
        // Without TLS there is no version to be too old. It is rustls's name of the version, not the usual `TLSv1.3`.
        let tls = digest.and_then(|digest| digest.ssl_digest.as_ref());
        if tls.is_none_or(|tls| tls.version == "TLSv1_3") { Ok(()) } else { Err(Unfit::Tls) }
    }

    /// Whether it speaks the version of HTTP that is wanted. A handshake of TLS may end without an agreement on HTTP/2, and Pingora
    /// goes on with HTTP/1.1.
    ///
    /// # Errors
    /// If it does not.
    pub fn speaks(&self, version: Version) -> Result<(), Unfit> {
        if self.only_http2 && version != Version::HTTP_2 { Err(Unfit::Http) } else { Ok(()) }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("group", &self.group).finish_non_exhaustive()
    }
}

impl Tls {
    fn compile(model: &ClientTls) -> Result<Self, CompileError> {
        let client = model.client_certificate.as_ref();
        let client = client.map(|certificate| cert_key(certificate).ok_or(CompileError::Certificate)).transpose()?;
        Ok(Self { insecure: model.insecure, authorities: authorities(model)?, client, min_version: model.min_version })
    }
}

/// What Pingora takes in place of the system's authorities, if it is to take anything: all that are believed, the system's among
/// them unless they are switched off.
fn authorities(model: &ClientTls) -> Result<Option<Arc<CaType>>, CompileError> {
    // Nothing to believe is not the system's: it is an empty list, by which no upstream is certified.
    if model.authorities.is_empty() && (model.insecure || !model.only_these) {
        return Ok(None);
    }
    let mut all: Vec<Vec<u8>> = model.authorities.iter().map(|der| der.to_vec()).collect();
    if !model.only_these {
        let system = load_native_certs().map_err(|error| CompileError::SystemAuthorities(error.to_string()))?;
        all.extend(system.iter().map(|der| der.to_vec()));
    }
    // Pingora's parser panics over what it does not understand.
    let wrapped = panic::catch_unwind(|| all.into_iter().map(|der| WrappedX509::new(der, parse_x509)).collect());
    wrapped.map(Some).map_err(|_| CompileError::Certificate)
}

/// How long a peer may leave unanswered what it was sent. Without it the kernel goes by `tcp_retries2`, a quarter of an hour: its
/// probes are for connections on which nothing waits for an answer. (With it they end at the same time, `tcp(7)`.) A peer that takes no
/// more for as long is given up, too; each write has the timeout of its endpoint.
fn gone_after(keep_alive: Duration) -> Duration {
    // Pingora hands the kernel milliseconds in an `int`.
    const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);
    let probes = u32::try_from(PROBES).unwrap_or(u32::MAX);
    keep_alive.saturating_mul(probes.saturating_add(1)).min(LONGEST)
}

/// The windows of a stream and of a connection. With Pingora's own, both of 8 MiB, one client that does not read its answer would
/// hold up all others on the connection; here there is room for what every stream may be ahead.
fn windows(streams: usize) -> (u32, u32) {
    let streams = u32::try_from(streams).unwrap_or(u32::MAX).max(1);
    let stream = STREAM_WINDOW.min(LARGEST_WINDOW / streams);
    (stream, stream * streams)
}

/// A hash of all that decides whether a request may use a connection.
fn group(model: &UpstreamTransport) -> u64 {
    let mut hash = DefaultHasher::new();
    let tls = &model.tls;
    (tls.insecure, tls.only_these, tls.min_version == TlsVersion::Tls13).hash(&mut hash);
    // Slices are hashed with their lengths: where one list ends and the next begins is part of it.
    let chain = tls.client_certificate.as_ref().map(|certificate| &*certificate.chain);
    (&*tls.authorities, chain).hash(&mut hash);
    (model.http_version, model.max_h2_streams, model.h2_ping_interval, model.disable_keep_alives).hash(&mut hash);
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ClientCertificate;

    fn transport(change: impl FnOnce(&mut UpstreamTransport)) -> Transport {
        let mut model = UpstreamTransport::default();
        change(&mut model);
        Transport::compile(&model).expect("nothing to read")
    }

    fn peer(transport: &Transport) -> HttpPeer {
        transport.peer(SocketAddr::from(([127, 0, 0, 1], 443)), true, "a.test")
    }

    #[test]
    fn profiles_that_differ_share_no_connection() {
        use pingora_core::upstreams::peer::Peer;
        let authority = |model: &mut UpstreamTransport| {
            let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).expect("a certificate");
            model.tls.authorities.push(made.cert.der().clone());
            model.tls.only_these = true;
        };
        let [one, two, three] = ["1", "2", "3"].map(|name| {
            let made = rcgen::generate_simple_self_signed([format!("{name}.test")]).expect("a certificate");
            (made.cert.der().clone(), made.cert.pem(), made.signing_key.serialize_pem())
        });
        let client = |own: &(_, String, String), more: &str| {
            let chain = format!("{}{more}", own.1);
            Some(Arc::new(ClientCertificate::read(chain.as_bytes(), own.2.as_bytes()).expect("a pair")))
        };
        let profiles = [
            transport(|_| {}),
            transport(authority),
            transport(authority),
            transport(|model| model.tls.client_certificate = client(&one, "")),
            transport(|model| model.tls.client_certificate = client(&one, &two.1)),
            // The same certificates one after the other, in other lists.
            transport(|model| {
                model.tls.authorities = vec![one.0.clone(), two.0.clone()];
                model.tls.only_these = true;
                model.tls.client_certificate = client(&three, "");
            }),
            transport(|model| {
                model.tls.authorities = vec![one.0.clone()];
                model.tls.only_these = true;
                model.tls.client_certificate = client(&two, &three.1);
            }),
            transport(|model| model.max_h2_streams = 7),
            transport(|model| model.h2_ping_interval = Some(Duration::from_secs(7))),
            transport(|model| model.disable_keep_alives = true),
            transport(|model| model.tls.insecure = true),
            transport(|model| model.tls.min_version = TlsVersion::Tls13),
            transport(|model| model.http_version = HttpVersion::Http2),
            transport(|model| model.http_version = HttpVersion::Auto),
        ];
        // The group alone tells them apart: what Pingora's hash adds is not relied on.
        for hash in [|profile: &Transport| profile.group, |profile: &Transport| peer(profile).reuse_hash()] {
            let mut hashes: Vec<u64> = profiles.iter().map(hash).collect();
            hashes.sort_unstable();
            hashes.dedup();
            assert_eq!(hashes.len(), profiles.len());
        }
        let timeouts = transport(|model| model.dialer_timeout = Duration::from_millis(3));
        assert_eq!(peer(&timeouts).reuse_hash(), peer(&transport(|_| {})).reuse_hash());
    }

    #[test]
    fn equal_transports_are_one_and_others_share_their_authorities() {
        let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).expect("a certificate");
        let model = |dialer_timeout, authorities: &[_]| UpstreamTransport {
            tls: ClientTls { authorities: authorities.to_vec(), only_these: true, ..ClientTls::default() },
            dialer_timeout: Duration::from_secs(dialer_timeout),
            ..UpstreamTransport::default()
        };
        let authorities = [made.cert.der().clone()];
        let mut transports = Transports::default();
        let mut entry = |model| transports.entry(&model).expect("nothing to read");
        let [one, same, slower, other] =
            [model(1, &authorities), model(1, &authorities), model(2, &authorities), model(1, &[])].map(&mut entry);
        let is_shared = |other: &Transport| match (&one.tls.authorities, &other.tls.authorities) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        assert!(Arc::ptr_eq(&one, &same));
        assert!(!Arc::ptr_eq(&one, &slower) && is_shared(&slower) && slower.connect == Duration::from_secs(2));
        assert!(!is_shared(&other));
    }

    #[test]
    fn verification_is_on_unless_it_is_switched_off() {
        let options = peer(&transport(|_| {})).options;
        assert!(options.verify_cert && options.verify_hostname && options.ca.is_none());
        let options = peer(&transport(|model| model.tls.only_these = true)).options;
        assert!(options.verify_cert && options.ca.is_some_and(|authorities| authorities.is_empty()));
        let options = peer(&transport(|model| model.tls.insecure = true)).options;
        assert!(!options.verify_cert && !options.verify_hostname);
    }

    #[test]
    fn a_connection_has_room_for_all_of_its_streams() {
        for streams in [0, 1, 100, 8191, 8192, 10_000, usize::MAX] {
            let (stream, connection) = windows(streams);
            let all = u64::from(stream) * u64::try_from(streams).unwrap_or(u64::MAX).max(1);
            assert!(streams == usize::MAX || all <= u64::from(connection), "{streams}");
            assert!(connection <= LARGEST_WINDOW, "{streams}");
        }
        assert_eq!(windows(100), (256 * 1024, 100 * 256 * 1024));
    }

    #[test]
    fn no_wait_for_an_upstream_is_without_end() {
        let options = peer(&transport(|_| {})).options;
        assert_eq!(options.connection_timeout, Some(Duration::from_secs(1)));
        assert_eq!(options.idle_timeout, Some(Duration::from_secs(50)));
        let keep_alive = options.tcp_keepalive.expect("it is set");
        assert_eq!((keep_alive.idle, keep_alive.user_timeout), (Duration::from_secs(15), Duration::from_secs(75)));
        let long = transport(|model| model.dialer_keep_alive = Duration::MAX);
        let keep_alive = peer(&long).options.tcp_keepalive.expect("it is set");
        assert!(i32::try_from(keep_alive.user_timeout.as_millis()).is_ok());
        let options = peer(&transport(|model| model.disable_keep_alives = true)).options;
        assert_eq!(options.idle_timeout, Some(Duration::ZERO));
    }
}
