//! `security/http` and the service's bot detector: who gets no further, and which headers every answer has.
//!
//! The health endpoint is open to all, as in KrakenD: whoever probes it knows an address, not a name.

use crate::base::Failure;
use crate::config::model::{AllowedHosts, Security};
use crate::forward::RequestView;
use crate::forward::ingress::Ingress;
use crate::snapshot::Snapshot;
use http::{HeaderName, HeaderValue, StatusCode};
use pingora::http::ResponseHeader;

/// The answer in place of all others, if the request gets no further.
#[must_use]
pub fn refusal(snapshot: &Snapshot, request: &RequestView<'_>) -> Option<Ingress> {
    let by_name = snapshot.security.as_ref().and_then(|security| check(security, request));
    let is_bot = || snapshot.bots.as_ref().is_some_and(|bots| bots.is_bot(request.headers));
    by_name.or_else(|| is_bot().then_some(Ingress::Failure(Failure::Forbidden)))
}

fn check(security: &Security, request: &RequestView<'_>) -> Option<Ingress> {
    let host = host(security, request);
    if !is_allowed(&security.hosts, host) {
        return Some(Ingress::Failure(Failure::Forbidden));
    }
    if !security.ssl_redirect || came_by_tls(security, request) {
        return None;
    }
    let redirect = |location| Ingress::Redirect { status: StatusCode::MOVED_PERMANENTLY, location };
    Some(location(security, host, request).map_or(Ingress::Failure(Failure::BadRequest), redirect))
}

/// The host a request is judged by.
fn host<'r>(security: &Security, request: &'r RequestView<'_>) -> &'r [u8] {
    let claimed =
        security.host_headers.iter().find_map(|name| request.headers.get(name).filter(|host| !host.is_empty()));
    claimed.or_else(|| request.host()).map(HeaderValue::as_bytes).unwrap_or_default()
}

fn is_allowed(hosts: &AllowedHosts, host: &[u8]) -> bool {
    match hosts {
        AllowedHosts::Any => true,
        AllowedHosts::Names(names) => names.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(host)),
        AllowedHosts::Patterns(patterns) => patterns.is_match(host),
    }
}

/// Whether the connection is TLS, or a proxy in front says that its is. A client that says it itself only keeps itself from the redirect.
fn came_by_tls(security: &Security, request: &RequestView<'_>) -> bool {
    let says_so = |(name, value): &(HeaderName, HeaderValue)| request.headers.get(name) == Some(value);
    request.secure || security.ssl_proxy_headers.iter().any(says_so)
}

/// Nothing if the host is none: it could turn the rest into something else.
fn location(security: &Security, host: &[u8], request: &RequestView<'_>) -> Option<HeaderValue> {
    let host = security.ssl_host.as_deref().map_or(host, str::as_bytes);
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(byte);
    if host.is_empty() || !host.iter().all(fits) {
        return None;
    }
    let mut location = [b"https://", host, request.path.as_bytes()].concat();
    if let Some(query) = request.query {
        location.push(b'?');
        location.extend_from_slice(query.as_bytes());
    }
    HeaderValue::from_bytes(&location).ok()
}

/// Puts the headers that the configuration asks for into an answer, in place of an upstream's.
///
/// # Errors
/// If they cannot stand there, which the checks of the configuration exclude.
pub fn dress(security: &Security, request: &RequestView<'_>, response: &mut ResponseHeader) -> pingora::Result<()> {
    let by_tls = !security.ssl_headers.is_empty() && came_by_tls(security, request);
    let more = if by_tls { security.ssl_headers.as_slice() } else { &[] };
    for (name, value) in security.headers.iter().chain(more) {
        response.insert_header(*name, value.clone())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, Method, Version, header};
    use regex::bytes::RegexSet;

    fn security(hosts: AllowedHosts) -> Security {
        Security {
            hosts,
            host_headers: vec![],
            ssl_redirect: false,
            ssl_host: None,
            ssl_proxy_headers: vec![(HeaderName::from_static("x-proto"), HeaderValue::from_static("https"))],
            headers: vec![],
            ssl_headers: vec![("Strict-Transport-Security", HeaderValue::from_static("max-age=1"))],
        }
    }

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn view(headers: &HeaderMap, secure: bool) -> RequestView<'_> {
        RequestView {
            method: &Method::GET,
            raw_target: b"/a?b=1",
            path: "/a",
            query: Some("b=1"),
            headers,
            version: Version::HTTP_11,
            client: None,
            secure,
            proxy: None,
        }
    }

    fn checked(security: &Security, headers: &HeaderMap) -> Option<Ingress> {
        check(security, &view(headers, false))
    }

    #[test]
    fn hosts_are_compared_whole_with_their_port_and_without_regard_to_case() {
        let names = security(AllowedHosts::Names(vec!["api.test".into(), "b.test:8080".into()]));
        for (host, allowed) in [
            ("api.test", true),
            ("API.test", true),
            ("api.test:80", false),
            ("b.test:8080", true),
            ("xapi.test", false),
        ] {
            assert_eq!(checked(&names, &headers(&[("host", host)])).is_none(), allowed, "{host}");
        }
        assert!(checked(&names, &HeaderMap::new()).is_some());
        let patterns = security(AllowedHosts::Patterns(RegexSet::new(["^(?:a|b)$"]).expect("a pattern")));
        for (host, allowed) in [("a", true), ("b", true), ("ab", false), ("", false)] {
            assert_eq!(checked(&patterns, &headers(&[("host", host)])).is_none(), allowed, "{host}");
        }
    }

    #[test]
    fn a_listed_header_stands_for_host() {
        let mut names = security(AllowedHosts::Names(vec!["api.test".into()]));
        names.host_headers = vec![HeaderName::from_static("x-host"), HeaderName::from_static("x-other")];
        assert!(checked(&names, &headers(&[("host", "inner"), ("x-other", "api.test")])).is_none());
        assert!(checked(&names, &headers(&[("host", "api.test"), ("x-host", "evil")])).is_some());
        assert!(checked(&names, &headers(&[("host", "api.test"), ("x-host", "")])).is_none());
    }

    #[test]
    fn without_tls_a_request_is_sent_to_the_same_place_by_https() {
        let mut names = security(AllowedHosts::Any);
        names.ssl_redirect = true;
        let location = |security: &Security, list| match checked(security, &headers(list)) {
            Some(Ingress::Redirect { location, .. }) => location.to_str().expect("text").to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(location(&names, &[("host", "api.test")]), "https://api.test/a?b=1");
        assert_eq!(location(&names, &[("host", "api.test"), ("x-proto", "http")]), "https://api.test/a?b=1");
        assert_eq!(location(&names, &[("host", "api.test"), ("x-proto", "https")]), "None");
        assert!(location(&names, &[("host", "evil.test/x?")]).contains("BadRequest"));
        let by_tls = headers(&[("host", "api.test")]);
        assert!(check(&names, &view(&by_tls, true)).is_none());
        names.ssl_host = Some("secure.test:8443".into());
        assert_eq!(location(&names, &[("host", "api.test")]), "https://secure.test:8443/a?b=1");
    }

    #[test]
    fn strict_transport_security_is_for_answers_by_tls() {
        let security = security(AllowedHosts::Any);
        for (list, secure, expected) in
            [(vec![("x-proto", "https")], false, true), (vec![], false, false), (vec![], true, true)]
        {
            let mut response = ResponseHeader::build(200, None).expect("a response");
            dress(&security, &view(&headers(&list), secure), &mut response).expect("headers");
            assert_eq!(response.headers.contains_key(header::STRICT_TRANSPORT_SECURITY), expected);
        }
    }
}
