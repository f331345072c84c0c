//! Hosts that are none of the backend's own: where a redirect leads, or a modifier sends a request.

use crate::base::Failure;
use crate::compose::answered::Answered;
use crate::compose::call::Call;
use crate::compose::trouble::Trouble;
use crate::compose::unanswered::Unanswered;
use crate::forward::retry::Broken;
use crate::snapshot::addresses::in_order;
use bytes::Bytes;
use lru::LruCache;
use pingora::http::RequestHeader;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest wait for addresses.
const RESOLVE: Duration = Duration::from_secs(1);
/// How long they are good, as those of hosts in the file are unless it says otherwise.
const GOOD: Duration = Duration::from_secs(30);
/// Names that are remembered. Upstreams choose them, so there must be an end.
const MOST: NonZeroUsize = NonZeroUsize::new(256).expect("it is not 0");

/// Where a request goes that is for no host of the backend.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stranger<'a> {
    /// Whether it is asked with TLS.
    pub https: bool,
    /// A name or an address, IPv6 with brackets or without.
    pub name: &'a str,
    /// The port.
    pub port: u16,
}

/// Addresses of names that were looked up of late.
pub(super) struct Addresses(Mutex<LruCache<(String, u16), Found>>);

type Found = (Instant, Arc<[SocketAddr]>);

impl Default for Addresses {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST)))
    }
}

impl Addresses {
    /// `None`: there are none.
    async fn of(&self, name: &str, port: u16) -> Option<Arc<[SocketAddr]>> {
        let key = (name.to_owned(), port);
        if let Some(found) = self.remembered(&key, Instant::now()) {
            return Some(found);
        }
        let found = tokio::time::timeout(RESOLVE, tokio::net::lookup_host((name, port))).await.ok()?.ok()?;
        let mut found: Vec<SocketAddr> = found.collect();
        in_order(&mut found);
        if found.is_empty() {
            return None;
        }
        let found: Arc<[SocketAddr]> = found.into();
        self.remember(key, found.clone(), Instant::now());
        Some(found)
    }

    fn remembered(&self, key: &(String, u16), now: Instant) -> Option<Arc<[SocketAddr]>> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, found) = names.get(key)?;
        (now.saturating_duration_since(*since) < GOOD).then(|| found.clone())
    }

    fn remember(&self, key: (String, u16), found: Arc<[SocketAddr]>, now: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key, (now, found));
    }
}

impl Call<'_> {
    /// Sends a request to the first address of a stranger that takes the connection.
    pub(super) async fn send_elsewhere(
        &self,
        to: Stranger<'_>,
        request: Box<RequestHeader>,
        body: &Bytes,
    ) -> Result<Answered, Unanswered> {
        let name = to.name.trim_start_matches('[').trim_end_matches(']');
        let addresses = self.composer.strangers.of(name, to.port).await.unwrap_or_default();
        let mut last = Trouble::Failure(Failure::NoHost, "no address").broken(Broken::Unreached);
        for address in addresses.iter() {
            let peer = Box::new(self.plan.transport.stranger(*address, to.https, name));
            match self.send(peer, None, request.clone(), body).await {
                Err(unanswered) if unanswered.broken == Some(Broken::Unreached) && !self.left().is_zero() => {
                    last = unanswered;
                }
                other => return other,
            }
        }
        Err(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_remembered_for_a_while_and_not_too_many() {
        let addresses = Addresses::default();
        let (now, key) = (Instant::now(), |number: usize| (format!("{number}.test"), 80));
        let found: Arc<[SocketAddr]> = Arc::new([SocketAddr::from(([127, 0, 0, 1], 80))]);
        for number in 0..300 {
            addresses.remember(key(number), found.clone(), now);
        }
        assert_eq!(addresses.remembered(&key(0), now), None);
        assert_eq!(addresses.remembered(&key(299), now + Duration::from_secs(29)), Some(found));
        assert_eq!(addresses.remembered(&key(299), now + Duration::from_secs(30)), None);
    }
}
