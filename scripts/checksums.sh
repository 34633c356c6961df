#!/usr/bin/env bash
# Write save/SHA256SUMS over everything that is shipped there; --check compares instead.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd save
if [ "${1:-}" = --check ]; then
    exec sha256sum --check --quiet SHA256SUMS
fi
find . -type f ! -name SHA256SUMS ! -path './last/*' ! -name '*.partial' -print0 | sort -z | xargs -0 sha256sum > .SHA256SUMS.partial
mv .SHA256SUMS.partial SHA256SUMS
