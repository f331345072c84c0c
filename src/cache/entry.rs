//! One kept answer: whether it may be kept, for which requests, until when, and what is told of it.

use super::CachedAnswer;
use super::plain::{directives, plain, seconds};
use crate::base::hop_by_hop::{self, HOP_BY_HOP};
use bytes::Bytes;
use http::header::{
    AGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, SET_COOKIE, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri};
use http_cache_semantics::{BeforeRequest, CacheOptions, CachePolicy, RequestLike, ResponseLike};
use std::time::{Duration, SystemTime};

/// What an answer and each of its headers take beside their text, about.
const PER_ENTRY: usize = 512;
const PER_HEADER: usize = 64;

/// Freshness is what the answer says. No heuristics, nothing for `immutable` alone.
const OPTIONS: CacheOptions = CacheOptions {
    shared: true,
    cache_heuristic: 0.0,
    immutable_min_time_to_live: Duration::ZERO,
    ignore_cargo_cult: false,
};

/// Request headers by name, as they were.
type Selecting = Box<[(HeaderName, Option<HeaderValue>)]>;

/// A kept answer.
#[derive(Debug)]
pub(super) struct Entry {
    policy: CachePolicy,
    /// What `Vary` names.
    selecting: Selecting,
    /// How long after its time it may stand in for a failure.
    stale_if_error: Duration,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Entry {
    /// Keeps an answer; `None` if it may not be kept, or would be of no use. `request` is plain.
    pub(super) fn new(
        method: &Method,
        request: &HeaderMap,
        status: StatusCode,
        headers: &HeaderMap,
        body: &Bytes,
        now: SystemTime,
    ) -> Option<Self> {
        let headers = end_to_end(headers);
        let read = plain(&headers);
        let directives = directives(&read)?;
        if headers.contains_key(SET_COOKIE) {
            return None;
        }
        let selecting = selecting(&read, request)?;
        let kept = remembered(request, &selecting);
        let seen = Seen { method, headers: &kept };
        let policy = CachePolicy::new_options(&seen, &Told { status, headers: &read }, now, OPTIONS);
        let stale_if_error = stale_if_error(&directives);
        let useful = !policy.is_stale(now) || read.contains_key(ETAG) || read.contains_key("last-modified");
        let entry = Self { policy, selecting, stale_if_error, status, headers, body: body.clone() };
        (entry.policy.is_storable() && useful).then_some(entry)
    }

    /// Whether it is the answer to a request like this one, as far as `Vary` says.
    pub(super) fn selects(&self, request: &HeaderMap) -> bool {
        self.selecting.iter().all(|(name, value)| request.get(name) == value.as_ref())
    }

    /// What the upstream must be asked before it is used; `None`: nothing, it is fresh enough for this request.
    pub(super) fn needs(&self, method: &Method, request: &HeaderMap, now: SystemTime) -> Option<HeaderMap> {
        let BeforeRequest::Stale { request, .. } = self.policy.before_request(&Seen { method, headers: request }, now)
        else {
            return None;
        };
        let conditions = [IF_NONE_MATCH, IF_MODIFIED_SINCE];
        let conditions =
            conditions.into_iter().filter_map(|name| Some((name.clone(), request.headers.get(name)?.clone())));
        Some(conditions.collect())
    }

    /// Whether it may stand in for a failure of the upstream now.
    pub(super) fn helps_on_error(&self, now: SystemTime) -> bool {
        let Some(past) = now.checked_sub(self.stale_if_error) else {
            return false;
        };
        !self.stale_if_error.is_zero() && !self.policy.is_stale(past)
    }

    /// Itself as an answer.
    pub(super) fn answer(&self, now: SystemTime) -> CachedAnswer {
        let mut headers = self.headers.clone();
        headers.insert(AGE, self.policy.age(now).as_secs().into());
        response(self.status, headers, self.body.clone())
    }

    /// Its headers with those of a `304` in their place (RFC 9111 §3.2); `None` when that is about another answer.
    pub(super) fn updated(&self, response: &HeaderMap) -> Option<HeaderMap> {
        let weak = |value: &HeaderValue| value.as_bytes().strip_prefix(b"W/").unwrap_or(value.as_bytes()).to_vec();
        if let Some(new) = response.get(ETAG)
            && self.headers.get(ETAG).map(weak) != Some(weak(new))
        {
            return None;
        }
        let mut headers = self.headers.clone();
        // Both were about the transfer that is over.
        headers.remove(AGE);
        headers.remove(DATE);
        let fresh = end_to_end(response);
        let about_content = [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_RANGE];
        for name in fresh.keys().filter(|name| !about_content.contains(name)) {
            headers.remove(name);
            fresh.get_all(name).iter().for_each(|value| {
                headers.append(name, value.clone());
            });
        }
        Some(headers)
    }

    /// What a `304` leaves as it is.
    pub(super) fn content(&self) -> (StatusCode, &Bytes) {
        (self.status, &self.body)
    }

    /// What it takes in memory, about. Headers are there twice: for the client and for the policy.
    pub(super) fn size(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| 2 * (name.as_str().len() + value.len() + PER_HEADER));
        let selecting = self
            .selecting
            .iter()
            .map(|(name, value)| 2 * (name.as_str().len() + value.as_ref().map_or(0, HeaderValue::len) + PER_HEADER));
        PER_ENTRY + self.body.len() + headers.sum::<usize>() + selecting.sum::<usize>()
    }
}

/// An answer out of its parts.
pub(super) fn response(status: StatusCode, headers: HeaderMap, body: Bytes) -> CachedAnswer {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The headers without those about one connection.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    for name in hop_by_hop::nominated(headers) {
        kept.remove(name);
    }
    for name in &HOP_BY_HOP {
        kept.remove(name);
    }
    kept
}

/// The request headers an answer depends on; `None` when they cannot be known.
fn selecting(response: &HeaderMap, request: &HeaderMap) -> Option<Selecting> {
    let line = match response.get(VARY) {
        Some(line) => line.to_str().ok()?,
        None => "",
    };
    let names = line.split(',').map(str::trim).filter(|name| !name.is_empty());
    let read = names.map(|name| {
        // `*` is a name by its letters, and means that nothing says what the answer depends on.
        let name = HeaderName::from_bytes(name.as_bytes()).ok().filter(|name| name != "*")?;
        let value = request.get(&name).cloned();
        Some((name, value))
    });
    read.collect()
}

/// What the policy has to remember of a request: no more than it needs, for a request can hold secrets.
fn remembered(request: &HeaderMap, selecting: &[(HeaderName, Option<HeaderValue>)]) -> HeaderMap {
    let mut kept = HeaderMap::new();
    if request.contains_key(AUTHORIZATION) {
        kept.insert(AUTHORIZATION, HeaderValue::from_static("-"));
    }
    if let Some(value) = request.get(CACHE_CONTROL) {
        kept.insert(CACHE_CONTROL, value.clone());
    }
    for (name, value) in selecting {
        if let Some(value) = value {
            kept.insert(name, value.clone());
        }
    }
    kept
}

/// How long it may stand in for a failure; no time at all where the answer forbids stale ones.
fn stale_if_error(directives: &[(&str, &str)]) -> Duration {
    let forbidding = ["must-revalidate", "proxy-revalidate", "s-maxage", "no-cache"];
    if directives.iter().any(|(name, _)| forbidding.contains(name)) {
        return Duration::ZERO;
    }
    let found = directives.iter().find(|(name, _)| *name == "stale-if-error");
    let value = found.and_then(|(_, value)| HeaderValue::from_str(value).ok());
    Duration::from_secs(value.and_then(|value| seconds(&value)).unwrap_or(0))
}

/// A request as the policy sees it. Its target is compared before the policy is asked.
struct Seen<'a> {
    method: &'a Method,
    headers: &'a HeaderMap,
}

impl RequestLike for Seen<'_> {
    fn uri(&self) -> Uri {
        Uri::default()
    }

    fn is_same_uri(&self, _: &Uri) -> bool {
        true
    }

    fn method(&self) -> &Method {
        self.method
    }

    fn headers(&self) -> &HeaderMap {
        self.headers
    }
}

/// An answer as the policy sees it.
struct Told<'a> {
    status: StatusCode,
    headers: &'a HeaderMap,
}

impl ResponseLike for Told<'_> {
    fn status(&self) -> StatusCode {
        self.status
    }

    fn headers(&self) -> &HeaderMap {
        self.headers
    }
}
