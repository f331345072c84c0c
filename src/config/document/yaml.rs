//! One YAML document to a tree of [`Node`]s: YAML 1.2 booleans, anchors and merges with bounds, no other documents.

use super::super::diagnostic::{Diagnostic, Span, floor_boundary};
use super::{MAX_DEPTH, Member, Node, Value, syntax};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Budget, DuplicateKeyPolicy, Error, Location, Options, Spanned};
use std::fmt;

/// What reading [`MAX_DEPTH`] levels takes without optimisation, several times over.
const STACK: usize = 16 * 1024 * 1024;

/// Reads a text, on a stack of its own: each level takes some 40 KiB of a debug build's, and threads have 2 MiB.
pub(super) fn parse(text: &str) -> Result<Node, Diagnostic> {
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || read(text));
        let read = reader.ok().and_then(|reader| reader.join().ok());
        read.unwrap_or_else(|| Err(syntax("YAML", None, "it cannot be read here")))
    })
}

fn read(text: &str) -> Result<Node, Diagnostic> {
    let root: Spanned<Raw> =
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| explain(text, &error))?;
    Ok(node(text, root))
}

fn options() -> Options {
    let mut budget = Budget::default();
    budget.max_depth = MAX_DEPTH;
    budget.flow_nesting_limit = MAX_DEPTH;
    budget.max_documents = 2;
    budget.max_aliases = 10_000;
    serde_saphyr::options! {
        budget: Some(budget),
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 200_000 },
        strict_booleans: true,
        reject_unsupported_tags: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    }
}

/// The parser speaks of types and budgets of its own; only what its scanner says of the text is worth repeating.
fn explain(text: &str, error: &Error) -> Diagnostic {
    const QUOTES: &str = "put a value that begins with such a character in quotes";
    let span = error.location().and_then(|location| one_character(text, location));
    let (message, help) = match error.without_snippet() {
        Error::MultipleDocuments { .. } => {
            ("the file holds more than one document", "keep one document and remove the `---` before the other")
        }
        Error::NullIntoString { .. } => ("a key is empty", "write a name before the `:`"),
        Error::Unexpected { .. } => ("a key is not one text", ""),
        Error::RecursiveReferencesRequireWeakTypes { .. } => ("an anchor holds its own alias", "write the value out"),
        Error::UnknownAnchor { .. } => ("an alias names no anchor before it", QUOTES),
        Error::UnsupportedTag { .. } => ("unsupported tag", QUOTES),
        Error::MergeValueNotMapOrSeqOfMaps { .. } | Error::MergeKeyNotAllowed { .. } => {
            ("`<<` merges something that is not a map", "")
        }
        Error::InvalidScalar { .. } | Error::InvalidBinaryBase64 { .. } | Error::BinaryNotUtf8 { .. } => {
            ("a value does not fit its tag", "remove the tag")
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => (TOO_MUCH, ""),
        Error::Eof { .. } => ("the text ends too early", ""),
        Error::ExternalMessage { .. } => return scanned(span, &error.to_string()),
        _ => ("it cannot be read here", ""),
    };
    syntax("YAML", span, message).help(help)
}

const TOO_MUCH: &str = "values nest too deep, or aliases repeat too much";

/// The scanner's own words, or plainer ones.
fn scanned(span: Option<Span>, message: &str) -> Diagnostic {
    let message = message.lines().next().unwrap_or_default();
    // The place is drawn below the message; the words need not repeat it.
    let message = message.split(" at line ").next().unwrap_or(message);
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let words = without_quotes(strip_position(message));
    let words = match words.trim().trim_end_matches(':') {
        words if words.contains("recursion limit") => TOO_MUCH,
        words if words.contains("<document start>") => "the indentation does not fit the lines above",
        words => words,
    };
    syntax("YAML", span, words)
}

/// Cuts `line 2 column 5: ` in front, which the rendered place says better.
fn strip_position(message: &str) -> &str {
    match message.split_once(": ") {
        Some((place, rest)) if place.starts_with("line ") => rest,
        _ => message,
    }
}

/// The parser's own words without what it quotes from the text: a secret that begins with `!` is a tag to it.
fn without_quotes(message: &str) -> String {
    let mut words = String::new();
    for (index, part) in message.split('`').enumerate() {
        if index % 2 == 0 {
            words.push_str(part.trim_end());
        }
    }
    words
}

fn one_character(text: &str, location: Location) -> Option<Span> {
    let start = start_of(text, location)?;
    let length = text.get(start..)?.chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
    Some(start..start + length)
}

/// Byte offset of a place; from line and column where the parser gives no bytes.
fn start_of(text: &str, location: Location) -> Option<usize> {
    if let Some(offset) = location.span().byte_offset().and_then(|offset| usize::try_from(offset).ok()) {
        return Some(floor_boundary(text, offset));
    }
    let line = usize::try_from(location.line()).ok()?.checked_sub(1)?;
    let column = usize::try_from(location.column()).ok()?.saturating_sub(1);
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let offset: usize = text.get(before..)?.chars().take(column).map(char::len_utf8).sum();
    Some(before + offset)
}

fn span_of(text: &str, location: Location) -> Span {
    let Some(start) = start_of(text, location) else {
        return 0..0;
    };
    let length = location.span().byte_len().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let end = floor_boundary(text, start.saturating_add(length));
    let written = text.get(start..end).unwrap_or_default();
    start..start + written.trim_end().len()
}

/// The definition is where an alias' content is written; that is what a reader wants to see and what must be masked.
fn node(text: &str, spanned: Spanned<Raw>) -> Node {
    let mut span = span_of(text, spanned.defined);
    let value = match spanned.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => Value::Bool(value),
        Raw::Number(parsed) => Value::Number(number(text, &span, parsed)),
        Raw::String(value) => Value::String(value),
        Raw::Array(items) => Value::Array(items.into_iter().map(|item| node(text, item)).collect()),
        Raw::Object(entries) => Value::Object(entries.into_iter().map(|entry| member(text, entry)).collect()),
    };
    widen(&mut span, &value);
    Node::new(value, span)
}

fn member(text: &str, (key, value): (Spanned<String>, Spanned<Raw>)) -> Member {
    Member::new(key.value, span_of(text, key.defined), node(text, value))
}

/// The digits as written: `1.10` is not `1.1` in a parameter of a token request.
fn number(text: &str, span: &Span, parsed: String) -> String {
    match text.get(span.clone()) {
        Some(written) if written.parse::<f64>().is_ok() => written.to_owned(),
        _ => parsed,
    }
}

/// Lists and maps know only their start: they end where their last child does.
fn widen(span: &mut Span, value: &Value) {
    let last = match value {
        Value::Array(items) => items.last().map(|item| item.span.end),
        Value::Object(members) => members.last().map(|member| member.value.span.end.max(member.key_span.end)),
        _ => None,
    };
    if let Some(end) = last {
        span.end = span.end.max(end);
    }
}

enum Raw {
    Null,
    Bool(bool),
    Number(String),
    String(String),
    Array(Vec<Spanned<Self>>),
    Object(Vec<(Spanned<String>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a configuration value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::String(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Raw::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut object = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            object.push(entry);
        }
        Ok(Raw::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Vec<Member> {
        match parse(text) {
            Ok(Node { value: Value::Object(members), .. }) => members,
            other => panic!("no object: {other:?}"),
        }
    }

    #[test]
    fn every_value_knows_its_place() {
        let text =
            "é: 1.10\nlist:\n  - \"x\\n\"\n  - plain text # why\n  - on\n  - true\n  - ~\nblock: |\n  two\n  lines\n";
        let members = object(text);
        assert_eq!(&text[members[0].key_span.clone()], "é");
        assert_eq!(members[0].value.value, Value::Number("1.10".into()));
        assert_eq!(&text[members[0].value.span.clone()], "1.10");
        let Value::Array(items) = &members[1].value.value else { panic!("no list") };
        let written: Vec<_> = items.iter().map(|item| &text[item.span.clone()]).collect();
        assert_eq!(written, ["\"x\\n\"", "plain text", "on", "true", "~"]);
        assert_eq!(items[2].value, Value::String("on".into()));
        assert_eq!(items[3].value, Value::Bool(true));
        assert_eq!(items[4].value, Value::Null);
        assert_eq!(members[2].value.value, Value::String("two\nlines\n".into()));
        assert!(text[members[2].value.span.clone()].contains("lines"));
        assert!(text[members[1].value.span.clone()].ends_with('~'));
    }

    #[test]
    fn numbers_keep_their_text() {
        let members = object("a: 007\nb: 8080\nc: 1e3\nd: 12345678901234567890123\ne: -3\nf: 8_0\ng: 0x1F\n");
        let values: Vec<_> = members.into_iter().map(|member| member.value.value).collect();
        let number = |text: &str| Value::Number(text.into());
        assert_eq!(
            values,
            [
                Value::String("007".into()),
                number("8080"),
                number("1e3"),
                number("12345678901234567890123"),
                number("-3"),
                Value::String("8_0".into()),
                number("31"),
            ]
        );
    }

    #[test]
    fn an_alias_points_at_what_it_stands_for() {
        let text = "a: &x {k: 1}\nb: *x\nc:\n  <<: *x\n  d: 2\n";
        let members = object(text);
        assert_eq!(members[1].value.value, members[0].value.value);
        let Value::Object(merged) = &members[2].value.value else { panic!("no object") };
        assert!(merged.iter().any(|member| member.key == "k"));
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let bomb = (1..10).map(|level| {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            format!("a{level}: &a{level} [{aliases}]\n")
        });
        let text = format!("a0: &a0 [x, x, x]\n{}", bomb.collect::<String>());
        assert!(parse(&text).is_err());
    }

    #[test]
    fn more_than_one_document_is_refused() {
        let problem = parse("a: 1\n---\nb: 2\n").unwrap_err();
        assert_eq!(problem.message, "this is not valid YAML: the file holds more than one document");
    }

    #[test]
    fn problems_are_told_in_words_of_the_text_not_of_the_parser() {
        let deep = format!("{}{}", "[".repeat(70), "]".repeat(70));
        let block = (0..80).map(|depth| " ".repeat(depth) + "a:\n").collect::<String>();
        for (text, words) in [
            ("null: 1\n", "a key is empty"),
            ("a: &x [*x]\n", "its own alias"),
            ("a: *nope\n", "no anchor"),
            ("[a, b]: c\n", "not one text"),
            ("<<: 1\n", "not a map"),
            ("a: !!int x\n", "its tag"),
            (" a: 1\nb: 2\n", "indentation"),
            (deep.as_str(), "nest too deep"),
            (block.as_str(), "nest too deep"),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.message.contains(words), "{text}: {}", problem.message);
        }
    }

    #[test]
    fn a_broken_text_says_where() {
        let text = "a: 1\nb: [1, 2\nc: 3\n";
        let problem = parse(text).unwrap_err();
        assert!(problem.span.is_some_and(|span| span.start > 5), "{}", problem.message);
    }
}
