//! The HTTP client of the token endpoint: one blocking request with `ureq`, bounded in time and size.
//!
//! It knows nothing of schedules or slots. Callers run it on a thread that may block.

use crate::config::model::Credential;
use crate::token::answer::{self, FetchError, Grant, LARGEST_ANSWER};
use crate::token::request::{Style, TokenRequest};
use std::io;
use ureq::Agent;
use ureq::config::Config;
use ureq::tls::{RootCerts, TlsConfig};

/// Sends token requests for one credential.
#[derive(Debug)]
pub struct TokenClient {
    agent: Agent,
}

impl TokenClient {
    /// Prepares a client with the credential's timeout.
    ///
    /// Everything that `ureq` would do on its own is decided here: no redirects (a 307 would repeat the secret
    /// elsewhere), statuses are answers (the error is in the body), no proxy from the environment, no idle connections
    /// (refreshes are minutes apart), the system's certificate store.
    #[must_use]
    pub fn new(credential: &Credential) -> Self {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Config::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .tls_config(tls)
            .timeout_global(Some(credential.timeout))
            .user_agent(concat!("porteur/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .accept_encoding("identity")
            .max_idle_connections(0)
            .max_response_header_size(32 * 1024)
            .input_buffer_size(16 * 1024)
            .output_buffer_size(16 * 1024)
            .build();
        Self { agent: config.new_agent() }
    }

    /// Asks for a token once. Blocks for at most the credential's timeout.
    ///
    /// # Errors
    /// Whatever kept the server from granting one.
    pub fn fetch(&self, credential: &Credential, style: Style) -> Result<Grant, FetchError> {
        let request = TokenRequest::form(credential, style);
        let mut call =
            self.agent.post(credential.token_url.as_str()).header("Content-Type", "application/x-www-form-urlencoded");
        if let Some(authorization) = &request.authorization {
            call = call.header("Authorization", authorization.expose());
        }
        let mut response = call.send(request.body.expose()).map_err(|error| reason(&error))?;
        let body =
            response.body_mut().with_config().limit(LARGEST_ANSWER).read_to_vec().map_err(|error| reason(&error))?;
        answer::read(response.status().as_u16(), &body)
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
        ureq::Error::Rustls(error) => FetchError::Transport(format!("TLS: {error}")),
        ureq::Error::Tls(what) => FetchError::Transport(format!("TLS: {what}")),
        ureq::Error::Protocol(_) | ureq::Error::Http(_) => FetchError::Transport("invalid HTTP answer".to_owned()),
        _ => FetchError::Transport("request failed".to_owned()),
    }
}

/// A TLS failure arrives inside an I/O error; certificate problems must be told apart from a server that is down.
fn io_reason(error: &io::Error) -> FetchError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(tls) => FetchError::Transport(format!("TLS: {tls}")),
        None => FetchError::Transport(error.kind().to_string()),
    }
}
