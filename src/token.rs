//! The token engine: one credential, one background task, one slot.
//!
//! *Credential* (configuration) → [`key`] (its identity) → [`table`] (one slot for each) → [`keeper`] (fetches with
//! [`client`], plans with [`schedule`]) → [`slot`] (what requests read). Requests never cause a fetch and never wait for
//! one, except for the very first token. Nothing here knows of Pingora; the process runs [`keeper::Keeper`] as a service.

pub mod answer;
pub mod client;
pub mod keeper;
pub mod key;
pub mod request;
pub mod schedule;
pub mod slot;
pub mod table;

#[cfg(test)]
pub(crate) mod testing {
    //! A plain credential and slot for unit tests.

    use crate::base::Secret;
    use crate::config::model::{ClientAuth, Credential};
    use crate::token::key::TokenKey;
    use crate::token::slot::TokenSlot;
    use std::collections::BTreeMap;
    use std::time::Duration;
    use url::Url;

    pub(crate) fn credential() -> Credential {
        Credential {
            client_id: "client".into(),
            client_secret: Secret::new("secret"),
            token_url: Url::parse("https://idp.test/token").expect("a URL"),
            scopes: Vec::new(),
            endpoint_params: BTreeMap::new(),
            client_auth: ClientAuth::Auto,
            timeout: Duration::from_secs(10),
            default_ttl: Some(Duration::from_secs(300)),
            scheme: None,
        }
    }

    pub(crate) fn slot() -> TokenSlot {
        TokenSlot::new(TokenKey::of(&credential()), "client@idp.test".into(), true)
    }
}
