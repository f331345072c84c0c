//! The authorization server's answer (RFC 6749 §5): bytes to a [`Grant`], or the reason why it is none.
//!
//! The server is trusted with the secret, not with our memory or logs: the answer is bounded before it comes here, and of
//! an answer that is refused nothing is kept but the status and the OAuth error code.

use crate::base::Secret;
use crate::token::error::{FetchError, registered};
use serde_json::Value;
use std::time::Duration;

/// The largest answer that is read, in bytes.
pub const LARGEST_ANSWER: u64 = 64 * 1024;
/// The longest token, in bytes: more does not fit the header limits of common servers.
const LONGEST_TOKEN: usize = 16 * 1024;
/// The deepest JSON that is parsed.
const DEEPEST: usize = 32;
/// The longest list of scopes that is kept, in bytes. It is only shown to people.
const LONGEST_SCOPE: usize = 4 * 1024;

/// What the server granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Visible ASCII only, so that it can stand in a header.
    pub access_token: Secret,
    /// How the token is used.
    pub token_type: TokenType,
    /// `expires_in`.
    pub lifetime: Lifetime,
    /// `refresh_in`: when the server would like to be asked again (Microsoft's servers say it).
    pub refresh_in: Option<Duration>,
    /// `scope`: what was granted, if the server says.
    pub scope: Option<String>,
}

impl Grant {
    /// Those of the scopes that were asked for and not granted; none if the server says nothing, which means all of them
    /// (RFC 6749 §5.1).
    pub fn not_granted<'s>(&self, asked: &'s [String]) -> impl Iterator<Item = &'s str> {
        let granted: Option<Vec<&str>> = self.scope.as_ref().map(|scope| scope.split(' ').collect());
        let is_missing = move |scope: &&str| granted.as_ref().is_some_and(|granted| !granted.contains(scope));
        asked.iter().map(String::as_str).filter(is_missing)
    }
}

/// How a token is used (RFC 6749 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// RFC 6750: whoever has it may use it.
    Bearer,
    /// RFC 9449: only with a proof by the key it is bound to.
    Dpop,
}

impl TokenType {
    /// The scheme in `Authorization`.
    #[must_use]
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }
}

/// What the answer says of the token's lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// So long.
    Given(Duration),
    /// Zero or less: it is over before it begins.
    Over,
    /// Nothing, or nothing readable.
    Missing,
}

/// Reads the body of a whole answer; `wanted` is the type of token that was asked for.
///
/// # Errors
/// Whatever is wrong with it.
pub fn read(status: u16, retry_after: Option<Duration>, body: &[u8], wanted: TokenType) -> Result<Grant, FetchError> {
    match status {
        // 204 and 205 have no body by definition.
        200..=299 => granted(body, wanted),
        300..=399 => Err(FetchError::Redirect(status)),
        _ => {
            let code = object(body).ok().and_then(|answer| error_code(&answer));
            Err(FetchError::Status { status, code, retry_after })
        }
    }
}

fn granted(body: &[u8], wanted: TokenType) -> Result<Grant, FetchError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(FetchError::Empty);
    }
    let answer = object(body)?;
    if answer.get("error").is_some_and(|error| !error.is_null()) {
        return Err(FetchError::ErrorMember(error_code(&answer).unwrap_or("unreadable")));
    }
    let token = answer.get("access_token").and_then(Value::as_str).ok_or(FetchError::NoToken)?;
    if token.is_empty() {
        return Err(FetchError::NoToken);
    }
    if token.len() > LONGEST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(FetchError::BadToken);
    }
    let refresh_in = answer.get("refresh_in").and_then(seconds).filter(|seconds| *seconds > 0.0);
    Ok(Grant {
        access_token: Secret::new(token),
        token_type: token_type(&answer, wanted)?,
        lifetime: lifetime(answer.get("expires_in")),
        refresh_in: refresh_in.map(duration),
        scope: scope(&answer),
    })
}

/// RFC 6749 §5.1 requires `token_type`; servers that leave it out mean Bearer, as KrakenD takes it. A server that was asked
/// to bind a token and says `Bearer` did not do it (RFC 9449 §5); one that says `DPoP` unasked expects proofs we cannot give.
fn token_type(answer: &Value, wanted: TokenType) -> Result<TokenType, FetchError> {
    let is_wanted = match answer.get("token_type") {
        None | Some(Value::Null) => wanted == TokenType::Bearer,
        Some(Value::String(kind)) => kind.eq_ignore_ascii_case(wanted.scheme()),
        Some(_) => false,
    };
    if is_wanted { Ok(wanted) } else { Err(FetchError::TokenType(wanted.scheme())) }
}

/// A JSON object, if that is what the bytes are.
///
/// # Errors
/// [`FetchError::NotJson`].
pub fn object(body: &[u8]) -> Result<Value, FetchError> {
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

/// The `error` member: a code that somebody has registered, never a server's own words.
fn error_code(answer: &Value) -> Option<&'static str> {
    answer.get("error")?.as_str().map(registered)
}

/// Granted scopes as they may be shown: RFC 6749 §3.3 allows visible ASCII and blanks.
fn scope(answer: &Value) -> Option<String> {
    let scope = answer.get("scope")?.as_str()?;
    let fits = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    (scope.len() <= LONGEST_SCOPE && scope.bytes().all(fits)).then(|| scope.to_owned())
}

/// A number of seconds as integer, float or numeric text: servers send all three.
fn seconds(value: &Value) -> Option<f64> {
    let seconds: f64 = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    seconds.is_finite().then_some(seconds)
}

/// Past the bound that `schedule` applies anyway, so that no absurd number overflows a `Duration`.
fn duration(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, 1e9))
}

fn lifetime(expires_in: Option<&Value>) -> Lifetime {
    match expires_in.and_then(seconds) {
        None => Lifetime::Missing,
        Some(seconds) if seconds <= 0.0 => Lifetime::Over,
        Some(seconds) => Lifetime::Given(duration(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ok(body: &str) -> Result<Grant, FetchError> {
        read(200, None, body.as_bytes(), TokenType::Bearer)
    }

    fn expires(value: &str) -> Lifetime {
        ok(&format!(r#"{{"access_token":"t","token_type":"Bearer","expires_in":{value}}}"#)).expect("a grant").lifetime
    }

    fn after(millis: u64) -> Lifetime {
        Lifetime::Given(Duration::from_millis(millis))
    }

    #[test]
    fn a_textbook_answer_is_a_grant() {
        let grant =
            ok(r#"{"access_token":"abc.def","token_type":"bearer","expires_in":60,"scope":"a b","refresh_in":30}"#);
        let grant = grant.expect("a grant");
        assert!(!format!("{grant:?}").contains("abc.def"));
        let expected = Grant {
            access_token: Secret::new("abc.def"),
            token_type: TokenType::Bearer,
            lifetime: after(60_000),
            refresh_in: Some(Duration::from_secs(30)),
            scope: Some("a b".into()),
        };
        assert_eq!(grant, expected);
    }

    #[test]
    fn expires_in_may_be_integer_float_or_text() {
        assert_eq!(expires("60"), after(60_000));
        assert_eq!(expires("60.5"), after(60_500));
        assert_eq!(expires("\"60\""), after(60_000));
        assert_eq!(expires("-1"), Lifetime::Over);
        assert_eq!(expires("0"), Lifetime::Over);
        assert_eq!(expires("1e300"), Lifetime::Given(Duration::from_secs(1_000_000_000)));
        assert_eq!(expires("\"soon\""), Lifetime::Missing);
        assert_eq!(expires("null"), Lifetime::Missing);
    }

    #[test]
    fn what_is_no_token_answer_is_refused_with_its_reason() {
        let deep = format!(r#"{{"access_token":"t","x":{}{}}}"#, "[".repeat(40), "]".repeat(40));
        let not_bearer = FetchError::TokenType("Bearer");
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
            (r#"{"access_token":"t","token_type":"mac"}"#, not_bearer.clone()),
            (r#"{"access_token":"t","token_type":"DPoP"}"#, not_bearer.clone()),
            (r#"{"access_token":"t","token_type":7}"#, not_bearer),
            (r#"{"access_token":"t","error":"invalid_client"}"#, FetchError::ErrorMember("invalid_client")),
        ];
        for (body, reason) in cases {
            assert_eq!(ok(body), Err(reason), "{body}");
        }
        let long = format!(r#"{{"access_token":"{}"}}"#, "A".repeat(LONGEST_TOKEN + 1));
        assert_eq!(ok(&long), Err(FetchError::BadToken));
    }

    #[test]
    fn a_token_that_was_to_be_bound_must_be() {
        let dpop = |kind: &str| {
            let body = format!(r#"{{"access_token":"t","token_type":"{kind}"}}"#);
            read(200, None, body.as_bytes(), TokenType::Dpop).map(|grant| grant.token_type)
        };
        assert_eq!(dpop("dpop"), Ok(TokenType::Dpop));
        assert_eq!(dpop("Bearer"), Err(FetchError::TokenType("DPoP")));
        assert_eq!(read(200, None, br#"{"access_token":"t"}"#, TokenType::Dpop), Err(FetchError::TokenType("DPoP")));
    }

    #[test]
    fn error_statuses_keep_the_code_and_nothing_else() {
        let body = br#"{"error":"invalid_client","error_description":"secret hunter2 is wrong"}"#;
        let error = read(401, None, body, TokenType::Bearer).expect_err("refused");
        assert_eq!(error.to_string(), "status 401, error `invalid_client`");
        assert!(error.is_refusal() && error.is_client_unknown());
        assert_eq!(read(307, None, b"", TokenType::Bearer).expect_err("redirect"), FetchError::Redirect(307));
        let wait = Some(Duration::from_secs(7));
        let error = read(500, wait, b"<h1>oops</h1>", TokenType::Bearer).expect_err("failed");
        assert_eq!((error.to_string().as_str(), error.retry_after()), ("status 500", wait));
    }

    #[test]
    fn a_servers_own_words_are_in_no_log() {
        let error = read(400, None, br#"{"error":"x\nERROR forged"}"#, TokenType::Bearer).expect_err("refused");
        assert_eq!(error.to_string(), "status 400, error `unregistered`");
    }

    proptest! {
        /// The same as the fuzz target `token_answer`, on the toolchain that everybody has.
        #[test]
        fn any_answer_is_a_grant_that_fits_a_header_or_a_reason_that_fits_a_log(
            status in 100_u16..600,
            body in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..200),
                r#"\{"(access_token|error)":"[ -~é]{0,40}"(,"(token_type|expires_in|scope|refresh_in|error)":("[a-zA-Z0-9 ]{0,9}"|-?[0-9]{1,25}|null|\[\])){0,4}\}"#
                    .prop_map(String::into_bytes),
            ],
        ) {
            match read(status, None, &body, TokenType::Bearer) {
                Ok(grant) => {
                    prop_assert!(http::HeaderValue::from_str(grant.access_token.expose()).is_ok());
                    prop_assert!(grant.scope.is_none_or(|scope| scope.is_ascii()));
                }
                Err(reason) => {
                    let text = reason.to_string();
                    prop_assert!(text.is_ascii() && !text.contains(['\r', '\n']) && text.len() < 200, "{}", text);
                }
            }
        }
    }
}
