//! One backend asked once: a host that takes the connection, a token that the upstream takes, the answer.

use crate::base::Failure;
use crate::compose::Composer;
use crate::compose::answered::{Answered, Rest};
use crate::compose::elsewhere::Stranger;
use crate::compose::exchange::{Waits, as_http2, exchange};
use crate::compose::kept::{self, Kept, Looked};
use crate::compose::loan::Loan;
use crate::compose::prepare::{self, Prepared};
use crate::compose::redirect::{self, Hop};
use crate::compose::request::ClientRequest;
use crate::compose::trouble::Trouble;
use crate::compose::unanswered::Unanswered;
use crate::forward::declared_length;
use crate::forward::egress::{self, Carried};
use crate::forward::martian::{self, Destination};
use crate::forward::rejection::{self, Repeat, Verdict};
use crate::forward::replay::{self, Replays};
use crate::forward::retry::{self, Broken};
use crate::snapshot::backend::BackendPlan;
use crate::snapshot::balance::Round;
use crate::snapshot::target::Params;
use crate::snapshot::targets::Target;
use crate::telemetry::metrics::MissingAction;
use crate::token::slot::Token;
use bytes::Bytes;
use http::{Method, StatusCode, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora_core::upstreams::peer::HttpPeer;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

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
    fn bytes(self, method: &Method, head: &ResponseHeader) -> usize {
        match self {
            Self::All(bytes) => bytes,
            Self::Cacheable(bytes) if kept::is_worth_keeping(&head.headers) && !is_longer(method, head, bytes) => bytes,
            Self::Nothing | Self::Cacheable(_) => 0,
        }
    }
}

/// Whether an answer says that its body is longer than what is kept. Without a body that length is of another answer
/// (RFC 9110 §8.6).
fn is_longer(method: &Method, head: &ResponseHeader, most: usize) -> bool {
    let has_body = method != Method::HEAD && head.status != StatusCode::NOT_MODIFIED;
    has_body && declared_length(&head.headers).is_some_and(|length| length > most)
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
            let mut answered = result?;
            if let Some(rest) = &mut answered.rest {
                rest.keep_under_way(round);
            }
            return Ok(answered);
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
            let mut answered = if self.decoded && !self.plan.no_redirect {
                redirect::follow(self, hop, round).await?
            } else {
                hop.answered
            };
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
            let Unanswered { broken, trouble } = match self.attempt(target, round).await {
                Ok(sent) => return Ok(sent),
                Err(unanswered) => unanswered,
            };
            let Some(broken) = broken else { return Err(trouble) };
            let upstream = &self.plan.upstream;
            if !retry::is_sent_again(upstream, round, broken, self.method(), self.left(), Instant::now()) {
                return Err(trouble);
            }
        }
    }

    async fn attempt(&self, target: Arc<Target>, round: &mut Round) -> Result<Sent, Unanswered> {
        let left = self.left();
        let Prepared { head: mut request, body, elsewhere, is_answered, modified } = self.prepare(&target.host)?;
        if is_answered {
            return Ok(Sent { answered: prepare::empty_answer()?, target, generation: 0, modified });
        }
        let mut peer = target.peer(left, left, false);
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
            self.send_to(&target, round, peer, request, &body).await
        };
        let sent = match looked {
            Some(looked) if !self.is_rejected(generation, &sent) => looked.settle(sent, round.has_another()),
            _ => sent,
        };
        Ok(Sent { answered: sent?, target, generation, modified })
    }

    /// Sends a request to a target where the round is, which learns how it fared.
    pub(super) async fn send_to(
        &self,
        target: &Target,
        round: &mut Round,
        peer: Box<HttpPeer>,
        request: Box<RequestHeader>,
        body: &Bytes,
    ) -> Result<Answered, Unanswered> {
        round.awaits(true);
        let sent = self.send(peer, Some(target), request, body).await;
        round.awaits(false);
        self.tell(target, round, &sent);
        sent
    }

    /// Tells how a target fared. A kept connection that is closed, or a stream that is refused, says nothing of it.
    fn tell(&self, target: &Target, round: &Round, sent: &Result<Answered, Unanswered>) {
        let upstream = &self.plan.upstream;
        match sent {
            Ok(answered) => upstream.answered(target, round.targets(), answered.head.status),
            Err(Unanswered { broken: None | Some(Broken::Unreached), trouble })
                if trouble.failure().is_of_upstream() =>
            {
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
    ) -> Result<u64, Unanswered> {
        let Some(token) = &self.plan.token else { return Ok(0) };
        match egress::carry(token, bound, host, Instant::now(), request) {
            Ok(Carried::Token(generation)) => Ok(generation),
            Ok(Carried::Nothing) => Ok(0),
            Err(failure) => {
                token.metrics.missing(MissingAction::Reject);
                Err(Unanswered::of(failure))
            }
        }
    }

    /// The answer to a token that is not taken is no answer to the request, and is not kept.
    fn is_rejected(&self, generation: u64, sent: &Result<Answered, Unanswered>) -> bool {
        let Some(token) = self.plan.token.as_ref().filter(|_| generation > 0) else { return false };
        let verdict = |answered: &Answered| rejection::verdict(token, answered.head.status, &answered.head.headers);
        sent.as_ref().is_ok_and(|answered| verdict(answered) != Verdict::Accepted)
    }

    /// Makes a request fit a connection on which nothing has been sent yet, if the connection is good enough for it.
    fn fit(&self, loan: &Loan, request: &mut RequestHeader) -> Result<(), Unanswered> {
        let version = if loan.is_http2() { Version::HTTP_2 } else { Version::HTTP_11 };
        if let Err(unfit) = self.plan.transport.fits(loan.peer(), loan.digest(), version) {
            return Err(Trouble::Failure(unfit.failure(), unfit.as_str()).broken(Broken::Unreached));
        }
        if loan.is_http2() {
            as_http2(request, loan.peer().is_tls()).ok_or_else(|| Unanswered::of(Failure::Internal))?;
        }
        egress::close_after(self.plan, request).map_err(|_| Unanswered::of(Failure::Internal))
    }

    /// Sends a request to a peer, which is one of a target or of a stranger.
    pub(super) async fn send(
        &self,
        peer: Box<HttpPeer>,
        target: Option<&Target>,
        mut request: Box<RequestHeader>,
        body: &Bytes,
    ) -> Result<Answered, Unanswered> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let broken = |error: &pingora::Error, broken: Option<Broken>| {
            let trouble = Trouble::of_upstream(error, self.left());
            Unanswered { broken, trouble }
        };
        let taken = Loan::take(&self.composer.connector, peer, self.deadline).await;
        let (mut loan, reused) = taken.map_err(|error| broken(&error, retry::unconnected(&error)))?;
        self.fit(&loan, &mut request)?;
        loan.attend(body);
        let waits = Waits { head: self.plan.transport.head, body: self.left() };
        loan.set_write_timeout(Some(self.left()));
        match exchange(&mut loan, request, body, waits, |head| self.hold.bytes(self.method(), head)).await {
            Ok(read) if read.whole => {
                if read.sent {
                    loan.give_back().await;
                }
                Ok(Answered { head: read.head, body: read.body, rest: None })
            }
            Ok(read) => {
                let rest = Some(Rest::new(loan, read.sent));
                Ok(Answered { head: read.head, body: read.body, rest })
            }
            Err(mut error) => {
                loan.failed(&mut error);
                if let Some(target) = target.filter(|_| retry::wants_http1(&error)) {
                    target.state.prefer_http1();
                }
                let kind = retry::kind(&error, reused).filter(|_| loan.response_header().is_none());
                Err(broken(&error, kind))
            }
        }
    }
}
