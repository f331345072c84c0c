#![no_main]

#[path = "../harness/lib.rs"]
#[allow(dead_code, reason = "each target needs one of them")]
mod harness;

libfuzzer_sys::fuzz_target!(|input: &[u8]| harness::proxy_header::check(input));
