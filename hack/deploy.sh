#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Renders the chart as it comes into the base that `kubectl apply -k deploy` installs.
#
#   hack/deploy.sh [DIRECTORY]
#
# Helm's own labels are left out: nothing there is managed by Helm.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${1:-deploy}
cache=${TRANSSHIP_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/transship-tools}
helm=$cache/helm-$(awk '$1 == "helm" { print $2 }' hack/tools.versions)/helm
[ -x "$helm" ] || { echo "make deploy: $helm is missing: run make tools" >&2; exit 1; }

# The part of the chart that --show-only and its like choose.
render() {
  echo "# Rendered from charts/transship by \`make deploy\`: change the chart instead."
  "$helm" template transship charts/transship --namespace transship-system "$@" \
    | sed -e '/^# Source: /d' -e '/^ *helm\.sh\/chart: /d' -e '/^ *app\.kubernetes\.io\/managed-by: Helm$/d'
}

mkdir -p "$target"
render --set crds.keep=false --show-only templates/crds.yaml >"$target/crds.yaml"
render --set crds.install=false >"$target/controller.yaml"
