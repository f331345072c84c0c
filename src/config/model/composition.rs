//! How the answer of an endpoint is made of its backends' answers.

use super::{Backend, FlatmapOperation, OutputEncoding, StaticData};
use std::time::Duration;

/// What an endpoint with a decoded `output_encoding` does.
#[derive(Debug, Clone)]
pub struct Composition {
    /// The backends whose answers count, in the order of the file. At least one.
    pub backends: Vec<Backend>,
    /// The backends that only get a copy of the request.
    pub shadows: Vec<Shadow>,
    /// `output_encoding`.
    pub output: OutputEncoding,
    /// `concurrent_calls`: how many copies of its request each backend gets, 1 unless set.
    pub concurrent_calls: u8,
    /// `proxy.flatmap_filter` of the endpoint; without effect on a single backend.
    pub flatmap: Vec<FlatmapOperation>,
    /// `proxy.static`.
    pub static_data: Option<StaticData>,
    /// `cache_ttl`: `max-age` of complete answers; zero: none.
    pub cache_ttl: Duration,
    /// `proxy.sequential`: one backend after the other; `None`: all at once.
    pub sequential: Option<Sequential>,
}

/// A backend with `proxy.shadow`.
#[derive(Debug, Clone)]
pub struct Shadow {
    /// Where the copy goes.
    pub backend: Backend,
    /// `proxy.shadow_timeout`, the backend's timeout unless set.
    pub timeout: Duration,
}

/// What later backends need of earlier ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sequential {
    /// Every `{respN_field}` of the endpoint, each once.
    pub fields: Vec<EarlierField>,
}

/// A `{respN_field}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierField {
    /// N: the position of the backend.
    pub backend: usize,
    /// The field, split at its dots.
    pub path: Vec<String>,
}

/// `backend/http`: what the client learns when a backend answers with an error status.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ErrorStatus {
    /// Nothing: 500 without a body.
    #[default]
    Hidden,
    /// `return_error_code`: the backend's status.
    Code,
    /// `return_error_details`: an object of this name in the answer.
    Details(String),
}
