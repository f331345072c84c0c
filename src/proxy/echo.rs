//! The one request body that porteur itself reads: what `/__echo/` gives back.

use crate::forward::built_in::{BuiltIn, LARGEST_ECHO};
use crate::forward::expect;
use pingora::Result;
use pingora_proxy::Session;

/// The body of a request to the echo endpoint, cut at [`LARGEST_ECHO`]; nothing for the others, which do not look at it.
pub(super) async fn body(session: &mut Session, built_in: BuiltIn) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    if built_in != BuiltIn::Echo {
        return Ok(body);
    }
    if expect::waits(session.req_header().version, &session.req_header().headers) {
        session.write_continue_response().await?;
    }
    while body.len() < LARGEST_ECHO {
        let Some(piece) = session.read_request_body().await? else { break };
        body.extend_from_slice(&piece);
    }
    body.truncate(LARGEST_ECHO);
    Ok(body)
}
