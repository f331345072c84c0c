//! `endpoint`: the path an endpoint answers to, by KrakenD's strict rules, with its enterprise wildcards.

use super::super::code;
use super::super::document::{Node, Origin};
use super::super::model::{EndpointPath, PathKind};
use super::super::read::{Context, is_shown, quoted};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What may not stand in a request target as it is; what people write is encoded for them.
pub(super) const UNSAFE: &AsciiSet = &CONTROLS.add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'|');

const MAX_PARAMS: usize = 16;

/// Reads the path. `relaxed`: `disable_rest` lets a placeholder be a part of a segment.
pub(super) fn endpoint_path(cx: &mut Context<'_>, node: &Node, relaxed: bool) -> Option<EndpointPath> {
    let text = cx.string(node)?;
    match parse(text, relaxed) {
        Ok(path) => Some(path),
        Err((why, help)) => {
            // Segments in these texts may come out of a `${…}`, or be no path at all.
            let (why, help) = match node.origin {
                _ if is_shown(node, text) => (why, help),
                Origin::Text => ("is not a path".to_owned(), "write a path such as `/orders/{id}`".to_owned()),
                _ => ("is not valid once it is filled in".to_owned(), String::new()),
            };
            cx.error(node, code::ENDPOINT, format!("the endpoint {} {why}", quoted(node)), help);
            None
        }
    }
}

type Problem = (String, String);

fn problem(why: &str, help: &str) -> Problem {
    (why.to_owned(), help.to_owned())
}

fn parse(text: &str, relaxed: bool) -> Result<EndpointPath, Problem> {
    let text = if text.starts_with('/') { text.to_owned() } else { format!("/{text}") };
    if text == "/__catchall" {
        return Ok(EndpointPath { route: text.clone(), text, kind: PathKind::Catchall, params: Vec::new() });
    }
    check_characters(&text)?;
    let (exact, kind) = match text.strip_suffix("/*") {
        Some(exact) => (exact, PathKind::Tail),
        None => (text.as_str(), PathKind::Exact),
    };
    let params = params(exact, kind, relaxed)?;
    let route = utf8_percent_encode(&text, UNSAFE).to_string();
    Ok(EndpointPath { text, route, kind, params })
}

fn params(exact: &str, kind: PathKind, relaxed: bool) -> Result<Vec<String>, Problem> {
    let mut params: Vec<String> = Vec::new();
    let mut segments = exact.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        check_segment(segment, segments.peek().is_none() && kind == PathKind::Exact)?;
        let Some(name) = placeholder(segment, relaxed)? else {
            continue;
        };
        if params.iter().any(|other| other == name) {
            return Err(problem("has the same placeholder twice", "give each placeholder its own name"));
        }
        params.push(name.to_owned());
    }
    if params.len() > MAX_PARAMS {
        return Err(problem("has more than 16 placeholders", "use fewer, or a final `/*`"));
    }
    Ok(params)
}

fn check_characters(text: &str) -> Result<(), Problem> {
    if text.contains(['?', '#']) {
        let help = "list query parameters in `input_query_strings`; a path has neither `?` nor `#`";
        return Err(problem("has a query string or a fragment", help));
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err(problem("has blanks, control characters or backslashes", "remove them"));
    }
    check_escapes(text)
}

/// Every `%` begins an escape of two hexadecimal digits.
pub(super) fn check_escapes(text: &str) -> Result<(), Problem> {
    let broken = text.split('%').skip(1).any(|after| {
        let digits = after.get(..2);
        !digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
    });
    if broken {
        return Err(problem("has a `%` that is no escape", "write `%25` for a percent sign"));
    }
    Ok(())
}

fn check_segment(segment: &str, last: bool) -> Result<(), Problem> {
    match segment {
        "__debug" | "__echo" | "__health" | "__catchall" => {
            let why = format!("has the reserved segment `{segment}`");
            return Err((why, "porteur answers on such paths itself; choose another name".to_owned()));
        }
        "." | ".." => {
            return Err(problem("has a dot segment", "clients resolve those; it would never match"));
        }
        "" if !last => {
            return Err(problem("has an empty segment", "remove the doubled `/`; it would never match"));
        }
        _ => {}
    }
    if let Some(name) = segment.strip_prefix(':') {
        let why = format!("has the segment `{segment}`");
        return Err((why, format!("write `{{{name}}}` for a placeholder")));
    }
    if segment.contains('*') {
        return Err(problem("has a `*` that is not its end", "a wildcard is a final `/*`"));
    }
    Ok(())
}

/// The name of a `{placeholder}`; `None` for a literal segment. KrakenD makes the text behind the brace a part of the name
/// (`/{id}.json` is filled in nowhere), so that without `disable_rest` it is an error here, and with it means what it says.
fn placeholder(segment: &str, relaxed: bool) -> Result<Option<&str>, Problem> {
    if !segment.contains(['{', '}']) {
        return Ok(None);
    }
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || (relaxed && matches!(b, b'.' | b':'));
    let parts = segment.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    let named = parts.filter(|(_, (name, _))| !name.is_empty() && name.bytes().all(fits));
    match named {
        Some((_, (_, after))) if after.contains('{') => {
            Err(problem("has more than one placeholder in a segment", "give each a segment of its own"))
        }
        Some((before, (name, after))) if !before.contains('}') && !after.contains('}') => {
            if relaxed || (before.is_empty() && after.is_empty()) {
                return Ok(Some(name));
            }
            let help = "a placeholder is a whole segment, `/{id}`, unless `disable_rest` is set at the root";
            Err(problem("has a placeholder inside a segment", help))
        }
        _ => {
            let help = "a placeholder is a whole segment of letters, digits, `_` and `-`: `/{id}`";
            Err(problem("has a brace outside a placeholder", help))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_every_form() {
        for (written, text, kind, params) in [
            ("/", "/", PathKind::Exact, vec![]),
            ("a/b", "/a/b", PathKind::Exact, vec![]),
            ("/a/", "/a/", PathKind::Exact, vec![]),
            ("/a/{id}/b/{Other-Id_2}", "/a/{id}/b/{Other-Id_2}", PathKind::Exact, vec!["id", "Other-Id_2"]),
            ("/a/{x}/*", "/a/{x}/*", PathKind::Tail, vec!["x"]),
            ("/*", "/*", PathKind::Tail, vec![]),
            ("/__catchall", "/__catchall", PathKind::Catchall, vec![]),
            ("/a%20b/é", "/a%20b/é", PathKind::Exact, vec![]),
        ] {
            let params = params.into_iter().map(str::to_owned).collect();
            let route = text.replace('é', "%C3%A9");
            assert_eq!(parse(written, false), Ok(EndpointPath { text: text.into(), route, kind, params }));
        }
    }

    #[test]
    fn a_placeholder_may_be_a_part_of_a_segment_when_disable_rest_says_so() {
        for (text, params) in [("/a/{id}.json", ["id"]), ("/a/v{x.y:z}", ["x.y:z"]), ("/a/v{id}-x/b", ["id"])] {
            let path = parse(text, true).unwrap();
            assert_eq!((path.route.as_str(), path.params), (text, params.map(str::to_owned).to_vec()));
        }
        for (text, why) in [("/a/{x}-{y}", "more than one"), ("/a/x}{y}", "brace"), ("/a/{x/y}", "brace")] {
            let (message, _) = parse(text, true).unwrap_err();
            assert!(message.contains(why), "{text}: {message}");
        }
    }

    #[test]
    fn paths_that_need_encoding_are_compared_encoded() {
        for (written, route) in [("/é/{id}", "/%C3%A9/{id}"), ("/\"<a>\"/*", "/%22%3Ca%3E%22/*"), ("/a%2fb", "/a%2fb")]
        {
            assert_eq!(parse(written, false).unwrap().route, route);
        }
    }

    #[test]
    fn paths_that_are_none() {
        for (text, why) in [
            ("/a?x=1", "query"),
            ("/a#b", "fragment"),
            ("/a b", "blanks"),
            ("/a\n", "blanks"),
            ("/a%2", "%"),
            ("/a%zz", "%"),
            ("/a/:id", "`:id`"),
            ("/__debug/", "reserved"),
            ("/a/__echo/b", "reserved"),
            ("/__health", "reserved"),
            ("/a/__catchall", "reserved"),
            ("/a/../b", "dot"),
            ("/a//b", "empty"),
            ("/a*", "*"),
            ("/*/b", "*"),
            ("/a/{id}.json", "inside a segment"),
            ("/a/v{id}", "inside a segment"),
            ("/a/{x}{y}", "more than one"),
            ("/a/{}", "brace"),
            ("/a/{i d}", "blanks"),
            ("/a/id}", "brace"),
            ("/{id}/{id}", "twice"),
            ("/{1}/{2}/{3}/{4}/{5}/{6}/{7}/{8}/{9}/{10}/{11}/{12}/{13}/{14}/{15}/{16}/{17}", "16"),
        ] {
            let (message, help) = parse(text, false).unwrap_err();
            assert!(message.contains(why), "{text}: {message}");
            assert!(!help.is_empty());
        }
    }
}
