//! How many requests to upstreams may be under way in the whole process: each may need a connection, and so a descriptor.
//!
//! A request of a client is one of them, whether it is streamed or composed, and is counted as such anyway. What a composed request
//! needs beyond that (backends and copies asked at the same time), and every copy for a shadow, is reserved here before anything is
//! sent: an answer is not to lack a part for want of descriptors.

use prometheus::IntGauge;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The count.
pub struct Exchanges {
    /// Requests of clients under way.
    requests: IntGauge,
    /// What is reserved beyond one for each of them.
    further: AtomicI64,
    most: i64,
}

/// A number of exchanges; given back when it is dropped.
pub(super) struct Reserved {
    exchanges: Arc<Exchanges>,
    count: i64,
}

impl Exchanges {
    /// No more than `most`, those of `requests` among them.
    #[must_use]
    pub fn new(requests: IntGauge, most: usize) -> Self {
        Self { requests, further: AtomicI64::new(0), most: i64::try_from(most).unwrap_or(i64::MAX) }
    }

    /// Whether there are more than there may be, that of the request that asks among them.
    #[must_use]
    pub fn is_too_many(&self) -> bool {
        self.requests.get().saturating_add(self.further.load(Ordering::Relaxed)) > self.most
    }

    /// Room for so many more. An endpoint that needs more than there ever are is served when nobody else is.
    pub(super) fn reserve(self: &Arc<Self>, count: usize) -> Option<Reserved> {
        let count = i64::try_from(count).unwrap_or(i64::MAX).min(self.most.saturating_sub(1).max(0));
        if count > 0 {
            self.further.fetch_add(count, Ordering::Relaxed);
        }
        let reserved = Reserved { exchanges: self.clone(), count };
        (count == 0 || !self.is_too_many()).then_some(reserved)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.count > 0 {
            self.exchanges.further.fetch_sub(self.count, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_than_there_may_be_and_what_is_dropped_is_free() {
        let requests = IntGauge::new("requests", "under way").expect("a name");
        let exchanges = Arc::new(Exchanges::new(requests.clone(), 8));
        requests.set(2);
        let three = exchanges.reserve(3).expect("two requests and three more");
        assert!(exchanges.reserve(4).is_none());
        let more = exchanges.reserve(3).expect("what did not fit is free again");
        assert!(!exchanges.is_too_many() && exchanges.reserve(1).is_none() && exchanges.reserve(0).is_some());
        requests.set(3);
        assert!(exchanges.is_too_many(), "a request too many");
        drop((three, more));
        requests.set(1);
        assert!(exchanges.reserve(100).is_some(), "an endpoint that needs more than there are, alone");
        requests.set(2);
        assert!(exchanges.reserve(100).is_none());
    }
}
