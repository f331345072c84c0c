//! What the process holds, as Linux tells it.

use std::fs;
use std::sync::Mutex;

/// A process by its number.
pub struct Process(pub u32);

/// One look at it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look {
    pub rss_kib: u64,
    pub fds: usize,
    pub threads: u64,
}

impl Process {
    pub fn look(&self) -> Look {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).expect("the gateway is running");
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim_end_matches("kB").trim().parse().unwrap_or_default()
        };
        let fds = fs::read_dir(format!("/proc/{}/fd", self.0)).map_or(0, Iterator::count);
        Look { rss_kib: number("VmRSS:"), fds, threads: number("Threads:") }
    }
}

/// Looks in their order.
#[derive(Default)]
pub struct Series(Mutex<Vec<Look>>);

impl Series {
    pub fn add(&self, look: Look) {
        self.0.lock().unwrap().push(look);
    }

    /// So many of them, evenly.
    pub fn thinned(&self, count: usize) -> Vec<Look> {
        let all = self.0.lock().unwrap();
        let step = all.len().div_ceil(count.max(1)).max(1);
        all.iter().step_by(step).copied().collect()
    }

    pub fn peak(&self) -> Look {
        self.0.lock().unwrap().iter().fold(Look::default(), |peak, look| Look {
            rss_kib: peak.rss_kib.max(look.rss_kib),
            fds: peak.fds.max(look.fds),
            threads: peak.threads.max(look.threads),
        })
    }
}
