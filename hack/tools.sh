#!/usr/bin/env bash
# Gets the real registries and peer tools that the tests and the benchmark use.
# Go programs are built once into a cache outside the checkout, keyed by version; skopeo and the
# 2.8 registry come from Debian. Whatever cannot be had fails the run: nothing is skipped.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${TRANSSHIP_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/transship-tools}

fail() {
  echo "make tools: $*" >&2
  exit 1
}

build_go_program() {
  local name=$1 version=$2 package=$3
  local directory=$cache/$name-$version
  [ -x "$directory/$name" ] && return
  command -v go >/dev/null || fail "building $name $version needs Go (Debian package golang)"
  echo "make tools: building $name $version" >&2
  mkdir -p "$cache"
  local building
  building=$(mktemp -d "$cache/.$name.XXXXXX")
  GOFLAGS= GOBIN=$building CGO_ENABLED=0 go install -trimpath -ldflags='-s -w' "$package@$version" \
    || { rm -rf "$building"; fail "$package@$version does not build"; }
  # A rename, so that an interrupted build never leaves half a program behind.
  rm -rf "$directory"
  mv "$building" "$directory"
}

install_debian_packages() {
  local missing=() program package
  while read -r program package; do
    command -v "$program" >/dev/null || missing+=("$package")
  done <<'LIST'
skopeo skopeo
docker-registry docker-registry
LIST
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null || fail "install ${missing[*]} by hand: this is not a Debian machine"
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
  "${as_root[@]}" apt-get update -qq >&2 || fail "apt-get update failed"
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2 \
    || fail "apt-get could not install ${missing[*]}"
}

install_debian_packages
while read -r name version package; do
  case $name in '' | \#*) continue ;; esac
  build_go_program "$name" "$version" "$package"
done <"$here/tools.versions"
