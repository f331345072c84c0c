//! A backend's cache in an exchange: what it has for a request, and what becomes of the upstream's answer.

use crate::base::Failure;
use crate::cache::{CacheKey, CachedAnswer, HttpCache, Lookup};
use crate::compose::answered::Answered;
use crate::compose::trouble::Trouble;
use crate::compose::unanswered::Unanswered;
use crate::forward::retry::Broken;
use crate::snapshot::composition::{ComposePlan, ComposedBackend};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, HOST, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use pingora::http::{RequestHeader, ResponseHeader};
use std::borrow::Cow;
use std::time::SystemTime;

/// The cache of a backend, and for whom it is asked.
#[derive(Clone, Copy)]
pub(super) struct Kept<'a> {
    /// The cache.
    pub cache: &'a HttpCache,
    /// The credential whose token requests carry: what one was given, no other is shown.
    pub credential: Option<&'a str>,
    /// The endpoint.
    pub route: &'a str,
}

/// A request, as it was before its token, and what the cache has for it.
pub(super) struct Looked<'a> {
    kept: Kept<'a>,
    origin: Cow<'a, str>,
    method: Method,
    target: String,
    headers: HeaderMap,
    found: Lookup,
}

impl<'a> Kept<'a> {
    /// The cache of a backend, if it has one.
    pub(super) fn of(backend: &'a ComposedBackend, plan: &'a ComposePlan) -> Option<Self> {
        let cache = backend.cache.as_deref()?;
        let credential = backend.plan.token.as_ref().map(|token| token.slot.name.as_str());
        Some(Self { cache, credential, route: &plan.common.name })
    }

    /// Asks the cache.
    pub(super) fn look(self, origin: Cow<'a, str>, head: &RequestHeader) -> Looked<'a> {
        let target = head.uri.path_and_query().map_or_else(String::new, |target| target.as_str().to_owned());
        let mut looked = Looked {
            kept: self,
            origin: as_named(origin, head),
            method: head.method.clone(),
            target,
            headers: head.headers.clone(),
            found: Lookup::Miss,
        };
        if let Some(key) = looked.key() {
            let found = self.cache.lookup(&key, &looked.headers, SystemTime::now());
            looked.found = found;
        }
        looked
    }
}

impl Looked<'_> {
    fn key(&self) -> Option<CacheKey<'_>> {
        CacheKey::new(&self.origin, &self.method, &self.target, self.kept.credential, self.kept.route)
    }

    /// The answer that needs no upstream.
    pub(super) fn fresh(&mut self) -> Option<Answered> {
        match std::mem::replace(&mut self.found, Lookup::Miss) {
            Lookup::Fresh(answer) => answered(answer),
            other => {
                self.found = other;
                None
            }
        }
    }

    /// Makes the request ask whether the kept answer still holds.
    pub(super) fn condition(&self, head: &mut RequestHeader) {
        let Lookup::Stale(stale) = &self.found else { return };
        for (name, value) in &stale.conditions {
            let _ = head.insert_header(name.clone(), value.clone());
        }
    }

    /// What follows from the upstream's answer: it is kept, or the kept one is renewed, or stands in for a failure. It stands in
    /// for no host that was not reached while there `is_another`.
    pub(super) fn settle(self, sent: Result<Answered, Unanswered>, is_another: bool) -> Result<Answered, Unanswered> {
        let now = SystemTime::now();
        let failed = match &sent {
            Ok(answered) => answered.head.status.is_server_error(),
            Err(unanswered) => match unanswered.broken {
                Some(Broken::Unreached) => !is_another,
                // It is asked again on another connection.
                Some(Broken::Closed | Broken::Refused) => false,
                None => true,
            },
        };
        if let Lookup::Stale(stale) = &self.found
            && failed
            && let Some(answer) = stale.on_error(now).and_then(answered)
        {
            return Ok(answer);
        }
        let answered = sent?;
        match &self.found {
            Lookup::Stale(stale) if answered.head.status == StatusCode::NOT_MODIFIED => {
                let renewed = self.key().and_then(|key| {
                    self.kept.cache.revalidated(&key, &self.headers, stale, &answered.head.headers, now)
                });
                // The upstream means another answer than the kept one, which is forgotten: asked again, it is asked plainly.
                let again = Trouble::Failure(Failure::UpstreamProtocol, "304 to another answer").broken(Broken::Closed);
                renewed.and_then(self::answered).ok_or(again)
            }
            _ => {
                self.keep(&answered, now);
                Ok(answered)
            }
        }
    }

    fn keep(&self, answered: &Answered, now: SystemTime) {
        let head = &answered.head;
        self.kept.cache.invalidate(&self.origin, &self.target, &self.method, head.status);
        if let Some(key) = self.key().filter(|_| answered.rest.is_none()) {
            let parts: &http::response::Parts = head;
            // A copy: the body may be a small part of a large buffer.
            let body = Bytes::copy_from_slice(&answered.body);
            self.kept.cache.store(&key, &self.headers, parts, &body, now);
        }
    }
}

/// An origin, with the `Host` that a modifier has put over its own: one address may serve many.
fn as_named<'a>(origin: Cow<'a, str>, head: &RequestHeader) -> Cow<'a, str> {
    let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
    match head.headers.get(HOST) {
        Some(host) if host.as_bytes() != authority.as_bytes() => {
            Cow::Owned(format!("{origin} {}", String::from_utf8_lossy(host.as_bytes())))
        }
        _ => origin,
    }
}

/// Whether an answer says how long it is good, or how to ask whether it still is: no other is kept. (An event stream says
/// neither, and would be held for ever.)
pub(super) fn is_worth_keeping(headers: &HeaderMap) -> bool {
    let forbids = |value: &HeaderValue| {
        let words = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        words.into_iter().any(|word| word.eq_ignore_ascii_case(b"no-store") || word.eq_ignore_ascii_case(b"private"))
    };
    [CACHE_CONTROL, EXPIRES, ETAG, LAST_MODIFIED].iter().any(|name| headers.contains_key(name))
        && !headers.get_all(CACHE_CONTROL).iter().any(forbids)
        && !headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}

fn answered(answer: CachedAnswer) -> Option<Answered> {
    let (parts, body) = answer.into_parts();
    let mut head = ResponseHeader::build(parts.status, Some(parts.headers.len())).ok()?;
    for (name, value) in &parts.headers {
        head.append_header(name.clone(), value.clone()).ok()?;
    }
    Some(Answered { head, body, rest: None })
}
