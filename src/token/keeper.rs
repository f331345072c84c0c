//! Keeps tokens fresh: one task for each credential, which fetches at start, refreshes before expiry and retries for ever.
//!
//! The tasks own the fetching. Requests only read what they publish, so a request that gives up cancels nothing and a
//! thousand waiting requests cause one fetch. One of them is a [`Task`]; here they are together.

mod task;

use crate::base::Clock;
use crate::base::clock::SystemClock;
use crate::config::model::Credential;
use crate::telemetry::metrics::TokenMetrics;
use crate::token::exchange::Exchange;
use crate::token::server::Server;
use crate::token::table::{Entry, TokenTable};
use log::{error, info, warn};
use std::sync::Arc;
use std::time::{Duration, Instant};
use task::{Limits, Task};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Token requests under way at once, to all servers together.
const MOST_FETCHES: usize = 32;
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
        let servers = servers(table);
        let tasks = table.entries().zip(servers).map(|(entry, (server, in_crowd))| {
            let limits = Limits { everyone: everyone.clone(), server, in_crowd };
            let exchange = Exchange::new(entry.credential.clone(), entry.slot.dpop.clone(), clock.clone());
            Task::new(entry, exchange, clock.clone(), limits, metrics.of(&entry.slot.name))
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
        let mut asked = Vec::new();
        for task in self.tasks.iter().filter(|task| task.credential.revocation.is_some()) {
            let Some(token) = task.slot.token().filter(|token| token.life.is_usable(Instant::now())) else { continue };
            let (task, done) = (task.clone(), done.clone());
            asked.push(task.slot.name.clone());
            // Threads of their own: the runtime is at its end, and none of them may hold up the process.
            std::thread::spawn(move || {
                let result = task.revoke(&token);
                // Nobody listens any more when time is up.
                let _ = done.send((task.slot.name.clone(), result));
            });
        }
        // Ours must not keep the channel open when a thread ends without a word.
        drop(done);
        let end = Instant::now() + LAST_WORDS;
        let mut silent: Vec<&str> = asked.iter().map(String::as_str).collect();
        while let Ok((name, result)) = results.recv_timeout(end.saturating_duration_since(Instant::now())) {
            silent.retain(|waiting| *waiting != name);
            match result {
                Ok(()) => info!("token of `{name}` revoked"),
                Err(error) => warn!("token of `{name}` was not revoked: {error}"),
            }
        }
        if !silent.is_empty() {
            warn!("tokens of {silent:?} could not be revoked in time");
        }
    }
}

/// For each credential the server that it shares with others, and whether those are many.
fn servers(table: &TokenTable) -> Vec<(Arc<Server>, bool)> {
    let mut groups: Vec<(&Credential, Arc<Server>)> = Vec::new();
    for entry in table.entries() {
        if !groups.iter().any(|(credential, _)| share_a_way(credential, &entry.credential)) {
            groups.push((&entry.credential, Arc::default()));
        }
    }
    let group = |entry: &Entry| {
        let (credential, server) = groups.iter().find(|(credential, _)| share_a_way(credential, &entry.credential))?;
        let count = table.entries().filter(|other| share_a_way(credential, &other.credential)).count();
        Some((server.clone(), count > CROWD))
    };
    table.entries().filter_map(group).collect()
}

/// Whether two credentials meet the same server in the same way: what one learns of it then holds for the other.
fn share_a_way(one: &Credential, other: &Credential) -> bool {
    let origin = |credential: &Credential| credential.endpoint.url().origin();
    origin(one) == origin(other) && one.transport == other.transport && one.timeout == other.timeout
}

#[cfg(test)]
mod tests;
