//! porteur, an edge proxy that carries the OAuth 2.0 token for every upstream request.

#![forbid(unsafe_code)]

pub mod base;
pub mod cache;
pub mod cli;
pub mod compose;
pub mod config;
pub mod demo;
pub mod downstream;
pub mod forward;
pub mod guard;
pub mod proxy;
pub mod server;
pub mod snapshot;
pub mod telemetry;
pub mod token;
