#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the program as one static file that needs nothing of the system it runs on, and prints its path.
# The Containerfile runs this very script; on Debian it needs the packages gcc and musl-tools.
set -eu
cd "$(dirname "$0")/.."

target=$(uname -m)-unknown-linux-musl

fail() {
  echo "make static: $*" >&2
  exit 1
}

command -v musl-gcc >/dev/null || fail "musl-gcc is not there: install the Debian package musl-tools"
if command -v rustup >/dev/null && ! rustup target list --installed | grep -qx "$target"; then
  rustup target add "$target" >&2 || fail "the standard library for $target cannot be had"
fi

# The C parts (cryptography, allocator) are compiled with musl's headers, too.
export "CC_$(echo "$target" | tr - _)=musl-gcc"
cargo build --locked --release --bin transship --target "$target" >&2

echo "${CARGO_TARGET_DIR:-target}/$target/release/transship"
