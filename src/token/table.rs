//! All credentials of a configuration, each with the one slot that every backend with an equal credential shares.

use crate::base::jws::KeyError;
use crate::config::model::{Credential, Endpoint, Model, TokenPolicy};
use crate::token::dpop::DpopKey;
use crate::token::key::TokenKey;
use crate::token::slot::TokenSlot;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// A credential with the place where its token is published.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What to ask for.
    pub credential: Arc<Credential>,
    /// Where to publish it.
    pub slot: Arc<TokenSlot>,
}

/// What the tokens of a credential are bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// A key of the gateway's (RFC 9449).
    Key,
    /// The client certificate (RFC 8705 §3).
    Certificate,
}

impl Entry {
    /// What its tokens are bound to; the key, of which each request tells, if it is both. `None`: bearer tokens.
    #[must_use]
    pub fn binding(&self) -> Option<Binding> {
        match (&self.slot.dpop, self.credential.certificate_bound) {
            (Some(_), _) => Some(Binding::Key),
            (None, true) => Some(Binding::Certificate),
            (None, false) => None,
        }
    }
}

/// The entries of one configuration, in the order of the file.
#[derive(Debug, Default)]
pub struct TokenTable {
    entries: Vec<Entry>,
    /// Where the entry of a credential is.
    by_key: HashMap<TokenKey, usize>,
    /// Where the entry of a name is. Named credentials that are equal share one, under all of their names.
    by_name: BTreeMap<String, usize>,
}

impl TokenTable {
    /// Collects the distinct credentials of a configuration. A credential is required as soon as one backend says so.
    ///
    /// # Errors
    /// If there is no randomness for a key that tokens are to be bound to.
    pub fn of(model: &Model) -> Result<Self, KeyError> {
        let policies = model.endpoints.iter().flat_map(Endpoint::backends).filter_map(|backend| backend.token.as_ref());
        let policies: Vec<_> = policies.map(|policy| (TokenKey::of(&policy.credential), policy)).collect();
        let required: HashSet<_> = policies.iter().filter(|(_, policy)| policy.required).map(|(key, _)| *key).collect();
        let mut names = Names::default();
        let mut table = Self::default();
        for (key, policy) in policies {
            if let Some(index) = table.by_key.get(&key) {
                if let Some(name) = &policy.name {
                    table.by_name.entry(name.clone()).or_insert(*index);
                }
                continue;
            }
            let mut slot = TokenSlot::new(names.pick(policy), required.contains(&key));
            if policy.credential.dpop {
                slot = slot.bound_to(DpopKey::generate()?);
            }
            let index = table.entries.len();
            table.by_key.insert(key, index);
            table.by_name.insert(slot.name.clone(), index);
            table.entries.push(Entry { credential: policy.credential.clone(), slot: Arc::new(slot) });
        }
        Ok(table)
    }

    /// The slot of a policy's credential; there is one for every policy of the model the table was made of.
    #[must_use]
    pub fn slot(&self, policy: &TokenPolicy) -> Option<&Arc<TokenSlot>> {
        let index = self.by_key.get(&TokenKey::of(&policy.credential))?;
        self.entries.get(*index).map(|entry| &entry.slot)
    }

    /// The entry of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Entry> {
        self.entries.get(*self.by_name.get(name)?)
    }

    /// All names, in the order of the alphabet.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// All entries.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// All slots.
    pub fn slots(&self) -> impl Iterator<Item = &Arc<TokenSlot>> {
        self.entries.iter().map(|entry| &entry.slot)
    }
}

/// Names for logs and metrics: the one from `auth/credentials`, else `client_id@host`; and a number where several credentials
/// have that (`~2`, which a URL can hold as it is). Nothing of the key: it is a hash of the secret, too, and a name must not let anybody test guesses.
#[derive(Default)]
struct Names(HashMap<String, u32>);

impl Names {
    fn pick(&mut self, policy: &TokenPolicy) -> String {
        let credential = &policy.credential;
        let host = credential.endpoint.url().host_str().unwrap_or_default();
        let name = policy.name.clone().unwrap_or_else(|| format!("{}@{host}", credential.client_id));
        let count = self.0.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name}~{count}") }
    }
}
