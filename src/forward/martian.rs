//! `modifier/martian`, carried out: what its modifiers do to an upstream request and to the answer.
//!
//! Pure but for `static.Modifier`, which reads a file. The token is no concern of it: it comes later and goes over what
//! is set here, so that no modifier can read or remove it.

mod condition;
mod cookie;
mod message;
mod request;
mod response;
mod static_file;
mod text;
mod url;

#[cfg(test)]
mod tests;

use crate::config::model::Martian;
use crate::config::model::martian::{Action, Filter, Group, Modifier};
use crate::forward::RequestView;
use crate::snapshot::target::Params;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue};
use message::Message;
use pingora::http::{RequestHeader, ResponseHeader};
use smallvec::SmallVec;

pub use url::Destination;

/// The client's request, for values that take parts of it.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// The request as it came.
    pub view: RequestView<'a>,
    /// What its path holds for the endpoint's placeholders.
    pub params: &'a Params,
}

/// An upstream request that may be modified.
#[derive(Debug)]
pub struct OutgoingRequest<'a> {
    /// Its head, complete but for the token.
    pub head: &'a mut RequestHeader,
    /// Where it goes: the chosen host, until a modifier says otherwise.
    pub destination: Destination<'a>,
    /// A body in place of the client's; its headers are in the head.
    pub body: Option<Bytes>,
    /// Whose request it is.
    pub client: Client<'a>,
}

/// An answer that may be modified.
#[derive(Debug)]
pub struct OutgoingResponse<'a> {
    /// Its head, as the upstream sent it.
    pub head: &'a mut ResponseHeader,
    /// A body in place of the upstream's; its headers are in the head.
    pub body: Option<Bytes>,
    /// Whose request it answers.
    pub client: Client<'a>,
    /// What was kept of the upstream request.
    pub sent: &'a Sent,
}

/// What the request side came to.
#[derive(Debug)]
pub struct Outcome {
    /// What happens next.
    pub next: Next,
    /// For [`response`].
    pub sent: Sent,
    /// How many verifiers did not find what they claim.
    pub failed_verifications: u32,
}

/// What happens to a request after its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It goes to the upstream.
    RoundTrip,
    /// No upstream is asked: an empty answer with status 200 goes to the response side, which fills it.
    Answer,
}

/// What the response side needs of the upstream request. It is empty for most trees, and then costs nothing.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    url: Option<(Destination<'static>, PathAndQuery)>,
    headers: SmallVec<[(HeaderName, HeaderValue); 2]>,
}

/// Why a modifier failed, and the message with it. No value is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MartianError {
    /// Something from the client that would end the header, or that no header can hold.
    #[error("a filled-in value cannot stand in a header")]
    HeaderValue,
    /// The same for a cookie.
    #[error("a filled-in value cannot stand in a cookie")]
    CookieValue,
    /// It would be no host.
    #[error("the `Host` header would not be a host")]
    Host,
    /// The path would climb, or be none.
    #[error("the path or query would not be valid")]
    Target,
    /// The generator of the system failed.
    #[error("no random identifier can be made")]
    Random,
    /// A file that is there and cannot be read.
    #[error("the file to answer with cannot be read")]
    File,
    /// More headers than a message can have.
    #[error("the message has too many headers")]
    Headers,
}

/// Runs the request side, on a head that is otherwise complete but for the token.
///
/// # Errors
/// If a modifier failed; then the request must fail.
pub fn request(martian: &Martian, request: &mut OutgoingRequest<'_>) -> Result<Outcome, MartianError> {
    let mut message = request::Request { outgoing: request, answers: false, failed_verifications: 0 };
    run(&martian.root, &mut message)?;
    let next = if message.answers { Next::Answer } else { Next::RoundTrip };
    let failed_verifications = message.failed_verifications;
    Ok(Outcome { next, sent: Sent::of(martian, request), failed_verifications })
}

/// Runs the response side, before anything else looks at the answer. It says how many verifiers did not find what they
/// claim.
///
/// # Errors
/// If a modifier failed; then the answer must not be used.
pub fn response(martian: &Martian, response: &mut OutgoingResponse<'_>) -> Result<u32, MartianError> {
    let before = response.head.status;
    let mut message = response::Response { outgoing: response, failed_verifications: 0 };
    run(&martian.root, &mut message)?;
    let failed_verifications = message.failed_verifications;
    response::reframe(before, response)?;
    Ok(failed_verifications)
}

impl Sent {
    fn of(martian: &Martian, request: &OutgoingRequest<'_>) -> Self {
        let kept = &martian.kept;
        let target = request.head.uri.path_and_query().filter(|_| kept.url);
        let headers = &request.head.headers;
        Self {
            url: target.map(|target| (request.destination.detached(), target.clone())),
            headers: kept.headers.iter().filter_map(|name| Some((name.clone(), headers.get(name)?.clone()))).collect(),
        }
    }
}

/// Runs a modifier and all below it on one side.
fn run<M: Message>(modifier: &Modifier, message: &mut M) -> Result<(), MartianError> {
    if !modifier.sides.has(M::SIDE) {
        return Ok(());
    }
    match &modifier.action {
        Action::Group(group) => run_group(group, message),
        Action::Filter(filter) => run_filter(filter, message),
        Action::Verify(condition) => {
            if !condition::holds(condition, message) {
                message.count_failed_verification();
            }
            Ok(())
        }
        action => message.act(action),
    }
}

fn run_group<M: Message>(group: &Group, message: &mut M) -> Result<(), MartianError> {
    let mut first = Ok(());
    for member in &group.members {
        let ran = run(member, message);
        if ran.is_err() && !group.aggregate_errors {
            return ran;
        }
        first = first.and(ran);
    }
    first
}

fn run_filter<M: Message>(filter: &Filter, message: &mut M) -> Result<(), MartianError> {
    if condition::holds(&filter.condition, message) {
        return run(&filter.then, message);
    }
    filter.otherwise.as_ref().map_or(Ok(()), |modifier| run(modifier, message))
}
