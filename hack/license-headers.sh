#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Puts the line that names the license on top of every source file that has none, below the line that says what runs it.
set -eu
cd "$(dirname "$0")/.."

git ls-files '*.rs' '*.go' '*.sh' '*.py' .ci/run | while read -r file; do
  head -n 2 "$file" | grep -q 'SPDX-License-Identifier: ' && continue
  case $file in
    *.rs | *.go) printf '// SPDX-License-Identifier: Apache-2.0\n\n' && cat "$file" ;;
    *) head -n 1 "$file" && echo '# SPDX-License-Identifier: Apache-2.0' && tail -n +2 "$file" ;;
  esac >"$file.new"
  # The file stays the one it is, with its rights.
  cat "$file.new" >"$file"
  rm "$file.new"
done
