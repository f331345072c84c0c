//! All credentials of a configuration, each with the one slot that every backend with an equal credential shares.

use crate::config::model::{Credential, Model, TokenPolicy};
use crate::token::key::TokenKey;
use crate::token::slot::TokenSlot;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A credential with the place where its token is published.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What to ask for.
    pub credential: Arc<Credential>,
    /// Where to publish it.
    pub slot: Arc<TokenSlot>,
}

/// The entries of one configuration by their identity.
#[derive(Debug, Default)]
pub struct TokenTable {
    entries: BTreeMap<TokenKey, Entry>,
}

impl TokenTable {
    /// Collects the distinct credentials of a configuration. A credential is required as soon as one backend says so.
    #[must_use]
    pub fn of(model: &Model) -> Self {
        let policies = || model.endpoints.iter().filter_map(|endpoint| endpoint.backend.token.as_ref());
        let mut names = Names::default();
        let mut entries = BTreeMap::new();
        for policy in policies() {
            let key = TokenKey::of(&policy.credential);
            entries.entry(key).or_insert_with(|| {
                let required = policies().any(|other| other.required && TokenKey::of(&other.credential) == key);
                let slot = TokenSlot::new(key, names.pick(&policy.credential), required);
                Entry { credential: policy.credential.clone(), slot: Arc::new(slot) }
            });
        }
        Self { entries }
    }

    /// The slot of a policy's credential; there is one for every policy of the model the table was made of.
    #[must_use]
    pub fn slot(&self, policy: &TokenPolicy) -> Option<&Arc<TokenSlot>> {
        self.entries.get(&TokenKey::of(&policy.credential)).map(|entry| &entry.slot)
    }

    /// All entries, in the order of their keys.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// All slots.
    pub fn slots(&self) -> impl Iterator<Item = &Arc<TokenSlot>> {
        self.entries.values().map(|entry| &entry.slot)
    }
}

/// Names for logs and metrics: `client_id@host`, and a number where several credentials have that. Nothing of the key: it
/// is a hash of the secret, too, and a name must not let anybody test guesses.
#[derive(Default)]
struct Names(HashMap<String, u32>);

impl Names {
    fn pick(&mut self, credential: &Credential) -> String {
        let host = credential.token_url.host_str().unwrap_or_default();
        let name = format!("{}@{host}", credential.client_id);
        let count = self.0.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name}#{count}") }
    }
}
