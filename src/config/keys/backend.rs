//! Keys of an entry of `backend`.

use super::Kind::{Boolean, Duration, Integer, Object, String, Strings};
use super::{Key, Kind, decoded, observed, supported};

/// Words of `encoding`.
pub const ENCODINGS: &[&str] = &["no-op", "json", "safejson", "fast-json", "string", "xml", "rss", "yaml"];

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
    supported(
        "sd",
        Kind::Word(&["static", "dns", "dns-shared"]),
        "dns: hosts are names of SRV records; static unless set",
    ),
    supported(
        "sd_scheme",
        Kind::Word(&["http", "https"]),
        "scheme of the hosts that SRV records name; http unless set",
    ),
    observed("concurrent_calls", Integer, "the endpoint's counts, in KrakenD too"),
    decoded("is_collection", Boolean, "the answer is a list; it is kept under `collection`"),
    decoded("target", String, "dotted path of the one object to keep"),
    decoded("allow", Strings, "dotted names of the only fields to keep"),
    decoded("deny", Strings, "dotted names of fields to drop"),
    decoded("mapping", Object, "new names of top-level fields"),
    decoded("group", String, "name of a field to put around all others"),
    observed("whitelist", Strings, "version 3 calls it `allow`"),
    observed("blacklist", Strings, "version 3 calls it `deny`"),
];
