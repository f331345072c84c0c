//! A session on an upstream's connection, on loan from Pingora's connector, which gets it back whatever becomes of the request.
//!
//! One of HTTP/1.1 that is not given back is closed with the request. One of HTTP/2 is a stream of a connection that others share:
//! Pingora counts such a connection as in use, and gives its streams away, until the session is released
//! (`pingora-core/src/connectors/http/v2.rs`, `InUsePool`). A connection that is dead without saying so (a NAT has forgotten it)
//! would get every request until TCP gives it up; so after a timeout it gets no more, as in Pingora's own proxy
//! (`pingora-proxy/src/proxy_h2.rs`).

use crate::compose::early_answer::attentive;
use pingora::{Error, ErrorType, Result};
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::upstreams::peer::HttpPeer;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;
use tokio::runtime::Handle;

/// A session, and where it is given back.
pub(super) struct Loan {
    /// There until it is given back.
    session: Option<HttpSession>,
    peer: Box<HttpPeer>,
    connector: Arc<Connector>,
    /// When whoever waits for the answer stops; `None`: nobody says when.
    until: Option<Instant>,
}

impl Loan {
    /// A session to a peer, and whether its connection was there before.
    pub(super) async fn take(connector: &Arc<Connector>, peer: Box<HttpPeer>, until: Instant) -> Result<(Self, bool)> {
        let (session, reused) = connector.get_http_session(&*peer).await?;
        Ok((Self { session: Some(session), peer, connector: connector.clone(), until: Some(until) }, reused))
    }

    /// Lets it notice an answer that comes before all of `body` went out. Nothing has been sent on it yet.
    pub(super) fn attend(&mut self, body: &[u8]) {
        if !body.is_empty() {
            self.session = self.session.take().map(|session| attentive(session, &self.peer));
        }
    }

    /// To whom it is.
    pub(super) fn peer(&self) -> &HttpPeer {
        &self.peer
    }

    /// Whether it is a stream of HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        matches!(&**self, HttpSession::H2(_))
    }

    /// The answer has begun: how long it goes on is not decided by the time for its beginning.
    pub(super) fn outlast(&mut self) {
        self.until = None;
    }

    /// Gives it back after an exchange that came to its end: the connection may carry the next.
    pub(super) async fn give_back(mut self) {
        if let Some(session) = self.session.take() {
            self.connector.release_http_session(session, &*self.peer, self.peer.options.idle_timeout).await;
        }
    }

    /// Learns from an error on it.
    pub(super) fn failed(&self, error: &mut Error) {
        match error.etype() {
            ErrorType::ReadTimedout | ErrorType::WriteTimedout => self.give_up(),
            ErrorType::H2Downgrade | ErrorType::InvalidH2 => {
                self.give_up();
                // It may not be asked by HTTP/1.1, and by HTTP/2 it is in vain.
                if self.peer.options.alpn.get_min_http_version() == 2 {
                    error.set_retry(false);
                }
            }
            _ => {}
        }
    }

    /// No new stream on this connection.
    fn give_up(&self) {
        if let HttpSession::H2(session) = &**self {
            session.conn.mark_shutdown();
        }
    }
}

impl Deref for Loan {
    type Target = HttpSession;

    #[expect(clippy::expect_used, reason = "who gives it back, has it no longer")]
    fn deref(&self) -> &HttpSession {
        self.session.as_ref().expect("it is not given back")
    }
}

impl DerefMut for Loan {
    #[expect(clippy::expect_used, reason = "who gives it back, has it no longer")]
    fn deref_mut(&mut self) -> &mut HttpSession {
        self.session.as_mut().expect("it is not given back")
    }
}

impl Drop for Loan {
    /// The request failed, or nobody waits for its answer any more. The stream is reset by being dropped.
    fn drop(&mut self) {
        let Some(session @ HttpSession::H2(_)) = self.session.take() else { return };
        if let HttpSession::H2(session) = &session
            && self.until.is_some_and(|until| until <= Instant::now())
        {
            session.conn.mark_shutdown();
        }
        // Pingora begins a task that closes the connection when it idles.
        if Handle::try_current().is_err() {
            return;
        }
        // Of HTTP/2 this never waits.
        let release = pin!(self.connector.release_http_session(session, &*self.peer, self.peer.options.idle_timeout));
        let _ = release.poll(&mut Context::from_waker(Waker::noop()));
    }
}
