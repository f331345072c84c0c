//! The `ProxyHttp` implementation: Pingora's hooks carry out what `forward` decides.
//!
//! Each hook is a few lines; what a request has been through is kept in [`context::Context`]. Nothing here decides.

mod attempt;
mod composed;
pub mod context;
mod echo;
mod http2;
pub mod in_flight;
mod modify;
mod payload;
mod replay;
pub mod tunnel;
mod wire;

use crate::base::Failure;
use crate::compose::Composer;
use crate::compose::exchanges::Exchanges;
use crate::config::model::{Limits, OnMissing};
use crate::downstream::connections::Connections;
use crate::downstream::refusal::Refusal;
use crate::forward::egress::Carried;
use crate::forward::ingress::{Ingress, ingress};
use crate::forward::rejection::Verdict;
use crate::forward::reply::Reply;
use crate::forward::{connection, egress, response, upgrade};
use crate::snapshot::Snapshot;
use crate::snapshot::endpoint::EndpointPlan;
use crate::snapshot::handshake;
use crate::telemetry::lines::Lines;
use crate::telemetry::metrics::Metrics;
use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use context::{Context, Route};
use http::{Version, header};
use in_flight::InFlight;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::{Error, Result};
use pingora_core::modules::http::HttpModules;
use pingora_core::protocols::Digest;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Instant;

/// What all requests of a gateway share.
pub struct Proxy {
    /// The configuration in force.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Where access lines go.
    pub lines: Lines,
    /// Requests under way.
    pub in_flight: InFlight,
    /// What clients may take.
    pub limits: Limits,
    /// How many of them there are.
    pub connections: Arc<Connections>,
    /// How many requests to upstreams there are.
    pub exchanges: Arc<Exchanges>,
    /// Carries composed endpoints.
    pub composer: Arc<Composer>,
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        Context::new(self.snapshot.load_full(), self.in_flight.enter())
    }

    /// No modules: the default one, compression, is off anyway and costs an allocation for each request.
    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, ctx: &mut Context) -> Result<bool> {
        self.limit_keepalive(session);
        // Off, Pingora would answer 400 to a request when anything of the next one comes before it is through.
        session.set_pipelining_enabled(true);
        if session.req_header().version == Version::HTTP_10 {
            // RFC 9110 §15.2: it knows no interim answers.
            session.set_ignore_info_resp(true);
        }
        if let Some(refusal) = http2::receive(session, &self.limits) {
            ctx.cause = refusal.cause();
            return Box::pin(answer(session, ctx, Ingress::Failure(refusal.failure()))).await;
        }
        ctx.sender = wire::sender(session, &ctx.snapshot.router.settings().trust);
        wire::clean(session, &ctx.snapshot, ctx.sender);
        match ingress(&ctx.snapshot, &wire::view(session, ctx.sender)) {
            Ingress::Endpoint(..) if self.in_flight.is_too_many() || self.exchanges.is_too_many() => {
                Box::pin(answer(session, ctx, Ingress::Failure(Failure::Overloaded))).await
            }
            Ingress::Endpoint(ref plan, _) if payload::is_declared_longer(session, plan.common().max_payload) => {
                Box::pin(answer(session, ctx, Ingress::Failure(Failure::TooLarge))).await
            }
            Ingress::Endpoint(EndpointPlan::Compose(plan), params) => {
                Box::pin(composed::answer(&self.composer, session, ctx, plan, params)).await
            }
            Ingress::Endpoint(EndpointPlan::Stream(plan), params) => {
                let round = plan.backend.upstream.round(ctx.started);
                ctx.tunnel = tunnel::asked(session, ctx.sender, &plan);
                let must_wait = plan.backend.token.as_ref().is_some_and(|token| !token.slot.is_usable(ctx.started));
                let has_breaker = plan.backend.breaker.is_some();
                ctx.route = Some(Route::new(plan, params, round));
                if has_breaker && Box::pin(attempt::is_stopped(session, ctx)).await? {
                    return Ok(true);
                }
                // Boxed, and so out of the way: this future is allocated for each request, this branch is rare.
                if must_wait { Box::pin(wait_for_token(session, ctx)).await } else { Ok(false) }
            }
            other => Box::pin(answer(session, ctx, other)).await,
        }
    }

    async fn upstream_peer(&self, session: &mut Session, ctx: &mut Context) -> Result<Box<HttpPeer>> {
        let (left, ready) = (ctx.left_for_attempt(), ctx.ready);
        let Some(route) = &mut ctx.route else { return Err(ctx.fail(Failure::Internal)) };
        // A kept connection that turns out to be closed is replaced on the same host; only a failed connect moves on.
        let Some(target) = route.round.begin(ready).cloned() else { return Err(ctx.fail(Failure::NoHost)) };
        if route.attempts == 0 {
            wire::answer_by(session, Some(ready + route.plan.backend.timeout));
        }
        route.attempts = route.attempts.saturating_add(1);
        (route.is_answered, route.has_begun) = (false, false);
        let has_hop_by_hop = connection::has_hop_by_hop(&session.req_header().headers);
        let mut peer = target.peer(left, route.plan.backend.timeout, has_hop_by_hop);
        if let Some(token) = &route.plan.backend.token
            && let Some(certificate) = &token.certificate
        {
            route.bound = token.slot.token();
            route.bound.iter().for_each(|token| certificate.show(token, &mut peer));
        }
        if let Some(tunnel) = &ctx.tunnel {
            handshake::for_handshake(&mut peer, &tunnel.terms, left, &tunnel.answer);
        }
        Ok(peer)
    }

    /// Nothing has been sent yet.
    async fn connected_to_upstream(
        &self,
        _: &mut Session,
        _: bool,
        _: &HttpPeer,
        _: RawFd,
        digest: Option<&Digest>,
        ctx: &mut Context,
    ) -> Result<()> {
        let accepted = ctx.route.as_ref().map_or(Ok(()), |route| route.plan.backend.transport.accepts(digest));
        accepted.or_else(|unfit| attempt::unfit(ctx, unfit))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Context,
    ) -> Result<()> {
        let now = ctx.now_for_token();
        let Some(route) = &mut ctx.route else { return Err(ctx.fail(Failure::Internal)) };
        let plan = &route.plan.backend;
        if let Err(unfit) = plan.transport.speaks(request.version) {
            return attempt::unfit(ctx, unfit);
        }
        route.version = request.version;
        if route.version == Version::HTTP_2 {
            wire::answer_by(session, None);
        }
        let Some(target) = route.round.target() else { return Err(ctx.fail(Failure::Internal)) };
        let host = &*target.host;
        let view = wire::view(session, ctx.sender);
        let rewritten = egress::rewrite(plan, &route.params, &host.authority, &view, request);
        let carried = rewritten.and_then(|()| {
            if let Some(martian) = &plan.martian {
                route.modified = Some(modify::request(plan, martian, host, &view, &route.params, request)?);
            }
            let carry = |token| egress::carry(token, route.bound.as_ref(), target.index, now, request);
            plan.token.as_ref().map_or(Ok(Carried::Nothing), carry)
        });
        match carried {
            Ok(Carried::Token(generation)) => route.generation = generation,
            Ok(Carried::Nothing) => route.generation = 0,
            Err(failure) => return Err(ctx.fail(failure)),
        }
        if egress::take_expectation(request) && session.req_header().version == Version::HTTP_11 {
            session.write_continue_response().await?;
        }
        egress::close_after(&route.plan.backend, request)
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        _: &mut Option<Bytes>,
        _: bool,
        ctx: &mut Context,
    ) -> Result<()> {
        // The upstream's time begins when it has the request. What is kept of a body and sent once more is nothing new.
        let uploaded = session.body_bytes_read();
        if uploaded > ctx.uploaded && ctx.upstream_took.is_none() {
            (ctx.uploaded, ctx.ready) = (uploaded, Instant::now());
            if let Some(route) = ctx.route.as_ref().filter(|route| route.version != Version::HTTP_2) {
                wire::answer_by(session, Some(ctx.ready + route.plan.backend.timeout));
            }
        }
        payload::check(session, ctx)
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        _: &HttpPeer,
        ctx: &mut Context,
        mut error: Box<Error>,
    ) -> Box<Error> {
        // Nothing has been sent, so any request may go to the next host while there is time.
        error.set_retry(attempt::unconnected(session, ctx, &error));
        error
    }

    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        session: &mut Session,
        error: Box<Error>,
        ctx: &mut Context,
        client_reused: bool,
    ) -> Box<Error> {
        let mut error = attempt::overdue(session).unwrap_or(error);
        if replay::is_pending(ctx) {
            // Decided when the answer came; nothing has gone downstream since.
            error.set_retry(true);
            return error;
        }
        let again = attempt::broken(session, ctx, &error, client_reused);
        error.set_retry(again);
        error
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Context,
    ) -> Result<()> {
        response::check(response, ctx.tunnel.is_some()).map_err(|failure| ctx.fail(failure))?;
        // A `100 Continue` comes this way, too, and is not the answer; a `101 Switching Protocols` is.
        if response.status.is_informational() && !upgrade::is_accepted(response) {
            if let Some(route) = &mut ctx.route {
                route.has_begun = true;
            }
            return Ok(());
        }
        let now = Instant::now();
        ctx.upstream_took = Some(now.saturating_duration_since(ctx.started));
        ctx.received = response.version;
        attempt::answered(ctx, response.status);
        match replay::verdict(ctx, response) {
            Verdict::Accepted => {}
            // Boxed for the same reason as waiting for a token is.
            verdict => Box::pin(replay::again(session, ctx, verdict)).await?,
        }
        wire::answer_by(session, None);
        attempt::accepted(ctx, response.status, now);
        modify::response(session, ctx, response)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        upstream_response: &mut ResponseHeader,
        ctx: &mut Context,
    ) -> Result<()> {
        response::reduce(upstream_response);
        if let Some(tunnel) = &mut ctx.tunnel {
            tunnel.answered(session, upstream_response, &self.metrics);
        }
        response::sign(upstream_response, ctx.received)?;
        wire::dress(session, ctx, upstream_response)?;
        let ends_with_body = session.req_header().version == Version::HTTP_10 && response::unchunk(upstream_response);
        if ends_with_body || self.in_flight.is_draining() {
            session.set_keepalive(None);
        }
        Ok(())
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, ctx: &mut Context) -> FailToProxy {
        let by_client = wire::refusal(session).map(Refusal::failure);
        let told = ctx.failure.or(by_client);
        let failure = told.unwrap_or_else(|| attempt::failure(session, ctx, error));
        ctx.failure = Some(failure);
        ctx.cause = error.etype().as_str();
        attempt::ended(session, ctx, failure, error);
        let answerable = failure != Failure::ClientGone && wire::answered(session).is_none();
        if failure == Failure::TokenUnavailable {
            ctx.count_missing();
        }
        if !answerable {
            wire::break_off(session);
        }
        if answerable {
            // What is left of the request on this connection is not known, and Pingora will not use it again.
            session.set_keepalive(None);
            let _ = wire::write(session, ctx, ctx.failure_reply(failure)).await;
        }
        FailToProxy { error_code: failure.status(), can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, ctx: &mut Context) {
        wire::answer_by(session, None);
        let took = ctx.started.elapsed();
        if let (Some(error), None) = (error, ctx.failure) {
            ctx.failure = Some(attempt::failure(session, ctx, error));
            ctx.cause = error.etype().as_str();
        }
        if let Some(failure) = ctx.failure {
            self.metrics.failed(failure);
        }
        let status = wire::answered(session).or_else(|| ctx.failure.map(Failure::status)).unwrap_or_default();
        ctx.metrics().answered(status, took);
        if ctx.snapshot.access_log && !ctx.snapshot.router.is_unlogged(session.req_header().uri.path()) {
            self.lines.access(wire::record(session, ctx, status, took));
        }
    }

    /// Without the query: it may hold a key (`pingora-core`'s own summary has it).
    fn request_summary(&self, session: &Session, _: &Context) -> String {
        let request = session.req_header();
        format!("{} {}", request.method, request.uri.path())
    }

    /// The access log has the failure and its cause; a second line for each would only be louder.
    fn suppress_error_log(&self, _: &Session, _: &Context, _: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(&self, _: &Session, _: &Context, _: &Error, _: ProxyWarnLogContext) -> bool {
        true
    }
}

impl Proxy {
    /// Whether the connection has had as many requests as it may.
    fn is_last(&self, session: &Session) -> bool {
        let most = self.limits.requests_per_connection.map(|most| u64::from(most.get()));
        most.is_some_and(|most| wire::connection(session).is_some_and(|client| client.answered() + 1 >= most))
    }

    /// Whether the connection stays after this request, if the client wants that: a process that drains wants it gone, and so do
    /// others when there is no more room. Of several `Connection` fields Pingora looks at the first alone.
    fn limit_keepalive(&self, session: &mut Session) {
        if session.get_keepalive().is_none() {
            return;
        }
        let is_last = self.is_last(session);
        if is_last {
            self.connections.ended_with_last_request();
        }
        let wants_to_go = upgrade::lists(&session.req_header().headers, &header::CONNECTION, b"close");
        if wants_to_go || is_last || self.in_flight.is_draining() || self.connections.are_scarce() {
            session.set_keepalive(None);
        }
    }
}

/// Answers a request that is for no endpoint.
async fn answer(session: &mut Session, ctx: &mut Context, ingress: Ingress) -> Result<bool> {
    let reply = match ingress {
        Ingress::BuiltIn(built_in) => {
            ctx.is_built_in = true;
            let body = echo::body(session, built_in).await?;
            built_in.reply(&wire::view(session, ctx.sender), &body)
        }
        Ingress::Redirect { status, location } => Reply::redirect(status, location),
        Ingress::Options(allow) => {
            ctx.is_built_in = true;
            Reply::options(allow)
        }
        Ingress::MethodNotAllowed(allow) => {
            ctx.failure = Some(Failure::MethodNotAllowed);
            Reply::method_not_allowed(allow, &ctx.snapshot.router.settings().error_body)
        }
        Ingress::EncodedParams => {
            ctx.failure = Some(Failure::BadRequest);
            Reply::encoded_params()
        }
        Ingress::Failure(failure) => {
            ctx.failure = Some(failure);
            ctx.failure_reply(failure)
        }
        Ingress::Endpoint(..) => return Ok(false),
    };
    wire::write(session, ctx, reply).await?;
    Ok(true)
}

/// Waits for the very first token and answers if there is none to be had. The endpoint's timeout begins afterwards: it
/// is the upstream's.
async fn wait_for_token(session: &mut Session, ctx: &mut Context) -> Result<bool> {
    let Some(token) = ctx.route.as_ref().and_then(|route| route.plan.backend.token.as_ref()) else { return Ok(false) };
    let is_first = !token.slot.has_started();
    let waited = token.slot.started_within(token.first_token_wait).await;
    let now = Instant::now();
    if is_first {
        token.metrics.waited(now.saturating_duration_since(ctx.started));
    }
    if (waited && token.slot.is_usable(now)) || token.on_missing == OnMissing::Pass {
        ctx.ready = now;
        return Ok(false);
    }
    ctx.failure = Some(Failure::TokenUnavailable);
    ctx.count_missing();
    wire::write(session, ctx, ctx.failure_reply(Failure::TokenUnavailable)).await?;
    Ok(true)
}
