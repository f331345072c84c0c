//! The attempts of a streamed request, by means of Pingora's retry: who is asked next, and what targets and the circuit breaker
//! learn of each.

use crate::base::Failure;
use crate::forward::retry::{self, Broken};
use crate::forward::{errors, shortage};
use crate::proxy::context::Context;
use crate::proxy::wire;
use crate::snapshot::transport::Unfit;
use http::StatusCode;
use pingora::ErrorType::{ConnectionClosed, ReadError, ReadTimedout};
use pingora::{Error, ErrorSource, Result};
use pingora_proxy::Session;
use std::time::{Duration, Instant};

/// A body of which nothing came for so long does not move.
const STALLED: Duration = Duration::from_secs(1);

/// Lets the request pass the circuit breaker of its backend, or answers it.
pub(super) async fn is_stopped(session: &mut Session, ctx: &mut Context) -> Result<bool> {
    let Some(route) = &mut ctx.route else { return Ok(false) };
    let admitted = route.plan.backend.breaker.as_ref().map(|breaker| breaker.admit(ctx.started));
    if let Some(Err(_)) = admitted {
        ctx.failure = Some(Failure::CircuitOpen);
        wire::write(session, ctx, ctx.failure_reply(Failure::CircuitOpen)).await?;
        return Ok(true);
    }
    route.permit = admitted.and_then(std::result::Result::ok);
    Ok(false)
}

/// There was no connection, or none with room for a stream: whether another attempt is made.
pub(super) fn unconnected(session: &Session, ctx: &mut Context, error: &Error) -> bool {
    // Where we have no socket for one, there is none for another address either.
    let Some(broken) = retry::unconnected(error) else { return false };
    before_sending(session, ctx, broken, shortage::of(error).is_none())
}

/// There is a connection that cannot be used: the error that leads on to the next target, if there is one.
pub(super) fn unfit<T>(ctx: &mut Context, unfit: Unfit) -> Result<T> {
    if let Some(route) = &mut ctx.route {
        route.unfit = Some(unfit);
    }
    Err(ctx.fail(unfit.failure()))
}

/// Nothing has been sent: whether another attempt is made. `is_at_fault`: the target is, if there was no connection to it.
fn before_sending(session: &Session, ctx: &mut Context, broken: Broken, is_at_fault: bool) -> bool {
    let left = ctx.left();
    let Some(route) = &mut ctx.route else { return false };
    let upstream = &route.plan.backend.upstream;
    if let Some(target) = route.round.target().filter(|_| is_at_fault && broken == Broken::Unreached) {
        upstream.failed(target, route.round.targets());
    }
    let method = route.plan.backend.method.as_ref().unwrap_or(&session.req_header().method);
    retry::is_sent_again(upstream, &mut route.round, broken, method, left, Instant::now())
}

/// An exchange came to no end: whether another attempt is made.
pub(super) fn broken(session: &mut Session, ctx: &mut Context, error: &Error, client_reused: bool) -> bool {
    if ctx.route.as_mut().and_then(|route| route.unfit.take()).is_some() {
        let again = before_sending(session, ctx, Broken::Unreached, true);
        ctx.failure = ctx.failure.filter(|_| !again);
        return again;
    }
    let (left, has_failed) = (ctx.left(), ctx.failure.is_some());
    let is_whole = !session.retry_buffer_truncated() && wire::answered(session).is_none();
    let is_client_late = is_client_late(session, ctx, error);
    let Some(route) = &mut ctx.route else { return false };
    if let Some(target) = route.round.target().filter(|_| retry::wants_http1(error)) {
        target.state.prefer_http1();
    }
    let upstream = &route.plan.backend.upstream;
    if let Some(broken) = retry::kind(error, client_reused).filter(|_| !route.has_begun) {
        let method = route.plan.backend.method.as_ref().unwrap_or(&session.req_header().method);
        return is_whole && retry::is_sent_again(upstream, &mut route.round, broken, method, left, Instant::now());
    }
    let is_at_fault = *error.esource() == ErrorSource::Upstream && !has_failed && !is_client_late;
    if let Some(target) = route.round.target().filter(|_| is_at_fault && !route.is_answered) {
        upstream.failed(target, route.round.targets());
    }
    false
}

/// Which failure an error is, on either side.
pub(super) fn failure(session: &mut Session, ctx: &Context, error: &Error) -> Failure {
    match errors::failure(error, ctx.left()) {
        Failure::UpstreamTimeout if is_client_late(session, ctx, error) => Failure::RequestTimeout,
        other => other,
    }
}

/// Whether an upstream has waited in vain for a client's body: that it is silent, or has gone, is the client's fault then, and a
/// client that is slow on purpose must not be able to have addresses left out. One that breaks off an upload which moves has not
/// waited.
fn is_client_late(session: &mut Session, ctx: &Context, error: &Error) -> bool {
    let has_waited = match error.etype() {
        ReadTimedout => true,
        ReadError | ConnectionClosed => ctx.ready.elapsed() >= STALLED,
        _ => false,
    };
    has_waited && wire::is_body_awaited(session)
}

/// The error of an upstream whose answer was not there in time, if that is so. It ended the exchange by way of the client's stream,
/// and Pingora took it for the client's.
pub(super) fn overdue(session: &Session) -> Option<Box<Error>> {
    wire::is_overdue(session).then(|| Error::new_up(ReadTimedout))
}

/// The head of an answer is there.
pub(super) fn answered(ctx: &mut Context, status: StatusCode) {
    let Some(route) = &mut ctx.route else { return };
    route.is_answered = true;
    if let Some(target) = route.round.target() {
        route.plan.backend.upstream.answered(target, route.round.targets(), status);
    }
}

/// It is the answer to the request: none to a token that is to be replaced.
pub(super) fn accepted(ctx: &mut Context, status: StatusCode, now: Instant) {
    if let Some(permit) = ctx.route.as_mut().and_then(|route| route.permit.take()) {
        permit.answered(status, now);
    }
}

/// The request has failed for good.
pub(super) fn ended(session: &mut Session, ctx: &mut Context, failure: Failure, error: &Error) {
    let is_at_fault = failure.is_of_upstream() && !is_client_late(session, ctx, error);
    let Some(permit) = ctx.route.as_mut().and_then(|route| route.permit.take()) else { return };
    if is_at_fault {
        permit.fail(Instant::now());
    }
}
