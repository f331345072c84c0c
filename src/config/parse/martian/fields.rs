//! Reading the keys of a modifier: what is required, what may be filled in by a request and what may not, regular
//! expressions.

use super::template;
use crate::config::code;
use crate::config::document::Node;
use crate::config::interpolate::count_per_request;
use crate::config::model::EndpointPath;
use crate::config::model::martian::{Part, Text};
use crate::config::read::{Context, Object, quoted};
use http::{HeaderName, HeaderValue};
use regex::bytes::{Regex, RegexBuilder};

/// A compiled expression may be this large, in bytes.
const LARGEST_REGEX: usize = 1 << 20;

/// What modifiers need to know of the backend around them.
pub(super) struct Reader<'r> {
    /// The endpoint's path, and where it is written.
    pub endpoint: Option<(&'r EndpointPath, &'r Node)>,
    /// The header that carries the backend's token.
    pub token: Option<&'r HeaderName>,
}

/// What is wrong with a value was reported.
pub(super) struct Reported;

/// A value that may be absent.
pub(super) type Maybe<T> = Result<Option<T>, Reported>;

/// The value of a key that must be there.
pub(super) fn required<'d>(cx: &mut Context<'_>, object: &Object<'d>, key: &str) -> Option<&'d Node> {
    let node = object.get(key);
    if node.is_none() {
        object.missing(cx, key, "the modifier", &format!("add `{key}`"));
    }
    node
}

/// A text that is the same for every request.
pub(super) fn fixed<'d>(cx: &mut Context<'_>, node: &'d Node) -> Option<&'d str> {
    let text = cx.string(node)?;
    if count_per_request(text) == 0 {
        return Some(text);
    }
    let message = "a `${request.…}` or `${jwt.…}` cannot stand here: this is settled at start-up";
    cx.error(
        node,
        code::PER_REQUEST,
        message,
        "only values of headers, cookies and parameters, paths and queries are filled in",
    );
    None
}

/// A text under a key, the same for every request; absent and empty are the same.
pub(super) fn optional<'d>(cx: &mut Context<'_>, object: &Object<'d>, key: &str) -> Maybe<(&'d str, &'d Node)> {
    let Some(node) = object.get(key) else { return Ok(None) };
    let text = fixed(cx, node).ok_or(Reported)?;
    Ok(Some((text, node)).filter(|(text, _)| !text.is_empty()))
}

/// A text under a key that must be there and must not be empty.
pub(super) fn name<'d>(cx: &mut Context<'_>, object: &Object<'d>, key: &str) -> Option<(&'d str, &'d Node)> {
    let node = required(cx, object, key)?;
    let text = fixed(cx, node)?;
    if text.is_empty() {
        cx.error(node, code::VALUE, format!("the `{key}` is empty"), "write a name");
        return None;
    }
    Some((text, node))
}

/// A value to write; empty when it is absent.
pub(super) fn value(cx: &mut Context<'_>, reader: &Reader<'_>, object: &Object<'_>, key: &str) -> Option<Text<String>> {
    match object.get(key) {
        Some(node) => template::read(cx, reader, node),
        None => Some(Text::Fixed(String::new())),
    }
}

/// A value to compare with; absent and empty are the same, which for most conditions means any.
pub(super) fn asked(cx: &mut Context<'_>, reader: &Reader<'_>, object: &Object<'_>, key: &str) -> Maybe<Text<String>> {
    match value(cx, reader, object, key).ok_or(Reported)? {
        Text::Fixed(text) if text.is_empty() => Ok(None),
        value => Ok(Some(value)),
    }
}

/// A header's value.
pub(super) fn header_value(
    cx: &mut Context<'_>,
    reader: &Reader<'_>,
    object: &Object<'_>,
    key: &str,
) -> Option<Text<HeaderValue>> {
    let text = value(cx, reader, object, key)?;
    let made = match text {
        Text::Fixed(text) => sensitive(&text).map(Text::Fixed),
        Text::Filled(parts) => parts.iter().all(literal_stands).then_some(Text::Filled(parts)),
    };
    if let (None, Some(node)) = (&made, object.get(key)) {
        let message = format!("the `{key}` {} cannot stand in a header", quoted(node));
        cx.error(node, code::VALUE, message, "remove line ends and other control characters");
    }
    made
}

/// A value may be an API key: no `Debug` shows it. The one allocation of its first clone is made here, not by a request.
pub(super) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    drop(value.clone());
    Some(value)
}

fn literal_stands(part: &Part) -> bool {
    match part {
        Part::Literal(text) => HeaderValue::from_str(text).is_ok(),
        _ => true,
    }
}

/// A regular expression, which need not match the whole.
///
/// KrakenD's are RE2. These are the same but for classes such as `\d`, which know digits beyond ASCII here.
pub(super) fn regex(cx: &mut Context<'_>, object: &Object<'_>) -> Option<Regex> {
    let node = required(cx, object, "regex")?;
    let text = fixed(cx, node)?;
    match RegexBuilder::new(text).size_limit(LARGEST_REGEX).build() {
        Ok(regex) => Some(regex),
        // What the library says quotes the expression.
        Err(regex::Error::CompiledTooBig(_)) => {
            cx.error(node, code::VALUE, "the regular expression is too large", "use smaller repetitions");
            None
        }
        Err(_) => {
            let help = "write it in RE2's syntax, without look-around and back-references; JSON wants `\\\\` for `\\`";
            cx.error(node, code::VALUE, "the regular expression is not valid", help);
            None
        }
    }
}
