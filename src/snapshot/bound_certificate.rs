//! The client certificate that an upstream is shown: the one that the token is bound to (RFC 8705 §3), in the form that
//! Pingora wants it.
//!
//! It changes with the token when its files are replaced, so it is looked at for each attempt; making Pingora's form of it
//! is done once for each certificate.

use crate::base::ClientCertificate;
use crate::token::slot::Token;
use arc_swap::ArcSwapOption;
use log::error;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::utils::tls::CertKey;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic;
use std::sync::Arc;

/// The certificate that the peers of one backend were shown last.
#[derive(Default)]
pub struct BoundCertificate(ArcSwapOption<Converted>);

struct Converted {
    source: Arc<ClientCertificate>,
    /// `None` if Pingora cannot read it.
    pair: Option<Arc<CertKey>>,
    group: u64,
}

impl BoundCertificate {
    /// Lets a peer show the certificate of a token.
    pub fn show(&self, token: &Token, peer: &mut HttpPeer) {
        let Some(source) = &token.certificate else { return };
        let latest = self.0.load();
        let converted = match latest.as_ref() {
            Some(latest) if Arc::ptr_eq(&latest.source, source) => latest.clone(),
            _ => self.convert(source),
        };
        // Pingora tells pooled connections apart by the certificate's serial number alone (`pingora-core/src/upstreams/
        // peer.rs`), which two authorities may both have given. The rest of the profile still counts.
        peer.group_key = peer.group_key.rotate_left(1) ^ converted.group;
        peer.client_cert_key.clone_from(&converted.pair);
    }

    fn convert(&self, source: &Arc<ClientCertificate>) -> Arc<Converted> {
        let mut hash = DefaultHasher::new();
        source.chain.iter().for_each(|der| der.as_ref().hash(&mut hash));
        let pair = cert_key(source);
        if pair.is_none() {
            error!("a client certificate cannot be shown to upstreams: Pingora does not understand it");
        }
        let converted = Arc::new(Converted { source: source.clone(), pair, group: hash.finish() });
        self.0.store(Some(converted.clone()));
        converted
    }
}

/// The certificate in Pingora's form. Its parser is another than ours, and it panics over what it does not understand
/// (`CertKey::new`).
pub(super) fn cert_key(source: &ClientCertificate) -> Option<Arc<CertKey>> {
    let chain: Vec<Vec<u8>> = source.chain.iter().map(|der| der.to_vec()).collect();
    let key = source.key().secret_der().to_vec();
    panic::catch_unwind(move || Arc::new(CertKey::new(chain, key))).ok()
}

impl fmt::Debug for BoundCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundCertificate").finish_non_exhaustive()
    }
}
