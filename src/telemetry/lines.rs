//! One writer for all lines of the process: a bounded queue and a thread.
//!
//! Whoever has something to say never waits and never wakes the writer: it looks by itself, many times a second, and
//! writes all that has come in one go. (Waking it for each request would cost a system call and a context switch on the
//! request's own core.) When the queue is full a line is dropped and counted.

use crate::telemetry::access::{AccessFormat, AccessRecord};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Lines that may wait. At 25 ms between looks that is 320,000 lines a second.
const CAPACITY: usize = 8192;
const PAUSE: Duration = Duration::from_millis(25);
/// Write out when this much text has been gathered, in bytes.
const BATCH: usize = 64 * 1024;

#[expect(clippy::large_enum_variant, reason = "access records are nearly all there is; boxing them would allocate")]
enum Line {
    Text(String),
    Access(AccessRecord),
    /// Everything before this is to be written, then the sender is told.
    Flush(SyncSender<()>),
}

/// The way into the queue; clones lead to the same writer.
#[derive(Clone)]
pub struct Lines {
    queue: SyncSender<Line>,
    writer: Thread,
    dropped: Arc<AtomicU64>,
}

impl Lines {
    /// Starts a writer on `sink`. It ends when the last `Lines` is gone.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn start(sink: impl Write + Send + 'static) -> std::io::Result<Self> {
        let (queue, lines) = sync_channel(CAPACITY);
        let writer = thread::Builder::new().name("lines".to_owned()).spawn(move || write_all(&lines, sink))?;
        Ok(Self { queue, writer: writer.thread().clone(), dropped: Arc::default() })
    }

    /// A finished line, without its line end. It is written soon: these are rare.
    pub fn text(&self, line: String) {
        self.send(Line::Text(line));
        self.writer.unpark();
    }

    /// An access line, formed by the writer.
    pub fn access(&self, record: AccessRecord) {
        self.send(Line::Access(record));
    }

    /// Waits until all lines so far are written, `wait` at the longest: a reader that has stopped must not keep the process
    /// from its end.
    pub fn flush(&self, wait: Duration) {
        let deadline = Instant::now() + wait;
        let (done, written) = sync_channel(1);
        while self.queue.try_send(Line::Flush(done.clone())).is_err() {
            if Instant::now() >= deadline {
                return;
            }
            self.writer.unpark();
            thread::park_timeout(PAUSE);
        }
        self.writer.unpark();
        let _ = written.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }

    /// Lines lost so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn send(&self, line: Line) {
        if self.queue.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("dropped", &self.dropped()).finish_non_exhaustive()
    }
}

/// A sink that fails (a closed pipe) loses its lines; the gateway goes on.
fn write_all(lines: &Receiver<Line>, mut sink: impl Write) {
    let mut text = String::with_capacity(BATCH);
    let mut format = AccessFormat::default();
    let mut write_out = |text: &mut String| {
        let _ = sink.write_all(text.as_bytes()).and_then(|()| sink.flush());
        text.clear();
    };
    loop {
        let next = lines.try_recv();
        match next {
            Ok(Line::Text(line)) => {
                text.push_str(&line);
                text.push('\n');
            }
            Ok(Line::Access(record)) => format.write(&record, &mut text),
            Ok(Line::Flush(done)) => {
                write_out(&mut text);
                let _ = done.try_send(());
            }
            Err(TryRecvError::Empty) => {
                if !text.is_empty() {
                    write_out(&mut text);
                }
                thread::park_timeout(PAUSE);
            }
            Err(TryRecvError::Disconnected) => {
                write_out(&mut text);
                return;
            }
        }
        if text.len() >= BATCH {
            write_out(&mut text);
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! A sink that can be read.

    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    pub(crate) struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Sink {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("text")
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::Sink;
    use super::*;

    #[test]
    fn lines_come_out_in_order_and_flush_waits_for_them() {
        let sink = Sink::default();
        let lines = Lines::start(sink.clone()).expect("a thread");
        (0..100).for_each(|n| lines.text(n.to_string()));
        lines.flush(Duration::from_secs(10));
        let expected = (0..100).map(|n| n.to_string() + "\n").collect::<Vec<_>>().concat();
        assert_eq!(sink.text(), expected);
        assert_eq!(lines.dropped(), 0);
    }

    #[test]
    fn a_full_queue_drops_and_counts_and_flush_gives_up() {
        struct Stuck(Receiver<()>);
        impl Write for Stuck {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                let _ = self.0.recv();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let (_stuck, release) = sync_channel(0);
        let lines = Lines::start(Stuck(release)).expect("a thread");
        // The writer takes at most a batch before it gets stuck on the sink.
        (0..2 * CAPACITY + BATCH).for_each(|_| lines.text("x".to_owned()));
        assert!(lines.dropped() > 0);
        // The process could not end while whoever read its log had stopped reading.
        lines.flush(Duration::from_millis(50));
    }
}
