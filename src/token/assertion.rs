//! Assertions by which a client authenticates (RFC 7523 §2.2 and §3): new for each request, short-lived, for one server.

use crate::base::jws::{Algorithm, SigningKey, base64url};
use crate::base::{Secret, random};
use crate::config::model::{Assertion, Credential};
use crate::token::error::FetchError;
use crate::token::material::Material;
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `client_assertion_type` of every assertion here.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How long an assertion is valid: long enough for a slow server and clocks that differ, too short to be worth stealing.
const VALID: Duration = Duration::from_secs(60);

/// The assertion for one request. `server` names the authorization server: its issuer where that is known, else its token
/// endpoint (RFC 7523 §3 allows both; the issuer alone cannot be confused with another server's endpoint).
///
/// # Errors
/// [`FetchError::Material`] if there is no key to sign it with, or no randomness.
pub fn make(
    assertion: &Assertion,
    credential: &Credential,
    material: &Material,
    secret: usize,
    server: &str,
    now: SystemTime,
) -> Result<Secret, FetchError> {
    let (key, key_id, audience) = match assertion {
        Assertion::File(_) => {
            return material.assertion.clone().ok_or_else(|| failed("there is no assertion"));
        }
        Assertion::Secret { algorithm, audience, .. } => {
            let secret = material.secrets.get(secret).ok_or_else(|| failed("there is no secret"))?;
            (SigningKey::shared(secret, *algorithm), None, audience)
        }
        Assertion::PrivateKey { algorithm, key_id, audience, .. } => {
            (private_key(material, *algorithm)?, key_id.as_deref(), audience)
        }
    };
    let mut header = json!({ "alg": key.algorithm().name(), "typ": "JWT" });
    if let (Some(key_id), Some(header)) = (key_id, header.as_object_mut()) {
        header.insert("kid".to_owned(), key_id.into());
    }
    let issued = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let jti: [u8; 16] = random::try_bytes().ok_or_else(|| failed("the system's random number generator failed"))?;
    let claims = json!({
        "iss": credential.client_id,
        "sub": credential.client_id,
        "aud": audience.as_deref().unwrap_or(server),
        "jti": base64url(&jti),
        "iat": issued.as_secs(),
        "exp": (issued + VALID).as_secs(),
    });
    let header = base64url(header.to_string().as_bytes());
    key.compact(&header, &claims).ok_or_else(|| failed("signing failed"))
}

fn private_key(material: &Material, algorithm: Option<Algorithm>) -> Result<SigningKey, FetchError> {
    let pem = material.private_key.as_ref().ok_or_else(|| failed("there is no key"))?;
    SigningKey::from_pem(pem.expose().as_bytes(), algorithm)
        .map_err(|why| FetchError::Material(format!("the `private_key_file` cannot be used: {why}")))
}

fn failed(why: &str) -> FetchError {
    FetchError::Material(format!("no assertion: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::SecretSource;
    use crate::token::jwt;
    use crate::token::material::TlsFiles;
    use crate::token::testing::credential;

    fn assertion(audience: Option<&str>) -> String {
        let secrets = vec![SecretSource::Text(Secret::new("s"))];
        let assertion = Assertion::Secret { secrets, algorithm: Algorithm::Hs384, audience: audience.map(Into::into) };
        let material =
            Material { secrets: vec![Secret::new("s")], private_key: None, assertion: None, tls: TlsFiles::default() };
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        make(&assertion, &credential(), &material, 0, "https://idp.test", now).expect("signed").expose().to_owned()
    }

    #[test]
    fn an_assertion_is_short_lived_for_one_server_and_never_the_same() {
        let (one, other) = (assertion(None), assertion(None));
        let claims = jwt::claims(&one).expect("a JWT");
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("client"), &json!("client")));
        assert_eq!(claims["aud"], "https://idp.test");
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1_000_000), &json!(1_000_060)));
        assert_ne!(claims["jti"], jwt::claims(&other).expect("a JWT")["jti"]);
        assert_eq!(jwt::claims(&assertion(Some("urn:other"))).expect("a JWT")["aud"], "urn:other");
    }
}
