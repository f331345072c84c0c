//! What the gateway writes while it runs: the lines of its access log that tell of a failure, by the number of their request,
//! and the few other lines.

use crate::support::poll::{PATIENCE, some};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What the access log says of a request that failed.
#[derive(Debug, Clone)]
pub struct Line {
    /// The last upstream that was tried.
    pub upstream: Option<SocketAddr>,
    /// Of the answer, as far as it came.
    pub status: u16,
    pub whole: String,
}

#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    failures: HashMap<u64, Line>,
    others: Vec<String>,
}

/// Of the other lines, as many as say where the gateway listens, and then some.
const MOST: usize = 1000;

impl Log {
    /// Reads to the end, which is the process's, in a thread of its own.
    pub fn follow(from: impl Read + Send + 'static) -> Self {
        let log = Self::default();
        let lines = log.0.clone();
        thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                lines.lock().unwrap().add(line);
            }
        });
        log
    }

    /// An address that a line ends with.
    pub fn address(&self, what: &str) -> SocketAddr {
        some(PATIENCE, what, || {
            let lines = self.0.lock().unwrap();
            lines.others.iter().find(|line| line.contains(what))?.rsplit(' ').next()?.parse().ok()
        })
    }

    /// The line of a request that failed: it is written soon after its answer.
    pub fn failure(&self, number: u64) -> Option<Line> {
        self.0.lock().unwrap().failures.get(&number).cloned()
    }

    /// Waits until there are lines for all of these; in vain, if the gateway knows nothing of a failure.
    pub fn wait_for(&self, numbers: &[u64]) {
        let end = Instant::now() + PATIENCE;
        let all = || {
            let lines = self.0.lock().unwrap();
            numbers.iter().all(|number| lines.failures.contains_key(number))
        };
        while !all() && Instant::now() < end {
            thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl Lines {
    fn add(&mut self, line: String) {
        let Some((_, access)) = line.split_once(" access method=") else {
            if self.others.len() < MOST {
                self.others.push(line);
            }
            return;
        };
        let field = |name: &str| access.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        if field("failure").is_none() && field("cause").is_none() {
            return;
        }
        let number = field("path").and_then(|path| path.rsplit('/').next()?.parse().ok());
        let upstream = field("upstream").and_then(|address| address.parse().ok());
        let status = field("status").and_then(|status| status.parse().ok()).unwrap_or_default();
        if let Some(number) = number {
            self.failures.insert(number, Line { upstream, status, whole: line });
        }
    }
}
