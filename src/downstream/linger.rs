//! The end of a connection whose client may still be sending: what it sends is read and thrown away for a moment.
//!
//! A socket that is closed with unread bytes in it resets the connection (RFC 1122 §4.2.2.13), and a reset can reach the
//! client before it has read our answer (RFC 9112 §9.6).

use crate::downstream::transport::Transport;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::time::{Sleep, sleep};

/// How long, and how much.
const MOST_TIME: Duration = Duration::from_secs(2);
const MOST_BYTES: usize = 512 * 1024;

/// Waits until the client is done, or has had its time.
pub(super) async fn linger(transport: &mut Transport) {
    let mut linger = Linger::begin();
    poll_fn(|cx| linger.poll_done(transport, cx)).await;
}

/// What is left of the moment.
pub(super) struct Linger {
    until: Pin<Box<Sleep>>,
    left: usize,
}

impl Linger {
    pub(super) fn begin() -> Self {
        Self { until: Box::pin(sleep(MOST_TIME)), left: MOST_BYTES }
    }

    /// Ready when the client is done, or has had its time.
    pub(super) fn poll_done(&mut self, transport: &mut Transport, cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            match transport.poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() && buffer.filled().len() < self.left => {
                    self.left -= buffer.filled().len();
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    ready!(self.until.as_mut().poll(cx));
                    return Poll::Ready(());
                }
            }
        }
    }
}
