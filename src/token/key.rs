//! The identity of a credential: a hash over everything that shapes its token, the secret included.
//!
//! Peers that left something out of this hash handed one tenant's token to another, so each field is named here and the
//! compiler complains when one is added and forgotten.

use crate::base::Secret;
use crate::base::jws::Algorithm;
use crate::config::model::{
    Assertion, BasicEncoding, ClientAuth, Credential, ProxyUrl, RequestFormat, Revocation, SecretMethod, SecretSource,
    TlsVersion, TokenEndpoint, Transport,
};
use aws_lc_rs::digest::{Context, SHA256};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// SHA-256 over a [`Credential`]. Equal keys share one token. What stands in a file counts by its path: it may change, and
/// the credential stays the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// The key of a credential.
    #[must_use]
    pub fn of(credential: &Credential) -> Self {
        let Credential {
            client_id,
            endpoint,
            scopes,
            audiences,
            resources,
            endpoint_params,
            request_format,
            request_headers,
            client_auth,
            transport,
            dpop,
            certificate_bound,
            timeout,
            default_ttl,
            scheme,
            revocation,
        } = credential;
        let mut hash = Fields(Context::new(&SHA256));
        hash.text(client_id);
        hash.endpoint(endpoint);
        // Scopes are a set (RFC 6749 §3.3): their order does not make another token.
        let mut sorted: Vec<&str> = scopes.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        hash.list(sorted.into_iter());
        hash.list(audiences.iter().map(String::as_str));
        hash.list(resources.iter().map(String::as_str));
        hash.count(endpoint_params.len());
        for (name, values) in endpoint_params {
            hash.text(name);
            hash.list(values.iter().map(Secret::expose));
        }
        hash.flag(*request_format == RequestFormat::Json);
        hash.count(request_headers.len());
        for (name, value) in request_headers {
            hash.text(name);
            hash.text(value.expose());
        }
        hash.client_auth(client_auth);
        hash.transport(transport);
        hash.flag(*dpop);
        hash.flag(*certificate_bound);
        hash.duration(Some(*timeout));
        hash.duration(*default_ttl);
        hash.list(scheme.as_deref().into_iter());
        match revocation {
            None => hash.text("keep"),
            Some(Revocation::Discovered) => hash.text("revoke"),
            Some(Revocation::Url(url)) => hash.list([url.as_str()].into_iter()),
        }
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

    fn flag(&mut self, flag: bool) {
        self.0.update(&[u8::from(flag)]);
    }

    fn count(&mut self, count: usize) {
        self.0.update(&(count as u64).to_le_bytes());
    }

    fn path(&mut self, path: &Path) {
        self.count(path.as_os_str().len());
        self.0.update(path.as_os_str().as_bytes());
    }

    fn endpoint(&mut self, endpoint: &TokenEndpoint) {
        match endpoint {
            TokenEndpoint::Url { text, url: _ } => {
                self.text("url");
                self.text(text);
            }
            TokenEndpoint::Issuer { text, url: _, insecure } => {
                self.text("issuer");
                self.text(text);
                self.flag(*insecure);
            }
        }
    }

    fn secrets(&mut self, secrets: &[SecretSource]) {
        self.count(secrets.len());
        for secret in secrets {
            match secret {
                SecretSource::Text(secret) => {
                    self.text("text");
                    self.text(secret.expose());
                }
                SecretSource::File(path) => {
                    self.text("file");
                    self.path(path);
                }
            }
        }
    }

    fn client_auth(&mut self, auth: &ClientAuth) {
        match auth {
            ClientAuth::Secret { secrets, method, encoding } => {
                self.text(match method {
                    SecretMethod::Auto => "auto",
                    SecretMethod::Basic => "basic",
                    SecretMethod::Post => "post",
                });
                self.flag(*encoding == BasicEncoding::Raw);
                self.secrets(secrets);
            }
            ClientAuth::Assertion(assertion) => self.assertion(assertion),
            ClientAuth::Certificate => self.text("certificate"),
            ClientAuth::InParams => self.text("params"),
            ClientAuth::None => self.text("none"),
        }
    }

    fn assertion(&mut self, assertion: &Assertion) {
        match assertion {
            Assertion::Secret { secrets, algorithm, audience } => {
                self.text("secret assertion");
                self.secrets(secrets);
                self.text(algorithm.name());
                self.list(audience.as_deref().into_iter());
            }
            Assertion::PrivateKey { file, key_id, algorithm, audience } => {
                self.text("key assertion");
                self.path(file);
                self.list(key_id.as_deref().into_iter());
                self.list(algorithm.map(Algorithm::name).into_iter());
                self.list(audience.as_deref().into_iter());
            }
            Assertion::File(path) => {
                self.text("assertion");
                self.path(path);
            }
        }
    }

    fn transport(&mut self, transport: &Transport) {
        let Transport { ca_file, client_certificate, min_version, proxy } = transport;
        self.count(usize::from(ca_file.is_some()));
        if let Some(path) = ca_file {
            self.path(path);
        }
        self.count(usize::from(client_certificate.is_some()));
        if let Some((chain, key)) = client_certificate {
            self.path(chain);
            self.path(key);
        }
        self.flag(*min_version == TlsVersion::Tls13);
        match proxy {
            ProxyUrl::None => self.text("direct"),
            ProxyUrl::Environment => self.text("environment"),
            ProxyUrl::Url(url) => self.list([url.expose()].into_iter()),
        }
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
    use crate::token::testing::{credential, with_secret};
    use std::path::PathBuf;
    use url::Url;

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
            |c| {
                c.client_auth = ClientAuth::Secret {
                    secrets: vec![SecretSource::Text(Secret::new("other"))],
                    method: SecretMethod::Auto,
                    encoding: BasicEncoding::Rfc6749,
                };
            },
            |c| {
                let url = Url::parse("https://idp.test/other").expect("a URL");
                c.endpoint = TokenEndpoint::Url { text: url.to_string(), url };
            },
            |c| {
                let url = Url::parse("https://idp.test/token").expect("a URL");
                c.endpoint = TokenEndpoint::Issuer { text: url.to_string(), url, insecure: false };
            },
            |c| c.scopes.push("s".into()),
            |c| c.audiences.push("a".into()),
            |c| c.resources.push("a".into()),
            |c| c.request_format = RequestFormat::Json,
            |c| drop(c.request_headers.insert("x-key".into(), Secret::new("k"))),
            |c| c.transport.ca_file = Some(PathBuf::from("ca.pem")),
            |c| c.transport.client_certificate = Some((PathBuf::from("c.pem"), PathBuf::from("c.key"))),
            |c| c.transport.min_version = TlsVersion::Tls13,
            |c| c.transport.proxy = ProxyUrl::Environment,
            |c| c.dpop = true,
            |c| c.certificate_bound = true,
            |c| c.revocation = Some(Revocation::Discovered),
            |c| c.client_auth = ClientAuth::Certificate,
            |c| c.client_auth = ClientAuth::Assertion(Assertion::File(PathBuf::from("a.jwt"))),
            |c| {
                c.endpoint_params.insert("audience".into(), vec![Secret::new("a")]);
            },
            |c| {
                c.endpoint_params.insert("audience".into(), vec![Secret::new("a"), Secret::new("b")]);
            },
            |c| {
                c.endpoint_params.insert("audience".into(), vec![Secret::new("ab")]);
            },
            |c| c.client_auth = with_secret(SecretMethod::Post, BasicEncoding::Rfc6749),
            |c| c.client_auth = with_secret(SecretMethod::Auto, BasicEncoding::Raw),
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
