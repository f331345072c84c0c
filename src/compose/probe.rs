//! One question to an upstream whether it is well: a GET over a connection of its own, made as those for requests are, with the host's
//! name and without a token.

use crate::base::text::USER_AGENT;
use crate::compose::exchange::{Waits, as_http2, exchange};
use crate::config::model::HealthCheck;
use crate::forward::{retry, shortage};
use crate::snapshot::targets::Target;
use crate::snapshot::transport::Unfit;
use bytes::Bytes;
use http::{Method, StatusCode, Version, header};
use pingora::http::RequestHeader;
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::client::HttpSession;

/// Why an address is not well.
#[derive(Debug, thiserror::Error)]
pub enum Unwell {
    /// It takes no connection, or gives no answer.
    #[error("{}", .0.etype().as_str())]
    Failed(#[from] Box<pingora::Error>),
    /// Its connections carry no requests.
    #[error("{}", .0.as_str())]
    Unfit(Unfit),
    /// It gives none in time.
    #[error("no answer in time")]
    Late,
    /// It gives one that is not good.
    #[error("status {}", .0.as_u16())]
    Status(StatusCode),
    /// It cannot be asked.
    #[error("its name cannot stand in a request")]
    Unaskable,
}

impl Unwell {
    /// Whether it could not be asked for want of something of our own: that says nothing of the address.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Failed(error) if shortage::of(error).is_some())
    }
}

/// Asks a target.
///
/// # Errors
/// Why it is not well.
pub async fn is_well(connector: &Connector, target: &Target, check: &HealthCheck) -> Result<(), Unwell> {
    let status = tokio::time::timeout(check.timeout, status(connector, target, check));
    match status.await.map_err(|_| Unwell::Late)?? {
        status if check.statuses.contains(&status) => Ok(()),
        status => Err(Unwell::Status(status)),
    }
}

async fn status(connector: &Connector, target: &Target, check: &HealthCheck) -> Result<StatusCode, Unwell> {
    let was_known = target.state.wants_http1();
    match ask(connector, target, check).await {
        Err(Unwell::Failed(error)) if retry::wants_http1(&error) && !was_known => {
            target.state.prefer_http1();
            ask(connector, target, check).await
        }
        asked => asked,
    }
}

async fn ask(connector: &Connector, target: &Target, check: &HealthCheck) -> Result<StatusCode, Unwell> {
    let mut peer = target.peer(check.timeout, check.timeout, false);
    // Pingora keeps no connection for others that has no room for another stream: each question finds out anew whether there is one.
    peer.options.max_h2_streams = 1;
    let mut request = RequestHeader::build(Method::GET, check.path.as_bytes(), Some(4))?;
    request.insert_header(header::HOST, target.host.authority.clone())?;
    request.insert_header(header::USER_AGENT, USER_AGENT)?;
    let (mut session, _) = connector.get_http_session(&*peer).await?;
    let is_http2 = matches!(session, HttpSession::H2(_));
    let version = if is_http2 { Version::HTTP_2 } else { Version::HTTP_11 };
    target.host.transport.fits(&peer, session.digest(), version).map_err(Unwell::Unfit)?;
    if is_http2 {
        as_http2(&mut request, peer.is_tls()).ok_or(Unwell::Unaskable)?;
    } else {
        request.insert_header(header::CONNECTION, "close")?;
    }
    let waits = Waits { head: None, body: check.timeout };
    let read = exchange(&mut session, Box::new(request), &Bytes::new(), waits, |_| 0).await?;
    Ok(read.head.status)
}
