//! The token engine: one credential, one background task, one slot.
//!
//! *Credential* (configuration) → [`key`] (its identity) → [`table`] (one slot for each) → [`keeper`] (waits, fetches and
//! publishes, as [`lifecycle`] says) → [`slot`] (what requests read). One fetch is an [`exchange`]: what the client proves
//! itself with is read ([`material`]), the endpoint is looked up ([`discovery`]), a [`request`] is formed, sent by
//! [`client`], and its [`answer`] read. Requests never cause a fetch and never wait for one, except for the very first
//! token and after an upstream has rejected theirs ([`rejection`]). Nothing here knows of Pingora; the process runs
//! [`keeper::Keeper`] as a service.

pub mod answer;
pub mod assertion;
pub mod client;
pub mod discovery;
pub mod dpop;
pub mod error;
pub mod exchange;
pub mod jwt;
pub mod keeper;
pub mod key;
pub mod lifecycle;
pub mod material;
pub mod rejection;
pub mod request;
pub mod schedule;
pub mod server;
pub mod slot;
pub mod table;

#[cfg(test)]
pub(crate) mod testing {
    //! A plain credential and slot for unit tests.

    use crate::base::Secret;
    use crate::config::model::{
        BasicEncoding, ClientAuth, Credential, RequestFormat, SecretMethod, SecretSource, TokenEndpoint, Transport,
    };
    use crate::token::slot::TokenSlot;
    use std::collections::BTreeMap;
    use std::time::Duration;
    use url::Url;

    pub(crate) fn with_secret(method: SecretMethod, encoding: BasicEncoding) -> ClientAuth {
        ClientAuth::Secret { secrets: vec![SecretSource::Text(Secret::new("secret"))], method, encoding }
    }

    pub(crate) fn credential() -> Credential {
        Credential {
            client_id: "client".into(),
            endpoint: TokenEndpoint::Url {
                text: "https://idp.test/token".into(),
                url: Url::parse("https://idp.test/token").expect("a URL"),
            },
            scopes: Vec::new(),
            audiences: Vec::new(),
            resources: Vec::new(),
            endpoint_params: BTreeMap::new(),
            request_format: RequestFormat::Form,
            request_headers: BTreeMap::new(),
            client_auth: with_secret(SecretMethod::Auto, BasicEncoding::Rfc6749),
            transport: Transport::default(),
            dpop: false,
            certificate_bound: false,
            timeout: Duration::from_secs(10),
            default_ttl: Some(Duration::from_secs(300)),
            scheme: None,
            revocation: None,
        }
    }

    pub(crate) fn slot() -> TokenSlot {
        TokenSlot::new("client@idp.test".into(), true)
    }
}
