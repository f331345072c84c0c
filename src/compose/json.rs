//! JSON as Go's `encoding/json` reads and writes it, which is what clients of KrakenD are used to.
//!
//! `serde_json` holds the values; its own reader is not used, because it rewrites exponents (`1E5` becomes `1e+5`) and refuses
//! lone surrogates, which cut-off emojis leave behind.

mod read;
mod write;

pub(super) use read::MOST_WEIGHT;
pub(in crate::compose) use read::coerced;
pub use read::{JsonError, read_json};
pub use write::write_json;
