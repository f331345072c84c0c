//! A copy of a configuration text that diagnostics may draw their lines from: its structure and its keys. Values are hidden,
//! but for the one that a diagnostic is about, and that only as far as its key lets it be shown.
//!
//! Nothing here knows what a secret looks like: what is not known to be harmless is hidden. Places stay as they are, byte for
//! byte and character for character.

use super::diagnostic::Span;
use super::document::{Node, Value};
use super::keys;
use super::show::{self, Show, star, stars};
use std::cmp::Reverse;
use std::collections::HashMap;

/// The copy.
#[derive(Debug, Clone, Default)]
pub(super) struct Masked {
    /// Structure and keys; the rest is hidden.
    pub text: String,
    /// What may be shown of a value in a diagnostic about it.
    pub values: HashMap<Span, String>,
}

impl Masked {
    /// The copy of `text`; `document` is its tree if it parsed.
    pub(super) fn new(text: &str, document: Option<&Node>) -> Self {
        let Some(root) = document else {
            return Self { text: words(text), values: HashMap::new() };
        };
        let mut tokens = Vec::new();
        gather(root, &mut tokens);
        // Where an alias makes a key of a value, the value counts.
        tokens.sort_by_key(|token| (token.span.start, Reverse(token.span.end), token.is_key()));
        let mut masked = Self::default();
        let mut at = 0;
        for token in tokens {
            if token.span.start < at {
                continue;
            }
            let written = text.get(token.span.clone()).unwrap_or_default();
            masked.text.push_str(&structure(text.get(at..token.span.start).unwrap_or_default()));
            masked.text.push_str(&token.drawn(written));
            if let Some(shown) = token.shown(written) {
                masked.values.insert(token.span.clone(), shown);
            }
            at = token.span.start + written.len();
        }
        masked.text.push_str(&structure(text.get(at..).unwrap_or_default()));
        masked
    }

    /// What a diagnostic about exactly this part may show of it: as many bytes and characters as the part has.
    pub(super) fn value(&self, span: &Span) -> Option<&str> {
        self.values.get(span).map(String::as_str)
    }
}

/// A key or a scalar.
struct Token<'d> {
    span: Span,
    kind: TokenKind<'d>,
}

enum TokenKind<'d> {
    Key(&'d str, usize),
    /// `true`, `false`, `null`.
    Constant,
    Scalar(&'d str, Show),
}

impl Token<'_> {
    fn is_key(&self) -> bool {
        matches!(self.kind, TokenKind::Key(..))
    }

    /// In every line.
    fn drawn(&self, written: &str) -> String {
        match self.kind {
            TokenKind::Key(key, length) => {
                let (quote, inner) = unquoted(written);
                match (inner == key).then(|| inner.split_at_checked(length)).flatten() {
                    Some((shown, hidden)) => format!("{quote}{shown}{}{quote}", stars(hidden)),
                    None => stars(written),
                }
            }
            TokenKind::Constant => written.to_owned(),
            TokenKind::Scalar(..) => match unquoted(written) {
                (quote, inner) if !inner.contains(['"', '\'', '\n']) => format!("{quote}{}{quote}", stars(inner)),
                _ => stars(written),
            },
        }
    }

    /// In a diagnostic about it. Where the text escapes or folds what it means, nothing.
    fn shown(&self, written: &str) -> Option<String> {
        let TokenKind::Scalar(meant, show) = self.kind else {
            return None;
        };
        let (quote, inner) = unquoted(written);
        (inner == meant).then(|| format!("{quote}{}{quote}", show::value(show, inner)))
    }
}

fn unquoted(written: &str) -> (&'static str, &str) {
    let inside = |quote| written.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    match (inside('"'), inside('\'')) {
        (Some(inner), _) => ("\"", inner),
        (_, Some(inner)) => ("'", inner),
        _ => ("", written),
    }
}

fn gather<'d>(node: &'d Node, tokens: &mut Vec<Token<'d>>) {
    let kind = match &node.value {
        Value::Array(items) => return items.iter().for_each(|item| gather(item, tokens)),
        Value::Object(members) => {
            for member in members {
                tokens.push(Token { span: member.key_span.clone(), kind: TokenKind::Key(&member.key, member.shown) });
                gather(&member.value, tokens);
            }
            return;
        }
        Value::Null | Value::Bool(_) => TokenKind::Constant,
        Value::Number(text) | Value::String(text) => TokenKind::Scalar(text, node.show),
    };
    tokens.push(Token { span: node.span.clone(), kind });
}

/// What stands between keys and scalars: punctuation, but no comment, tag or anchor.
fn structure(text: &str) -> String {
    let harmless =
        |c: char| c.is_whitespace() || matches!(c, '{' | '}' | '[' | ']' | ',' | ':' | '-' | '?' | '\u{feff}');
    text.chars().map(|c| if harmless(c) { c } else { star(c) }).collect()
}

/// A text that does not parse: punctuation and the words that are known keys.
fn words(text: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '$');
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if length == 0 {
            let harmless = c.is_whitespace() || "{}[],:\"'\u{feff}".contains(c);
            out.push(if harmless { c } else { star(c) });
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            continue;
        }
        let (word, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        let harmless = matches!(word, "true" | "false" | "null" | "-") || keys::is_known(word);
        out.push_str(&if harmless { word.to_owned() } else { stars(word) });
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::diagnostic::Diagnostics;
    use super::super::document::{self, Format};
    use super::*;

    fn masked(text: &str, format: Format) -> Masked {
        let document = document::parse(text, format, &mut Diagnostics::default());
        let masked = Masked::new(text, document.as_ref());
        assert_eq!(masked.text.len(), text.len());
        assert_eq!(masked.text.chars().count(), text.chars().count());
        masked
    }

    fn drawn(text: &str, format: Format) -> String {
        masked(text, format).text.chars().map(|c| if show::is_star(c) { '*' } else { c }).collect()
    }

    #[test]
    fn structure_and_keys_stay_and_values_go() {
        for (text, format, expected) in [
            (
                r#"{"port":80,"client_secrt":"hünter2","host":["a"],"debug_endpoint":true,"x":{"hunter2":1}}"#,
                Format::Json,
                r#"{"port":**,"client_secrt":"*******","host":["*"],"debug_endpoint":true,"x":{"*******":*}}"#,
            ),
            ("port: 80 # hunter2\nhost:\n  - a\n", Format::Yaml, "port: ** * *******\nhost:\n  - *\n"),
            ("name: |\n  hunter2\nport: 1\n", Format::Yaml, "name: *\n  *******\nport: *\n"),
            ("name: &hunter2 x\nport: *hunter2\n", Format::Yaml, "name: ******** *\nport: ********\n"),
        ] {
            assert_eq!(drawn(text, format), expected);
        }
    }

    #[test]
    fn a_text_that_does_not_parse_shows_known_words_alone() {
        let text = r#"{"client_secret" "hunter2", port: 1234, é: true"#;
        assert_eq!(drawn(text, Format::Json), r#"{"client_secret" "*******", port: ****, *: true"#);
    }

    #[test]
    fn a_value_shows_as_much_as_its_key_lets_it() {
        let text = r#"{"host":"u:p@up","listen_ip":"x y","name":"a\u0020b","extra_config":{"@x":"y"}}"#;
        let masked = masked(text, Format::Json);
        let shown = |value: &str| {
            let at = text.find(value).unwrap();
            masked.value(&(at..at + value.len())).map(show::in_words)
        };
        assert_eq!(shown("\"u:p@up\"").as_deref(), Some("\"***@up\""));
        assert_eq!(shown("\"x y\"").as_deref(), Some("\"x y\""));
        assert_eq!(shown("\"a\\u0020b\""), None);
        assert_eq!(shown("\"y\"").as_deref(), Some("\"***\""));
    }
}
