//! What must hold for any input, one file for each fuzz target: `check` panics when it does not.
//!
//! The targets in `fuzz_targets` call these with what libFuzzer makes up, the tests in `tests/fuzz` with the seeds and a
//! bounded number of mutations of them, on a stable toolchain.

pub mod compiled;
pub mod config;
pub mod duration;
pub mod framing;
pub mod headers;
pub mod path;
pub mod proxy_header;
pub mod token_answer;
pub mod upstream_answer;
pub mod url_pattern;
