//! `extra_config.websocket` of an endpoint: clients may change to the WebSocket protocol, and then talk to the backend directly.
//!
//! KrakenD's other way, one connection to the backend for all clients with messages in an envelope of its own, is not built; an
//! endpoint that does not ask for the direct way is an error, because its backend would get something else than it expects.

use super::super::code;
use super::super::document::Node;
use super::super::keys::Level;
use super::super::model::{AllowList, Answer, Endpoint, HttpVersion, Methods, WebSocket};
use super::super::read::{Context, Object};
use super::lists::headers;
use http::{HeaderName, Method};
use std::time::Duration;

const SILENCE: Duration = Duration::from_secs(60);
const WRITE: Duration = Duration::from_secs(10);

/// Reads the namespace. `input_headers` of it go on beside those of the endpoint.
pub(super) fn websocket(
    cx: &mut Context<'_>,
    node: Option<&Node>,
    input_headers: &mut AllowList<HeaderName>,
) -> Option<WebSocket> {
    let node = node?;
    let object = Object::open(cx, node, Level::Namespace("websocket"))?;
    if !object.boolean(cx, "enable_direct_communication") {
        let message = "one connection to the backend for all clients is not built";
        let help = "add `\"enable_direct_communication\": true`: then each client has its own";
        cx.error(node, code::WEBSOCKET, message, help);
    }
    merge(input_headers, headers(cx, object.get("input_headers")));
    let silence = object.duration(cx, "timeout");
    let pong_wait = object.duration(cx, "pong_wait");
    let silence = silence.or(pong_wait).unwrap_or(SILENCE);
    let write_wait = object.duration(cx, "write_wait").unwrap_or(WRITE);
    Some(WebSocket { silence, write_wait })
}

fn merge(into: &mut AllowList<HeaderName>, more: AllowList<HeaderName>) {
    match (into, more) {
        (AllowList::All, _) => {}
        (all @ AllowList::Only(_), AllowList::All) => *all = AllowList::All,
        (AllowList::Only(names), AllowList::Only(more)) => names.extend(more),
    }
}

/// A handshake is a GET of HTTP/1.1 whose answer passes as it is.
pub(super) fn check(cx: &mut Context<'_>, node: &Node, endpoint: &Endpoint) {
    match &endpoint.answer {
        Answer::Composed(_) => {
            let message = "a WebSocket needs an endpoint whose answer passes as it is";
            cx.error(node, code::WEBSOCKET, message, "add `\"output_encoding\": \"no-op\"` to the endpoint");
        }
        Answer::NoOp(backend) if endpoint.is_held(backend) => {
            let message = "a WebSocket cannot pass where requests or answers are held: by a cache, a JSON Schema, a condition on \
                           answers, or a modifier of bodies or hosts";
            cx.error(node, code::WEBSOCKET, message, "give the WebSocket an endpoint without them");
        }
        Answer::NoOp(backend) if backend.transport.http_version != HttpVersion::Http1 => {
            let message = "a WebSocket needs HTTP/1.1 towards the backend";
            cx.error(node, code::HTTP_VERSION, message, "remove `http_version` of `backend/http/client`");
        }
        Answer::NoOp(_) => {}
    }
    if let Methods::Only(methods) = &endpoint.methods
        && !methods.is_empty()
        && !methods.contains(&Method::GET)
    {
        cx.error(node, code::WEBSOCKET, "a WebSocket handshake is a GET", "let the endpoint answer to GET");
    }
}
