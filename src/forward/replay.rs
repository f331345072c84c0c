//! Sending a request once more because the upstream rejected its token: [`rejection`](super::rejection) decides, the slot
//! gives a newer token, and the carrier of the request does the sending.

use crate::forward::rejection::{DPOP_NONCE, REPLAY_WAIT, Repeat, Verdict, may_repeat};
use crate::snapshot::backend::TokenUse;
use crate::telemetry::metrics::ReplayResult;
use crate::token::rejection::Hope;
use pingora::http::ResponseHeader;
use std::time::Instant;

/// Repetitions of a request, each made once at the most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replays {
    /// Because its token was rejected.
    pub token: bool,
    /// Because its proof lacked the upstream's nonce.
    pub nonce: bool,
}

impl Replays {
    /// For the access log.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match (self.token, self.nonce) {
            (false, false) => "",
            (true, false) => "token",
            (false, true) => "nonce",
            (true, true) => "token,nonce",
        }
    }
}

/// Keeps the nonce that an answer of the backend's host at `host` came with. It is meant for us: the client makes no proofs.
pub fn keep_nonce(token: &TokenUse, host: usize, response: &mut ResponseHeader) {
    let Some(dpop) = &token.dpop else { return };
    let nonce = response.remove_header(&DPOP_NONCE);
    let nonce = nonce.as_ref().and_then(|nonce| nonce.to_str().ok());
    if let (Some(nonce), Some(origin)) = (nonce, dpop.origins.get(host)) {
        origin.nonce.keep(nonce);
    }
}

/// Carries out what follows from a verdict on the token of this `generation`: whether the request is to be sent again. Waits
/// for a newer token if that is what it takes.
pub async fn again(
    token: &TokenUse,
    generation: u64,
    verdict: Verdict,
    request: &Repeat<'_>,
    replays: &mut Replays,
) -> bool {
    let may_repeat = may_repeat(token.replay, verdict, request);
    match verdict {
        Verdict::Accepted => false,
        Verdict::WantsNonce => take_nonce(token, may_repeat, replays),
        Verdict::Rejected => replace_token(token, generation, may_repeat, request, replays).await,
    }
}

/// The nonce is there already: it came with the answer.
fn take_nonce(token: &TokenUse, may_repeat: bool, replays: &mut Replays) -> bool {
    let is_sent_again = may_repeat && !replays.nonce;
    if is_sent_again {
        token.metrics.nonce();
        replays.nonce = true;
    }
    is_sent_again
}

/// Orders a newer token, and waits for it if the request can be repeated.
async fn replace_token(
    token: &TokenUse,
    generation: u64,
    may_repeat: bool,
    request: &Repeat<'_>,
    replays: &mut Replays,
) -> bool {
    // A part of the time is for the upstream: with nothing left, its answer would become a timeout of ours.
    let wait = REPLAY_WAIT.min(request.left.mul_f64(0.75));
    let result = if replays.token {
        // New though it was, it was rejected: that is no matter of tokens.
        ReplayResult::SecondTime
    } else {
        match token.slot.reject(generation, Instant::now()) {
            Hope::Throttled => ReplayResult::Throttled,
            _ if !may_repeat => ReplayResult::Unrepeatable,
            hope => {
                let is_there = token.slot.newer_within(generation, hope, wait).await;
                if is_there { ReplayResult::Sent } else { ReplayResult::NoNewToken }
            }
        }
    };
    token.metrics.rejection(result);
    replays.token |= result == ReplayResult::Sent;
    result == ReplayResult::Sent
}
