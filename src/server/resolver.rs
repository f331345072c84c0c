//! Looks up the upstream names of a configuration, at start and then again and again.
//!
//! By way of the system's resolver, so that `/etc/hosts`, search domains and what else a machine has set up are honoured.

use crate::snapshot::addresses::{AddressBook, Addresses};
use log::{debug, warn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Time between two look-ups of a name, as KrakenD's `dns_cache_ttl`.
const EVERY: Duration = Duration::from_secs(30);
/// While a name has never been found, it is looked up more often.
const EVERY_UNKNOWN: Duration = Duration::from_secs(2);
/// The longest a look-up may take.
const LONGEST: Duration = Duration::from_secs(5);

/// The names and what became of them.
pub(super) struct Resolver {
    names: Vec<Arc<Name>>,
}

struct Name {
    addresses: Arc<Addresses>,
    /// Whether the last look-up failed: each change is logged once.
    failing: AtomicBool,
}

impl Resolver {
    /// A resolver for all names of a book.
    pub(super) fn new(book: &AddressBook) -> Self {
        let name = |addresses: &Arc<Addresses>| {
            Arc::new(Name { addresses: addresses.clone(), failing: AtomicBool::new(false) })
        };
        Self { names: book.names().map(name).collect() }
    }

    /// Looks every name up once, all at the same time.
    pub(super) async fn resolve_all(&self) {
        let mut lookups = JoinSet::new();
        for name in &self.names {
            lookups.spawn(name.clone().resolve());
        }
        while lookups.join_next().await.is_some() {}
    }

    /// Looks names up again until the task is dropped.
    pub(super) async fn keep_fresh(&self) {
        let mut tasks = JoinSet::new();
        for name in &self.names {
            tasks.spawn(name.clone().keep_fresh());
        }
        while tasks.join_next().await.is_some() {}
    }
}

impl Name {
    async fn keep_fresh(self: Arc<Self>) {
        loop {
            let known = self.addresses.count() > 0;
            tokio::time::sleep(if known { EVERY } else { EVERY_UNKNOWN }).await;
            self.clone().resolve().await;
        }
    }

    async fn resolve(self: Arc<Self>) {
        let name = &self.addresses.name;
        match lookup(name, self.addresses.port).await {
            Ok(found) => {
                debug!("`{name}` has {} addresses", found.len());
                self.addresses.publish(found);
                self.failing.store(false, Ordering::Relaxed);
            }
            Err(reason) => {
                if !self.failing.swap(true, Ordering::Relaxed) {
                    warn!("cannot resolve upstream `{name}`: {reason}; {}", self.consequence());
                }
            }
        }
    }

    fn consequence(&self) -> &'static str {
        if self.addresses.count() > 0 { "its last known addresses stay in use" } else { "it has no address yet" }
    }
}

async fn lookup(name: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    match timeout(LONGEST, tokio::net::lookup_host((name, port))).await {
        Err(_) => Err("no answer in time".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(found)) => {
            let found: Vec<SocketAddr> = found.collect();
            if found.is_empty() { Err("no addresses".to_owned()) } else { Ok(found) }
        }
    }
}
