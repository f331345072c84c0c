//! Sending a request once more because the upstream rejected its token: [`rejection`] decides, the slot gives a newer token,
//! and Pingora's retry does the sending.
//!
//! The wait for a newer token is in `upstream_response_filter`, while the upstream's answer is still in our hands: if no
//! token comes, that answer goes to the client unchanged. An error that is marked for a retry makes Pingora begin again
//! with `upstream_peer`; the connection with the refused request is not used again (`pingora-proxy/src/proxy_h1.rs`).

use crate::forward::rejection::{self, REPLAY_WAIT, Repeat, Verdict};
use crate::proxy::context::{Context, Route};
use crate::proxy::wire;
use crate::telemetry::metrics::ReplayResult;
use crate::token::rejection::Hope;
use pingora::http::ResponseHeader;
use pingora::{Error, ErrorType, Result};
use pingora_proxy::Session;
use std::time::{Duration, Instant};

/// What the upstream's answer says of the token it was given. Keeps the nonce that it came with.
pub(super) fn verdict(ctx: &Context, response: &mut ResponseHeader) -> Verdict {
    let Some(route) = ctx.route.as_ref().filter(|route| route.generation > 0) else { return Verdict::Accepted };
    let Some(token) = &route.plan.token else { return Verdict::Accepted };
    let verdict = rejection::verdict(token, response.status, &response.headers);
    if let Some(dpop) = &token.dpop {
        // It is meant for us: the client makes no proofs.
        let nonce = response.remove_header(&rejection::DPOP_NONCE);
        let nonce = nonce.as_ref().and_then(|nonce| nonce.to_str().ok());
        if let (Some(nonce), Some(origin)) = (nonce, dpop.origins.get(route.host)) {
            origin.nonce.keep(nonce);
        }
    }
    verdict
}

/// Carries out what follows from it: an error makes the request be sent again, otherwise the answer passes.
pub(super) async fn again(session: &mut Session, ctx: &mut Context, verdict: Verdict) -> Result<()> {
    let left = ctx.left();
    let answered = wire::answered(session).is_some();
    let has_whole_body = session.is_body_done() && !session.retry_buffer_truncated();
    let Some(route) = &mut ctx.route else { return Ok(()) };
    let Some(token) = &route.plan.token else { return Ok(()) };
    let method = route.plan.method.as_ref().unwrap_or(&session.req_header().method);
    let repeat = Repeat { method, has_whole_body, answered, left };
    let may_repeat = rejection::may_repeat(token.replay, verdict, &repeat);
    let is_sent_again = match verdict {
        Verdict::Accepted => false,
        Verdict::WantsNonce => take_nonce(route, may_repeat),
        Verdict::Rejected => replace_token(route, may_repeat, left).await,
    };
    if !is_sent_again {
        return Ok(());
    }
    route.replays.pending = true;
    let mut error = Error::new_up(ErrorType::HTTPStatus(401));
    error.set_retry(true);
    Err(error)
}

/// The nonce is there already: it came with the answer.
fn take_nonce(route: &mut Route, may_repeat: bool) -> bool {
    let Some(token) = route.plan.token.as_ref().filter(|_| may_repeat && !route.replays.nonce) else { return false };
    token.metrics.nonce();
    route.replays.nonce = true;
    true
}

/// Orders a newer token, and waits for it if the request can be repeated.
async fn replace_token(route: &mut Route, may_repeat: bool, left: Duration) -> bool {
    let Some(token) = &route.plan.token else { return false };
    // A part of the time is for the upstream: with nothing left, its answer would become a timeout of ours.
    let wait = REPLAY_WAIT.min(left.mul_f64(0.75));
    let result = if route.replays.token {
        // New though it was, it was rejected: that is no matter of tokens.
        ReplayResult::SecondTime
    } else {
        match token.slot.reject(route.generation, Instant::now()) {
            Hope::Throttled => ReplayResult::Throttled,
            _ if !may_repeat => ReplayResult::Unrepeatable,
            hope => {
                let is_there = token.slot.newer_within(route.generation, hope, wait).await;
                if is_there { ReplayResult::Sent } else { ReplayResult::NoNewToken }
            }
        }
    };
    token.metrics.rejection(result);
    route.replays.token |= result == ReplayResult::Sent;
    result == ReplayResult::Sent
}

/// Whether the error that ended an attempt was made by [`again`]. Asked once.
pub(super) fn is_pending(ctx: &mut Context) -> bool {
    ctx.route.as_mut().is_some_and(|route| std::mem::take(&mut route.replays.pending))
}
