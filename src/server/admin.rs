//! The admin listener: `/livez`, `/readyz`, `/metrics`, `/tokens`. It shows states and names, never a token or a secret.

mod tokens;

use crate::proxy::in_flight::InFlight;
use crate::telemetry::lines::Lines;
use crate::telemetry::metrics::Metrics;
use crate::token::table::TokenTable;
use async_trait::async_trait;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use pingora_core::apps::http_app::ServeHttp;
use pingora_core::protocols::http::ServerSession;
use serde::Serialize;
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use tokens::Order;

/// The admin application.
pub(super) struct Admin {
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// What `/readyz` waits for and `/tokens` is about.
    pub tokens: Arc<TokenTable>,
    /// Whether the process drains.
    pub in_flight: InFlight,
    /// Whose losses are shown.
    pub lines: Lines,
}

/// What a path is for.
enum Target {
    Live,
    Ready,
    Metrics,
    Tokens,
    Order(Order),
    Nothing,
}

impl Target {
    fn of(path: &str) -> Self {
        match path {
            "/livez" => Self::Live,
            "/readyz" => Self::Ready,
            "/metrics" => Self::Metrics,
            "/tokens" => Self::Tokens,
            _ => Order::of(path).map_or(Self::Nothing, Self::Order),
        }
    }

    const fn methods(&self) -> &'static str {
        match self {
            Self::Order(_) => "POST",
            _ => "GET, HEAD",
        }
    }

    fn allows(&self, method: &Method) -> bool {
        self.methods().split(", ").any(|allowed| allowed == method.as_str())
    }
}

#[async_trait]
impl ServeHttp for Admin {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let request = session.req_header();
        let target = Target::of(request.uri.path());
        if !target.allows(&request.method) {
            let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, b"405 method not allowed");
            refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static(target.methods()));
            return refusal;
        }
        if is_from_a_page(&request.headers) {
            return text(StatusCode::FORBIDDEN, b"403 not for web pages");
        }
        let answer = self.answer(target);
        if request.method == Method::HEAD { answer.map(|_| Vec::new()) } else { answer }
    }
}

/// A page in the browser of somebody on this machine can send requests here, which browsers say; and it can read the answers
/// if the name it came from was made to point here (DNS rebinding), which only that name shows.
fn is_from_a_page(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN)
        || headers.get("sec-fetch-site").is_some_and(|site| site != "none" && site != "same-origin")
        || headers.get(header::HOST).is_some_and(|host| !is_this_machine(host))
}

/// Whether a `Host` is a number or `localhost`, which nobody's page can have as its name.
fn is_this_machine(host: &HeaderValue) -> bool {
    let authority = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    authority.is_some_and(|authority| {
        let name = authority.host().trim_matches(['[', ']']);
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
    })
}

impl Admin {
    fn answer(&self, target: Target) -> Response<Vec<u8>> {
        match target {
            Target::Live => text(StatusCode::OK, b"ok\n"),
            Target::Ready => self.readiness(),
            Target::Metrics => {
                let now = Instant::now();
                let readings = self.tokens.slots().map(|slot| slot.reading(now));
                let text = self.metrics.render(readings, self.lines.dropped());
                answer(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)
            }
            Target::Tokens => json_answer(StatusCode::OK, &tokens::list(&self.tokens)),
            Target::Order(order) => order.carry_out(&self.tokens),
            Target::Nothing => text(StatusCode::NOT_FOUND, b"404 page not found"),
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
        json_answer(status, &json!({"ready": ready, "draining": draining, "credentials_without_token": missing}))
    }
}

/// Members stand in the order of the type, not of the alphabet.
fn json_answer(status: StatusCode, body: &impl Serialize) -> Response<Vec<u8>> {
    // Only maps with keys that are no texts cannot be written.
    answer(status, "application/json; charset=utf-8", serde_json::to_vec(body).unwrap_or_default())
}

fn text(status: StatusCode, body: &[u8]) -> Response<Vec<u8>> {
    answer(status, "text/plain; charset=utf-8", body.to_vec())
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
