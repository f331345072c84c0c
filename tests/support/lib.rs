//! What the tests stand on: servers, clients and processes that start fast, choose their own ports and stop with their
//! owner. Nothing here knows what porteur should do; that is said by the tests.

pub mod authlib;
pub mod authority;
pub mod capture;
pub mod carriers;
pub mod client;
pub mod config;
pub mod daemon;
pub mod dns;
pub mod fault_proxy;
pub mod forward_proxy;
pub mod gate;
pub mod gateway;
pub mod grpc;
pub mod h2_frames;
pub mod h2_upstream;
pub mod haproxy;
pub mod idp;
pub mod listener;
pub mod nginx;
pub mod poll;
pub mod program;
pub mod raw;
pub mod ready;
pub mod rejected;
pub mod reply;
pub mod report;
pub mod scripted;
pub mod tls_edge;
pub mod tls_upstream;
pub mod tokens;
pub mod tool;
pub mod upstream;
pub mod wire;
