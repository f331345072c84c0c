//! Carrying a composed endpoint: the client's request is read whole, the answer of [`compose`](crate::compose) is written.

use crate::base::Failure;
use crate::compose::request::{ClientRequest, Held, LONGEST_BODY};
use crate::compose::{Answer, Answered, Composer, Content};
use crate::config::model::OutputEncoding;
use crate::forward::reply::Reply;
use crate::forward::{expect, response};
use crate::proxy::context::{Composed, Context};
use crate::proxy::{payload, wire};
use crate::snapshot::composition::ComposePlan;
use crate::snapshot::target::Params;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Method, StatusCode, Version};
use pingora::http::ResponseHeader;
use pingora::{Error, ErrorType, Result};
use pingora_proxy::Session;
use std::sync::Arc;
use std::time::Duration;

/// Answers the request.
pub(super) async fn answer(
    composer: &Arc<Composer>,
    session: &mut Session,
    ctx: &mut Context,
    plan: Arc<ComposePlan>,
    params: Params,
) -> Result<bool> {
    ctx.composed = Some(Composed { plan: plan.clone(), attempts: 0 });
    let limit = plan.common.max_payload.map_or(LONGEST_BODY, |limit| limit.min(LONGEST_BODY));
    let (body, share) = match in_time(session, composer, limit, plan.common.timeout).await {
        Ok(body) => body?,
        Err(failure) => return refuse(session, ctx, failure).await,
    };
    if let Some(Err(violation)) = plan.common.json_schema.as_ref().map(|schema| schema.check(&body)) {
        ctx.failure = Some(Failure::BadRequest);
        wire::write(session, ctx, Reply::violation(violation.to_string(), ctx.snapshot.return_error_msg)).await?;
        return Ok(true);
    }
    let mut head = session.req_header().clone();
    if head.method == Method::HEAD && plan.output != OutputEncoding::NoOp {
        // The head of the answer says how long its body would be, and there is no body to be made of backends' heads.
        head.set_method(Method::GET);
    }
    let request = Arc::new(ClientRequest { head, body, sender: ctx.sender, held: share });
    let with_message = ctx.snapshot.return_error_msg;
    let answer = tokio::select! {
        answer = composer.answer(&plan, &request, params, with_message) => answer,
        gone = left(session) => return Err(gone),
    };
    ctx.upstream_took = Some(ctx.started.elapsed());
    write(session, ctx, answer).await?;
    Ok(true)
}

/// The whole body, or why it is refused. Until it is here no backend has been asked. On a connection of HTTP/1 the limits of
/// clients bound it, as they do where bytes pass; in HTTP/2, which has none for bodies, the endpoint's timeout does.
async fn in_time(
    session: &mut Session,
    composer: &Composer,
    limit: usize,
    timeout: Duration,
) -> std::result::Result<Result<(Bytes, Held)>, Failure> {
    if !session.is_http2() {
        return body(session, composer, limit).await;
    }
    let body = tokio::time::timeout(timeout, body(session, composer, limit)).await;
    body.unwrap_or(Err(Failure::RequestTimeout))
}

async fn body(
    session: &mut Session,
    composer: &Composer,
    limit: usize,
) -> std::result::Result<Result<(Bytes, Held)>, Failure> {
    if payload::is_declared_longer(session, Some(limit)) {
        return Err(Failure::TooLarge);
    }
    if expect::waits(session.req_header().version, &session.req_header().headers)
        && let Err(error) = session.write_continue_response().await
    {
        return Ok(Err(error.into_down()));
    }
    let (mut body, mut held) = (BytesMut::new(), composer.held());
    loop {
        match session.read_request_body().await {
            Ok(None) => return Ok(Ok((body.freeze(), held))),
            Ok(Some(piece)) if body.len() + piece.len() > limit => return Err(Failure::TooLarge),
            Ok(Some(piece)) if !held.grow(piece.len()) => return Err(Failure::Overloaded),
            Ok(Some(piece)) => body.extend_from_slice(&piece),
            Err(error) => return Ok(Err(error.into_down())),
        }
    }
}

/// What is left of such a request on the connection is not read, so the connection ends with the answer.
async fn refuse(session: &mut Session, ctx: &mut Context, failure: Failure) -> Result<bool> {
    session.set_keepalive(None);
    ctx.failure = Some(failure);
    wire::write(session, ctx, ctx.failure_reply(failure)).await?;
    Ok(true)
}

/// Ends when the client leaves: nobody waits for what the backends say then, and their connections are closed.
async fn left(session: &mut Session) -> Box<Error> {
    loop {
        match session.as_downstream_mut().read_body_or_idle(true).await {
            Err(error) => return error.into_down(),
            // Not while the body is at its end.
            Ok(Some(_)) => {}
            Ok(None) => return Error::new_down(ErrorType::ConnectionClosed),
        }
    }
}

async fn write(session: &mut Session, ctx: &mut Context, answer: Answer) -> Result<()> {
    ctx.failure = answer.failure;
    ctx.cause = answer.cause;
    if let Some(composed) = &mut ctx.composed {
        composed.attempts = answer.attempts;
    }
    match answer.content {
        Content::Reply(reply) => wire::write(session, ctx, reply).await.map_err(Error::into_down),
        Content::Passed(answered) => pass(session, ctx, *answered).await,
    }
}

/// Writes an upstream's answer as it came.
async fn pass(session: &mut Session, ctx: &Context, answered: Answered) -> Result<()> {
    let Answered { mut head, body, rest } = answered;
    response::reduce(&mut head);
    let received = head.version;
    response::sign(&mut head, received)?;
    wire::dress(session, ctx, &mut head)?;
    frame(session, &mut head, rest.is_none().then_some(body.len()))?;
    session.write_response_header(Box::new(head), false).await.map_err(Error::into_down)?;
    wire::write_body(session, body, rest.is_none()).await.map_err(Error::into_down)?;
    let Some(mut rest) = rest else { return Ok(()) };
    while let Some(piece) = rest.read().await.map_err(Error::into_up)? {
        wire::write_body(session, piece, false).await.map_err(Error::into_down)?;
    }
    session.write_response_body(None, true).await.map_err(Error::into_down)?;
    rest.release().await;
    Ok(())
}

/// Says how long the body is, or how its end is told: an upstream's connection may end it, a client's need not. `length`: that of
/// a body that is there as a whole.
fn frame(session: &mut Session, head: &mut ResponseHeader, length: Option<usize>) -> Result<()> {
    // RFC 9110 §8.6: what has no body of its own says nothing of the length of another's.
    let bodiless = session.req_header().method == Method::HEAD
        || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let is_told = head.headers.contains_key(CONTENT_LENGTH);
    let knows_chunks = session.req_header().version != Version::HTTP_10;
    match length {
        _ if bodiless => drop(head.remove_header(&TRANSFER_ENCODING)),
        Some(length) => {
            head.remove_header(&TRANSFER_ENCODING);
            head.insert_header(CONTENT_LENGTH, length)?;
        }
        None if is_told => {}
        None if knows_chunks => {
            head.set_version(Version::HTTP_11);
            head.insert_header(TRANSFER_ENCODING, "chunked")?;
        }
        None => {
            response::unchunk(head);
            session.set_keepalive(None);
        }
    }
    Ok(())
}
