//! A copy of a configuration text in which no secret can be read: what diagnostics draw their lines from.
//!
//! It errs on the side of stars. Positions stay as they are, byte for byte.

use super::diagnostic::Span;
use super::document::{Node, Value};

/// Masks `text`; `document` is its tree if it parsed.
pub(super) fn mask(text: &str, document: Option<&Node>) -> String {
    let mut spans = Vec::new();
    if let Some(root) = document {
        by_tree(root, false, &mut spans);
    }
    by_words(text, document.is_some(), &mut spans);
    user_info(text, &mut spans);
    let mut bytes = text.as_bytes().to_vec();
    for span in spans {
        for byte in bytes.get_mut(span).unwrap_or_default() {
            if !matches!(byte, b'\n' | b'\r') {
                *byte = b'*';
            }
        }
    }
    // Only whole characters were replaced, so this loses nothing.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a key's value is a secret. Names of files and addresses are not.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let harmless = ["_url", "_uri", "_file", "_path", "_wait", "_auth"];
    let whole = ["token", "key_pass", "api_key", "apikey", "authorization", "assertion", "credentials", "access_key"];
    let part = ["secret", "password", "passwd", "passphrase", "private_key", "client_assertion"];
    if harmless.iter().any(|end| key.ends_with(end)) {
        return false;
    }
    whole.contains(&key.as_str()) || key.ends_with("_token") || part.iter().any(|word| key.contains(word))
}

/// Every scalar below a secret key. In `auth/api-keys` each `key` is one.
fn by_tree(node: &Node, secret: bool, spans: &mut Vec<Span>) {
    match &node.value {
        Value::Array(items) => items.iter().for_each(|item| by_tree(item, secret, spans)),
        Value::Object(members) => {
            for member in members {
                let keys = member.key == "keys" || member.key == "auth/api-keys";
                let api_key = member.key == "key" && members.iter().any(|other| other.key == "roles");
                let secret = secret || api_key || (!keys && is_secret(&member.key));
                by_tree(&member.value, secret, spans);
            }
        }
        Value::String(text) if secret && !is_reference(text) => spans.push(node.span.clone()),
        Value::Number(_) if secret => spans.push(node.span.clone()),
        _ => {}
    }
}

/// A lone `${env:NAME}` or `${file:…}` without default says where the secret is, not what it is.
fn is_reference(text: &str) -> bool {
    let inner = text.strip_prefix("${env:").or_else(|| text.strip_prefix("${file:"));
    inner.and_then(|inner| inner.strip_suffix('}')).is_some_and(|name| !name.contains(['}', ':', '$']))
}

/// Values after secret keys, found without a parser: for texts that do not parse, and for comments.
fn by_words(text: &str, parsed: bool, spans: &mut Vec<Span>) {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(start) = rest.find(is_word) else {
            return;
        };
        let rest = rest.get(start..).unwrap_or_default();
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let word = rest.get(..length).unwrap_or_default();
        let end = at + start + length;
        at = end;
        if is_secret(word)
            && let Some(value) = value_start(text, end)
        {
            at = end.max(mask_value(text, value, parsed, spans));
        }
    }
}

/// Where the value begins, if a `:` or `=` follows the key.
fn value_start(text: &str, key_end: usize) -> Option<usize> {
    let rest = text.get(key_end..)?;
    let trimmed = rest.trim_start_matches(['"', '\'', '\\', ' ', '\t']);
    let after = trimmed.strip_prefix([':', '='])?;
    let value = after.trim_start_matches([' ', '\t', '\r', '\n']);
    // A YAML key without value on its line is followed by the next key: only JSON and lists go on below.
    let value = if value.starts_with(['"', '\'', '[', '|', '>', '{', '-']) {
        value
    } else {
        after.trim_start_matches([' ', '\t'])
    };
    Some(text.len() - value.len())
}

fn mask_value(text: &str, start: usize, parsed: bool, spans: &mut Vec<Span>) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let end = match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => start + quoted_length(rest, quote, parsed),
        Some('[') => start + list_length(rest),
        Some('{') if parsed => return start,
        Some('|' | '>') => start + block_length(text, start),
        _ if parsed => start + rest.find([',', '}', ']', '\n']).unwrap_or(rest.len()),
        _ => start + line_length(rest),
    };
    let written = text.get(start..end).unwrap_or_default();
    let bare = written.trim().trim_matches(['"', '\'', ',']);
    if !is_reference(bare) {
        spans.push(start..end);
    }
    end
}

fn line_length(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

/// Up to the closing quote; to the end of the line when what follows shows that it was no closing quote.
fn quoted_length(rest: &str, quote: char, parsed: bool) -> usize {
    let line = line_length(rest);
    let mut escaped = false;
    for (index, c) in rest.char_indices().skip(1) {
        if index >= line {
            break;
        }
        if escaped {
            escaped = false;
        } else if c == '\\' && quote == '"' {
            escaped = true;
        } else if c == quote {
            let after = rest.get(index + 1..line).unwrap_or_default().trim_start();
            if parsed || after.is_empty() || after.starts_with([',', '}', ']', '#']) {
                return index + 1;
            }
            return line;
        }
    }
    line
}

/// Up to the closing bracket, or to the end of its line when it closes no list; to the end of a text without one.
fn list_length(rest: &str) -> usize {
    let Some(end) = rest.find(']') else {
        return rest.len();
    };
    let after = rest.get(end + 1..).unwrap_or_default();
    let line = after.get(..line_length(after)).unwrap_or_default();
    let closes = line.trim_start().is_empty() || line.trim_start().starts_with([',', '}', ']', '#']);
    if closes { end } else { end + 1 + line.len() }
}

/// A YAML block scalar: its header, and the lines below that are indented deeper than its key.
fn block_length(text: &str, start: usize) -> usize {
    let before = text.get(..start).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let indent = line.len() - line.trim_start().len();
    let rest = text.get(start..).unwrap_or_default();
    let mut length = 0;
    for (index, line) in rest.split_inclusive('\n').enumerate() {
        let deeper = line.trim().is_empty() || line.len() - line.trim_start().len() > indent;
        if index > 0 && !deeper {
            break;
        }
        length += line.len();
    }
    length
}

/// `user:password@` in anything that looks like a URL.
fn user_info(text: &str, spans: &mut Vec<Span>) {
    for (at, separator) in text.match_indices("://") {
        let start = at + separator.len();
        let rest = text.get(start..).unwrap_or_default();
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>')).unwrap_or(rest.len());
        if let Some(at) = rest.get(..end).and_then(|url| url.rfind('@')) {
            spans.push(start..start + at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::diagnostic::Diagnostics;
    use super::super::document::{self, Format};
    use super::*;

    fn masked(text: &str, format: Format) -> String {
        let document = document::parse(text, format, &mut Diagnostics::default());
        let masked = mask(text, document.as_ref());
        assert_eq!(masked.len(), text.len());
        masked
    }

    #[test]
    fn secrets_of_a_parsed_text_are_gone_and_the_rest_stays() {
        let text = r#"{"client_secret":"hun\"ter2","Client_Secret":"hünter2","password":["hunter2",1234],
            "token_url":"https://u:hunter2@idp/t","client_secret_file":"/run/x","other":"kept",
            "x":{"secret":{"deep":"hunter2"}},"private_key":"${env:KEY}","token":"${env:K:-hunter2}"}"#;
        let masked = masked(text, Format::Json);
        for secret in ["hunter2", "hün", "1234", "ter2"] {
            assert!(!masked.contains(secret), "{masked}");
        }
        for kept in ["\"client_secret\":", "@idp/t", "/run/x", "kept", "${env:KEY}"] {
            assert!(masked.contains(kept), "{kept}: {masked}");
        }
    }

    #[test]
    fn secrets_of_a_text_that_does_not_parse_are_gone() {
        for text in [
            r#"{"client_secret":"hunter2" "x":1}"#,
            r#"{"client_secret":"hunter2, "x":1}"#,
            r#"{"client_secret":"hun"hunter2","x":1}"#,
            r#"{"client_secret" : 'hunter2', oops"#,
            "{\"client_secret\":\n  \"hunter2\"",
            "{\"client_secret\": [\n  \"a\",\n \"hunter2\"",
            r#"{"CLIENT_SECRET"=hunter2, "x":1"#,
            r#"{"a": "{\"client_secret\": \"hunter2\"}" oops"#,
            r#"{"token_url":"https://u:hunter2@idp" oops"#,
        ] {
            let masked = masked(text, Format::Json);
            assert!(!masked.contains("hunter2"), "{text}\n{masked}");
        }
        for text in [
            "a: [\nclient_secret: hunter2 # x\n",
            "a: [\n  password: 'hunter2\n",
            "a: [\nclient_secret: |\n  hunter2\n  hunter2\n\n  hunter2\nb: 1\n",
            "a: [\nclient_secret:\n  \"hunter2\"\n",
            "a: [\nclient_secret:\n  - hunter2\n",
        ] {
            let masked = masked(text, Format::Yaml);
            assert!(!masked.contains("hunter2"), "{text}\n{masked}");
        }
    }

    #[test]
    fn secrets_in_yaml_are_gone() {
        for text in [
            "client_secret: hunter2\nport: 1\n",
            "client_secret: |\n  hunter2\n  hunter2\nport: 1\n",
            "x: {client_secret: hunter2, port: 1}\n",
            "y: &a {secret: hunter2}\nz: *a\nport: 1\n",
            "port: 1 # client_secret: hunter2\n",
        ] {
            let masked = masked(text, Format::Yaml);
            assert!(!masked.contains("hunter2"), "{masked}");
            assert!(masked.contains("port: 1"), "{masked}");
        }
    }

    #[test]
    fn words_that_only_sound_secret_stay() {
        let text = "{\"token_url\": \"https://idp/t\", \"first_token_wait\": \"5s\", \"client_auth\": \"client_secret_basic\"}";
        assert_eq!(masked(text, Format::Json), text);
    }
}
