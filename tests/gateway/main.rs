//! Everything that is tested through porteur's public door, in one binary.

#[path = "../support/lib.rs"]
#[allow(dead_code, reason = "the support is a library: not every test run needs all of it")]
mod support;

mod examples;
mod process;
mod proxying;
mod routing;
mod support_works;
mod tokens;
