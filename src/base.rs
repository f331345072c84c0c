//! What everything else stands on: small types that know nothing of configuration, Pingora or HTTP servers.

pub mod duration;
pub mod secret;

pub use secret::Secret;
