//! `url_pattern`: whatever stands in a client's path, its query or an earlier answer, the target that is made of it is one,
//! with as many segments and parameters as the pattern and the allow-list say.
//!
//! Input, a line each: the endpoint's path, the pattern, the client's target, the allowed query parameters with commas
//! between them; all that follows is the value of each earlier answer.

use super::compiled;
use http::uri::PathAndQuery;
use porteur::config::model::{AllowList, Endpoint, Piece, UrlPattern};
use porteur::forward::path::{PathForm, form};
use porteur::snapshot::router::Router;
use porteur::snapshot::target::{Params, TargetBuffer, TargetPlan, text};
use serde_json::json;

pub fn check(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let mut lines = input.splitn(5, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (endpoint, pattern, target, allowed, earlier) = (line(), line(), line(), line(), line());
    let Ok(target) = PathAndQuery::try_from(target) else { return };
    // What `forward::ingress` asks of a target before it looks for its endpoint.
    if !target.as_str().bytes().all(|byte| byte.is_ascii_graphic()) || form(target.path()) != PathForm::Plain {
        return;
    }
    let allowed = match allowed {
        "*" => AllowList::All,
        names => AllowList::Only(names.split(',').map(str::to_owned).collect()),
    };
    for sequential in [false, true] {
        let other = json!({ "host": ["http://127.0.0.1:9"], "url_pattern": "/first" });
        let backend = json!({ "host": ["http://127.0.0.1:9"], "url_pattern": pattern });
        let backends = if sequential { vec![other, backend] } else { vec![backend] };
        let configuration = json!({
            "version": 3, "output_encoding": if sequential { "json" } else { "no-op" },
            "endpoints": [{
                "endpoint": endpoint, "backend": backends, "extra_config": { "proxy": { "sequential": sequential } },
            }],
        });
        let Ok(model) = compiled::model(&configuration.to_string()) else { continue };
        let router = Router::compile(&model).expect("one endpoint has no conflict");
        let path = target.path();
        let found = router.find(&http::Method::GET, path).or_else(|| router.catchall(&http::Method::GET, path));
        let (Some(found), [endpoint]) = (found, model.endpoints.as_slice()) else { continue };
        let params = Params { earlier: vec![Some(earlier.to_owned()); 8], ..found.params };
        written(endpoint, &target, params, allowed.clone());
    }
}

fn written(endpoint: &Endpoint, client: &PathAndQuery, params: Params, allowed: AllowList<String>) {
    let pattern = &endpoint.answer.backends().last().expect("a backend").url_pattern;
    let mut buffer = TargetBuffer::new();
    TargetPlan::compile(pattern, allowed.clone()).write(client.path(), &params, client.query(), &mut buffer);
    let target = String::from_utf8(buffer.to_vec()).expect("ASCII");
    assert!(target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic()), "{target:?}");
    assert!(!target.contains('#'), "{target:?}");
    let parsed = PathAndQuery::try_from(target.as_str()).expect("a target");
    let (path, query) = target.split_once('?').map_or((target.as_str(), None), |(path, query)| (path, Some(query)));
    assert_eq!((parsed.path(), parsed.query()), (path, query), "{target:?}");

    let tail = params.tail.filter(|_| pattern.tail).map_or("", |tail| text(client.path(), tail));
    assert_eq!(count(path, '/'), in_literals(&pattern.path, '/') + count(tail, '/'), "segments of {target:?}");
    let parameters = query.map_or(0, |query| query.split('&').count());
    assert_eq!(parameters, expected(pattern, client.query(), &allowed), "parameters of {target:?}");
    let has_earlier = pattern.path.iter().any(|piece| matches!(piece, Piece::Earlier(_)));
    // Where values of earlier answers are, `compose::prepare` looks at the path once more.
    if !has_earlier && !climbs_by_itself(&pattern.path) {
        assert_ne!(form(path), PathForm::Dotted, "{target:?} of {:?}", pattern.text);
    }
}

/// Whether a pattern has dots of its own beside a placeholder or a separator: then they are the configuration's wish.
fn climbs_by_itself(pieces: &[Piece]) -> bool {
    pieces.iter().any(|piece| matches!(piece, Piece::Literal(literal) if literal.contains('.')))
}

fn expected(pattern: &UrlPattern, query: Option<&str>, allowed: &AllowList<String>) -> usize {
    let fixed = if pattern.query.is_empty() { 0 } else { in_literals(&pattern.query, '&') + 1 };
    let pairs = query.filter(|query| !query.is_empty()).into_iter().flat_map(|query| query.split('&'));
    let is_allowed = |pair: &&str| match allowed {
        AllowList::All => true,
        AllowList::Only(names) => names.iter().any(|name| decoded_name(pair) == *name),
    };
    fixed + pairs.filter(is_allowed).count()
}

fn decoded_name(pair: &str) -> String {
    let raw = pair.split('=').next().unwrap_or_default().replace('+', " ");
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(&raw).collect();
    // A name that is no text is none of the list.
    String::from_utf8(bytes).unwrap_or_else(|_| "\u{fffd}\u{fffd}".to_owned())
}

fn count(text: &str, of: char) -> usize {
    text.matches(of).count()
}

fn in_literals(pieces: &[Piece], of: char) -> usize {
    pieces.iter().map(|piece| if let Piece::Literal(literal) = piece { count(literal, of) } else { 0 }).sum()
}
