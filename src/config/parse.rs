//! A [`Document`](super::document) to a [`Model`](super::model::Model): one file for each part of the configuration. Every function reports what
//! is wrong and goes on; what cannot be used is `None`, and then the report has an error.

mod admin;
mod backend;
mod backend_http;
mod balance;
mod bot_detector;
mod cel;
mod circuit_breaker;
mod client_tls;
mod composition;
mod credential;
mod discovery;
mod earlier;
mod endpoint;
mod error_body;
mod host;
mod http_cache;
mod http_client;
mod json_schema;
mod limits;
mod listeners;
mod lists;
mod martian;
mod method;
mod namespaces;
mod path;
mod patterns;
mod payload;
mod proxy;
mod root;
mod router;
mod security_http;
mod shape;
mod tls;
mod tls_version;
mod trust;
mod url_pattern;
mod websocket;

pub(super) use endpoint::Route;
pub(super) use root::{check_options, model};
