#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the program as it is released for this system, and prints its path: on Linux one static file.
set -eu
cd "$(dirname "$0")/../.."

case $(uname -s) in
  Linux) exec hack/static.sh ;;
  Darwin)
    cargo build --locked --release --bin transship >&2
    echo "${CARGO_TARGET_DIR:-target}/release/transship"
    ;;
  *)
    echo "make archive: there is no release for $(uname -s)" >&2
    exit 1
    ;;
esac
