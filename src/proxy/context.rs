//! What one request has been through.

use crate::base::Failure;
use crate::forward::martian::Sent;
use crate::forward::replay::Replays;
use crate::forward::reply::Reply;
use crate::forward::sender::Sender;
use crate::proxy::in_flight::Guard;
use crate::proxy::tunnel::Tunnel;
use crate::snapshot::Snapshot;
use crate::snapshot::balance::Round;
use crate::snapshot::breaker::Permit;
use crate::snapshot::composition::ComposePlan;
use crate::snapshot::endpoint::{Common, StreamPlan};
use crate::snapshot::target::Params;
use crate::snapshot::transport::Unfit;
use crate::telemetry::metrics::{EndpointMetrics, MissingAction};
use crate::token::slot::Token;
use http::Version;
use pingora::{Error, ErrorType};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The state of a request between Pingora's hooks.
pub struct Context {
    /// The configuration this request began with.
    pub snapshot: Arc<Snapshot>,
    /// When its head was read.
    pub started: Instant,
    /// Who sent it.
    pub sender: Sender,
    /// The endpoint whose bytes pass as they come, once found.
    pub route: Option<Route>,
    /// The endpoint whose answer is composed, once found.
    pub composed: Option<Composed>,
    /// The change to the WebSocket protocol that it asks for, where that is allowed.
    pub tunnel: Option<Tunnel>,
    /// Whether porteur itself has an endpoint at this path.
    pub is_built_in: bool,
    /// When it was ready to be sent upstream: later than `started` only if it had to wait for the first token, which has
    /// its own limit.
    pub ready: Instant,
    /// Why porteur itself answers.
    pub failure: Option<Failure>,
    /// The failure in Pingora's words, without its message.
    pub cause: &'static str,
    /// Bytes of the request's body that have come.
    pub uploaded: usize,
    /// When the head of the upstream's answer was there.
    pub upstream_took: Option<Duration>,
    /// The version of HTTP that it came with.
    pub received: Version,
    _in_flight: Guard,
}

/// A composed endpoint and what became of it.
pub struct Composed {
    /// The endpoint.
    pub plan: Arc<ComposePlan>,
    /// Requests made to its backends.
    pub attempts: u8,
}

/// A matched endpoint and the attempts made for it.
pub struct Route {
    /// The endpoint.
    pub plan: Arc<StreamPlan>,
    /// Values of its placeholders.
    pub params: Params,
    /// Its way through the backend's targets.
    pub round: Round,
    /// What it has passed the backend's circuit breaker with, until the outcome is known.
    pub permit: Option<Permit>,
    /// Attempts made.
    pub attempts: u8,
    /// Whether the last attempt has led to the head of an answer.
    pub is_answered: bool,
    /// Whether it has led to an interim answer.
    pub has_begun: bool,
    /// By which it is made. Of HTTP/2 Pingora bounds the wait for a head as a whole, and gives up a connection on which none
    /// came (`pingora-proxy/src/proxy_h2.rs`), which it does not where we end the wait.
    pub version: Version,
    /// Why its connection cannot be used.
    pub unfit: Option<Unfit>,
    /// The token of the attempt, where the connection depends on it: the certificate that is shown and the token that is
    /// carried must belong together.
    pub bound: Option<Arc<Token>>,
    /// The generation of the token that the last attempt carried; 0: none.
    pub generation: u64,
    /// What the upstream's answers have led to.
    pub replays: Replays,
    /// One is about to be made.
    pub is_repeated: bool,
    /// What the response side of the modifiers needs to know.
    pub modified: Option<Box<Sent>>,
}

impl Route {
    /// An endpoint that a request has just been matched with.
    #[must_use]
    pub fn new(plan: Arc<StreamPlan>, params: Params, round: Round) -> Self {
        Self {
            plan,
            params,
            round,
            permit: None,
            attempts: 0,
            is_answered: false,
            has_begun: false,
            version: Version::HTTP_11,
            unfit: None,
            bound: None,
            generation: 0,
            replays: Replays::default(),
            is_repeated: false,
            modified: None,
        }
    }
}

impl Route {
    /// The position of the host of the last attempt in the backend.
    #[must_use]
    pub fn host(&self) -> usize {
        self.round.target().map_or(0, |target| target.index)
    }
}

impl Context {
    /// The state of a request whose head has just been read.
    #[must_use]
    pub fn new(snapshot: Arc<Snapshot>, in_flight: Guard) -> Self {
        let started = Instant::now();
        Self {
            snapshot,
            started,
            sender: Sender::default(),
            route: None,
            composed: None,
            tunnel: None,
            is_built_in: false,
            ready: started,
            failure: None,
            cause: "",
            uploaded: 0,
            upstream_took: None,
            received: Version::HTTP_11,
            _in_flight: in_flight,
        }
    }

    /// What is left of the endpoint's timeout; zero when it is over.
    #[must_use]
    pub fn left(&self) -> Duration {
        let timeout = self.route.as_ref().map_or(Duration::ZERO, |route| route.plan.backend.timeout);
        timeout.saturating_sub(self.ready.elapsed())
    }

    /// The same for the attempt about to be made. Nothing has happened yet before the first one, so it has the whole
    /// timeout, and a look at the clock is saved.
    #[must_use]
    pub fn left_for_attempt(&self) -> Duration {
        match &self.route {
            Some(route) if route.attempts == 0 => route.plan.backend.timeout,
            _ => self.left(),
        }
    }

    /// The time by which a token is judged, by the same reasoning: the one that was good when the request was ready is good
    /// for its first attempt.
    #[must_use]
    pub fn now_for_token(&self) -> Instant {
        let first = self.route.as_ref().is_some_and(|route| route.attempts == 1);
        if first { self.ready } else { Instant::now() }
    }

    /// Remembers the failure and makes the error that ends the request.
    pub fn fail(&mut self, failure: Failure) -> Box<Error> {
        self.failure = Some(failure);
        Error::new(ErrorType::HTTPStatus(failure.status()))
    }

    /// The answer for a failure of this request.
    #[must_use]
    pub fn failure_reply(&self, failure: Failure) -> Reply {
        if failure == Failure::NoRoute {
            return Reply::unrouted(failure, &self.snapshot.router.settings().error_body);
        }
        let backend = self.route.as_ref().map(|route| &route.plan.backend);
        if let (Failure::CircuitOpen, Some(breaker)) = (failure, backend.and_then(|backend| backend.breaker.as_ref())) {
            return Reply::circuit_open(breaker.retry_after(Instant::now()), self.snapshot.return_error_msg);
        }
        let token = backend.and_then(|backend| backend.token.as_ref());
        match token.filter(|_| failure == Failure::TokenUnavailable) {
            None => Reply::failure(failure, None, self.snapshot.return_error_msg),
            Some(token) => {
                let retry_after = token.slot.retry_after(Instant::now());
                Reply::no_token(token.reject_status, retry_after, self.snapshot.return_error_msg)
            }
        }
    }

    /// Counts that there was no token for this request.
    pub fn count_missing(&self) {
        if let Some(token) = self.route.as_ref().and_then(|route| route.plan.backend.token.as_ref()) {
            token.metrics.missing(MissingAction::Reject);
        }
    }

    /// The endpoint, however its requests are carried.
    #[must_use]
    pub fn endpoint(&self) -> Option<&Common> {
        let streamed = self.route.as_ref().map(|route| &route.plan.common);
        streamed.or_else(|| self.composed.as_ref().map(|composed| &composed.plan.common))
    }

    /// Where this request is counted.
    #[must_use]
    pub fn metrics(&self) -> &EndpointMetrics {
        match self.endpoint() {
            Some(common) => &common.metrics,
            None if self.is_built_in => &self.snapshot.built_in,
            None => &self.snapshot.unrouted,
        }
    }
}
