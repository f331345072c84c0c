//! How many clients are connected, and who gives way when there is no room for another.
//!
//! At the bound each listener accepts one more client and no others: that one waits for its place, and the rest in the listener's
//! backlog, where they cost no descriptor. Connections that are between two requests are closed one by one to make room for
//! them, and answers end their connections, so that idle clients never lock out others.

use crate::telemetry::metrics::{ConnectionMetrics, Cut};
use futures_util::task::AtomicWaker;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a connection may take to give way before another one is asked.
const PATIENCE: Duration = Duration::from_millis(100);

/// All connections of one kind: of the clients, or of the admin listener.
pub struct Connections {
    most: usize,
    room: Arc<Semaphore>,
    next: AtomicU64,
    present: Mutex<BTreeMap<u64, Arc<Presence>>>,
    metrics: ConnectionMetrics,
}

/// One connection, as the others see it.
#[derive(Default)]
pub(super) struct Presence {
    idle: AtomicBool,
    gives_way: AtomicBool,
    waker: AtomicWaker,
}

/// A connection's place; it is free again when this is dropped.
pub(super) struct Place {
    id: u64,
    connections: Arc<Connections>,
    presence: Arc<Presence>,
    _room: OwnedSemaphorePermit,
}

impl Connections {
    /// Room for `most` connections.
    #[must_use]
    pub fn new(most: usize, metrics: ConnectionMetrics) -> Arc<Self> {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        let room = Arc::new(Semaphore::new(most));
        Arc::new(Self { most, room, next: AtomicU64::new(0), present: Mutex::default(), metrics })
    }

    /// A place for one more, as soon as there is room. Waiting makes an idle connection give way.
    pub(super) async fn place(self: &Arc<Self>) -> Place {
        let room = if let Ok(room) = self.room.clone().try_acquire_owned() {
            room
        } else {
            self.metrics.full();
            self.made_room().await
        };
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        Place { id, connections: self.clone(), presence: Arc::default(), _room: room }
    }

    async fn made_room(&self) -> OwnedSemaphorePermit {
        loop {
            self.let_one_go();
            // One that was asked to go may just have got a request; then it is another's turn. The semaphore is never closed.
            if let Ok(Ok(room)) = timeout(PATIENCE, self.room.clone().acquire_owned()).await {
                return room;
            }
        }
    }

    /// Where they are counted.
    pub(super) const fn metrics(&self) -> &ConnectionMetrics {
        &self.metrics
    }

    /// Whether nearly every place is taken: then answers end their connections.
    #[must_use]
    pub fn are_scarce(&self) -> bool {
        self.room.available_permits() < self.most.div_ceil(16).min(64)
    }

    /// Counts a connection that ends because it has had all its requests.
    pub fn ended_with_last_request(&self) {
        self.metrics.cut(Cut::LastRequest);
    }

    /// Asks the oldest connection that is between two requests to close.
    fn let_one_go(&self) {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |presence: &&Arc<Presence>| {
            presence.idle.load(Ordering::Acquire) && !presence.gives_way.swap(true, Ordering::AcqRel)
        };
        if let Some(presence) = present.values().find(idle) {
            presence.waker.wake();
            self.metrics.cut(Cut::GaveWay);
        }
    }
}

impl Place {
    /// The place is taken by a client.
    pub(super) fn take(&self) {
        self.connections.metrics.opened();
        let mut present = self.connections.present.lock().unwrap_or_else(PoisonError::into_inner);
        present.insert(self.id, self.presence.clone());
    }

    /// The connection as others see it.
    pub(super) fn presence(&self) -> &Presence {
        &self.presence
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut present = self.connections.present.lock().unwrap_or_else(PoisonError::into_inner);
        if present.remove(&self.id).is_some() {
            self.connections.metrics.closed();
        }
    }
}

impl Presence {
    /// Nothing is under way on the connection. Whether it is to close; if not, the task is woken when it is.
    pub(super) fn is_to_leave(&self, cx: &std::task::Context<'_>) -> bool {
        self.waker.register(cx.waker());
        self.idle.store(true, Ordering::Release);
        self.gives_way.load(Ordering::Acquire)
    }

    /// Something is under way.
    pub(super) fn is_busy(&self) {
        self.idle.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Metrics;

    fn connections(most: usize) -> Arc<Connections> {
        Connections::new(most, Metrics::new().expect("metrics").connections("test"))
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_bound_one_waits_until_another_leaves() {
        let connections = connections(2);
        let (first, _second) = (connections.place().await, connections.place().await);
        assert!(timeout(Duration::from_secs(60), connections.place()).await.is_err());
        drop(first);
        assert!(timeout(Duration::from_secs(1), connections.place()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_idle_connection_gives_way_and_busy_ones_stay() {
        let connections = connections(3);
        let places = [connections.place().await, connections.place().await, connections.place().await];
        places.iter().for_each(Place::take);
        let cx = std::task::Context::from_waker(std::task::Waker::noop());
        let leaves = |place: &Place| place.presence.gives_way.load(Ordering::Acquire);
        assert!(!places[1].presence().is_to_leave(&cx) && !places[2].presence().is_to_leave(&cx));
        assert!(timeout(PATIENCE / 2, connections.place()).await.is_err());
        assert_eq!(places.each_ref().map(leaves), [false, true, false]);
        assert!(timeout(PATIENCE / 2, connections.place()).await.is_err());
        assert_eq!(places.each_ref().map(leaves), [false, true, true]);
    }
}
