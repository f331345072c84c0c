//! Looks up the upstream names of a configuration and the services that SRV records speak of, at start and then again and again.

use crate::config::model::Dns;
use crate::server::lookup::{Lookup, LookupError};
use crate::snapshot::addresses::{AddressBook, Addresses};
use crate::snapshot::services::Service;
use log::{debug, warn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// While a name has never been found, it is looked up more often.
const EVERY_UNKNOWN: Duration = Duration::from_secs(2);
/// The longest a look-up may take.
const LONGEST: Duration = Duration::from_secs(5);

/// The names and what became of them.
pub(super) struct Resolver {
    names: Vec<Arc<Name>>,
}

struct Name {
    what: What,
    lookup: Arc<Lookup>,
    /// Time between two look-ups.
    every: Duration,
    /// Whether the last look-up failed: each change is logged once.
    failing: AtomicBool,
}

enum What {
    Addresses(Arc<Addresses>),
    Service(Arc<Service>),
}

impl Resolver {
    /// A resolver for all names of a book.
    pub(super) fn new(book: &AddressBook, dns: &Dns) -> Self {
        let lookup = Arc::new(Lookup::new(dns));
        let name = |what| {
            let (lookup, every) = (lookup.clone(), dns.cache_ttl);
            Arc::new(Name { what, lookup, every, failing: AtomicBool::new(false) })
        };
        let names = book.names().cloned().map(What::Addresses);
        Self { names: names.chain(book.services().cloned().map(What::Service)).map(name).collect() }
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

impl What {
    fn name(&self) -> &str {
        match self {
            Self::Addresses(addresses) => &addresses.name,
            Self::Service(service) => &service.name,
        }
    }

    fn is_known(&self) -> bool {
        match self {
            Self::Addresses(addresses) => !addresses.known().is_empty(),
            Self::Service(service) => !service.known().is_empty(),
        }
    }

    /// Looks it up and publishes what there is; gives back how much that is.
    async fn look_up(&self, lookup: &Lookup) -> Result<usize, LookupError> {
        match self {
            Self::Addresses(addresses) => {
                let found = lookup.addresses(&addresses.name, addresses.port).await?;
                let count = found.len();
                addresses.publish(found);
                Ok(count)
            }
            Self::Service(service) => {
                let found = lookup.instances(&service.name).await?;
                let count = found.iter().map(|instance| instance.addresses.len()).sum();
                service.publish(found);
                Ok(count)
            }
        }
    }
}

impl Name {
    async fn keep_fresh(self: Arc<Self>) {
        loop {
            let every = if self.what.is_known() { self.every } else { self.every.min(EVERY_UNKNOWN) };
            tokio::time::sleep(every).await;
            self.clone().resolve().await;
        }
    }

    async fn resolve(self: Arc<Self>) {
        let name = self.what.name();
        let problem = match timeout(LONGEST, self.what.look_up(&self.lookup)).await {
            Ok(Ok(count)) => {
                debug!("`{name}` has {count} addresses");
                self.failing.store(false, Ordering::Relaxed);
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        if !self.failing.swap(true, Ordering::Relaxed) {
            warn!("cannot resolve upstream `{name}`: {problem}; {}", self.consequence());
        }
    }

    fn consequence(&self) -> &'static str {
        if self.what.is_known() { "its last known addresses stay in use" } else { "it has no address yet" }
    }
}
