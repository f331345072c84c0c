//! The entry of `backend`.

use super::super::code;
use super::super::diagnostic::Diagnostic;
use super::super::document::Node;
use super::super::keys::Level;
use super::super::model::{AllowList, Backend, Discovery, EndpointPath, Host, Martian, TokenPolicy};
use super::super::read::{Context, Object};
use super::backend_http::error_status;
use super::balance::balance;
use super::cel::conditions;
use super::circuit_breaker::circuit_breaker;
use super::credential::token_policy;
use super::discovery;
use super::endpoint::Service;
use super::host::hosts;
use super::http_cache::http_cache;
use super::http_client::{self, HttpClient};
use super::lists::{headers, query_strings};
use super::martian::martian;
use super::method::backend_method;
use super::namespaces::Namespaces;
use super::proxy::{BackendProxy, Role};
use super::shape::decoding;
use super::url_pattern::url_pattern;

/// Reads the entry. Without a valid endpoint path, placeholders cannot be checked, all else is.
pub(super) fn backend(
    cx: &mut Context<'_>,
    node: &Node,
    endpoint: Option<(&EndpointPath, &Node)>,
    service: &Service<'_>,
) -> Option<(Backend, Role)> {
    let object = Object::open(cx, node, Level::Backend)?;
    let discovery = discovery::discovery(cx, &object);
    let hosts = upstreams(cx, &object, service, discovery);
    object.boolean(cx, "disable_host_sanitize");
    let url_pattern = endpoint.and_then(|endpoint| url_pattern(cx, object.get("url_pattern"), endpoint));
    let method = backend_method(cx, object.get("method"));
    let timeout = object.duration(cx, "timeout");
    let input_headers = headers(cx, object.get("input_headers"));
    let input_query_strings = query_strings(cx, object.get("input_query_strings"));
    let namespaces = Namespaces::open(cx, object.get("extra_config"), Level::Backend);
    let token = token_policy(cx, namespaces.get("auth/client-credentials"), &service.credentials);
    let conditions = conditions(cx, namespaces.get("validation/cel"));
    let http_cache = http_cache(cx, namespaces.get("qos/http-cache"));
    let martian = namespaces.get("modifier/martian").map(|node| martian(cx, node, endpoint, token.as_ref()));
    let martian = martian.flatten();
    warn_without_token(cx, &namespaces, martian.as_ref().is_some_and(Martian::redirects) && token.is_some());
    check_bound(cx, &namespaces, token.as_ref(), hosts.as_deref());
    discovery::check_proofs(cx, &object, discovery, token.as_ref());
    let proxy = BackendProxy::read(cx, namespaces.get("proxy"));
    let decoding = decoding(cx, &object, proxy.flatmap);
    let errors = error_status(cx, namespaces.get("backend/http"));
    let client = namespaces.get("backend/http/client");
    let HttpClient { transport, no_redirect } =
        http_client::of_backend(cx, client, &service.transport, hosts.as_deref());
    let balance = balance(cx, namespaces.get("balance"));
    let circuit_breaker = circuit_breaker(cx, &namespaces);
    let backend = Backend {
        hosts: hosts?,
        discovery,
        balance,
        circuit_breaker,
        url_pattern: url_pattern?,
        method,
        timeout,
        transport,
        no_redirect,
        input_headers: second_list(input_headers),
        input_query_strings: second_list(input_query_strings),
        token,
        decoding,
        errors,
        http_cache,
        conditions,
        martian,
    };
    Some((backend, proxy.role))
}

/// KrakenD sends the token along to whatever host a modifier names.
fn warn_without_token(cx: &mut Context<'_>, namespaces: &Namespaces<'_>, is_so: bool) {
    if let Some(node) = namespaces.get("modifier/martian").filter(|_| is_so) {
        let message =
            "where a modifier sends a request to another host or port, or by another scheme, it carries no token";
        cx.warning(node, code::TOKEN_STAYS, message, "a token is for the hosts in `host`: put that host there");
    }
}

/// A certificate is shown in a TLS handshake, or not at all (RFC 8705 §3).
fn check_bound(cx: &mut Context<'_>, namespaces: &Namespaces<'_>, token: Option<&TokenPolicy>, hosts: Option<&[Host]>) {
    let bound = token.is_some_and(|token| token.credential.certificate_bound);
    if let (true, Some(hosts), Some(node)) = (bound, hosts, namespaces.get("auth/client-credentials"))
        && hosts.iter().any(|host| !host.https)
    {
        let message = "`certificate_bound` contradicts a host without TLS, which cannot see the certificate";
        cx.error(node, code::CONTRADICTION, message, "use `https` hosts");
    }
}

/// An empty list below the endpoint's filters nothing in KrakenD.
fn second_list<T>(list: AllowList<T>) -> Option<AllowList<T>> {
    match list {
        AllowList::Only(names) if names.is_empty() => None,
        list => Some(list),
    }
}

fn upstreams(
    cx: &mut Context<'_>,
    object: &Object<'_>,
    service: &Service<'_>,
    discovery: Discovery,
) -> Option<Vec<Host>> {
    const HELP: &str = "add `\"host\": [\"http://name:port\"]` here or at the root";
    let https = discovery::scheme(cx, object, discovery);
    if let Some(node) = object.get("host") {
        let written = cx.strings(node)?.len();
        if written > 0 {
            let hosts = match discovery {
                Discovery::Static => hosts(cx, node),
                Discovery::Dns => discovery::services(cx, node, https),
            };
            return (hosts.len() == written).then_some(hosts);
        }
    }
    match &service.hosts {
        Some(hosts) if !hosts.is_empty() => match discovery {
            Discovery::Static => Some(hosts.clone()),
            Discovery::Dns => discovery::inherited(cx, object, hosts, https),
        },
        // Nothing valid in the root's list: that was reported there.
        Some(_) => None,
        None => {
            let message = "a backend has no `host`, and the service has none either";
            cx.diagnostics.push(Diagnostic::error(code::MISSING, Some(object.head.clone()), message).help(HELP));
            None
        }
    }
}
