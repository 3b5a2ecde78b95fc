#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets and lets each run for some seconds, as many side by side as there are processors.
#
#   hack/fuzz.sh [SECONDS]
#
# What they find worth keeping stays beside what was built, so that the next run goes on from there.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-10}
host=$(rustc -vV | sed -n 's/^host: //p')
built=${CARGO_TARGET_DIR:-fuzz/target}

# What cargo-fuzz says to the compiler, but for the sanitizers: only nightly Rust has them. libFuzzer sees which
# branches run and what is compared. With a target named, programs that run while building are left as they are.
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-trace-compares"
coverage+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
RUSTFLAGS=$coverage cargo build --locked --manifest-path fuzz/Cargo.toml --target "$host"

run() {
  local name=$1 corpus=$built/corpus/$1 said
  mkdir -p "$corpus"
  if said=$("$built/$host/debug/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$built/$name-" "$corpus" fuzz/seeds 2>&1); then
    echo "fuzz: $name: $(grep -o '^Done.*' <<<"$said")"
  else
    printf 'fuzz: %s failed, and what it was given is in %s:\n%s\n' "$name" "$built" "$(tail -n 40 <<<"$said")" >&2
    return 1
  fi
}
export -f run
export seconds host built
sed -n 's/^name = "\(.*\)"$/\1/p' fuzz/Cargo.toml | grep -v '^transship-fuzz$' \
  | xargs -P "$(nproc)" -I NAME bash -c 'run NAME'
