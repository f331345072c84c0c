//! A WebSocket server that takes a second token and not the first.

use super::listener::Listener;
use super::poll::PATIENCE;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tungstenite::Message;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};

/// Says in its first message which token it took. Counts the handshakes.
#[allow(clippy::result_large_err, reason = "the type is that of tungstenite")]
pub fn rejects_the_first_token(asked: Arc<AtomicUsize>) -> Listener {
    Listener::start(move |stream, _| {
        let _ = stream.set_read_timeout(Some(PATIENCE));
        let mut token = String::new();
        let judge = |request: &Request, response: Response| {
            let header = request.headers().get("authorization");
            token = header.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
            if asked.fetch_add(1, Ordering::SeqCst) > 0 {
                return Ok(response);
            }
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = http::StatusCode::UNAUTHORIZED;
            refusal.headers_mut().insert("www-authenticate", "Bearer error=\"invalid_token\"".parse().unwrap());
            refusal.headers_mut().insert("content-length", "0".parse().unwrap());
            Err(refusal)
        };
        let Ok(mut socket) = tungstenite::accept_hdr(stream.try_clone().unwrap(), judge) else { return };
        let _ = socket.send(Message::text(token));
        while socket.read().is_ok() {}
    })
}
