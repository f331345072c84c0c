//! What a client may take of the process: time, bytes, connections.

use std::num::NonZeroU32;
use std::time::Duration;

/// Limits of everything a client does. None of them is "no limit" by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `read_header_timeout`: from the first byte of a request's head to its last; on a new connection, from its
    /// beginning. 10 s unless set.
    pub head_timeout: Duration,
    /// `max_header_bytes`: a request's head, its first line included. 64 KiB unless set.
    pub head_size: usize,
    /// `limits.max_headers`: header fields of a request. 100 unless set.
    pub headers: usize,
    /// `limits.max_uri_length`: bytes of a request's target. 16 KiB unless set.
    pub uri_length: usize,
    /// `read_timeout`: the whole of a request, its body included. Without it [`Self::receive_rate`] is what bounds a body.
    pub read_timeout: Option<Duration>,
    /// `write_timeout`: from the end of a request's head to the end of its answer. Without it [`Self::send_rate`] is what
    /// bounds an answer.
    pub write_timeout: Option<Duration>,
    /// `idle_timeout`: between two requests of a connection. 60 s unless set.
    pub idle_timeout: Duration,
    /// `limits.min_receive_rate`: bytes of a body in each second that we wait for the client; after a grace of
    /// [`Self::GRACE`]. `None`: any rate will do.
    pub receive_rate: Option<NonZeroU32>,
    /// `limits.min_send_rate`: the same for bytes that the client takes from us.
    pub send_rate: Option<NonZeroU32>,
    /// `limits.max_connections`: connections of clients. `None`: half of the descriptors the process may have.
    pub connections: Option<usize>,
    /// `limits.max_requests`: requests under way. `None`: a quarter of the descriptors.
    pub requests: Option<usize>,
    /// `limits.max_requests_per_connection`: after so many answers the connection is closed. `None`: never.
    pub requests_per_connection: Option<NonZeroU32>,
    /// `limits.h2_max_streams`: requests under way on a connection of HTTP/2. 100 unless set.
    pub h2_streams: u32,
    /// `limits.h2_idle_timeout`: how long a connection of HTTP/2 may have no request under way. 5 min unless set.
    pub h2_idle_timeout: Duration,
}

impl Limits {
    /// The rate and the grace are those of Kestrel, the one server that has had both on by default for years.
    const RATE: NonZeroU32 = NonZeroU32::new(240).expect("it is not 0");
    /// How long a client may be slower than the rates at first.
    pub const GRACE: Duration = Duration::from_secs(5);
    /// The largest `max_header_bytes`, which is Go's default. Pingora's own limit is one byte below
    /// (`MAX_HEADER_SIZE` of `pingora-core/src/protocols/http/v1/common.rs`).
    pub const LARGEST_HEAD: usize = 1024 * 1024;
    /// The largest `limits.max_headers`, for the same reason (`MAX_HEADERS`, 256).
    pub const MOST_HEADERS: usize = 250;
    /// The largest `limits.h2_max_streams`. Each stream may hold a window of a body in memory.
    pub const MOST_STREAMS: u32 = 1000;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(10),
            head_size: 64 * 1024,
            headers: 100,
            uri_length: 16 * 1024,
            read_timeout: None,
            write_timeout: None,
            idle_timeout: Duration::from_secs(60),
            receive_rate: Some(Self::RATE),
            send_rate: Some(Self::RATE),
            connections: None,
            requests: None,
            requests_per_connection: None,
            h2_streams: 100,
            h2_idle_timeout: Duration::from_secs(300),
        }
    }
}
