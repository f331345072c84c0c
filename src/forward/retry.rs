//! Sending a request again after an attempt that came to nothing: only where the upstream cannot have begun with it, or may begin
//! twice. Never once there was a byte of an answer.
//!
//! A connection that is not taken leads to the next target, for any method. A kept connection that breaks before there is an answer
//! may have been closed before the request came, or because of it: only a method that may be repeated (RFC 9110 §9.2.2) goes out
//! again, on whatever connection is next. A stream that is refused (RFC 9113 §8.7) was not looked at. Each costs from the backend's
//! budget, and none is made for a request that has been tried often enough or has no time left.

use crate::snapshot::balance::Round;
use crate::snapshot::upstream::Upstream;
use http::Method;
use std::time::{Duration, Instant};

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// There was no connection: nothing has been sent.
    Unreached,
    /// A kept connection broke before there was any answer.
    Closed,
    /// The upstream has not looked at the request.
    Refused,
}

/// Whether the request is sent again, to where its round then stands. `left` is what remains of its time.
#[must_use]
pub fn is_sent_again(
    upstream: &Upstream,
    round: &mut Round,
    broken: Broken,
    method: &Method,
    left: Duration,
    now: Instant,
) -> bool {
    let makes_sense = !left.is_zero()
        && match broken {
            Broken::Unreached => round.has_another(),
            Broken::Closed => method.is_idempotent(),
            Broken::Refused => true,
        };
    makes_sense && upstream.retries(round, now) && (broken != Broken::Unreached || round.go_on(now))
}
