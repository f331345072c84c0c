//! How long the body of a request may be: what is declared is judged before anything is sent upstream, what is not is counted
//! while it comes.

use crate::base::Failure;
use crate::forward::declared_length;
use crate::proxy::context::Context;
use pingora::Result;
use pingora_proxy::Session;

/// Whether a request says itself that its body is longer.
pub(super) fn is_declared_longer(session: &Session, limit: Option<usize>) -> bool {
    limit.zip(declared_length(&session.req_header().headers)).is_some_and(|(limit, length)| length > limit)
}

/// The error that ends a request with a body that has turned out to be longer. Pingora counts what came in, whatever is sent
/// once more to another host. What comes after a change of protocol is no body.
pub(super) fn check(session: &Session, ctx: &mut Context) -> Result<()> {
    match ctx.endpoint().and_then(|endpoint| endpoint.max_payload) {
        Some(limit) if session.body_bytes_read() > limit && !session.was_upgraded() => Err(ctx.fail(Failure::TooLarge)),
        _ => Ok(()),
    }
}
