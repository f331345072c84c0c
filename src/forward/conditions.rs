//! The conditions of `validation/cel`: what they are shown of a request and of an answer.
//!
//! Judging costs allocations, and only those pay it whose configuration has conditions.

use crate::config::model::AllowList;
use crate::forward::RequestView;
use crate::guard::cel::{CelRequest, Refusal};
use crate::snapshot::backend::BackendPlan;
use crate::snapshot::conditions::ConditionPlan;
use crate::snapshot::target::{Params, TargetBuffer, allowed_query, text};
use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::time::SystemTime;

/// Judges a request as the client sent it.
///
/// # Errors
/// The first condition that does not hold.
pub fn of_endpoint(plan: &ConditionPlan, request: &RequestView<'_>, params: &Params) -> Result<(), Refusal> {
    judge(plan, request, params, request.path)
}

/// Judges a request as a backend gets it: with its path.
///
/// # Errors
/// The first condition that does not hold.
pub fn of_backend(backend: &BackendPlan, request: &RequestView<'_>, params: &Params) -> Result<(), Refusal> {
    let Some(plan) = backend.conditions.as_ref().filter(|plan| plan.conditions.judge_requests()) else { return Ok(()) };
    let mut target = TargetBuffer::new();
    backend.target.write(request.path, params, request.query, &mut target);
    let target = String::from_utf8_lossy(&target);
    judge(plan, request, params, target.split('?').next().unwrap_or_default())
}

fn judge(plan: &ConditionPlan, request: &RequestView<'_>, params: &Params, path: &str) -> Result<(), Refusal> {
    if !plan.conditions.judge_requests() {
        return Ok(());
    }
    let decoded = |value| percent_decode_str(text(request.path, value)).decode_utf8_lossy();
    let values: Vec<Cow<'_, str>> = params.values.iter().map(|value| decoded(*value)).collect();
    let params: Vec<_> = plan.names.iter().map(String::as_str).zip(values.iter().map(AsRef::as_ref)).collect();
    let seen = CelRequest {
        method: request.method.as_str(),
        path,
        params: &params,
        headers: &seen(plan, request.headers),
        query: &allowed_query(request.query.unwrap_or_default(), &plan.query),
    };
    plan.conditions.allows_request(&seen, SystemTime::now())
}

fn seen(plan: &ConditionPlan, headers: &HeaderMap) -> HeaderMap {
    let is_seen = |name: &HeaderName| match &plan.headers {
        AllowList::All => true,
        AllowList::Only(names) => names.contains(name),
    };
    let seen = headers.iter().filter(|(name, _)| is_seen(name));
    seen.map(|(name, value)| (name.clone(), value.clone())).collect()
}
