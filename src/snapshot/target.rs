//! The upstream request target: a compiled `url_pattern` with the query parameters that may go on.
//!
//! Values from the client's path go out as they came in, percent-encoded; in the query they are encoded further, so that
//! no value can add a parameter or a path segment of its own. (KrakenD substitutes the decoded value.)

use crate::config::model::{AllowList, Piece, UrlPattern};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use smallvec::SmallVec;
use std::borrow::Cow;

/// A byte range of the request's path.
pub type PathRange = (u32, u32);

/// The parts of a path that an endpoint's placeholders matched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params {
    /// The placeholders' values, in the order of the endpoint's path.
    pub values: SmallVec<[PathRange; 6]>,
    /// What `/*` or `/__catchall` matched, without a leading slash.
    pub tail: Option<PathRange>,
    /// Values of earlier answers, as far as they are known: only endpoints that ask one backend after the other have any.
    pub earlier: Vec<Option<String>>,
}

/// The text of a range; empty if it is none of this path, which does not occur.
#[must_use]
pub fn text(path: &str, range: PathRange) -> &str {
    path.get(range.0 as usize..range.1 as usize).unwrap_or_default()
}

/// Targets up to this length are formed without allocation.
pub type TargetBuffer = SmallVec<[u8; 512]>;

/// How the target of a backend's requests is formed.
#[derive(Debug)]
pub struct TargetPlan {
    path: Box<[Piece]>,
    tail: bool,
    fixed_query: Box<[Piece]>,
    query: AllowList<String>,
}

impl TargetPlan {
    /// Compiles a pattern; `query` is what both the endpoint and the backend let through.
    #[must_use]
    pub fn compile(pattern: &UrlPattern, query: AllowList<String>) -> Self {
        Self { path: pattern.path.clone().into(), tail: pattern.tail, fixed_query: pattern.query.clone().into(), query }
    }

    /// Whether it needs a value of an earlier answer that is not there.
    #[must_use]
    pub fn lacks(&self, params: &Params) -> bool {
        let is_missing = |piece: &Piece| matches!(piece, Piece::Earlier(index) if earlier(params, *index).is_none());
        self.path.iter().chain(&self.fixed_query).any(is_missing)
    }

    /// Appends the target for a request to `target`.
    pub fn write(&self, path: &str, params: &Params, query: Option<&str>, target: &mut TargetBuffer) {
        for piece in &self.path {
            match piece {
                Piece::Literal(literal) => target.extend_from_slice(literal.as_bytes()),
                Piece::Param(index) => target.extend_from_slice(value(path, params, *index).as_bytes()),
                Piece::Earlier(index) => extend_earlier(target, params, *index),
            }
        }
        if let (true, Some(tail)) = (self.tail, params.tail) {
            target.extend_from_slice(text(path, tail).as_bytes());
        }
        let mut separator = b'?';
        if !self.fixed_query.is_empty() {
            target.push(separator);
            separator = b'&';
            for piece in &self.fixed_query {
                match piece {
                    Piece::Literal(literal) => target.extend_from_slice(literal.as_bytes()),
                    Piece::Param(index) => extend_query_value(target, value(path, params, *index)),
                    Piece::Earlier(index) => extend_earlier(target, params, *index),
                }
            }
        }
        let Some(query) = query.filter(|query| !query.is_empty()) else { return };
        match &self.query {
            // Untouched: order and encoding may be signed.
            AllowList::All => {
                target.push(separator);
                target.extend_from_slice(query.as_bytes());
            }
            AllowList::Only(names) if !names.is_empty() => {
                for pair in allowed_pairs(query, names) {
                    target.push(separator);
                    separator = b'&';
                    target.extend_from_slice(pair.as_bytes());
                }
            }
            AllowList::Only(_) => {}
        }
    }
}

/// What of a query is allowed, as a target would have it.
#[must_use]
pub fn allowed_query<'q>(query: &'q str, allowed: &AllowList<String>) -> Cow<'q, str> {
    match allowed {
        AllowList::All => query.into(),
        AllowList::Only(names) => allowed_pairs(query, names).join("&").into(),
    }
}

fn value<'a>(path: &'a str, params: &Params, index: usize) -> &'a str {
    params.values.get(index).map_or("", |range| text(path, *range))
}

/// The parameters whose names are allowed, sorted by name as KrakenD sends them, each as the client wrote it.
fn allowed_pairs<'a>(query: &'a str, names: &[String]) -> SmallVec<[&'a str; 8]> {
    let mut pairs: SmallVec<[&str; 8]> =
        query.split('&').filter(|pair| names.iter().any(|name| is_named(name_of(pair), name))).collect();
    pairs.sort_by(|a, b| name_of(a).cmp(name_of(b)));
    pairs
}

fn name_of(pair: &str) -> &str {
    pair.split('=').next().unwrap_or(pair)
}

/// Compares a raw parameter name with a configured one: `%66oo` is `foo`, and so is neither hidden nor let through.
fn is_named(raw: &str, name: &str) -> bool {
    if !raw.contains(['%', '+']) {
        return raw == name;
    }
    let mut decoded = raw.split('+').enumerate().flat_map(|(index, part)| {
        let blank = (index > 0).then_some(b' ');
        blank.into_iter().chain(percent_decode_str(part))
    });
    name.bytes().all(|byte| decoded.next() == Some(byte)) && decoded.next().is_none()
}

fn earlier(params: &Params, index: usize) -> Option<&str> {
    params.earlier.get(index)?.as_deref()
}

/// A value of an earlier answer may hold anything: it stays within one segment or one parameter. As a segment of its own it
/// might still climb: `.` and `..` are what they are, encoded or not.
fn extend_earlier(target: &mut TargetBuffer, params: &Params, index: usize) {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b',');
    for piece in percent_encode(earlier(params, index).unwrap_or_default().as_bytes(), KEPT) {
        target.extend_from_slice(piece.as_bytes());
    }
}

/// A path value in a query: what is percent-encoded stays so, and what means something in a query is encoded.
fn extend_query_value(target: &mut TargetBuffer, value: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%' | b'/' | b':' | b'@' | b',')
        {
            target.push(byte);
        } else {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
            target.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lit(text: &str) -> Piece {
        Piece::Literal(text.into())
    }

    fn plan(path: Vec<Piece>, tail: bool, fixed: Vec<Piece>, query: AllowList<String>) -> TargetPlan {
        TargetPlan::compile(&UrlPattern { text: String::new(), path, tail, query: fixed }, query)
    }

    fn only(names: &[&str]) -> AllowList<String> {
        AllowList::Only(names.iter().map(|name| (*name).into()).collect())
    }

    fn target(plan: &TargetPlan, path: &str, params: &Params, query: Option<&str>) -> String {
        let mut target = TargetBuffer::new();
        plan.write(path, params, query, &mut target);
        String::from_utf8(target.to_vec()).expect("text")
    }

    fn params(values: &[PathRange], tail: Option<PathRange>) -> Params {
        Params { values: values.iter().copied().collect(), tail, ..Params::default() }
    }

    #[test]
    fn values_keep_the_clients_encoding_in_the_path_and_cannot_add_parameters_in_the_query() {
        let plan = plan(vec![lit("/v1/"), Piece::Param(0)], false, vec![lit("id="), Piece::Param(0)], only(&[]));
        let path = "/p/x&evil=1%2F+2";
        assert_eq!(target(&plan, path, &params(&[(3, 16)], None), None), "/v1/x&evil=1%2F+2?id=x%26evil%3D1%2F%2B2");
    }

    #[test]
    fn values_of_earlier_answers_stay_within_a_segment() {
        let plan = plan(vec![lit("/u/"), Piece::Earlier(0)], false, vec![lit("q="), Piece::Earlier(1)], only(&[]));
        let mut params = Params { earlier: vec![Some("a/b?c#d é".into()), None], ..Params::default() };
        assert!(plan.lacks(&params));
        params.earlier[1] = Some("1&x=2".into());
        assert!(!plan.lacks(&params));
        assert_eq!(target(&plan, "/", &params, None), "/u/a%2Fb%3Fc%23d%20%C3%A9?q=1%26x%3D2");
    }

    #[test]
    fn the_tail_is_appended() {
        let plan = plan(vec![lit("/api/")], true, vec![], AllowList::All);
        assert_eq!(target(&plan, "/x/a/b", &params(&[], Some((3, 6))), Some("q=1&r=%20")), "/api/a/b?q=1&r=%20");
        assert_eq!(target(&plan, "/x/", &params(&[], Some((3, 3))), None), "/api/");
    }

    #[test]
    fn allowed_parameters_are_sorted_by_name_after_the_fixed_query() {
        let plan = plan(vec![lit("/a")], false, vec![lit("fixed=1")], only(&["a", "b"]));
        let query = |query| target(&plan, "/", &Params::default(), Some(query));
        assert_eq!(query("b=2&a=1&c=3"), "/a?fixed=1&a=1&b=2");
        assert_eq!(query("b=2&b=1&c"), "/a?fixed=1&b=2&b=1");
        assert_eq!(query(""), "/a?fixed=1");
    }

    #[test]
    fn nothing_allowed_means_no_query_at_all() {
        let plan = plan(vec![lit("/a")], false, vec![], only(&[]));
        assert_eq!(target(&plan, "/", &Params::default(), Some("a=1")), "/a");
    }

    #[test]
    fn names_are_compared_decoded() {
        assert!(is_named("%66oo", "foo"));
        assert!(is_named("a+b", "a b"));
        assert!(!is_named("foo%20", "foo"));
        assert!(!is_named("Foo", "foo"));
        assert!(is_named("", ""));
    }
}
