//! Which certificate a client is shown: the one whose name it asks for (RFC 6066 §3).

use crate::base::x509;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::sync::Arc;

type Certificates = Vec<Arc<CertifiedKey>>;

/// The certificates of a listener, by their names.
#[derive(Debug)]
pub(super) struct Choice {
    /// All of them, for clients that ask for no name or for one that none of them has.
    all: Certificates,
    exact: HashMap<String, Certificates>,
    /// By what stands behind `*.`, which is one label and no more (RFC 9525 §6.3).
    wildcard: HashMap<String, Certificates>,
}

impl Choice {
    pub(super) fn new(all: Certificates) -> Self {
        let mut choice = Self { all: Vec::new(), exact: HashMap::new(), wildcard: HashMap::new() };
        for certificate in all {
            let fields = certificate.cert.first().and_then(|own| x509::read(own));
            for name in fields.map(|fields| fields.dns_names).unwrap_or_default() {
                let place = match name.strip_prefix("*.") {
                    Some(parent) => choice.wildcard.entry(parent.to_owned()),
                    None => choice.exact.entry(name),
                };
                place.or_default().push(certificate.clone());
            }
            choice.all.push(certificate);
        }
        choice
    }

    /// Those that have a name, in lower case; a name of its own is better than a wildcard.
    fn of_name(&self, name: &str) -> Option<&Certificates> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let wildcard = || self.wildcard.get(name.split_once('.')?.1);
        self.exact.get(name).or_else(wildcard)
    }
}

impl ResolvesServerCert for Choice {
    /// Of several it is the first whose key the client can verify: one may have a certificate for ECDSA and one for RSA.
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = client.server_name().and_then(|name| self.of_name(name)).unwrap_or(&self.all);
        let fits = |one: &&Arc<CertifiedKey>| one.key.choose_scheme(client.signature_schemes()).is_some();
        named.iter().find(fits).or_else(|| named.first()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::certificate::certified;
    use rcgen::{CertificateParams, KeyPair};

    fn choice(certificates: &[&[&str]]) -> Choice {
        let certificates = certificates.iter().map(|names| {
            let key = KeyPair::generate().unwrap();
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let own = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
            Arc::new(certified(own.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap())
        });
        Choice::new(certificates.collect())
    }

    #[test]
    fn a_name_leads_to_its_certificate_and_a_wildcard_stands_for_one_label() {
        let choice = choice(&[&["a.test", "b.test"], &["*.a.test"], &["exact.a.test"]]);
        let place = |name: &str| {
            let found = choice.of_name(name)?.first()?;
            choice.all.iter().position(|one| Arc::ptr_eq(one, found))
        };
        for (name, expected) in [
            ("a.test", Some(0)),
            ("b.test", Some(0)),
            ("b.test.", Some(0)),
            ("x.a.test", Some(1)),
            ("exact.a.test", Some(2)),
            ("x.y.a.test", None),
            ("x.b.test", None),
            ("test", None),
            ("", None),
        ] {
            assert_eq!(place(name), expected, "{name}");
        }
    }
}
