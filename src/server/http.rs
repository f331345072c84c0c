//! The HTTP server of clients: Pingora's proxy with bounds of our own for HTTP/2.
//!
//! Those of HTTP/1 are kept by `downstream`, which sees the bytes first.

use crate::config::model::Limits;
use crate::proxy::Proxy;
use pingora_core::apps::HttpServerOptions;
use pingora_core::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora_core::server::configuration::ServerConf;
use pingora_proxy::{HttpProxy, http_proxy};
use std::sync::Arc;

/// Bytes of a request's body that a client may send before they are read, which is what RFC 9113 §6.9.2 begins with anyway.
const STREAM_WINDOW: u32 = 64 * 1024 - 1;

/// The same for all requests of a connection. With the default, which is the window of one stream, a single body that
/// nobody reads would hold up all others.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// The smallest size that RFC 9113 §6.5.2 permits, and its default: whatever is longer ends the connection.
const FRAME: u32 = 16 * 1024;

/// Bytes of an answer that wait for the client, for each request. The library's default, 400 KiB, would make 40 MB of the
/// 100 answers of a client that reads nothing.
const SEND_BUFFER: usize = 64 * 1024;

/// Requests that were reset by the client before we have seen them. More is a rapid reset (CVE-2023-44487), and the end of
/// the connection.
const PENDING_RESETS: usize = 20;

/// Requests that we had to reset because of the client's errors. More is the same attack with the roles changed
/// (CVE-2025-8671).
const OWN_RESETS: usize = 100;

/// The proxy as a server.
pub(super) fn server(conf: &Arc<ServerConf>, proxy: Proxy, limits: &Limits) -> HttpProxy<Proxy> {
    let mut server = http_proxy(conf, proxy);
    server.h2_options = Some(h2_options(limits));
    let mut options = HttpServerOptions::default();
    // Without it a connection that has had no request yet, or has none now, stays for ever.
    options.h2_idle_timeout = Some(limits.h2_idle_timeout);
    server.server_options = Some(options);
    server
}

fn h2_options(limits: &Limits) -> H2Options {
    let mut options = default_h2_options();
    options
        .max_concurrent_streams(limits.h2_streams)
        // Counted uncompressed, with 32 bytes for each field (RFC 9113 §6.5.2). The library bounds the number of
        // CONTINUATION frames by it as well.
        .max_header_list_size(u32::try_from(limits.head_size).unwrap_or(u32::MAX))
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_send_buffer_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(Some(OWN_RESETS));
    options
}
