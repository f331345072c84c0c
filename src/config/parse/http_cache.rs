//! `qos/http-cache`: how much of a backend's answers is kept.

use super::super::code;
use super::super::document::Node;
use super::super::keys::Level;
use super::super::model::HttpCache;
use super::super::read::{Context, Object};
use std::num::NonZeroUsize;

/// Reads the namespace. KrakenD keeps answers without bound unless both limits are set; here each has a default.
pub(super) fn http_cache(cx: &mut Context<'_>, node: Option<&Node>) -> Option<HttpCache> {
    let node = node?;
    let object = Object::open(cx, node, Level::Namespace("qos/http-cache"))?;
    let shared = object.boolean(cx, "shared");
    let max_items = limit(cx, &object, "max_items").unwrap_or(HttpCache::MAX_ITEMS);
    let max_size = limit(cx, &object, "max_size").unwrap_or(HttpCache::MAX_SIZE);
    let cache = HttpCache { shared, max_items, max_size };
    if !shared {
        return Some(cache);
    }
    // One cache has one size. The first of those who share it decides, as in KrakenD.
    let first = *cx.shared_cache.get_or_insert(cache);
    if first != cache {
        let message = "this cache is shared, and another backend has already said how large it is";
        let help =
            format!("write `\"max_items\": {}` and `\"max_size\": {}` here, too", first.max_items, first.max_size);
        cx.warning(node, code::SHARED_CACHE, message, help);
    }
    Some(first)
}

/// 0 is KrakenD's "not set".
fn limit(cx: &mut Context<'_>, object: &Object<'_>, key: &str) -> Option<NonZeroUsize> {
    NonZeroUsize::new(cx.integer(object.get(key)?, "a whole number that is not negative")?)
}
