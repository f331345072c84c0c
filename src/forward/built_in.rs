//! The endpoints every KrakenD gateway has: `/__health`, and on demand `/__debug/` and `/__echo/`.

use crate::base::text::title_case;
use crate::forward::RequestView;
use crate::forward::reply::{Reply, redirect_status};
use crate::snapshot::Snapshot;
use chrono::{DateTime, SecondsFormat, Utc};
use http::{HeaderMap, HeaderValue, Method, header};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use std::time::SystemTime;

/// The largest body that `/__echo/` gives back, in bytes.
pub const LARGEST_ECHO: usize = 64 * 1024;

/// Which of them a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn {
    /// `/__health`, or where `router.health_path` puts it.
    Health,
    /// `/__debug/…`.
    Debug,
    /// `/__echo/…`; the only one that wants the body.
    Echo,
    /// `/__debug` or `/__echo` without the slash.
    Slash(&'static str),
}

impl BuiltIn {
    /// The built-in endpoint at a path, if it is switched on.
    #[must_use]
    pub fn find(snapshot: &Snapshot, method: &Method, path: &str) -> Option<Self> {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        if reads && snapshot.router.is_health(path) {
            return Some(Self::Health);
        }
        let rest = path.strip_prefix("/__")?;
        match rest.split_once('/') {
            Some(("debug", _)) if snapshot.debug_endpoint => Some(Self::Debug),
            Some(("echo", _)) if snapshot.echo_endpoint => Some(Self::Echo),
            None if rest == "debug" && snapshot.debug_endpoint => Some(Self::Slash("/__debug/")),
            None if rest == "echo" && snapshot.echo_endpoint => Some(Self::Slash("/__echo/")),
            _ => None,
        }
    }

    /// The answer; `body` is what came with a request to [`Self::Echo`].
    #[must_use]
    pub fn reply(self, request: &RequestView<'_>, body: &[u8]) -> Reply {
        match self {
            Self::Health => Reply::json(&json!({"agents": {}, "now": now(), "status": "ok"})),
            Self::Debug => Reply::json(&json!({"message": "pong"})),
            Self::Echo => Reply::json(&echo(request, body)),
            Self::Slash(path) => Reply::redirect(redirect_status(request.method), HeaderValue::from_static(path)),
        }
    }
}

fn now() -> String {
    DateTime::<Utc>::from(SystemTime::now()).to_rfc3339_opts(SecondsFormat::Nanos, true)
}

/// What KrakenD's echo says of a request.
fn echo(request: &RequestView<'_>, body: &[u8]) -> Value {
    let query = request.query.unwrap_or_default();
    let mut parameters: Map<String, Value> = Map::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        push(&mut parameters, &name, &value);
    }
    json!({
        "req_uri": String::from_utf8_lossy(request.raw_target),
        "req_uri_details": {
            "user": "",
            "host": request.host().map(|host| String::from_utf8_lossy(host.as_bytes())),
            "path": percent_decode_str(request.path).decode_utf8_lossy(),
            "query": sorted(query),
            "fragment": "",
        },
        "req_method": request.method.as_str(),
        "req_querystring": parameters,
        "req_body": String::from_utf8_lossy(body),
        "req_headers": headers(request.headers),
    })
}

/// As Go encodes it: by name, each value encoded anew.
fn sorted(query: &str) -> String {
    let mut pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn headers(headers: &HeaderMap) -> Value {
    let mut shown = Map::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != header::HOST) {
        push(
            &mut shown,
            &String::from_utf8_lossy(&title_case(name.as_str())),
            &String::from_utf8_lossy(value.as_bytes()),
        );
    }
    Value::Object(shown)
}

fn push(map: &mut Map<String, Value>, name: &str, value: &str) {
    if let Value::Array(values) = map.entry(name).or_insert_with(|| json!([])) {
        values.push(value.into());
    }
}
