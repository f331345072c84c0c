//! A gateway that carries the same requests both ways: `/stream` passes bytes as they come, `/held` holds the request. Its further
//! listener speaks HTTP/2 without TLS.

use super::gateway::{Running, endpoint, with};
use super::upstream::Upstream;
use serde_json::{Value, json};

/// The endpoints.
pub const BOTH: [&str; 2] = ["/stream", "/held"];

pub fn start(upstream: &Upstream) -> Running {
    started(upstream, &json!({}), &json!({}))
}

/// With these keys in `router` and in each endpoint.
pub fn started(upstream: &Upstream, router: &Value, keys: &Value) -> Running {
    let endpoints = BOTH.map(|path| {
        let mut endpoint = endpoint(path, &upstream.url(), path);
        endpoint["method"] = json!("*");
        endpoint["input_headers"] = json!(["*"]);
        if path == "/held" {
            // Nothing here says that it may be kept.
            endpoint["backend"][0]["extra_config"] = json!({ "qos/http-cache": {} });
        }
        with(endpoint, keys)
    });
    let listeners = json!([{ "listen": "127.0.0.1:0", "use_h2c": true }]);
    Running::start(json!({ "endpoints": endpoints, "extra_config": { "router": router, "listeners": listeners } }))
}
