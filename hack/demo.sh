#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Shows the controller at work on this machine: a Kubernetes API without nodes, two registries, a mirror between them,
# and its page in a browser where there is one, until Ctrl-C. Everything listens on 127.0.0.1, lives in one directory
# and goes with it. No root is needed.
#
#   hack/demo.sh PROGRAM DIRECTORY
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

program=$(realpath "$1")
state=$(realpath -m "$2")
cache=${TRANSSHIP_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/transship-tools}
pids=()

# --- services of the script ---

say() { echo "demo: $*" >&2; }
fail() { say "$*"; exit 1; }

# The path of a program that `make tools` built.
tool() {
  local path
  path=$cache/$1-$(awk -v name="$1" '$1 == name { print $2 }' "$root/hack/tools.versions")/$1
  [ -x "$path" ] || fail "$path is missing: run make tools"
  echo "$path"
}

# Starts a program that writes into a log named like the service.
start() {
  local name=$1; shift
  "$@" >"$state/$name.log" 2>&1 </dev/null &
  pids+=($!)
}

# Waits until a command succeeds; its output is the answer.
await() {
  local what=$1 pid; shift
  for _ in $(seq 600); do
    if "$@" 2>/dev/null; then return; fi
    for pid in "${pids[@]}"; do
      kill -0 "$pid" 2>/dev/null || fail "waiting for $what: a part of the demo has ended by itself"
    done
    sleep 0.1
  done
  fail "waited too long for $what"
}

# Last in, first out; a second round for who does not listen.
clean_up() {
  local status=$? number signal
  trap '' INT TERM
  [ "$status" -eq 0 ] || tail -n 3 "$state"/*.log >&2 || true
  for signal in TERM KILL; do
    for ((number = ${#pids[@]} - 1; number >= 0; number--)); do
      kill -s "$signal" "${pids[number]}" 2>/dev/null || continue
      for _ in $(seq 100); do
        kill -0 "${pids[number]}" 2>/dev/null || break
        sleep 0.1
      done
    done
  done
  rm -rf "$state"
  say "everything is stopped and removed"
}

etcd=$(tool etcd) apiserver=$(tool kube-apiserver) manager=$(tool kube-controller-manager)
kubectl=$(tool kubectl) helm=$(tool helm) registry=$(tool registry)
command -v openssl >/dev/null || fail "openssl is not there: install the Debian package openssl"
[ ! -e "$state" ] || fail "$state is there: another demo runs, or remove it"
mkdir -p "$state"
trap clean_up EXIT
trap 'exit 0' INT TERM

# --- a Kubernetes API ---

start etcd "$etcd" --data-dir "$state/etcd" --unsafe-no-fsync --log-outputs stderr \
  --listen-client-urls http://127.0.0.1:0 --advertise-client-urls http://127.0.0.1:0 --listen-peer-urls http://127.0.0.1:0
etcd_address() { grep -om1 'serving client traffic.*"address":"127[^"]*' "$state/etcd.log" | grep -om1 '127.*'; }
store=$(await "etcd" etcd_address)

# A port that nobody listens on; below those that the system hands out by itself.
free_port() {
  local port
  while port=$((20000 + RANDOM % 10000)); (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
  echo "$port"
}

port=$(free_port)
token=$(openssl rand -hex 16)
echo "$token,admin,admin,system:masters" >"$state/tokens.csv"
openssl genpkey -algorithm RSA -out "$state/accounts.key" 2>/dev/null
openssl pkey -in "$state/accounts.key" -pubout -out "$state/accounts.pub"
start kube-apiserver "$apiserver" --etcd-servers "http://$store" --bind-address 127.0.0.1 --advertise-address 127.0.0.1 \
  --secure-port "$port" --endpoint-reconciler-type none --cert-dir "$state/certificates" --token-auth-file "$state/tokens.csv" \
  --authorization-mode RBAC --service-cluster-ip-range 10.0.0.0/24 --service-account-issuer https://kubernetes.default.svc \
  --service-account-key-file "$state/accounts.pub" --service-account-signing-key-file "$state/accounts.key"

# A file for kubectl and the controller: who, with which token.
write_kubeconfig() {
  local file=$1 token=$2
  (umask 077; cat >"$file") <<YAML
apiVersion: v1
kind: Config
current-context: demo
clusters: [{name: demo, cluster: {server: "https://127.0.0.1:$port", certificate-authority: "$state/certificates/apiserver.crt"}}]
users: [{name: demo, user: {token: "$token"}}]
contexts: [{name: demo, context: {cluster: demo, user: demo, namespace: demo}}]
YAML
}

export KUBECONFIG=$state/kubeconfig
write_kubeconfig "$KUBECONFIG" "$token"
say "starting the Kubernetes API"
await "the API server" "$kubectl" get --raw /readyz >/dev/null
start kube-controller-manager "$manager" --kubeconfig "$KUBECONFIG" --leader-elect=false --secure-port 0 \
  --controllers 'namespace-controller,garbage-collector-controller,serviceaccount-controller,clusterrole-aggregation-controller'

# --- two registries, and images in one of them ---

start_registry() {
  cat >"$state/$1.yaml" <<YAML
version: 0.1
storage: {filesystem: {rootdirectory: "$state/$1"}, delete: {enabled: true}}
http: {addr: "127.0.0.1:0", secret: demo}
YAML
  OTEL_TRACES_EXPORTER=none start "$1" "$registry" serve "$state/$1.yaml"
}
registry_address() { grep -o 'listening on 127[^" ]*' "$state/$1.log" | grep -om1 '127.*'; }
start_registry source
start_registry mirror
source=$(await "the source registry" registry_address source)
mirror=$(await "the mirror registry" registry_address mirror)

say "filling the source registry at $source"
"$program" sync --quiet --from-layout "$root/examples/quickstart/source" --filename - <<YAML >/dev/null
apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {name: fill}
spec:
  source: {registry: source.example.com}
  images: [{repository: "demo/*", tags: ["*"]}]
  destinations: [{name: source, registry: "$source", insecure: true}]
YAML

# --- the controller, with the chart's own service account ---

say "installing the chart: definitions and rights, without pods"
"$helm" install transship "$root/charts/transship" --namespace transship-system --create-namespace --set replicas=0 --wait=false >/dev/null
await "the definitions" "$kubectl" wait --for condition=Established crd/imagemirrors.transship.dev crd/imagepolicies.transship.dev >/dev/null
write_kubeconfig "$state/controller.kubeconfig" "$("$kubectl" create token transship --namespace transship-system --duration 24h)"
page=$(free_port)
start controller env -u KUBECONFIG "$program" controller --kubeconfig "$state/controller.kubeconfig" --listen-address 127.0.0.1:0 \
  --lease-namespace transship-system --allow-addresses 127.0.0.0/8 --insecure-hosts "$source,$mirror" --page-address "$page"

"$kubectl" create namespace demo >/dev/null
cat >"$state/mirror.yaml" <<YAML
apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {name: demo, namespace: demo}
spec:
  source: {registry: "$source", insecure: true}
  images: [{repository: demo/hello}, {repository: demo/tools, tags: [latest]}]
  policyRefs: [{name: releases}]
  destinations: [{name: mirror, registry: "$mirror", insecure: true, repository: "mirror/{repository}"}]
  interval: 30s
---
apiVersion: transship.dev/v1alpha1
kind: ImagePolicy
metadata: {name: releases, namespace: demo}
spec:
  select: {semver: {range: ">=1.0.0", prereleases: Exclude}}
YAML
"$kubectl" apply --filename "$state/mirror.yaml" >/dev/null
say "waiting until the mirror is in sync"
ready='{.status.conditions[?(@.type=="Ready")].status}'
is_ready() { [ "$("$kubectl" get imir demo --output jsonpath="$ready")" = True ]; }
(await "Ready of the mirror" is_ready) || { "$kubectl" describe imir demo >&2; exit 1; }
# What a person would have installed, under the names that they type.
mkdir "$state/bin"
ln -s "$kubectl" "$state/bin/kubectl"
ln -s "$program" "$state/bin/transship"
ln -s "$program" "$state/bin/kubectl-transship"
export PATH=$state/bin:$PATH

kubectl get imir,impol
echo
kubectl transship tree demo

cat <<TEXT

The mirror is in sync, and http://127.0.0.1:$page shows it. In another terminal:

  export KUBECONFIG=$KUBECONFIG PATH=$state/bin:\$PATH

Three things to try:

  1. Ask why an image is there, or is not:
     kubectl transship why $source/demo/hello:2.0.0-rc.1

  2. Push a tag, and see it arrive; within 30 s it would by itself:
     transship copy $source/demo/hello:1.0.0 $source/demo/hello:1.3.0
     kubectl transship sync demo

  3. Make a mistake, and see what is said about it:
     kubectl patch imir demo --type merge --patch '{"spec":{"policyRefs":[{"name":"release"}]}}'
     kubectl transship status demo

The log of the controller is $state/controller.log. Ctrl-C stops and removes everything.
TEXT

# Opens the page where there is a browser and somebody to look; its address is told in any case.
open_page() {
  local opener
  [ -t 1 ] || return 0
  case $(uname -s) in
    Darwin) opener=open ;;
    *) [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || return 0; opener=xdg-open ;;
  esac
  command -v "$opener" >/dev/null || return 0
  "$opener" "http://127.0.0.1:$page" >/dev/null 2>&1 </dev/null &
}
open_page

# Until somebody ends it, or a part of it ends by itself.
wait -n "${pids[@]}"
fail "a part of the demo has ended by itself"
