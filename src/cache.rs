//! Answers of a backend, kept and used again as RFC 9111 allows a shared cache: `qos/http-cache`.
//!
//! It decides and remembers; asking the upstream is its caller's work. The token that porteur puts on a request is none of its
//! business: the headers it is shown are those before the token, so an answer is not tied up by an `Authorization` the client
//! never sent, and a hit needs no token. In its place the key names the credential: what one was given, no other is shown.
//!
//! Stricter than the RFC where many share one gateway: freshness is what the answer says, never guessed; an answer with
//! `Set-Cookie` is not kept; contradicting directives are `no-store`. It never guesses about clients either: one that asks for
//! a part, or has conditions of its own, goes to the upstream. (KrakenD's cache is a private one for all clients at once: it
//! ignores `private` and `Authorization`.)

mod entry;
mod plain;
mod store;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use entry::Entry;
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE};
use http::{HeaderMap, Method, StatusCode, response};
use plain::plain;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use store::Store;

/// An answer from the cache, with its `Age`.
pub type CachedAnswer = http::Response<Bytes>;

/// The answers of one backend, or of all that share.
#[derive(Debug)]
pub struct HttpCache {
    /// Held for a few map operations at a time, never while anything waits.
    kept: Mutex<Store>,
}

/// What an answer is kept under.
#[derive(Debug, Clone, Copy)]
pub struct CacheKey<'a> {
    /// Scheme, host and port of the upstream.
    origin: &'a str,
    /// GET or HEAD.
    method: &'a Method,
    /// Path and query as they go upstream.
    target: &'a str,
    /// Whose token the request carries.
    credential: Option<&'a str>,
    /// The endpoint's name.
    route: &'a str,
}

/// What the cache has for a request.
#[derive(Debug)]
pub enum Lookup {
    /// Answer with this.
    Fresh(CachedAnswer),
    /// Ask the upstream whether it still holds.
    Stale(Stale),
    /// Ask the upstream.
    Miss,
}

/// An answer that needs the upstream's word.
#[derive(Debug)]
pub struct Stale {
    entry: Arc<Entry>,
    /// `If-None-Match` or `If-Modified-Since`, to be added to the request. Empty when it can only serve as
    /// [`Stale::on_error`].
    pub conditions: HeaderMap,
}

impl<'a> CacheKey<'a> {
    /// The key of a request; `None` for one whose answer is never kept.
    pub fn new(
        origin: &'a str,
        method: &'a Method,
        target: &'a str,
        credential: Option<&'a str>,
        route: &'a str,
    ) -> Option<Self> {
        let kept = matches!(*method, Method::GET | Method::HEAD);
        kept.then_some(Self { origin, method, target, credential, route })
    }
}

impl HttpCache {
    /// An empty cache for so many answers, and so many bytes with all that belongs to them.
    pub fn new(max_items: usize, max_size: usize) -> Self {
        Self { kept: Mutex::new(Store::new(max_items, max_size)) }
    }

    /// Looks for an answer. `request` holds the headers as they would go upstream, before the token.
    pub fn lookup(&self, key: &CacheKey<'_>, request: &HeaderMap, now: SystemTime) -> Lookup {
        let own = [RANGE, IF_RANGE, IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE];
        if own.iter().any(|name| request.contains_key(name)) {
            return Lookup::Miss;
        }
        let request = plain(request);
        let Some(entry) = self.kept().find(key, &request) else {
            return Lookup::Miss;
        };
        if let Some(conditions) = entry.needs(key.method, &request, now) {
            if conditions.is_empty() && !entry.helps_on_error(now) {
                return Lookup::Miss;
            }
            return Lookup::Stale(Stale { entry, conditions });
        }
        Lookup::Fresh(entry.answer(now))
    }

    /// Keeps a whole answer if it may be kept; one that may not takes the place of the kept one all the same. `request` is
    /// what [`Self::lookup`] was shown, and `body` should not be a part of something larger, which would be kept with it.
    pub fn store(
        &self,
        key: &CacheKey<'_>,
        request: &HeaderMap,
        response: &response::Parts,
        body: &Bytes,
        now: SystemTime,
    ) {
        // An error says nothing about the answer before it, nor does a part or a `304` the client asked for.
        let status = response.status;
        if status.is_server_error() || matches!(status, StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT) {
            return;
        }
        let request = plain(request);
        let entry = Entry::new(key.method, &request, status, &response.headers, body, now);
        self.kept().put(key, &request, entry);
    }

    /// What a `304` to a [`Stale`]'s conditions makes of it: the answer for the client. `None`: the upstream means another
    /// answer than ours, which is forgotten; ask again without conditions.
    pub fn revalidated(
        &self,
        key: &CacheKey<'_>,
        request: &HeaderMap,
        stale: &Stale,
        response: &HeaderMap,
        now: SystemTime,
    ) -> Option<CachedAnswer> {
        let request = plain(request);
        let Some(headers) = stale.entry.updated(response) else {
            self.kept().put(key, &request, None);
            return None;
        };
        let (status, body) = stale.entry.content();
        let entry = Entry::new(key.method, &request, status, &headers, body, now);
        let answer = match &entry {
            Some(entry) => entry.answer(now),
            None => entry::response(status, headers, body.clone()),
        };
        self.kept().put(key, &request, entry);
        Some(answer)
    }

    /// An unsafe request that did not fail may have changed what its target is (RFC 9111 §4.4): every answer kept for it goes,
    /// whoever it was for.
    pub fn invalidate(&self, origin: &str, target: &str, method: &Method, status: StatusCode) {
        if !method.is_safe() && (status.is_success() || status.is_redirection()) {
            self.kept().forget(origin, target);
        }
    }

    /// How many answers there are, and how many bytes they take.
    pub fn size(&self) -> (usize, usize) {
        self.kept().size()
    }

    /// The store is whole between any two operations: a panic elsewhere does not spoil it.
    fn kept(&self) -> MutexGuard<'_, Store> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stale {
    /// The answer, in place of the upstream's failure, if it said so itself (`stale-if-error`, RFC 5861 §4).
    pub fn on_error(&self, now: SystemTime) -> Option<CachedAnswer> {
        self.entry.helps_on_error(now).then(|| self.entry.answer(now))
    }
}
