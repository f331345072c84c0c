//! An authorization server that says whatever the test tells it to, for answers no real one would give. For everything
//! that a real one does, take [`Idp`](super::idp::Idp).

use super::poll::Latch;
use super::reply::Reply;
use super::upstream::{Request, Upstream};
use serde_json::json;
use std::ops::Deref;

/// Everything that [`Upstream`] records is here too: requests, connections, the most requests at one time.
pub struct Scripted(Upstream);

impl Scripted {
    /// `answer` gets each token request and its number, from 0.
    pub fn start(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self(Upstream::start(move |request| answer(request, request.number)))
    }

    /// Issues `TOKEN-0`, `TOKEN-1`, … with this lifetime in seconds.
    pub fn counting(token: &'static str, expires_in: u64) -> Self {
        Self::start(move |_, n| Self::token(&format!("{token}-{n}"), expires_in))
    }

    /// Issues `TOKEN-0` at once, and `TOKEN-1`, … when the latch is open. They live an hour.
    pub fn renewing_after(latch: &Latch) -> Self {
        let latch = latch.clone();
        Self::start(move |_, n| {
            let reply = Self::token(&format!("TOKEN-{n}"), 3600);
            if n == 0 { reply } else { reply.after(&latch) }
        })
    }

    pub fn token_url(&self) -> String {
        format!("{}/token", self.url())
    }

    /// A proper answer with this token.
    pub fn token(token: &str, expires_in: u64) -> Reply {
        let answer = json!({ "access_token": token, "token_type": "Bearer", "expires_in": expires_in });
        Reply::json(200, &answer).header("Cache-Control", "no-store")
    }

    /// A refusal as RFC 6749 §5.2 writes it.
    pub fn error(status: u16, error: &str) -> Reply {
        Reply::json(status, &json!({ "error": error }))
    }
}

impl Deref for Scripted {
    type Target = Upstream;

    fn deref(&self) -> &Upstream {
        &self.0
    }
}
