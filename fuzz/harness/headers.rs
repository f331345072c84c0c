//! Headers on their way up and down: nothing that is for one hop gets to the next, nothing that a client brings can take
//! the token's place, and what is written on the wire is one line for each header.
//!
//! Input: a byte that chooses the endpoint, then header lines.

use super::compiled::{self, TOKEN};
use http::{HeaderName, HeaderValue, Method, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use porteur::forward::{RequestView, connection, egress, response};
use porteur::snapshot::Snapshot;
use porteur::snapshot::backend::BackendPlan;
use porteur::snapshot::endpoint::EndpointPlan;
use porteur::snapshot::target::Params;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;
use std::time::Instant;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const HOP_BY_HOP: [&str; 7] =
    ["keep-alive", "proxy-connection", "proxy-authenticate", "te", "trailer", "upgrade", "proxy-authorization"];
/// What porteur and the framing of a message put beside the headers that an endpoint lists.
const OURS: [&str; 11] = [
    "host",
    "via",
    "user-agent",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "authorization",
    "x-api-token",
    "content-length",
    "transfer-encoding",
    "expect",
];

fn snapshot() -> Snapshot {
    let endpoint = |path: &str, input_headers: &[&str], more: &str| {
        let mut credential = serde_json::json!({
            "client_id": "c", "client_secret": "s", "token_url": "https://login.test/token",
        });
        if !more.is_empty() {
            credential["header"] = more.into();
        }
        serde_json::json!({
            "endpoint": path, "input_headers": input_headers,
            "backend": [{
                "host": ["http://127.0.0.1:9"], "url_pattern": "/x",
                "extra_config": { "auth/client-credentials": credential },
            }],
        })
    };
    let endpoints = [
        endpoint("/every", &["*"], ""),
        endpoint("/listed", &["X-One", "Accept", "Authorization"], ""),
        endpoint("/own", &["*"], "X-Api-Token"),
        endpoint("/own-listed", &["X-Api-Token", "X_Api_Token", "X-One"], "X-Api-Token"),
    ];
    let text = serde_json::json!({ "version": 3, "output_encoding": "no-op", "endpoints": endpoints }).to_string();
    compiled::snapshot(&compiled::model(&text).unwrap_or_else(|report| panic!("{report}")))
}

pub fn check(input: &[u8]) {
    static GATEWAY: LazyLock<Snapshot> = LazyLock::new(snapshot);
    let Some((choice, lines)) = input.split_first() else { return };
    let endpoints = &GATEWAY.endpoints;
    let Some(EndpointPlan::Stream(plan)) = endpoints.get(usize::from(*choice) % endpoints.len()) else { return };
    let headers: Vec<_> = lines.split(|byte| *byte == b'\n').filter_map(header).collect();
    request(&plan.backend, &headers);
    answer(&headers);
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (HeaderName::from_bytes(&line[..colon]).ok()?, line[colon + 1..].trim_ascii());
    Some((name, HeaderValue::from_bytes(value).ok()?))
}

fn request(plan: &BackendPlan, headers: &[(HeaderName, HeaderValue)]) {
    let mut client = RequestHeader::build(Method::GET, b"/x?q=1", None).expect("a request");
    for (name, value) in headers {
        client.append_header(name.clone(), value.clone()).expect("a header");
    }
    let mut sent = client.clone();
    connection::strip_request(&mut sent);
    if !connection::has_hop_by_hop(&client.headers) {
        assert_eq!(sent.headers, client.headers, "there was nothing to take out");
    }
    stays_on_its_hop(&client.headers, &sent.headers, &["connection", "transfer-encoding"]);

    let view = RequestView {
        method: &client.method,
        raw_target: client.raw_path(),
        path: client.uri.path(),
        query: client.uri.query(),
        headers: &client.headers,
        version: Version::HTTP_11,
        client: Some(CLIENT),
        secure: false,
        proxy: None,
    };
    let authority = HeaderValue::from_static("up.test");
    egress::rewrite(plan, &Params::default(), &authority, &view, &mut sent).expect("a target");
    let token = plan.token.as_ref().expect("a token");
    let own = token.header.as_str();
    for name in sent.headers.keys() {
        let read = name.as_str().replace('_', "-");
        assert!(name != "authorization" && read != own, "a client brought {name}");
    }
    assert_eq!(egress::carry(token, None, 0, Instant::now(), &mut sent), Ok(egress::Carried::Token(1)));
    let only = |name: &str| {
        let values: Vec<_> = sent.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(values.len(), 1, "{name}: {values:?}");
        values[0].to_vec()
    };
    assert!(only(own).ends_with(TOKEN.as_bytes()));
    assert_eq!((only("host"), only("x-forwarded-for")), (b"up.test".to_vec(), CLIENT.to_string().into_bytes()));
    if let porteur::config::model::AllowList::Only(names) = &plan.headers {
        let is_expected = |name: &HeaderName| names.contains(name) || OURS.contains(&name.as_str());
        assert!(sent.headers.keys().all(is_expected), "{:?}", sent.headers);
    }
    let mut wire = Vec::new();
    sent.header_to_h1_wire(&mut wire);
    is_one_line_each(&wire, sent.headers.len());
}

fn answer(headers: &[(HeaderName, HeaderValue)]) {
    let mut upstream = ResponseHeader::build(200, None).expect("an answer");
    for (name, value) in headers {
        upstream.append_header(name.clone(), value.clone()).expect("a header");
    }
    let mut sent = upstream.clone();
    response::reduce(&mut sent);
    // Credentials for a proxy are no header of an answer.
    let hop_by_hop = &HOP_BY_HOP[..6];
    for name in hop_by_hop {
        assert!(!sent.headers.contains_key(*name), "{name} goes on");
    }
    for name in nominated(&upstream.headers) {
        assert!(!sent.headers.contains_key(name.as_str()), "{name} was for one hop");
    }
    let mut again = sent.clone();
    response::reduce(&mut again);
    assert_eq!(again.headers, sent.headers, "once is enough");
    let mut wire = Vec::new();
    sent.header_to_h1_wire(&mut wire);
    is_one_line_each(&wire, sent.headers.len());
}

fn stays_on_its_hop(before: &http::HeaderMap, after: &http::HeaderMap, more: &[&str]) {
    for name in HOP_BY_HOP.iter().chain(more) {
        assert!(!after.contains_key(*name), "{name} goes on");
    }
    for name in nominated(before) {
        assert!(!after.contains_key(name.as_str()), "{name} was for one hop");
    }
}

/// What `Connection` names, but for what is not its to name: framing.
fn nominated(headers: &http::HeaderMap) -> Vec<String> {
    let values = headers.get_all("connection").iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let names = values.flat_map(|value| {
        value.split(',').map(|name| name.trim_matches([' ', '\t']).to_ascii_lowercase()).collect::<Vec<_>>()
    });
    let is_name = |name: &String| {
        !["content-length", "transfer-encoding", "connection"].contains(&name.as_str())
            && HeaderName::from_bytes(name.as_bytes()).is_ok()
    };
    names.filter(is_name).collect()
}

fn is_one_line_each(wire: &[u8], headers: usize) {
    let lines: Vec<_> = wire.split(|byte| *byte == b'\n').collect();
    assert_eq!(lines.len(), headers + 1, "{}", String::from_utf8_lossy(wire));
    let is_line = |line: &&[u8]| line.is_empty() || (line.ends_with(b"\r") && line.contains(&b':'));
    assert!(lines.iter().all(is_line), "{}", String::from_utf8_lossy(wire));
    assert!(!wire.contains(&0), "{}", String::from_utf8_lossy(wire));
}
