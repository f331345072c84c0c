#!/bin/sh
# Runs every fuzz target for FUZZ_SECONDS (60 unless set), each from its seeds: scripts/fuzz.sh [target...]
#
# It wants cargo-fuzz. Without a nightly toolchain the stable one is told to behave like one. What libFuzzer finds on its
# way is kept in fuzz/corpus, what breaks a target in fuzz/artifacts; `tests/fuzz` runs the seeds with every `make test`.
set -eu
cd "$(dirname "$0")/../fuzz"

cargo fuzz --version >/dev/null 2>&1 || {
    echo 'porteur: cargo-fuzz is missing; type: cargo install --locked cargo-fuzz' >&2
    exit 1
}
# Only asking, where `cargo +nightly` would install it.
if rustup toolchain list 2>/dev/null | grep -q '^nightly'; then
    toolchain=+nightly
else
    toolchain=
    export RUSTC_BOOTSTRAP=1
fi

[ $# -gt 0 ] || set -- $(ls seeds)
for target; do
    mkdir -p "corpus/$target"
    echo "fuzzing $target" >&2
    # shellcheck disable=SC2086 # no toolchain is no word
    cargo $toolchain fuzz run "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="${FUZZ_SECONDS:-60}" -timeout=20 -max_len=16384 -rss_limit_mb=4096 -print_final_stats=1
done
