//! A client's request, whole.

use crate::forward::RequestView;
use crate::forward::sender::Sender;
use bytes::Bytes;
use pingora::http::RequestHeader;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The longest request body that is held, in bytes: the limit of every request (KrakenD CE has none).
pub const LONGEST_BODY: usize = 10 * 1024 * 1024;

/// What the bodies of all requests that are held may take, in KiB. Past it a request is refused: a thousand clients that stall
/// with most of a body sent must not fill the memory.
pub(super) const MOST_HELD: usize = 512 * 1024;

/// A share of [`MOST_HELD`], given back when it is dropped.
#[derive(Debug)]
pub struct Held {
    of: Arc<Semaphore>,
    share: Option<OwnedSemaphorePermit>,
    /// Bytes that the share would still hold.
    spare: usize,
}

impl Held {
    /// Nothing of it yet.
    pub(super) fn new(of: Arc<Semaphore>) -> Self {
        Self { of, share: None, spare: 0 }
    }

    /// Takes enough for so many bytes more, if there is enough.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let wanted = bytes.saturating_sub(self.spare).div_ceil(1024);
        let Ok(permit) = self.of.clone().try_acquire_many_owned(u32::try_from(wanted).unwrap_or(u32::MAX)) else {
            return false;
        };
        self.spare = self.spare + wanted * 1024 - bytes;
        match &mut self.share {
            Some(share) => share.merge(permit),
            none => *none = Some(permit),
        }
        true
    }
}

/// What a client asked for. Every backend's request is made of it.
#[derive(Debug)]
pub struct ClientRequest {
    /// The head as it came.
    pub head: RequestHeader,
    /// The body.
    pub body: Bytes,
    /// Who sent it.
    pub sender: Sender,
    /// Its share of what all requests may hold, for as long as anybody has it: the client, or a shadow's copy.
    pub held: Held,
}

impl ClientRequest {
    /// What decisions need to know of it.
    #[must_use]
    pub fn view(&self) -> RequestView<'_> {
        RequestView {
            method: &self.head.method,
            raw_target: self.head.raw_path(),
            path: self.head.uri.path(),
            query: self.head.uri.query(),
            headers: &self.head.headers,
            version: self.head.version,
            client: self.sender.client,
            secure: self.sender.secure,
            proxy: self.sender.proxy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_grows_by_what_is_needed_and_comes_back() {
        let all = Arc::new(Semaphore::new(3));
        let mut held = Held::new(all.clone());
        assert!(held.grow(1) && held.grow(1023) && all.available_permits() == 2);
        assert!(held.grow(2048) && !held.grow(1) && held.grow(0));
        drop(held);
        assert_eq!(all.available_permits(), 3);
    }
}
