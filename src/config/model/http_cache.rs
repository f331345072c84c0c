//! How much a cache of answers holds.

use std::num::NonZeroUsize;

/// A cache of answers, and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpCache {
    /// `shared`: one cache for all backends that say so. Their limits are the same here.
    pub shared: bool,
    /// `max_items`: answers.
    pub max_items: NonZeroUsize,
    /// `max_size`: bytes.
    pub max_size: NonZeroUsize,
}

impl HttpCache {
    /// `max_items` unless set.
    pub const MAX_ITEMS: NonZeroUsize = NonZeroUsize::new(1_000).expect("it is not 0");
    /// `max_size` unless set.
    pub const MAX_SIZE: NonZeroUsize = NonZeroUsize::new(64 * 1024 * 1024).expect("it is not 0");
}
