//! Where porteur carries a key or a namespace out otherwise than KrakenD does, and how. Extensions say so in their own row.

use super::{Key, Level, Namespace};

impl Level {
    /// How porteur differs from KrakenD in a key of this level.
    pub fn differs(self, key: &Key) -> Option<&'static str> {
        KEYS.iter().find(|(level, name, _)| *level == self && *name == key.name).map(|(.., how)| *how)
    }
}

impl Namespace {
    /// How porteur differs from KrakenD in all of the namespace.
    pub fn differs(&self) -> Option<&'static str> {
        NAMESPACES.iter().find(|(name, _)| *name == self.name).map(|(_, how)| *how)
    }
}

const CLIENT: Level = Level::Namespace("auth/client-credentials");
const TLS: Level = Level::Namespace("tls");
const ROUTER: Level = Level::Namespace("router");
const PROXY: Level = Level::Namespace("proxy");
const SERVICE_TLS: Level = Level::Namespace("client_tls");
const BACKEND_TLS: Level = Level::Namespace("backend/http/client.client_tls");
const WEBSOCKET: Level = Level::Namespace("websocket");

const FLOOR: &str =
    "KrakenD speaks TLS 1.3 alone unless it is set; older versions than 1.2 are never spoken, whatever it says";
const ONE: &str = "one certificate; several are an error";
const HEAD: &str = "in no-op it bounds each pause in the body, too";
const NO_TOKENS: &str = "not for requests for tokens, which have `tls` in `auth/client-credentials`; a warning says so";

const KEYS: &[(Level, &str, &str)] = &[
    (Level::Root, "host", "IPv6 addresses in brackets are hosts, too"),
    (Level::Root, "dns_cache_ttl", "it is for the names of all hosts, not only for SRV records"),
    (
        Level::Root,
        "timeout",
        "in no-op it bounds the wait for the head of an answer and each pause in its body, not the whole",
    ),
    (Level::Root, "client_tls", NO_TOKENS),
    (Level::Root, "allow_insecure_connections", NO_TOKENS),
    (Level::Root, "dialer_timeout", "KrakenD waits as long as the timeout lets it"),
    (Level::Root, "response_header_timeout", HEAD),
    (Level::Root, "idle_connection_timeout", "KrakenD keeps connections for ever unless it is set"),
    (SERVICE_TLS, "min_version", FLOOR),
    (BACKEND_TLS, "min_version", FLOOR),
    (SERVICE_TLS, "max_version", "an older one than TLS13 is an error"),
    (BACKEND_TLS, "max_version", "an older one than TLS13 is an error"),
    (SERVICE_TLS, "client_certs", ONE),
    (BACKEND_TLS, "client_certs", ONE),
    (
        WEBSOCKET,
        "enable_direct_communication",
        "without it KrakenD shares one connection among all clients; here that is an error",
    ),
    (
        Level::Endpoint,
        "endpoint",
        "`/*` at the end and `/__catchall` work; in KrakenD they are for its enterprise edition",
    ),
    (Level::Endpoint, "method", "GET endpoints answer HEAD, too, and an endpoint may be for OPTIONS"),
    (
        Level::Endpoint,
        "timeout",
        "in no-op it bounds the wait for the head of an answer and each pause in its body, not the whole",
    ),
    (
        Level::Endpoint,
        "input_headers",
        "headers about one connection never go on, `Forwarded` and `X-Real-Ip` only where they are listed by name",
    ),
    (Level::Endpoint, "input_query_strings", "parameters keep the client's encoding, and with * its order"),
    (
        Level::Backend,
        "host",
        "hosts are asked in turn, and the next one when a connection fails; IPv6 addresses in brackets are hosts, too; `ws` and \
         `wss` stand for `http` and `https`",
    ),
    (
        Level::Backend,
        "url_pattern",
        "values of placeholders stay percent-encoded: none can add a segment or a parameter",
    ),
    (
        Level::Backend,
        "input_headers",
        "what the gateway says of itself (`X-Forwarded-For` and the like) goes on whatever is listed",
    ),
    (Level::Backend, "disable_host_sanitize", "in KrakenD it lets hosts have a path or another scheme"),
    (CLIENT, "client_secret", "read again for each fetch when it is a lone `${file:…}`"),
    (
        CLIENT,
        "token_url",
        "`http` is an error unless it leads to a numeric loopback address, or `allow_insecure_token_url` is set",
    ),
    (CLIENT, "scopes", "blanks after commas do not count, and without scopes no `scope` is sent"),
    (
        CLIENT,
        "endpoint_params",
        "a text counts as a list of it; another `grant_type` is an error; with `client_id` and `client_secret` in it nothing is sent in a header",
    ),
    (Level::Root, "tls", "TLS 1.2 and 1.3 only; files are read again when they change"),
    (TLS, "cipher_suites", "those of TLS 1.3 can be chosen, too; what is not safe is an error"),
    (TLS, "curve_preferences", "4588 (X25519MLKEM768) is known, too; 25 (P-521) is left out, with a warning"),
    (TLS, "min_version", "an older version than TLS12 is raised, with a warning"),
    (TLS, "prefer_server_cipher_suites", "it has an effect"),
    (ROUTER, "trusted_proxies", "nobody is trusted unless listed, and listing is enough"),
    (ROUTER, "forwarded_by_client_ip", "it is true unless set, and has an effect only with `trusted_proxies`"),
    (
        ROUTER,
        "remote_ip_headers",
        "`Forwarded` (RFC 7239) is read, too; a header that cannot be read is not passed over for the next",
    ),
    (ROUTER, "max_payload", "there is a limit unless it is 0; what is held is never longer than 10 MiB"),
    (PROXY, "max_payload", "what is held is never longer than 10 MiB"),
    (ROUTER, "return_error_msg", "the text is a few words that tell nothing of hosts or credentials"),
];

const NAMESPACES: &[(&str, &str)] = &[
    (
        "auth/client-credentials",
        "one token for all backends with an equal credential, fetched and refreshed in the background; a request whose token \
         is rejected may be sent once more with a new one",
    ),
    (
        "modifier/martian",
        "what cannot be read is an error, not silence; values may take parts of the client's request; headers that frame a \
         message cannot be set; failed verifiers are counted and not kept; a request that is sent to another host, port or scheme carries no token",
    ),
    (
        "qos/http-cache",
        "a shared cache as RFC 9111 has it: no `private` answers, none with `Set-Cookie`, and none that another credential \
         was given; it is bounded unless it is told how large it is",
    ),
    (
        "qos/circuit-breaker",
        "while it is open the answer is 503 with `Retry-After`, not 500; clients that leave or are late with their body, and \
         failures on porteur's own side, do not count",
    ),
    (
        "qos/circuit-breaker/http",
        "as in `qos/circuit-breaker`; with both in a backend the file is refused, where KrakenD advises against it",
    ),
    (
        "validation/cel",
        "a condition that cannot be read is an error at start-up; one that does not hold of a client's request is 403; `JWT` \
         is not there yet",
    ),
    (
        "validation/json-schema",
        "a schema that is not valid is an error at start-up, and nothing may follow the JSON value of a body",
    ),
    ("security/http", "a host that is not allowed is 403"),
    ("security/bot-detector", "every `User-Agent` of a request counts, not the first alone"),
    (
        "proxy",
        "each {respN_field} may be used without being listed, and a backend whose request lacks one is not asked",
    ),
];

#[cfg(test)]
mod tests {
    use super::super::namespace;
    use super::*;

    #[test]
    fn every_difference_is_about_a_row_of_the_table() {
        for (level, name, how) in KEYS {
            assert!(level.keys().iter().any(|key| key.name == *name), "{level:?} has no {name}");
            assert!(!how.ends_with('.'), "{how}");
        }
        for (name, how) in NAMESPACES {
            assert!(namespace(name).is_some(), "{name}");
            assert!(!how.ends_with('.'), "{how}");
        }
    }
}
