//! One request and its answer on one connection, the answer held as far as it is wanted.

use bytes::{Bytes, BytesMut};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::{Error, ErrorType, Result};
use pingora_core::protocols::http::client::HttpSession;

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

/// Sends a request and reads the answer; of its body not much more than the bytes that `hold` says of its head, and nothing if
/// that is 0.
pub(super) async fn exchange(
    session: &mut HttpSession,
    request: Box<RequestHeader>,
    body: &Bytes,
    hold: impl Fn(&ResponseHeader) -> usize,
) -> Result<Read> {
    let sent = send(session, request, body).await?;
    let head = read_head(session).await?;
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

/// Whether all of it went out. An upstream may answer before it has read the body, and close: then its answer counts more than
/// that the rest was lost.
async fn send(session: &mut HttpSession, request: Box<RequestHeader>, body: &Bytes) -> Result<bool> {
    session.write_request_header(request).await?;
    if !body.is_empty() && session.write_request_body(body.clone(), true).await.is_err() {
        return Ok(false);
    }
    Ok(session.finish_request_body().await.is_ok())
}

/// The final head: informational ones come before it.
async fn read_head(session: &mut HttpSession) -> Result<ResponseHeader> {
    loop {
        session.read_response_header().await?;
        match session.response_header() {
            Some(head) if head.status.is_informational() && head.status != http::StatusCode::SWITCHING_PROTOCOLS => {}
            Some(head) => return Ok(head.clone()),
            None => return Err(Error::new_up(ErrorType::InvalidHTTPHeader)),
        }
    }
}
