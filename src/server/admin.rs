//! The admin listener: `/livez`, `/readyz`, `/metrics`. It shows states and names, never a token or a secret.

use crate::proxy::in_flight::InFlight;
use crate::telemetry::lines::Lines;
use crate::telemetry::metrics::Metrics;
use crate::token::table::TokenTable;
use async_trait::async_trait;
use http::{HeaderValue, Method, Response, StatusCode, header};
use pingora_core::apps::http_app::ServeHttp;
use pingora_core::protocols::http::ServerSession;
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;

/// The admin application.
pub(super) struct Admin {
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// What `/readyz` waits for.
    pub tokens: Arc<TokenTable>,
    /// Whether the process drains.
    pub in_flight: InFlight,
    /// Whose losses are shown.
    pub lines: Lines,
}

#[async_trait]
impl ServeHttp for Admin {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let request = session.req_header();
        if !matches!(request.method, Method::GET | Method::HEAD) {
            let mut answer = answer(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", Vec::new());
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        let answer = self.answer(request.uri.path());
        if request.method == Method::HEAD { answer.map(|_| Vec::new()) } else { answer }
    }
}

impl Admin {
    fn answer(&self, path: &str) -> Response<Vec<u8>> {
        match path {
            "/livez" => answer(StatusCode::OK, "text/plain; charset=utf-8", b"ok\n".to_vec()),
            "/readyz" => self.readiness(),
            "/metrics" => {
                let now = Instant::now();
                let readings = self.tokens.slots().map(|slot| slot.reading(now));
                let text = self.metrics.render(readings, self.lines.dropped());
                answer(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)
            }
            _ => answer(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", b"404 page not found".to_vec()),
        }
    }

    /// Ready when every required credential has a token that may be sent, and not while draining.
    fn readiness(&self) -> Response<Vec<u8>> {
        let now = Instant::now();
        let missing = self.tokens.slots().filter(|slot| slot.required && !slot.is_usable(now));
        let missing: Vec<&str> = missing.map(|slot| slot.name.as_str()).collect();
        let draining = self.in_flight.is_draining();
        let ready = missing.is_empty() && !draining;
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let body = json!({"ready": ready, "draining": draining, "credentials_without_token": missing});
        answer(status, "application/json; charset=utf-8", body.to_string().into_bytes())
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Vec<u8>> {
    let length = body.len();
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
