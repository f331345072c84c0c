//! How many descriptors the process may have, and what they are for.
//!
//! A client that was accepted must get its upstream, or accepting it was a lie: so clients never have more than half.

use log::warn;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For listeners, files, the authorization servers, the runtime's own.
const RESERVED: usize = 32;
/// As many as anybody needs; what the kernel keeps for each descriptor of an unlimited process would be gigabytes.
const MOST: u64 = 1 << 20;

/// The descriptors by purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Descriptors {
    /// Connections of clients.
    pub clients: usize,
    /// Requests to upstreams under way: each has a connection.
    pub requests: usize,
    /// Upstream connections that are kept while nothing is under way on them.
    pub kept: usize,
}

impl Descriptors {
    /// Takes as many as the system lets us have without asking anybody, as Go's runtime and nginx do.
    pub(super) fn take() -> Self {
        let limit = getrlimit(Resource::Nofile);
        let wanted = limit.maximum.unwrap_or(MOST).min(MOST);
        let current = limit.current.unwrap_or(MOST);
        if current >= wanted {
            return Self::of(current);
        }
        match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }) {
            Ok(()) => Self::of(wanted),
            Err(error) => {
                warn!("the limit of open files stays {current}: {error}");
                Self::of(current)
            }
        }
    }

    fn of(limit: u64) -> Self {
        let all = usize::try_from(limit.min(MOST)).unwrap_or(usize::MAX);
        let clients = (all / 2).saturating_sub(RESERVED).max(1);
        Self { clients, requests: (all / 4).max(1), kept: (all / 4).max(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_purposes_together_fit_into_the_limit() {
        for limit in [64, 128, 256, 1024, 65_536, u64::MAX] {
            let of = Descriptors::of(limit);
            assert!((of.clients + of.requests + of.kept) as u64 <= limit, "{limit}: {of:?}");
        }
        assert_eq!(Descriptors::of(1024), Descriptors { clients: 480, requests: 256, kept: 256 });
    }
}
