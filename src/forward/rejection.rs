//! When an upstream rejects the token it was given: what its answer means, and whether the request may be sent once more.

use crate::config::model::Replay;
use crate::snapshot::backend::TokenUse;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use std::time::Duration;

/// How long a request waits for a newer token after its own was rejected, within the endpoint's timeout. Past it, the
/// upstream's answer is the better answer.
pub const REPLAY_WAIT: Duration = Duration::from_secs(2);

/// In which an upstream gives the nonce it wants (RFC 9449 §9).
pub const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// What an upstream's answer says of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing against it.
    Accepted,
    /// It is not valid any more.
    Rejected,
    /// It is good, but the proof beside it lacks the upstream's nonce.
    WantsNonce,
}

/// Judges an answer to a request that carried a token.
#[must_use]
pub fn verdict(token: &TokenUse, status: StatusCode, headers: &HeaderMap) -> Verdict {
    let challenges = || headers.get_all(header::WWW_AUTHENTICATE).iter();
    if status == StatusCode::UNAUTHORIZED
        && token.dpop.is_some()
        && headers.contains_key(&DPOP_NONCE)
        && challenges().any(|value| has(value.as_bytes(), b"use_dpop_nonce"))
    {
        return Verdict::WantsNonce;
    }
    if !token.refresh_on_status.contains(&status) {
        return Verdict::Accepted;
    }
    // RFC 6750 §3.1: only `invalid_token` is about the token. A challenge for another scheme is about another credential, and
    // one without a reason is taken for what it most often is. Where the token stands elsewhere, challenges say nothing.
    let is_read = token.header == header::AUTHORIZATION && token.usual_scheme;
    let is_about_another = is_read && challenges().next().is_some() && !challenges().any(is_about_the_token);
    if is_about_another { Verdict::Accepted } else { Verdict::Rejected }
}

/// Whether a `WWW-Authenticate` has a challenge of our schemes (RFC 9110 §11.6.1: a list, whose items begin with a scheme or
/// are parameters of the one before) and no other reason than the token.
fn is_about_the_token(value: &HeaderValue) -> bool {
    let value = value.as_bytes();
    let scheme = |part: &[u8]| part.trim_ascii_start().split(|byte| *byte == b' ').next().is_some_and(is_ours);
    value.split(|byte| *byte == b',').any(scheme) && (has(value, b"invalid_token") || !has(value, b"error="))
}

fn is_ours(scheme: &[u8]) -> bool {
    scheme.eq_ignore_ascii_case(b"bearer") || scheme.eq_ignore_ascii_case(b"dpop")
}

/// Whether `text` has `word` (in lower case) in it, in any case.
fn has(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

/// What is known of a request that may be sent once more.
#[derive(Debug, Clone, Copy)]
pub struct Repeat<'a> {
    /// The method that the upstream saw.
    pub method: &'a Method,
    /// Whether the whole body has been read, and is kept.
    pub has_whole_body: bool,
    /// Whether the client has begun to receive an answer.
    pub answered: bool,
    /// What is left of the endpoint's timeout.
    pub left: Duration,
}

/// Whether it may: nothing went downstream, nothing of the body would be missing, and the method allows it. A nonce is asked
/// for before anything is done (RFC 9449 §9), so there the method does not matter.
#[must_use]
pub fn may_repeat(replay: Replay, verdict: Verdict, request: &Repeat<'_>) -> bool {
    let by_method = match (replay, verdict) {
        (Replay::Never, _) => false,
        (Replay::Always, _) | (Replay::Idempotent, Verdict::WantsNonce) => true,
        (Replay::Idempotent, _) => request.method.is_idempotent(),
    };
    by_method && request.has_whole_body && !request.answered && !request.left.is_zero()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_about_the_token_only_with_our_scheme_and_its_reason() {
        for (challenge, expected) in [
            ("Bearer", true),
            ("bearer realm=\"x\"", true),
            ("Bearer realm=\"x\", error=\"invalid_token\"", true),
            ("DPoP error=\"invalid_token\", algs=\"ES256\"", true),
            ("Basic realm=\"x\", Bearer realm=\"y\"", true),
            ("Basic realm=\"bearer\"", false),
            ("Bearer error=\"insufficient_scope\"", false),
            ("DPoP error=\"invalid_dpop_proof\"", false),
            ("Negotiate", false),
            ("", false),
        ] {
            let value = HeaderValue::from_static(challenge);
            assert_eq!(is_about_the_token(&value), expected, "{challenge}");
        }
    }

    #[test]
    fn only_what_can_be_repeated_whole_is_repeated() {
        let get = Repeat { method: &Method::GET, has_whole_body: true, answered: false, left: Duration::from_secs(1) };
        let may = |replay, request| may_repeat(replay, Verdict::Rejected, &request);
        assert!(may(Replay::Idempotent, get));
        assert!(!may(Replay::Never, get));
        assert!(!may(Replay::Idempotent, Repeat { method: &Method::POST, ..get }));
        assert!(may(Replay::Always, Repeat { method: &Method::POST, ..get }));
        assert!(may_repeat(Replay::Idempotent, Verdict::WantsNonce, &Repeat { method: &Method::POST, ..get }));
        for broken in [
            Repeat { has_whole_body: false, ..get },
            Repeat { answered: true, ..get },
            Repeat { left: Duration::ZERO, ..get },
        ] {
            assert!(!may(Replay::Always, broken), "{broken:?}");
        }
    }
}
