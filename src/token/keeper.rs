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
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use task::{Limits, Task};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use url::Origin;

/// Token requests under way at once, to all servers together and to each. It matters at start-up, and when a server answers
/// so slowly that its refreshes pile up.
const MOST_FETCHES: usize = 32;
const MOST_FETCHES_PER_SERVER: usize = 4;
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
    let mut origins: HashMap<Origin, (Arc<Semaphore>, usize)> = HashMap::new();
    for entry in table.entries() {
        let places = || (Arc::new(Semaphore::new(MOST_FETCHES_PER_SERVER)), 0);
        origins.entry(origin(&entry.credential)).or_insert_with(places).1 += 1;
    }
    let mut ways: Vec<(&Credential, Arc<Server>)> = Vec::new();
    let mut servers = Vec::new();
    for Entry { credential, .. } in table.entries() {
        let Some((places, count)) = origins.get(&origin(credential)) else { continue };
        let known = ways.iter().find(|(other, _)| share_a_way(other, credential)).map(|(_, server)| server.clone());
        let server = known.unwrap_or_else(|| Arc::new(Server::new(places.clone())));
        ways.push((credential, server.clone()));
        servers.push((server, *count > CROWD));
    }
    servers
}

fn origin(credential: &Credential) -> Origin {
    credential.endpoint.url().origin()
}

/// Whether two credentials meet the same server in the same way: what one learns of it then holds for the other.
fn share_a_way(one: &Credential, other: &Credential) -> bool {
    origin(one) == origin(other) && one.transport == other.transport && one.timeout == other.timeout
}

#[cfg(test)]
mod tests;
