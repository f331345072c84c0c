//! A WebSocket on its way through: asked for by a handshake, open from the upstream's `101` on.
//!
//! Pingora passes the bytes of both sides until one of them ends. What is left to do here is to keep the limits of a request from
//! a connection that is quiet because nobody has anything to say.

use crate::config::model::WebSocket;
use crate::forward::sender::Sender;
use crate::forward::upgrade;
use crate::proxy::in_flight::Guard;
use crate::proxy::wire;
use crate::snapshot::endpoint::StreamPlan;
use crate::snapshot::handshake::Answered;
use crate::telemetry::metrics::Metrics;
use pingora::http::ResponseHeader;
use pingora_proxy::Session;

/// A WebSocket, or the wish for one.
pub struct Tunnel {
    /// What holds for it.
    pub terms: WebSocket,
    /// Whether the upstream's answer is there.
    pub answer: Answered,
    /// Counts it while it is open.
    open: Option<Guard>,
}

/// What a request asks for at this endpoint. Where none is allowed, and for any other protocol, `Upgrade` is left out
/// of the request, which is what a server may do with it (RFC 9110 §7.8).
pub(super) fn asked(session: &Session, sender: Sender, plan: &StreamPlan) -> Option<Tunnel> {
    let terms = plan.websocket?;
    upgrade::is_handshake(&wire::view(session, sender)).then(|| Tunnel {
        terms,
        answer: Answered::default(),
        open: None,
    })
}

impl Tunnel {
    /// The upstream's answer to the handshake. The upstream's silence is bounded; that of a client, which may have nothing to say
    /// for hours, is not.
    pub(super) fn answered(&mut self, session: &mut Session, response: &ResponseHeader, metrics: &Metrics) {
        if response.status.is_informational() && !upgrade::is_accepted(response) {
            return;
        }
        self.answer.set();
        if upgrade::is_accepted(response) {
            session.set_read_timeout(None);
            session.set_write_timeout(Some(self.terms.write_wait));
            self.open = Some(Guard::new(&metrics.websockets));
        } else {
            // What a client sent in the hope of a tunnel must not be read as its next request.
            session.set_keepalive(None);
        }
    }
}
