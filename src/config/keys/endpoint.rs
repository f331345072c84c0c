//! Keys of an entry of `endpoints`.

use super::Kind::{Any, Duration, Integer, List, Object, String, Strings};
use super::service::OUTPUT_ENCODINGS;
use super::{Key, Kind, observed, supported};

pub(super) const KEYS: &[Key] = &[
    supported("endpoint", String, "path, with {placeholders}"),
    supported("method", Any, "GET unless set; a list or * is an extension"),
    supported("backend", List, "where requests go"),
    supported("timeout", Duration, "time until the head of the upstream's answer, then between two pieces of its body"),
    supported("cache_ttl", Duration, "max-age of decoded answers; no effect in no-op"),
    supported("output_encoding", Kind::Word(OUTPUT_ENCODINGS), "how the answer is encoded; json unless set"),
    supported(
        "concurrent_calls",
        Integer,
        "copies of each request that are sent at once; the first whole answer counts",
    ),
    supported("input_headers", Strings, "request headers that go on, or *"),
    supported("input_query_strings", Strings, "query parameters that go on, or *"),
    supported("extra_config", Object, "namespaces of the endpoint"),
    observed("headers_to_pass", Strings, "version 3 calls it `input_headers`"),
    observed("querystring_params", Strings, "version 3 calls it `input_query_strings`"),
];
