//! One backend asked once: a host that takes the connection, a token that the upstream takes, the answer.

use crate::base::Failure;
use crate::compose::Composer;
use crate::compose::answered::{Answered, Rest};
use crate::compose::elsewhere::Stranger;
use crate::compose::exchange::{Waits, as_http2, exchange};
use crate::compose::kept::{self, Kept, Looked};
use crate::compose::prepare::{self, Prepared};
use crate::compose::redirect::{self, Hop};
use crate::compose::request::ClientRequest;
use crate::compose::trouble::Trouble;
use crate::forward::egress::{self, Carried};
use crate::forward::martian::{self, Destination};
use crate::forward::refused;
use crate::forward::rejection::{self, Repeat, Verdict};
use crate::forward::replay::{self, Replays};
use crate::forward::retry;
use crate::forward::shortage::{self, Shortage};
use crate::snapshot::backend::BackendPlan;
use crate::snapshot::balance::Round;
use crate::snapshot::target::Params;
use crate::snapshot::targets::Target;
use crate::telemetry::metrics::MissingAction;
use crate::token::slot::Token;
use bytes::Bytes;
use http::Method;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::protocols::tls::ALPN;
use pingora_core::upstreams::peer::HttpPeer;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// How often a kept connection may turn out to be closed before its request is given up: each try takes one from the pool.
pub(super) const MOST_CLOSED: u8 = 8;

/// How much of an answer's body is held.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hold {
    /// Nothing: it streams.
    Nothing,
    /// So many bytes of an answer that a cache may keep; others stream.
    Cacheable(usize),
    /// So many bytes.
    All(usize),
}

impl Hold {
    fn bytes(self, head: &ResponseHeader) -> usize {
        match self {
            Self::All(bytes) => bytes,
            Self::Cacheable(bytes) if kept::is_worth_keeping(&head.headers) => bytes,
            Self::Nothing | Self::Cacheable(_) => 0,
        }
    }
}

/// A backend and what it is asked.
pub(super) struct Call<'a> {
    /// Who keeps connections.
    pub composer: &'a Composer,
    /// The backend.
    pub plan: &'a BackendPlan,
    /// What the client asked.
    pub request: &'a ClientRequest,
    /// What the target is formed with.
    pub params: &'a Params,
    /// Where its answers are kept.
    pub kept: Option<Kept<'a>>,
    /// Whether the answer is decoded: then it may come compressed, and redirects are followed.
    pub decoded: bool,
    /// How much of the answer's body is held, in bytes.
    pub hold: Hold,
    /// When there must be an answer.
    pub deadline: Instant,
    /// Requests made so far.
    pub attempts: &'a AtomicU8,
}

/// An answer, and what it answers.
struct Sent {
    answered: Answered,
    /// The target that gave it.
    target: Arc<Target>,
    /// The generation of the token that was carried; 0: none.
    generation: u64,
    /// What the response side of the modifiers needs to know.
    modified: martian::Sent,
}

impl Call<'_> {
    /// Asks, within the time there is.
    pub(super) async fn ask(&self) -> Result<Answered, Trouble> {
        let mut round = self.plan.upstream.round(Instant::now());
        if let Ok(result) = tokio::time::timeout(self.left(), self.persist(&mut round)).await {
            return result;
        }
        if let Some(target) = round.awaited() {
            self.plan.upstream.failed(target, round.targets());
        }
        Err(Trouble::Failure(Failure::UpstreamTimeout, "timeout"))
    }

    /// What is left of the time.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Asks again where the upstream did not take the token.
    async fn persist(&self, round: &mut Round) -> Result<Answered, Trouble> {
        let mut replays = Replays::default();
        loop {
            let mut sent = self.reach(round).await?;
            if self.is_sent_again(&mut sent, &mut replays).await {
                continue;
            }
            let hop = Hop { target: sent.target, answered: sent.answered };
            let mut answered =
                if self.decoded && !self.plan.no_redirect { redirect::follow(self, hop).await? } else { hop.answered };
            self.modify_answer(&mut answered, &sent.modified)?;
            return Ok(answered);
        }
    }

    async fn is_sent_again(&self, sent: &mut Sent, replays: &mut Replays) -> bool {
        let Some(token) = self.plan.token.as_ref().filter(|_| sent.generation > 0) else { return false };
        let head = &mut sent.answered.head;
        let verdict = rejection::verdict(token, head.status, &head.headers);
        replay::keep_nonce(token, sent.target.index, head);
        if verdict == Verdict::Accepted {
            return false;
        }
        let repeat = Repeat { method: self.method(), has_whole_body: true, answered: false, left: self.left() };
        replay::again(token, sent.generation, verdict, &repeat, replays).await
    }

    /// The method that the backend is asked with.
    pub(super) fn method(&self) -> &Method {
        self.plan.method.as_ref().unwrap_or(&self.request.head.method)
    }

    /// The answer of the first target that gives one.
    async fn reach(&self, round: &mut Round) -> Result<Sent, Trouble> {
        loop {
            let Some(target) = round.begin(Instant::now()).cloned() else {
                return Err(Trouble::Failure(Failure::NoHost, "no address"));
            };
            let (broken, trouble) = match self.attempt(target, round).await {
                Ok(sent) => return Ok(sent),
                Err(Broken::Unreached(trouble)) => (retry::Broken::Unreached, trouble),
                Err(Broken::Closed(trouble)) => (retry::Broken::Closed, trouble),
                Err(Broken::Refused(trouble)) => (retry::Broken::Refused, trouble),
                Err(Broken::Ended(trouble)) => return Err(trouble),
            };
            let upstream = &self.plan.upstream;
            if !retry::is_sent_again(upstream, round, broken, self.method(), self.left(), Instant::now()) {
                return Err(trouble);
            }
        }
    }

    async fn attempt(&self, target: Arc<Target>, round: &mut Round) -> Result<Sent, Broken> {
        let left = self.left();
        let Prepared { head: mut request, body, elsewhere, is_answered, modified } = self.prepare(&target.host)?;
        if is_answered {
            return Ok(Sent { answered: prepare::empty_answer()?, target, generation: 0, modified });
        }
        let mut peer = target.host.peer(target.address, left, left, false);
        // The token is for the backend's own hosts.
        let token = self.plan.token.as_ref().filter(|_| elsewhere.is_none());
        let bound = token.and_then(|_| self.bind(&mut peer));
        // What a body asks for is not in the key: a GET with a body is not for a cache.
        let kept = self.kept.filter(|_| body.is_empty() || !request.method.is_safe());
        let origin = elsewhere.as_ref().map_or_else(|| target.host.origin.clone(), Destination::origin);
        let mut looked = kept.map(|kept| kept.look(origin.into(), &request));
        if let Some(answered) = looked.as_mut().and_then(Looked::fresh) {
            return Ok(Sent { answered, target, generation: 0, modified });
        }
        let generation = match token {
            Some(_) => self.carry(bound.as_ref(), target.index, &mut request)?,
            None => 0,
        };
        // What the upstream says to nobody is not what it says to the credential.
        looked = looked.filter(|_| self.plan.token.is_none() || generation > 0);
        if let Some(looked) = &looked {
            looked.condition(&mut request);
        }
        let sent = if let Some(to) = &elsewhere {
            let to = Stranger { https: to.https, name: &to.host, port: to.port() };
            self.send_elsewhere(to, request, &body).await
        } else {
            round.awaits(true);
            let sent = self.send(&peer, request, &body).await;
            round.awaits(false);
            self.tell(&target, round, &sent);
            sent
        };
        let sent = match looked {
            Some(looked) if !self.is_rejected(generation, &sent) => looked.settle(sent, round.has_another()),
            _ => sent,
        };
        Ok(Sent { answered: sent?, target, generation, modified })
    }

    /// Tells how a target fared. A kept connection that is closed, or a stream that is refused, says nothing of it.
    fn tell(&self, target: &Target, round: &Round, sent: &Result<Answered, Broken>) {
        let upstream = &self.plan.upstream;
        match sent {
            Ok(answered) => upstream.answered(target, round.targets(), answered.head.status),
            Err(Broken::Unreached(trouble) | Broken::Ended(trouble)) if trouble.failure().is_of_upstream() => {
                upstream.failed(target, round.targets());
            }
            Err(_) => {}
        }
    }

    /// Lets the peer show the certificate that the current token is bound to; that token is the one to carry.
    pub(super) fn bind(&self, peer: &mut HttpPeer) -> Option<Arc<Token>> {
        let token = self.plan.token.as_ref()?;
        let certificate = token.certificate.as_ref()?;
        let current = token.slot.token()?;
        certificate.show(&current, peer);
        Some(current)
    }

    /// Puts the token into a request, and says its generation; 0: none.
    pub(super) fn carry(
        &self,
        bound: Option<&Arc<Token>>,
        host: usize,
        request: &mut RequestHeader,
    ) -> Result<u64, Broken> {
        let Some(token) = &self.plan.token else { return Ok(0) };
        match egress::carry(token, bound, host, Instant::now(), request) {
            Ok(Carried::Token(generation)) => Ok(generation),
            Ok(Carried::Nothing) => Ok(0),
            Err(failure) => {
                token.metrics.missing(MissingAction::Reject);
                Err(Broken::of(failure))
            }
        }
    }

    /// The answer to a token that is not taken is no answer to the request, and is not kept.
    fn is_rejected(&self, generation: u64, sent: &Result<Answered, Broken>) -> bool {
        let Some(token) = self.plan.token.as_ref().filter(|_| generation > 0) else { return false };
        let verdict = |answered: &Answered| rejection::verdict(token, answered.head.status, &answered.head.headers);
        sent.as_ref().is_ok_and(|answered| verdict(answered) != Verdict::Accepted)
    }

    /// Makes a request fit a connection on which nothing has been sent yet, if the connection is good enough for it.
    fn fit(&self, session: &HttpSession, peer: &HttpPeer, request: &mut RequestHeader) -> Result<(), Broken> {
        let transport = &self.plan.transport;
        if !transport.accepts(session.digest()) {
            return Err(Broken::Unreached(Trouble::Failure(Failure::Connect, "version of TLS")));
        }
        let is_http2 = matches!(session, HttpSession::H2(_));
        if transport.only_http2 && peer.options.alpn == ALPN::H2 && !is_http2 {
            return Err(Broken::Ended(Trouble::Failure(Failure::UpstreamProtocol, "version of HTTP")));
        }
        if is_http2 {
            as_http2(request, peer.is_tls()).ok_or_else(|| Broken::of(Failure::Internal))?;
        }
        egress::close_after(self.plan, request).map_err(|_| Broken::of(Failure::Internal))
    }

    /// Sends a request to a peer.
    pub(super) async fn send(
        &self,
        peer: &HttpPeer,
        mut request: Box<RequestHeader>,
        body: &Bytes,
    ) -> Result<Answered, Broken> {
        let connector = &self.composer.connector;
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let trouble = |error: &pingora::Error| Trouble::of_upstream(error, self.left());
        let connected = connector.get_http_session(peer).await;
        let (mut session, reused) = connected.map_err(|error| Broken::unreached(&error, trouble(&error)))?;
        self.fit(&session, peer, &mut request)?;
        let waits = Waits { head: self.plan.transport.head, body: self.left() };
        session.set_write_timeout(Some(self.left()));
        match exchange(&mut session, request, body, waits, |head| self.hold.bytes(head)).await {
            Ok(read) if read.whole => {
                if read.sent {
                    connector.release_http_session(session, peer, peer.options.idle_timeout).await;
                }
                Ok(Answered { head: read.head, body: read.body, rest: None })
            }
            Ok(read) => {
                let rest = Rest::new(session, peer.clone(), read.sent.then(|| connector.clone()));
                Ok(Answered { head: read.head, body: read.body, rest: Some(rest) })
            }
            Err(error) if refused::is_refused(&error) => Err(Broken::Refused(trouble(&error))),
            Err(error) if reused && session.response_header().is_none() => Err(Broken::Closed(trouble(&error))),
            Err(error) => Err(Broken::Ended(trouble(&error))),
        }
    }
}

/// An attempt without an answer.
pub(super) enum Broken {
    /// There was no connection: nothing has been sent.
    Unreached(Trouble),
    /// A kept connection broke before there was any answer.
    Closed(Trouble),
    /// The upstream has not looked at the request.
    Refused(Trouble),
    /// Anything else.
    Ended(Trouble),
}

impl From<Trouble> for Broken {
    fn from(trouble: Trouble) -> Self {
        Self::Ended(trouble)
    }
}

impl Broken {
    /// A failure that ends the call.
    pub(super) fn of(failure: Failure) -> Self {
        Self::Ended(Trouble::Failure(failure, ""))
    }

    /// There was no connection. Where we have no socket for one, there is none for another address either.
    fn unreached(error: &pingora::Error, trouble: Trouble) -> Self {
        match shortage::of(error) {
            Some(Shortage::Sockets) => Self::Ended(trouble),
            Some(Shortage::Ports) | None => Self::Unreached(trouble),
        }
    }

    /// What went wrong.
    pub(super) fn trouble(self) -> Trouble {
        match self {
            Self::Unreached(trouble) | Self::Closed(trouble) | Self::Refused(trouble) | Self::Ended(trouble) => trouble,
        }
    }
}
