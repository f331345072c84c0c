//! What a token says about itself, if it is a JWT: read, never verified.
//!
//! An access token is for the upstream; its content is none of our business (RFC 9068 §6 says so of clients). Two uses are
//! harmless: `exp` as a hint where the server does not say how long a token lives, and showing claims to the person who
//! asked for the token.

use crate::base::jws::from_base64url;
use crate::token::answer;
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The claims; `None` if the token is not a signed JWT.
#[must_use]
pub fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    answer::object(&from_base64url(payload)?).ok()
}

/// Until `exp`, counted from `now`; `None` if there is none, or it has passed.
#[must_use]
pub fn lives_for(token: &str, now: SystemTime) -> Option<Duration> {
    let exp = claims(token)?.get("exp")?.as_f64()?;
    let end = UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(exp).ok()?)?;
    end.duration_since(now).ok().filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::jws::base64url;

    fn token(claims: &str) -> String {
        format!("{}.{}.c2ln", base64url(b"{}"), base64url(claims.as_bytes()))
    }

    #[test]
    fn exp_is_a_hint_only_where_it_can_be_one() {
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        assert_eq!(lives_for(&token(r#"{"exp":1060}"#), now), Some(Duration::from_secs(60)));
        for claims in [r#"{"exp":1000}"#, r#"{"exp":-5}"#, r#"{"exp":1e300}"#, r#"{"exp":"soon"}"#, "{}", "[]", "x"] {
            assert_eq!(lives_for(&token(claims), now), None, "{claims}");
        }
        for opaque in ["", "abc", "a.b", "a.b.c", "a.b.c.d", "..", "!.!.!"] {
            assert_eq!(claims(opaque), None, "{opaque}");
        }
    }
}
