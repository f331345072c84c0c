//! The modifiers of a streamed request and its answer.

use crate::base::Failure;
use crate::config::model::Martian;
use crate::forward::RequestView;
use crate::forward::martian::{self, Client, Destination, OutgoingRequest, OutgoingResponse, Sent};
use crate::proxy::context::Context;
use crate::proxy::wire;
use crate::snapshot::backend::BackendPlan;
use crate::snapshot::target::Params;
use crate::snapshot::upstream::UpstreamHost;
use log::warn;
use pingora::Result;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;

/// Runs the request side, before the token is there.
pub(super) fn request(
    plan: &BackendPlan,
    martian: &Martian,
    host: &UpstreamHost,
    view: &RequestView<'_>,
    params: &Params,
    request: &mut RequestHeader,
) -> std::result::Result<Box<Sent>, Failure> {
    let mut outgoing = OutgoingRequest {
        head: request,
        destination: Destination::new(host.https, &host.name_and_port),
        body: None,
        client: Client { view: *view, params },
    };
    let outcome = martian::request(martian, &mut outgoing).map_err(|error| {
        warn!("modifier/martian: {error}");
        Failure::Modifier
    })?;
    plan.count_verifications(outcome.failed_verifications);
    // Boxed: the context of a request without modifiers need not carry it.
    Ok(Box::new(outcome.sent))
}

/// Runs the response side.
pub(super) fn response(session: &Session, ctx: &mut Context, response: &mut ResponseHeader) -> Result<()> {
    let Some(route) = &ctx.route else { return Ok(()) };
    let plan = &route.plan.backend;
    let (Some(martian), Some(sent)) = (&plan.martian, &route.modified) else { return Ok(()) };
    let client = Client { view: wire::view(session, ctx.sender), params: &route.params };
    let mut outgoing = OutgoingResponse { head: response, body: None, client, sent };
    match martian::response(martian, &mut outgoing) {
        Ok(failed) => {
            plan.count_verifications(failed);
            Ok(())
        }
        Err(error) => {
            warn!("modifier/martian: {error}");
            Err(ctx.fail(Failure::Modifier))
        }
    }
}
