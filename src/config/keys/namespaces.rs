//! Names of `extra_config`, and the long names older files have for them.

use super::Level::{Backend, Endpoint, Root};
use super::{Level, Namespace, Support};

const SERVICE: &[Level] = &[Root];
const ENDPOINT: &[Level] = &[Endpoint];
const BACKEND: &[Level] = &[Backend];
const ANYWHERE: &[Level] = &[Root, Endpoint, Backend];

const fn row(name: &'static str, levels: &'static [Level], support: Support, doc: &'static str) -> Namespace {
    Namespace { name, levels, support, doc }
}

const fn built(name: &'static str, levels: &'static [Level], doc: &'static str) -> Namespace {
    row(name, levels, Support::Supported, doc)
}

const fn later(name: &'static str, levels: &'static [Level], what: &'static str) -> Namespace {
    row(name, levels, Support::NotYet { what, fine: &[] }, what)
}

const fn observes(name: &'static str, what: &'static str) -> Namespace {
    row(name, ANYWHERE, Support::Observed(what), what)
}

const fn never(name: &'static str, levels: &'static [Level], reason: &'static str) -> Namespace {
    row(name, levels, Support::Refused(reason), reason)
}

const GO_PLUGIN: &str = "Go plugins cannot be loaded into porteur; put what they do into a service before or behind it";
const QUEUE: &str =
    "porteur speaks HTTP to upstreams and has no part in queues; let a service take requests to the queue";
const LUA: &str = "porteur runs no Lua scripts; put what they do into a service before or behind it";
const BODIES: &str =
    "porteur writes no bodies from templates and reads none for headers; let the client or the upstream do it";
const QUERY: &str = "porteur has no query language for answers; let the client or the upstream choose from them";
const WORKFLOW: &str = "porteur does not nest endpoints; write a service that makes the calls, and route to it";
const CLOUD: &str =
    "porteur carries tokens that it gets with client credentials, not a cloud's own; let the cloud's proxy add those";
const NTLM: &str =
    "NTLM authenticates connections, which a gateway shares between clients; let the upstream take tokens";
const QUOTA: &str = "porteur keeps no count that outlives it or that several gateways share; let the upstream count";
const REDIS: &str = "porteur keeps its state in its process and speaks HTTP to upstreams, not Redis";
const FILES: &str = "porteur serves no files; route to a web server that does";
const GRAPHQL: &str =
    "porteur writes no GraphQL queries; route the client's own to the server, it is HTTP like any other";
const GRPC: &str = "porteur does not translate between HTTP and gRPC; route to an HTTP interface of the service";
const SOAP: &str =
    "porteur writes no SOAP envelopes; route the client's own to the service, they are HTTP like any other";
const LAMBDA: &str =
    "porteur speaks HTTP to upstreams, not AWS's interface for Lambda; give the function a URL and route to it";
const MODELS: &str =
    "porteur neither writes prompts nor serves models' protocols; route to an HTTP interface that does";

/// Every namespace of KrakenD and of porteur.
pub const NAMESPACES: &[Namespace] = &[
    built("router", SERVICE, "how the router behaves"),
    built("limits", SERVICE, "what clients may take (extension)"),
    built("admin", SERVICE, "the admin listener (extension)"),
    built("proxy_protocol", SERVICE, "on the service's own port, connections begin with a PROXY header (extension)"),
    built("listeners", SERVICE, "further addresses that clients connect to (extension)"),
    built("auth/credentials", SERVICE, "credentials with a name, for backends to use (extension)"),
    built("auth/client-credentials", BACKEND, "the token this backend's requests carry"),
    built("security/http", SERVICE, "security headers and host checks"),
    built("security/bot-detector", &[Root, Endpoint], "refusal of bots"),
    built("modifier/martian", BACKEND, "changes to requests and answers"),
    later("auth/validator", ENDPOINT, "checks of the client's JWT"),
    later("auth/signer", ENDPOINT, "signing of tokens"),
    later("auth/revoker", SERVICE, "revoked tokens"),
    later("auth/api-keys", &[Root, Endpoint], "API keys"),
    later("auth/basic", &[Root, Endpoint], "Basic authentication of clients"),
    later("auth/jwk-client", SERVICE, "shared cache of keys"),
    later("auth/mtls", &[Root, Endpoint], "client certificates"),
    later("security/cors", SERVICE, "cross-origin requests"),
    later("security/policies", ANYWHERE, "security policies"),
    later("qos/ratelimit/service", SERVICE, "rate limit of the service"),
    later("qos/ratelimit/router", ENDPOINT, "rate limit of an endpoint"),
    later("qos/ratelimit/tiered", &[Root, Endpoint], "rate limit by tier"),
    later("qos/ratelimit/proxy", BACKEND, "rate limit towards a backend"),
    built("qos/circuit-breaker", BACKEND, "how many failures in a row stop requests for a while"),
    built("balance", BACKEND, "which upstream address a request goes to (extension)"),
    built("qos/circuit-breaker/http", BACKEND, "the same, with a list of the statuses that are no failures"),
    built("qos/http-cache", BACKEND, "answers that are kept and used again, as RFC 9111 allows"),
    later("modifier/response-headers", ANYWHERE, "changes to response headers"),
    built("validation/cel", &[Endpoint, Backend], "conditions on requests and answers, in CEL"),
    built("validation/json-schema", ENDPOINT, "the JSON Schema of request bodies"),
    later("validation/response-json-schema", &[Endpoint, Backend], "checks of response bodies"),
    built("proxy", &[Endpoint, Backend], "merging, static answers, shadow traffic"),
    later("proxy/decompress-gzip", &[Root, Endpoint], "decompression of requests"),
    built("websocket", ENDPOINT, "WebSockets between client and backend"),
    later("server/virtualhost", SERVICE, "virtual hosts"),
    built("backend/http", BACKEND, "status and error details of decoded answers"),
    built("backend/http/client", BACKEND, "how the hosts of a backend are connected to"),
    later("backend/conditional", BACKEND, "conditional backends"),
    never("backend/amqp/consumer", BACKEND, QUEUE),
    never("backend/amqp/producer", BACKEND, QUEUE),
    never("backend/pubsub/publisher", BACKEND, QUEUE),
    never("backend/pubsub/subscriber", BACKEND, QUEUE),
    never("async/amqp", ANYWHERE, QUEUE),
    never("async/kafka", ANYWHERE, QUEUE),
    never("plugin/http-server", SERVICE, GO_PLUGIN),
    never("plugin/http-client", BACKEND, GO_PLUGIN),
    never("plugin/req-resp-modifier", &[Endpoint, Backend], GO_PLUGIN),
    never("plugin/middleware", &[Endpoint, Backend], GO_PLUGIN),
    never("auth/gcp", BACKEND, CLOUD),
    never("auth/aws-sigv4", BACKEND, CLOUD),
    never("auth/ntlm", BACKEND, NTLM),
    never("governance/quota", ANYWHERE, QUOTA),
    never("governance/processors", SERVICE, QUOTA),
    never("modifier/lua-endpoint", &[Root, Endpoint], LUA),
    never("modifier/lua-proxy", ENDPOINT, LUA),
    never("modifier/lua-backend", BACKEND, LUA),
    never("modifier/jmespath", &[Endpoint, Backend], QUERY),
    never("modifier/request-body-generator", &[Endpoint, Backend], BODIES),
    never("modifier/body-generator", BACKEND, BODIES),
    never("modifier/request-body-extractor", &[Endpoint, Backend], BODIES),
    never("modifier/response-body", &[Endpoint, Backend], BODIES),
    never("modifier/response-body-generator", &[Endpoint, Backend], BODIES),
    never("workflow", &[Endpoint, Backend], WORKFLOW),
    never("grpc", SERVICE, GRPC),
    never("redis", SERVICE, REDIS),
    never("server/static-filesystem", SERVICE, FILES),
    never("backend/graphql", BACKEND, GRAPHQL),
    never("backend/grpc", BACKEND, GRPC),
    never("backend/soap", BACKEND, SOAP),
    never("backend/lambda", BACKEND, LAMBDA),
    never("backend/redis", BACKEND, REDIS),
    never("backend/static-filesystem", BACKEND, FILES),
    never("ai/llm", BACKEND, MODELS),
    never("ai/mcp", ANYWHERE, MODELS),
    observes("telemetry/logging", "log settings"),
    observes("telemetry/gelf", "logs to Graylog"),
    observes("telemetry/logstash", "logs for Logstash"),
    observes("telemetry/metrics", "metrics"),
    observes("telemetry/influx", "metrics to InfluxDB"),
    observes("telemetry/opencensus", "traces and metrics"),
    observes("telemetry/opentelemetry", "traces and metrics"),
    observes("telemetry/opentelemetry-security", "tokens of telemetry exporters"),
    observes("telemetry/ganalytics", "Google Analytics"),
    observes("telemetry/instana", "Instana"),
    observes("telemetry/moesif", "Moesif"),
    observes("telemetry/newrelic", "New Relic"),
    observes("documentation/openapi", "OpenAPI documents"),
    observes("documentation/postman", "Postman collections"),
];

/// Legacy names without their `github.com/`, and what they are called today.
pub const LEGACY: &[(&str, &str)] = &[
    ("devopsfaith/krakend/transport/http/server/handler", "plugin/http-server"),
    ("devopsfaith/krakend/transport/http/client/executor", "plugin/http-client"),
    ("devopsfaith/krakend/proxy/plugin", "plugin/req-resp-modifier"),
    ("devopsfaith/krakend/proxy", "proxy"),
    ("luraproject/lura/router/gin", "router"),
    ("devopsfaith/krakend-ratelimit/juju/router", "qos/ratelimit/router"),
    ("devopsfaith/krakend-ratelimit/juju/proxy", "qos/ratelimit/proxy"),
    ("devopsfaith/krakend-httpcache", "qos/http-cache"),
    ("devopsfaith/krakend-circuitbreaker/gobreaker", "qos/circuit-breaker"),
    ("devopsfaith/krakend-oauth2-clientcredentials", "auth/client-credentials"),
    ("devopsfaith/krakend-jose/validator", "auth/validator"),
    ("devopsfaith/krakend-jose/signer", "auth/signer"),
    ("devopsfaith/bloomfilter", "auth/revoker"),
    ("devopsfaith/krakend-botdetector", "security/bot-detector"),
    ("devopsfaith/krakend-httpsecure", "security/http"),
    ("devopsfaith/krakend-cors", "security/cors"),
    ("devopsfaith/krakend-cel", "validation/cel"),
    ("devopsfaith/krakend-jsonschema", "validation/json-schema"),
    ("devopsfaith/krakend-amqp/agent", "async/amqp"),
    ("devopsfaith/krakend-amqp/consume", "backend/amqp/consumer"),
    ("devopsfaith/krakend-amqp/produce", "backend/amqp/producer"),
    ("devopsfaith/krakend-lambda", "backend/lambda"),
    ("devopsfaith/krakend-pubsub/publisher", "backend/pubsub/publisher"),
    ("devopsfaith/krakend-pubsub/subscriber", "backend/pubsub/subscriber"),
    ("devopsfaith/krakend/transport/http/client/graphql", "backend/graphql"),
    ("devopsfaith/krakend/http", "backend/http"),
    ("devopsfaith/krakend-gelf", "telemetry/gelf"),
    ("devopsfaith/krakend-gologging", "telemetry/logging"),
    ("devopsfaith/krakend-logstash", "telemetry/logstash"),
    ("devopsfaith/krakend-metrics", "telemetry/metrics"),
    ("letgoapp/krakend-influx", "telemetry/influx"),
    ("devopsfaith/krakend-opencensus", "telemetry/opencensus"),
    ("devopsfaith/krakend-lua/router", "modifier/lua-endpoint"),
    ("devopsfaith/krakend-lua/proxy", "modifier/lua-proxy"),
    ("devopsfaith/krakend-lua/proxy/backend", "modifier/lua-backend"),
    ("devopsfaith/krakend-martian", "modifier/martian"),
];
