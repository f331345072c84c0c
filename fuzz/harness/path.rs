//! Request targets: the same bytes always lead to the same endpoint, what was matched is what goes on, and no way of reading
//! a path once more leads out of the endpoint that it was matched for.
//!
//! Input: a request target as it stands in the request line.

use super::compiled;
use http::{HeaderMap, HeaderValue, Method, Version, header};
use pingora::http::RequestHeader;
use porteur::forward::RequestView;
use porteur::forward::ingress::{Ingress, cleaned_target, ingress};
use porteur::forward::path::{PathForm, form};
use porteur::snapshot::Snapshot;
use porteur::snapshot::endpoint::EndpointPlan;
use porteur::snapshot::router::clean;
use porteur::snapshot::target::TargetBuffer;
use std::borrow::Cow;
use std::sync::LazyLock;

/// Each backend is asked for the very path, so that a target that changes on its way is seen.
const PATHS: [&str; 9] =
    ["/", "/a/b", "/a/{x}", "/a/{x}/c/{y}", "/t/*", "/deep/er/*", "/Users/{Id}/Posts", "/dir/", "/é/x"];

fn snapshot(cleaning: bool) -> Snapshot {
    let endpoints = PATHS.map(|path| {
        serde_json::json!({
            "endpoint": path, "method": "*", "input_query_strings": ["*"],
            "backend": [{ "host": ["http://127.0.0.1:9"], "url_pattern": path }],
        })
    });
    let model = compiled::model(
        &serde_json::json!({
            "version": 3, "output_encoding": "no-op", "endpoints": endpoints,
            "extra_config": { "router": { "remove_extra_slash": cleaning } },
        })
        .to_string(),
    );
    compiled::snapshot(&model.unwrap_or_else(|report| panic!("{report}")))
}

pub fn check(target: &[u8]) {
    static GATEWAYS: LazyLock<[Snapshot; 3]> = LazyLock::new(|| [snapshot(false), snapshot(false), snapshot(true)]);
    let [one, same, cleaning] = &*GATEWAYS;
    for method in ["GET", "HEAD", "OPTIONS", "PURGE"] {
        // What cannot be built, Pingora answers with 400.
        let Ok(mut request) = RequestHeader::build(method, target, None) else { return };
        request.set_version(Version::HTTP_11);
        let found = routed(one, &request);
        assert_eq!(routed(same, &request), found, "two gateways with one configuration");
        if let Some(location) = found.strip_prefix("redirect ") {
            follow(one, location);
        }
        if let Some(cleaned) = cleaned_target(cleaning, &view(&request, &hosted())) {
            assert!(request.set_raw_path(cleaned.as_bytes()).is_ok(), "{cleaned} is a target");
            let again = cleaned_target(cleaning, &view(&request, &hosted()));
            assert!(again.is_none_or(|again| again == cleaned), "{cleaned} is clean");
            routed(cleaning, &request);
        }
    }
    if let Ok(path) = std::str::from_utf8(target) {
        cleaning_is_done_once(path);
    }
}

/// Where a request goes, in words.
fn routed(snapshot: &Snapshot, request: &RequestHeader) -> String {
    let headers = hosted();
    let view = view(request, &headers);
    match ingress(snapshot, &view) {
        Ingress::Endpoint(EndpointPlan::Stream(plan), params) => {
            assert_eq!(form(view.path), PathForm::Plain, "{} is routed", view.path);
            let mut target = TargetBuffer::new();
            plan.backend.target.write(view.path, &params, view.query, &mut target);
            let whole = view.query.filter(|query| !query.is_empty());
            let whole = whole.map_or_else(|| Cow::from(view.path), |query| format!("{}?{query}", view.path).into());
            assert_eq!(String::from_utf8_lossy(&target), whole, "by {}", plan.common.name);
            stays_within(&plan.common.name, view.path);
            format!("{} {params:?}", plan.common.name)
        }
        Ingress::Endpoint(EndpointPlan::Compose(_), _) => unreachable!("bytes pass as they come"),
        Ingress::Redirect { location, .. } => format!("redirect {}", location.to_str().expect("visible ASCII")),
        other => format!("{other:?}"),
    }
}

fn hosted() -> HeaderMap {
    HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("porteur.test"))])
}

fn view<'a>(request: &'a RequestHeader, headers: &'a HeaderMap) -> RequestView<'a> {
    RequestView {
        method: &request.method,
        raw_target: request.raw_path(),
        path: request.uri.path(),
        query: request.uri.query(),
        headers,
        version: request.version,
        client: None,
        secure: false,
        proxy: None,
    }
}

/// A redirect names no other host and does not lead to another redirect.
fn follow(snapshot: &Snapshot, location: &str) {
    assert!(location.starts_with('/') && !location.starts_with("//"), "{location}");
    let request = RequestHeader::build(Method::GET, location.as_bytes(), None).expect("a target");
    let found = routed(snapshot, &request);
    assert!(!found.starts_with("redirect "), "{location} leads on: {found}");
}

/// Reads a path as upstreams may: decoded so many times, `\` for `/`, `;` or an escaped `?` or `#` as the end of a segment.
/// In each reading it stays below what the endpoint fixes.
fn stays_within(endpoint: &str, path: &str) {
    let fixed: Vec<&[u8]> = literal_segments(endpoint);
    let mut decoded = path.as_bytes().to_vec();
    for times in 0..3 {
        for separators in [&b"/"[..], b"/\\"] {
            for enders in [&b""[..], b";", b"?#", b";?#"] {
                let resolved = resolve(&decoded, separators, enders);
                let is_below = resolved.iter().map(Vec::as_slice).take(fixed.len()).eq(fixed.iter().copied());
                assert!(
                    is_below,
                    "{path}, decoded {times} times and split at {separators:?} and {enders:?}, leaves {endpoint}"
                );
            }
        }
        decoded = percent_encoding::percent_decode(&decoded).collect();
    }
}

/// The segments before the first placeholder or wildcard, if they hold nothing that decoding changes.
fn literal_segments(endpoint: &str) -> Vec<&[u8]> {
    let fixed = endpoint.split('/').skip(1).take_while(|segment| !segment.contains(['{', '*']) && segment.is_ascii());
    fixed.filter(|segment| !segment.is_empty()).map(str::as_bytes).collect()
}

fn resolve(path: &[u8], separators: &[u8], enders: &[u8]) -> Vec<Vec<u8>> {
    let mut segments: Vec<Vec<u8>> = Vec::new();
    for segment in path.split(|byte| separators.contains(byte)) {
        match segment.split(|byte| enders.contains(byte)).next().unwrap_or(segment) {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            name => segments.push(name.to_vec()),
        }
    }
    segments
}

fn cleaning_is_done_once(path: &str) {
    let cleaned = clean(path);
    assert_eq!(clean(&cleaned), cleaned, "of {path}");
    assert!(cleaned.starts_with('/') && !cleaned.contains("//"), "{path} became {cleaned}");
    assert!(!cleaned.split('/').any(|segment| matches!(segment, "." | "..")), "{path} became {cleaned}");
    assert_ne!(form(&cleaned), PathForm::Dotted, "{path} became {cleaned}");
}
