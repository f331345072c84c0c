//! `url_pattern`: path and query at the upstream, with the endpoint's placeholders.

use super::super::code;
use super::super::document::Node;
use super::super::model::{EndpointPath, PathKind, Piece, UrlPattern};
use super::super::read::{Context, Earlier, as_shown, quoted, quoted_part};
use super::super::suggest;
use super::earlier::{self, NotEarlier};
use super::path::{UNSAFE, check_escapes};
use percent_encoding::utf8_percent_encode;

/// Reads the pattern; `/` when there is none.
pub(super) fn url_pattern(
    cx: &mut Context<'_>,
    node: Option<&Node>,
    endpoint: (&EndpointPath, &Node),
) -> Option<UrlPattern> {
    let Some(node) = node else {
        return Some(UrlPattern {
            text: "/".to_owned(),
            path: vec![Piece::Literal("/".to_owned())],
            tail: false,
            query: Vec::new(),
        });
    };
    let text = cx.string(node)?;
    match parse(text, endpoint.0, &mut cx.earlier) {
        Ok(pattern) => Some(UrlPattern { text: as_shown(node), ..pattern }),
        Err(problem) => {
            report(cx, node, problem, endpoint);
            None
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Problem {
    Malformed(&'static str, &'static str),
    Undefined(String),
    NotYet(String),
    NotEarlier(String, NotEarlier),
}

fn report(cx: &mut Context<'_>, node: &Node, problem: Problem, endpoint: (&EndpointPath, &Node)) {
    let pattern = format!("the url_pattern {}", quoted(node));
    let (code, message, help) = match problem {
        Problem::Malformed(why, help) => (code::URL_PATTERN, format!("{pattern} {why}"), help.to_owned()),
        Problem::NotYet(name) => {
            let name = quoted_part(node, &format!("{{{name}}}"));
            let message = format!("{name} in a url_pattern is not built yet");
            (code::NOT_BUILT, message, "only placeholders of the endpoint's path are filled in".to_owned())
        }
        Problem::NotEarlier(name, not) => {
            let name = quoted_part(node, &format!("{{{name}}}"));
            (code::UNDEFINED_PLACEHOLDER, format!("{name} {}", not.why()), not.help().to_owned())
        }
        Problem::Undefined(name) => {
            let shown = quoted_part(node, &name);
            let message = format!("undefined output param {shown}: the endpoint does not declare it");
            (code::UNDEFINED_PLACEHOLDER, message, declared(&name, endpoint))
        }
    };
    cx.error(node, code, message, help);
}

fn declared(name: &str, (path, node): (&EndpointPath, &Node)) -> String {
    let shown = |param: &str| quoted_part(node, &format!("{{{param}}}"));
    let names: Vec<_> = path.params.iter().map(|param| shown(param)).collect();
    match suggest::closest(name, path.params.iter().map(String::as_str)) {
        Some(found) => format!("did you mean {}?", shown(found)),
        None if names.is_empty() => {
            format!("the endpoint {} declares no placeholder", quoted(node))
        }
        None => format!("the endpoint declares {}", names.join(", ")),
    }
}

fn parse(written: &str, endpoint: &EndpointPath, earlier: &mut Earlier) -> Result<UrlPattern, Problem> {
    if written.contains("://") && !written.starts_with('/') {
        let help = "put scheme and host into `host`";
        return Err(Problem::Malformed("is a whole URL", help));
    }
    let text = if written.starts_with('/') { written.to_owned() } else { format!("/{written}") };
    check_characters(&text)?;
    let (path, query) = text.split_once('?').unwrap_or((&text, ""));
    let (path, tail) = match path.strip_suffix('*') {
        Some(path) if path.ends_with('/') => (path, true),
        _ => (path, false),
    };
    if tail && endpoint.kind == PathKind::Exact {
        let help = "end the endpoint with `/*` too, or name the path";
        return Err(Problem::Malformed("ends in `/*`, but its endpoint does not", help));
    }
    if path.contains("/*/") {
        return Err(Problem::Malformed("has a wildcard in its middle", "a wildcard is a final `/*`"));
    }
    let (path, query) = (pieces(path, endpoint, earlier)?, pieces(query, endpoint, earlier)?);
    Ok(UrlPattern { text, path, tail, query })
}

fn check_characters(text: &str) -> Result<(), Problem> {
    if text.contains('#') {
        let help = "fragments never reach a server; remove it";
        return Err(Problem::Malformed("has a fragment", help));
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        let help = "write `%20` for a blank";
        return Err(Problem::Malformed("has blanks or control characters", help));
    }
    let escape = Problem::Malformed("has a `%` that is no escape", "write `%25` for a percent sign");
    check_escapes(text).map_err(|_| escape)
}

fn pieces(text: &str, endpoint: &EndpointPath, earlier: &mut Earlier) -> Result<Vec<Piece>, Problem> {
    const BRACE: Problem = Problem::Malformed("has a brace outside a placeholder", "write `%7B` and `%7D` for braces");
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once('{') {
        push_literal(&mut pieces, literal)?;
        let (name, tail) = after.split_once('}').ok_or(BRACE)?;
        pieces.push(param(name, endpoint, earlier)?);
        rest = tail;
    }
    push_literal(&mut pieces, rest)?;
    Ok(pieces)
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) -> Result<(), Problem> {
    if text.contains('}') {
        return Err(Problem::Malformed("has a brace outside a placeholder", "write `%7B` and `%7D` for braces"));
    }
    if !text.is_empty() {
        pieces.push(Piece::Literal(utf8_percent_encode(text, UNSAFE).to_string()));
    }
    Ok(())
}

fn param(name: &str, endpoint: &EndpointPath, earlier: &mut Earlier) -> Result<Piece, Problem> {
    if let Some(index) = endpoint.params.iter().position(|param| param == name) {
        return Ok(Piece::Param(index));
    }
    if let Some(index) = earlier::index(name, earlier) {
        return index.map(Piece::Earlier).map_err(|why| Problem::NotEarlier(name.to_owned(), why));
    }
    let dynamic = ["JWT.", "input_headers.", "input_query_strings."].iter().any(|prefix| name.starts_with(prefix));
    if dynamic {
        return Err(Problem::NotYet(name.to_owned()));
    }
    Err(Problem::Undefined(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(kind: PathKind) -> EndpointPath {
        EndpointPath {
            text: "/a/{id}/{x}".into(),
            route: "/a/{id}/{x}".into(),
            kind,
            params: vec!["id".into(), "x".into()],
        }
    }

    #[test]
    fn patterns_of_every_form() {
        let literal = |text: &str| Piece::Literal(text.into());
        for (written, path, tail, query) in [
            ("", vec![literal("/")], false, vec![]),
            ("v1/{x}", vec![literal("/v1/"), Piece::Param(1)], false, vec![]),
            ("/{id}.json", vec![literal("/"), Piece::Param(0), literal(".json")], false, vec![]),
            ("/v1/*", vec![literal("/v1/")], true, vec![]),
            ("/*?a=1&b={id}", vec![literal("/")], true, vec![literal("a=1&b="), Piece::Param(0)]),
            ("/é|", vec![literal("/%C3%A9%7C")], false, vec![]),
        ] {
            let pattern = parse(written, &endpoint(PathKind::Tail), &mut Earlier::default()).unwrap();
            assert_eq!((pattern.path, pattern.tail, pattern.query), (path, tail, query), "{written}");
        }
    }

    #[test]
    fn patterns_that_are_none() {
        let parsed = |text| parse(text, &endpoint(PathKind::Exact), &mut Earlier::default()).unwrap_err();
        assert_eq!(parsed("/{idd}"), Problem::Undefined("idd".into()));
        assert_eq!(parsed("/{JWT.sub}"), Problem::NotYet("JWT.sub".into()));
        assert!(matches!(parsed("/{resp0_id}"), Problem::NotEarlier(..)));
        for text in ["/%zz", "/a b", "/a#b", "/*", "http://a/b", "/{id", "/id}", "/a/*/b", "/a\u{7f}"] {
            assert!(matches!(parsed(text), Problem::Malformed(..)), "{text}");
        }
    }

    #[test]
    fn fields_of_earlier_backends_are_gathered_once() {
        let mut earlier = Earlier { sequential: true, backend: 1, fields: Vec::new() };
        let pattern =
            parse("/{resp0_user.id}/x?a={resp0_name}&b={resp0_user.id}", &endpoint(PathKind::Exact), &mut earlier);
        let pattern = pattern.unwrap();
        assert_eq!(pattern.path[1], Piece::Earlier(0));
        assert_eq!((&pattern.query[1], &pattern.query[3]), (&Piece::Earlier(1), &Piece::Earlier(0)));
        let paths: Vec<_> = earlier.fields.iter().map(|field| field.path.join("/")).collect();
        assert_eq!(paths, ["user/id", "name"]);
        assert!(matches!(parse("/{resp1_id}", &endpoint(PathKind::Exact), &mut earlier), Err(Problem::NotEarlier(..))));
    }
}
