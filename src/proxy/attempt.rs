//! The attempts of a streamed request, by means of Pingora's retry: who is asked next, and what targets and the circuit breaker
//! learn of each.

use crate::base::Failure;
use crate::forward::refused;
use crate::forward::retry::{self, Broken};
use crate::forward::shortage::{self, Shortage};
use crate::proxy::context::Context;
use crate::proxy::wire;
use http::StatusCode;
use pingora::ErrorType::{ReadError, ReadTimedout};
use pingora::{Error, ErrorSource, Result, RetryType};
use pingora_proxy::Session;
use std::time::Instant;

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

/// There was no connection: whether another attempt is made.
pub(super) fn unreached(session: &Session, ctx: &mut Context, error: &Error) -> bool {
    let (left, shortage) = (ctx.left(), shortage::of(error));
    if shortage == Some(Shortage::Sockets) {
        return false;
    }
    let Some(route) = &mut ctx.route else { return false };
    let upstream = &route.plan.backend.upstream;
    if let Some(target) = route.round.target().filter(|_| shortage.is_none()) {
        upstream.failed(target, route.round.targets());
    }
    let method = route.plan.backend.method.as_ref().unwrap_or(&session.req_header().method);
    retry::is_sent_again(upstream, &mut route.round, Broken::Unreached, method, left, Instant::now())
}

/// There is a connection that cannot be used.
pub(super) fn unfit(ctx: &Context) {
    let Some(route) = &ctx.route else { return };
    if let Some(target) = route.round.target() {
        route.plan.backend.upstream.failed(target, route.round.targets());
    }
}

/// An exchange came to no end: whether another attempt is made.
pub(super) fn broken(session: &mut Session, ctx: &mut Context, error: &Error, client_reused: bool) -> bool {
    let (left, has_failed) = (ctx.left(), ctx.failure.is_some());
    let is_whole = !session.retry_buffer_truncated() && wire::answered(session).is_none();
    let is_client_late = is_client_late(session, error);
    let Some(route) = &mut ctx.route else { return false };
    let upstream = &route.plan.backend.upstream;
    if let Some(broken) = kind(error, client_reused) {
        let method = route.plan.backend.method.as_ref().unwrap_or(&session.req_header().method);
        return is_whole && retry::is_sent_again(upstream, &mut route.round, broken, method, left, Instant::now());
    }
    let is_at_fault = *error.esource() == ErrorSource::Upstream && !has_failed && !is_client_late;
    if let Some(target) = route.round.target().filter(|_| is_at_fault && !route.is_answered) {
        upstream.failed(target, route.round.targets());
    }
    false
}

/// What of an error makes another attempt thinkable. Pingora marks those that do.
fn kind(error: &Error, client_reused: bool) -> Option<Broken> {
    match error.retry {
        _ if refused::is_refused(error) => Some(Broken::Refused),
        RetryType::ReusedOnly if client_reused => Some(Broken::Closed),
        // An upstream that does not speak HTTP/2 after all is asked by HTTP/1.1.
        RetryType::Decided(true) => Some(Broken::Closed),
        RetryType::ReusedOnly | RetryType::Decided(false) => None,
    }
}

/// Whether an upstream has waited in vain for a client's body: its silence is the client's fault then, and a client that is slow on
/// purpose must not be able to have addresses left out.
fn is_client_late(session: &mut Session, error: &Error) -> bool {
    matches!(error.etype(), ReadTimedout | ReadError) && !session.is_body_done()
}

/// The head of an answer is there.
pub(super) fn answered(ctx: &mut Context, status: StatusCode, now: Instant) {
    let Some(route) = &mut ctx.route else { return };
    route.is_answered = true;
    if let Some(target) = route.round.target() {
        route.plan.backend.upstream.answered(target, route.round.targets(), status);
    }
    if let Some(permit) = route.permit.take() {
        permit.succeed(now);
    }
}

/// The request has failed for good.
pub(super) fn ended(session: &mut Session, ctx: &mut Context, failure: Failure, error: &Error) {
    let Some(permit) = ctx.route.as_mut().and_then(|route| route.permit.take()) else { return };
    if failure.is_of_upstream() && !is_client_late(session, error) {
        permit.fail(Instant::now());
    }
}
