//! `GET /tokens`: how each credential is doing; `POST /tokens/{name}/refresh` and `POST /tokens/{name}/purge`.

use super::json_answer;
use crate::base::{Moment, duration};
use crate::token::slot::TokenSlot;
use crate::token::table::{Entry, TokenTable};
use chrono::{DateTime, SecondsFormat, Utc};
use http::{Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// Something to do with a credential's token.
pub(super) struct Order {
    name: String,
    action: Action,
}

#[derive(Clone, Copy)]
enum Action {
    /// Fetch now; the current token stays in use meanwhile.
    Refresh,
    /// Do not send the current token any more, and fetch.
    Purge,
}

impl Order {
    /// The order that a path is, if it is one. A name is percent-encoded as a path segment is.
    pub(super) fn of(path: &str) -> Option<Self> {
        let (name, action) = path.strip_prefix("/tokens/")?.rsplit_once('/')?;
        let action = match action {
            "refresh" => Action::Refresh,
            "purge" => Action::Purge,
            _ => return None,
        };
        let name = percent_decode_str(name).decode_utf8().ok()?.into_owned();
        Some(Self { name, action })
    }

    /// Passes it on to the background service, which is quick but does not answer.
    pub(super) fn carry_out(self, tokens: &TokenTable) -> Response<Vec<u8>> {
        let Some(entry) = tokens.named(&self.name) else {
            return json_answer(StatusCode::NOT_FOUND, &json!({"error": "there is no credential of this name"}));
        };
        match self.action {
            Action::Refresh => entry.slot.order_refresh(),
            Action::Purge => entry.slot.order_purge(),
        }
        json_answer(StatusCode::ACCEPTED, &json!({"ordered": true, "name": self.name}))
    }
}

/// All credentials, in the order of the file.
pub(super) fn list(tokens: &TokenTable) -> Value {
    let now = Moment::now();
    json!({ "tokens": tokens.entries().map(|entry| row(entry, now)).collect::<Vec<_>>() })
}

fn row(entry: &Entry, now: Moment) -> Value {
    let slot = &entry.slot;
    let standing = slot.standing();
    let token = slot.token();
    let scopes = token.as_ref().and_then(|token| token.scope.as_deref().map(str::to_owned));
    let next = standing.next_at.map(|next| next.saturating_duration_since(now.instant));
    json!({
        "name": slot.name,
        "issuer": entry.credential.endpoint.url().host_str(),
        "scopes": scopes.unwrap_or_else(|| entry.credential.scopes.join(" ")),
        "required": slot.required,
        "state": slot.state(now.instant).label(),
        "generation": token.as_ref().map_or(0, |token| token.generation),
        "age": token.as_ref().map(|token| rounded(now.instant.saturating_duration_since(token.obtained_at.instant))),
        "expires_at": token.as_ref().and_then(|token| token.life.ends(now)).map(date),
        "fetched_at": standing.fetched_at.map(date),
        "next_fetch_in": next.map(rounded),
        "failures": standing.failures,
        "last_error": standing.error,
        "refused": standing.refused,
        "bound_to": bound_to(slot, entry),
    })
}

fn bound_to(slot: &TokenSlot, entry: &Entry) -> Option<&'static str> {
    match (slot.dpop.is_some(), entry.credential.certificate_bound) {
        (true, _) => Some("key"),
        (_, true) => Some("certificate"),
        _ => None,
    }
}

fn rounded(duration: Duration) -> String {
    duration::format(Duration::from_secs(duration.as_secs()))
}

fn date(at: SystemTime) -> String {
    DateTime::<Utc>::from(at).to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_names_a_credential_as_a_path_segment() {
        let order = Order::of("/tokens/client%40idp.test%232/purge").expect("an order");
        assert_eq!(order.name, "client@idp.test#2");
        assert!(matches!(order.action, Action::Purge));
        for path in ["/tokens", "/tokens/", "/tokens/x", "/tokens/x/y", "/tokens/%ff/purge", "/other/x/purge"] {
            assert!(Order::of(path).is_none(), "{path}");
        }
    }
}
