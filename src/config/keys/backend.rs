//! Keys of an entry of `backend`.

use super::Kind::{Boolean, Duration, Integer, Object, String, Strings};
use super::{Key, Kind, decoded, ignored, supported, unless};

/// Words of `encoding`.
pub const ENCODINGS: &[&str] = &["no-op", "json", "safejson", "fast-json", "string", "xml", "rss", "yaml"];

const SHAPE: &str = "shaping of decoded answers";

pub(super) const KEYS: &[Key] = &[
    supported("host", Strings, "upstream hosts; the service's unless set"),
    supported("url_pattern", String, "path and query at the upstream"),
    supported("method", String, "method at the upstream; the client's unless set"),
    supported("encoding", Kind::Word(ENCODINGS), "how the answer is decoded; no-op follows the endpoint"),
    supported("timeout", Duration, "replaces the endpoint's timeout (extension)"),
    supported("input_headers", Strings, "a second list below the endpoint's"),
    supported("input_query_strings", Strings, "a second list below the endpoint's"),
    supported("extra_config", Object, "namespaces of the backend"),
    supported("disable_host_sanitize", Boolean, "hosts must be clean either way"),
    unless("sd", String, "service discovery", &["static"]),
    ignored("sd_scheme", String, "only for service discovery by DNS"),
    unless("concurrent_calls", Integer, "several copies of a request at once", &["1"]),
    decoded("is_collection", Boolean, SHAPE),
    decoded("target", String, SHAPE),
    decoded("allow", Strings, SHAPE),
    decoded("deny", Strings, SHAPE),
    decoded("whitelist", Strings, SHAPE),
    decoded("blacklist", Strings, SHAPE),
    decoded("mapping", Object, SHAPE),
    decoded("group", String, SHAPE),
];
