//! An upstream's answer, as far as it was read.

use bytes::Bytes;
use pingora::Result;
use pingora::http::ResponseHeader;
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::upstreams::peer::HttpPeer;
use std::sync::Arc;
use std::time::Duration;

/// An answer, whole or not.
pub struct Answered {
    /// Its head.
    pub head: ResponseHeader,
    /// Its body, or the beginning of it.
    pub body: Bytes,
    /// Where the rest comes from, if there is more.
    pub rest: Option<Rest>,
}

/// The rest of a body, still at the upstream.
pub struct Rest {
    session: Box<HttpSession>,
    peer: HttpPeer,
    /// Who keeps the connection afterwards; `None`: nobody may.
    connector: Option<Arc<Connector>>,
}

impl Rest {
    pub(super) fn new(session: HttpSession, peer: HttpPeer, connector: Option<Arc<Connector>>) -> Self {
        Self { session: Box::new(session), peer, connector }
    }

    /// How long each piece may take to come.
    pub(super) fn bound(&mut self, wait: Duration) {
        self.session.set_read_timeout(Some(wait));
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// If the upstream breaks off, or takes too long.
    pub async fn read(&mut self) -> Result<Option<Bytes>> {
        self.session.read_response_body().await
    }

    /// Keeps the connection for another request, if it may be.
    pub async fn release(self) {
        if let Some(connector) = self.connector {
            connector.release_http_session(*self.session, &self.peer, self.peer.options.idle_timeout).await;
        }
    }
}
