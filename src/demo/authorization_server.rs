//! Demo code: an authorization server with one client and one grant.

use crate::base::Secret;
use crate::demo::secret;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Method, Response, StatusCode, header};
use pingora_core::apps::http_app::ServeHttp;
use pingora_core::protocols::http::ServerSession;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Short, so that a refresh can be watched.
const LIFETIME: Duration = Duration::from_secs(30);
/// The largest request that is read, in bytes.
const LARGEST_REQUEST: usize = 16 * 1024;

/// The server with its one client and the tokens it has issued.
pub(super) struct AuthorizationServer {
    pub(super) client_id: String,
    pub(super) client_secret: Secret,
    tokens: Mutex<HashMap<String, Instant>>,
}

impl AuthorizationServer {
    /// A server with a new client; `None` if there is no randomness.
    pub(super) fn new() -> Option<Self> {
        let client_id = secret()?.expose().chars().take(8).collect::<String>();
        Some(Self { client_id: format!("demo-{client_id}"), client_secret: secret()?, tokens: Mutex::default() })
    }

    /// Whether a token was issued here and has not expired.
    pub(super) fn knows(&self, token: &str) -> bool {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.get(token).is_some_and(|end| Instant::now() < *end)
    }

    fn issue(&self) -> Option<Value> {
        let token = secret()?.expose().to_owned();
        let now = Instant::now();
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, end| now < *end);
        tokens.insert(token.clone(), now + LIFETIME);
        Some(json!({"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME.as_secs()}))
    }

    /// Basic only: id and secret are plain hexadecimal, so form encoding does not change them.
    fn is_client(&self, authorization: Option<&HeaderValue>) -> bool {
        let pair = authorization.and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Basic "));
        let expected = format!("{}:{}", self.client_id, self.client_secret.expose());
        pair.and_then(|pair| STANDARD.decode(pair).ok()).is_some_and(|pair| pair == expected.as_bytes())
    }

    fn answer(&self, authorization: Option<&HeaderValue>, body: &[u8]) -> (StatusCode, Value) {
        let grant = form_urlencoded::parse(body).find(|(name, _)| name == "grant_type");
        if !self.is_client(authorization) {
            return (StatusCode::UNAUTHORIZED, json!({"error": "invalid_client"}));
        }
        match grant {
            Some((_, grant)) if grant == "client_credentials" => match self.issue() {
                Some(answer) => (StatusCode::OK, answer),
                None => (StatusCode::INTERNAL_SERVER_ERROR, json!({"error": "server_error"})),
            },
            _ => (StatusCode::BAD_REQUEST, json!({"error": "unsupported_grant_type"})),
        }
    }
}

/// The server on the network.
pub(super) struct TokenEndpoint(pub(super) Arc<AuthorizationServer>);

#[async_trait]
impl ServeHttp for TokenEndpoint {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let request = session.req_header();
        if request.method != Method::POST || request.uri.path() != "/token" {
            return super::api::json_response(StatusCode::NOT_FOUND, &json!({"error": "invalid_request"}));
        }
        let authorization = request.headers.get(header::AUTHORIZATION).cloned();
        let mut body = Vec::new();
        while let Ok(Some(piece)) = session.read_request_body().await {
            body.extend_from_slice(&piece);
            if body.len() > LARGEST_REQUEST {
                return super::api::json_response(StatusCode::PAYLOAD_TOO_LARGE, &json!({"error": "invalid_request"}));
            }
        }
        let (status, answer) = self.0.answer(authorization.as_ref(), &body);
        super::api::json_response(status, &answer)
    }
}
