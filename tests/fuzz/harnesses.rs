//! Every fuzz target's harness with its seeds and a bounded number of mutations of them: what a stable toolchain can do of
//! `make fuzz`. The same numbers give the same inputs, so a failure comes back until it is mended.

use crate::mutate::Mutator;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

#[path = "../../fuzz/harness/lib.rs"]
mod harness;

/// Each about a second without optimisation.
#[track_caller]
fn run(target: &str, mutations: usize, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let seeds: Vec<Vec<u8>> = names.iter().map(|name| fs::read(name).unwrap()).collect();
    assert!(!seeds.is_empty(), "{} has no seed", folder.display());
    let mut mutator = Mutator::new(&seeds);
    let mutated = std::iter::repeat_with(|| mutator.next()).take(mutations);
    for input in seeds.iter().cloned().chain(mutated) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(&input))) {
            eprintln!("{target} does not hold for b\"{}\"", input.escape_ascii());
            resume_unwind(panic);
        }
    }
}

#[test]
fn paths_lead_where_they_were_matched() {
    run("path", 8_000, harness::path::check);
}

#[test]
fn headers_stay_on_their_hop_and_tokens_in_their_place() {
    run("headers", 3_000, harness::headers::check);
}

#[test]
fn values_add_nothing_to_a_target() {
    run("url_pattern", 1_200, harness::url_pattern::check);
}

#[test]
fn configurations_are_read_to_their_end_and_keep_their_secrets() {
    run("config", 300, harness::config::check);
}

#[test]
fn requests_end_where_a_second_reader_finds_their_end() {
    run("framing", 20_000, harness::framing::check);
}

#[test]
fn load_balancers_say_the_same_in_any_pieces() {
    run("proxy_header", 6_000, harness::proxy_header::check);
}

#[test]
fn durations_come_back() {
    run("duration", 30_000, harness::duration::check);
}

#[test]
fn answers_of_authorization_servers_are_grants_or_reasons() {
    run("token_answer", 8_000, harness::token_answer::check);
}

#[test]
fn answers_of_upstreams_are_read_and_written() {
    run("upstream_answer", 3_000, harness::upstream_answer::check);
}
