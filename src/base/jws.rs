//! Signed JSON in compact form (RFC 7515): the keys that sign, and the signing.
//!
//! Only signing: porteur proves who it is with these. It is written on `aws-lc-rs`, which TLS brings along, because a proof of
//! possession (RFC 9449) is signed for every upstream request and the key should be parsed once, not each time.

use crate::base::Secret;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt;

/// A signature algorithm (RFC 7518 §3.1, RFC 8037, RFC 9864).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the registry's")]
pub enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Ps256,
    Es256,
    Es384,
    /// Ed25519 under its first name, which most servers know.
    EdDsa,
    /// The same under the name of RFC 9864.
    Ed25519,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Ps256,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
        Self::Ed25519,
    ];

    /// As `alg` spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
            Self::Ed25519 => "Ed25519",
        }
    }

    /// The algorithm of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Whether both sides have the same key.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }
}

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No `BEGIN PRIVATE KEY` or its kin; also an encrypted one.
    #[error("it holds no unencrypted PEM private key")]
    NoKey,
    /// Neither RSA of 2048 bits and more, nor P-256, P-384 or Ed25519.
    #[error("its key is neither RSA (2048 bits or more), P-256, P-384 nor Ed25519")]
    UnknownKind,
    /// The key is good, for something else.
    #[error("its key is of the kind {key}, which does not sign {}", .algorithm.name())]
    OtherKind {
        /// What it is.
        key: &'static str,
        /// What it should have signed.
        algorithm: Algorithm,
    },
    /// The system's random number generator failed.
    #[error("the system's random number generator failed")]
    Random,
}

/// A private key that signs. It cannot be seen.
pub struct SigningKey {
    kind: Kind,
    algorithm: Algorithm,
}

enum Kind {
    Shared(Box<hmac::Key>),
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Kind {
    const fn name(&self) -> &'static str {
        match self {
            Self::Shared(_) => "shared secret",
            Self::Rsa(_) => "RSA",
            Self::P256(_) => "P-256",
            Self::P384(_) => "P-384",
            Self::Ed25519(_) => "Ed25519",
        }
    }

    const fn usual(&self) -> Algorithm {
        match self {
            Self::Shared(_) => Algorithm::Hs256,
            Self::Rsa(_) => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::P384(_) => Algorithm::Es384,
            Self::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    const fn signs(&self, algorithm: Algorithm) -> bool {
        matches!(
            (self, algorithm),
            (Self::Shared(_), Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512)
                | (Self::Rsa(_), Algorithm::Rs256 | Algorithm::Ps256)
                | (Self::P256(_), Algorithm::Es256)
                | (Self::P384(_), Algorithm::Es384)
                | (Self::Ed25519(_), Algorithm::EdDsa | Algorithm::Ed25519)
        )
    }
}

impl SigningKey {
    /// A key from a PEM file (PKCS#8, PKCS#1 or SEC 1) for an algorithm; without one, for the usual one of its kind.
    ///
    /// # Errors
    /// If there is no key in it, or none that signs this algorithm.
    pub fn from_pem(pem: &[u8], algorithm: Option<Algorithm>) -> Result<Self, KeyError> {
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| KeyError::NoKey)?;
        let kind = parse(&der).ok_or(KeyError::UnknownKind)?;
        let algorithm = algorithm.unwrap_or_else(|| kind.usual());
        if !kind.signs(algorithm) {
            return Err(KeyError::OtherKind { key: kind.name(), algorithm });
        }
        Ok(Self { kind, algorithm })
    }

    /// A shared secret as key (`client_secret_jwt`). An algorithm that is not symmetric counts as HS256.
    #[must_use]
    pub fn shared(secret: &Secret, algorithm: Algorithm) -> Self {
        let hash = match algorithm {
            Algorithm::Hs384 => hmac::HMAC_SHA384,
            Algorithm::Hs512 => hmac::HMAC_SHA512,
            _ => hmac::HMAC_SHA256,
        };
        let algorithm = if algorithm.is_symmetric() { algorithm } else { Algorithm::Hs256 };
        Self { kind: Kind::Shared(Box::new(hmac::Key::new(hash, secret.expose().as_bytes()))), algorithm }
    }

    /// A new P-256 key, which nobody else has.
    ///
    /// # Errors
    /// If the system's random number generator fails.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| KeyError::Random)?;
        Ok(Self { kind: Kind::P256(pair), algorithm: Algorithm::Es256 })
    }

    /// What it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half as a JWK (RFC 7517) with its required members only, as its thumbprint (RFC 7638) wants them; `None`
    /// for kinds that porteur never shows: those others than P-256.
    #[must_use]
    pub fn public_jwk(&self) -> Option<Value> {
        let Kind::P256(pair) = &self.kind else { return None };
        // SEC 1 §2.3.3: 0x04, then both coordinates of 32 bytes.
        let point = pair.public_key().as_ref().get(1..)?;
        let (x, y) = point.split_at_checked(32)?;
        Some(json!({ "crv": "P-256", "kty": "EC", "x": base64url(x), "y": base64url(y) }))
    }

    /// Signs what a compact serialisation covers.
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.kind {
            Kind::Shared(key) => Some(hmac::sign(key, message).as_ref().to_vec()),
            Kind::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let encoding: &dyn signature::RsaEncoding = match self.algorithm {
                    Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                pair.sign(encoding, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Kind::P256(pair) | Kind::P384(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Kind::Ed25519(pair) => Some(pair.try_sign(message).ok()?.as_ref().to_vec()),
        }
    }

    /// The compact serialisation of claims under a header that was encoded before; `None` if signing fails.
    #[must_use]
    pub fn compact(&self, header: &str, claims: &impl Serialize) -> Option<Secret> {
        let mut text = String::with_capacity(1024);
        text.push_str(header);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(claims).ok()?, &mut text);
        let signature = self.sign(text.as_bytes())?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Some(Secret::new(text))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

fn parse(der: &PrivateKeyDer<'_>) -> Option<Kind> {
    let bytes = der.secret_der();
    let curves = [&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &signature::ECDSA_P384_SHA384_FIXED_SIGNING];
    match der {
        PrivateKeyDer::Pkcs1(_) => RsaKeyPair::from_der(bytes).ok().map(rsa),
        PrivateKeyDer::Sec1(_) => {
            curves.into_iter().find_map(|curve| EcdsaKeyPair::from_private_key_der(curve, bytes).ok()).map(ec)
        }
        _ => None
            .or_else(|| RsaKeyPair::from_pkcs8(bytes).ok().map(rsa))
            .or_else(|| curves.into_iter().find_map(|curve| EcdsaKeyPair::from_pkcs8(curve, bytes).ok()).map(ec))
            .or_else(|| Ed25519KeyPair::from_pkcs8(bytes).ok().map(Kind::Ed25519)),
    }
}

fn rsa(pair: RsaKeyPair) -> Kind {
    Kind::Rsa(Box::new(pair))
}

fn ec(pair: EcdsaKeyPair) -> Kind {
    if *pair.algorithm() == signature::ECDSA_P384_SHA384_FIXED_SIGNING { Kind::P384(pair) } else { Kind::P256(pair) }
}

/// Base64url without padding, as JOSE uses it throughout.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of such a text, if it is one.
#[must_use]
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// SHA-256 in base64url: thumbprints and `ath`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    base64url(digest::digest(&digest::SHA256, bytes).as_ref())
}
