#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the static program where there is nothing but itself and the certificate authorities, as in the
# container image and as its user, and lets it mirror the sample images.
#
#   hack/try-static.sh PROGRAM
set -euo pipefail
cd "$(dirname "$0")/.."

image=$(mktemp -d)
trap 'rm -rf "$image"' EXIT
install -D "$1" "$image/transship"
install -D -m 0644 /etc/ssl/certs/ca-certificates.crt "$image/etc/ssl/certs/ca-certificates.crt"
cp -r examples/quickstart "$image/quickstart"
mkdir -m 0777 "$image/copies"
chmod 0755 "$image"

fail() {
  echo "make static: $*" >&2
  exit 1
}

# chroot asks for root; a user namespace will do.
inside() {
  if [ "$(id -u)" -eq 0 ]; then
    chroot --userspec=65532:65532 "$image" /transship "$@"
  else
    unshare --map-root-user chroot "$image" /transship "$@"
  fi
}

inside --version
inside sync --quiet --filename /quickstart/mirror.yaml --from-layout /quickstart/source --to-layout /copies >/dev/null \
  || fail "the program does not copy where there is nothing but itself"
# Nobody listens there. Without authorities the complaint would be another one.
answer=$(inside ls 127.0.0.1:1 2>&1) && fail "127.0.0.1:1 answers"
grep -q "refused" <<<"$answer" || fail "an unexpected complaint: $answer"
