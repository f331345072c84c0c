//! What everything else stands on: small types that know nothing of configuration, Pingora or HTTP servers.

pub mod backoff;
pub mod certificate;
pub mod clock;
pub mod duration;
pub mod failure;
pub mod files;
pub mod hop_by_hop;
pub mod json_weight;
pub mod jws;
pub mod random;
pub mod secret;
pub mod server_url;
pub mod text;
pub mod x509;

pub use certificate::ClientCertificate;
pub use clock::{Clock, Moment};
pub use failure::Failure;
pub use secret::Secret;
