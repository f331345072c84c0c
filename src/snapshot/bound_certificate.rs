//! The client certificate that an upstream is shown: the one that the current token is bound to (RFC 8705 §3), in the form
//! that Pingora wants it.
//!
//! It changes with the token when its files are replaced, so it is looked at for each attempt; making Pingora's form of it
//! is done once for each certificate.

use crate::base::ClientCertificate;
use crate::token::slot::TokenSlot;
use arc_swap::ArcSwapOption;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::utils::tls::CertKey;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// A credential's certificate for the peers of one backend.
pub struct BoundCertificate {
    slot: Arc<TokenSlot>,
    latest: ArcSwapOption<Converted>,
}

struct Converted {
    source: Arc<ClientCertificate>,
    pair: Arc<CertKey>,
    group: u64,
}

impl BoundCertificate {
    /// The certificate of a credential's tokens.
    #[must_use]
    pub fn of(slot: Arc<TokenSlot>) -> Self {
        Self { slot, latest: ArcSwapOption::empty() }
    }

    /// Lets a peer show it.
    pub fn show(&self, peer: &mut HttpPeer) {
        let token = self.slot.current();
        let Some(source) = token.as_ref().and_then(|token| token.certificate.as_ref()) else { return };
        let latest = self.latest.load();
        let converted = match latest.as_ref() {
            Some(latest) if Arc::ptr_eq(&latest.source, source) => latest.clone(),
            _ => self.convert(source),
        };
        // Pingora tells pooled connections apart by the certificate's serial number alone (`pingora-core/src/upstreams/
        // peer.rs`), which two authorities may both have given.
        peer.group_key = converted.group;
        peer.client_cert_key = Some(converted.pair.clone());
    }

    fn convert(&self, source: &Arc<ClientCertificate>) -> Arc<Converted> {
        let chain: Vec<Vec<u8>> = source.chain.iter().map(|der| der.to_vec()).collect();
        let mut hash = DefaultHasher::new();
        chain.hash(&mut hash);
        let pair = Arc::new(CertKey::new(chain, source.key().secret_der().to_vec()));
        let converted = Arc::new(Converted { source: source.clone(), pair, group: hash.finish() });
        self.latest.store(Some(converted.clone()));
        converted
    }
}

impl fmt::Debug for BoundCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundCertificate").field("credential", &self.slot.name).finish_non_exhaustive()
    }
}
