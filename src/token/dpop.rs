//! Proof of possession (RFC 9449): the key that tokens are bound to, the proofs it signs, and the nonces that servers want
//! in them.

use crate::base::jws::{KeyError, SigningKey, base64url, sha256};
use crate::base::{Secret, random};
use arc_swap::ArcSwapOption;
use serde::Serialize;
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Longer nonces than this are not repeated to anybody.
const LONGEST_NONCE: usize = 1024;

/// The key of one credential. It lives as long as the process: whoever steals a token has no use for it elsewhere.
#[derive(Debug)]
pub struct DpopKey {
    key: SigningKey,
    /// `typ`, `alg` and the public key, encoded once.
    header: String,
    nonces: Mutex<HashMap<String, Arc<Nonce>>>,
}

/// The latest nonce of one origin (RFC 9449 §8, §9), if it has given one.
#[derive(Debug, Default)]
pub struct Nonce(ArcSwapOption<String>);

#[derive(Serialize)]
struct Claims<'a> {
    jti: String,
    htm: &'a str,
    htu: &'a str,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

impl DpopKey {
    /// A new key.
    ///
    /// # Errors
    /// If the system's random number generator fails.
    pub fn generate() -> Result<Self, KeyError> {
        let key = SigningKey::generate()?;
        let jwk = key.public_jwk().ok_or(KeyError::UnknownKind)?;
        let header = json!({ "typ": "dpop+jwt", "alg": key.algorithm().name(), "jwk": jwk });
        Ok(Self { header: base64url(header.to_string().as_bytes()), key, nonces: Mutex::default() })
    }

    /// The proof for one request; `None` if signing fails. `ath` is [`hash`] of the token that goes with it.
    ///
    /// It allocates some ten times and takes the time of a P-256 signature: only requests with a bound token pay that.
    #[must_use]
    pub fn proof(&self, htm: &str, htu: &str, ath: Option<&str>, nonce: &Nonce, now: SystemTime) -> Option<Secret> {
        let nonce = nonce.0.load();
        let jti: [u8; 16] = random::try_bytes()?;
        let claims = Claims {
            jti: base64url(&jti),
            htm,
            htu,
            iat: now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            ath,
            nonce: nonce.as_deref().map(String::as_str),
        };
        self.key.compact(&self.header, &claims)
    }

    /// Where the nonces of an origin are kept. The origins are those of the configuration.
    #[must_use]
    pub fn nonce(&self, origin: &str) -> Arc<Nonce> {
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        nonces.entry(origin.to_owned()).or_default().clone()
    }
}

impl Nonce {
    /// Keeps what the origin sent in `DPoP-Nonce`, if it can be sent back.
    pub fn keep(&self, nonce: &str) {
        let fits = !nonce.is_empty() && nonce.len() <= LONGEST_NONCE && nonce.bytes().all(|b| b.is_ascii_graphic());
        if fits && self.0.load().as_deref().is_none_or(|known| known != nonce) {
            self.0.store(Some(Arc::new(nonce.to_owned())));
        }
    }
}

/// `ath`: the hash of an access token.
#[must_use]
pub fn hash(token: &Secret) -> String {
    sha256(token.expose().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::jwt;

    #[test]
    fn a_proof_says_which_request_it_is_for_and_is_never_the_same() {
        let key = DpopKey::generate().expect("a key");
        let nonce = key.nonce("https://api.test");
        let now = UNIX_EPOCH + Duration::from_secs(7);
        let proof = || key.proof("GET", "https://api.test/x", Some("hash"), &nonce, now).expect("signed");
        let one = jwt::claims(proof().expose()).expect("a JWT");
        assert_eq!(
            (&one["htm"], &one["htu"], &one["ath"]),
            (&"GET".into(), &"https://api.test/x".into(), &"hash".into())
        );
        assert_eq!((&one["iat"], one.get("nonce")), (&7.into(), None));
        for sent in ["n-1", "", "a\r\nb", &"n".repeat(LONGEST_NONCE + 1)] {
            nonce.keep(sent);
        }
        let other = jwt::claims(proof().expose()).expect("a JWT");
        assert_eq!(other["nonce"], "n-1");
        assert_ne!(one["jti"], other["jti"]);
        assert!(Arc::ptr_eq(&nonce, &key.nonce("https://api.test")));
    }

    use std::time::Duration;
}
