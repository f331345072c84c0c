//! What the process tells of itself: log lines, access lines, metrics. Nothing here decides anything.

pub mod access;
pub mod lines;
pub mod log;
pub mod metrics;
