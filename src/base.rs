//! What everything else stands on: small types that know nothing of configuration, Pingora or HTTP servers.

pub mod backoff;
pub mod duration;
pub mod failure;
pub mod random;
pub mod secret;
pub mod text;

pub use failure::Failure;
pub use secret::Secret;
