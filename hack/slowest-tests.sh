#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a test program for cargo, and names its slowest tests at the end, and those that did not run for want of something.
#
# How long a test takes is told by the test harness of stable Rust only to who says that it is no stable one. That is
# said to the program, not to the compiler: what is built does not change.
set -uo pipefail

said=$(mktemp)
TRANSSHIP_NOT_RUN=$(mktemp)
export TRANSSHIP_NOT_RUN
trap 'rm -f "$said" "$TRANSSHIP_NOT_RUN"' EXIT
RUSTC_BOOTSTRAP=1 "$@" -Z unstable-options --report-time | tee "$said"
outcome=$?
slowest=$(sed -n 's/^test \(.*\) \.\.\. ok <\([0-9.]*\)s>$/\2 \1/p' "$said" | sort -rn | head -n 10)
if [ -n "$slowest" ]; then
  echo "the slowest tests, in seconds:"
  printf '%8.1f  %s\n' $slowest
fi
if [ -s "$TRANSSHIP_NOT_RUN" ]; then
  sed 's/^/did not run: /' "$TRANSSHIP_NOT_RUN"
fi
exit "$outcome"
