#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Gets the real registries, the Kubernetes control plane and the peer tools that tests and benchmarks use.
# Go programs, crates, Python and Node modules are built once into a cache outside the checkout, keyed by version; skopeo, the 2.8
# registry, nginx, Chromium, the compiler of `make static`, the keys of `make demo` and what runs containers come from Debian. Whatever cannot be had fails the run: nothing is skipped.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${TRANSSHIP_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/transship-tools}

fail() {
  echo "make tools: $*" >&2
  exit 1
}

# What a program says its version is, where that does not follow from how it is built.
link_flags() {
  local name=$1 version=$2 setting=()
  case $name in
    kube-apiserver | kube-controller-manager | kubectl | kubelet | kube-scheduler)
      local number=${version#v1.} place
      for place in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        setting+=("$place.gitVersion=$version" "$place.gitMajor=1" "$place.gitMinor=${number%%.*}" "$place.gitTreeState=clean")
      done
      ;;
    helm)
      setting+=("helm.sh/helm/v3/internal/version.version=$version" helm.sh/helm/v3/internal/version.metadata=)
      # The Kubernetes that `helm template` and `helm lint` assume: the one that we test with.
      local kubernetes place
      kubernetes=$(sed -n 's/^kube-apiserver  *v\(1\.[0-9]*\)\..*/\1/p' "$here/tools.versions")
      for place in helm.sh/helm/v3/pkg/lint/rules helm.sh/helm/v3/pkg/chartutil; do
        setting+=("$place.k8sVersionMajor=1" "$place.k8sVersionMinor=${kubernetes#1.}")
      done
      ;;
    kubeconform | kube-score) setting+=("main.version=$version") ;;
  esac
  printf '%s' "-s -w${setting[*]/#/ -X }"
}

# What a program can do without, and what that asks for beside Go.
build_tags() {
  case $1 in
    containerd | containerd-shim-runc-v2) printf no_btrfs,no_devmapper,no_zfs,no_aufs ;;
  esac
}

# Only root can run a node, and only on Linux; elsewhere its test says that it did not run.
can_run_node() { [ "$(uname -s)" = Linux ] && [ "$(id -u)" -eq 0 ]; }

is_of_node() {
  case $1 in
    kubelet | kube-scheduler | containerd | containerd-shim-runc-v2) ;;
    *) return 1 ;;
  esac
}

# Builds into a directory, from a module of ours if one is named, else from the package's own. A module
# with a program of its own is built as that, and the package is the one whose version counts.
compile() {
  local directory=$1 name=$2 version=$3 package=$4 module=${5:-}
  local flags=(-trimpath -buildvcs=false -tags="$(build_tags "$name")" -ldflags="$(link_flags "$name" "$version")")
  command -v go >/dev/null || fail "building $name $version needs Go (Debian package golang)"
  export GOFLAGS= CGO_ENABLED=0
  if [ -z "$module" ]; then
    GOBIN=$directory go install "${flags[@]}" "$package@$version"
  else
    local required
    required=$(cd "$here/tools/$module" && go list -f '{{.Module.Version}}' "$package") || return
    [ "$required" = "$version" ] \
      || fail "hack/tools.versions wants $name $version, hack/tools/$module/go.mod $required: change both"
    [ -f "$here/tools/$module/main.go" ] && package=.
    (cd "$here/tools/$module" && go build -mod=readonly "${flags[@]}" -o "$directory/$name" "$package")
  fi
}

# Installs a Python module and what it needs into an environment of its own, with a program that runs it.
install_python_module() {
  local directory=$1 name=$2 version=$3 module=$4 requirements=$here/tools/$5/requirements.txt
  grep -qx "$name==${version#v}" "$requirements" \
    || fail "hack/tools.versions wants $name $version, $requirements another: change both"
  python3 -m venv "$directory/python" || return
  "$directory/python/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" || return
  # The scripts of an environment know where it was made; its interpreter finds out where it is.
  printf '#!/bin/sh\nexec "${0%%/*}/python/bin/python" -m %s "$@"\n' "$module" >"$directory/$name"
  chmod +x "$directory/$name"
}

# Builds a program that is a crate, with the versions of its own lock file.
install_crate() {
  local directory=$1 name=$2 version=$3 crate=$4
  cargo install --quiet --locked --root "$directory" --target-dir "$directory/target" "$crate@${version#v}" || return
  mv "$directory/bin/$name" "$directory/$name"
  rm -rf "$directory"/{bin,target,.crates.toml,.crates2.json}
}

# Takes the one file of a Node module that browsers load.
take_node_module() {
  local directory=$1 name=$2 version=$3 module=$4 archive
  archive=$(cd "$directory" && npm pack --silent --ignore-scripts "$module@${version#v}") || return
  tar -xzf "$directory/$archive" -C "$directory" --strip-components=1 package/axe.min.js || return
  mv "$directory/axe.min.js" "$directory/$name"
  rm "$directory/$archive"
  chmod +x "$directory/$name"
}

# What a program is made from here, which may change without its version: it is kept beside the program.
own_source() {
  local file
  for file in "$here/tools/$1"/{main.go,requirements.txt}; do
    if [ -n "$1" ] && [ -f "$file" ]; then echo "$file"; fi
  done
}

build_program() {
  local name=$1 version=$2 package=$3 module=${4:-}
  local directory=$cache/$name-$version source
  source=$(own_source "$module")
  if [ -x "$directory/$name" ]; then
    if [ -z "$source" ] || cmp -s "$source" "$directory/source"; then return; fi
  fi
  echo "make tools: building $name $version" >&2
  mkdir -p "$cache"
  local building make=compile
  building=$(mktemp -d "$cache/.$name.XXXXXX")
  case $package in
    python:*) make=install_python_module ;;
    crate:*) make=install_crate ;;
    npm:*) make=take_node_module ;;
  esac
  "$make" "$building" "$name" "$version" "${package#*:}" "$module" \
    || { rm -rf "$building"; fail "$name $version does not build"; }
  if [ -n "$source" ]; then cp "$source" "$building/source"; fi
  # A rename, so that an interrupted build never leaves half a program behind.
  rm -rf "$directory"
  mv "$building" "$directory"
}

install_debian_packages() {
  local missing=() program package
  while read -r program package; do
    [ -n "$program" ] || continue
    PATH=$PATH:/usr/sbin:/usr/lib/cni command -v "$program" >/dev/null || missing+=("$package")
  done <<LIST
python3 python3
skopeo skopeo
docker-registry docker-registry
musl-gcc musl-tools
openssl openssl
nginx nginx-light
promtool prometheus
zsh zsh
fish fish
chromium chromium
npm npm
$(if can_run_node; then printf '%s\n' 'runc runc' 'ptp containernetworking-plugins' 'ip iproute2'; fi)
LIST
  # Debian's Python comes without what makes an environment.
  python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null || fail "install ${missing[*]} by hand: this is not a Debian machine"
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
  "${as_root[@]}" apt-get update -qq >&2 || fail "apt-get update failed"
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2 \
    || fail "apt-get could not install ${missing[*]}"
}

install_debian_packages
while read -r -a program; do
  case ${program[0]:-} in '' | \#*) continue ;; esac
  if is_of_node "${program[0]}" && ! can_run_node; then continue; fi
  build_program "${program[@]}"
done <"$here/tools.versions"
