//! Keeps tokens fresh: one task for each credential, which fetches at start, refreshes before expiry and retries for ever.
//!
//! The tasks own the fetching. Requests only read what they publish, so a request that gives up cancels nothing and a
//! thousand waiting requests cause one fetch. One of them is a [`Task`]; here they are together.

mod task;

use crate::base::Clock;
use crate::base::clock::SystemClock;
use crate::telemetry::metrics::TokenMetrics;
use crate::token::exchange::{Exchange, Fetch};
use crate::token::server::Server;
use crate::token::table::{Entry, TokenTable};
use log::{error, info, warn};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use task::{MOST_FETCHES, Task};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Credentials of one server beyond which the first fetches are spread.
const CROWD: usize = 8;

/// The most that giving tokens back may take when the process ends.
pub const LAST_WORDS: Duration = Duration::from_secs(2);

/// The background work for all credentials of a table.
pub struct Keeper {
    tasks: Vec<Task<Exchange>>,
}

impl Keeper {
    /// Prepares the tasks; nothing is fetched before [`Self::run`].
    #[must_use]
    pub fn new(table: &TokenTable, metrics: &TokenMetrics) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let everyone = Arc::new(Semaphore::new(MOST_FETCHES));
        let origin = |entry: &Entry| entry.credential.endpoint.url().origin().ascii_serialization();
        let mut servers: HashMap<String, (Arc<Server>, usize)> = HashMap::new();
        for entry in table.entries() {
            servers.entry(origin(entry)).or_default().1 += 1;
        }
        let tasks = table.entries().filter_map(|entry| {
            let (server, count) = servers.get(&origin(entry))?;
            let exchange = Exchange::new(entry.credential.clone(), entry.slot.dpop.clone(), clock.clone());
            let counters = metrics.of(&entry.slot.name);
            let mut task = Task::new(entry, exchange, clock.clone(), server.clone(), counters);
            task.everyone = everyone.clone();
            task.in_crowd = *count > CROWD;
            Some(task)
        });
        Self { tasks: tasks.collect() }
    }

    /// Runs until it is dropped.
    pub async fn run(&self) {
        let mut running = JoinSet::new();
        for task in &self.tasks {
            running.spawn(task.clone().run());
        }
        // One by one: if a task panicked, which is a fault, the others go on.
        while let Some(ended) = running.join_next().await {
            if let Err(fault) = ended {
                error!("a credential is no longer refreshed: {fault}");
            }
        }
    }

    /// Gives back the tokens of credentials that say so (RFC 7009), all at once. Blocks for [`LAST_WORDS`] at the most:
    /// a token that is not given back expires by itself.
    pub fn revoke(&self) {
        let (done, results) = std::sync::mpsc::channel();
        let mut awaited = 0;
        for task in self.tasks.iter().filter(|task| task.credential.revocation.is_some()) {
            let Some(token) = task.slot.token().filter(|token| token.life.is_usable(Instant::now())) else { continue };
            let (task, done) = (task.clone(), done.clone());
            awaited += 1;
            // Threads of their own: the runtime is at its end, and none of them may hold up the process.
            std::thread::spawn(move || {
                let result = task.fetcher().revoke(&token.access_token());
                // Nobody listens any more when time is up.
                let _ = done.send((task.slot.name.clone(), result));
            });
        }
        let end = Instant::now() + LAST_WORDS;
        for _ in 0..awaited {
            match results.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok((name, Ok(()))) => info!("token of `{name}` given back"),
                Ok((name, Err(error))) => warn!("token of `{name}` was not given back: {error}"),
                Err(_) => return warn!("not every token could be given back in time"),
            }
        }
    }
}

#[cfg(test)]
mod tests;
