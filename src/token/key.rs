//! The identity of a credential: a hash over everything that shapes its token, the secret included.
//!
//! Peers that left something out of this hash handed one tenant's token to another, so each field is named here and the
//! compiler complains when one is added and forgotten.

use crate::config::model::{ClientAuth, Credential};
use aws_lc_rs::digest::{Context, SHA256};
use std::fmt;
use std::time::Duration;

/// SHA-256 over a [`Credential`]. Equal keys share one token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// The key of a credential.
    #[must_use]
    pub fn of(credential: &Credential) -> Self {
        let Credential {
            client_id,
            client_secret,
            token_url,
            scopes,
            endpoint_params,
            client_auth,
            timeout,
            default_ttl,
            scheme,
        } = credential;
        let mut hash = Fields(Context::new(&SHA256));
        hash.text(client_id);
        hash.text(client_secret.expose());
        hash.text(token_url.as_str());
        // Scopes are a set (RFC 6749 §3.3): their order does not make another token.
        let mut sorted: Vec<&str> = scopes.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        hash.list(sorted.into_iter());
        for (name, values) in endpoint_params {
            hash.text(name);
            hash.list(values.iter().map(crate::base::Secret::expose));
        }
        hash.text(match client_auth {
            ClientAuth::Auto => "auto",
            ClientAuth::Basic => "basic",
            ClientAuth::Post => "post",
            ClientAuth::InParams => "params",
            ClientAuth::None => "none",
        });
        hash.duration(Some(*timeout));
        hash.duration(*default_ttl);
        hash.list(scheme.as_deref().into_iter());
        hash.finish()
    }
}

/// Feeds fields with their lengths, so that no two sequences of fields run together into the same bytes.
struct Fields(Context);

impl Fields {
    fn text(&mut self, text: &str) {
        self.0.update(&(text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
    }

    fn list<'a>(&mut self, items: impl ExactSizeIterator<Item = &'a str>) {
        self.0.update(&(items.len() as u64).to_le_bytes());
        items.for_each(|item| self.text(item));
    }

    fn duration(&mut self, duration: Option<Duration>) {
        // No configured duration reaches u128::MAX nanoseconds.
        self.0.update(&duration.map_or(u128::MAX, |d| d.as_nanos()).to_le_bytes());
    }

    fn finish(self) -> TokenKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.finish().as_ref());
        TokenKey(key)
    }
}

/// Not the hash: it covers the secret, and whoever reads it could test guesses.
impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;
    use crate::token::testing::credential;

    #[test]
    fn equal_credentials_have_equal_keys_whatever_the_order_of_their_scopes() {
        let mut one = credential();
        let mut other = credential();
        one.scopes = vec!["a".into(), "b".into()];
        other.scopes = vec!["b".into(), "a".into()];
        assert!(TokenKey::of(&one) == TokenKey::of(&other));
    }

    #[test]
    fn every_field_that_shapes_a_token_changes_the_key() {
        let changes: Vec<fn(&mut Credential)> = vec![
            |c| c.client_id.push('x'),
            |c| c.client_secret = Secret::new("other"),
            |c| c.token_url.set_path("/other"),
            |c| c.scopes.push("s".into()),
            |c| {
                c.endpoint_params.insert("audience".into(), vec![Secret::new("a")]);
            },
            |c| {
                c.endpoint_params.insert("audience".into(), vec![Secret::new("a"), Secret::new("b")]);
            },
            |c| {
                c.endpoint_params.insert("audience".into(), vec![Secret::new("ab")]);
            },
            |c| c.client_auth = ClientAuth::Post,
            |c| c.timeout += Duration::from_secs(1),
            |c| c.default_ttl = None,
            |c| c.scheme = Some("Token".into()),
        ];
        let mut keys = vec![TokenKey::of(&credential())];
        for change in changes {
            let mut other = credential();
            change(&mut other);
            keys.push(TokenKey::of(&other));
        }
        let count = keys.len();
        keys.sort();
        keys.dedup();
        assert!(keys.len() == count, "two different credentials share a key");
    }
}
