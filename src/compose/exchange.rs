//! One request and its answer on one connection, the answer held as far as it is wanted.

use crate::compose::early_answer::is_refusal;
use crate::forward::response;
use bytes::{Bytes, BytesMut};
use http::{Uri, Version, header};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::{Error, ErrorType, Result, RetryType};
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::protocols::http::v2::write_body;
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;

/// An answer as far as it was read.
#[derive(Debug)]
pub(super) struct Read {
    /// Its head.
    pub head: ResponseHeader,
    /// Its body, or the beginning of it.
    pub body: Bytes,
    /// Whether that is all of it.
    pub whole: bool,
    /// Whether the request went out as a whole: on a connection where it did not, the next one would be read as its rest.
    pub sent: bool,
}

/// How long each wait for the upstream may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    /// For the head of the answer, if it is not that for the body.
    pub head: Option<Duration>,
    /// For a piece of its body.
    pub body: Duration,
}

/// Makes a head one of HTTP/2 (RFC 9113 §8.3.1): scheme and authority stand in the target and not in `Host`. `None`: it has no
/// target or no authority.
pub(super) fn as_http2(head: &mut RequestHeader, https: bool) -> Option<()> {
    let host = head.remove_header(&header::HOST)?;
    let target = head.uri.path_and_query()?.clone();
    let uri =
        Uri::builder().scheme(if https { "https" } else { "http" }).authority(host.as_bytes()).path_and_query(target);
    head.set_uri(uri.build().ok()?);
    head.set_version(Version::HTTP_2);
    Some(())
}

/// Sends a request and reads the answer; of its body not much more than the bytes that `hold` says of its head, and nothing if
/// that is 0.
pub(super) async fn exchange(
    session: &mut HttpSession,
    request: Box<RequestHeader>,
    body: &Bytes,
    waits: Waits,
    hold: impl Fn(&ResponseHeader) -> usize,
) -> Result<Read> {
    let (head, sent) = ask(session, request, body, waits).await?;
    session.set_read_timeout(Some(waits.body));
    let hold = hold(&head);
    let mut begun = BytesMut::new();
    while begun.len() < hold {
        let Some(piece) = session.read_response_body().await? else {
            return Ok(Read { head, body: begun.freeze(), whole: true, sent });
        };
        begun.extend_from_slice(&piece);
    }
    Ok(Read { head, body: begun.freeze(), whole: false, sent })
}

/// The head of the answer, and whether all of the request went out. An upstream may answer before it has read the body, and read no
/// more: then its answer counts more than that the rest was lost.
async fn ask(
    session: &mut HttpSession,
    request: Box<RequestHeader>,
    body: &Bytes,
    waits: Waits,
) -> Result<(ResponseHeader, bool)> {
    write_head(session, request).await?;
    let wait = waits.head.map_or(waits.body, |head| head.min(waits.body));
    let writer = match session {
        HttpSession::H2(session) if !body.is_empty() => session.take_request_body_writer(),
        _ => None,
    };
    let Some(mut writer) = writer else {
        session.set_read_timeout(Some(wait));
        let sent = send(session, body).await;
        return Ok((read_head(session).await?, sent));
    };
    session.set_read_timeout(Some(waits.body));
    let mut writing = pin!(write_body(&mut writer, body.clone(), true, Some(waits.body)));
    let mut reading = pin!(read_head(session));
    tokio::select! {
        biased;
        written = &mut writing => {
            let head = timeout(wait, reading).await.map_err(|_| Error::new_up(ErrorType::ReadTimedout))?;
            Ok((head?, written.is_ok()))
        }
        head = &mut reading => {
            let head = head?;
            let sent = !is_refusal(head.status) && writing.await.is_ok();
            Ok((head, sent))
        }
    }
}

/// Whether all of the body went out on a session that cannot be read meanwhile.
async fn send(session: &mut HttpSession, body: &Bytes) -> bool {
    (body.is_empty() || session.write_request_body(body.clone(), true).await.is_ok())
        && session.finish_request_body().await.is_ok()
}

/// A kept connection that does not take a head was closed by the upstream before it came. Pingora marks that only where the
/// answer is read (`pingora-core/src/protocols/http/v1/client.rs`).
async fn write_head(session: &mut HttpSession, request: Box<RequestHeader>) -> Result<()> {
    let mut written = session.write_request_header(request).await;
    if let Err(error) = &mut written
        && *error.etype() == ErrorType::WriteError
    {
        error.retry = RetryType::ReusedOnly;
    }
    written
}

/// The final head: informational ones come before it.
async fn read_head(session: &mut HttpSession) -> Result<ResponseHeader> {
    loop {
        session.read_response_header().await?;
        match session.response_header() {
            Some(head) if head.status.is_informational() && head.status != http::StatusCode::SWITCHING_PROTOCOLS => {}
            Some(head) => {
                // No upgrade is asked for.
                response::check(head, false).map_err(|_| Error::new_up(ErrorType::InvalidHTTPHeader))?;
                return Ok(head.clone());
            }
            None => return Err(Error::new_up(ErrorType::InvalidHTTPHeader)),
        }
    }
}
