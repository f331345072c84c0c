//! A backend's request, made ready for a host: reduced, rewritten and modified, all but the token.

use crate::base::Failure;
use crate::compose::answered::Answered;
use crate::compose::call::Call;
use crate::compose::trouble::Trouble;
use crate::compose::unanswered::Unanswered;
use crate::forward::martian::{self, Client, Destination, Next, OutgoingRequest, OutgoingResponse, Sent};
use crate::forward::path::{self, PathForm};
use crate::forward::{connection, egress};
use crate::snapshot::upstream::UpstreamHost;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, EXPECT};
use http::{HeaderValue, Method, Version};
use pingora::http::{RequestHeader, ResponseHeader};

/// The request.
pub(super) struct Prepared {
    /// Its head.
    pub head: Box<RequestHeader>,
    /// Its body.
    pub body: Bytes,
    /// Where a modifier sends it, if that is not the host.
    pub elsewhere: Option<Destination<'static>>,
    /// Whether a modifier has the answer, so that no upstream is asked.
    pub is_answered: bool,
    /// What the response side of the modifiers needs to know.
    pub modified: Sent,
}

impl Call<'_> {
    /// Makes the request ready for a host.
    pub(super) fn prepare(&self, host: &UpstreamHost) -> Result<Prepared, Unanswered> {
        let mut prepared = Prepared {
            head: self.head(&host.authority)?,
            body: self.request.body.clone(),
            elsewhere: None,
            is_answered: false,
            modified: Sent::default(),
        };
        self.modify(host, &mut prepared)?;
        Ok(prepared)
    }

    /// The head, as it is without modifiers.
    pub(super) fn head(&self, authority: &HeaderValue) -> Result<Box<RequestHeader>, Unanswered> {
        let mut head = Box::new(self.request.head.clone());
        // Trailers are not kept, whatever the client speaks.
        head.set_version(Version::HTTP_11);
        connection::strip_request(&mut head);
        egress::rewrite(self.plan, self.params, authority, &self.request.view(), &mut head).map_err(Unanswered::of)?;
        // What earlier answers put into the path must not lead out of the endpoint.
        if !self.params.earlier.is_empty() && path::form(head.uri.path()) != PathForm::Plain {
            return Err(Trouble::MissingField.into());
        }
        frame(&mut head, self.request.body.len(), self.decoded).map_err(|_| Unanswered::of(Failure::Internal))?;
        Ok(head)
    }

    fn modify(&self, host: &UpstreamHost, prepared: &mut Prepared) -> Result<(), Unanswered> {
        let Some(martian) = &self.plan.martian else { return Ok(()) };
        let mut outgoing = OutgoingRequest {
            head: &mut prepared.head,
            destination: Destination::new(host.https, &host.name_and_port),
            body: None,
            client: Client { view: self.request.view(), params: self.params },
        };
        let outcome = martian::request(martian, &mut outgoing).map_err(Trouble::Modifier)?;
        self.plan.count_verifications(outcome.failed_verifications);
        if outgoing.destination.is_elsewhere {
            prepared.elsewhere = Some(outgoing.destination.detached());
        }
        if let Some(body) = outgoing.body {
            prepared.body = body;
        }
        prepared.is_answered = outcome.next == Next::Answer;
        prepared.modified = outcome.sent;
        Ok(())
    }

    /// Runs the response side of the modifiers.
    pub(super) fn modify_answer(&self, answered: &mut Answered, modified: &Sent) -> Result<(), Trouble> {
        let Some(martian) = &self.plan.martian else { return Ok(()) };
        let mut outgoing = OutgoingResponse {
            head: &mut answered.head,
            body: None,
            client: Client { view: self.request.view(), params: self.params },
            sent: modified,
        };
        let failed = martian::response(martian, &mut outgoing).map_err(Trouble::Modifier)?;
        self.plan.count_verifications(failed);
        if let Some(body) = outgoing.body {
            answered.body = body;
            answered.rest = None;
        }
        Ok(())
    }
}

/// What a modifier with an answer of its own fills in.
pub(super) fn empty_answer() -> Result<Answered, Unanswered> {
    let mut head = ResponseHeader::build(200, Some(4)).map_err(|_| Unanswered::of(Failure::Internal))?;
    head.insert_header(CONTENT_LENGTH, 0).map_err(|_| Unanswered::of(Failure::Internal))?;
    Ok(Answered { head, body: Bytes::new(), rest: None })
}

/// Makes the head fit a body that is there as a whole. A decoded answer may come compressed, which KrakenD asks for, too.
pub(super) fn frame(head: &mut RequestHeader, body: usize, decoded: bool) -> pingora::Result<()> {
    head.set_version(Version::HTTP_11);
    head.remove_header(&EXPECT);
    // RFC 9110 §8.6: a method that has a meaning for a body says when there is none.
    if body > 0 || matches!(head.method, Method::POST | Method::PUT | Method::PATCH) {
        head.insert_header(CONTENT_LENGTH, body)?;
    } else {
        head.remove_header(&CONTENT_LENGTH);
    }
    if decoded {
        head.insert_header(ACCEPT_ENCODING, HeaderValue::from_static("gzip"))?;
    }
    Ok(())
}
