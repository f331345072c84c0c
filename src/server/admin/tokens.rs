//! `GET /tokens`: how each credential is doing; `POST /tokens/{name}/refresh` and `POST /tokens/{name}/purge`.

use super::json_answer;
use crate::base::Moment;
use crate::base::duration::format_seconds;
use crate::config::model::Credential;
use crate::token::error::FetchError;
use crate::token::table::{Binding, Entry, TokenTable};
use chrono::{DateTime, SecondsFormat, Utc};
use http::{Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::json;
use std::time::SystemTime;

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
            let names: Vec<&str> = tokens.names().collect();
            let body = json!({"error": "there is no credential of this name", "names": names});
            return json_answer(StatusCode::NOT_FOUND, &body);
        };
        match self.action {
            Action::Refresh => entry.slot.order_refresh(),
            Action::Purge => entry.slot.order_purge(),
        }
        json_answer(StatusCode::ACCEPTED, &json!({"ordered": true, "name": self.name}))
    }
}

/// All credentials, in the order of the file.
pub(super) fn list(tokens: &TokenTable) -> impl Serialize {
    let now = Moment::now();
    List { tokens: tokens.entries().map(|entry| Row::of(entry, now)).collect() }
}

#[derive(Serialize)]
struct List {
    tokens: Vec<Row>,
}

/// What is told of a credential.
#[derive(Serialize)]
struct Row {
    name: String,
    issuer: String,
    scopes: String,
    state: &'static str,
    generation: u64,
    age: Option<String>,
    expires_at: Option<String>,
    last_attempt_at: Option<String>,
    next_attempt_in: Option<String>,
    failures: u32,
    last_error: Option<&'static str>,
    last_error_text: Option<String>,
    refused: bool,
    required: bool,
    bound_to: Option<&'static str>,
}

impl Row {
    fn of(entry: &Entry, now: Moment) -> Self {
        let slot = &entry.slot;
        let standing = slot.standing();
        let token = slot.token();
        let token = token.as_deref();
        let granted = token.and_then(|token| token.scope.as_deref());
        let next = standing.next_at.map(|next| next.saturating_duration_since(now.instant));
        Self {
            name: slot.name.clone(),
            issuer: server(&entry.credential),
            scopes: granted.map_or_else(|| entry.credential.scopes.join(" "), str::to_owned),
            state: slot.state(now.instant).label(),
            generation: token.map_or(0, |token| token.generation),
            age: token.map(|token| format_seconds(now.instant.saturating_duration_since(token.obtained_at.instant))),
            expires_at: token.and_then(|token| token.life.ends(now)).map(date),
            last_attempt_at: standing.attempted_at.map(date),
            next_attempt_in: next.map(format_seconds),
            failures: standing.failures,
            last_error: standing.error.as_ref().map(FetchError::word),
            last_error_text: standing.error.as_ref().map(ToString::to_string),
            refused: standing.refused,
            required: slot.required,
            bound_to: entry.binding().map(word),
        }
    }
}

/// Host and port of the authorization server.
fn server(credential: &Credential) -> String {
    let url = credential.endpoint.url();
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

const fn word(binding: Binding) -> &'static str {
    match binding {
        Binding::Key => "key",
        Binding::Certificate => "certificate",
    }
}

fn date(at: SystemTime) -> String {
    DateTime::<Utc>::from(at).to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_names_a_credential_as_a_path_segment() {
        let order = Order::of("/tokens/client%40idp.test~2/purge").expect("an order");
        assert_eq!(order.name, "client@idp.test~2");
        assert!(matches!(order.action, Action::Purge));
        for path in ["/tokens", "/tokens/", "/tokens/x", "/tokens/x/y", "/tokens/%ff/purge", "/other/x/purge"] {
            assert!(Order::of(path).is_none(), "{path}");
        }
    }
}
