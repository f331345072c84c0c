//! Waiting without sleeping: for a condition, with a deadline, or for a latch that the test opens.

use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for a loaded machine; a test that passes never waits for it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Returns as soon as the condition holds; panics, saying what was awaited, when it does not in time.
#[track_caller]
pub fn eventually(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    some(deadline, what, || condition().then_some(()));
}

/// Like [`eventually`], for a condition that yields something.
#[track_caller]
pub fn some<T>(deadline: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "not within {deadline:?}: {what}");
        thread::park_timeout(Duration::from_millis(2));
    }
}

/// A door between threads: closed until somebody opens it, then open for good.
#[derive(Clone, Default)]
pub struct Latch(Arc<(Mutex<bool>, Condvar)>);

impl Latch {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    /// Waits until the latch is open. False when that did not happen in time, so that a server thread can give up quietly.
    pub fn wait(&self) -> bool {
        let open = self.0.0.lock().unwrap();
        *self.0.1.wait_timeout_while(open, PATIENCE, |open| !*open).unwrap().0
    }
}
