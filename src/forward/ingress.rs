//! The way in: what a request is for, before anything is sent anywhere.

use crate::base::Failure;
use crate::forward::RequestView;
use crate::forward::built_in::BuiltIn;
use crate::forward::path::{PathForm, form, hides_escape};
use crate::forward::reply::redirect_status;
use crate::forward::{conditions, connection, expect, max_forwards, security};
use crate::snapshot::Snapshot;
use crate::snapshot::endpoint::EndpointPlan;
use crate::snapshot::router::{self, Found, clean};
use crate::snapshot::target::{Params, PathRange, text};
use http::{HeaderValue, Method, StatusCode, Version};

/// What a request is for.
#[derive(Debug)]
pub enum Ingress {
    /// An endpoint.
    Endpoint(EndpointPlan, Params),
    /// An endpoint of porteur's own.
    BuiltIn(BuiltIn),
    /// A path that is right somewhere else.
    Redirect {
        /// 301 for GET and HEAD, else 307, which keeps method and body.
        status: StatusCode,
        /// Path and query.
        location: HeaderValue,
    },
    /// OPTIONS for a path that is right for the methods in `Allow`, and has no endpoint for OPTIONS itself.
    Options(HeaderValue),
    /// A path that is right for other methods, which stand in `Allow`.
    MethodNotAllowed(HeaderValue),
    /// The value of a placeholder holds an escape of an escape, or of what would end the path.
    EncodedParams,
    /// Nothing here.
    Failure(Failure),
}

/// Decides what a request is for.
#[must_use]
pub fn ingress(snapshot: &Snapshot, request: &RequestView<'_>) -> Ingress {
    // RFC 9112 §3.2: a target is visible ASCII. (Blanks and a few others Pingora has percent-encoded before we see it.)
    let readable = request.raw_target.iter().all(u8::is_ascii_graphic);
    // The same section: a request of HTTP/1.1 without `Host` is an error.
    let hostless = request.version == Version::HTTP_11 && request.host().is_none();
    let form = form(request.path);
    let of_server = *request.method == Method::OPTIONS && request.raw_target == b"*";
    let is_path = form != PathForm::Refused || of_server;
    if !readable || hostless || !is_path || connection::is_abused(request.headers) {
        return Ingress::Failure(Failure::BadRequest);
    }
    if expect::is_unknown(request.headers) {
        return Ingress::Failure(Failure::Expectation);
    }
    let built_in = BuiltIn::find(snapshot, request.method, request.path);
    if built_in != Some(BuiltIn::Health)
        && let Some(refusal) = security::refusal(snapshot, request)
    {
        return refusal;
    }
    if let Some(built_in) = built_in {
        return Ingress::BuiltIn(built_in);
    }
    if of_server {
        // RFC 9110 §9.3.7: it asks what the server can do, which is us.
        return Ingress::Options(router::every_method());
    }
    if form == PathForm::Plain && max_forwards::left(request) == Some(0) {
        return last_hop(snapshot, request);
    }
    if form == PathForm::Plain
        && let Some(found) = snapshot.router.find(request.method, request.path)
    {
        return endpoint(snapshot, request, found);
    }
    unmatched(snapshot, request, form)
}

/// OPTIONS that may pass no further proxy is answered here (RFC 9110 §7.6.2).
fn last_hop(snapshot: &Snapshot, request: &RequestView<'_>) -> Ingress {
    let router = &snapshot.router;
    let by_catchall = || router.catchall(request.method, request.path).map(|_| HeaderValue::from_static("OPTIONS"));
    let allow = allow(router.allowed(request.path)).or_else(by_catchall);
    allow.map_or(Ingress::Failure(Failure::NoRoute), Ingress::Options)
}

/// The target in its place, if `remove_extra_slash` wants the path cleaned.
#[must_use]
pub fn cleaned_target(snapshot: &Snapshot, request: &RequestView<'_>) -> Option<String> {
    let wanted = snapshot.router.settings().remove_extra_slash
        && (request.path.contains("//") || request.path.contains("/."))
        && form(request.path) != PathForm::Refused;
    if !wanted {
        return None;
    }
    let path = clean(request.path);
    Some(request.query.map_or_else(|| path.clone(), |query| format!("{path}?{query}")))
}

fn endpoint(snapshot: &Snapshot, request: &RequestView<'_>, found: Found) -> Ingress {
    // The router only knows indexes of this Snapshot.
    let Some(plan) = snapshot.endpoints.get(found.endpoint) else { return Ingress::Failure(Failure::Internal) };
    let has_escape = |value: &PathRange| hides_escape(text(request.path, *value));
    if !snapshot.router.settings().disable_path_decoding && found.params.values.iter().any(has_escape) {
        return Ingress::EncodedParams;
    }
    if plan.common().bots.as_ref().is_some_and(|bots| bots.is_bot(request.headers)) {
        return Ingress::Failure(Failure::Forbidden);
    }
    if !is_allowed(plan, request, &found.params) {
        return Ingress::Failure(Failure::Forbidden);
    }
    Ingress::Endpoint(plan.clone(), found.params)
}

/// Whether the conditions of the endpoint hold, and those of the backend if there is but one: composed ones have their own
/// answer to that.
fn is_allowed(plan: &EndpointPlan, request: &RequestView<'_>, params: &Params) -> bool {
    let of_endpoint = plan.common().conditions.as_ref();
    let by_endpoint = of_endpoint.is_none_or(|plan| conditions::of_endpoint(plan, request, params).is_ok());
    let by_backend = match plan {
        EndpointPlan::Stream(plan) => conditions::of_backend(&plan.backend, request, params).is_ok(),
        EndpointPlan::Compose(_) => true,
    };
    by_endpoint && by_backend
}

/// In the order of KrakenD's router: OPTIONS, redirect, other methods, catch-all, nothing.
fn unmatched(snapshot: &Snapshot, request: &RequestView<'_>, form: PathForm) -> Ingress {
    let router = &snapshot.router;
    let options = router.options(request.method, request.path).filter(|_| form == PathForm::Plain);
    if let Some(allow) = options.and_then(|names| allow(names.into_iter())) {
        return Ingress::Options(allow);
    }
    if let Some(location) = location(router.correction(request.method, request.path), request.query) {
        return Ingress::Redirect { status: redirect_status(request.method), location };
    }
    if form == PathForm::Plain {
        if !router.settings().disable_handle_method_not_allowed
            && let Some(allow) = allow(router.allowed(request.path))
        {
            return Ingress::MethodNotAllowed(allow);
        }
        if let Some(found) = router.catchall(request.method, request.path) {
            return endpoint(snapshot, request, found);
        }
    }
    Ingress::Failure(Failure::NoRoute)
}

fn location(path: Option<String>, query: Option<&str>) -> Option<HeaderValue> {
    let path = path?;
    let location = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
    HeaderValue::from_str(&location).ok()
}

fn allow(methods: impl Iterator<Item = &'static str>) -> Option<HeaderValue> {
    let methods: Vec<&str> = methods.collect();
    (!methods.is_empty()).then(|| HeaderValue::from_str(&methods.join(", ")).ok()).flatten()
}
