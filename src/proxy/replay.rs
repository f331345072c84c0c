//! Sending a streamed request once more because the upstream rejected its token, by means of Pingora's retry.
//!
//! The wait for a newer token is in `upstream_response_filter`, while the upstream's answer is still in our hands: if no
//! token comes, that answer goes to the client unchanged. An error that is marked for a retry makes Pingora begin again
//! with `upstream_peer`; the connection with the refused request is not used again (`pingora-proxy/src/proxy_h1.rs`).

use crate::forward::rejection::{self, Repeat, Verdict};
use crate::forward::replay;
use crate::proxy::context::Context;
use crate::proxy::wire;
use pingora::http::ResponseHeader;
use pingora::{Error, ErrorType, Result};
use pingora_proxy::Session;

/// What the upstream's answer says of the token it was given. Keeps the nonce that it came with.
pub(super) fn verdict(ctx: &Context, response: &mut ResponseHeader) -> Verdict {
    let Some(route) = ctx.route.as_ref().filter(|route| route.generation > 0) else { return Verdict::Accepted };
    let Some(token) = &route.plan.backend.token else { return Verdict::Accepted };
    let verdict = rejection::verdict(token, response.status, &response.headers);
    replay::keep_nonce(token, route.host(), response);
    verdict
}

/// Carries out what follows from it: an error makes the request be sent again, otherwise the answer passes.
pub(super) async fn again(session: &mut Session, ctx: &mut Context, verdict: Verdict) -> Result<()> {
    let left = ctx.left();
    let answered = wire::answered(session).is_some();
    let has_whole_body = session.is_body_done() && !session.retry_buffer_truncated();
    let Some(route) = &mut ctx.route else { return Ok(()) };
    let Some(token) = &route.plan.backend.token else { return Ok(()) };
    let method = route.plan.backend.method.as_ref().unwrap_or(&session.req_header().method);
    let repeat = Repeat { method, has_whole_body, answered, left };
    if !replay::again(token, route.generation, verdict, &repeat, &mut route.replays).await {
        return Ok(());
    }
    route.is_repeated = true;
    let mut error = Error::new_up(ErrorType::HTTPStatus(401));
    error.set_retry(true);
    Err(error)
}

/// Whether the error that ended an attempt was made by [`again`]. Asked once.
pub(super) fn is_pending(ctx: &mut Context) -> bool {
    ctx.route.as_mut().is_some_and(|route| std::mem::take(&mut route.is_repeated))
}
