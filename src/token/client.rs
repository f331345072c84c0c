//! The HTTP client of the token engine: one blocking request with `ureq`, bounded in time and size.
//!
//! It knows nothing of grants, schedules or slots. Callers run it on a thread that may block.

use crate::base::certificate::{ClientCertificate, certificates};
use crate::base::{Secret, text};
use crate::config::model::{ProxyUrl, TlsVersion, Transport};
use crate::token::answer::LARGEST_ANSWER;
use crate::token::error::FetchError;
use crate::token::material::TlsFiles;
use rustls::{CertificateError, Error as TlsError};
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use ureq::config::Config;
use ureq::http::{HeaderMap, Response};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy};
use url::Url;
use zeroize::Zeroizing;

/// The longest wait that a server may ask for, as MSAL has it.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Sends requests for one credential.
#[derive(Debug)]
pub struct HttpClient {
    agent: Agent,
    through_proxy: bool,
    /// What is shown to servers that ask for a certificate.
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// A whole answer.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// `Retry-After`, an hour at the most.
    pub retry_after: Option<Duration>,
    /// `DPoP-Nonce`.
    pub dpop_nonce: Option<String>,
    /// The body: it may hold a token.
    pub body: Zeroizing<Vec<u8>>,
}

impl HttpClient {
    /// Prepares a client for a credential's transport.
    ///
    /// Everything that `ureq` would do on its own is decided here: no redirects (a 307 would repeat the secret
    /// elsewhere), statuses are answers (the error is in the body), no proxy from the environment unless asked for, no
    /// idle connections (refreshes are minutes apart), the system's certificate store unless another is named.
    ///
    /// # Errors
    /// [`FetchError::Material`] if a certificate cannot be used, or the proxy's address.
    pub fn new(transport: &Transport, files: &TlsFiles, timeout: Duration) -> Result<Self, FetchError> {
        let proxy = proxy(&transport.proxy)?;
        let through_proxy = proxy.is_some();
        let certificate = files.client.as_ref().map(client_certificate).transpose()?.map(Arc::new);
        let shown = certificate.as_deref().zip(files.client.as_ref());
        let shown = shown.map(|(certificate, (_, key))| for_ureq(certificate, key)).transpose()?;
        let mut tls = TlsConfig::builder().root_certs(roots(files)?).client_cert(shown);
        if transport.min_version == TlsVersion::Tls13 {
            tls = tls.unversioned_rustls_crypto_provider(Arc::new(only_tls13()));
        }
        let config = Config::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .tls_config(tls.build())
            .timeout_global(Some(timeout))
            .user_agent(text::USER_AGENT)
            .accept("application/json")
            .accept_encoding("identity")
            .max_idle_connections(0)
            .max_response_header_size(32 * 1024)
            .input_buffer_size(16 * 1024)
            .output_buffer_size(16 * 1024)
            .build();
        Ok(Self { agent: config.new_agent(), through_proxy, certificate })
    }

    /// Posts a body. Blocks for at most the credential's timeout.
    ///
    /// # Errors
    /// Whatever kept the server from answering.
    pub fn post<'a>(
        &self,
        url: &Url,
        headers: impl Iterator<Item = (&'a str, &'a str)>,
        body: &Secret,
    ) -> Result<Answer, FetchError> {
        let request = self.agent.post(url.as_str());
        let request = headers.fold(request, |request, (name, value)| request.header(name, value));
        self.answer(request.send(body.expose()))
    }

    /// Fetches a document. Blocks for at most the credential's timeout.
    ///
    /// # Errors
    /// Whatever kept the server from answering.
    pub fn get(&self, url: &Url) -> Result<Answer, FetchError> {
        self.answer(self.agent.get(url.as_str()).call())
    }

    fn answer(&self, response: Result<Response<Body>, ureq::Error>) -> Result<Answer, FetchError> {
        let mut response = response.map_err(|error| self.reason(&error))?;
        let body = response.body_mut().with_config().limit(LARGEST_ANSWER).read_to_vec();
        let body = Zeroizing::new(body.map_err(|error| self.reason(&error))?);
        let header = |name: &str| text_of(response.headers(), name);
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after: header("retry-after").and_then(|text| retry_after(&text, SystemTime::now())),
            dpop_nonce: header("dpop-nonce"),
            body,
        })
    }

    /// Behind a proxy nobody but it can tell which of the two hosts is meant.
    fn reason(&self, error: &ureq::Error) -> FetchError {
        match reason(error) {
            FetchError::Transport(why) if self.through_proxy && !why.contains("proxy") => {
                FetchError::Transport(format!("{why} (through the proxy)"))
            }
            reason => reason,
        }
    }
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// RFC 9110 §10.2.3: seconds, or a date.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

fn client_certificate((chain, key): &(Secret, Secret)) -> Result<ClientCertificate, FetchError> {
    ClientCertificate::read(chain.expose().as_bytes(), key.expose().as_bytes())
        .map_err(|why| FetchError::Material(format!("the client certificate cannot be used: {why}")))
}

/// The pair was checked when it was read; `ureq` would panic over one that does not fit. (It takes keys in PEM only: the
/// kinds of its DER form are private.)
fn for_ureq(certificate: &ClientCertificate, key: &Secret) -> Result<ClientCert, FetchError> {
    let chain: Vec<_> = certificate.chain.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let key = PrivateKey::from_pem(key.expose().as_bytes())
        .map_err(|_| FetchError::Material("the `client_key_file` has a form that cannot be used".to_owned()))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

fn roots(files: &TlsFiles) -> Result<RootCerts, FetchError> {
    let Some(pem) = &files.authorities else { return Ok(RootCerts::PlatformVerifier) };
    // `ureq` would leave out what it cannot read.
    let authorities = certificates(pem.expose().as_bytes())
        .map_err(|why| FetchError::Material(format!("the `ca_file` cannot be used: {why}")))?;
    let authorities: Vec<_> = authorities.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    Ok(RootCerts::new_with_certs(&authorities))
}

/// `ureq` has no setting for versions, but a provider without suites of TLS 1.2 cannot speak it.
fn only_tls13() -> rustls::crypto::CryptoProvider {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| suite.tls13().is_some());
    provider
}

fn proxy(proxy: &ProxyUrl) -> Result<Option<Proxy>, FetchError> {
    match proxy {
        ProxyUrl::None => Ok(None),
        ProxyUrl::Environment => Ok(Proxy::try_from_env()),
        ProxyUrl::Url(url) => Proxy::new(url.expose())
            .map(Some)
            .map_err(|_| FetchError::Material("the `proxy_url` cannot be used".to_owned())),
    }
}

/// The kind of the failure. Messages of the client are not passed on: some of them hold the URL, which is configuration,
/// or text that the server chose.
fn reason(error: &ureq::Error) -> FetchError {
    match error {
        ureq::Error::Timeout(_) => FetchError::Timeout,
        ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => FetchError::TooLarge,
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => FetchError::Timeout,
        ureq::Error::Io(error) => io_reason(error),
        ureq::Error::HostNotFound => FetchError::Transport("host not found".to_owned()),
        ureq::Error::ConnectionFailed => FetchError::Transport("connection refused".to_owned()),
        ureq::Error::ConnectProxyFailed(_) => FetchError::Transport("the proxy refused".to_owned()),
        ureq::Error::Rustls(error) => FetchError::Transport(tls_reason(error)),
        ureq::Error::Tls(what) => FetchError::Transport(format!("TLS: {what}")),
        ureq::Error::Protocol(_) | ureq::Error::Http(_) => FetchError::Transport("invalid HTTP answer".to_owned()),
        _ => FetchError::Transport("request failed".to_owned()),
    }
}

/// A TLS failure arrives inside an I/O error; certificate problems must be told apart from a server that is down.
fn io_reason(error: &io::Error) -> FetchError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    match inner {
        Some(tls) => FetchError::Transport(tls_reason(tls)),
        // What `getaddrinfo` has to say has no kind (`std::sys::net`, `cvt_gai`).
        None if error.to_string().starts_with("failed to lookup address") => {
            FetchError::Transport("host not found".to_owned())
        }
        None => FetchError::Transport(error.kind().to_string()),
    }
}

/// In our words: rustls would list every name in the certificate that the server chose to show.
fn tls_reason(error: &TlsError) -> String {
    let TlsError::InvalidCertificate(problem) = error else { return format!("TLS: {error}") };
    let why = match problem {
        CertificateError::UnknownIssuer => "is of an authority that is not trusted; `tls.ca_file` names another",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "is not valid yet",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "is for another name",
        CertificateError::Revoked => "is revoked",
        _ => "is not valid",
    };
    format!("TLS: the server's certificate {why}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_an_hour_at_the_most() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_700);
        let wait = |text: &str| retry_after(text, now).map(|wait| wait.as_secs());
        assert_eq!(wait("7"), Some(7));
        assert_eq!(wait("999999999"), Some(3600));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(77));
        assert_eq!(wait("Sat, 06 Nov 1993 08:49:37 GMT"), Some(0));
        for text in ["", "soon", "-1", "1.5"] {
            assert_eq!(wait(text), None, "{text}");
        }
    }

    #[test]
    fn a_floor_of_tls13_leaves_no_suite_of_tls12() {
        assert!(only_tls13().cipher_suites.iter().all(|suite| suite.tls13().is_some()));
        assert!(!only_tls13().cipher_suites.is_empty());
    }
}
