//! From what the backends came to, to the answer of the endpoint.

use crate::base::Failure;
use crate::compose::answered::Answered;
use crate::compose::gather::Gathered;
use crate::compose::part::Part;
use crate::compose::request::ClientRequest;
use crate::compose::trouble::Trouble;
use crate::compose::{encode, flatmap, merge};
use crate::config::model::ErrorStatus;
use crate::forward::reply::Reply;
use crate::guard::cel::{CelResponse, Refusal};
use crate::snapshot::composition::ComposePlan;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use log::warn;
use std::time::{Instant, SystemTime};

/// Says whether every backend contributed, on every decoded answer, as KrakenD does.
const COMPLETED: HeaderName = HeaderName::from_static("x-krakend-completed");

/// What becomes of a request.
pub struct Answer {
    /// What the client gets.
    pub content: Content,
    /// Why it is not all that was asked for.
    pub failure: Option<Failure>,
    /// The failure in a few words, without any value of the request or the answers.
    pub cause: &'static str,
    /// Requests made to backends.
    pub attempts: u8,
}

/// What the client gets.
pub enum Content {
    /// An answer of our own making.
    Reply(Reply),
    /// The upstream's, as it came.
    Passed(Box<Answered>),
}

impl Answer {
    /// The same, after this many requests.
    pub(super) fn after(self, attempts: u8) -> Self {
        Self { attempts, ..self }
    }
}

/// Makes the answer.
pub(super) fn answer(plan: &ComposePlan, gathered: Gathered, request: &ClientRequest, with_message: bool) -> Answer {
    let Gathered { part, mut troubles } = gathered;
    let part = match part.as_ref().map(|part| judge(plan, part)) {
        Some(Err(refusal)) => {
            warn!("endpoint {}: {refusal}", plan.common.name);
            troubles.insert(0, (0, Trouble::Condition(refusal)));
            None
        }
        _ => finished(plan, part, !troubles.is_empty()),
    };
    let failure = troubles.first().map(|(_, trouble)| trouble.failure());
    let cause = troubles.first().map_or("", |(_, trouble)| trouble.cause());
    let reply = match part {
        Some(part) => success(plan, &part, request),
        None => error(plan, troubles.into_iter().next(), with_message),
    };
    Answer { content: Content::Reply(reply), failure, cause, attempts: 0 }
}

/// What becomes of an answer that passes as it is.
pub(super) fn passed(plan: &ComposePlan, passed: Result<Answered, Trouble>, with_message: bool) -> Answer {
    match passed {
        Ok(answered) => Answer { content: Content::Passed(Box::new(answered)), failure: None, cause: "", attempts: 0 },
        Err(trouble) => {
            let (failure, cause) = (Some(trouble.failure()), trouble.cause());
            Answer {
                content: Content::Reply(error(plan, Some((0, trouble)), with_message)),
                failure,
                cause,
                attempts: 0,
            }
        }
    }
}

/// The endpoint's own conditions, on what the backends came to.
fn judge(plan: &ComposePlan, part: &Part) -> Result<(), Refusal> {
    let Some(conditions) = &plan.common.conditions else { return Ok(()) };
    let headers = HeaderMap::new();
    let response = CelResponse { completed: part.complete, status: 200, headers: &headers, data: &part.data };
    conditions.conditions.allows_response(&response, SystemTime::now())
}

/// What stands between merging and encoding, in KrakenD's order: the endpoint's own flatmap, unless a backend failed, then
/// its static data.
fn finished(plan: &ComposePlan, part: Option<Part>, errored: bool) -> Option<Part> {
    let part = match part {
        Some(part) if !errored => Some(Part { data: flatmap::apply(&plan.flatmap, part.data), ..part }),
        part => part,
    };
    let Some(fixed) = &plan.static_data else { return part };
    let complete = part.as_ref().is_some_and(|part| part.complete);
    if !merge::applies(fixed.strategy, errored, complete) {
        return part;
    }
    let mut part = part.unwrap_or_default();
    part.data.extend(fixed.data.clone());
    Some(part)
}

fn success(plan: &ComposePlan, part: &Part, request: &ClientRequest) -> Reply {
    let accept = request.head.headers.get(header::ACCEPT);
    let (content_type, body) = encode::encode(plan.output, &part.data, accept);
    let complete = part.complete && !part.data.is_empty();
    let mut reply = Reply::of(StatusCode::OK, Some(content_type), body).with(COMPLETED, yes_or_no(complete));
    if let Some(cache_control) = plan.cache_control.as_ref().filter(|_| complete) {
        reply = reply.with(header::CACHE_CONTROL, cache_control.clone());
    }
    reply
}

const fn yes_or_no(complete: bool) -> HeaderValue {
    HeaderValue::from_static(if complete { "true" } else { "false" })
}

fn error(plan: &ComposePlan, first: Option<(usize, Trouble)>, with_message: bool) -> Reply {
    let Some((index, trouble)) = first else { return Reply::failure(Failure::Internal, None, false) };
    let backend = plan.backends.get(index);
    let reply = match (&trouble, backend) {
        // Only one backend can say what the status is. Its body is the text of the error.
        (Trouble::Status(answer), Some(backend))
            if plan.passes_status(index)
                && backend.errors == ErrorStatus::Code
                // A switch to a protocol that nobody asked for is no final answer.
                && !answer.status.is_informational() =>
        {
            let content_type = answer.content_type.clone().filter(|_| with_message);
            let body = if with_message { answer.body.clone() } else { Bytes::new() };
            Reply::of(answer.status, content_type, body)
        }
        (Trouble::Failure(Failure::TokenUnavailable, _), Some(backend)) => match &backend.plan.token {
            Some(token) => Reply::no_token(token.reject_status, token.slot.retry_after(Instant::now()), with_message),
            None => Reply::failure(Failure::TokenUnavailable, None, with_message),
        },
        (Trouble::Failure(Failure::CircuitOpen, _), Some(backend)) => match &backend.plan.breaker {
            Some(breaker) => Reply::circuit_open(breaker.retry_after(Instant::now()), with_message),
            None => Reply::failure(Failure::CircuitOpen, None, with_message),
        },
        (trouble, _) => Reply::failure(trouble.failure(), None, with_message),
    };
    reply.with(COMPLETED, yes_or_no(false))
}
