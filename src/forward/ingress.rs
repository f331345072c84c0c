//! The way in: what a request is for, before anything is sent anywhere.

use crate::base::Failure;
use crate::forward::RequestView;
use crate::forward::built_in::BuiltIn;
use crate::forward::path::{PathForm, form};
use crate::snapshot::Snapshot;
use crate::snapshot::endpoint::EndpointPlan;
use crate::snapshot::router::Found;
use crate::snapshot::target::Params;
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
    /// A path that is right for other methods, which stand in `Allow`.
    MethodNotAllowed(HeaderValue),
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
    if !readable || hostless || form == PathForm::Refused {
        return Ingress::Failure(Failure::BadRequest);
    }
    if let Some(built_in) = BuiltIn::find(snapshot, request.method, request.path) {
        return Ingress::BuiltIn(built_in);
    }
    if form == PathForm::Plain
        && let Some(found) = snapshot.router.find(request.method, request.path)
    {
        return endpoint(snapshot, found);
    }
    unmatched(snapshot, request, form)
}

fn endpoint(snapshot: &Snapshot, found: Found) -> Ingress {
    // The router only knows indexes of this Snapshot.
    match snapshot.endpoints.get(found.endpoint) {
        Some(plan) => Ingress::Endpoint(plan.clone(), found.params),
        None => Ingress::Failure(Failure::Internal),
    }
}

/// In the order of KrakenD's router: redirect, other methods, catch-all, nothing.
fn unmatched(snapshot: &Snapshot, request: &RequestView<'_>, form: PathForm) -> Ingress {
    let router = &snapshot.router;
    if let Some(location) = location(router.correction(request.method, request.path), request.query) {
        let keeps_method = !matches!(*request.method, Method::GET | Method::HEAD);
        let status = if keeps_method { StatusCode::TEMPORARY_REDIRECT } else { StatusCode::MOVED_PERMANENTLY };
        return Ingress::Redirect { status, location };
    }
    if form == PathForm::Plain {
        if !router.settings().disable_handle_method_not_allowed
            && let Some(allow) = allow(router.allowed(request.path))
        {
            return Ingress::MethodNotAllowed(allow);
        }
        if let Some(found) = router.catchall(request.method, request.path) {
            return endpoint(snapshot, found);
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
