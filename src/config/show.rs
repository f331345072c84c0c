//! How much of a value or a key may be shown. What no rule here lets through is stars.
//!
//! Hidden characters become [`STARS`], one for one and byte for byte, so that places stay what they are; drawing turns
//! them into `*`.

use super::keys::{self, Key, Kind};
use std::net::Ipv6Addr;

/// Stand-ins for hidden characters of one to four bytes. No configuration has a use for them itself.
const STARS: [char; 4] = ['\u{1}', '\u{80}', '\u{e000}', '\u{f0000}'];

/// Longer keys than this are no keys.
const MAX_KEY: usize = 60;

/// How much of a value may be shown, from nothing to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Show {
    /// Nothing but the name of the variable or file it comes from.
    Never,
    /// Its first word: what follows a blank, a `:` or a `=` may be a secret in the wrong place.
    Word,
    /// Its first word, if it looks like a path: who writes a secret where its file belongs should not read it again.
    Path,
    /// A URL or a part of one, without user-info and without the values of its query.
    Url,
    /// All of it.
    Whole,
}

impl Show {
    /// Whether a secret is what belongs here, or what people may write here: then a reference must look like one, lest it is
    /// the secret.
    pub(super) fn is_strict(self) -> bool {
        matches!(self, Self::Never | Self::Path)
    }
}

/// What may be shown of a known key's value.
pub(super) fn of_key(key: &Key) -> Show {
    match (key.name, key.kind) {
        ("refresh_on_status", _) => Show::Word,
        ("client_id" | "client_secret" | "value" | "body" | "regex" | "query", _) | (_, Kind::List | Kind::Object) => {
            Show::Never
        }
        (
            "host" | "url_pattern" | "endpoint" | "health_path" | "token_url" | "issuer" | "proxy_url" | "audience"
            | "resource" | "assertion_audience" | "revocation_url" | "logger_skip_paths" | "path",
            _,
        ) => Show::Url,
        (
            "client_secret_file"
            | "private_key_file"
            | "client_assertion_file"
            | "client_key_file"
            | "private_key"
            | "rootPath",
            _,
        ) => Show::Path,
        ("listen" | "listen_ip" | "allowed_hosts" | "ssl_host" | "patterns", _) => Show::Whole,
        ("method", _) | (_, Kind::String | Kind::Strings) => Show::Word,
        (_, Kind::Integer | Kind::Boolean | Kind::Duration | Kind::Word(_)) => Show::Whole,
        (_, Kind::Any) => Show::Never,
    }
}

/// The stand-in for a character. Line ends stay.
pub(super) fn star(c: char) -> char {
    match c {
        '\n' | '\r' => c,
        _ => STARS.get(c.len_utf8() - 1).copied().unwrap_or('*'),
    }
}

/// Whether a character stands for a hidden one.
pub(super) fn is_star(c: char) -> bool {
    STARS.contains(&c)
}

/// The text with every character hidden.
pub(super) fn stars(text: &str) -> String {
    text.chars().map(star).collect()
}

/// A value with what may not be shown hidden.
pub(super) fn value(show: Show, text: &str) -> String {
    if is_reference(text, show) {
        return text.to_owned();
    }
    match show {
        Show::Never => stars(text),
        Show::Whole => text.chars().map(|c| if c.is_control() { star(c) } else { c }).collect(),
        Show::Path if !is_path_like(text) => stars(text),
        Show::Word | Show::Path => {
            let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '*');
            let end = text.find(|c| !fits(c)).unwrap_or(text.len());
            let (word, rest) = text.split_at_checked(end).unwrap_or(("", text));
            format!("{word}{}", stars(rest))
        }
        Show::Url => url(text),
    }
}

/// For messages: each run of hidden characters is three stars, and what is longer than people read is cut.
pub(super) fn in_words(shown: &str) -> String {
    let mut words = String::new();
    let mut hidden = false;
    for (length, c) in shown.chars().enumerate() {
        if length == 80 {
            words.push('…');
            break;
        }
        match (is_star(c), hidden) {
            (false, _) => words.push(c),
            (true, false) => words.push_str("***"),
            (true, true) => {}
        }
        hidden = is_star(c);
    }
    words
}

/// Whether a text says that it is a path: a bare name may be a secret.
pub(super) fn is_path_like(text: &str) -> bool {
    let absolute = text.strip_prefix('/').is_some_and(|rest| rest.contains('/'));
    absolute || text.starts_with("./") || text.starts_with("../")
}

/// A lone `${env:NAME}` or `${file:…}` without default says where a value is, not what it is. In place of a secret the name
/// must look like one, lest it is the secret that somebody wrote there.
fn is_reference(text: &str, show: Show) -> bool {
    let Some(inner) = text.strip_prefix("${").and_then(|inner| inner.strip_suffix('}')) else {
        return false;
    };
    match inner.split_once(':') {
        Some(("env", name)) => is_variable(name) && (!show.is_strict() || is_usual_variable(name)),
        Some(("file", path)) => {
            let is_plain = path.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'));
            is_plain && (!show.is_strict() || is_path_like(path))
        }
        _ => false,
    }
}

/// Whether an environment variable may have this name.
pub(super) fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether the name is in capitals, as names of variables are.
pub(super) fn is_usual_variable(name: &str) -> bool {
    is_variable(name) && !name.contains(|c: char| c.is_ascii_lowercase())
}

/// A URL, or its beginning, or its end.
fn url(text: &str) -> String {
    let (before, after) = text.split_at_checked(hidden_until(text)).unwrap_or(("", text));
    let scheme = before.find("://").map_or(0, |at| at + 3);
    let (scheme, user) = before.split_at_checked(scheme).unwrap_or(("", before));
    let mut shown = format!("{scheme}{}", stars(user));
    let (mut rest, mut last) = (after, None);
    loop {
        let end = rest.find(is_delimiter).unwrap_or(rest.len());
        let (piece, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let next = tail.chars().next();
        let name = next == Some('=') && last != Some('=') && is_key_like(piece);
        let harmless = last.is_none() || name || is_placeholder(piece);
        shown.push_str(&if harmless { piece.to_owned() } else { stars(piece) });
        let Some(c) = next else {
            return shown;
        };
        shown.push(c);
        last = next;
        rest = tail.get(c.len_utf8()..).unwrap_or_default();
    }
}

/// What a value may begin behind.
fn is_delimiter(c: char) -> bool {
    matches!(c, '?' | '&' | ';' | '#' | '=') || c.is_whitespace()
}

/// Up to the last `@`; all of it when what follows the name is no port: then an `@` may have been forgotten.
fn hidden_until(text: &str) -> usize {
    let scheme = text.find("://").map(|at| at + 3);
    if text.starts_with('/') && scheme.is_none() {
        return 0;
    }
    if let Some(at) = text.rfind('@') {
        // An `@` in a query ends no user-info, and what follows it is no host.
        let in_query = text.get(..at).is_some_and(|before| before.contains(is_delimiter));
        return if in_query { text.len() } else { at };
    }
    let rest = text.get(scheme.unwrap_or(0)..).unwrap_or_default();
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let literal = authority.strip_prefix('[').and_then(|literal| literal.split_once(']'));
    let port = match literal.filter(|(address, _)| address.parse::<Ipv6Addr>().is_ok()) {
        Some((_, "")) => None,
        Some((_, port)) => Some(port.strip_prefix(':').unwrap_or_default()),
        None => authority.split_once(':').map(|(_, port)| port),
    };
    match port {
        Some(port) if port.is_empty() || port.len() > 5 || !port.bytes().all(|b| b.is_ascii_digit()) => text.len(),
        _ => 0,
    }
}

/// `{id}` or `${env:NAME}` as a whole.
fn is_placeholder(piece: &str) -> bool {
    let name = piece.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(is_key_like) || is_reference(piece, Show::Never)
}

/// Whether a text may be the name of something.
pub(super) fn is_key_like(text: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@' | '$' | '#');
    !text.is_empty() && text.len() <= MAX_KEY && text.chars().all(fits)
}

/// How many bytes of a key may be shown: all, or what is before a `:` or `=` that should have separated it from its value.
pub(super) fn key_length(key: &str) -> usize {
    if is_key_like(key) || keys::is_known(key) {
        return key.len();
    }
    let word = key.split([':', '=', ' ', '\t']).next().unwrap_or_default();
    if is_key_like(word) { word.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(show: Show, text: &str) -> String {
        let shown = value(show, text);
        assert_eq!(shown.len(), text.len());
        in_words(&shown)
    }

    #[test]
    fn urls_lose_user_info_and_the_values_of_their_query() {
        for (text, expected) in [
            ("https://idp.example.com:8443/t/x", "https://idp.example.com:8443/t/x"),
            ("http://u:hunter2@up", "http://***@up"),
            ("u:hunter2@up", "***@up"),
            ("u:hunter2up", "***"),
            ("http://u:hunter2", "http://***"),
            ("http://[::1]:9000", "http://[::1]:9000"),
            ("https://idp/t?k=@hunter2", "https://***"),
            ("http://u:hunter2]up:80", "http://***"),
            ("http://[u:hunter2]:80", "http://***"),
            ("/users/@me", "/users/@me"),
            ("/x?apikey=hunter2&y=a b", "/x?apikey=***&y=*** ***"),
            ("/x?hunter2", "/x?***"),
            ("/x?k={id}&l=${env:K}&m=${env:K:-hunter2}", "/x?k={id}&l=${env:K}&m=***"),
            ("http://idp/t?client_secret=hun=ter2#x", "http://idp/t?client_secret=***=***#***"),
        ] {
            assert_eq!(shown(Show::Url, text), expected);
        }
    }

    #[test]
    fn words_are_shown_up_to_what_may_be_their_secret() {
        assert_eq!(shown(Show::Word, "Bearer hünter2"), "Bearer***");
        assert_eq!(shown(Show::Word, "Authorization: Bearer hunter2"), "Authorization***");
        assert_eq!(shown(Show::Never, "hunter2"), "***");
        assert_eq!(shown(Show::Path, "/run/secrets/x"), "/run/secrets/x");
        assert_eq!(shown(Show::Path, "hunter2.pem"), "***");
        assert_eq!(shown(Show::Never, "${env:SECRET}"), "${env:SECRET}");
        assert_eq!(shown(Show::Never, "${env:hunter2}"), "***");
        assert_eq!(shown(Show::Never, "${file:/run/x}"), "${file:/run/x}");
    }

    #[test]
    fn keys_end_where_their_value_begins() {
        assert_eq!(key_length("client_secrt"), 12);
        assert_eq!(key_length("client_secret:hunter2"), 13);
        assert_eq!(key_length("hunter2!"), 0);
    }
}
