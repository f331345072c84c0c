//! The kept answers, by target, bounded in number and in bytes: what was not used for longest goes first.
//!
//! One target can have several answers: for other credentials, endpoints, or what `Vary` names. They stay together, so that an
//! unsafe request finds all of them.

use super::CacheKey;
use super::entry::Entry;
use http::{HeaderMap, Method};
use lru::LruCache;
use std::sync::Arc;

/// A target has at most so many answers; the oldest goes first. It keeps the search short when `Vary` names something that
/// is different in every request.
const MAX_VARIANTS: usize = 32;

/// The answers.
#[derive(Debug)]
pub(super) struct Store {
    targets: LruCache<Box<str>, Vec<Variant>>,
    max_items: usize,
    max_size: usize,
    items: usize,
    bytes: usize,
}

/// An answer and for whom it is.
#[derive(Debug)]
struct Variant {
    method: Method,
    credential: Option<Box<str>>,
    route: Box<str>,
    entry: Arc<Entry>,
    size: usize,
}

impl Variant {
    fn is_for(&self, key: &CacheKey<'_>, request: &HeaderMap) -> bool {
        self.method == *key.method
            && self.credential.as_deref() == key.credential
            && *self.route == *key.route
            && self.entry.selects(request)
    }
}

impl Store {
    /// An empty store. The map grows with what is put in.
    pub(super) fn new(max_items: usize, max_size: usize) -> Self {
        Self { targets: LruCache::unbounded(), max_items, max_size, items: 0, bytes: 0 }
    }

    /// The answer for a request; its target counts as used.
    pub(super) fn find(&mut self, key: &CacheKey<'_>, request: &HeaderMap) -> Option<Arc<Entry>> {
        let variants = self.targets.get(&target(key.origin, key.target))?;
        // From the newest: where `Vary` has changed, two may fit.
        variants.iter().rev().find(|variant| variant.is_for(key, request)).map(|variant| Arc::clone(&variant.entry))
    }

    /// Puts an answer in the place of those it replaces; without one they just go.
    pub(super) fn put(&mut self, key: &CacheKey<'_>, request: &HeaderMap, entry: Option<Entry>) {
        let target = target(key.origin, key.target);
        let mut variants = self.take(&target);
        variants.retain(|variant| !variant.is_for(key, request));
        if let Some(variant) = entry.map(|entry| variant(key, entry)).filter(|variant| variant.size <= self.max_size) {
            if variants.len() >= MAX_VARIANTS {
                variants.remove(0);
            }
            variants.push(variant);
        }
        self.items += variants.len();
        self.bytes += variants.iter().map(|variant| variant.size).sum::<usize>();
        if !variants.is_empty() {
            self.targets.put(target, variants);
        }
        while self.items > self.max_items || self.bytes > self.max_size {
            self.drop_one();
        }
    }

    /// Every answer for a target goes.
    pub(super) fn forget(&mut self, origin: &str, path: &str) {
        self.take(&target(origin, path));
    }

    /// Answers, and bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.items, self.bytes)
    }

    fn take(&mut self, target: &str) -> Vec<Variant> {
        let variants = self.targets.pop(target).unwrap_or_default();
        self.items -= variants.len();
        self.bytes -= variants.iter().map(|variant| variant.size).sum::<usize>();
        variants
    }

    /// The oldest answer of the target that was not used for longest.
    fn drop_one(&mut self) {
        let Some((_, variants)) = self.targets.iter_mut().next_back() else {
            return (self.items, self.bytes) = (0, 0);
        };
        if !variants.is_empty() {
            self.bytes -= variants.remove(0).size;
            self.items -= 1;
        }
        if variants.is_empty() {
            self.targets.pop_lru();
        }
    }
}

fn target(origin: &str, path: &str) -> Box<str> {
    [origin, path].concat().into()
}

fn variant(key: &CacheKey<'_>, entry: Entry) -> Variant {
    let names = key.origin.len() + key.target.len() + key.route.len() + key.credential.map_or(0, str::len);
    Variant {
        method: key.method.clone(),
        credential: key.credential.map(Box::from),
        route: key.route.into(),
        size: entry.size() + names,
        entry: Arc::new(entry),
    }
}
