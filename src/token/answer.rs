//! The authorization server's answer (RFC 6749 §5): bytes to a [`Grant`], or the reason why it is none.
//!
//! The server is trusted with the secret, not with our memory or logs: the answer is bounded before it comes here, and of
//! an answer that is refused nothing is kept but the status and the OAuth error code.

use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// The largest answer that is read, in bytes.
pub const LARGEST_ANSWER: u64 = 64 * 1024;
/// The longest token, in bytes: more does not fit the header limits of common servers.
const LONGEST_TOKEN: usize = 16 * 1024;
/// The deepest JSON that is parsed.
const DEEPEST: usize = 32;

/// What the server granted.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    /// Visible ASCII only, so that it can stand in a header.
    pub access_token: String,
    /// `expires_in`, when the answer had a usable one.
    pub expires_in: Option<Duration>,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("access_token", &"[redacted]").field("expires_in", &self.expires_in).finish()
    }
}

/// Why there is no grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No answer within the credential's timeout.
    #[error("no answer in time")]
    Timeout,
    /// The connection could not be made or broke; the text names the kind only.
    #[error("connection failed: {0}")]
    Transport(String),
    /// A redirect, which is never followed: it could carry the secret to another host.
    #[error("redirected with status {0}")]
    Redirect(u16),
    /// A status that is not 2xx.
    #[error("status {status}{}", code_suffix(.code.as_deref()))]
    Status {
        /// The status.
        status: u16,
        /// The `error` member, if the body had a well-formed one.
        code: Option<String>,
    },
    /// A 2xx answer with an `error` member.
    #[error("error `{0}` in a successful answer")]
    ErrorMember(String),
    /// More than [`LARGEST_ANSWER`].
    #[error("answer larger than 64 KiB")]
    TooLarge,
    /// No body.
    #[error("empty answer")]
    Empty,
    /// Not a JSON object, or one too deep.
    #[error("answer is not a JSON object")]
    NotJson,
    /// No `access_token`, or not a text.
    #[error("answer has no `access_token`")]
    NoToken,
    /// A token that cannot stand in a header.
    #[error("`access_token` has characters or a length that no header can carry")]
    BadToken,
    /// A `token_type` we do not know how to use.
    #[error("`token_type` is not Bearer")]
    TokenType,
    /// The fetch panicked; the loop that owns it goes on.
    #[error("internal fault")]
    Panicked,
}

fn code_suffix(code: Option<&str>) -> String {
    code.map(|code| format!(", error `{code}`")).unwrap_or_default()
}

impl FetchError {
    /// The value of the metric's `result` label.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Transport(_) => "transport",
            Self::Redirect(_) => "redirect",
            Self::Status { .. } => "status",
            Self::ErrorMember(_) => "error_member",
            Self::TooLarge => "too_large",
            Self::Empty => "empty",
            Self::NotJson => "not_json",
            Self::NoToken => "no_token",
            Self::BadToken => "bad_token",
            Self::TokenType => "token_type",
            Self::Panicked => "panicked",
        }
    }

    /// Whether the server refused the client or its request, so that the same request will not soon succeed.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Status { status: 401 | 403, .. } => true,
            Self::Status { status: 400, code: Some(code) } | Self::ErrorMember(code) => {
                matches!(code.as_str(), "invalid_client" | "unauthorized_client" | "invalid_scope" | "invalid_request")
            }
            _ => false,
        }
    }

    /// Whether the server did not recognise the client, so that another way of authenticating is worth one try. Servers
    /// that do not read Basic answer 401, or a 400 that misses `client_id` or calls the request invalid.
    #[must_use]
    pub fn is_client_unknown(&self) -> bool {
        match self {
            Self::Status { status: 401, .. } => true,
            Self::Status { status: 400, code: Some(code) } | Self::ErrorMember(code) => {
                matches!(code.as_str(), "invalid_client" | "invalid_request")
            }
            _ => false,
        }
    }
}

/// Reads a whole answer.
///
/// # Errors
/// Whatever is wrong with it.
pub fn read(status: u16, body: &[u8]) -> Result<Grant, FetchError> {
    match status {
        200..=299 => granted(body),
        300..=399 => Err(FetchError::Redirect(status)),
        _ => Err(FetchError::Status { status, code: parse(body).ok().and_then(|answer| error_code(&answer)) }),
    }
}

fn granted(body: &[u8]) -> Result<Grant, FetchError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(FetchError::Empty);
    }
    let answer = parse(body)?;
    if answer.get("error").is_some_and(|error| !error.is_null()) {
        return Err(FetchError::ErrorMember(error_code(&answer).unwrap_or_else(|| "unreadable".to_owned())));
    }
    let token = answer.get("access_token").and_then(Value::as_str).ok_or(FetchError::NoToken)?;
    if token.is_empty() {
        return Err(FetchError::NoToken);
    }
    if token.len() > LONGEST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(FetchError::BadToken);
    }
    // RFC 6749 §5.1 requires `token_type`; servers that leave it out mean Bearer, as KrakenD takes it.
    match answer.get("token_type") {
        None | Some(Value::Null) => {}
        Some(Value::String(kind)) if kind.eq_ignore_ascii_case("bearer") => {}
        Some(_) => return Err(FetchError::TokenType),
    }
    Ok(Grant { access_token: token.to_owned(), expires_in: answer.get("expires_in").and_then(lifetime) })
}

fn parse(body: &[u8]) -> Result<Value, FetchError> {
    if depth(body) > DEEPEST {
        return Err(FetchError::NotJson);
    }
    serde_json::from_slice(body).ok().filter(Value::is_object).ok_or(FetchError::NotJson)
}

/// The deepest nesting of brackets outside strings.
fn depth(body: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in body {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The `error` member, if it is the short word it should be: it goes into logs, so a server cannot write lines there.
fn error_code(answer: &Value) -> Option<String> {
    let code = answer.get("error")?.as_str()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (!code.is_empty() && code.len() <= 64 && code.bytes().all(plain)).then(|| code.to_owned())
}

/// `expires_in` as integer, float or numeric text: servers send all three. Negative and zero count as no time at all.
fn lifetime(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    // Past the bound that `schedule` applies anyway, so that no absurd number overflows a `Duration`.
    seconds.is_finite().then(|| Duration::from_secs_f64(seconds.clamp(0.0, 1e9)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(body: &str) -> Result<Grant, FetchError> {
        read(200, body.as_bytes())
    }

    fn expires(value: &str) -> Option<Duration> {
        ok(&format!(r#"{{"access_token":"t","token_type":"Bearer","expires_in":{value}}}"#))
            .expect("a grant")
            .expires_in
    }

    #[test]
    fn a_textbook_answer_is_a_grant() {
        let grant =
            ok(r#"{"access_token":"abc.def","token_type":"bearer","expires_in":60,"scope":"a"}"#).expect("a grant");
        assert_eq!(grant, Grant { access_token: "abc.def".into(), expires_in: Some(Duration::from_secs(60)) });
        assert!(!format!("{grant:?}").contains("abc.def"));
    }

    #[test]
    fn expires_in_may_be_integer_float_or_text() {
        assert_eq!(expires("60"), Some(Duration::from_secs(60)));
        assert_eq!(expires("60.5"), Some(Duration::from_millis(60_500)));
        assert_eq!(expires("\"60\""), Some(Duration::from_secs(60)));
        assert_eq!(expires("-1"), Some(Duration::ZERO));
        assert_eq!(expires("1e300"), Some(Duration::from_secs(1_000_000_000)));
        assert_eq!(expires("\"soon\""), None);
        assert_eq!(expires("null"), None);
    }

    #[test]
    fn what_is_no_token_answer_is_refused_with_its_reason() {
        let deep = format!(r#"{{"access_token":"t","x":{}{}}}"#, "[".repeat(40), "]".repeat(40));
        let cases = [
            ("", FetchError::Empty),
            ("  \r\n", FetchError::Empty),
            ("<html>login</html>", FetchError::NotJson),
            ("[]", FetchError::NotJson),
            (r#"{"access_token":"#, FetchError::NotJson),
            (deep.as_str(), FetchError::NotJson),
            ("{}", FetchError::NoToken),
            (r#"{"access_token":null}"#, FetchError::NoToken),
            (r#"{"access_token":""}"#, FetchError::NoToken),
            (r#"{"access_token":["t"]}"#, FetchError::NoToken),
            (r#"{"access_token":"a\r\nX-Injected: 1"}"#, FetchError::BadToken),
            (r#"{"access_token":"a b"}"#, FetchError::BadToken),
            (r#"{"access_token":"é"}"#, FetchError::BadToken),
            (r#"{"access_token":"t","token_type":"mac"}"#, FetchError::TokenType),
            (r#"{"access_token":"t","token_type":"DPoP"}"#, FetchError::TokenType),
            (r#"{"access_token":"t","token_type":7}"#, FetchError::TokenType),
            (r#"{"access_token":"t","error":"invalid_client"}"#, FetchError::ErrorMember("invalid_client".into())),
        ];
        for (body, reason) in cases {
            assert_eq!(ok(body), Err(reason), "{body}");
        }
        let long = format!(r#"{{"access_token":"{}"}}"#, "A".repeat(LONGEST_TOKEN + 1));
        assert_eq!(ok(&long), Err(FetchError::BadToken));
    }

    #[test]
    fn error_statuses_keep_the_code_and_nothing_else() {
        let body = br#"{"error":"invalid_client","error_description":"secret hunter2 is wrong"}"#;
        let error = read(401, body).expect_err("refused");
        assert_eq!(error.to_string(), "status 401, error `invalid_client`");
        assert!(error.is_refusal() && error.is_client_unknown());
        assert_eq!(read(307, b"").expect_err("redirect"), FetchError::Redirect(307));
        assert_eq!(read(500, b"<h1>oops</h1>").expect_err("failed").to_string(), "status 500");
    }

    #[test]
    fn an_error_code_cannot_write_lines_into_a_log() {
        let error = read(400, br#"{"error":"x\nERROR forged"}"#).expect_err("refused");
        assert_eq!(error.to_string(), "status 400");
    }
}
