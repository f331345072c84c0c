//! Between Pingora's session and our own types: the view of a request, a reply written, the record of an answer.

use crate::config::model::Trust;
use crate::downstream::client_stream::ClientStream;
use crate::downstream::refusal::Refusal;
use crate::forward::ingress::cleaned_target;
use crate::forward::reply::Reply;
use crate::forward::sender::Sender;
use crate::forward::{RequestView, expect, security, sender};
use crate::proxy::context::Context;
use crate::snapshot::Snapshot;
use crate::telemetry::access::AccessRecord;
use bytes::Bytes;
use http::{Method, StatusCode, header};
use pingora::Result;
use pingora::http::ResponseHeader;
use pingora_proxy::Session;
use std::time::{Duration, Instant, SystemTime};

/// Bytes of a body that a client of HTTP/2 must take in the time that `super::http2` gives it: about as many in a second as
/// `min_send_rate` wants of one of HTTP/1.
const PIECE: usize = 16 * 1024;

/// The view of a session's request.
pub(super) fn view(session: &Session, sender: Sender) -> RequestView<'_> {
    let request = session.req_header();
    RequestView {
        method: &request.method,
        raw_target: request.raw_path(),
        path: request.uri.path(),
        query: request.uri.query(),
        headers: &request.headers,
        version: request.version,
        client: sender.client,
        secure: sender.secure,
        proxy: sender.proxy,
    }
}

/// Who sent the request of a session.
pub(super) fn sender(session: &Session, trust: &Trust) -> Sender {
    let peer = session.client_addr().and_then(|address| address.as_inet()).map(|address| address.ip().to_canonical());
    let is_tls = session.digest().is_some_and(|digest| digest.ssl_digest.is_some());
    sender::sender(trust, peer, is_tls, &session.req_header().headers)
}

/// The connection of a session of HTTP/1.
pub(super) fn connection(session: &Session) -> Option<&ClientStream> {
    ClientStream::of(session.stream()?.as_ref())
}

/// Why the body of the request ended early, if that is the client's fault.
pub(super) fn refusal(session: &Session) -> Option<Refusal> {
    connection(session)?.refusal()
}

/// Whether the client owes more of a request's body, and the upstream has got all that has come of it. (What an upstream of HTTP/2
/// has got Pingora does not know.)
pub(super) fn is_body_awaited(session: &mut Session) -> bool {
    let (read, sent) = (session.body_bytes_read(), session.upstream_body_bytes_sent());
    !session.is_body_done() && sent.is_none_or(|sent| sent == read) && (read > 0 || !waits_for_continue(session))
}

/// Whether the client does not send the body before it is told to, and it was not.
fn waits_for_continue(session: &Session) -> bool {
    let request = session.req_header();
    let is_told = session.response_written().is_some_and(|response| response.status == StatusCode::CONTINUE);
    expect::waits(request.version, &request.headers) && !is_told
}

/// Says by when the head of the answer must be there; `None`: it is. In HTTP/2 connections are shared, and nothing says it.
pub(super) fn answer_by(session: &Session, by: Option<Instant>) {
    connection(session).inspect(|connection| connection.answer_by(by));
}

/// Whether it was not there in time.
pub(super) fn is_overdue(session: &Session) -> bool {
    connection(session).is_some_and(ClientStream::is_overdue)
}

/// Lets a client that knows the end of an answer by the end of its connection alone see that this one is not whole.
pub(super) fn break_off(session: &Session) {
    let says_its_end = |response: &ResponseHeader| {
        [header::CONTENT_LENGTH, header::TRANSFER_ENCODING].iter().any(|name| response.headers.contains_key(name))
    };
    // What is tunnelled has ends of its own.
    let has_begun = |response: &&ResponseHeader| !response.status.is_informational();
    if session.response_written().filter(has_begun).is_some_and(|response| !says_its_end(response)) {
        connection(session).inspect(|connection| connection.break_off());
    }
}

/// The status of the answer that the client has begun to receive; a `100 Continue` is none, the end of HTTP is one.
pub(super) fn answered(session: &Session) -> Option<u16> {
    let status = session.response_written()?.status;
    (!status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS).then_some(status.as_u16())
}

/// Cleans the path of the request if the configuration wants that before it is matched.
pub(super) fn clean(session: &mut Session, snapshot: &Snapshot, sender: Sender) {
    if snapshot.router.settings().remove_extra_slash
        && let Some(target) = cleaned_target(snapshot, &view(session, sender))
    {
        // A target that cannot be read stays what it is, and matches nothing.
        let _ = session.req_header_mut().set_raw_path(target.as_bytes());
    }
}

/// Puts the headers of `security/http` into an answer.
pub(super) fn dress(session: &Session, ctx: &Context, response: &mut ResponseHeader) -> Result<()> {
    match &ctx.snapshot.security {
        Some(security) if !response.status.is_informational() => {
            security::dress(security, &view(session, ctx.sender), response)
        }
        _ => Ok(()),
    }
}

/// Writes a whole answer.
pub(super) async fn write(session: &mut Session, ctx: &Context, reply: Reply) -> Result<()> {
    let mut response = ResponseHeader::build(reply.status, Some(reply.headers.len() + 4))?;
    for (name, value) in reply.headers {
        response.insert_header(name, value)?;
    }
    dress(session, ctx, &mut response)?;
    // RFC 9110 §8.6: the one has no length, and the other has the length of an answer that is not there.
    if !matches!(reply.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        response.insert_header(header::CONTENT_LENGTH, reply.body.len())?;
    }
    let no_body = reply.body.is_empty() || session.req_header().method == Method::HEAD;
    session.write_response_header(Box::new(response), no_body).await?;
    if !no_body {
        return write_body(session, reply.body, true).await;
    }
    if session.is_http2() {
        // Pingora ends the stream by itself only where nothing has failed; else it resets it.
        return session.write_response_body(None, true).await;
    }
    Ok(())
}

/// Writes a body, or a part of one. In HTTP/2 the time is bounded that one write may wait for the client's window, so no write
/// is the whole of a long body.
pub(super) async fn write_body(session: &mut Session, mut body: Bytes, end: bool) -> Result<()> {
    while body.len() > PIECE && session.is_http2() {
        session.write_response_body(Some(body.split_to(PIECE)), false).await?;
    }
    session.write_response_body(Some(body), end).await
}

/// What the access log keeps: reference counts and numbers.
pub(super) fn record(session: &Session, ctx: &Context, status: u16, took: Duration) -> AccessRecord {
    let request = session.req_header();
    let route = ctx.route.as_ref();
    AccessRecord {
        at: SystemTime::now(),
        client: ctx.sender.client,
        method: request.method.clone(),
        uri: request.uri.clone(),
        version: request.version,
        endpoint: ctx.endpoint().map(|endpoint| endpoint.name.clone()),
        status,
        failure: ctx.failure,
        cause: ctx.cause,
        upstream: route.and_then(|route| route.round.target()).map(|target| target.address),
        attempts: route
            .map_or_else(|| ctx.composed.as_ref().map_or(0, |composed| composed.attempts), |route| route.attempts),
        replayed: route.map_or("", |route| route.replays.label()),
        took,
        upstream_took: ctx.upstream_took,
        received: session.body_bytes_read(),
        sent: session.body_bytes_sent(),
    }
}
