//! Demo code: an API that refuses calls without a valid token and tells what it received.

use crate::demo::authorization_server::AuthorizationServer;
use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use pingora_core::apps::http_app::ServeHttp;
use pingora_core::protocols::http::ServerSession;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The API and the server whose tokens it takes.
pub(super) struct Api {
    pub(super) server: Arc<AuthorizationServer>,
}

#[async_trait]
impl ServeHttp for Api {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let request = session.req_header();
        let token = request.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer "));
        if !token.is_some_and(|token| self.server.knows(token)) {
            let mut refusal = json_response(
                StatusCode::UNAUTHORIZED,
                &json!({"error": "this API wants a valid token: Authorization: Bearer …"}),
            );
            refusal.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return refusal;
        }
        let received = json!({
            "message": "the protected API accepted the token that porteur carried",
            "received": {
                "method": request.method.as_str(),
                "target": String::from_utf8_lossy(request.raw_path()),
                "headers": shown(&request.headers),
            },
        });
        json_response(StatusCode::OK, &received)
    }
}

/// The headers as they came, but of the token only the beginning: even a demo does not teach printing tokens.
fn shown(headers: &HeaderMap) -> Value {
    let mut shown = Map::new();
    for (name, value) in headers {
        let text = String::from_utf8_lossy(value.as_bytes());
        let text = if *name == header::AUTHORIZATION {
            format!("{}…", text.chars().take(15).collect::<String>())
        } else {
            text.into_owned()
        };
        shown.insert(name.as_str().to_owned(), text.into());
    }
    Value::Object(shown)
}

/// An answer with a JSON body, in lines for people.
pub(super) fn json_response(status: StatusCode, body: &Value) -> Response<Vec<u8>> {
    let body = format!("{body:#}\n").into_bytes();
    let length = body.len();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
