//! Certificates that are replaced while the gateway runs: the files are looked at, and read when they have changed.
//!
//! By their stamps, not by notifications of the system: those say nothing about network file systems, nor about the links
//! by which Kubernetes replaces a secret.

use super::Shared;
use super::settings::Settings;
use crate::config::model::Tls;
use log::{info, warn};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// Time between two looks. What is new is in use after two of them.
const EVERY: Duration = Duration::from_secs(1);

/// What tells a file from the one that was in its place, or from itself when somebody may read it who might not before;
/// `None` where there is none.
type Stamp = Option<(SystemTime, (i64, i64), u64, u64)>;

/// The stamps of all files of a block, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamps(Vec<Stamp>);

impl Stamps {
    /// As they are now.
    pub(super) fn of(tls: &Tls) -> Self {
        let pairs = tls.certificates.iter().flat_map(|pair| [&pair.certificate, &pair.private_key]);
        let authorities = tls.client_authorities.iter().flat_map(|authorities| &authorities.files);
        Self(pairs.chain(authorities).map(|path| stamp(path)).collect())
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    let changed = (metadata.ctime(), metadata.ctime_nsec());
    Some((metadata.modified().ok()?, changed, metadata.len(), metadata.ino()))
}

/// What was seen of the files.
pub(super) struct Watch {
    /// When they were last read, in use or not.
    read: Stamps,
    /// At the last look.
    seen: Stamps,
}

impl Watch {
    pub(super) fn new(shared: &Shared) -> Self {
        Self { read: shared.stamps.clone(), seen: shared.stamps.clone() }
    }

    /// One look. Files that have changed are read when they are as they were at the look before: a certificate and its key
    /// are replaced one after the other, and between the two they do not fit.
    pub(super) fn look(&mut self, shared: &Shared) {
        let now = Stamps::of(&shared.tls);
        if now != self.read && now == self.seen {
            self.read = now.clone();
            renew(shared);
        }
        self.seen = now;
    }
}

/// What cannot be used is told once, and what was in use stays so.
fn renew(shared: &Shared) {
    let renewed = Settings::read(&shared.tls);
    shared.metrics.reload(renewed.is_ok());
    match renewed {
        Ok(settings) => {
            shared.metrics.certificates(&shared.current.load().ends, &settings.ends);
            let names: Vec<_> = settings.ends.iter().map(|(name, _)| name.as_str()).collect();
            info!("new TLS certificates are in use: {}", names.join(", "));
            shared.current.store(Arc::new(settings));
        }
        Err(why) => warn!("new TLS certificates cannot be used, and the old ones stay: {why}"),
    }
}

pub(super) async fn keep_fresh(shared: &Arc<Shared>) {
    let mut watch = Watch::new(shared);
    loop {
        sleep(EVERY).await;
        let shared = shared.clone();
        // A file system may be slow to answer.
        let looked = spawn_blocking(move || {
            watch.look(&shared);
            watch
        });
        match looked.await {
            Ok(after) => watch = after,
            // The runtime is at its end.
            Err(_) => return,
        }
    }
}
